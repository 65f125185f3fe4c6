"""Programs of others run in an environment of their own: their packages do not fit the agent's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BUILD = Path(__file__).parents[1] / "build"
INSTALL_S = 300.0


def python_with(name: str, *install: str) -> str:
    """A Python with what ``pip install`` of these arguments brings; made once, below build/.

    Making it needs a package index; without one the test is skipped.
    """
    place = BUILD / name
    python, ready = place / "bin" / "python", place / ".ready"
    made_of = " ".join(install) + sys.version
    if ready.exists() and ready.read_text() == made_of:
        return str(python)
    make = [sys.executable, "-m", "venv", "--clear", str(place)]
    options = ["--quiet", "--prefer-binary", "--no-compile", "--retries", "0"]
    try:
        for command in (make, [str(python), "-m", "pip", "install", *options, *install]):
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_S)
    except (subprocess.SubprocessError, OSError) as problem:
        pytest.skip(f"{name} cannot be installed here: {problem}")
    ready.write_text(made_of)
    return str(python)
