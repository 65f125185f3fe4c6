"""The table of security events in docs/security.md is the agent's, and each event has its test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.core.security_event_values import SecurityEventType
from tests.ocpp_table import evidence_of

ROOT = Path(__file__).parents[1]
AGENT = ROOT / "agent"
DEFINED = AGENT / "core" / "security_event_values.py"
EVIDENCE = """
FirmwareUpdated core/test_security_events.py::test_new_firmware_is_recorded
SettingSystemTime core/test_security_events.py::test_a_clock_that_is_set
StartupOfTheDevice core/test_security_events.py::test_a_start_says
ResetOrReboot core/test_security_events.py::test_a_reset_is_recorded_once
SecurityLogWasCleared core/test_security_events.py::test_a_cleared_log_begins
MemoryExhaustion core/test_security_events.py::test_a_disk_that_fills_up
TamperDetectionActivated core/test_security_events.py::test_the_door_is_tampering
FailedToAuthenticateAtCentralSystem app/test_application_security.py::test_a_connection_that_fails
CentralSystemFailedToAuthenticate app/test_application_security.py::test_a_connection_that_fails
ReconfigurationOfSecurityParameters core/test_security_events.py::test_a_changed_security
InvalidMessages app/test_application_security.py::test_a_message_that_is_none
AttemptedReplayAttacks app/test_application_security.py::test_a_call_that_comes_a_second_time
InvalidFirmwareSignature maintenance/test_firmware_process.py::test_a_file_is_fetched
InvalidFirmwareSigningCertificate core/test_signed_firmware.py::test_a_certificate_that_may_not
InvalidCentralSystemCertificate core/test_certificate_requests.py::test_a_rejected_root
InvalidTLSVersion app/test_application_security.py::test_a_connection_that_fails
InvalidTLSCipherSuite app/test_application_security.py::test_a_connection_that_fails
InvalidChargePointCertificate core/test_own_certificates.py::test_what_is_not_the_certificate
CSRGenerationFailed core/test_own_certificates.py::test_without_the_operators_name
MaintenanceLoginFailed mqtt/test_station_bus.py::test_a_broker_that_refuses
MaintenanceLoginFailed api/test_guesses.py::test_a_wrong_token_is_a_failed_login
"""


def section() -> str:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    return text.partition("\n## Security events\n")[2].partition("\n## ")[0]


def documented() -> dict[str, bool]:
    """Each type of the table, and whether it is called critical."""
    return {
        kind: words.strip() == "yes"
        for kinds, words in re.findall(r"^\| (`.*?) \| ([^|]*) \|", section(), re.MULTILINE)
        for kind in re.findall(r"`(\w+)`", kinds)
    }


def test_the_table_has_every_event_that_the_agent_raises_and_whether_it_is_critical():
    assert documented() == {kind.value: kind.is_critical for kind in SecurityEventType}


def test_every_event_is_raised_somewhere():
    code = "".join(path.read_text() for path in AGENT.rglob("*.py") if path != DEFINED)
    for kind in SecurityEventType:
        assert f"SecurityEventType.{kind.name}" in code, kind


@pytest.mark.parametrize("line", EVIDENCE.strip().splitlines())
def test_every_event_has_a_test_that_raises_it(line):
    _, shown = line.split()
    assert evidence_of(shown)


def test_no_event_lacks_its_evidence():
    shown = {line.split()[0] for line in EVIDENCE.strip().splitlines()}
    assert shown == {kind.value for kind in SecurityEventType}
