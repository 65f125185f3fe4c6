"""Real drivers refuse to be played with; everything else works on them (checks 2, 3; sequence C).

Real: gpiozero on mock pins, pymodbus on a pty. A box may mix them with simulated parts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from agent.config.config_file import parse_config
from tests.api.commands import SIMULATED_ONLY
from tests.api.harness import IDENTITY, Charger, running_charger
from tests.emulators.modbus_meter import SdmOnPty
from tests.emulators.wired_box import AUXILIARY, BOLT, COIL, PLUG, SOLENOID, WiredBox
from tests.free_port import free_port

TAG = "TAG-RFID-001"
BASE = """
[charge_point]
identity = "{identity}"
charger_id = "dep-123"

[central_system]
url = "ws://central.test/ocpp"

[storage]
path = "{directory}/agent.db"

[api]
enabled = true
listen = "127.0.0.1:{port}"

[authorization]
tap_guard_s = 0
power_update_as_limit = {as_limit}

[ocpp.configuration]
ConnectionTimeOut = {timeout_s}
LocalPreAuthorize = false
"""
REAL = f"""
[[connectors]]
id = 1
contactor = {{ driver = "gpio", pin = {COIL}, feedback_pin = {AUXILIARY}, min_off_s = 0 }}
plug = {{ driver = "gpio", pin = {PLUG} }}
meter = {{ driver = "modbus_sdm630", port = "METER", poll_s = 0.5 }}

[connectors.lock]
driver = "solenoid"
pin = {SOLENOID}
feedback_pin = {BOLT}
settle_ms = 10
tries = 1
"""
MIXED = """
[[connectors]]
id = 1
contactor = { driver = "simulated" }
lock = { driver = "simulated" }
plug = { driver = "simulated" }
pilot = { driver = "simulated" }
meter = { driver = "modbus_sdm630", port = "METER", poll_s = 0.5 }
"""


@dataclass
class RealBox:
    charger: Charger
    wires: WiredBox
    meter: SdmOnPty


@contextlib.contextmanager
def running_box(
    directory: Path, connectors: str, as_limit: bool = False, timeout_s: int = 60
) -> Iterator[RealBox]:
    wires = WiredBox()
    with SdmOnPty("sdm630") as meter:
        meter.set(import_kwh=12.5, power_w=0.0)
        text = BASE.format(
            identity=IDENTITY,
            directory=directory,
            port=free_port(),
            as_limit=str(as_limit).lower(),
            timeout_s=timeout_s,
        ) + connectors.replace("METER", meter.path)
        lever: dict[str, Any] = {"simulate": False, "world": {"pin_factory": wires.factory}}
        with running_charger(parse_config(text), **lever) as charger:
            charger.until(lambda: charger.state.connectors[0].reading is not None)
            yield RealBox(charger, wires, meter)
        wires.close()


@pytest.fixture
def real(tmp_path):
    with running_box(tmp_path, REAL) as box:
        yield box


@pytest.fixture
def mixed(tmp_path):
    with running_box(tmp_path, MIXED) as box:
        yield box


def without_reading(charger: Charger) -> Any:
    state = charger.state
    return replace(state, connectors=tuple(replace(c, reading=None) for c in state.connectors))


def test_what_can_only_be_simulated_is_refused_three_times_without_any_effect(real: RealBox):
    charger = real.charger
    before = without_reading(charger)
    told = list(charger.central_system.calls)
    for command, event in {**SIMULATED_ONLY, "present-card": {"id_tag": TAG}}.items():
        for _ in range(3):  # as the vendor's client repeats a 409
            answer = charger.post(command, event)
            assert (answer.status_code, answer.json()["code"]) == (
                409,
                "simulated_hardware_required",
            )
            assert "simulated" in answer.json()["detail"]
    assert without_reading(charger) == before
    assert charger.central_system.calls == told
    assert charger.get("/ocpp/commands").json()["data"] == []


def test_the_refusal_names_connector_and_part(real: RealBox):
    told = real.charger.post("plug-connector", {}).json()["detail"]
    assert told == "Plugging can only be simulated; connector 1 has a real plug sensor."


def test_the_charger_tells_which_parts_are_real(real: RealBox):
    (connector,) = real.charger.get("/ocpp/chargers/dep-123").json()["connectors"]
    assert connector["hardware"] == {
        "contactor": "real",
        "lock": "real",
        "meter": "real",
        "plug": "real",
    }


def test_c_a_session_waits_for_the_cable_and_begins_when_it_comes(real: RealBox):
    charger = real.charger
    receipt = charger.post("start-session", {"id_tag": TAG})
    command_id = receipt.json()["results"][0]["command"]["id"]
    charger.until(lambda: charger.state.waiting != ())

    def status() -> str:
        return str(charger.get(f"/ocpp/commands/{command_id}").json()["status"])

    for _ in range(100):
        if status() == "deferred":
            break
    assert status() == "deferred"
    refused = charger.post("plug-connector", {})
    assert refused.json()["code"] == "simulated_hardware_required"
    real.wires.plug_in()
    ended = charger.result(receipt)
    assert (ended["status"], ended["result"]["transaction_id"]) == ("applied", 1000)
    charger.until(lambda: real.wires.energy_flows)
    again = charger.post("start-session", {"id_tag": TAG})
    assert (again.status_code, again.json()["code"]) == (409, "transaction_active")
    stopped = charger.do("stop-session")
    assert stopped["status"] == "applied"
    charger.until_status("Finishing")
    assert not real.wires.energy_flows
    assert charger.state.connectors[0].plugged  # the driver pulls the cable


def test_no_cable_in_time_ends_as_expired(tmp_path):
    with running_box(tmp_path, REAL, timeout_s=1) as box:
        ended = box.charger.do("start-session", {"id_tag": TAG})
        assert ended["status"] == "expired"


def test_a_transaction_needs_an_accepted_tag(real: RealBox):
    charger = real.charger
    unplugged = charger.post("start-transaction", {"id_tag": TAG})
    assert (unplugged.status_code, unplugged.json()["code"]) == (409, "not_plugged")
    real.wires.plug_in()
    charger.until(lambda: charger.state.connectors[0].plugged)
    charger.central_system.accepted_tags = {"GOOD"}
    refused = charger.do("start-transaction", {"id_tag": "BAD"})
    assert (refused["status"], refused["detail"]) == ("rejected", "Invalid")
    assert charger.central_system.of("StartTransaction") == []
    assert charger.applied("authorize-id-tag", {"id_tag": "GOOD"})["status"] == "Accepted"
    asked = len(charger.central_system.of("Authorize"))
    assert charger.applied("start-transaction", {"id_tag": "GOOD"})["transaction_id"] == 1000
    assert len(charger.central_system.of("Authorize")) == asked  # the answer counts as a decision


def test_an_unlock_ends_the_session_and_opens_the_lock(real: RealBox):
    charger = real.charger
    real.wires.plug_in()
    charger.until(lambda: charger.state.connectors[0].plugged)
    charger.applied("start-transaction", {"id_tag": TAG})
    charger.until(lambda: real.wires.is_locked and real.wires.energy_flows)
    assert charger.applied("unlock-connector") == {"status": "Unlocked"}
    assert not real.wires.is_locked
    assert not real.wires.energy_flows
    charger.until(lambda: charger.central_system.of("StopTransaction") != [])
    stop = charger.central_system.of("StopTransaction")[0].payload
    assert stop["reason"] == "UnlockCommand"


def test_a_jammed_lock_ends_the_unlock_as_failed(real: RealBox):
    charger = real.charger
    real.wires.plug_in()
    charger.until(lambda: charger.state.connectors[0].plugged)
    charger.applied("start-transaction", {"id_tag": TAG})
    real.wires.is_jammed = True
    ended = charger.do("unlock-connector")
    assert (ended["status"], ended["detail"]) == ("failed", "UnlockFailed")


def test_power_update_is_a_limit_where_the_car_is_real_and_that_is_allowed(tmp_path):
    with running_box(tmp_path, REAL, as_limit=True) as box:
        charger = box.charger
        nothing = charger.post("power-update", {"power_w": 3000})
        assert (nothing.status_code, nothing.json()["code"]) == (409, "no_transaction")
        box.wires.plug_in()
        charger.until(lambda: charger.state.connectors[0].plugged)
        charger.applied("start-transaction", {"id_tag": TAG})
        for power_w, limit_a in ((3000, 13.0), (10**9, 32.0), (1000, 0.0)):
            assert charger.applied("power-update", {"power_w": power_w}) == {"limit_a": limit_a}
        charger.until_status("SuspendedEVSE")


def test_simulated_pilot_and_plug_with_a_real_meter_can_be_played(mixed: RealBox):
    charger = mixed.charger
    assert charger.applied("plug-connector")["status"] == "Preparing"
    charger.applied("start-transaction", {"id_tag": TAG})
    assert charger.applied("ev-requests-energy")["pilot"] == "C"
    charger.until_status("Charging")
    assert charger.applied("ev-stops-energy")["pilot"] == "B"
    refused = charger.post("power-update", {"power_w": 1000})
    assert (refused.status_code, refused.json()["code"]) == (409, "simulated_hardware_required")
    assert "real meter" in refused.json()["detail"]
    charger.applied("stop-transaction")
    charger.applied("unplug-connector")
    start = charger.central_system.of("StartTransaction")[0].payload
    assert start["meterStart"] == 12_500


# --- proxy-message on real hardware --------------------------------------------------------------


def proxy(charger: Charger, action: str, payload: dict[str, Any]) -> Any:
    event = {"action": action, "ocpp_version": "ocpp1.6", "payload": payload}
    return charger.post("proxy-message", event)


@pytest.mark.parametrize("action", ["authorize", "start_transaction", "stop_transaction"])
def test_messages_about_money_have_commands_of_their_own(real: RealBox, action: str):
    before = len(real.charger.central_system.calls)
    for payload in ({}, {"id_tag": TAG}):
        answer = proxy(real.charger, action, payload)
        assert (answer.status_code, answer.json()["code"]) == (409, "use_dedicated_command")
    assert len(real.charger.central_system.calls) == before


def test_messages_about_the_box_tell_the_truth_or_nothing(real: RealBox):
    charger = real.charger
    untrue = {"connector_id": 1, "error_code": "NoError", "status": "Charging"}
    answer = proxy(charger, "status_notification", untrue)
    assert (answer.status_code, answer.json()["code"]) == (409, "use_dedicated_command")
    before = len(charger.central_system.calls)
    assert charger.result(proxy(charger, "status_notification", {}))["status"] == "applied"
    assert charger.result(proxy(charger, "boot_notification", {}))["result"]["status"] == "Accepted"
    assert charger.result(proxy(charger, "meter_values", {}))["status"] == "applied"
    told = charger.central_system.calls[before:]
    assert [(call.action, call.payload.get("connectorId")) for call in told] == [
        ("StatusNotification", 0),
        ("StatusNotification", 1),
        ("BootNotification", None),
        ("MeterValues", 1),
    ]
    sampled = told[-1].payload["meterValue"][0]["sampledValue"][0]
    assert (sampled["value"], sampled["context"]) == ("12500", "Trigger")
    for action, name in (
        ("diagnostics_status_notification", "DiagnosticsStatusNotification"),
        ("firmware_status_notification", "FirmwareStatusNotification"),
        ("log_status_notification", "LogStatusNotification"),
        ("signed_firmware_status_notification", "SignedFirmwareStatusNotification"),
    ):
        untrue = proxy(charger, action, {"status": "Uploading"})
        assert untrue.json()["code"] == "use_dedicated_command"
        assert charger.result(proxy(charger, action, {}))["status"] == "applied"
        assert charger.central_system.of(name)[-1].payload == {"status": "Idle"}


def test_messages_that_say_nothing_about_the_box_go_as_given(real: RealBox):
    charger = real.charger
    assert charger.result(proxy(charger, "heartbeat", {}))["result"]["currentTime"]
    sent = proxy(charger, "data_transfer", {"vendor_id": "org.example", "data": "x_y"})
    charger.result(sent)
    assert charger.central_system.of("DataTransfer")[0].payload == {
        "vendorId": "org.example",
        "data": "x_y",
    }
