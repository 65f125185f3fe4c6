"""docs/faults.md says what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.cli.manual.fault_table import fault_document, main
from agent.core.faults import PILOT, RULES, SAFETY_INPUTS, Fault, Reflex

DOCUMENT = Path(__file__).parent.parent.parent.parent / "docs/faults.md"
# OCPP 1.6 section 7.6
ERROR_CODES = {
    "ConnectorLockFailure",
    "EVCommunicationError",
    "GroundFailure",
    "HighTemperature",
    "InternalError",
    "LocalListConflict",
    "NoError",
    "OtherError",
    "OverCurrentFailure",
    "OverVoltage",
    "PowerMeterFailure",
    "PowerSwitchFailure",
    "ReaderFailure",
    "ResetFailure",
    "UnderVoltage",
    "WeakSignal",
}


def test_the_document_is_fresh():
    assert DOCUMENT.read_text(encoding="utf-8") == fault_document(), (
        "run: python -m agent.cli.manual.fault_table docs/faults.md"
    )


def test_every_fault_has_its_row():
    assert set(RULES) == set(Fault)
    rows = [line for line in fault_document().splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + len(Fault)


@pytest.mark.parametrize("fault", Fault)
def test_what_is_told_to_the_central_system_fits_the_standard(fault: Fault):
    rule = RULES[fault]
    assert rule.error_code in ERROR_CODES
    assert 0 < len(rule.words) <= 50


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_says_what_to_look_at_and_how_it_goes_away(fault: Fault):
    rule = RULES[fault]
    assert rule.check
    assert rule.clears
    assert not re.search(r"[|\n]", rule.check + rule.clears + rule.words)


@pytest.mark.parametrize("fault", [*SAFETY_INPUTS.values(), *PILOT.values()])
def test_what_a_contact_or_the_pilot_reports_opens(fault: Fault):
    assert RULES[fault].reflex is Reflex.OPENS


def test_the_document_is_written_where_it_is_wanted(tmp_path, capsys):
    path = tmp_path / "faults.md"
    assert main([str(path)]) == 0
    assert path.read_text() == fault_document()
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
