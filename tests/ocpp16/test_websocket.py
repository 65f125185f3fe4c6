"""The thin shell around the real WebSocket, on the loopback address."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from agent.config.settings import CentralSystemSettings
from agent.core.commands import Authorize
from agent.core.events import AuthorizeAnswered, LinkAccepted, LinkLost
from agent.ocpp16.version import VERSION, connect_websocket
from agent.ocppj.connect import CONNECT_PROBLEMS, explain, tls_context
from agent.ocppj.websocket import WebSocket, _why_closed
from agent.platform.errors import LinkError
from tests.emulators.central_system import NOW, OCPP16, FakeCentralSystem
from tests.emulators.certificates import certificate_for
from tests.emulators.virtual_clock import NOON
from tests.free_port import free_port
from tests.ocpp16.rig import TAG, Rig, running

pytestmark = pytest.mark.real_time


async def open_wire(url: str, tls: ssl.SSLContext | None = None) -> WebSocket:
    return await connect_websocket(url, headers={}, ssl=tls, open_timeout_s=5)


async def failure(url: str, tls: ssl.SSLContext | None = None) -> str:
    """Why this address cannot be reached, in words."""
    try:
        wire = await open_wire(url, tls)
    except CONNECT_PROBLEMS as problem:
        return explain(problem, url, NOON, VERSION)
    await wire.close()
    return ""


def real_rig(system: FakeCentralSystem, url: str, **settings: object) -> Rig:
    rig = Rig(system, settings=CentralSystemSettings(url=url, **settings))  # type: ignore[arg-type]
    rig.link = rig.make_link(connect_websocket)
    return rig


async def test_the_whole_way_works_over_a_real_websocket(tmp_path: Path):
    (tmp_path / "key").write_text("000102030405060708090A0B0C0D0E0F")
    system = FakeCentralSystem()
    async with system.serve() as url, asyncio.timeout(20):
        rig = real_rig(
            system, url, security_profile=1, authorization_key_file=str(tmp_path / "key")
        )
        async with running(rig):
            await rig.inbox.posted(LinkAccepted)
            rig.link.perform(Authorize(TAG, 5.0))
            await rig.inbox.posted(AuthorizeAnswered)
            assert (await system.send_call("GetConfiguration", {}))[0] == 3
        attempt = system.attempts[0]
        assert attempt.url == "/CP7"
        headers = {name.lower(): value for name, value in attempt.headers.items()}
        assert headers["authorization"] == "Basic Q1A3OgABAgMEBQYHCAkKCwwNDg8="
        assert headers["sec-websocket-protocol"] == "ocpp1.6"
        assert "sec-websocket-extensions" not in headers  # no compression


async def test_a_call_that_comes_together_with_the_acceptance_is_answered():
    answered: asyncio.Future[list[object]] = asyncio.get_running_loop().create_future()

    async def converse(connection: ServerConnection) -> None:
        boot = json.loads(await connection.recv())
        accepted = {"status": "Accepted", "currentTime": NOW, "interval": 300}
        await connection.send(json.dumps([3, boot[1], accepted]))
        await connection.send('[2,"behind it","GetConfiguration",{}]')
        answered.set_result(json.loads(await connection.recv()))

    async with serve(converse, "127.0.0.1", 0, subprotocols=[OCPP16]) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with running(real_rig(FakeCentralSystem(), url)), asyncio.timeout(20):
            assert (await answered)[:2] == [3, "behind it"]


@pytest.mark.parametrize(
    ("status", "words"), [(401, "password"), (403, "HTTP 403"), (404, "HTTP 404"), (503, "trouble")]
)
async def test_a_refusal_by_http_status_is_told_in_words(status: int, words: str):
    system = FakeCentralSystem(http_status=status)
    async with system.serve() as url:
        assert words in await failure(f"{url}/CP7")


async def test_a_redirect_is_not_followed():
    system = FakeCentralSystem(http_status=302, http_location="/elsewhere")
    async with system.serve() as url:
        assert "not followed" in await failure(f"{url}/CP7")
        assert len(system.attempts) == 1


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ws_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with FakeCentralSystem().serve() as url:
        assert await failure(f"{url}/CP7") == ""


async def test_a_server_without_subprotocol_is_seen_by_the_link():
    system = FakeCentralSystem(subprotocol=None)
    async with system.serve() as url, asyncio.timeout(20):
        rig = real_rig(system, url)
        async with running(rig):
            assert "does not speak OCPP 1.6" in (await rig.inbox.posted(LinkLost)).problem
        assert system.frames == []


async def test_a_port_where_nobody_listens_is_told_in_words():
    assert "nothing listens" in await failure(f"ws://127.0.0.1:{free_port()}/CP7")


async def test_a_closed_connection_says_who_closed_it_and_why():
    system = FakeCentralSystem()
    async with system.serve() as url:
        wire = await open_wire(f"{url}/CP7")
        await wire.ping()
        await wire.send('[2,"x","Heartbeat",{}]')
        assert str(await wire.receive()).startswith('[3,"x"')
        await system._talks[-1].end.close(1001, "maintenance\n")
        for use in (wire.receive(), wire.send("x"), wire.ping()):
            with pytest.raises(LinkError, match=r"code 1001: maintenance\?"):
                await use
        await wire.close()
        await wire.close()


async def test_a_frame_of_a_large_local_list_is_taken_and_a_larger_one_ends_the_connection():
    system = FakeCentralSystem()
    async with system.serve() as url:
        wire = await open_wire(f"{url}/CP7")
        await wire.send('[2,"x","Heartbeat",{}]')
        await wire.receive()
        end = system._talks[-1].end
        await end.send("x" * (2 * 1024 * 1024))
        assert len(await wire.receive()) == 2 * 1024 * 1024
        await end.send("x" * (2 * 1024 * 1024 + 1))
        for use in (wire.receive(), wire.send("x")):
            with pytest.raises(
                LinkError, match=r"^a message of more than 2097152 bytes came; the ag"
            ):
                await use


@pytest.mark.parametrize(
    ("received", "sent", "is_theirs_first", "words"),
    [
        (None, None, None, "the connection broke off"),
        (1001, 1001, True, "the central system closed the connection (code 1001: why)"),
        (1001, None, None, "the central system closed the connection (code 1001: why)"),
        (1000, 1000, False, "the agent closed the connection (code 1000: why)"),
        (None, 1008, None, "the agent closed the connection (code 1008: why)"),
        (None, 1007, None, "a text came that is not UTF-8; the agent closed the connection"),
        (1002, 1002, False, "the central system broke the rules of WebSocket; the agent closed"),
        (1009, 1009, True, "the central system closed the connection (code 1009: why)"),
    ],
)
def test_the_first_of_two_close_frames_says_who_closed_and_why(
    received, sent, is_theirs_first, words
):
    frames = [None if code is None else Close(code, "why") for code in (received, sent)]
    reason = _why_closed(ConnectionClosedError(*frames, is_theirs_first))
    assert reason.startswith(words)


async def test_a_message_in_pieces_is_put_together_and_too_many_of_them_end_the_connection():
    system = FakeCentralSystem()
    async with system.serve() as url:
        wire = await open_wire(f"{url}/CP7")
        await wire.send('[2,"x","Heartbeat",{}]')
        await wire.receive()
        end = system._talks[-1].end
        await end.send(['[2,"y",', "", '"Clear', 'Cache",{}]'])
        assert await wire.receive() == '[2,"y","ClearCache",{}]'
        flood = asyncio.ensure_future(end.send(["x" * 2**20] * 3))
        with pytest.raises(LinkError):
            await wire.receive()
        await asyncio.gather(flood, return_exceptions=True)


# --- TLS -----------------------------------------------------------------------------------------


async def test_a_trusted_certificate_with_the_right_name_is_taken(tmp_path: Path):
    good = certificate_for("127.0.0.1", tmp_path)
    (tmp_path / "key").write_text("sixteen chars ok")
    system = FakeCentralSystem()
    async with system.serve(good.server_context()) as url, asyncio.timeout(20):
        rig = real_rig(
            system,
            url,
            security_profile=2,
            authorization_key_file=str(tmp_path / "key"),
            ca_file=str(good.path),
        )
        async with running(rig):
            await rig.inbox.posted(LinkAccepted)


@pytest.mark.parametrize("name", ["cs.example.net", "127.0.0.2"])
async def test_a_certificate_for_another_name_is_refused(tmp_path: Path, name: str):
    other = certificate_for(name, tmp_path)
    system = FakeCentralSystem()
    async with system.serve(other.server_context()) as url:
        problem = await failure(f"{url}/CP7", tls_context(str(other.path)))
        assert "the TLS certificate of 127.0.0.1 was not accepted" in problem
        assert system.attempts == []


async def test_a_certificate_of_a_stranger_is_refused(tmp_path: Path):
    context = certificate_for("127.0.0.1", tmp_path).server_context()
    async with FakeCentralSystem().serve(context) as url:
        problem = await failure(f"{url}/CP7", tls_context(""))
        assert "was not accepted: it is signed by itself" in problem


async def test_a_server_that_demands_a_client_certificate_is_explained(tmp_path: Path):
    """It says so after the handshake (TLS 1.3), when we wait for its answer already."""
    good = certificate_for("127.0.0.1", tmp_path)
    context = good.server_context(demands_from=good)

    async def demand(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        while data := await reader.read(4096):
            incoming.write(data)
            with suppress(ssl.SSLError):
                tls.do_handshake()
            writer.write(outgoing.read())
        writer.close()

    async with await asyncio.start_server(demand, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        problem = await failure(f"wss://127.0.0.1:{port}/CP7", tls_context(str(good.path)))
    assert "127.0.0.1 demands a client certificate, and this box has none" in problem


async def test_a_demand_for_a_client_certificate_in_the_answer_is_read():
    text = b"<center>No required SSL certificate was sent</center>"  # nginx
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Length: {len(text)}\r\n\r\n".encode()
    async with await answering(head + text) as server:
        port = server.sockets[0].getsockname()[1]
        assert "demands a client certificate" in await failure(f"ws://127.0.0.1:{port}/CP7")


async def answering(data: bytes) -> asyncio.Server:
    """A server that says this, whatever it hears, and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", "no common TLS version"),  # alert: protocol version
        (b"\x15\x03\x03\x00\x02\x02\x28", "no common TLS version"),  # alert: handshake failure
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS on this port"),
        (b"", "cut the connection"),
    ],
)
async def test_a_handshake_that_fails_is_told_in_words(data: bytes, words: str):
    async with await answering(data) as server:
        port = server.sockets[0].getsockname()[1]
        assert words in await failure(f"wss://127.0.0.1:{port}/CP7", tls_context(""))


async def test_something_that_is_no_web_server_is_told_in_words():
    async with await answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n") as server:
        port = server.sockets[0].getsockname()[1]
        assert "does not answer like a WebSocket" in await failure(f"ws://127.0.0.1:{port}/CP7")
