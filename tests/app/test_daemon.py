"""The real process: how it ends, how it is killed, how it comes back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.app.daemon import serve
from agent.core.values import AuthorizationStatus, IdTagInfo
from agent.store import Store
from tests.agent_process import LIMIT_S, running_agent
from tests.app.box import CARD, TRANSACTION_ID
from tests.box_config import write_config
from tests.emulators.central_system import FakeCentralSystem
from tests.emulators.virtual_clock import NOON
from tests.platform.test_systemd import Listener
from tests.store.builders import replace_list

pytestmark = pytest.mark.real_time


def put_on_list(database: Path, *tags: str) -> None:
    store = Store.open(database, now=NOON, make_id=lambda: "unused")
    accepted = IdTagInfo(AuthorizationStatus.ACCEPTED)
    replace_list(store, 1, [(tag, accepted) for tag in tags])
    store.close()


def queued(database: Path) -> list[str]:
    """The actions that wait in the outbox."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT action FROM outbox ORDER BY sequence").fetchall()
        return [action for (action,) in rows]


def run_simulated(directory: Path, url: str = "", **environment: str) -> Any:
    arguments = ("run", "--simulate", "--config", str(write_config(directory, url)))
    return running_agent(directory / "control.sock", *arguments, **environment)


async def received(system: FakeCentralSystem, action: str, count: int = 1) -> Any:
    async with asyncio.timeout(LIMIT_S):
        return await system.received(action, count)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_in_mid_session_ends_it_in_order_soon(tmp_path, number):
    system = FakeCentralSystem()
    async with system.serve() as url, run_simulated(tmp_path, url) as agent:
        await received(system, "StatusNotification", 3)
        await agent.charge(CARD)
        await received(system, "MeterValues")
        status, errors = await agent.ends(number)
        assert status == 0
        assert "Traceback" not in errors
        assert "all outputs are open; goodbye" in errors
        assert CARD not in errors
        stop = system.of("StopTransaction")[0]
        assert (stop.payload["reason"], stop.payload["transactionId"]) == ("Reboot", TRANSACTION_ID)
        assert not (tmp_path / "control.sock").exists()
        assert queued(tmp_path / "agent.db") == []


async def test_a_signal_without_central_system_leaves_the_stop_in_the_database(tmp_path):
    put_on_list(tmp_path / "agent.db", CARD)
    async with run_simulated(tmp_path) as agent:
        await agent.charge(CARD)
        status, errors = await agent.ends(signal.SIGTERM)
        assert status == 0
        assert "Traceback" not in errors
    actions = queued(tmp_path / "agent.db")
    assert (actions[0], actions[-1]) == ("StartTransaction", "StopTransaction")


async def test_a_process_that_is_killed_recovers_at_its_next_start(tmp_path):
    system = FakeCentralSystem()
    async with system.serve() as url:
        async with run_simulated(tmp_path, url) as agent:
            await received(system, "StatusNotification", 3)
            await agent.charge(CARD)
            await received(system, "MeterValues", 2)
            out_of_service = {"connectorId": 2, "type": "Inoperative"}
            answer = await system.send_call("ChangeAvailability", out_of_service)
            agent.process.kill()
            assert answer[2] == {"status": "Accepted"}
            await agent.process.communicate()
        assert (tmp_path / "control.sock").exists()  # nobody could tidy up
        assert system.of("StopTransaction") == []
        told = len(system.of("StatusNotification"))
        async with run_simulated(tmp_path, url) as agent:
            stop = await received(system, "StopTransaction")
            assert stop.payload["reason"] == "Reboot"
            assert stop.payload["transactionId"] == TRANSACTION_ID
            values = system.of("MeterValues")[-1].payload["meterValue"][0]
            assert stop.payload["meterStop"] == int(values["sampledValue"][0]["value"])
            assert (await agent.status())["contactor"] == "open"
            await received(system, "StatusNotification", told + 3)
            statuses = [call.payload for call in system.of("StatusNotification")[told:]]
            assert {one["connectorId"]: one["status"] for one in statuses}[2] == "Unavailable"
            status, errors = await agent.ends(signal.SIGTERM)
            assert status == 0
            assert "Traceback" not in errors
        starts = {call.unique_id for call in system.of("StartTransaction")}
        stops = {call.unique_id for call in system.of("StopTransaction")}
        assert (len(starts), len(stops)) == (1, 1)


async def test_a_reset_starts_the_process_again_in_its_place(tmp_path):
    system, manager = FakeCentralSystem(), Listener(str(tmp_path / "notify"))
    told = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "5000000"}
    async with system.serve() as url, run_simulated(tmp_path, url, **told) as agent:
        await received(system, "StatusNotification", 3)
        async with asyncio.timeout(LIMIT_S):
            answer = await system.send_call("Reset", {"type": "Hard"})
        assert answer[2] == {"status": "Accepted"}
        await received(system, "BootNotification", 2)
        assert agent.process.returncode is None  # the same process
        await received(system, "StatusNotification", 6)
        heard = [message for message in manager.heard() if message != "WATCHDOG=1"]
        # Never STOPPING=1: systemd would kill the fresh program when TimeoutStopSec is over.
        ready, patient = "READY=1\nWATCHDOG_USEC=5000000", "WATCHDOG=1\nWATCHDOG_USEC=90000000"
        assert heard == [ready, patient, ready]
        status, errors = await agent.ends(signal.SIGTERM)
        assert manager.heard()[-1] == "STOPPING=1"
        manager.close()
        assert status == 0
        assert "Traceback" not in errors
        assert "starting again" in errors


async def test_who_is_told_to_end_while_a_reset_takes_it_down_does_not_start_again():
    """systemd would wait for its end until TimeoutStopSec is over, and kill what has begun anew."""

    class Ending:
        def __init__(self) -> None:
            self.told = asyncio.Event()

        def shut_down(self) -> None:
            self.told.set()

        async def run(self) -> bool:
            os.kill(os.getpid(), signal.SIGTERM)
            await self.told.wait()
            return True

    application: Any = Ending()
    async with asyncio.timeout(LIMIT_S):
        assert await serve(application) is False


async def run_to_its_end(directory: Path, **limits: Any) -> tuple[int | None, list[str]]:
    """Run the daemon where it cannot start; returns status and the lines on standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent", "run", "--simulate"),
        *("--config", str(directory / "config.toml")),
        stderr=asyncio.subprocess.PIPE,
        **limits,
    )
    async with asyncio.timeout(LIMIT_S):
        _, errors = await process.communicate()
    return process.returncode, errors.decode().splitlines()


def no_room() -> None:
    """As on a full disk: no file of this process can grow."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


async def test_a_full_disk_at_the_start_is_one_line_and_status_1(tmp_path):
    write_config(tmp_path)
    status, lines = await run_to_its_end(tmp_path, preexec_fn=no_room)
    assert status == 1
    assert [line for line in lines if "INFO" not in line] == lines[-1:]
    assert lines[-1].startswith("error: Cannot open the database")


async def test_a_second_agent_on_the_same_database_is_one_line_before_any_pin_is_touched(tmp_path):
    async with run_simulated(tmp_path) as agent:
        status, lines = await run_to_its_end(tmp_path)
        assert status == 1
        assert len(lines) == 1, "nothing was done or said about outputs"
        assert "is another chargepoint-agent running?" in lines[-1]
        assert (await agent.status())["in_words"] == "free"  # the first goes on undisturbed


# --- the demonstration ---------------------------------------------------------------------------


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A socket's path has at most 107 bytes: too few for the usual one."""
    with tempfile.TemporaryDirectory(prefix="demo-") as directory:
        yield Path(directory)


async def test_ctrl_c_ends_the_demonstration_in_mid_session_soon(short_path):
    control = short_path / "chargepoint-agent/demo/control.sock"
    async with running_agent(control, "demo", XDG_STATE_HOME=str(short_path)) as agent:
        await agent.until_online()
        await agent.charge(CARD)
        agent.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(LIMIT_S):
            output, errors = await agent.process.communicate()
        assert agent.process.returncode == 0
        assert errors == b""
        told = output.decode()
        assert "sim tap 044943121F1A80" in told  # what to try
        assert "central system: " in told
        assert "session 1 ends (Reboot)" in told
        assert not control.exists()
