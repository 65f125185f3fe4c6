"""docs/house.md as its reader uses it: what is copied from there works, and nothing is missing."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jinja2
import pytest

from agent.config.config_file import settings_from_data
from agent.core.values import Instant
from agent.mqtt.broker import Received
from agent.mqtt.house.set_points import read_set_point
from agent.mqtt.house.topics import Topics
from tests.emulators.virtual_clock import NOON
from tests.mqtt.house.conftest import BOX, CONNECTOR, house, house_settings

PAGE = (Path(__file__).parents[3] / "docs/house.md").read_text()
NOW = Instant(0.0, NOON)


def blocks(kind: str) -> list[str]:
    """What can be copied from the page."""
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, flags=re.S)


def taken(payload: str) -> Any:
    """How the box reads a limit. Raises BadSetPoint."""
    message = Received("x", payload.encode(), is_kept=False)
    return read_set_point(message, NOW, house_settings(Path()).house)


@pytest.mark.parametrize("block", blocks("toml"))
def test_what_is_copied_into_the_configuration_is_in_order(block):
    one = {"id": 1, "contactor": {"driver": "simulated"}}
    given = {"charge_point": {"identity": "BOX"}, "connectors": [one], **tomllib.loads(block)}
    settings = settings_from_data(given)
    assert settings.house.enabled or settings.central_system.url


def test_the_blocks_of_the_configuration_are_found():
    assert len(blocks("toml")) == 3


def test_every_limit_that_is_sent_by_hand_is_taken(tmp_path):
    settings = house_settings(tmp_path, box_name="BOX")
    topics = Topics.of(settings)
    limits = {topics.limit(0), topics.limit(1)}
    sent = re.findall(r"mosquitto_pub .* -t (\S+) -m '(.*)'", PAGE)
    assert len(sent) == 2
    for topic, payload in sent:
        assert topic in limits
        assert taken(payload).limit > 0


def test_every_topic_of_the_box_is_one_that_it_uses(tmp_path):
    topics = Topics.of(house_settings(tmp_path, box_name="BOX"))
    known = {topics.availability}
    for number in (0, 1):
        known |= {topics.state(number), topics.limit(number), topics.result(number)}
    named = set(re.findall(r"chargepoint/BOX/[a-z0-9/]+", PAGE))
    assert named == known


@pytest.mark.parametrize(
    ("exported_w", "limit_w"), [("5000", 6400), ("-5000", 0), ("99000", 22000)]
)
def test_the_automation_sends_a_limit_that_is_taken(exported_w, limit_w):
    (automation,) = blocks("yaml")[:1]
    assert "topic: chargepoint/BOX/connector/1/limit/set" in automation
    template = automation.partition("payload: >-\n")[2]
    given = {"sensor.grid_export_power": exported_w, "sensor.charger_box_power": "1400"}
    environment = jinja2.Environment(autoescape=False)  # as Home Assistant has it
    environment.filters["to_json"] = json.dumps
    text = environment.from_string(template).render(states=given.__getitem__).strip()
    assert taken(text).limit == limit_w


async def test_every_key_that_is_told_stands_in_the_tables_and_the_other_way_round(tmp_path):
    async with house(tmp_path) as here:
        (box_line,) = re.findall(r"the box: (.*) \|", PAGE)
        assert {name.strip("`") for name in re.findall(r"`\w+`", box_line)} == set(
            here.broker.state(BOX)
        )
        rows = PAGE.partition("| key of a connector | what |\n|---|---|\n")[2].partition("\n\n")[0]
        keys = {
            key for row in rows.splitlines() for key in re.findall(r"`(\w+)`", row.split("|")[1])
        }
        assert keys == set(here.broker.state(CONNECTOR))
