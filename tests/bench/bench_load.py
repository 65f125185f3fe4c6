"""A central system that asks 200 times a second: are all answered, and is anything missed?"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.box import cpu_seconds, started
from tests.bench.busy_central_system import KINDS
from tests.box_config import config_text, simulated

RATE = 200.0
SECONDS = 60.0
_LIMIT_S = 60.0  # beside the pressing itself
_ANSWERS_MAX = 8 * 1024 * 1024
_CONNECTORS = (simulated("meter"), simulated())


def run(rate: float = RATE, seconds: float = SECONDS) -> list[tuple[str, str]]:
    """Press so hard for so long, while a session is sampled and the line is pinged each second."""
    with tempfile.TemporaryDirectory() as name:
        seen, cpu_s = asyncio.run(_press(Path(name), rate, seconds))
    took_ms = [1e3 * took_s for took_s in seen["took_s"]]
    too_many = seen["errors"].get("GenericError", 0)
    times_s = [datetime.fromisoformat(text).timestamp() for text in seen["samples"]]
    pings_s = seen["pings"]
    return [
        (f"requests of {KINDS} kinds, {rate:.0f} a second: answered", _of(len(took_ms), seen)),
        ("refused because too many were in work", str(too_many)),
        ("answer, p50", f"{took_ms[len(took_ms) // 2]:.1f} ms"),
        ("answer, p99", f"{took_ms[len(took_ms) * 99 // 100]:.1f} ms"),
        ("longest answer", f"{took_ms[-1]:.0f} ms"),
        ("meter samples, one a second: missed", _missed(times_s)),
        ("longest time between two samples", f"{_longest(times_s):.2f} s"),
        ("pings, one a second: missed", _missed(pings_s)),
        ("longest time between two pings", f"{_longest(pings_s):.2f} s"),
        ("processor", f"{100 * cpu_s / seen['seconds']:.0f} % of one core"),
    ]


def _of(answered: int, seen: dict[str, Any]) -> str:
    return f"{answered} of {seen['sent']}"


def _missed(times_s: list[float]) -> str:
    missed = sum(max(0, round(gap_s) - 1) for gap_s in _gaps_s(times_s))
    return f"{missed} of {len(times_s) + missed}"


def _longest(times_s: list[float]) -> float:
    return max(_gaps_s(times_s), default=0.0)


def _gaps_s(times_s: list[float]) -> list[float]:
    return [later - sooner for sooner, later in itertools.pairwise(times_s)]


async def _press(directory: Path, rate: float, seconds: float) -> tuple[dict[str, Any], float]:
    """What the central system saw, and the processor time of the agent meanwhile."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.busy_central_system",
        str(rate),
        str(seconds),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_ANSWERS_MAX,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        config = directory / "config.toml"
        config.write_text(config_text(directory, url, _CONNECTORS), "utf-8")
        async with started(directory, ["-m", "agent", "run", "--config", str(config)]) as agent:
            before_s = cpu_seconds(agent.process.pid)
            async with asyncio.timeout(seconds + _LIMIT_S):
                seen = json.loads(await process.stdout.readline())
            cpu_s = cpu_seconds(agent.process.pid) - before_s
    finally:
        process.stdin.close()
        await process.wait()
    return seen, cpu_s


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
