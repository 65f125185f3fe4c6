"""What delivery costs: storing messages, and sending what waited when the link is back."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ocpp.v16 import ChargePoint, call
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from agent.core.commands import EndTransaction, QueueMessage, Row, SaveTransaction
from agent.core.outbox_row import QueuedMessage
from agent.core.values import (
    ConnectorMeasured,
    SampledValue,
    StopReason,
    Transaction,
    TransactionBegan,
    TransactionEnded,
)
from agent.ocpp16.requests import transaction_call
from agent.store import Store
from tests.bench.box import START_LIMIT_S, started
from tests.bench.quick_central_system import quick_central_system, watched_central_system
from tests.box_config import config_text

MESSAGES = 1000
_REPLAY_LIMIT_S = 300.0
_NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_UNIQUE_ID = "00000000-0000-4000-8000-{:012d}"


def run(messages: int = MESSAGES) -> list[tuple[str, str]]:
    """Store a session of so many messages, deliver it, and call as often with the bare library."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        stored_s, size = _store(directory / "agent.db", messages)
        replay_s, booted_s = asyncio.run(_replay(directory))
        raw_s = asyncio.run(_raw_calls(messages))
    replay_rate, raw_rate = messages / replay_s, messages / raw_s
    return [
        ("messages stored, each in a commit of its own", f"{messages / stored_s:.0f} / s"),
        ("bytes of the file per message that waits", f"{size / messages:.0f}"),
        (f"link up to {messages:,} messages delivered", f"{replay_s:.2f} s"),
        ("the same from the start of the process", f"{booted_s + replay_s:.2f} s"),
        ("replay", f"{replay_rate:.0f} / s"),
        ("calls of the bare ocpp library, one after the other", f"{raw_rate:.0f} / s"),
        ("replay, share of the bare library's rate", f"{replay_rate / raw_rate:.2f}"),
    ]


def _store(path: Path, messages: int) -> tuple[float, int]:
    """Seconds to store them, and bytes that the file has grown."""
    numbers = itertools.count()
    store = Store.open(path, now=_NOON, make_id=lambda: _UNIQUE_ID.format(next(numbers)))
    store.close()
    empty_size = path.stat().st_size
    store = Store.open(path, now=_NOON, make_id=lambda: _UNIQUE_ID.format(next(numbers)))
    try:
        begun_s = time.perf_counter()
        for rows in _commits(messages):
            store.commit(rows, _NOON)
        elapsed_s = time.perf_counter() - begun_s
    finally:
        store.close()
    return elapsed_s, path.stat().st_size - empty_size


def _commits(messages: int) -> list[list[Row]]:
    """The rows of one session, as the core orders them: start, samples, stop."""
    start = TransactionBegan(1, "04943121AF1A80", 0, _NOON)
    stop = TransactionEnded(100 * messages, _at(messages), StopReason.LOCAL, "04943121AF1A80")
    return [
        [_progress(0), QueueMessage(1, 1, start)],
        *(
            [_progress(number), QueueMessage(number, 1, _sample(number))]
            for number in range(2, messages)
        ),
        [EndTransaction(1), QueueMessage(messages, 1, stop)],
    ]


def _progress(number: int) -> SaveTransaction:
    register_wh = 100 * number
    return SaveTransaction(
        Transaction(1, 1, "04943121AF1A80", _NOON, 0.0, 0, register_wh, _at(number))
    )


def _sample(number: int) -> ConnectorMeasured:
    return ConnectorMeasured(
        connector_id=1,
        sampled_at=_at(number),
        values=(
            SampledValue(str(100 * number), "Energy.Active.Import.Register", "Wh"),
            SampledValue("7360", "Power.Active.Import", "W"),
        ),
    )


def _at(number: int) -> datetime:
    return _NOON + timedelta(minutes=number)


async def _replay(directory: Path) -> tuple[float, float]:
    """Seconds from the accepted link to the last message, and from the process to the link."""
    async with watched_central_system("BootNotification", "StopTransaction") as system:
        config = directory / "config.toml"
        config.write_text(config_text(directory, system.url), "utf-8")
        begun_s = time.monotonic()
        async with started(directory, ["-m", "agent", "run", "--config", str(config)]):
            async with asyncio.timeout(START_LIMIT_S):
                booted_s = await system.answered("BootNotification")
            async with asyncio.timeout(_REPLAY_LIMIT_S):
                emptied_s = await system.answered("StopTransaction")
    return emptied_s - booted_s, booted_s - begun_s


async def _raw_calls(count: int) -> float:
    """Seconds for so many calls of the library's own ChargePoint, its schema checks included."""
    async with quick_central_system() as url, _bare_charge_point(url) as charge_point:
        row = QueuedMessage(1, "unused", 1, _sample(7), attempts=0, transaction_id=7)
        _, payload = transaction_call(row)
        request = call.MeterValues(
            connector_id=payload["connectorId"],
            transaction_id=payload["transactionId"],
            meter_value=payload["meterValue"],
        )
        begun_s = time.perf_counter()
        for _ in range(count):
            await charge_point.call(request)
        return time.perf_counter() - begun_s


@contextlib.asynccontextmanager
async def _bare_charge_point(url: str) -> AsyncIterator[ChargePoint]:
    async with connect(
        f"{url}/BARE-1", subprotocols=[Subprotocol("ocpp1.6")], compression=None
    ) as connection:
        charge_point = ChargePoint("BARE-1", connection)
        reading = asyncio.create_task(charge_point.start())
        try:
            yield charge_point
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
