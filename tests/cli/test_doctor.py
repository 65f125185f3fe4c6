"""``chargepoint-agent doctor``, from the configuration to the exit status."""

from __future__ import annotations

import asyncio
import json
import socketserver
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.app.application import Application
from agent.cli import doctor, paths
from agent.config.config_file import read_config
from agent.config.demo_settings import demo_settings
from agent.core.connection_profile import (
    ConnectionProfile,
    ConnectionProfiles,
    SaveConnectionProfiles,
)
from agent.maintenance import check_box
from agent.runtime.clock import SystemClock
from agent.store import Store
from tests.agent_process import LIMIT_S
from tests.box_config import WITH_EVERY_PART, config_text, write_config
from tests.emulators.authorities import made
from tests.emulators.central_system import FakeCentralSystem
from tests.emulators.virtual_clock import NOON
from tests.free_port import free_port


@pytest.fixture(autouse=True)
def a_good_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk of whoever runs the tests may be full, or a tmpfs."""
    monkeypatch.setattr(check_box, "file_system_of", lambda place: "ext4")
    monkeypatch.setattr(check_box, "FREE_MB_NEEDED", 0)


def steps(output: str) -> dict[str, str]:
    """Every line by its step."""
    return {line[6:19].strip(): line for line in output.splitlines()}


def test_a_box_without_agent_and_central_system_is_healthy(tmp_path, capsys):
    assert main(["doctor", "--config", str(write_config(tmp_path))]) == 0
    told = steps(capsys.readouterr().out)
    assert told["configuration"].startswith("NOTE")
    assert told["agent"].startswith("NOTE  agent          no agent is running")
    assert told["link"].startswith("SKIP")


def test_a_grid_operators_contact_that_no_agent_watches_is_told(tmp_path, capsys):
    config = write_config(tmp_path)
    with config.open("a") as file:
        file.write("[inputs.grid_limit]\ndriver = 'simulated'\n")
    assert main(["doctor", "--config", str(config)]) == 0
    line = steps(capsys.readouterr().out)["grid limit"]
    assert line == "SKIP  grid limit     only the running agent sees its contact"
    (edited,) = doctor._about_grid_limit({"faults": []})  # of an agent that began before
    assert (edited.words, edited.then) == (
        "the agent began without its contact",
        "restart the agent",
    )


@pytest.mark.parametrize(
    ("days", "verdict", "ends"),
    [(-1, "FAIL", "has ended"), (5, "NOTE", "ends"), (400, "PASS", "ends")],
)
def test_the_end_of_the_certificate_in_the_file_is_told(tmp_path, capsys, days, verdict, ends):
    end = SystemClock().now().utc + timedelta(days=days)
    own = made("Root").signs("CP-1", end=end)
    central_system = {
        "url": f"wss://127.0.0.1:{free_port()}",
        "security_profile": 3,
        "certificate_file": str(tmp_path / "own.pem"),
        "certificate_key_file": str(tmp_path / "own.key"),
    }
    (tmp_path / "own.pem").write_text(own.pem)
    (tmp_path / "own.key").write_text(own.key_pem())
    (tmp_path / "own.key").chmod(0o600)
    config = tmp_path / "config.toml"
    config.write_text(config_text(tmp_path, central_system=central_system))
    assert main(["doctor", "--config", str(config)]) == 1  # nobody listens there
    told = steps(capsys.readouterr().out)
    next_one = "whoever made it makes the next one: central_system.certificate_file names it"
    then = "" if verdict == "PASS" else f"; next: {next_one}"
    words = f"that of this box, CN=CP-1, {ends} {end.date()}{then}"
    assert told["certificate"] == f"{verdict}  certificate    {words}"


def test_of_a_configuration_with_mistakes_every_one_is_told_and_the_walk_goes_on(tmp_path, capsys):
    config = tmp_path / "config.toml"
    config.write_text(
        f"[charge_point]\nidentity = 5\ncolour = 1\n[storage]\npath = '{tmp_path}/agent.db'\n"
    )
    assert main(["doctor", "--config", str(config)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line[:19] for line in lines[1:4]] == ["FAIL  configuration"] * 3
    assert "sudo nano" in lines[3]
    # What does not need the file is looked at all the same.
    assert [line[:14] for line in lines[4:]] == [
        "PASS  disk    ",
        "SKIP  database",
        "NOTE  agent   ",
        "SKIP  link    ",
    ]


def test_a_central_system_that_is_not_there_is_unhealthy(tmp_path, capsys):
    config = write_config(tmp_path, "ws://127.0.0.1:1/ocpp")
    assert main(["doctor", "--config", str(config), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    verdicts = {finding["step"]: finding["verdict"] for finding in answer["findings"]}
    assert verdicts["TCP"] == "fail"
    assert verdicts["boot"] == "skip"
    assert set(answer["findings"][0]) == {"step", "verdict", "words", "then"}


@pytest.mark.parametrize("section", ["mqtt", "house"])
def test_a_broker_that_is_not_there_is_unhealthy_and_named(tmp_path, capsys, section):
    port, config = free_port(), tmp_path / "config.toml"
    connector = {**WITH_EVERY_PART, "evse_id": "DE*ABC*E1"}
    broker = {"enabled": True, "host": "127.0.0.1", "port": port}
    config.write_text(config_text(tmp_path, connectors=[connector], **{section: broker}))
    assert main(["doctor", "--config", str(config)]) == 1
    line = steps(capsys.readouterr().out)["house" if section == "house" else "station bus"]
    assert line.startswith("FAIL")
    assert f"127.0.0.1:{port}" in line
    assert f"are the keys of [{section}] right?" in line


@pytest.mark.real_time
async def test_a_running_agent_is_asked_and_its_faults_are_told(tmp_path: Path, capsys):
    system = FakeCentralSystem()
    async with system.serve() as url:
        config = write_config(tmp_path, url)
        with config.open("a") as file:
            file.write("[inputs.grid_limit]\ndriver = 'simulated'\ncurrent_a = 8\n")
        application = Application(read_config(config), simulate=True)
        run = asyncio.create_task(application.run())
        words = ["doctor", "--config", str(config)]
        try:
            async with asyncio.timeout(LIMIT_S):
                await system.received("StatusNotification", 3)
                assert await asyncio.to_thread(main, words) == 0
                healthy = steps(capsys.readouterr().out)
                await application.actions["sim"]({"lever": "fault", "name": "door"})
                await application.actions["sim"]({"lever": "grid-limit", "wanted": True})
                assert application.runtime is not None
                while not (
                    application.runtime.state.faults and application.runtime.state.external_limits
                ):
                    await asyncio.sleep(0.01)
                assert await asyncio.to_thread(main, words) == 1
        finally:
            application.shut_down()
            await run
    assert healthy["agent"].startswith("PASS  agent          it runs, with simulated hardware")
    assert healthy["boot"].startswith("PASS")
    limit = "its contact does not limit the box; when it does: 8 A"
    assert healthy["grid limit"].startswith(f"PASS  grid limit     {limit}")
    broken = capsys.readouterr().out
    assert "FAIL  agent          cabinet door open" in broken
    assert "NOTE  grid limit     the grid operator's contact limits the box to 8 A" in broken


@pytest.mark.real_time
async def test_beside_the_demonstration_its_own_way_is_walked(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "demo_directory", lambda: tmp_path)
    monkeypatch.setattr(paths, "SERVICE_SOCKET", tmp_path / "none.sock")
    monkeypatch.setattr(paths, "DEFAULT_CONFIG", tmp_path / "none.toml")
    system = FakeCentralSystem()
    async with system.serve() as url:
        application = Application(demo_settings(tmp_path, url))
        run = asyncio.create_task(application.run())
        try:
            async with asyncio.timeout(LIMIT_S):
                await system.received("StatusNotification", 2)
                assert await asyncio.to_thread(main, ["doctor"]) == 0
        finally:
            application.shut_down()
            await run
    told = steps(capsys.readouterr().out)
    assert told["address"].startswith(f"PASS  address        {url}/DEMO-1")
    assert told["boot"].startswith("PASS")
    assert told["devices"].startswith("SKIP  devices        the running agent simulates them all")


def test_before_the_first_start_the_services_folder_is_left_to_the_service(
    tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "not" / "yet"
    monkeypatch.setattr(check_box, "SERVICE_FOLDER", folder)
    config = tmp_path / "config.toml"
    config.write_text(config_text(folder))
    assert main(["doctor", "--config", str(config)]) == 0
    told = capsys.readouterr().out
    assert f"SKIP  disk           {folder} is not there yet: the service makes it" in told
    assert f"MB free on ext4 under {tmp_path}" in told
    assert "mkdir" not in told


class Nonsense(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.rfile.readline()
        self.wfile.write(b"nonsense\n")


def test_an_agent_that_answers_nonsense_is_unhealthy(tmp_path, capsys):
    config = write_config(tmp_path)
    with socketserver.UnixStreamServer(str(tmp_path / "control.sock"), Nonsense) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            assert main(["doctor", "--config", str(config)]) == 1
        finally:
            server.shutdown()
    told = steps(capsys.readouterr().out)
    assert told["agent"].startswith("FAIL  agent          what answers at")


def with_a_database(directory: Path, known: ConnectionProfiles) -> None:
    store = Store.open(directory / "agent.db", now=NOON, make_id=lambda: "unused")
    store.commit([SaveConnectionProfiles(known)], NOON)
    store.close()


def test_what_the_central_system_has_changed_is_found_in_the_database(tmp_path, capsys):
    url = "ws://127.0.0.1:1/ocpp"
    config = write_config(tmp_path, url)
    changed = ConnectionProfiles(
        ConnectionProfile("ws://127.0.0.1:2/new", 0), file=ConnectionProfile(url, 0)
    )
    with_a_database(tmp_path, changed)
    assert main(["doctor", "--config", str(config)]) == 1
    told = capsys.readouterr().out
    assert "changed over OCPP: ws://127.0.0.1:2/new" in told
    assert "FAIL  TCP" in told


def test_a_database_that_cannot_be_read_leaves_the_way_of_the_file(tmp_path, capsys):
    config = write_config(tmp_path, "ws://127.0.0.1:1/ocpp")
    (tmp_path / "agent.db").write_bytes(b"no database" * 100)
    assert main(["doctor", "--config", str(config)]) == 1
    told = capsys.readouterr().out
    assert "the walk follows the file" in told
    assert "FAIL  TCP" in told
