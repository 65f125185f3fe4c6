"""Whatever comes in over the wire: no crash, nothing stuck, and the link lives.

A whole box is fed with frames that hypothesis makes up: good calls in which one thing is spoilt,
calls of any shape, answers to nothing, repeated ids, noise, large ones. Then it must still answer,
charge and ping.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ocpp.v16.enums import Action

from agent.core.commands import CloseContactor, Command
from agent.core.configuration import KEYS
from agent.core.events import Event
from tests.app.box import CARD, Box, box_settings
from tests.emulators.transfers import FakeTransfers
from tests.virtual_time import run_in_virtual_time

ACTIONS = sorted(str(action.value) for action in Action)
# They end the process, or take the box out of service: that is what they are for.
DECISIVE = {"Reset", "ChangeAvailability", "ChangeConfiguration"}
FIELDS = (
    *("connectorId", "idTag", "parentIdTag", "reservationId", "expiryDate", "transactionId"),
    *("key", "value", "type", "listVersion", "updateType", "localAuthorizationList", "vendorId"),
    *("requestedMessage", "csChargingProfiles", "chargingProfile", "duration", "id", "stackLevel"),
    *("location", "retrieveDate", "retries", "chargingRateUnit", "chargingProfilePurpose", "data"),
)
WORDS = (
    *("", "Full", "Differential", "Hard", "Operative", "TxProfile", "A", "W", "MeterValues"),
    *("2026-03-01T13:00:00Z", "tomorrow", CARD, "X" * 21, "ä", "\x00", "a" * 300),
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-2, 9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(WORDS),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
payloads = st.dictionaries(st.sampled_from(FIELDS), values, max_size=5) | values
ids = st.uuids().map(str) | st.sampled_from(["1", "2", "x" * 36, "x" * 300, "", "ä"])
harmless = st.sampled_from([action for action in ACTIONS if action not in DECISIVE])
calls = st.tuples(st.just(2), ids, harmless, payloads)
odd_calls = st.one_of(
    st.tuples(st.just(2), ids, values, payloads),  # the action is no action
    st.tuples(st.just(2), values, harmless, payloads),  # the id is no id
    st.tuples(st.sampled_from([0, 1, 5, 2.0, True, "2", None]), ids, harmless, payloads),
    st.tuples(st.just(2), ids, harmless),
    st.tuples(st.just(2), ids, harmless, payloads, payloads),
)
answers = st.tuples(st.sampled_from([3, 4]), ids).flatmap(
    lambda head: st.lists(values, max_size=4).map(lambda rest: [*head, *rest])
)
PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 1,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Recurring",
    "recurrencyKind": "Daily",
    "validFrom": "2026-01-01T00:00:00Z",
    "chargingSchedule": {
        "chargingRateUnit": "A",
        "startSchedule": "2026-01-01T00:00:00Z",
        "duration": 86_400,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1, "numberPhases": 3}],
    },
}
TX_PROFILE = {**PROFILE, "chargingProfilePurpose": "TxProfile"}
ENTRY = {"idTag": CARD, "idTagInfo": {"status": "Accepted", "expiryDate": "2030-01-01T00:00:00Z"}}
WHERE = "https://files.example.com/in"
GOOD: dict[str, dict[str, Any]] = {
    # The first: later ones take the connectors.
    "ReserveNow": {
        "connectorId": 2,
        "idTag": CARD,
        "reservationId": 1,
        "expiryDate": "2030-01-01T00:00:00Z",
        "parentIdTag": "GROUP",
    },
    "CancelReservation": {"reservationId": 1},
    "CertificateSigned": {"certificateChain": "PEM"},
    "ChangeConfiguration": {"key": "WebSocketPingInterval", "value": "7"},
    "ClearCache": {},
    "ClearChargingProfile": {"id": 1, "connectorId": 1, "stackLevel": 1},
    "DataTransfer": {"vendorId": "nobody", "messageId": "x", "data": "{}"},
    "GetCompositeSchedule": {"connectorId": 1, "duration": 600, "chargingRateUnit": "W"},
    "GetConfiguration": {"key": [key.name for key in KEYS][:5]},
    "GetDiagnostics": {"location": WHERE, "retries": 1, "startTime": "2026-01-01T00:00:00Z"},
    "GetLog": {
        "logType": "SecurityLog",
        "requestId": 1,
        "log": {"remoteLocation": WHERE, "oldestTimestamp": "2026-01-01T00:00:00Z"},
        "retries": 1,
    },
    "GetLocalListVersion": {},
    "RemoteStartTransaction": {"idTag": CARD, "connectorId": 1, "chargingProfile": TX_PROFILE},
    "RemoteStopTransaction": {"transactionId": 1000},
    "SendLocalList": {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [ENTRY]},
    "SetChargingProfile": {"connectorId": 1, "csChargingProfiles": PROFILE},
    "ExtendedTriggerMessage": {"requestedMessage": "StatusNotification", "connectorId": 1},
    "SignedUpdateFirmware": {
        "requestId": 1,
        "firmware": {
            "location": WHERE,
            "retrieveDateTime": "2026-01-01T00:00:00Z",
            "installDateTime": "2026-01-01T00:00:00Z",
            "signingCertificate": "PEM",
            "signature": "AAAA",
        },
    },
    "TriggerMessage": {"requestedMessage": "StatusNotification", "connectorId": 1},
    "UnlockConnector": {"connectorId": 1},
    "UpdateFirmware": {"location": WHERE, "retrieveDate": "2026-01-01T00:00:00Z", "retries": 1},
}


# What a field may be that it should not be.
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.25, 2**63, -(2**70), 1e300),
    *("", "1", "X" * 300, "\u00e4\x00", "tomorrow", "9999-12-31T23:59:59-23:59"),
    *([], {}, [None], {"x": {}}),
)
MISSING = object()


def spoilt(value: Any) -> Iterator[Any]:
    """The value with one thing in it missing, too much, or something else."""
    yield from (MISSING, *ODD)
    if isinstance(value, dict):
        yield {**value, "more": 1}
        for name, inner in value.items():
            for other in spoilt(inner):
                rest = {key: kept for key, kept in value.items() if key != name}
                yield rest if other is MISSING else {**rest, name: other}
    elif isinstance(value, list) and value:
        for other in spoilt(value[0]):
            yield value[1:] if other is MISSING else [other, *value[1:]]


SPOILT = [
    (action, payload)
    for action, good in GOOD.items()
    for payload in spoilt(good)
    if payload is not MISSING
]
spoilt_calls = st.tuples(ids, st.sampled_from(SPOILT)).map(lambda call: (2, call[0], *call[1]))
good_calls = st.tuples(ids, st.sampled_from(sorted(GOOD.items()))).map(
    lambda call: (2, call[0], *call[1])
)
frames = st.one_of(
    *[spoilt_calls.map(json.dumps)] * 9,
    *[good_calls.map(json.dumps)] * 2,
    calls.map(json.dumps),
    odd_calls.map(json.dumps),
    answers.map(json.dumps),
    values.map(json.dumps),
    calls.map(json.dumps).map(lambda text: text[:-1]),
    st.text(max_size=60) | st.binary(max_size=60),
    st.integers(1, 3).map(
        lambda size: json.dumps([2, "big", "SendLocalList", "x" * size * 40_000])
    ),
)


def watched_closings(box: Box) -> set[int]:
    """The sessions whose contactor was ordered to close, from now on."""
    closings: set[int] = set()

    def observe(event: Event, commands: Sequence[Command]) -> None:
        closings.update(c.transaction_ref for c in commands if isinstance(c, CloseContactor))

    assert box.application.services is not None
    box.application.services.observers.append(observe)
    return closings


@contextlib.asynccontextmanager
async def a_box(directory: Path) -> AsyncIterator[Box]:
    """A box that takes what it is given, with a car; in the end it must still be sound."""
    box = Box(box_settings(directory, connectors=2), transfers=FakeTransfers())
    await box.start()
    system = box.central_system
    await system.received("StatusNotification", 3)
    closings = watched_closings(box)
    await box.plug()
    yield box
    await asyncio.sleep(30)
    assert len(system.wires) == 1, "the link was lost"
    assert not system.wires[0].is_closed
    answer = await system.send_call("GetConfiguration", {}, unique_id="and-still-it-answers")
    assert answer[0] == 3
    await system.send_call("CancelReservation", {"reservationId": 1}, unique_id="cancel")
    await system.send_call("ClearChargingProfile", {}, unique_id="clear")
    await asyncio.sleep(70)  # a connector that was promised to a remote start is free again
    if box.state.transaction is None:
        await box.unplug()  # a plug that nobody came to in time counts no more
        await asyncio.sleep(1)
        await box.charge()
        await asyncio.sleep(5)
    assert closings, "no energy has flowed: nothing was tried"
    assert len(system.of("StartTransaction")) == len(closings), "energy that was never reported"
    link: dict[str, Any] = (await box.do("status"))["link"]
    assert link["is_accepted"]
    await box.die()
    assert len(asyncio.all_tasks()) < 10


def mistakes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [found.getMessage() for found in caplog.records if found.levelno >= logging.ERROR]


async def test_a_call_with_one_thing_wrong_gets_one_answer_and_does_no_harm(tmp_path, caplog):
    async with a_box(tmp_path) as box:
        for number, (action, payload) in enumerate(SPOILT):
            answer = await box.central_system.send_call(action, payload, unique_id=str(number))
            assert answer[0] in (3, 4), (action, payload)
            assert "InternalError" not in answer, (action, payload, answer)
            if action == "ReserveNow" and answer[2] == {"status": "Accepted"}:
                undo = {"reservationId": payload["reservationId"]}
                undone = await box.central_system.send_call("CancelReservation", undo)
                assert undone[2] == {"status": "Accepted"}
    assert mistakes(caplog) == []


async def feed(directory: Path, received: list[str | bytes]) -> None:
    async with a_box(directory) as box:
        for frame in received:
            await box.central_system.send_raw(frame)  # type: ignore[arg-type]


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(received=st.lists(frames, min_size=40, max_size=60))
def test_no_frame_stops_the_box_or_costs_the_link(
    received: list[str | bytes], caplog: pytest.LogCaptureFixture
):
    caplog.clear()
    with tempfile.TemporaryDirectory() as directory:
        run_in_virtual_time(feed(Path(directory), received))
    assert mistakes(caplog) == []
