"""From ``present-card`` over HTTP to StartTransaction at the central system.

The agent is a process with simulated hardware and a real disk; the cable is in, the card listed.
Wall time ends when the central system, a process of its own, has answered StartTransaction.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from agent.api.tokens import TokenFile
from tests.bench.bench_api import SECRET, api_config, until_it_serves
from tests.bench.bench_tap import fill_list, listed_uid
from tests.bench.box import cpu_seconds, started
from tests.bench.quick_central_system import Quick, watched_central_system
from tests.box_config import config_text
from tests.free_port import free_port

WARM_UP = 3
PAUSE_S = 0.5  # the API lets this many commands through, and the agent is at rest before the next


def run(cards: int = 30) -> list[tuple[str, str]]:
    """Present as many listed cards to a box with every part."""
    wall_s, processor_s = zip(*asyncio.run(_measure(cards)), strict=True)
    return [
        ("present-card to StartTransaction, p50 (aim: under 6 ms)", _ms(statistics.median(wall_s))),
        ("the same, least", _ms(min(wall_s))),
        (
            "the same: processor time until the session runs, p50",
            _ms(statistics.median(processor_s)),
        ),
    ]


async def _measure(cards: int) -> list[tuple[float, float]]:
    with tempfile.TemporaryDirectory() as name:
        directory, port = Path(name), free_port()
        fill_list(directory / "agent.db")
        TokenFile(directory).add("bench", ("read", "simulate"), SECRET, "2026-03-01T12:00:00Z")
        config = directory / "config.toml"
        async with watched_central_system("StartTransaction") as system:
            config.write_text(config_text(directory, system.url) + api_config(port), "utf-8")
            arguments = ["-m", "agent", "run", "--config", str(config)]
            async with started(directory, arguments) as moments, _client(port) as client:
                await until_it_serves(client)
                box = _Box(client, system, moments.process.pid)
                for _ in range(WARM_UP):
                    await box.present()
                return [await box.present() for _ in range(cards)]


def _client(port: int) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {SECRET}"}
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers)


class _Box:
    def __init__(self, client: httpx.AsyncClient, system: Quick, pid: int) -> None:
        self._client, self._system, self._pid = client, system, pid

    async def present(self) -> tuple[float, float]:
        """Plug in, present the card, end the session with it again and pull the plug."""
        await self._command("plug-connector", connector_id=1)
        await self._command("ev-requests-energy", connector_id=1)
        computed_s, begun_s = cpu_seconds(self._pid), time.monotonic()
        await self._post("present-card", uid=listed_uid(1), connector_id=1)
        started_s = await self._system.answered("StartTransaction")
        await asyncio.sleep(PAUSE_S)
        processor_s = cpu_seconds(self._pid) - computed_s
        await self._command("present-card", uid=listed_uid(1), connector_id=1)
        await self._command("unplug-connector", connector_id=1)
        return started_s - begun_s, processor_s

    async def _command(self, command: str, **event: object) -> None:
        await self._post(command, **event)
        await asyncio.sleep(PAUSE_S)

    async def _post(self, command: str, **event: object) -> None:
        body = {"target": {"charger_id": "CP-1"}, "event": event}
        answer = await self._client.post(f"/ocpp/commands/{command}", json=body)
        if answer.status_code != 202:
            raise RuntimeError(f"{command} was not taken: {answer.text[:200]}")


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
