"""Run in an environment of Home Assistant: what it says to discovery messages, in JSON.

On stdin: ``messages`` (topic and text) and ``states`` (of several moments, topic to text: what the
templates read). On stdout, for each message, one sentence for each thing that it would not take.
"""

# mypy: ignore-errors
import asyncio
import importlib
import json
import logging
import os
import sys
from datetime import datetime

import voluptuous
from homeassistant.components.mqtt import discovery
from homeassistant.components.mqtt.abbreviations import ABBREVIATIONS
from homeassistant.components.sensor import const as sensors
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import TemplateEnvironment

PREFIX = "homeassistant/"
warnings = []


class Listener(logging.Handler):
    def emit(self, record):
        warnings.append(record.getMessage())


def complaints(topic, text, states):
    place = discovery.TOPIC_MATCHER.fullmatch(topic.removeprefix(PREFIX))
    if not place:
        yield "no discovery topic"
        return
    component = importlib.import_module(f"homeassistant.components.mqtt.{place['component']}")
    content = json.loads(text)
    try:
        discovery.MQTT_ORIGIN_INFO_SCHEMA(content.pop("origin"))
        taken = component.DISCOVERY_SCHEMA(dict(content))
    except (voluptuous.Invalid, KeyError) as problem:
        yield f"{type(problem).__name__}: {problem}"
        return
    # The schema drops what it does not know.
    known = {*taken, *ABBREVIATIONS.values(), "availability_topic"}
    yield from (f"unknown key {name}" for name in content if name not in known)
    yield from about_units(content)
    for moment in states:
        if content["state_topic"] not in moment:
            yield f"nothing is told on {content['state_topic']}"
        else:
            yield from about_value(place["component"], content, moment[content["state_topic"]])
    yield from warnings
    warnings.clear()


def about_units(content):
    kind, unit, counts = (
        content.get(key) for key in ("device_class", "unit_of_measurement", "state_class")
    )
    units = sensors.DEVICE_CLASS_UNITS
    if unit and kind in units and unit not in units[kind]:
        yield f"{kind} has no unit {unit}"
    counted = sensors.DEVICE_CLASS_STATE_CLASSES
    if counts and kind in counted and counts not in counted[kind]:
        yield f"{kind} has no state class {counts}"


def about_value(component, content, state):
    template = TemplateEnvironment(None).from_string(content["value_template"])
    value = template.render(value=state, value_json=json.loads(state)).strip()
    is_number = component == "number" or content.get("unit_of_measurement")
    wanted = {"binary_sensor": ("ON", "OFF"), "switch": ("ON", "OFF")}
    if value not in wanted.get(component, (value,)):
        yield f"its value is {value!r}"
    elif value == "None" and component == "sensor":
        return  # unknown
    elif is_number:
        number = float(value)
        if component == "number" and not content["min"] <= number <= content["max"]:
            yield f"its value {number:g} is out of range"
    elif "options" in content and value not in content["options"]:
        yield f"its value {value!r} is no option"
    elif content.get("device_class") == "timestamp":
        datetime.fromisoformat(value)
    elif not value or len(value) > 255:
        yield f"its value has {len(value)} characters"


async def main():
    logging.getLogger("homeassistant.components.mqtt").addHandler(Listener())
    HomeAssistant("/nonexistent")  # its newer versions read templates only beside one
    asked = json.load(sys.stdin)
    found = [list(complaints(*message, asked["states"])) for message in asked["messages"]]
    print(json.dumps(found), flush=True)
    os._exit(0)  # it has not begun, so it cannot end


asyncio.run(main())
