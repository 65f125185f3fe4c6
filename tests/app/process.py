"""A configuration with simulated hardware, and the agent as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.control.server import ask
from agent.platform.errors import ControlError

LIMIT_S = 30.0  # a backstop; every wait below ends when the thing happens

CONFIG = """
[charge_point]
identity = "CP-1"

[central_system]
url = "{url}"

[storage]
path = "{directory}/agent.db"

[reader]
driver = "simulated"

[[connectors]]
id = 1
contactor = {{ driver = "simulated", min_off_s = 0 }}
lock = {{ driver = "simulated" }}
plug = {{ driver = "simulated" }}
pilot = {{ driver = "simulated" }}
meter = {{ driver = "simulated", poll_s = 0.5 }}

[[connectors]]
id = 2
contactor = {{ driver = "simulated", min_off_s = 0 }}
plug = {{ driver = "simulated" }}
pilot = {{ driver = "simulated" }}
meter = {{ driver = "simulated", poll_s = 0.5 }}

[authorization]
tap_guard_s = 0
authorize_timeout_s = 1

[ocpp.configuration]
MeterValueSampleInterval = 1
"""


def write_config(directory: Path, url: str = "") -> Path:
    """A box of two connectors, every part of it simulated."""
    path = directory / "config.toml"
    path.write_text(CONFIG.format(directory=directory, url=url))
    return path


@dataclass
class Agent:
    """A running process and its control socket."""

    process: asyncio.subprocess.Process
    control: Path

    async def do(self, action: str, **request: Any) -> Any:
        return await asyncio.to_thread(ask, self.control, {"do": action, **request})

    async def status(self) -> dict[str, Any]:
        """What ``status`` says about connector 1."""
        connector: dict[str, Any] = (await self.do("status"))["connectors"][0]
        return connector

    async def until(self, claim: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the claim holds about connector 1."""
        async with asyncio.timeout(LIMIT_S):
            while not claim(await self.status()):
                await asyncio.sleep(0.02)

    async def charge(self, card: str) -> None:
        await self.do("sim", lever="plug")
        answer = await self.do("sim", lever="tap", card=card)
        assert answer["decision"]["verdict"] == "accepted"
        await self.until(lambda one: one["contactor"] == "closed")

    async def ends(self, number: int, within_s: float) -> tuple[int | None, str]:
        """Send the signal; returns the exit status and what stood on standard error."""
        self.process.send_signal(number)
        async with asyncio.timeout(within_s):
            _, errors = await self.process.communicate()
        return self.process.returncode, errors.decode()


@contextlib.asynccontextmanager
async def running_agent(control: Path, *arguments: str, **environment: str) -> AsyncIterator[Agent]:
    """Start ``python -m agent`` and wait for its control socket; it is killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "agent",
        *arguments,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    agent = Agent(process, control)
    try:
        await _wait_for_answers(agent)
        yield agent
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _wait_for_answers(agent: Agent) -> None:
    async with asyncio.timeout(LIMIT_S):
        while True:
            if agent.process.returncode is not None:
                _, errors = await agent.process.communicate()
                raise AssertionError(errors.decode())
            with contextlib.suppress(ControlError, json.JSONDecodeError):
                await agent.do("status")
                return
            await asyncio.sleep(0.05)
