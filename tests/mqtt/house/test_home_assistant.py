"""What Home Assistant itself says to our discovery messages, by its own schemas and templates."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.mqtt.house.conftest import CONNECTOR, House, house
from tests.own_environment import python_with

HERE = Path(__file__).parent
RUN_S = 120.0
GOOD = {
    "name": "Power",
    "unique_id": "x_1_power",
    "state_topic": "x/state",
    "value_template": "{{ value_json.power_w }}",
    "device_class": "power",
    "state_class": "measurement",
    "unit_of_measurement": "W",
    "device": {"identifiers": ["x"]},
    "origin": {"name": "x"},
}


def judged(messages: dict[str, str], states: dict[str, str]) -> dict[str, Any]:
    """What Home Assistant says."""
    wanted = (HERE / "home_assistant.txt").read_text().splitlines()
    packages = [line for line in wanted if not line.startswith("#")]
    python = python_with("home-assistant", "--no-deps", *packages)
    done = subprocess.run(
        [python, str(HERE / "home_assistant_program.py")],
        input=json.dumps({"messages": messages, "states": states}),
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def announced(here: House) -> dict[str, str]:
    return {
        topic: text
        for topic, text in here.broker.kept.items()
        if topic.startswith("homeassistant/")
    }


@pytest.mark.parametrize("connectors", [1, 2])
async def test_it_takes_every_message_and_every_value(tmp_path, connectors):
    async with house(tmp_path, connectors=connectors) as here:
        free = dict(here.broker.kept)
        await here.box.charge()
        await here.until(status="Charging")
        await asyncio.sleep(60)
        charging = dict(here.broker.kept)
        await here.box.do("sim", lever="fault", name="door")
        await here.until(status="Faulted")
        for states in (free, charging, dict(here.broker.kept)):
            found = judged(announced(here), states)
            assert found["complaints"] == []
        assert len(announced(here)) > 10 * connectors


@pytest.mark.parametrize(
    ("topic", "change"),
    [
        ("homeassistant/sensor/x/a+b/config", {}),
        ("homeassistant/sensor/x/p/config", {"device_class": "horse_power"}),
        ("homeassistant/sensor/x/p/config", {"unit_of_measurement": "kWh"}),
        ("homeassistant/sensor/x/p/config", {"unknown_key": 1}),
        ("homeassistant/sensor/x/p/config", {"state_topic": "x/+/state"}),
        ("homeassistant/sensor/x/p/config", {"state_topic": "elsewhere"}),
        ("homeassistant/sensor/x/p/config", {"value_template": "{{ value_json.power_w"}),
        ("homeassistant/binary_sensor/x/p/config", {}),
    ],
)
def test_it_complains_of_what_is_wrong(topic, change):
    states = {"x/state": '{"power_w": 7360.0}'}
    assert judged({topic: json.dumps({**GOOD, **change})}, states)["complaints"] != []


def test_it_does_not_complain_of_what_is_right():
    messages = {"homeassistant/sensor/x/p/config": json.dumps(GOOD)}
    assert judged(messages, {"x/state": '{"power_w": 7360.0}'})["complaints"] == []


async def test_the_energy_dashboard_gets_a_register_in_kwh_that_only_grows(tmp_path):
    async with house(tmp_path) as here:
        message = json.loads(
            here.broker.kept["homeassistant/sensor/chargepoint_DEMO-1/1_energy/config"]
        )
        assert message["device_class"] == "energy"
        assert message["state_class"] == "total_increasing"
        assert message["unit_of_measurement"] == "kWh"
        assert message["state_topic"] == CONNECTOR
