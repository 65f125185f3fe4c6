"""From the start of the process to safe outputs, to the first card, to BootNotification."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.bench.box import START_LIMIT_S, cpu_seconds, started
from tests.box_config import config_text
from tests.emulators.central_system import FakeCentralSystem

RUNS = 9


def run() -> list[tuple[str, str]]:
    """Start ``python -m agent run`` against a central system on a real WebSocket."""
    first, *later = asyncio.run(_starts())
    booted = [start.booted_s for start in later]
    rows = [
        (f"to safe outputs, median of {RUNS}", statistics.median(s.safe_s for s in later)),
        ("to ready for cards, median", statistics.median(s.ready_s for s in later)),
        ("to BootNotification on the wire, median (aim: under 1 s)", statistics.median(booted)),
        ("to BootNotification, fastest", min(booted)),
        ("to BootNotification, slowest", max(booted)),
        ("to BootNotification, first start ever", first.booted_s),
        ("processor time of it, median", statistics.median(s.cpu_s for s in later)),
    ]
    return [(label, f"{seconds * 1e3:.0f} ms") for label, seconds in rows]


class Start(NamedTuple):
    """Seconds from the start of the process, and of processor time until BootNotification."""

    safe_s: float
    ready_s: float
    booted_s: float
    cpu_s: float


async def _starts() -> list[Start]:
    """The first start makes the database; the others find it."""
    with tempfile.TemporaryDirectory() as name:
        return [await _start(Path(name)) for _ in range(RUNS + 1)]


async def _start(directory: Path) -> Start:
    central_system = FakeCentralSystem()
    async with central_system.serve() as url:
        config = directory / "config.toml"
        config.write_text(config_text(directory, url), "utf-8")
        async with started(directory, ["-m", "agent", "run", "--config", str(config)]) as moments:
            async with asyncio.timeout(START_LIMIT_S):
                boot = await central_system.received("BootNotification")
            return Start(
                moments.outputs_safe_s - moments.begun_s,
                moments.ready_s - moments.begun_s,
                boot.at_s - moments.begun_s,
                cpu_seconds(moments.process.pid),
            )


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
