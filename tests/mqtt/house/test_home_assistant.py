"""What Home Assistant itself says to our discovery messages, by its own schemas and templates."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from tests.app.box import CARD
from tests.mqtt.house.conftest import CONNECTOR, house
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


def judged(messages: list[tuple[str, str]], states: list[dict[str, str]]) -> list[list[str]]:
    """What Home Assistant says to each message."""
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
    found: list[list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("connectors", [1, 2])
async def test_it_takes_every_message_and_every_value(tmp_path, connectors):
    async with house(tmp_path, connectors=connectors, session_names=True) as here:
        moments = [dict(here.broker.kept)]
        await here.box.do("list", what="name", id_tag=CARD, name="Anna")
        await here.box.charge()
        await here.until(status="Charging", session_name="Anna")
        await asyncio.sleep(60)
        moments.append(dict(here.broker.kept))
        await here.limit("0")
        await here.until(status="SuspendedEVSE")
        moments.append(dict(here.broker.kept))
        await here.box.do("sim", lever="fault", name="door")
        await here.until(status="Faulted")
        moments.append(dict(here.broker.kept))
    announced = [item for item in moments[0].items() if item[0].startswith("homeassistant/")]
    assert len(announced) > 15 * connectors
    assert judged(announced, moments) == [[]] * len(announced)
    ids = {json.loads(text)["unique_id"] for _, text in announced}
    assert len(ids) == len(announced)


TOPIC = "homeassistant/sensor/x/p/config"
WRONG = [
    ("homeassistant/sensor/x/a+b/config", {}),
    (TOPIC, {"device_class": "horse_power"}),
    (TOPIC, {"unit_of_measurement": "kWh"}),
    (TOPIC, {"state_class": "total_increasing"}),
    (TOPIC, {"unknown_key": 1}),
    (TOPIC, {"state_topic": "x/+/state"}),
    (TOPIC, {"state_topic": "elsewhere"}),
    (TOPIC, {"value_template": "{{ value_json.power_w"}),
    (
        TOPIC,
        {"value_template": "{{ 'x' * 300 }}", "unit_of_measurement": None, "state_class": None},
    ),
    ("homeassistant/binary_sensor/x/p/config", {"device_class": "plug"}),
]


def test_it_complains_of_each_thing_that_is_wrong_and_of_nothing_else():
    messages = [(topic, json.dumps({**GOOD, **change})) for topic, change in [(TOPIC, {}), *WRONG]]
    right, *wrong = judged(messages, [{"x/state": '{"power_w": 7360.0}'}])
    assert right == []
    assert [topic for (topic, _), found in zip(WRONG, wrong, strict=True) if not found] == []


async def test_the_energy_dashboard_gets_a_register_in_kwh_that_only_grows(tmp_path):
    async with house(tmp_path) as here:
        message = json.loads(
            here.broker.kept["homeassistant/sensor/chargepoint_DEMO-1/1_energy/config"]
        )
        assert message["device_class"] == "energy"
        assert message["state_class"] == "total_increasing"
        assert message["unit_of_measurement"] == "kWh"
        assert message["state_topic"] == CONNECTOR
