"""What the store costs: looking a card up, writing a message, wear of the memory card."""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from agent.core.commands import QueueMessage, RemoveMessage, SaveTransaction
from agent.core.outbox import ANSWERED_MAX
from agent.core.values import (
    AuthorizationStatus,
    ConnectorMeasured,
    IdTagInfo,
    SampledValue,
    Transaction,
)
from agent.store import Store
from tests.store.builders import replace_list

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Figure = TypeVar("Figure")

LOOK_UPS = 2000
MESSAGES = 500
UNIQUE_ID = "00000000-0000-4000-8000-{:012d}"


def run() -> list[tuple[str, str]]:
    """Measure in a temporary directory; the figures depend on its disk."""
    return [*_look_ups(), *_messages(), *_list_replacement()]


def _look_ups() -> list[tuple[str, str]]:
    few_s = _with_store(lambda store: _look_up_p50_s(store, listed=10))
    many_s = _with_store(lambda store: _look_up_p50_s(store, listed=100_000))
    return [
        ("look-up of a card, 10 listed, p50", f"{few_s * 1e6:.1f} us"),
        ("look-up of a card, 100,000 listed, p50", f"{many_s * 1e6:.1f} us"),
        ("look-up, ratio of the two", f"{many_s / few_s:.2f}"),
    ]


def _messages() -> list[tuple[str, str]]:
    queue_s, remove_s, written = _with_store(_message_costs)
    online = _with_store(_bytes_online)
    offline = _with_store(_bytes_offline)
    return [
        ("commit of one meter message, p50", f"{queue_s * 1e3:.2f} ms"),
        ("commit of its removal, p50", f"{remove_s * 1e3:.2f} ms"),
        ("bytes written per meter message, delivered at once", f"{online:.0f}"),
        ("bytes written per meter message, delivered later with others", f"{offline:.0f}"),
        ("bytes written per start or stop, queued and removed", f"{written:.0f}"),
    ]


def _list_replacement() -> list[tuple[str, str]]:
    elapsed_s = _with_store(lambda store: _timed(lambda: _fill_list(store, 100_000)))
    return [("replacing the list by 100,000 tags", f"{elapsed_s:.2f} s")]


def _with_store(measure: Callable[[Store], Figure]) -> Figure:
    numbers = itertools.count()
    with tempfile.TemporaryDirectory() as directory:
        store = Store.open(
            Path(directory) / "agent.db",
            now=NOON,
            make_id=lambda: UNIQUE_ID.format(next(numbers)),
        )
        try:
            return measure(store)
        finally:
            store.close()


def _timed(action: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    action()
    return time.perf_counter() - begun_s


def _fill_list(store: Store, count: int) -> None:
    info = IdTagInfo(AuthorizationStatus.ACCEPTED, parent_id_tag="SITE-1")
    replace_list(store, 1, ((f"04{number:012X}", info) for number in range(count)))


def _look_up_p50_s(store: Store, listed: int) -> float:
    _fill_list(store, listed)
    tags = [f"04{(number * 7919) % listed:012x}" for number in range(LOOK_UPS)]
    assert store.facts(tags[0]).list_entry is not None
    return statistics.median(_timed(lambda tag=tag: store.facts(tag)) for tag in tags)


def _message_costs(store: Store) -> tuple[float, float, float]:
    """Median seconds of queueing and of removing one message, and bytes written for both."""
    store.commit([_progress(0)], NOON)
    before = bytes_written()
    queue_s, remove_s = [], []
    for number in range(1, MESSAGES + 1):
        rows = [QueueMessage(number, 1, _meter_values(number)), _progress(number)]
        queue_s.append(_timed(lambda rows=rows: store.commit(rows, NOON)))
        gone = [RemoveMessage(number)]
        remove_s.append(_timed(lambda gone=gone: store.commit(gone, NOON)))
    written = (bytes_written() - before) / MESSAGES
    return statistics.median(queue_s), statistics.median(remove_s), written


def _bytes_online(store: Store) -> float:
    """Bytes per meter message when its removal is written together with the next one."""
    store.commit([_progress(0)], NOON)
    before = bytes_written()
    for number in range(1, MESSAGES + 1):
        sample = QueueMessage(number, 1, _meter_values(number))
        store.commit([RemoveMessage(number - 1), sample, _progress(number)], NOON)
    return (bytes_written() - before) / MESSAGES


def _bytes_offline(store: Store) -> float:
    """Bytes per meter message when many wait and are removed together, as the agent does it."""
    store.commit([_progress(0)], NOON)
    before = bytes_written()
    for number in range(1, MESSAGES + 1):
        store.commit([QueueMessage(number, 1, _meter_values(number)), _progress(number)], NOON)
    for first in range(1, MESSAGES + 1, ANSWERED_MAX):
        together = range(first, first + ANSWERED_MAX)
        store.commit([RemoveMessage(number) for number in together], NOON)
    return (bytes_written() - before) / MESSAGES


def _meter_values(number: int) -> ConnectorMeasured:
    return ConnectorMeasured(
        connector_id=1,
        sampled_at=NOON + timedelta(minutes=number),
        values=(
            SampledValue(str(100 * number), "Energy.Active.Import.Register", "Wh"),
            SampledValue("7360.0", "Power.Active.Import", "W"),
        ),
    )


def _progress(number: int) -> SaveTransaction:
    last_at = NOON + timedelta(minutes=number)
    return SaveTransaction(Transaction(1, 1, "04943121AF1A80", NOON, 0.0, 0, 100 * number, last_at))


def bytes_written() -> int:
    """Bytes that this process caused to be written to disks, by the kernel's account."""
    fields = dict(
        line.split(": ") for line in Path("/proc/self/io").read_text("ascii").splitlines()
    )
    return int(fields["write_bytes"])


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
