"""The security log: its chain, its bound, and what waits for the central system."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest

from agent.core.commands import CorrectTimes, NoteBoot
from agent.core.security_event_values import (
    ClearSecurityLog,
    QueuedSecurityEvent,
    RecordSecurityEvent,
    RemoveSecurityEvents,
    SecurityEvent,
    SecurityEventType,
)
from agent.core.values import Boot
from agent.store.security_log import LINES_MAX, QUEUED_MAX, SecurityQueue, read_chain
from tests.store.builders import NOON, minutes_later

TYPE = SecurityEventType


def event(number: int = 0, kind: SecurityEventType = TYPE.FIRMWARE_UPDATED, boot: int = 0):
    return SecurityEvent(kind, minutes_later(number), f"event {number}", boot)


def logged(number: int = 0) -> RecordSecurityEvent:
    return RecordSecurityEvent(event(number, TYPE.INVALID_MESSAGES), is_queued=False)


def queued(number: int = 0, **fields) -> RecordSecurityEvent:
    return RecordSecurityEvent(event(number, **fields), is_queued=True)


def numbers(store) -> list[int]:
    return [line.number for line in reversed(store.security_log())]


def change(path, statement: str, *parameters) -> None:
    """As somebody would who has the file, and no agent."""
    with sqlite3.connect(path) as other:
        other.execute(statement, parameters)
    other.close()


# --- the log -------------------------------------------------------------------------------------


def test_an_empty_log_is_whole(store):
    assert store.security_log() == []
    assert store.security_chain().problem() == ""
    assert store.queued_security_event() is None


def test_a_line_is_read_back_as_it_was_recorded(store):
    store.commit([logged(3)], NOON)
    (line,) = store.security_log()
    assert (line.number, line.type, line.tech_info, line.boot) == (
        1,
        "InvalidMessages",
        "event 3",
        0,
    )
    assert line.as_data["timestamp"] == "2026-03-01T12:03:00.000000Z"
    assert line.as_data["chain"] == line.chain
    assert store.queued_security_event() is None


def test_the_log_is_read_by_time_and_page_by_page_the_newest_first(store):
    store.commit([logged(number) for number in range(5)], NOON)

    def read(*times, **wanted) -> list[int]:
        return [line.number for line in store.security_log(*times, **wanted)]

    assert read(minutes_later(1), minutes_later(3)) == [4, 3, 2]
    assert read(limit=2) == [5, 4]
    assert read(limit=2, before=4) == [3, 2]
    assert read(minutes_later(1), limit=2, before=3) == [2]
    assert read(limit=-1) == []


def test_the_log_keeps_its_newest_lines_and_its_chain_stays_whole(store):
    store.commit([logged(number) for number in range(LINES_MAX + 3)], NOON)
    assert numbers(store) == list(range(4, LINES_MAX + 4))
    assert store.security_chain().problem() == ""


def test_a_cleared_log_goes_on_with_its_numbers_and_its_chain_and_its_queue(store):
    store.commit([queued(1), queued(2), ClearSecurityLog(), queued(3)], NOON)
    assert numbers(store) == [3]
    assert store.security_chain().problem() == ""
    assert store.security_queue() == SecurityQueue(waiting_count=3, dropped_count=0)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE security_log SET tech_info = 'nothing' WHERE number = 2", "line 2 is not as"),
        ("UPDATE security_log SET at = at || '0' WHERE number = 4", "line 4 is not as"),
        ("DELETE FROM security_log WHERE number = 2", "lines 2 to 2 are missing"),
        ("DELETE FROM security_log WHERE number = 1", "lines 1 to 1 are missing"),
        ("DELETE FROM security_log WHERE number >= 3", "lines 3 to 4 are missing at the end"),
        ("DELETE FROM security_log", "lines 1 to 4 are missing at the end"),
        (
            "INSERT INTO security_log SELECT 5, type, at, tech_info, boot, chain FROM security_log"
            " WHERE number = 4",
            "line 5 is not as",
        ),
        ("UPDATE security_log_ends SET last_chain = ''", "line 4 is not the last one"),
        ("UPDATE security_log_ends SET pruned_chain = 'x'", "line 1 is not as"),
    ],
)
def test_whatever_is_changed_in_the_log_shows(store, path, statement, problem):
    store.commit([logged(number) for number in range(4)], NOON)
    change(path, statement)
    assert store.security_chain().problem().startswith(problem)


def test_a_removed_line_shows_also_where_the_numbers_were_closed_up(store, path):
    store.commit([logged(number) for number in range(3)], NOON)
    change(path, "DELETE FROM security_log WHERE number = 2")
    change(path, "UPDATE security_log SET number = 2 WHERE number = 3")
    assert (
        store.security_chain().problem() == "line 2 is not as it was written, or the one before it"
    )


def test_a_line_that_is_written_during_the_check_is_no_change(store, path):
    store.commit([logged(number) for number in range(LINES_MAX)], NOON)

    class Interrupted(sqlite3.Connection):
        def execute(self, *arguments):
            found = super().execute(*arguments)
            store.commit([logged()], NOON)
            return found

    reader = sqlite3.connect(path, factory=Interrupted)
    assert read_chain(reader).problem() == ""
    assert numbers(store)[-1] > LINES_MAX
    reader.close()


# --- what waits ----------------------------------------------------------------------------------


def test_the_queue_gives_the_oldest_event_under_an_id_that_stays(store):
    store.commit([queued(1), logged(2), queued(3)], NOON)
    oldest = QueuedSecurityEvent(1, "id-1", event(1))
    assert store.queued_security_event() == oldest
    assert store.queued_security_event() == oldest
    store.commit([RemoveSecurityEvents(1)], NOON)
    assert store.queued_security_event() == QueuedSecurityEvent(3, "id-2", event(3))
    assert numbers(store) == [1, 2, 3]


def test_all_that_waits_can_be_given_up_at_once(store):
    store.commit([queued(1), queued(2), RemoveSecurityEvents(None)], NOON)
    assert store.queued_security_event() is None


def test_beyond_the_limit_the_oldest_goes_but_startups_before_it_and_the_log_says_so(store, caplog):
    start = queued(1, kind=TYPE.STARTUP_OF_THE_DEVICE)
    store.commit([queued(0), start, *(queued(2) for _ in range(QUEUED_MAX - 1))], NOON)
    assert store.security_queue() == SecurityQueue(QUEUED_MAX, dropped_count=1)
    assert "StartupOfTheDevice (line 2 of the security log) is not sent" in caplog.text
    store.commit([queued(3)], NOON)
    assert store.security_queue() == SecurityQueue(QUEUED_MAX, dropped_count=2)
    assert store.queued_security_event().number == 3
    assert "FirmwareUpdated (line 1 of the security log) is not sent" in caplog.text


@pytest.mark.parametrize("damage", ["type = 'Made up'", "at = '2026-'"])
def test_a_row_that_nobody_can_read_is_told_as_that(store, path, damage):
    store.commit([queued(1)], NOON)
    change(path, f"UPDATE security_queue SET {damage}")
    assert store.queued_security_event() == QueuedSecurityEvent(1, "id-1", None)


# --- times that nobody trusted -------------------------------------------------------------------


def test_what_waits_is_corrected_with_its_boot_and_the_log_keeps_what_was_recorded(store):
    boot = Boot(4, "b4", NOON, is_time_known=False)
    store.commit([NoteBoot(boot), queued(1, boot=4), queued(2)], NOON)
    store.commit([CorrectTimes(4, NOON + timedelta(days=1))], NOON)
    assert store.queued_security_event().event == SecurityEvent(
        TYPE.FIRMWARE_UPDATED, minutes_later(1) + timedelta(days=1), "event 1"
    )
    newest, oldest = store.security_log()
    assert (oldest.boot, newest.boot) == (4, 0)
    assert oldest.at == "2026-03-01T12:01:00.000000Z"
    assert store.security_chain().problem() == ""
    store.commit([RemoveSecurityEvents(1)], NOON)
    assert store.queued_security_event().event == event(2)


def test_an_event_of_an_earlier_boot_moves_to_just_before_this_one(store):
    old = Boot(4, "b4", NOON, is_time_known=False)
    store.commit([NoteBoot(old), queued(60, boot=4)], NOON)
    store.commit([NoteBoot(Boot(5, "b5", NOON, is_time_known=False))], NOON)
    store.commit([CorrectTimes(5, minutes_later(30))], NOON)
    at = store.queued_security_event().event.at
    assert at == minutes_later(30)
