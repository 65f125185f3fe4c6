"""The rules about a pilot controller."""

from __future__ import annotations

import pytest

from agent.config.advice import warnings_for
from agent.config.config_file import parse_config
from agent.platform.errors import ConfigError

BOX = '[charge_point]\nidentity = "CP-1"\n'
CONTACTOR = '[[connectors]]\nid = {}\ncontactor.driver = "simulated"\n'
PILOT = '[connectors.pilot]\ndriver = "{}"\nport = "{}"\n'


def one(
    driver: str = "evse_wb", port: str = "/dev/ttyUSB0", more: str = "", number: int = 1
) -> str:
    return CONTACTOR.format(number) + PILOT.format(driver, port) + more


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    return caught.value.mistakes


@pytest.mark.parametrize("driver", ["evse_wb", "openevse"])
def test_a_controller_needs_its_port(driver: str):
    (sentence,) = mistakes_of(BOX + one(driver, ""))
    wanted = f'connectors[id=1].pilot.port is missing; driver = "{driver}" needs it'
    assert sentence.startswith(wanted)


def test_a_controller_shares_its_port_with_no_meter():
    meter = '[connectors.meter]\ndriver = "modbus_sdm120"\nport = "/dev/./ttyUSB0"\n'
    (sentence,) = mistakes_of(BOX + one(more=meter))
    assert "connectors[id=1].pilot.port and connectors[id=1].meter.port are both" in sentence
    assert "a pilot controller and a meter cannot share a port" in sentence


def test_a_controller_shares_its_port_with_no_reader_and_no_other_controller():
    reader = '[reader]\ndriver = "serial"\nport = "/dev/ttyUSB0"\n'
    (sentence,) = mistakes_of(BOX + reader + one())
    assert "a card reader and a pilot controller cannot share a port" in sentence
    (sentence,) = mistakes_of(BOX + one() + one(number=2))
    assert "a pilot controller and a pilot controller cannot share a port" in sentence


def test_a_plug_that_the_controller_sees_needs_a_controller():
    plug = '[connectors.plug]\ndriver = "pilot"\n'
    (sentence,) = mistakes_of(BOX + CONTACTOR.format(1) + plug)
    assert sentence.startswith("connectors[id=1].plug needs a pilot")
    assert parse_config(BOX + one(more=plug)).connectors[0].plug.driver == "pilot"


def test_a_controller_beside_a_box_without_plug_sensor_is_worth_a_look():
    told = warnings_for(parse_config(BOX + one()))
    assert any('plug.driver = "none": with "pilot" its controller tells' in line for line in told)
