"""What Home Assistant is told of this box, so that it finds its entities by itself. Pure.

One retained message for each entity, below the prefix that Home Assistant listens to: the form that
all its versions take.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent.config.settings import Settings
from agent.core.charging_limits import CURRENT_MIN_A
from agent.core.state import Connector
from agent.core.values import Status
from agent.mqtt.broker import Publication
from agent.mqtt.house.topics import WHOLE_BOX, Topics
from agent.ocpp16.requests import package_version

_DIAGNOSTIC = "diagnostic"
_WORDS_MAX = 250  # Home Assistant takes no longer state

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Entity:
    """One thing that Home Assistant shows, and what makes it of the state that it reads."""

    component: str  # sensor, binary_sensor, number, switch
    name: str
    template: str
    more: Data


def announcements(
    settings: Settings, topics: Topics, connectors: tuple[Connector, ...]
) -> list[Publication]:
    """Every message that tells of an entity."""
    found = [
        _announced(settings, topics, WHOLE_BOX, "Box", entity)
        for entity in _of_box(settings, topics, len(connectors))
    ]
    for connector in connectors:
        number = connector.connector_id
        place = "" if len(connectors) == 1 else f"Connector {number}"
        most_a = connector.traits.max_current_a
        for entity in (*_of_connector(connector), *_controls(topics.limit(number), most_a)):
            found.append(_announced(settings, topics, number, place, entity))
    return found


def every_announcement(settings: Settings, topics: Topics) -> str:
    """A subscription to all messages of this box, of entities that it has no more too."""
    return f"{settings.house.discovery_prefix}/+/{topics.node}/+/config"


def _of_box(settings: Settings, topics: Topics, connectors: int) -> Iterator[_Entity]:
    if settings.central_system.url:
        yield _is(
            "Central system", "value_json.online", "connectivity", entity_category=_DIAGNOSTIC
        )
    if connectors > 1:  # with one, the limit of the connector is that of the box
        box = settings.charge_point
        most_a = box.supply_current_a or box.max_current_a * connectors
        yield from _controls(topics.limit(WHOLE_BOX), most_a)


def _controls(topic: str, most_a: float) -> Iterator[_Entity]:
    """A slider and a switch. Both run out, as every limit of the house does."""
    limit = "value_json.house_limit_a"
    value = f"{{{{ {most_a:g} if {limit} is none else [{limit}, {most_a:g}] | min }}}}"
    about = {
        "command_topic": topic,
        "device_class": "current",
        "unit_of_measurement": "A",
        "min": 0,
        "max": most_a,
        "step": 1,
    }
    yield _Entity("number", "Limit", value, about)
    pauses = f"{limit} is not none and {limit} < {CURRENT_MIN_A:g}"
    value = f"{{{{ 'OFF' if {pauses} else 'ON' }}}}"
    states = {"state_on": "ON", "state_off": "OFF"}
    orders = {"payload_on": "null", "payload_off": "0"}
    yield _Entity("switch", "Charging allowed", value, {"command_topic": topic, **states, **orders})


def _of_connector(connector: Connector) -> Iterator[_Entity]:
    traits = connector.traits
    statuses = [status.value for status in Status]
    yield _Entity(
        "sensor", "Status", "{{ value_json.status }}", {"device_class": "enum", "options": statuses}
    )
    yield _Entity("sensor", "Message", f"{{{{ value_json.in_words[:{_WORDS_MAX}] }}}}", {})
    if traits.has_plug:
        yield _is("Plugged in", "value_json.plugged", "plug")
    yield _is("Charging", "value_json.charging", "battery_charging")
    yield _is("Problem", "value_json.faults", "problem")
    faults = f"{{{{ (value_json.faults | join('; '))[:{_WORDS_MAX}] or 'none' }}}}"
    yield _Entity("sensor", "Faults", faults, {"entity_category": _DIAGNOSTIC})
    if traits.has_meter:
        yield _measured("Power", "power_w", "power", "W")
        for phase in range(traits.phases):
            current = f"(value_json.current_a or []) [{phase}:] | first | default(none)"
            template = f"{{{{ {current} }}}}"
            yield _measured(f"Current L{phase + 1}", "current_a", "current", "A", template)
        yield _counted("Energy", "import_wh")
        yield _counted("Session energy", "session_wh")
    yield _measured("Offered current", "offered_current_a", "current", "A")
    yield _measured("Limit in force", "limit_a", "current", "A")
    words = f"{{{{ value_json.limit_in_words[:{_WORDS_MAX}] }}}}"
    yield _Entity("sensor", "Limit set by", words, {"entity_category": _DIAGNOSTIC})
    yield _Entity(
        "sensor",
        "Session begun",
        _or_none("session_begun_at", "value_json.session_begun_at"),
        {"device_class": "timestamp"},
    )
    yield _Entity(
        "sensor", "Card", "{{ value_json.session_name or value_json.session_id_tag }}", {}
    )


def _is(name: str, claim: str, device_class: str, **more: Any) -> _Entity:
    template = f"{{{{ 'ON' if {claim} else 'OFF' }}}}"
    return _Entity("binary_sensor", name, template, {"device_class": device_class, **more})


def _measured(name: str, key: str, device_class: str, unit: str, template: str = "") -> _Entity:
    about = {
        "device_class": device_class,
        "state_class": "measurement",
        "unit_of_measurement": unit,
    }
    return _Entity("sensor", name, template or f"{{{{ value_json.{key} }}}}", about)


def _counted(name: str, key: str) -> _Entity:
    about = {
        "device_class": "energy",
        "state_class": "total_increasing",
        "unit_of_measurement": "kWh",
        "suggested_display_precision": 1,
    }
    return _Entity("sensor", name, _or_none(key, f"value_json.{key} / 1000"), about)


def _or_none(key: str, value: str) -> str:
    """Home Assistant shows None as unknown."""
    return f"{{{{ none if value_json.{key} is none else {value} }}}}"


def _announced(
    settings: Settings, topics: Topics, connector_id: int, place: str, entity: _Entity
) -> Publication:
    slug = f"{connector_id}_{entity.name.lower().replace(' ', '_')}"
    content = {
        "name": f"{place} {entity.name.lower()}" if place else entity.name,
        "unique_id": f"{topics.node}_{slug}",
        "state_topic": topics.state(connector_id),
        "value_template": entity.template,
        "availability_topic": topics.availability,
        "device": _device(settings, topics),
        "origin": {"name": "chargepoint-agent", "sw_version": package_version() or "unknown"},
        **entity.more,
    }
    prefix = settings.house.discovery_prefix
    topic = f"{prefix}/{entity.component}/{topics.node}/{slug}/config"
    return Publication(topic, json.dumps(content, separators=(",", ":")), is_kept=True)


def _device(settings: Settings, topics: Topics) -> Data:
    box = settings.charge_point
    found = {
        "identifiers": [topics.node],
        "name": f"Charger {settings.charger_id}",
        "manufacturer": box.vendor,
        "model": box.model,
        "sw_version": box.firmware_version or package_version(),
        "serial_number": box.serial_number,
    }
    return {name: value for name, value in found.items() if value}
