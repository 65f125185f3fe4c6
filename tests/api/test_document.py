"""docs/control-api.md says what is so: its lines run, its tables are complete."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from agent.settings import SCOPES
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
