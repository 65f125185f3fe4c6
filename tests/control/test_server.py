"""The control socket, on a real one: whatever a client does, it hurts only itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import agent.control.server
from agent.control.server import CLIENTS_MAX, LINE_MAX, ControlServer, ask, socket_path
from agent.platform.errors import ControlError, StoreError

pytestmark = pytest.mark.real_time


async def _echo(request: Mapping[str, Any]) -> Any:
    return request.get("say")


async def _refuse(request: Mapping[str, Any]) -> Any:
    raise ControlError("not today")


async def _fail(request: Mapping[str, Any]) -> Any:
    raise StoreError("the disk is gone")


async def _mistake(request: Mapping[str, Any]) -> Any:
    raise KeyError("a mistake in the program")


async def _never(request: Mapping[str, Any]) -> Any:
    await asyncio.Event().wait()


ACTIONS = {
    "echo": _echo,
    "refuse": _refuse,
    "fail": _fail,
    "mistake": _mistake,
    "never": _never,
}


@contextlib.asynccontextmanager
async def serving(path: Path) -> AsyncIterator[ControlServer]:
    server = ControlServer(path, ACTIONS)
    await server.start()
    try:
        async with asyncio.timeout(20):
            yield server
    finally:
        await server.close()


async def asked(path: Path, **request: Any) -> Any:
    return await asyncio.to_thread(ask, path, request, 5.0)


class Client:
    """Somebody who writes what he likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    @classmethod
    async def of(cls, path: Path) -> Client:
        return cls(*await asyncio.open_unix_connection(str(path)))

    async def say(self, text: bytes) -> Any:
        """Send bytes; returns the answer, or None when the connection ends instead."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(text)
            await self.writer.drain()
            line = await self._reader.readline()
            return json.loads(line) if line else None
        return None

    async def leave(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def test_a_request_is_answered_and_the_next_one_on_the_same_connection(tmp_path):
    path = tmp_path / "control.sock"
    async with serving(path):
        client = await Client.of(path)
        for number in range(3):
            answer = await client.say(json.dumps({"do": "echo", "say": number}).encode() + b"\n")
            assert answer == {"ok": True, "result": number}
        await client.leave()
        assert await asked(path, do="echo", say="ä") == "ä"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b'"status"',
        b"{}",
        b'{"do": 7}',
        b'{"do": ["status"]}',
        b'{"do": null}',
        b"[" * 30_000,
        b"1" * 5000,
    ],
)
async def test_garbage_is_answered_with_a_sentence_and_the_connection_goes_on(tmp_path, line):
    path = tmp_path / "control.sock"
    async with serving(path):
        client = await Client.of(path)
        answer = await client.say(line + b"\n")
        assert answer["ok"] is False
        assert isinstance(answer["error"], str)
        assert answer["error"]
        assert (await client.say(b'{"do": "echo", "say": 1}\n'))["result"] == 1
        await client.leave()


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ("nonsense", "the running agent does not know 'nonsense'"),
        ("refuse", "not today"),
        ("fail", "the disk is gone"),
        ("mistake", "the agent failed at this; see its log"),
    ],
)
async def test_what_cannot_be_done_is_told_in_a_sentence(tmp_path, action, sentence, caplog):
    path = tmp_path / "control.sock"
    async with serving(path):
        with pytest.raises(ControlError, match=sentence):
            await asked(path, do=action)
        assert await asked(path, do="echo", say=1) == 1
    assert ("a mistake in the program" in caplog.text) == (action == "mistake")


async def test_an_action_without_an_answer_has_its_time(tmp_path, monkeypatch):
    monkeypatch.setattr(agent.control.server, "ANSWER_S", 0.05)
    path = tmp_path / "control.sock"
    async with serving(path):
        with pytest.raises(ControlError, match=r"no answer within 0\.05 s"):
            await asked(path, do="never")


async def test_a_line_that_is_too_long_ends_its_connection_and_no_other(tmp_path):
    path = tmp_path / "control.sock"
    async with serving(path):
        client, other = await Client.of(path), await Client.of(path)
        assert await client.say(b"x" * (2 * LINE_MAX) + b"\n") is None
        assert (await other.say(b'{"do": "echo", "say": 1}\n'))["result"] == 1
        with pytest.raises(ControlError):
            await asked(path, do="echo", say="x" * (2 * LINE_MAX))
        for one in (client, other):
            await one.leave()


async def test_a_client_that_leaves_in_the_middle_of_a_line_disturbs_nobody(tmp_path):
    path = tmp_path / "control.sock"
    async with serving(path):
        for text in (b"", b'{"do":', b'{"do": "echo"}'):
            client = await Client.of(path)
            client.writer.write(text)
            await client.leave()
        assert await asked(path, do="echo", say=1) == 1


async def test_a_client_that_says_nothing_is_left_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(agent.control.server, "IDLE_S", 0.05)
    path = tmp_path / "control.sock"
    async with serving(path):
        client = await Client.of(path)
        assert await client.say(b"") is None
        await client.leave()


async def test_more_clients_than_there_is_room_for_are_turned_away(tmp_path):
    path = tmp_path / "control.sock"
    async with serving(path):
        clients = [await Client.of(path) for _ in range(CLIENTS_MAX)]
        for client in clients:
            assert (await client.say(b'{"do": "echo"}\n'))["ok"]
        with pytest.raises(ControlError):
            await asked(path, do="echo", say=1)
        await clients[0].leave()
        async with asyncio.timeout(5):
            while True:
                with contextlib.suppress(ControlError):
                    assert await asked(path, do="echo", say=1) == 1
                    break
        for client in clients[1:]:
            await client.leave()


# --- the socket itself ---------------------------------------------------------------------------


async def test_only_owner_and_group_may_connect(tmp_path):
    path = tmp_path / "control.sock"
    async with serving(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


async def test_the_socket_is_gone_after_the_end_and_ending_twice_is_fine(tmp_path):
    path = tmp_path / "control.sock"
    async with serving(path) as server:
        client = await Client.of(path)
        assert (await client.say(b'{"do": "echo"}\n'))["ok"]
        await server.close()
        await server.close()
        assert await client.say(b'{"do": "echo"}\n') is None
        await client.leave()
    assert os.listdir(tmp_path) == []


async def test_the_socket_of_a_process_that_died_is_replaced(tmp_path):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with serving(path):
        assert await asked(path, do="echo", say=1) == 1


def put_file(path: Path) -> None:
    path.write_text("precious")


def put_directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("put", [put_file, put_directory])
async def test_what_is_no_socket_is_not_removed(tmp_path, put):
    path = tmp_path / "control.sock"
    put(path)
    with pytest.raises(ControlError, match="it is no socket: remove it"):
        await ControlServer(path, ACTIONS).start()
    assert os.listdir(tmp_path) == ["control.sock"]


async def test_a_path_that_is_too_long_is_named(tmp_path):
    path = tmp_path / ("x" * 120)
    with pytest.raises(ControlError, match="too long") as caught:
        await ControlServer(path, ACTIONS).start()
    assert str(path) in str(caught.value)


async def test_a_directory_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ControlError, match=r"there is no folder .*nowhere"):
        await ControlServer(tmp_path / "nowhere" / "control.sock", ACTIONS).start()


# --- asking --------------------------------------------------------------------------------------


def put_stale_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


def put_nothing(path: Path) -> None:
    pass


@pytest.mark.parametrize("put", [put_nothing, put_stale_socket])
def test_no_agent_is_running_is_a_sentence(tmp_path, put):
    path = tmp_path / "control.sock"
    put(path)
    with pytest.raises(ControlError, match="no agent is running"):
        ask(path, {"do": "status"})


def test_a_path_that_cannot_be_a_socket_is_a_sentence(tmp_path):
    with pytest.raises(ControlError, match="does not answer"):
        ask(tmp_path / ("x" * 120), {"do": "status"})


@pytest.mark.parametrize("answer", [b"hello\n", b"[1]\n", b"\xff\n", b'"ok"\n'])
async def test_something_else_that_answers_there_is_a_sentence(tmp_path, answer):
    path = tmp_path / "control.sock"

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    async with await asyncio.start_unix_server(babble, str(path)):
        with pytest.raises(ControlError, match="is it a chargepoint-agent"):
            await asked(path, do="status")


async def test_an_agent_that_hangs_is_a_sentence(tmp_path):
    path = tmp_path / "control.sock"
    async with serving(path):
        with pytest.raises(ControlError, match="does not answer: timed out"):
            await asyncio.to_thread(ask, path, {"do": "never"}, 0.05)


@pytest.mark.parametrize(
    ("environment", "directory"),
    [
        ({}, "/var/lib/agent"),
        ({"RUNTIME_DIRECTORY": ""}, "/var/lib/agent"),
        ({"RUNTIME_DIRECTORY": "/run/chargepoint-agent"}, "/run/chargepoint-agent"),
        ({"RUNTIME_DIRECTORY": "/run/one:/run/two"}, "/run/one"),
    ],
)
def test_the_socket_is_in_the_runtime_directory_or_beside_the_database(environment, directory):
    found = socket_path(Path("/var/lib/agent/agent.db"), environment)
    assert found == Path(directory) / "control.sock"
