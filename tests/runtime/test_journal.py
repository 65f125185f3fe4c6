"""Closing waits for the journal; opening waits for nothing; nothing is lost but meter values."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

import agent.runtime.journal
from agent.core.commands import (
    AfterCommit,
    CloseContactor,
    EndTransaction,
    QueueMessage,
    RecordDecision,
    RemoveMessage,
    Reply,
    Row,
)
from agent.core.commands_rows import DECISION_WAITS_S, EVENT_WAITS_S
from agent.core.events import Event, JournalFailed, JournalRecovered
from agent.core.security_event_values import (
    RecordSecurityEvent,
    SecurityEvent,
    SecurityEventType,
)
from agent.core.values import (
    ConnectorMeasured,
    DecisionRecord,
    StopReason,
    TransactionEnded,
    Verdict,
)
from agent.platform.errors import StoreFull
from agent.runtime.journal import RETRY_S, Journal
from tests.emulators.inline_executor import InlineExecutor
from tests.emulators.virtual_clock import NOON

CLOSE = CloseContactor(1, 1, 0, 5.0)
REPLY = Reply("r1", "Accepted")


def row(number: int) -> Row:
    return RemoveMessage(number)


@dataclass
class Bench:
    """A journal with everything around it written down."""

    committed: list[list[Row]] = field(default_factory=list)
    performed: list[AfterCommit] = field(default_factory=list)
    posted: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.executor = InlineExecutor("journal")
        self.journal = Journal(
            self._commit, self.executor, self.performed.append, self.posted.append
        )

    def _commit(self, rows: Sequence[Row]) -> None:
        self.committed.append(list(rows))

    @property
    def rows(self) -> list[Row]:
        return [one for commit in self.committed for one in commit]


@contextlib.asynccontextmanager
async def a_bench() -> AsyncIterator[Bench]:
    bench = Bench()
    run = asyncio.create_task(bench.journal.run())
    try:
        yield bench
    finally:
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run


async def test_an_order_without_rows_is_performed_at_once():
    async with a_bench() as bench:
        bench.journal.submit([], [CLOSE])
        assert bench.performed == [CLOSE]
        assert bench.committed == []


async def test_an_order_waits_until_its_rows_are_committed():
    async with a_bench() as bench:
        bench.executor.is_stuck = True
        bench.journal.submit([row(1)], [CLOSE, REPLY])
        await asyncio.sleep(3600)
        assert bench.performed == []
        bench.executor.release()
        await asyncio.sleep(0.01)
        assert bench.committed == [[row(1)]]
        assert bench.performed == [CLOSE, REPLY]


async def test_an_order_without_rows_waits_behind_the_rows_before_it():
    async with a_bench() as bench:
        bench.executor.is_stuck = True
        bench.journal.submit([row(1)], [])
        await asyncio.sleep(1)
        bench.journal.submit([], [CLOSE])
        await asyncio.sleep(1)
        assert bench.performed == []
        bench.executor.release()
        await asyncio.sleep(1)
        assert bench.performed == [CLOSE]
        assert bench.committed == [[row(1)]]  # nothing to write for the second


async def test_what_piles_up_goes_into_the_next_commit_together_and_in_order():
    async with a_bench() as bench:
        bench.executor.is_stuck = True
        bench.journal.submit([row(1)], [])
        await asyncio.sleep(1)  # under way
        bench.journal.submit([row(2), row(3)], [REPLY])
        bench.journal.submit([row(4)], [CLOSE])
        bench.executor.release()
        await asyncio.sleep(1)
        assert bench.committed == [[row(1)], [row(2), row(3), row(4)]]
        assert bench.performed == [REPLY, CLOSE]


async def test_a_commit_that_fails_is_tried_again_and_told_once():
    async with a_bench() as bench:
        bench.executor.problem = StoreFull("no room on the disk")
        bench.journal.submit([row(1)], [CLOSE])
        await asyncio.sleep(10 * RETRY_S)
        bench.journal.submit([row(2)], [REPLY])
        await asyncio.sleep(10 * RETRY_S)
        assert bench.performed == []
        assert bench.executor.count > 15
        assert bench.posted == [JournalFailed("no room on the disk")]
        bench.executor.problem = None
        await asyncio.sleep(RETRY_S)
        assert bench.committed == [[row(1), row(2)]]
        assert bench.performed == [CLOSE, REPLY]
        assert bench.posted[1:] == [JournalRecovered()]


async def test_rows_stay_in_their_order_through_one_failure_after_the_other():
    async with a_bench() as bench:
        bench.executor.is_stuck = True
        bench.journal.submit([row(1)], [CLOSE])
        await asyncio.sleep(1)  # under way
        bench.executor.problem = StoreFull("no room on the disk")
        bench.journal.submit([row(2)], [])
        bench.journal.submit([row(3)], [REPLY])
        bench.executor.release()
        await asyncio.sleep(3 * RETRY_S)
        bench.journal.submit([row(4)], [])
        await asyncio.sleep(3 * RETRY_S)
        bench.executor.problem = None
        await asyncio.sleep(RETRY_S)
        assert bench.committed == [[row(1), row(2), row(3), row(4)]]
        assert bench.performed == [CLOSE, REPLY]


async def test_a_second_failure_is_told_again():
    async with a_bench() as bench:
        for number in (1, 2):
            bench.executor.problem = StoreFull("no room on the disk")
            bench.journal.submit([row(number)], [])
            await asyncio.sleep(1)
            bench.executor.problem = None
            await asyncio.sleep(RETRY_S)
        kinds = [type(event) for event in bench.posted]
        assert kinds == [JournalFailed, JournalRecovered] * 2


async def test_a_failed_commit_is_not_overtaken_by_an_order_without_rows():
    async with a_bench() as bench:
        bench.executor.problem = StoreFull("no room on the disk")
        bench.journal.submit([row(1)], [])
        await asyncio.sleep(0.01)
        bench.journal.submit([], [CLOSE])
        assert bench.performed == []


def meter_values(number: int) -> QueueMessage:
    return QueueMessage(number, 1, ConnectorMeasured(1, NOON, ()))


def a_reason(number: int = 0) -> RecordDecision:
    return RecordDecision(
        DecisionRecord(NOON, "start", 1, "DEADBEEF", Verdict.ACCEPTED, "LISTED", "local list")
    )


def a_login_that_failed(number: int = 0) -> RecordSecurityEvent:
    event = SecurityEvent(SecurityEventType.MAINTENANCE_LOGIN_FAILED, NOON, str(number))
    return RecordSecurityEvent(event, is_queued=False)


def a_stop(number: int) -> QueueMessage:
    return QueueMessage(number, 1, TransactionEnded(0, NOON, StopReason.LOCAL))


@pytest.mark.parametrize("make_row", [meter_values, a_reason, a_login_that_failed])
@pytest.mark.parametrize("disk", ["fails", "hangs"])
async def test_too_many_rows_cost_what_is_no_money_and_not_critical_and_nothing_else(
    monkeypatch, caplog, disk, make_row
):
    monkeypatch.setattr(agent.runtime.journal, "ROWS_MAX", 10)
    async with a_bench() as bench:
        if disk == "fails":
            bench.executor.problem = StoreFull("no room on the disk")
        else:
            bench.executor.is_stuck = True
        bench.journal.submit([row(0)], [])
        await asyncio.sleep(1)
        for number in range(1, 30):
            bench.journal.submit([make_row(number)], [])
        bench.journal.submit([a_stop(30), EndTransaction(1)], [REPLY])
        await asyncio.sleep(2 * RETRY_S)
        bench.executor.problem = None
        bench.executor.release()
        await asyncio.sleep(2 * RETRY_S)
        kept = [one for one in bench.rows if isinstance(one, QueueMessage)]
        assert kept[-1] == a_stop(30)
        assert len(bench.rows) <= 12
        assert bench.rows[0] == row(0)
        assert bench.rows[-1] == EndTransaction(1)
        assert bench.performed == [REPLY]
        assert "meter values, reasons and what was only for the security log" in caplog.text


async def test_rows_that_keep_coming_do_not_hold_up_the_wait_for_those_before_them():
    async with a_bench() as bench:
        bench.executor.is_stuck = True
        bench.journal.submit([row(1)], [])
        await asyncio.sleep(1)  # under way
        bench.journal.submit([row(2)], [])
        wait = asyncio.ensure_future(bench.journal.wait_until_written(60))
        await asyncio.sleep(1)
        for number in (3, 4, 5):  # before the disk has written those before
            bench.journal.submit([row(number)], [])
            bench.executor.release()
            bench.executor.is_stuck = True
            await asyncio.sleep(1)
        assert wait.done()
        assert wait.result()
        assert row(2) in bench.rows
        assert row(5) not in bench.rows


async def test_the_wait_ends_when_a_commit_that_failed_is_written_with_the_next():
    async with a_bench() as bench:
        bench.executor.is_stuck = True
        bench.journal.submit([row(1)], [])
        await asyncio.sleep(1)  # under way
        bench.journal.submit([row(2)], [])
        wait = asyncio.ensure_future(bench.journal.wait_until_written(60))
        await asyncio.sleep(1)
        bench.executor.problem = StoreFull("no room on the disk")
        bench.executor.release()
        await asyncio.sleep(RETRY_S / 2)
        assert not wait.done()
        bench.executor.problem = None
        await asyncio.sleep(RETRY_S)
        assert bench.committed == [[row(1), row(2)]]
        assert wait.done()
        assert wait.result()


async def test_the_wait_lasts_until_everything_is_committed():
    async with a_bench() as bench:
        assert await bench.journal.wait_until_written(1)
        bench.executor.is_stuck = True
        bench.journal.submit([row(1)], [])
        assert not await bench.journal.wait_until_written(1)
        bench.executor.release()
        assert await bench.journal.wait_until_written(1)
        assert bench.rows == [row(1)]


async def test_a_mistake_in_the_program_ends_the_journal():
    bench = Bench()
    bench.executor.problem = TypeError("not a row")
    run = asyncio.create_task(bench.journal.run())
    bench.journal.submit([row(1)], [CLOSE])
    with pytest.raises(TypeError, match="not a row"):
        await run
    assert bench.performed == []


# --- reasons wait for company ---------------------------------------------------------------------


async def test_a_reason_is_written_together_with_the_session_that_follows_at_once():
    async with a_bench() as bench:
        bench.journal.submit([a_reason()], [])
        await asyncio.sleep(DECISION_WAITS_S / 2)
        assert bench.committed == []
        bench.journal.submit([row(1)], [CLOSE])
        await asyncio.sleep(0.001)
        assert bench.committed == [[a_reason(), row(1)]]
        assert bench.performed == [CLOSE]


async def test_a_reason_alone_is_written_after_a_moment():
    async with a_bench() as bench:
        bench.journal.submit([a_reason()], [])
        await asyncio.sleep(DECISION_WAITS_S + 0.001)
        assert bench.committed == [[a_reason()]]


async def test_an_event_that_is_only_logged_waits_for_what_is_written_next():
    async with a_bench() as bench:
        bench.journal.submit([a_login_that_failed()], [])
        await asyncio.sleep(EVENT_WAITS_S - 1)
        assert bench.committed == []
        bench.journal.submit([row(1)], [])
        await asyncio.sleep(0.001)
        assert bench.committed == [[a_login_that_failed(), row(1)]]


async def test_an_event_that_is_only_logged_is_written_alone_after_a_minute():
    async with a_bench() as bench:
        bench.journal.submit([a_login_that_failed()], [])
        await asyncio.sleep(EVENT_WAITS_S + 0.001)
        assert bench.committed == [[a_login_that_failed()]]


async def test_a_critical_event_waits_for_nothing():
    async with a_bench() as bench:
        critical = replace(a_login_that_failed(), is_queued=True)
        bench.journal.submit([critical], [])
        await asyncio.sleep(0.001)
        assert bench.committed == [[critical]]


async def test_an_order_is_not_held_up_by_a_reason_that_waits():
    async with a_bench() as bench:
        bench.journal.submit([a_reason()], [])
        bench.journal.submit([], [REPLY])
        await asyncio.sleep(0.001)
        assert bench.performed == [REPLY]


async def test_reasons_are_written_at_once_when_the_process_ends():
    async with a_bench() as bench:
        bench.journal.submit([a_reason()], [])
        assert await bench.journal.wait_until_written(DECISION_WAITS_S / 2)
        assert bench.committed == [[a_reason()]]
