"""The comparison of the accounts of security events finds what it is there to find."""

from __future__ import annotations

import pytest

from tests.crash.central_system import Told
from tests.crash.event_accounts import EventJournal, WaitingEvent, event_disagreements

START, END = "StartupOfTheDevice", "ResetOrReboot"


def told(unique_id: str, minute: int, kind: str = START) -> Told:
    payload = {"type": kind, "timestamp": f"2026-03-01T12:0{minute}:00Z"}
    return Told(unique_id, "SecurityEventNotification", payload)


FIRST, SECOND = told("a", 1), told("b", 2)
WAITED = {name: WaitingEvent(name, number, START) for number, name in enumerate("ab", 1)}
LAST = WaitingEvent("e", 3, END)  # of the process that ended in order


def journal(*more: str, waiting: tuple[WaitingEvent, ...] = (LAST,)) -> EventJournal:
    lines = [START, START, "InvalidMessages", END, *more]
    return EventJournal(lines, list(waiting), {**WAITED, LAST.unique_id: LAST})


def test_accounts_that_agree_give_no_complaint():
    assert event_disagreements(journal(), [FIRST, SECOND], [FIRST]) == []


@pytest.mark.parametrize(
    ("lines", "came", "again", "complaint"),
    [
        ((), [FIRST], [], "line 2, waited and never came"),
        ((START,), [FIRST, SECOND], [], "3 times in the log, told 2 times"),
        ((), [FIRST, SECOND, told("c", 3)], [], "2 times in the log, told 3 times"),
        ((START,), [FIRST, SECOND, told("c", 2)], [], "was told under 2 ids"),
        ((), [SECOND, FIRST], [], "line 1 was told after line 2"),
        ((), [FIRST, SECOND], [told("a", 2)], "a came again with another content"),
    ],
)
def test_what_differs_is_said(lines, came, again, complaint):
    found = event_disagreements(journal(*lines), came, again)
    assert any(complaint in sentence for sentence in found), found
