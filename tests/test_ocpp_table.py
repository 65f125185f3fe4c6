"""docs/ocpp.md says what the code does, and leaves nothing of the standard out."""

from __future__ import annotations

import pytest
from ocpp import exceptions
from ocpp.v16 import enums

from agent.core.configuration import KEYS
from agent.ocpp16.schemas import PROFILE_OF
from tests import ocpp_evidence as evidence
from tests import ocpp_table

SENT = ocpp_table.rows(evidence.FROM_CHARGE_POINT)
RECEIVED = ocpp_table.rows(evidence.FROM_CENTRAL_SYSTEM)
# Statuses of SignedFirmwareStatusNotification alone (security white paper).
SIGNED = {
    *("DownloadPaused", "DownloadScheduled", "InstallRebooting", "InstallScheduled"),
    *("InstallVerificationFailed", "InvalidSignature", "SignatureVerified"),
}
# The library's list of statuses for each message that has some.
STATUSES_SENT = {
    "Authorize": enums.AuthorizationStatus,
    "BootNotification": enums.RegistrationStatus,
    "StatusNotification": enums.ChargePointStatus,
    "StopTransaction": enums.Reason,
    "DiagnosticsStatusNotification": enums.DiagnosticsStatus,
    "FirmwareStatusNotification": [s for s in enums.FirmwareStatus if s not in SIGNED],
    "LogStatusNotification": enums.UploadLogStatus,
    "SignedFirmwareStatusNotification": enums.FirmwareStatus,
}
STATUSES_RECEIVED = {
    "CancelReservation": enums.CancelReservationStatus,
    "CertificateSigned": enums.CertificateSignedStatus,
    "ChangeAvailability": enums.AvailabilityStatus,
    "ChangeConfiguration": enums.ConfigurationStatus,
    "ClearCache": enums.ClearCacheStatus,
    "ClearChargingProfile": enums.ClearChargingProfileStatus,
    "DataTransfer": enums.DataTransferStatus,
    "ExtendedTriggerMessage": enums.TriggerMessageStatus,
    "DeleteCertificate": enums.DeleteCertificateStatus,
    "GetLog": enums.LogStatus,
    "GetInstalledCertificateIds": enums.GetInstalledCertificateStatus,
    "InstallCertificate": enums.CertificateStatus,
    "GetCompositeSchedule": enums.GetCompositeScheduleStatus,
    "RemoteStartTransaction": enums.RemoteStartStopStatus,
    "RemoteStopTransaction": enums.RemoteStartStopStatus,
    "ReserveNow": enums.ReservationStatus,
    "Reset": enums.ResetStatus,
    "SendLocalList": enums.UpdateStatus,
    "SetChargingProfile": enums.ChargingProfileStatus,
    "SignedUpdateFirmware": enums.UpdateFirmwareStatus,
    "TriggerMessage": enums.TriggerMessageStatus,
    "UnlockConnector": enums.UnlockStatus,
}
# Other spellings of two codes, for OCPP 2.0.1.
OF_OCPP_2 = {"FormatViolation", "OccurrenceConstraintViolation"}


def test_the_document_is_up_to_date():
    hint = "run: python -m tests.ocpp_table"
    assert ocpp_table.DOCUMENT.read_text(encoding="utf-8") == ocpp_table.page(), hint


def test_every_message_that_the_library_knows_stands_there():
    known = {str(action.value) for action in enums.Action}
    listed = {row.action for row in [*SENT, *RECEIVED]}
    assert listed == known


@pytest.mark.parametrize(
    ("rows", "statuses"),
    [(SENT, STATUSES_SENT), (RECEIVED, STATUSES_RECEIVED)],
    ids=["sent", "received"],
)
def test_every_status_that_the_library_knows_stands_there(rows, statuses):
    for action in {row.action for row in rows}:
        listed = {row.status for row in rows if row.action == action}
        wanted = {member.value for member in statuses[action]} if action in statuses else {"-"}
        assert listed == wanted, action


def test_what_is_answered_is_what_stands_there():
    listed = {row.action for row in RECEIVED}
    assert ocpp_table.answered_actions() == listed
    assert PROFILE_OF.keys() <= listed


def test_every_error_code_that_the_library_knows_stands_there():
    def codes(lines: str) -> set[str]:
        return {line.split()[0] for line in lines.strip().splitlines()}

    assert codes(evidence.ERROR_CODES) == {code.value for code in enums.ChargePointErrorCode}
    known = {error.code for error in exceptions.OCPPError.__subclasses__()} - {None}
    assert known - codes(evidence.CALL_ERRORS) == OF_OCPP_2
    assert codes(evidence.CALL_ERRORS) <= known


def test_every_key_that_the_library_knows_is_here_or_explained():
    known = {str(key.value) for key in enums.ConfigurationKey}
    here = {key.name for key in KEYS}
    assert known - here == ocpp_table.absent_keys().keys()
    assert here - known == evidence.KEYS_BESIDES.keys()


def test_no_line_stands_there_twice():
    for rows in (SENT, RECEIVED):
        pairs = [(row.action, row.status) for row in rows]
        assert len(pairs) == len(set(pairs))


@pytest.mark.parametrize(
    "shown", ["core/test_nothing.py", "certification/test_sessions.py::test_case_999"]
)
def test_a_test_that_is_not_there_is_noticed(shown):
    with pytest.raises(ValueError, match=r"there is no|has no test"):
        ocpp_table.evidence_of(shown)


def test_a_key_that_no_test_names_is_noticed():
    with pytest.raises(ValueError, match="no test names"):
        ocpp_table.evidence_of_key("No" + "SuchKeyAtAll")
