"""What the charge log costs: reading 10,000 sessions, and wear of the memory card for each one."""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.core.commands import EndTransaction, LogSession, SaveTransaction
from agent.core.figures import Figures
from agent.core.values import StopReason, Transaction, TransactionEnded
from agent.store import LogLimits, Store
from agent.store.charge_log import USUAL_LIMITS
from tests.bench.bench_store import bytes_written

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TAGS = 20
PAGE = 50
UNIQUE_ID = "00000000-0000-4000-8000-{:012d}"


def run(
    sessions: int = USUAL_LIMITS.sessions, rounds: int = 20, written: int = 500
) -> list[tuple[str, str]]:
    """Measure in a temporary directory; the figures depend on its disk."""
    with tempfile.TemporaryDirectory() as directory:
        store = _open(Path(directory), USUAL_LIMITS)
        rows = [_session(number) for number in range(1, sessions + 1)]
        store.commit(rows, NOON)
        assert len(store.sessions(sessions)) == sessions
        page_ms = _median_ms(lambda: store.sessions(PAGE), rounds)
        sums_ms = _median_ms(store.session_sums, rounds)
        all_ms = _median_ms(lambda: store.sessions(sessions), max(1, rounds // 4))
        store.close()
    kept, none = (
        _bytes_per_session(limits, written) for limits in (USUAL_LIMITS, LogLimits(0, 12))
    )
    return [
        (f"newest {PAGE} of {sessions} sessions, p50", f"{page_ms:.2f} ms"),
        (f"sums of {sessions} sessions by tag and month, p50", f"{sums_ms:.1f} ms"),
        (f"all {sessions} sessions, p50", f"{all_ms:.0f} ms"),
        ("bytes written per session, begin and end, with the log", f"{kept:.0f}"),
        ("bytes written per session, begin and end, without", f"{none:.0f}"),
    ]


def _open(directory: Path, limits: LogLimits) -> Store:
    numbers = itertools.count()
    return Store.open(
        directory / "agent.db",
        now=NOON,
        make_id=lambda: UNIQUE_ID.format(next(numbers)),
        log_limits=limits,
    )


def _median_ms(read: Callable[[], object], rounds: int) -> float:
    taken_s = []
    for _ in range(rounds):
        begun_s = time.perf_counter()
        read()
        taken_s.append(time.perf_counter() - begun_s)
    return statistics.median(taken_s) * 1e3


def _bytes_per_session(limits: LogLimits, sessions: int) -> float:
    """Database and its log of changes together, by the account of the kernel."""
    with tempfile.TemporaryDirectory() as directory:
        store = _open(Path(directory), limits)
        store.commit([_session(0)], NOON)
        before = bytes_written()
        for number in range(1, sessions + 1):
            ended = _session(number)
            store.commit([SaveTransaction(ended.transaction)], NOON)
            store.commit([ended, EndTransaction(number)], NOON)
        store.close()
        return (bytes_written() - before) / sessions


def _session(number: int) -> LogSession:
    """One of an hour, so that 10,000 of them lie in 12 months."""
    begun_at = NOON + timedelta(minutes=50 * number)
    begun = Transaction(
        number,
        1,
        f"04{number % TAGS:012X}",
        begun_at,
        0.0,
        10_000 * number,
        10_000 * number,
        begun_at,
        figures=Figures("LISTED", "local list", 7360, 95, 0.0),
    )
    ended = TransactionEnded(
        10_000 * (number + 1), begun_at + timedelta(minutes=45), StopReason.LOCAL
    )
    return LogSession(begun, ended, 0)


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
