"""How the daemon starts: the outputs are safe before anything that takes long."""

from __future__ import annotations

import subprocess
import sys

from tests.box_config import config_text

HEAVY = {"gpiozero", "jsonschema", "ocpp", "pymodbus", "sqlite3", "sqlite_utils", "websockets"}

# The rest of the agent cannot be imported here: what was done before is what we look at.
START_WITHOUT_THE_REST = f"""
import sys
sys.modules["agent.app.application"] = None
from agent.__main__ import main
try:
    main(["run", "--config", sys.argv[1]])
except ImportError:
    print(sorted({HEAVY!r} & set(sys.modules)))
"""


def test_the_outputs_are_safe_before_anything_heavy_is_imported(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(config_text(tmp_path), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", START_WITHOUT_THE_REST, str(config)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "outputs are safe" in done.stderr
    assert done.stdout.strip() == "[]"


def test_the_schemas_are_not_loaded_before_a_call_is_checked():
    program = "import sys, agent.app.application; print({'ocpp', 'jsonschema'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "set()"


def test_a_command_line_is_read_before_core_settings_or_database_are_loaded():
    late = {"agent.core.state", "agent.config.settings", "sqlite3", "asyncio"}
    program = f"import sys, agent.cli.main; print({late!r} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "set()"
