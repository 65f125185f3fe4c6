"""A central system that asks without a pause, in a process of its own.

    python -m tests.bench.busy_central_system RATE SECONDS

Prints its URL. When the charge point has connected it starts a session, then sends RATE requests of
mixed kind a second, whatever has been answered, and prints what it saw as one line of JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.typing import Subprotocol

from tests.bench.quick_central_system import ANSWERS

Payload = dict[str, Any]
CARD = "04943121AF1A80"
LATE = "2099-01-01T00:00:00Z"
LAST_ANSWERS_S = 5.0  # so long it waits for them in the end
PERIODS = [{"startPeriod": 600 * number, "limit": 16 + number % 3} for number in range(24)]
SCHEDULE = {"chargingRateUnit": "A", "chargingSchedulePeriod": PERIODS}
PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 1,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": SCHEDULE,
}
# The charge point does so by itself from now on: one sample and one ping a second.
PACE = {"MeterValueSampleInterval": "1", "WebSocketPingInterval": "1"}


def kinds(number: int) -> list[tuple[str, Payload]]:
    """One round of requests, mixed: what reads, what is stored, what acts, what is wrong."""
    tag = f"TAG{number % 100}"
    entry = {"idTag": tag, "idTagInfo": {"status": "Accepted"}}
    reserved = {"connectorId": 2, "expiryDate": LATE, "idTag": tag, "reservationId": 1}
    update = {"listVersion": number + 1, "updateType": "Differential"}
    return [
        ("GetConfiguration", {}),
        ("SendLocalList", {**update, "localAuthorizationList": [entry]}),
        ("GetLocalListVersion", {}),
        ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": PROFILE}),
        ("GetCompositeSchedule", {"connectorId": 1, "duration": 86_400}),
        ("ClearChargingProfile", {"id": 1}),
        ("ChangeConfiguration", {"key": "ConnectionTimeOut", "value": str(60 + number % 2)}),
        ("GetConfiguration", {"key": ["ConnectionTimeOut", "NoSuchKey"]}),
        ("ReserveNow", reserved),
        ("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 2}),
        ("CancelReservation", {"reservationId": 1}),
        ("ChangeAvailability", {"connectorId": 2, "type": "Inoperative"}),
        ("UnlockConnector", {"connectorId": 2}),
        ("ChangeAvailability", {"connectorId": 2, "type": "Operative"}),
        ("RemoteStartTransaction", {"idTag": tag, "connectorId": 1}),
        ("RemoteStopTransaction", {"transactionId": 1}),
        ("ClearCache", {}),
        ("DataTransfer", {"vendorId": "nobody", "data": "x" * 100}),
        ("MakeCoffee", {}),
        ("Reset", {"type": 1}),
    ]


KINDS = len(kinds(0))


class Listening(ServerConnection):
    """Notes when a ping came."""

    pings: list[float]

    def process_event(self, event: Any) -> None:
        if isinstance(event, Request):
            self.pings = []
        elif isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.pings.append(time.monotonic())
        super().process_event(event)


@dataclass
class Busy:
    """One connection."""

    connection: Listening
    asked: dict[str, float] = field(default_factory=dict)  # and not answered yet
    took_s: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    has_told_its_status: asyncio.Event = field(default_factory=asyncio.Event)
    samples: list[str] = field(default_factory=list)  # their own times

    async def listen(self) -> None:
        async for text in self.connection:
            now_s = time.monotonic()
            kind, unique_id, *rest = json.loads(text)
            if kind == 2:
                action, payload = rest
                await self._send([3, unique_id, ANSWERS.get(action, {})])
                if action == "StatusNotification":
                    self.has_told_its_status.set()
                elif action == "MeterValues":
                    self.samples.append(payload["meterValue"][0]["timestamp"])
            else:
                self.took_s.append(now_s - self.asked.pop(unique_id))
                if kind == 4:
                    self.errors[rest[0]] += 1

    async def ask(self, unique_id: str, action: str, payload: Payload) -> None:
        self.asked[unique_id] = time.monotonic()
        await self._send([2, unique_id, action, payload])

    async def _send(self, frame: list[Any]) -> None:
        await self.connection.send(json.dumps(frame))

    async def begin(self) -> None:
        """Start a session that is sampled each second, and wait for the first sample."""
        await self.has_told_its_status.wait()  # and so it is accepted
        for key, value in PACE.items():
            await self.ask(key, "ChangeConfiguration", {"key": key, "value": value})
        await self.ask("begin", "RemoteStartTransaction", {"idTag": CARD, "connectorId": 1})
        async with asyncio.timeout(20):
            while not self.samples:
                await asyncio.sleep(0.05)

    async def press(self, rate: float, seconds: float) -> dict[str, Any]:
        """Ask so often for so long; what was seen meanwhile."""
        self.took_s.clear()
        self.errors.clear()
        self.samples.clear()
        begun_s, sent = time.monotonic(), 0
        for sent, (action, payload) in enumerate(_requests(), start=1):
            due_s = begun_s + sent / rate
            if due_s > begun_s + seconds:
                break
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            await self.ask(f"r{sent}", action, payload)
        ended_s = time.monotonic()
        while self.asked and time.monotonic() < ended_s + LAST_ANSWERS_S:
            await asyncio.sleep(0.01)
        return {
            "sent": sent - 1,
            "seconds": ended_s - begun_s,
            "took_s": sorted(self.took_s),
            "errors": self.errors,
            "samples": self.samples,
            "pings": [at_s for at_s in self.connection.pings if at_s >= begun_s],
        }


def _requests() -> Iterator[tuple[str, Payload]]:
    for number in itertools.count():
        yield from kinds(number)


async def _serve_one(connection: ServerConnection) -> None:
    assert isinstance(connection, Listening)
    busy = Busy(connection)
    listening = asyncio.create_task(busy.listen())
    await busy.begin()
    rate, seconds = (float(argument) for argument in sys.argv[1:])
    print(json.dumps(await busy.press(rate, seconds)), flush=True)
    await listening


async def _main() -> None:
    async with serve(
        _serve_one,
        "127.0.0.1",
        0,
        subprotocols=[Subprotocol("ocpp1.6")],
        compression=None,
        create_connection=Listening,
    ) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main())
