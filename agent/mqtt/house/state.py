"""How the box and its connectors are, as the house reads it: one JSON object each. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.control.snapshot import charge_point_snapshot
from agent.core import connector as connectors
from agent.core import faults
from agent.core.state import ChargePoint
from agent.core.values import Instant, Status
from agent.mqtt.house.topics import WHOLE_BOX, Topics

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """What stands on one topic."""

    topic: str
    facts: Data  # a change is told at once
    measured: Data  # a change is told once in a while

    def text(self) -> str:
        """As it stands on the wire."""
        return json.dumps({**self.facts, **self.measured}, separators=(",", ":"))


def reports(state: ChargePoint, now: Instant, topics: Topics) -> list[Report]:
    """Everything that the house is told: the box first, then each connector."""
    snapshot = charge_point_snapshot(state, now)
    found = [_box(snapshot, topics.state(WHOLE_BOX))]
    for each in snapshot["connectors"]:
        standing = connectors.all_faults(state, state.connector(each["id"]))
        words = sorted(faults.RULES[fault].words for fault in standing)
        found.append(_connector(each, words, topics.state(each["id"])))
    return found


def _box(snapshot: Data, topic: str) -> Report:
    facts = {
        "online": snapshot["online"],
        "registration": snapshot["registration"],
        "faults": snapshot["faults"],
        "firmware": snapshot["firmware"],
    }
    return Report(topic, facts, {"messages_waiting": snapshot["messages_waiting"]})


def _connector(connector: Data, faults_in_words: list[str], topic: str) -> Report:
    session: Mapping[str, Any] | None = connector["session"]
    meter: Mapping[str, Any] = connector["meter"] or {}
    facts = {
        "status": connector["status"],
        "error_code": connector["error_code"],
        "faults": faults_in_words,
        "plugged": connector["plugged"],
        "charging": connector["status"] == Status.CHARGING.value,
        "offered_current_a": connector["offered_current_a"],
        "session_begun_at": session and session["begun_at"],
        "session_id_tag": session and session["id_tag"],
    }
    measured = {
        # Here, because some sentences count seconds.
        "in_words": connector["in_words"],
        "power_w": meter.get("power_w"),
        "current_a": meter.get("current_a"),
        "import_wh": meter.get("import_wh"),
        "session_wh": session and session["energy_wh"],
        "session_minutes": session and session["duration_s"] // 60,
    }
    return Report(topic, facts, measured)
