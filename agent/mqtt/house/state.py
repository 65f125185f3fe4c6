"""How the box and its connectors are, as the house reads it: one JSON object each. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from agent.control.snapshot import charge_point_snapshot
from agent.core import charging_profiles_applied, faults
from agent.core.charging_limits import rounded_down
from agent.core.external_limits import ExternalLimit, ExternalSource
from agent.core.state import ChargePoint, Connector
from agent.core.values import Instant, Status
from agent.mqtt.house.topics import WHOLE_BOX, Topics

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """What stands on one topic."""

    topic: str
    content: Any
    facts: Any  # the part of it that is told at once when it changes; the rest once in a while

    def text(self) -> str:
        """As it stands on the wire."""
        return json.dumps(self.content, separators=(",", ":"))


def reports(
    state: ChargePoint, now: Instant, topics: Topics, names: Mapping[str, str]
) -> list[Report]:
    """Everything that the house is told: the box first, then each connector.

    ``names`` of cards that may be told, by tag in capitals.
    """
    snapshot = charge_point_snapshot(state, now)
    found = [_box(state, snapshot, now, topics.state(WHOLE_BOX))]
    for each in snapshot["connectors"]:
        connector = state.connector(each["id"])
        found.append(_connector(state, connector, each, now, topics.state(each["id"]), names))
    return found


def _box(state: ChargePoint, snapshot: Data, now: Instant, topic: str) -> Report:
    facts = {
        "online": snapshot["online"],
        "registration": snapshot["registration"],
        "faults": snapshot["faults"],
        "firmware": snapshot["firmware"],
        **_house_limit(state, WHOLE_BOX, state.connectors[0]),
    }
    measured = {"messages_waiting": snapshot["messages_waiting"]}
    return Report(topic, {**facts, **measured, **_its_end(state, WHOLE_BOX, now)}, facts)


def _connector(
    state: ChargePoint,
    connector: Connector,
    snapshot: Data,
    now: Instant,
    topic: str,
    names: Mapping[str, str],
) -> Report:
    session: Mapping[str, Any] | None = snapshot["session"]
    meter: Mapping[str, Any] = snapshot["meter"] or {}
    standing = state.faults_of(connector)
    facts = {
        "status": snapshot["status"],
        "error_code": snapshot["error_code"],
        "faults": sorted(faults.RULES[fault].words for fault in standing),
        "plugged": snapshot["plugged"],
        "charging": snapshot["status"] == Status.CHARGING.value,
        "offered_current_a": snapshot["offered_current_a"],
        "limit_a": snapshot["limit"]["current_a"],
        "limit_source": snapshot["limit"]["source"],
        "limit_in_words": snapshot["limit"]["words"],
        **_house_limit(state, connector.connector_id, connector),
        "session_begun_at": session and session["begun_at"],
        "session_id_tag": session and session["id_tag"],
        "session_name": _name(connector, names),
    }
    measured = {
        # Here, because some sentences count seconds.
        "in_words": snapshot["in_words"],
        **_its_end(state, connector.connector_id, now),
        "power_w": meter.get("power_w"),
        "current_a": meter.get("current_a"),
        "import_wh": meter.get("import_wh"),
        "session_wh": session and session["energy_wh"],
        "session_minutes": session and session["duration_s"] // 60,
    }
    return Report(topic, {**facts, **measured}, facts)


def _name(connector: Connector, names: Mapping[str, str]) -> str | None:
    if connector.transaction is None:
        return None
    return names.get(connector.transaction.id_tag.upper()) or None


def _house_limit(state: ChargePoint, connector_id: int, connector: Connector) -> Data:
    """What the house has set there, per phase; ``connector`` tells what watts are in amperes."""
    limit = _set_by_house(state, connector_id)
    if limit is None:
        return {"house_limit_a": None}
    limit_a = limit.rate(charging_profiles_applied.wiring_of(connector)).current_a
    return {"house_limit_a": rounded_down(limit_a)}


def _its_end(state: ChargePoint, connector_id: int, now: Instant) -> Data:
    limit = _set_by_house(state, connector_id)
    if limit is None:
        return {"house_limit_valid_to": None}
    ends_at = now.utc + timedelta(seconds=limit.until_s - now.monotonic_s)
    return {"house_limit_valid_to": ends_at.isoformat(timespec="seconds")}


def _set_by_house(state: ChargePoint, connector_id: int) -> ExternalLimit | None:
    return next(
        (
            limit
            for limit in state.external_limits
            if (limit.source, limit.connector_id) == (ExternalSource.HOUSE, connector_id)
        ),
        None,
    )
