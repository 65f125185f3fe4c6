"""TriggerMessage: first the answer, then what was asked for, and only the present."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from agent.core.events import LinkPending
from agent.core.firmware_values import Firmware, FirmwareStep, FirmwareUpdate, Signing
from agent.core.state import ChargePoint, Charging, Connector
from agent.core.values import Reading
from agent.ocpp16.handlers.remote_trigger import remote_trigger_handlers
from agent.ocpp16.triggered_messages import TriggeredMessages
from tests.core.story import NOON, a_charge_point, a_transaction
from tests.emulators.central_system import Answer, FakeCentralSystem, Silence
from tests.ocpp16.rig import Rig, accepted, running

EXTENDED = "ExtendedTriggerMessage"
READ = Reading(1500, NOON, power_w=7400.0)
PENDING = Answer({"status": "Pending", "currentTime": "2026-03-01T12:00:00Z", "interval": 3000})


def a_state(*readings: Reading | None, **fields: Any) -> ChargePoint:
    found = tuple(
        Connector(number + 1, reading=reading, **fields) for number, reading in enumerate(readings)
    )
    return replace(a_charge_point(), connectors=found)


def a_rig(state: ChargePoint, diagnostics: str = "Idle") -> Rig:
    rig = Rig(FakeCentralSystem())
    account = TriggeredMessages(
        rig.charge_point, lambda: state, rig.clock.now, lambda: {"status": diagnostics}
    )
    rig.handlers.update(remote_trigger_handlers(rig.link, account, lambda: state, rig.inbox))
    return rig


async def ask(rig: Rig, message: str, action: str = "TriggerMessage", **fields: Any) -> Any:
    answer = await rig.system.send_call(action, {"requestedMessage": message, **fields})
    return answer[2]["status"] if answer[0] == 3 else answer[2]


@asynccontextmanager
async def pending(rig: Rig) -> AsyncIterator[Rig]:
    rig.system.next("BootNotification", PENDING)
    async with running(rig):
        await rig.inbox.posted(LinkPending)
        yield rig


@pytest.mark.parametrize("connector_id", [None, 0, 1, 2])
async def test_statuses_are_told_of_one_connector_or_of_all(connector_id: int | None):
    async with accepted(a_rig(a_state(None, None))) as rig:
        fields = {} if connector_id is None else {"connectorId": connector_id}
        wanted = [0, 1, 2] if connector_id is None else [connector_id]
        assert await ask(rig, "StatusNotification", **fields) == "Accepted"
        await rig.system.received("StatusNotification", len(wanted))
        sent = rig.system.of("StatusNotification")
        assert [call.payload["connectorId"] for call in sent] == wanted


async def test_meter_values_are_those_of_the_configured_measurands_in_the_context_trigger():
    charging = {"phase": Charging(a_transaction(transaction_id=77))}
    async with accepted(a_rig(a_state(READ, **charging))) as rig:
        assert await ask(rig, "MeterValues", connectorId=1) == "Accepted"
        sent = (await rig.system.received("MeterValues")).payload
        assert sent["transactionId"] == 77
        (value,) = sent["meterValue"]
        assert [
            (each["measurand"], each["value"], each["context"]) for each in value["sampledValue"]
        ] == [
            ("Energy.Active.Import.Register", "1500", "Trigger"),
            ("Power.Active.Import", "7400", "Trigger"),
        ]


async def test_a_connector_whose_meter_was_never_read_is_left_out_and_alone_it_is_rejected():
    async with accepted(a_rig(a_state(None, READ))) as rig:
        assert await ask(rig, "MeterValues", connectorId=1) == "Rejected"
        assert await ask(rig, "MeterValues") == "Accepted"
        sent = await rig.system.received("MeterValues")
        assert (sent.payload["connectorId"], "transactionId" in sent.payload) == (2, False)


async def test_measurands_that_the_meter_does_not_have_are_rejected():
    state = a_state(READ)
    keys = state.configuration.with_value("MeterValuesSampledData", "Voltage")
    async with accepted(a_rig(replace(state, configuration=keys))) as rig:
        assert await ask(rig, "MeterValues") == "Rejected"


@pytest.mark.parametrize(
    ("message", "status"),
    [("DiagnosticsStatusNotification", "Uploading"), ("FirmwareStatusNotification", "Idle")],
)
async def test_what_is_under_way_is_told_in_the_words_of_the_standard(message: str, status: str):
    async with accepted(a_rig(a_state(None), diagnostics="Uploading")) as rig:
        assert await ask(rig, message, connectorId=9) == "Accepted"  # no matter of a connector
        assert (await rig.system.received(message)).payload == {"status": status}


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        (FirmwareStep.SIGNATURE_VERIFIED, {"status": "SignatureVerified", "requestId": 7}),
        (FirmwareStep.INSTALLED, {"status": "Idle"}),
    ],
)
async def test_the_extended_trigger_of_the_firmware_means_the_signed_one(step, wanted):
    update = FirmwareUpdate("https://a.example/x", NOON, 0, 0, step, signing=Signing(7, "", ""))
    state = replace(a_state(None), firmware=Firmware(update=update))
    async with accepted(a_rig(state)) as rig:
        assert await ask(rig, "FirmwareStatusNotification", EXTENDED) == "Accepted"
        told = await rig.system.received("SignedFirmwareStatusNotification")
        assert told.payload == wanted
        assert await ask(rig, "FirmwareStatusNotification") == "Accepted"
        assert (await rig.system.received("FirmwareStatusNotification")).payload == {
            "status": "Idle"
        }


async def test_the_extended_trigger_asks_for_the_same_and_refuses_the_same():
    async with accepted(a_rig(a_state(READ, None))) as rig:
        assert await ask(rig, "StatusNotification", EXTENDED, connectorId=1) == "Accepted"
        assert (await rig.system.received("StatusNotification")).payload["connectorId"] == 1
        assert await ask(rig, "MeterValues", EXTENDED, connectorId=2) == "Rejected"
        assert await ask(rig, "BootNotification", EXTENDED) == "Rejected"
        for unknown in ("DiagnosticsStatusNotification", "Nonsense"):
            assert await ask(rig, unknown, EXTENDED) == "NotImplemented"
        answer = await rig.system.send_call(EXTENDED, {})
        assert answer[2] == "ProtocolError"


async def test_a_heartbeat_comes_at_once():
    async with accepted(a_rig(a_state(None))) as rig:
        assert await ask(rig, "Heartbeat") == "Accepted"
        assert (await rig.system.received("Heartbeat")).payload == {}


async def test_the_answer_goes_before_what_was_asked_for():
    async with accepted(a_rig(a_state(None))) as rig:
        rig.system.next("StatusNotification", Silence())
        assert await ask(rig, "StatusNotification", connectorId=1) == "Accepted"
        # It was answered although nobody answers what follows.
        await rig.system.received("StatusNotification")


@pytest.mark.parametrize(
    ("message", "connector_id"),
    [("StatusNotification", 3), ("MeterValues", 3), ("MeterValues", 0), ("StatusNotification", -1)],
)
async def test_a_connector_that_is_not_there_is_rejected(message: str, connector_id: int):
    async with accepted(a_rig(a_state(READ, READ))) as rig:
        assert await ask(rig, message, connectorId=connector_id) == "Rejected"


async def test_messages_that_nobody_knows_are_not_implemented_and_bad_ones_are_errors():
    async with accepted(a_rig(a_state(None))) as rig:
        assert await ask(rig, "SignChargePointCertificate") == "NotImplemented"
        answer = await rig.system.send_call("TriggerMessage", {})
        assert answer[2] == "ProtocolError"
        answer = await rig.system.send_call("TriggerMessage", {"requestedMessage": 5})
        assert answer[2] == "TypeConstraintViolation"
        answer = await rig.system.send_call("TriggerMessage", [])
        assert answer[2] == "FormationViolation"


async def test_once_accepted_it_does_not_register_again():
    async with accepted(a_rig(a_state(None))) as rig:
        assert await ask(rig, "BootNotification") == "Rejected"
        assert len(rig.system.of("BootNotification")) == 1


async def test_while_pending_it_registers_at_once_when_asked():
    async with pending(a_rig(a_state(None))) as rig:
        begun_s = asyncio.get_running_loop().time()
        assert await ask(rig, "BootNotification") == "Accepted"
        await rig.system.received("BootNotification", 2)
        assert asyncio.get_running_loop().time() - begun_s < 5


async def test_while_pending_nothing_is_sent_but_what_is_asked_for():
    async with pending(a_rig(a_state(READ))) as rig:
        assert await ask(rig, "StatusNotification", connectorId=1) == "Accepted"
        assert await ask(rig, "MeterValues") == "Accepted"
        await rig.system.received("MeterValues")
        sent = [call.action for call in rig.system.calls]
        assert sent == ["BootNotification", "StatusNotification", "MeterValues"]


async def test_who_asks_too_much_at_once_loses_the_rest():
    async with accepted(a_rig(a_state(None, None, None))) as rig:
        rig.system.next("StatusNotification", Silence())
        for _ in range(20):
            assert await ask(rig, "StatusNotification") == "Accepted"
        assert rig.link.snapshot().waiting <= 40
        await rig.system.received("StatusNotification", 41)
        await asyncio.sleep(60)
        assert len(rig.system.of("StatusNotification")) == 41


async def test_what_was_asked_for_is_forgotten_with_the_link():
    async with accepted(a_rig(a_state(None))) as rig:
        rig.system.next("StatusNotification", Silence())
        await ask(rig, "StatusNotification")
        await rig.system.received("StatusNotification")
        await rig.system.drop()
        await asyncio.sleep(400)
        assert len(rig.system.of("StatusNotification")) == 1
        rig.link.tell([("Heartbeat", {})])
        rig.link.register_now()
