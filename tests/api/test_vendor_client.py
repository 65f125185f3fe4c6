"""The vendor's own client packages (ocpplab 0.2.1 and 0.3.2) work against the agent.

They want an older pydantic-core than the agent, so each gets an environment of its own. Making that
needs a package index; without one the test is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.api.harness import SECRET, api_settings, running_charger
from tests.own_environment import python_with

PROGRAMS = Path(__file__).parent
RUN_S = 60.0


def what_it_tells(version: str, program: str, directory: Path) -> dict[str, Any]:
    """Run the program with that version of the client against a charger."""
    python = python_with(f"vendor-client-{version}", f"ocpplab=={version}")
    with running_charger(api_settings(directory)) as charger:
        ran = subprocess.run(
            [python, str(PROGRAMS / program), charger.url, SECRET],
            capture_output=True,
            text=True,
            timeout=RUN_S,
            env={"PATH": os.environ["PATH"]},
        )
    assert ran.returncode == 0, ran.stderr
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


def test_the_client_of_the_documents_drives_the_agent(tmp_path: Path):
    told = what_it_tells("0.2.1", "vendor_client_program.py", tmp_path)
    assert told["health"] == {"status": "ok"}
    assert told["charger"] == ["dep-123", "CP-DEMO-123", "ocpp1.6", 1]
    assert told["list"] == ["Accepted", 2, 2]
    assert told["cleared"] == ["Local authorization list cleared", 2]
    assert told["configured"] == ["Accepted", ["HeartbeatInterval"]]
    assert told["cache"] == "Authorization cache cleared"
    assert told["fault"] == ["Faulted", "Available"]
    assert told["queued"] == [
        "plug_connector",
        "authorize_id_tag",
        "start_transaction",
        "ev_requests_energy",
        "power_update",
        "ev_stops_energy",
        "stop_transaction",
        "unplug_connector",
        "start_session",
        "stop_session",
        "unlock_connector",
        "heartbeat",
    ]
    assert told["ended"] == ["applied"] * 12
    assert told["logged"] is True
    assert told["errors"] == {
        "404": "NotFoundError",
        "401": "UnauthorizedError",
        "409": "ApiError",
        "422": "UnprocessableEntityError",
    }


def test_the_client_of_today_drives_the_agent(tmp_path: Path):
    told = what_it_tells("0.3.2", "vendor_client_program_03.py", tmp_path)
    assert told["list"] == {"status": "Accepted", "list_version": 2, "entries_received": 1}
    assert told["list again"] == "rejected"
    assert told["cleared"] == {"msg": "Local authorization list cleared", "entries_deleted": 1}
    assert told["configured"]["results"] == {"HeartbeatInterval": "Accepted"}
    assert told["not configured"] == "rejected"
    assert (told["fault"], told["mended"]) == ("Faulted", "Available")
    ended = told["ended"]
    assert (ended.pop("send_local_list"), ended.pop("set_configuration")) == (
        "rejected",
        "rejected",
    )
    assert ended == dict.fromkeys(
        (
            "clear_local_list",
            "reset_cache",
            "inject_fault",
            "clear_fault",
            "plug_connector",
            "authorize_id_tag",
            "start_session",
            "ev_requests_energy",
            "power_update",
            "ev_stops_energy",
            "stop_session",
            "unplug_connector",
            "heartbeat",
        ),
        "applied",
    )
    assert told["newest"] == ["heartbeat", "unplug_connector"]
    assert told["errors"] == {
        "404": "NotFoundError",
        "401": "UnauthorizedError",
        "409": "ApiError",
        "422": "UnprocessableEntityError",
    }
    assert told["no such command"] == "NotFoundError"
