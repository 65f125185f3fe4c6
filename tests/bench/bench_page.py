"""The page: its first load, the memory it adds, what ten open pages cost while things happen.

The agent is a process of its own with simulated hardware. A car charges, and ten times a second
something changes in it, so that every open page has news as often as the page allows (once a
second). What the agent's own loop loses is seen in how long the control socket takes to answer.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx

from agent.api.tokens import TokenFile
from tests.bench.bench_api import SECRET, SETTLE_S, until_it_serves
from tests.bench.bench_idle import kib
from tests.bench.box import cpu_seconds, started
from tests.box_config import config_text
from tests.free_port import free_port

PAGES = 10
WATCH_S = 20.0
LOADS = 30
CHANGES_PER_S = 10
CARD = "044943121F1A80"
FIRST_LOAD = (
    "/",
    "/page/static/page.css",
    "/page/static/page.js",
    "/page/static/icon.svg",
)


def run(watch_s: float = WATCH_S, loads: int = LOADS) -> list[tuple[str, str]]:
    """Measure in temporary directories."""
    without_kib, _ = asyncio.run(_measure(False, watch_s, loads))
    with_kib, rows = asyncio.run(_measure(True, watch_s, loads))
    return [
        *rows,
        ("resident memory with the API alone", f"{without_kib / 1024:.1f} MiB"),
        (f"resident memory after {PAGES} open pages", f"{with_kib / 1024:.1f} MiB"),
    ]


async def _measure(
    with_page: bool, watch_s: float, loads: int
) -> tuple[int, list[tuple[str, str]]]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        TokenFile(directory).add("bench", ("read", "operate"), SECRET, "2026-03-01T12:00:00Z")
        port = free_port()
        authorization = {"tap_guard_s": 0, "free_charging_id_tag": "FREE"}
        text = config_text(
            directory,
            authorization=authorization,
            api={"enabled": True, "listen": f"127.0.0.1:{port}", "page": with_page},
        )
        config = directory / "config.toml"
        config.write_text(text, "utf-8")
        async with started(directory, ["-m", "agent", "run", "--config", str(config)]) as moments:
            address = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(base_url=address, timeout=30) as client:
                await until_it_serves(client)
                agent = _Agent(directory / "control.sock", moments.process.pid)
                await agent.do("sim", lever="plug", connector=1)
                rows = [] if not with_page else await _page(client, agent, watch_s, loads)
            await asyncio.sleep(SETTLE_S)
            return kib(moments.process.pid, "status", "VmRSS"), rows


async def _page(
    client: httpx.AsyncClient, agent: _Agent, watch_s: float, loads: int
) -> list[tuple[str, str]]:
    answer = await client.post(
        "/login", data={"token": SECRET}, headers={"Origin": str(client.base_url).rstrip("/")}
    )
    if answer.status_code != 303:
        raise RuntimeError(f"no login: {answer.status_code}")
    rows = await _first_load(client, loads)
    quiet = await agent.watched(watch_s)
    async with AsyncExitStack() as stack:
        pages = [_OpenPage(client) for _ in range(PAGES)]
        for page in pages:
            await stack.enter_async_context(page)
        await asyncio.sleep(SETTLE_S)
        before = [(page.updates, page.size) for page in pages]
        busy = await agent.watched(watch_s)
        updates = sum(p.updates - b[0] for p, b in zip(pages, before, strict=True)) / watch_s
        size = sum(p.size - b[1] for p, b in zip(pages, before, strict=True)) / watch_s
    return [
        *rows,
        (f"parts sent to {PAGES} open pages, all together", f"{updates:.1f} /s"),
        ("bytes to each of them", f"{size / PAGES / 1000:.2f} kB/s"),
        ("processor, no page open", f"{quiet.cpu * 100:.1f} % of one core"),
        (f"processor, {PAGES} pages open", f"{busy.cpu * 100:.1f} % of one core"),
        ("control socket, no page open, p50, p99", _times(quiet.answers_s)),
        (f"control socket, {PAGES} pages open, p50, p99", _times(busy.answers_s)),
    ]


async def _first_load(client: httpx.AsyncClient, loads: int) -> list[tuple[str, str]]:
    """What a browser that was never here asks for, one after the other on one connection."""
    sizes: dict[str, int] = {}
    times_s = []
    for _ in range(loads):
        begun_s = perf_counter()
        for path in FIRST_LOAD:
            answer = await client.get(path)
            if answer.status_code != 200:
                raise RuntimeError(f"{path}: {answer.status_code}")
            sizes[path] = answer.num_bytes_downloaded
        times_s.append(perf_counter() - begun_s)
    return [
        ("first load", f"{sum(sizes.values()) / 1000:.1f} kB in {len(FIRST_LOAD)} requests"),
        ("first load: of it the page itself", f"{sizes['/'] / 1000:.1f} kB"),
        ("first load, one request after the other, fastest", f"{min(times_s) * 1e3:.0f} ms"),
        ("first load, one request after the other, p50, p99", _times(times_s)),
    ]


def _times(times_s: Sequence[float]) -> str:
    ordered = sorted(times_s)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"{statistics.median(ordered) * 1e3:.1f} ms, {p99 * 1e3:.1f} ms"


@dataclass
class _Watched:
    cpu: float
    answers_s: list[float]


class _Agent:
    """The process under test, over its control socket."""

    def __init__(self, control: Path, pid: int) -> None:
        self._control = control
        self._pid = pid

    async def do(self, action: str, **request: Any) -> Any:
        reader, writer = await asyncio.open_unix_connection(str(self._control))
        try:
            writer.write(json.dumps({"do": action, **request}).encode() + b"\n")
            answer = json.loads(await reader.readline())
        finally:
            writer.close()
        if not answer["ok"]:
            raise RuntimeError(answer["error"])
        return answer["result"]

    async def watched(self, watch_s: float) -> _Watched:
        """Let things happen for a while, and note what it costs."""
        answers_s = []
        before_s, begun_s = cpu_seconds(self._pid), perf_counter()
        for number in range(int(watch_s * CHANGES_PER_S)):
            due_s = begun_s + number / CHANGES_PER_S
            await asyncio.sleep(max(0.0, due_s - perf_counter()))
            asked_s = perf_counter()
            await self.do("sim", lever="energy", wanted=number % 2 == 0, connector=1)
            answers_s.append(perf_counter() - asked_s)
        taken_s = perf_counter() - begun_s
        return _Watched((cpu_seconds(self._pid) - before_s) / taken_s, answers_s)


class _OpenPage:
    """Somebody looks at the overview."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._reading: asyncio.Task[None] | None = None
        self.updates = 0
        self.size = 0  # on the wire

    async def __aenter__(self) -> _OpenPage:
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *problem: object) -> None:
        assert self._reading is not None
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        limits = httpx.Timeout(30, read=60)
        async with self._client.stream("GET", "/page/events?page=overview", timeout=limits) as s:
            if s.status_code != 200:
                raise RuntimeError(f"no events: {s.status_code}")
            async for line in s.aiter_lines():
                self.size = s.num_bytes_downloaded
                self.updates += line.startswith("data: ")


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
