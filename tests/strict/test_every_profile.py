"""Every message of every profile, once, with a central system that checks each of them strictly."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent.core.security_event_values import SecurityEventSeen, SecurityEventType
from tests import ocpp_evidence, ocpp_table
from tests.app.box import CARD, OTHER_CARD
from tests.emulators.authorities import made
from tests.emulators.signers import manufacturer
from tests.strict.pair import MEASURANDS, Pair, a_pair

pytestmark = pytest.mark.real_time

ENTRY = {"idTag": OTHER_CARD, "idTagInfo": {"status": "Accepted", "parentIdTag": "GROUP"}}
WHERE = "https://files.example.com/in"
TRIGGERED = ("Heartbeat", "MeterValues", "StatusNotification")
EVENT = "SecurityEventNotification"
PERIODS = {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1, "numberPhases": 3}]}
PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 1,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {"chargingRateUnit": "A", **PERIODS},
}


async def test_every_message_of_every_profile_is_as_the_schemas_want_it(tmp_path, system):
    async with a_pair(tmp_path, system, StopTxnSampledData=MEASURANDS) as pair:
        pair.network.set()
        await system.received("StatusNotification", 2)
        await _a_session(pair)
        await _a_remote_session(pair)
        await _core(pair)
        await _lists_and_reservations(pair)
        await _smart_charging(pair)
        await _diagnostics(pair)
        of_diagnostics = ("DiagnosticsStatusNotification", "FirmwareStatusNotification")
        await _triggers(pair, "TriggerMessage", *TRIGGERED, *of_diagnostics)
        await _logs_that_fail(pair)
        await _triggers(pair, "ExtendedTriggerMessage", *TRIGGERED, "LogStatusNotification")
        assert system.of("LogStatusNotification")[-1] == {"status": "Idle"}
        await _security_events(pair)
        await _own_certificate(pair)
        await _signed_firmware(pair)
        await _firmware(pair)
    sent = {row.action for row in ocpp_table.rows(ocpp_evidence.FROM_CHARGE_POINT)}
    received = {row.action for row in ocpp_table.rows(ocpp_evidence.FROM_CENTRAL_SYSTEM)}
    assert {call.action for call in system.calls} == sent
    assert system.asked == received


async def _a_session(pair: Pair) -> None:
    await pair.box.plug()
    await pair.box.tap(CARD)
    await pair.until_told("Charging")
    await pair.system.received("MeterValues")
    await pair.box.tap(CARD)
    stop = await pair.system.received("StopTransaction")
    contexts = [value["context"] for value in stop["transactionData"][0]["sampledValue"]]
    assert set(contexts) == {"Transaction.Begin"}
    await pair.box.unplug()
    await pair.until_told("Available")


async def _a_remote_session(pair: Pair) -> None:
    ask = pair.system.ask
    await pair.box.plug()
    started = await ask(
        "RemoteStartTransaction", idTag=CARD, connectorId=1, chargingProfile=PROFILE
    )
    assert started == "Accepted"
    await pair.until_told("Charging")
    await pair.box.until(lambda: pair.box.state.transaction is not None)
    await pair.box.until(lambda: pair.box.state.transaction.transaction_id is not None)
    transaction_id = pair.box.state.transaction.transaction_id
    assert await ask("ChangeAvailability", connectorId=1, type="Inoperative") == "Scheduled"
    assert await ask("ChangeAvailability", connectorId=1, type="Operative") == "Accepted"
    assert await ask("RemoteStopTransaction", transactionId=transaction_id + 1) == "Rejected"
    assert await ask("RemoteStopTransaction", transactionId=transaction_id) == "Accepted"
    await pair.system.received("StopTransaction", 2)
    assert await ask("UnlockConnector", connectorId=1) == "Unlocked"
    await pair.box.unplug()
    await pair.until_told("Available")


async def _core(pair: Pair) -> None:
    ask = pair.system.ask
    everything = await ask("GetConfiguration")
    assert len(everything["configurationKey"]) > 40
    some = await ask("GetConfiguration", key=["HeartbeatInterval", "NoSuchKey"])
    assert some["unknownKey"] == ["NoSuchKey"]
    for key, value, status in [
        ("HeartbeatInterval", "3600", "Accepted"),
        ("HeartbeatInterval", "-1", "Rejected"),
        ("NoSuchKey", "1", "NotSupported"),
    ]:
        assert await ask("ChangeConfiguration", key=key, value=value) == status
    assert await ask("ClearCache") == "Accepted"
    assert await ask("DataTransfer", vendorId="nobody", data="x") == "UnknownVendorId"
    assert await ask("UnlockConnector", connectorId=9) == "NotSupported"
    services = pair.box.application.services
    assert services is not None
    answer = await services.link.call(
        "DataTransfer", {"vendorId": "com.example", "messageId": "hello"}
    )
    assert answer == {"status": "UnknownVendorId"}


async def _lists_and_reservations(pair: Pair) -> None:
    ask = pair.system.ask
    full = {"listVersion": 3, "updateType": "Full", "localAuthorizationList": [ENTRY]}
    assert await ask("SendLocalList", **full) == "Accepted"
    assert await ask("SendLocalList", listVersion=3, updateType="Differential") == "VersionMismatch"
    assert await ask("GetLocalListVersion") == {"listVersion": 3}
    until = (pair.box.clock.now().utc + timedelta(hours=1)).isoformat()
    wanted = {"connectorId": 1, "expiryDate": until, "idTag": OTHER_CARD, "reservationId": 5}
    assert await ask("ReserveNow", **wanted) == "Accepted"
    assert await ask("ReserveNow", **{**wanted, "reservationId": 6}) == "Occupied"
    assert await ask("CancelReservation", reservationId=5) == "Accepted"
    assert await ask("CancelReservation", reservationId=5) == "Rejected"
    assert await ask("ReserveNow", **wanted) == "Accepted"
    await pair.box.plug()
    await pair.box.tap(OTHER_CARD)
    start = await pair.system.received("StartTransaction", 3)
    assert start["reservationId"] == 5
    await pair.system.received("MeterValues", 2)


async def _smart_charging(pair: Pair) -> None:
    ask = pair.system.ask
    for purpose, connector_id in [("ChargePointMaxProfile", 0), ("TxDefaultProfile", 1)]:
        profile = {
            **PROFILE,
            "chargingProfileId": 2 + connector_id,
            "chargingProfilePurpose": purpose,
            "chargingProfileKind": "Recurring",
            "recurrencyKind": "Daily",
            "validFrom": "2026-01-01T00:00:00Z",
            "chargingSchedule": {
                "chargingRateUnit": "W",
                "startSchedule": "2026-01-01T00:00:00Z",
                "duration": 86400,
                **PERIODS,
            },
        }
        sent = await ask("SetChargingProfile", connectorId=connector_id, csChargingProfiles=profile)
        assert sent == "Accepted"
    wrong = {**PROFILE, "stackLevel": 99}
    assert await ask("SetChargingProfile", connectorId=1, csChargingProfiles=wrong) == "Rejected"
    for connector_id, unit in [(0, "W"), (1, "A")]:
        question = {"connectorId": connector_id, "duration": 86400, "chargingRateUnit": unit}
        assert await ask("GetCompositeSchedule", **question) == "Accepted"
    assert await ask("ClearChargingProfile", id=2) == "Accepted"
    assert await ask("ClearChargingProfile", id=2) == "Unknown"
    assert await ask("ClearChargingProfile") == "Accepted"


async def _diagnostics(pair: Pair) -> None:
    answer = await pair.system.ask("GetDiagnostics", location=WHERE, retries=1, retryInterval=1)
    assert answer["fileName"]
    await pair.system.received("DiagnosticsStatusNotification", 2)
    told = [one["status"] for one in pair.system.of("DiagnosticsStatusNotification")]
    assert told == ["Uploading", "Uploaded"]
    log = {"remoteLocation": WHERE, "oldestTimestamp": "2026-01-01T00:00:00Z"}
    for log_type in ("SecurityLog", "DiagnosticsLog"):
        asked = {"logType": log_type, "requestId": 7, "log": log, "retries": 1, "retryInterval": 1}
        assert await pair.system.ask("GetLog", **asked) == "Accepted"
        await pair.system.received("LogStatusNotification", 2 if log_type == "SecurityLog" else 4)
    told = [one["status"] for one in pair.system.of("LogStatusNotification")]
    assert told == ["Uploading", "Uploaded"] * 2


async def _triggers(pair: Pair, action: str, *messages: str) -> None:
    assert await pair.system.ask(action, requestedMessage="BootNotification") == "Rejected"
    for message in messages:
        before = len(pair.system.of(message))
        assert await pair.system.ask(action, requestedMessage=message) == "Accepted"
        await pair.system.received(message, before + 1)


async def _logs_that_fail(pair: Pair) -> None:
    ask, before = pair.system.ask, len(pair.system.of("LogStatusNotification"))
    pair.transfers.problems.extend(["busy", "busy"])
    asked = {"logType": "SecurityLog", "requestId": 8, "log": {"remoteLocation": WHERE}}
    assert await ask("GetLog", **asked, retries=1, retryInterval=0) == "Accepted"
    await pair.system.received("LogStatusNotification", before + 4)
    told = pair.system.of("LogStatusNotification")[before:]
    rounds = [{"status": status, "requestId": 8} for status in ("Uploading", "UploadFailure")]
    assert told == rounds * 2
    pair.transfers.problems.append("busy")
    assert await ask("GetLog", **asked, retryInterval=3600) == "Accepted"
    await pair.system.received("LogStatusNotification", before + 6)
    assert await ask("GetLog", **{**asked, "requestId": 9}) == "AcceptedCanceled"
    last = await pair.system.received("LogStatusNotification", before + 8)
    assert last == {"status": "Uploaded", "requestId": 9}
    refused = {"remoteLocation": "gopher://files.example.com"}
    assert await ask("GetLog", **{**asked, "log": refused}) == "Rejected"


async def _security_events(pair: Pair) -> None:
    """Each type that there is; of its text as much as there is room for."""
    services, before = pair.box.application.services, len(pair.system.of(EVENT))
    assert services is not None
    for kind in SecurityEventType:
        services.runtime.post(SecurityEventSeen(kind, "x" * 300, must_be_told=True))
    await pair.system.received(EVENT, before + len(SecurityEventType))
    told = pair.system.of(EVENT)[before:]
    assert [one["type"] for one in told] == [kind.value for kind in SecurityEventType]


async def _own_certificate(pair: Pair) -> None:
    ask = pair.system.ask
    asked = {"requestedMessage": "SignChargePointCertificate"}
    assert await ask("ExtendedTriggerMessage", **asked) == "Rejected"  # whose box is it?
    assert await ask("ChangeConfiguration", key="CpoName", value="CPO") == "Accepted"
    assert await ask("ExtendedTriggerMessage", **asked) == "Accepted"
    csr = (await pair.system.received("SignCertificate"))["csr"]
    assert await ask("CertificateSigned", certificateChain="none") == "Rejected"
    signed = made("Root of the boxes").answers(csr)
    assert await ask("CertificateSigned", certificateChain=signed) == "Accepted"


async def _signed_firmware(pair: Pair) -> None:
    ask, root = pair.system.ask, manufacturer()
    of_maker = {"certificateType": "ManufacturerRootCertificate"}
    assert await ask("GetInstalledCertificateIds", **of_maker) == "NotFound"
    assert await ask("InstallCertificate", **of_maker, certificate=root.pem) == "Accepted"
    signer = root.signs("Firmware", days=20_000)
    firmware = {
        "location": WHERE,
        "retrieveDateTime": "2026-01-01T00:00:00Z",
        "signingCertificate": signer.pem,
        "signature": signer.sign(b"new firmware"),
    }
    assert await ask("SignedUpdateFirmware", requestId=7, firmware=firmware) == "Accepted"
    await pair.system.received("SignedFirmwareStatusNotification", 3)
    told = [one["status"] for one in pair.system.of("SignedFirmwareStatusNotification")]
    assert told == ["Downloading", "Downloaded", "SignatureVerified"]  # a session goes on
    asked = {"requestedMessage": "FirmwareStatusNotification"}
    assert await ask("ExtendedTriggerMessage", **asked) == "Accepted"
    again = await pair.system.received("SignedFirmwareStatusNotification", 4)
    assert again == {"status": "SignatureVerified", "requestId": 7}
    assert await ask("GetInstalledCertificateIds", **of_maker) == "Accepted"
    nobody = dict.fromkeys(("issuerNameHash", "issuerKeyHash", "serialNumber"), "0")
    hashed = {"hashAlgorithm": "SHA256", **nobody}
    assert await ask("DeleteCertificate", certificateHashData=hashed) == "NotFound"


async def _firmware(pair: Pair) -> None:
    before = len(pair.system.of("FirmwareStatusNotification"))
    await pair.system.ask("UpdateFirmware", location=WHERE, retrieveDate="2026-01-01T00:00:00Z")
    await pair.system.received("FirmwareStatusNotification", before + 2)
    assert await pair.system.ask("Reset", type="Soft") == "Accepted"
    assert await pair.box.ended() is True
    await pair.system.received("StopTransaction", 3)
