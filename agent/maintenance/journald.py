"""What journald kept of this service: bounded in time and size, empty where there is none."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

UNIT = "chargepoint-agent.service"
LINES_MAX = 4000
CHARS_MAX = 1_000_000
_WITHIN_S = 15.0


def journal_excerpt(
    begin: datetime | None, end: datetime | None, program: str = "journalctl"
) -> str:
    """The last lines of the unit between two instants; a sentence when they cannot be had."""
    command = [program, "--unit", UNIT, "--lines", str(LINES_MAX), "--no-pager", "--quiet"]
    command += ["--output", "short-iso", "--utc"]
    command += [] if begin is None else ["--since", _stamp(begin)]
    command += [] if end is None else ["--until", _stamp(end)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_WITHIN_S,
            check=False,
        )
    except FileNotFoundError:
        return "(there is no journald on this machine)"
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"(journald cannot be asked: {type(problem).__name__})"
    text = done.stdout.decode("utf-8", "replace")
    if len(text) > CHARS_MAX:  # from a whole line on: half a secret would not be recognised
        text = text[-CHARS_MAX:].partition("\n")[2]
    if text.strip():
        return text
    return "(journald shows this user nothing of the service; root and the group adm may read it)"


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
