"""The vendor's own client package (ocpplab 0.2.1) works against the agent.

It wants an older pydantic-core than the agent, so it gets an environment of its own. Making that
needs a package index; without one the test is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.harness import SECRET, api_settings, running_charger

PACKAGE = "ocpplab==0.2.1"
BUILD = Path(__file__).parents[2] / "build" / "vendor-client"
PROGRAM = Path(__file__).with_name("vendor_client_program.py")
INSTALL_S = 90.0
RUN_S = 60.0


@pytest.fixture(scope="module")
def vendor_python() -> str:
    """A Python that has the vendor's client; made once, below build/."""
    python = BUILD / "bin" / "python"
    ready = BUILD / ".ready"
    if ready.exists() and ready.read_text() == PACKAGE + sys.version:
        return str(python)
    try:
        subprocess.run(
            [sys.executable, "-m", "venv", "--clear", str(BUILD)],
            check=True,
            capture_output=True,
            timeout=INSTALL_S,
        )
        install = ["-m", "pip", "install", "--quiet", "--prefer-binary", "--retries", "0"]
        subprocess.run(
            [str(python), *install, PACKAGE], check=True, capture_output=True, timeout=INSTALL_S
        )
    except (subprocess.SubprocessError, OSError) as problem:
        pytest.skip(f"the vendor's client package cannot be installed here: {problem}")
    ready.write_text(PACKAGE + sys.version)
    return str(python)


def test_the_vendors_client_drives_the_agent(vendor_python: str, tmp_path: Path):
    with running_charger(api_settings(tmp_path)) as charger:
        ran = subprocess.run(
            [vendor_python, str(PROGRAM), charger.url, SECRET],
            capture_output=True,
            text=True,
            timeout=RUN_S,
            env={"PATH": os.environ["PATH"]},
        )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
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
