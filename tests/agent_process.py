"""The agent as a process of its own, and its control socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from agent.control.server import ask
from agent.platform.errors import ControlError

LIMIT_S = 60.0  # a backstop; every wait below ends when the thing happens


class ProcessEnded(Exception):
    """The process does not live any more."""


@dataclass
class Agent:
    """A running process and its control socket."""

    process: Process
    control: Path

    async def do(self, action: str, **request: Any) -> Any:
        return await asyncio.to_thread(ask, self.control, {"do": action, **request})

    async def ready(self) -> None:
        """Wait until it answers. Raises ProcessEnded with what it has said, TimeoutError."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                with contextlib.suppress(ControlError, json.JSONDecodeError):
                    await self.do("status")
                    return
                if self.process.returncode is not None:
                    _, errors = await self.process.communicate()
                    raise ProcessEnded((errors or b"").decode())
                await asyncio.sleep(0.02)

    async def status(self) -> dict[str, Any]:
        """What ``status`` says about connector 1."""
        connector: dict[str, Any] = (await self.do("status"))["connectors"][0]
        return connector

    async def until(self, claim: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the claim holds about connector 1."""
        async with asyncio.timeout(LIMIT_S):
            while not claim(await self.status()):
                await asyncio.sleep(0.02)

    async def until_online(self) -> None:
        """Wait until the central system has accepted it: it answers here before that."""
        async with asyncio.timeout(LIMIT_S):
            while not (await self.do("status"))["online"]:
                await asyncio.sleep(0.02)

    async def charge(self, card: str) -> None:
        await self.do("sim", lever="plug")
        answer = await self.do("sim", lever="tap", card=card)
        assert answer["decision"]["verdict"] == "accepted"
        await self.until(lambda one: one["contactor"] == "closed")

    async def ends(self, number: int) -> tuple[int | None, str]:
        """Send the signal; returns the exit status and what stood on standard error."""
        self.process.send_signal(number)
        async with asyncio.timeout(LIMIT_S):
            _, errors = await self.process.communicate()
        return self.process.returncode, (errors or b"").decode()

    async def kill(self) -> None:
        """SIGKILL, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.communicate()


async def start_python(
    *arguments: str, output: int | IO[bytes] = PIPE, environment: dict[str, str] | None = None
) -> Process:
    """Start ``python ARGUMENTS``, whose output goes there; does not wait for it."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env={**os.environ, **(environment or {})},
        stdin=DEVNULL,
        stdout=output,
        stderr=output,
    )


@contextlib.asynccontextmanager
async def running_agent(control: Path, *arguments: str, **environment: str) -> AsyncIterator[Agent]:
    """Start ``python -m agent`` and wait until it answers; it is killed at the end."""
    process = await start_python("-m", "agent", *arguments, environment=environment)
    agent = Agent(process, control)
    try:
        await agent.ready()
        yield agent
    finally:
        await agent.kill()
