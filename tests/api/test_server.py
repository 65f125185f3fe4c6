"""How the API begins, fails and ends: the agent goes on whatever happens to it."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.api import server
from agent.api.errors import ApiError
from agent.api.server import ApiServer, open_listener
from agent.api.tokens import TokenFile
from agent.config.section_rules import listen_address
from tests.api.harness import SECRET, api_settings, running_charger
from tests.free_port import free_port

HEADERS = {"Authorization": f"Bearer {SECRET}"}


class Messages(logging.Handler):
    """Remembers what was logged, and wakes whoever waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.heard = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage())
        self.heard.set()


@pytest.fixture
def messages():
    handler = Messages()
    logger = logging.getLogger("agent.api.server")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


class FakeStation:
    """Settings are all that a server needs before it listens."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings


async def begun(settings: Any, messages: Messages) -> ApiServer:
    api = ApiServer(FakeStation(settings))  # type: ignore[arg-type]
    api.start()
    assert await asyncio.to_thread(messages.heard.wait, 10)
    return api


@pytest.mark.real_time
async def test_without_a_token_it_says_so_and_does_not_listen(tmp_path, messages):
    settings = api_settings(tmp_path)
    api = await begun(settings, messages)
    assert messages.told == [
        "the control API is not served: there is no token yet; make one: "
        "chargepoint-agent token new NAME --scopes read"
    ]
    assert api.address is None
    await api.close()
    await api.close()


@pytest.mark.real_time
async def test_a_port_that_is_taken_is_named(tmp_path, messages):
    TokenFile(tmp_path).add("all", ["read"], SECRET, "")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = api_settings(tmp_path)
        settings = replace(settings, api=replace(settings.api, listen=f"127.0.0.1:{port}"))
        api = await begun(settings, messages)
        told = f"the control API is not served: cannot listen on 127.0.0.1:{port}: "
        assert messages.told[0].startswith(told)
        assert "in use" in messages.told[0]
        await api.close()


def test_it_is_tried_again_until_there_is_a_token(tmp_path, messages, monkeypatch):
    monkeypatch.setattr(server, "RETRY_S", 0.05)
    settings = api_settings(tmp_path)
    with running_charger(settings, is_tokenless=True) as charger:
        assert messages.heard.wait(10)
        TokenFile(tmp_path).add("all", ["read"], SECRET, "")
        charger.run(charger.until_it_serves())
        assert httpx.get(f"{charger.url}/ocpp/commands", headers=HEADERS).status_code == 200
    assert len([told for told in messages.told if "not served" in told]) == 1


def test_when_the_agent_ends_nobody_listens_any_more(tmp_path):
    settings = api_settings(tmp_path)
    with running_charger(settings) as charger:
        assert charger.get("/health").status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{settings.api.listen}/health")
    assert "control-api" not in {thread.name for thread in threading.enumerate()}


def test_it_ends_in_time_while_a_client_waits(tmp_path):
    settings = api_settings(tmp_path)
    with running_charger(settings):
        host, _, port = settings.api.listen.rpartition(":")
        connection = socket.create_connection((host, int(port)), timeout=10)
        connection.sendall(b"GET /health HTTP/1.1\r\n")
    connection.close()


def test_answers_are_not_held_back_until_the_client_confirms_their_first_piece():
    with open_listener(f"127.0.0.1:{free_port()}") as listener:
        client = socket.create_connection(listener.getsockname()[:2])
        connection, _ = listener.accept()
        with client, connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_that_is_not_ours_is_a_clear_error():
    with pytest.raises(ApiError, match=r"cannot listen on 192\.0\.2\.1:80"):
        open_listener("192.0.2.1:80")
    with pytest.raises(ApiError, match="no address"):
        open_listener("nowhere")


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("localhost:1", ("127.0.0.1", 1)),
        ("[::1]:8080", ("::1", 8080)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
        ("127.0.0.1", None),
        ("127.0.0.1:0", None),
        ("127.0.0.1:65536", None),
        ("example.org:80", None),
        ("http://127.0.0.1:80", None),
        ("a@127.0.0.1:80", None),
        ("127.0.0.1:80/x", None),
        ("", None),
        ("[::1:80", None),
    ],
)
def test_an_address_is_a_number_and_a_port(listen: str, address: object):
    assert listen_address(listen) == address


def test_the_framework_is_not_loaded_unless_the_api_is_switched_on():
    program = (
        "import sys, agent.app.application, agent.cli.main, agent.app.demo, agent.api.tokens\n"
        "found = {'fastapi', 'starlette', 'uvicorn', 'pydantic', 'prometheus_client'}\n"
        "print(sorted(found & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout.strip() == "[]"


@pytest.mark.real_time
async def test_it_serves_ipv6_too(tmp_path, messages):
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        listener = open_listener(f"[::1]:{free_port()}")
    except ApiError:
        pytest.skip("this machine has no IPv6 loopback address")
    assert listener.getsockname()[0] == "::1"
    listener.close()


def test_token_commands_work_beside_a_running_agent(tmp_path, capsys: pytest.CaptureFixture[str]):
    from agent.__main__ import main

    config = tmp_path / "config.toml"
    config.write_text(_config(tmp_path))
    settings = api_settings(tmp_path)
    with running_charger(settings) as charger:
        arguments = ["--config", str(config)]
        assert main(["token", "new", "visitor", "--scopes", "read, operate", *arguments]) == 0
        secret = capsys.readouterr().out.splitlines()[0]
        assert len(secret) >= 40
        with charger.client(secret) as client:
            assert client.get("/ocpp/commands").status_code == 200
            assert main(["token", "list", *arguments]) == 0
            listed = capsys.readouterr().out
            assert "visitor" in listed
            assert "operate, read" in listed
            assert secret not in listed
            assert main(["token", "revoke", "visitor", *arguments]) == 0
            assert client.get("/ocpp/commands").status_code == 401
    assert main(["token", "revoke", "visitor", *arguments]) == 1
    assert "there is no token 'visitor'" in capsys.readouterr().err
    assert main(["token", "new", "x", "--scopes", "root", *arguments]) == 1
    assert "scopes are read" in capsys.readouterr().err


def _config(directory: Path) -> str:
    return f"""
[charge_point]
identity = "CP-1"

[storage]
path = "{directory}/agent.db"

[[connectors]]
id = 1
contactor = {{ driver = "simulated" }}
"""
