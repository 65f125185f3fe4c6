"""The control API: list updates over HTTP into a running agent, and what the API adds in memory.

The agent is a process of its own with simulated hardware and a real disk; the client keeps one
connection open. Times are from the request's first byte to the answer's last.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from agent.api.tokens import TokenFile
from tests.bench.bench_idle import kib
from tests.bench.box import START_LIMIT_S, started
from tests.box_config import config_text
from tests.free_port import free_port

SECRET = "bench-kQ7xV2mN9pL4wR8tZ3bC"
UPDATES = 100
SETTLE_S = 3.0

_CONFIG = """
[api]
enabled = true
listen = "127.0.0.1:{port}"
"""


def run(updates: int = UPDATES) -> list[tuple[str, str]]:
    """Measure in temporary directories; the times depend on their disk."""
    without_kib, _ = asyncio.run(_measure(None, updates))
    with_kib, rows = asyncio.run(_measure(free_port(), updates))
    return [
        *rows,
        ("resident memory without the API", f"{without_kib / 1024:.1f} MiB"),
        ("resident memory with it, after these requests", f"{with_kib / 1024:.1f} MiB"),
    ]


def api_config(port: int) -> str:
    """The text of a configuration that serves the control API; tokens are the caller's."""
    return _CONFIG.format(port=port)


async def _measure(port: int | None, updates: int) -> tuple[int, list[tuple[str, str]]]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        text = config_text(directory)
        if port is not None:
            TokenFile(directory).add("bench", ("read", "configure"), SECRET, "2026-03-01T12:00:00Z")
            text += api_config(port)
        config = directory / "config.toml"
        config.write_text(text, "utf-8")
        arguments = ["-m", "agent", "run", "--config", str(config)]
        async with started(directory, arguments) as moments:
            rows = [] if port is None else await _requests(port, updates)
            await asyncio.sleep(SETTLE_S)
            return kib(moments.process.pid, "status", "VmRSS"), rows


async def _requests(port: int, updates: int) -> list[tuple[str, str]]:
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        await until_it_serves(client)
        version = 0
        rows = []
        for size in (2, 1000):
            times_s = []
            for _ in range(updates):
                version += 1
                times_s.append(await _timed(client, version, size))
            rows += _figures(f"list update of {size:,} entries", times_s)
        return rows


async def until_it_serves(client: httpx.AsyncClient) -> None:
    """Wait until the agent has imported what serves the control API."""
    async with asyncio.timeout(START_LIMIT_S):
        while True:
            try:
                await client.get("/health")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return


async def _timed(client: httpx.AsyncClient, version: int, size: int) -> float:
    entries = [
        {"id_tag": f"TAG{version:05}{number:06}", "expiry_date": "2030-01-01T00:00:00Z"}
        for number in range(size)
    ]
    body: dict[str, Any] = {
        "target": {"charger_id": "CP-1"},
        "event": {"list_version": version, "entries": entries},
    }
    while True:
        begun_s = time.perf_counter()
        answer = await client.post("/ocpp/commands/local-auth-list", json=body, timeout=30)
        taken_s = time.perf_counter() - begun_s
        if answer.status_code != 429:  # the rate limit of the API is not what is measured
            break
        await asyncio.sleep(float(answer.headers["Retry-After"]))
    if answer.json().get("status") != "Accepted":
        raise RuntimeError(f"the list was not taken: {answer.text[:200]}")
    return taken_s


def _figures(label: str, times_s: list[float]) -> list[tuple[str, str]]:
    ordered = sorted(times_s)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return [
        (f"{label}, p50", f"{statistics.median(ordered) * 1e3:.1f} ms"),
        (f"{label}, p99", f"{p99 * 1e3:.1f} ms"),
    ]
