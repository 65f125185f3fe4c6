"""docs/control-api.md says what is so: its lines run, its tables are complete."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.routing import Route

from agent.api.app import build_app
from agent.config.settings import SCOPES
from tests.api.commands import ALL_COMMANDS
from tests.api.harness import SECRET, api_settings, running_charger

DOCUMENT = (Path(__file__).parents[2] / "docs" / "control-api.md").read_text(encoding="utf-8")


def shell_blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)


def test_every_command_and_scope_is_named():
    for command in ALL_COMMANDS:
        assert f"`{command}`" in DOCUMENT
    for scope in SCOPES:
        assert f"| `{scope}` |" in DOCUMENT


def routes_of_the_document() -> set[str]:
    """``POST /ocpp/queue/{}/retry``: without the names of places and without queries."""
    named = re.findall(r"\b(GET|POST|PUT|DELETE) (/[\w/{}.-]*)", DOCUMENT)
    for base, heading in (("ocpp", "| command | event |"), ("evcharger", "| command | payload |")):
        commands = DOCUMENT.partition(heading)[2].partition("\n\n")[0]
        for row in commands.splitlines()[2:]:
            for command in re.findall(r"`([^`]+)`", row.split("|")[1]):
                named.append(("POST", f"/{base}/commands/{command}"))
    routes = {re.sub(r"{[^}]*}", "{}", " ".join(route)) for route in named}
    return {route for route in routes if not route.endswith("...")}


def test_every_route_of_the_application_is_in_the_document_and_no_other():
    service: Any = SimpleNamespace(agent=None, perform=id, submit=id)
    routes = {
        f"{method} {re.sub('{[^}]*}', '{}', route.path)}"
        for route in build_app(service).routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert len(routes) > len(ALL_COMMANDS)
    assert routes_of_the_document() == routes


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_lines_can_be_run_as_they_stand(tmp_path):
    settings = api_settings(tmp_path)
    box = replace(settings.charge_point, charger_id="DEMO-1")
    settings = replace(settings, charge_point=box)
    first, *blocks = shell_blocks()
    assert "TOKEN=" in first
    assert "API=" in first
    with running_charger(settings) as charger:
        environment = {"PATH": os.environ["PATH"], "TOKEN": SECRET, "API": charger.url}
        for block in blocks:
            ran = subprocess.run(
                ["sh", "-e", "-c", block.replace("curl -s", "curl -sS --fail-with-body")],
                env=environment,
                capture_output=True,
                text=True,
                timeout=30,
            )
            assert ran.returncode == 0, (block, ran.stdout, ran.stderr)
        charger.until(lambda: charger.central_system.of("StopTransaction") != [])
        assert charger.state.local_list.entries == 1
