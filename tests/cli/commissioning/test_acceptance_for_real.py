"""The whole acceptance test against a real process and a real central system, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.__main__ import main
from tests.agent_process import LIMIT_S, Agent, running_agent
from tests.box_config import write_config
from tests.emulators.central_system import FakeCentralSystem

CARD = "044943121F1A80"
STEPS = ["ready", "rfid", "refused-card", "remote", "offline", "unplug", "grid-limit", "power-cut"]


class Operator:
    """Sits at the central system, and reads in the evidence file what to do there."""

    def __init__(self, central_system: FakeCentralSystem, evidence: Path) -> None:
        self._central_system = central_system
        self._evidence = evidence

    async def work(self) -> None:
        await self._until_asked("start a session")
        start = {"connectorId": 1, "idTag": CARD}
        answer = await self._central_system.send_call("RemoteStartTransaction", start)
        assert answer[2]["status"] == "Accepted"
        number = int((await self._until_asked("stop that session")).split()[-1].rstrip(")."))
        stop = {"transactionId": number}
        answer = await self._central_system.send_call("RemoteStopTransaction", stop)
        assert answer[2]["status"] == "Accepted"

    async def _until_asked(self, words: str) -> str:
        async with asyncio.timeout(LIMIT_S):
            while True:
                with contextlib.suppress(FileNotFoundError):
                    for step in json.loads(self._evidence.read_text())["steps"]:
                        if words in step["to_do"]:
                            return str(step["to_do"])
                await asyncio.sleep(0.05)


async def start_again_when_killed(agent: Agent, arguments: list[str]) -> None:
    """What systemd does on a real box."""
    await agent.process.wait()
    async with running_agent(agent.control, *arguments):
        await asyncio.Event().wait()


def command(config: Path, evidence: Path, *more: str) -> list[str]:
    words = ["acceptance", "--config", str(config), "--evidence", str(evidence), "--json"]
    return [*words, "--charge-s", "1", "--limit-s", f"{LIMIT_S:g}", *more]


@pytest.mark.real_time
async def test_every_step_is_walked_and_leaves_its_evidence(tmp_path: Path, capsys: Any):
    central_system = FakeCentralSystem(accepted_tags={CARD})
    evidence = tmp_path / "evidence"
    async with central_system.serve() as url, contextlib.AsyncExitStack() as stack:
        config = write_config(tmp_path, url)
        arguments = ["run", "--config", str(config)]
        control = tmp_path / "control.sock"
        agent = await stack.enter_async_context(running_agent(control, *arguments))
        await agent.until_online()
        kill = f"{sys.executable} -c 'import os; os.kill({agent.process.pid}, 9)'"
        operator = asyncio.create_task(
            Operator(central_system, evidence.with_suffix(".json")).work()
        )
        again = asyncio.create_task(start_again_when_killed(agent, arguments))
        try:
            status = await asyncio.to_thread(
                main, command(config, evidence, "--power-cut-command", kill)
            )
        finally:
            again.cancel()
            await asyncio.gather(again, return_exceptions=True)
        told = json.loads(capsys.readouterr().out)
        assert [(s["name"], s["result"], s["problem"]) for s in told["steps"]] == [
            (name, "passed", "") for name in STEPS
        ]
        assert (status, told["result"]) == (0, "passed")
        await operator

    assert json.loads(evidence.with_suffix(".json").read_text()) == told
    text = evidence.with_suffix(".txt").read_text()
    assert text.startswith("Acceptance test of CP-1: PASSED\n")
    assert max(map(len, text.splitlines())) <= 80
    assert CARD not in text + json.dumps(told)
    assert "04..80 accepted" in text
    assert told["about"]["hardware"] == "simulated"
    assert re.fullmatch(r"[0-9a-f]{64}", told["about"]["configuration_sha256"])
    facts = {step["name"]: " ".join(step["facts"]) for step in told["steps"]}
    assert "messages wait on the disk" in facts["offline"]
    assert "the agent has stopped answering" in facts["power-cut"]
    assert "was closed" in facts["power-cut"]

    # What the central system has heard is what the evidence says.
    stops = [call.payload["reason"] for call in central_system.of("StopTransaction")]
    assert sorted(stops) == ["EVDisconnected", "Local", "Local", "Local", "Reboot", "Remote"]
    assert len(central_system.of("StartTransaction")) == 6
