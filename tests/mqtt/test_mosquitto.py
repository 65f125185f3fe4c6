"""A real Mosquitto with the files of the documentation, a real agent, and the example client."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from agent.app import application
from agent.config.settings import MqttSettings
from agent.mqtt import broker as bus_broker
from agent.mqtt import kept_connection
from agent.mqtt.broker import BrokerError, ClientConfig, LoginRefused, Publication, connected
from agent.mqtt.client import unwanted
from tests.api.harness import Charger, api_settings
from tests.app.box import CARD
from tests.emulators.certificates import Certificate, certificate_for
from tests.emulators.mosquitto import Mosquitto, needs_mosquitto
from tests.free_port import free_port

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs/mosquitto"
EVSE = "DE*ABC*E1"
USERS = ("agent", "reader", "iso15118")
PATIENCE_S = 20.0

pytestmark = pytest.mark.real_time


class Broker(Mosquitto):
    """With the files of the documentation."""

    def __init__(self, directory: Path, lines: str = "") -> None:
        config = (DOCS / "mosquitto.conf").read_text()
        super().__init__(directory, f"{config}\n{lines}", (DOCS / "access").read_text(), USERS)

    def settings(self, user: str = "agent", **fields: Any) -> MqttSettings:
        return MqttSettings(
            enabled=True,
            port=self.port,
            username=user,
            password_file=str(self.password_file(user)),
            **fields,
        )


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    (tmp_path / "broker").mkdir()
    found = Broker(tmp_path / "broker")
    found.start()
    yield found
    found.stop()


@pytest.fixture
def charger(tmp_path: Path, broker: Broker) -> Iterator[Charger]:
    """A running agent on the bus; it needs no HTTP here."""
    settings = api_settings(tmp_path)
    settings = replace(
        settings,
        connectors=tuple(replace(found, evse_id=EVSE) for found in settings.connectors),
        mqtt=broker.settings(),
    )
    charger = Charger(settings)
    charger.start()
    until_bus(charger, lambda bus: bus["connected"])
    yield charger
    charger.stop()


def until_bus(charger: Charger, claim: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until the claim holds for what the status says about the bus."""
    for _ in range(round(PATIENCE_S / 0.02)):
        if claim(bus_of(charger)):
            return
        charger.run(asyncio.sleep(0.02))
    raise AssertionError(f"the bus is {bus_of(charger)}")


def bus_of(charger: Charger) -> dict[str, Any]:
    """What the status says about the bus. Not on the agent's own loop: it is waited for."""
    assert charger.application is not None
    found: dict[str, Any] = charger.run(charger.application.actions["status"]({}))["bus"]
    return found


def request(**data: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "name": "authorization", "type": "request", "data": data}


async def ask(client: aiomqtt.Client, content: dict[str, Any]) -> str:
    await client.publish("cs/josev", json.dumps(content), qos=1)
    async with asyncio.timeout(PATIENCE_S):
        async for message in client.messages:
            assert not message.retain
            answer = json.loads(message.payload)  # type: ignore[arg-type]
            if (answer["id"], answer["type"]) == (content["id"], "response"):
                return str(answer["data"]["status"])
    raise AssertionError("no answer")


@needs_mosquitto
async def test_a_reader_on_the_bus_begins_a_session_and_hears_of_it(charger, broker):
    async with broker.client("reader", "josev/cs") as client:
        charger.run(plug(charger))
        content = request(token_type="ISO14443", id_token=CARD, evse_id=EVSE)
        await client.publish("cs/josev", json.dumps(content), qos=1)
        missing = {
            ("authorization", "response", "accepted"),
            ("authorization", "update", "accepted"),
            ("transaction_status", "update", "started"),
            ("transaction_status", "update", "in_progress"),
        }
        async with asyncio.timeout(PATIENCE_S):
            while missing:  # in which order response and updates come is not promised
                told = json.loads((await anext(client.messages)).payload)
                missing.discard((told["name"], told["type"], told["data"].get("status")))


async def plug(charger: Charger) -> None:
    assert charger.board.simulation is not None
    charger.board.simulation.plug(1)


@contextlib.asynccontextmanager
async def first_on(broker: Any, charger: Charger) -> AsyncIterator[Any]:
    """Start the broker, with somebody who listens before the agent is back."""
    for _ in range(20):
        broker.start()
        async with broker.client("reader", "josev/cs") as client:
            if not bus_of(charger)["connected"]:
                yield client
                return
        broker.stop()
        until_bus(charger, lambda bus: not bus["connected"])
    raise AssertionError("the agent was always first")


@needs_mosquitto
async def test_a_broker_that_restarts_in_a_session_is_told_what_stands(charger, broker):
    async with broker.client("reader", "josev/cs") as client:
        charger.run(plug(charger))
        assert await ask(client, request(token_type="ISO14443", id_token=CARD)) == "accepted"
    charger.until(lambda: charger.state.connectors[0].transaction is not None)
    broker.stop()
    until_bus(charger, lambda bus: not bus["connected"])
    async with first_on(broker, charger) as client, asyncio.timeout(60):
        async for message in client.messages:
            told = json.loads(message.payload)
            if told["name"] == "authorization" and told["type"] == "update":
                assert told["data"] == {
                    "evse_id": EVSE,
                    "id_token": CARD,
                    "token_type": "ISO14443",
                    "status": "accepted",
                }
                break
    async with broker.client("reader", "josev/cs") as late:
        kept = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                async for message in late.messages:
                    kept.append(message.retain)
        assert not any(kept)  # nothing is kept for those who come later


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Broker]:
    """A broker that keeps what is published as retained, over its own restart too."""
    (tmp_path / "keeping").mkdir()
    found = Broker(tmp_path / "keeping")
    config = found.directory / "mosquitto.conf"
    text = config.read_text().replace("retain_available false", "")
    text = text.replace("persistence false", "persistence true")
    config.write_text(f"{text}persistence_location {found.directory}/\n")
    found.start()
    yield found
    found.stop()


@needs_mosquitto
async def test_a_token_that_the_broker_has_kept_is_no_card_at_any_start(keeping, tmp_path):
    kept = "messages that the broker had kept"
    async with keeping.client("reader") as client:
        content = request(token_type="ISO14443", id_token=CARD, evse_id=EVSE)
        await client.publish("cs/josev", json.dumps(content), qos=1, retain=True)
    settings = api_settings(tmp_path)
    connectors = tuple(replace(found, evse_id=EVSE) for found in settings.connectors)
    charger = Charger(replace(settings, connectors=connectors, mqtt=keeping.settings()))
    charger.start()
    try:
        charger.run(plug(charger))
        until_bus(charger, lambda bus: bus["dropped"] == {kept: 1})
        async with keeping.client("reader", "josev/cs") as client:
            said = request(token_type="ISO14443", id_token=CARD, evse_id=EVSE)
            assert await ask(client, said) == "accepted"
        charger.until(lambda: charger.state.connectors[0].contactor_closed)
        keeping.stop()
        until_bus(charger, lambda bus: not bus["connected"])
        keeping.start()
        until_bus(charger, lambda bus: bus["dropped"] == {kept: 2})
        async with keeping.client("reader", "josev/cs") as client:
            assert await ask(client, request(token_type="local", id_token="x" * 21)) == "rejected"
        assert charger.state.connectors[0].contactor_closed
        assert len(charger.central_system.of("Authorize")) == 1
    finally:
        charger.stop()


RETAINED = [
    ("cs/josev", "authorization", "request"),
    ("cs/josev", "authorization", "update"),
    ("cs/josev", "process_authorized_token", "response"),
    ("iso15118/ocpp", "iso15118_authorization", "request"),
    ("iso15118/ocpp", "hlc_charging", "update"),
    ("josev/cs", "meter_values", "request"),
]


@needs_mosquitto
async def test_nothing_that_the_broker_has_kept_comes_in_whatever_it_is(keeping):
    sender = {"cs/josev": "reader", "iso15118/ocpp": "iso15118", "josev/cs": "agent"}
    for topic, name, kind in RETAINED:
        message = {"id": str(uuid.uuid4()), "name": name, "type": kind, "data": {}}
        async with keeping.client(sender[topic]) as client:
            await client.publish(topic, json.dumps(message), qos=1, retain=True)
        dropped: list[str] = []
        async with connected(keeping.settings(), registered(dropped.append, *sender)) as line:
            async with keeping.client(sender[topic]) as client:
                await client.publish(topic, b"live", qos=1)
            async with asyncio.timeout(PATIENCE_S):
                assert await anext(line.messages()) == (topic, b"live", False)
        assert "messages that the broker had kept" in dropped


@needs_mosquitto
async def test_what_came_for_us_while_we_were_away_does_not_come_later(keeping):
    before = aiomqtt.Client(
        *("127.0.0.1", keeping.port),
        username="agent",
        password="agent-secret",
        identifier="CP-1",
        clean_session=False,
    )
    async with before:
        await before.subscribe("cs/josev", qos=1)
    await speak(keeping, [b"said while nobody was there"])
    async with connected(keeping.settings(), registered()) as line:
        await speak(keeping, [b"live"])
        async with asyncio.timeout(PATIENCE_S):
            assert await anext(line.messages()) == ("cs/josev", b"live", False)


@pytest.mark.long
@needs_mosquitto
async def test_a_thousand_requests_at_once_are_all_answered_once_and_in_order(charger, broker):
    ids = [str(uuid.uuid4()) for _ in range(1000)]
    answers: list[str] = []
    charger.run(plug(charger))
    async with broker.client("reader", "josev/cs") as client:
        assert await ask(client, request(token_type="ISO14443", id_token=CARD)) == "accepted"
        charger.until(lambda: charger.state.connectors[0].contactor_closed)
        for id in ids:
            content = {**request(token_type="local", id_token="x" * 21), "id": id}
            await client.publish("cs/josev", json.dumps(content), qos=1)
        async with asyncio.timeout(60):
            async for message in client.messages:
                told = json.loads(message.payload)
                if told["type"] == "response":
                    answers.append(told["id"])
                if len(answers) == len(ids):
                    break
    assert answers == ids
    (connector,) = charger.state.connectors
    assert connector.contactor_closed
    assert connector.trips_seen == 0  # the flood has not kept the lease from being renewed


@needs_mosquitto
async def test_who_may_not_publish_is_not_heard(charger, broker):
    async with broker.client("iso15118", "ocpp/iso15118") as client:
        content = request(token_type="ISO14443", id_token=CARD)
        await client.publish("cs/josev", json.dumps(content), qos=1)
        await asyncio.sleep(0.5)
    assert charger.central_system.of("Authorize") == []


@needs_mosquitto
def test_the_example_in_the_documentation_does_what_it_says(charger, broker):
    program = ROOT / "docs/examples/second_reader.py"
    assert len(program.read_text().splitlines()) <= 30
    done = subprocess.run(
        [sys.executable, str(program), "127.0.0.1", str(broker.port), "reader", "reader-secret"],
        input=f"{CARD}\nnot hex\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["accepted", "rejected"], done.stderr


# --- what can be wrong with a broker -------------------------------------------------------------


def registered(dropped: Callable[[str], None] = print, *topics: str) -> ClientConfig:
    last_words = Publication("josev/cs", '{"last": "words"}')
    return ClientConfig("CP-1", topics or ("cs/josev",), last_words, dropped, unwanted)


async def problem_with(settings: MqttSettings, kind: type[BrokerError] = BrokerError) -> str:
    with pytest.raises(kind) as problem:
        async with asyncio.timeout(PATIENCE_S), connected(settings, registered()):
            pass
    return str(problem.value)


@needs_mosquitto
async def test_a_wrong_password_is_named_and_not_shown(broker, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-password\n")
    settings = replace(broker.settings(), password_file=str(wrong))
    words = await problem_with(settings, LoginRefused)
    assert "check mqtt.username and mqtt.password_file" in words
    assert "not-the-password" not in words


async def test_nobody_listening_is_named(tmp_path):
    port = free_port()
    words = await problem_with(MqttSettings(enabled=True, port=port))
    assert words == f"127.0.0.1:{port} refuses the connection: nothing listens on that port"


async def test_a_name_that_is_not_known_is_named():
    words = await problem_with(MqttSettings(enabled=True, host="broker.invalid"))
    assert words == "the name broker.invalid cannot be resolved (DNS)"


@pytest.mark.parametrize("content", [None, "", "\n"])
async def test_a_password_file_that_is_missing_or_empty_is_named(tmp_path, content):
    path = tmp_path / "password"
    if content is not None:
        path.write_text(content)
    settings = MqttSettings(enabled=True, username="agent", password_file=str(path))
    assert "mqtt.password_file" in await problem_with(settings)


async def test_a_ca_file_that_is_none_is_named(tmp_path):
    (tmp_path / "ca").write_text("no certificate")
    for name in ("ca", "missing"):
        settings = MqttSettings(enabled=True, ca_file=str(tmp_path / name))
        assert "mqtt.ca_file" in await problem_with(settings)


# The client leaves a socket to the garbage collector when the handshake fails.
@pytest.mark.filterwarnings("ignore:.*unclosed <ssl.SSLSocket")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@needs_mosquitto
async def test_over_tls_certificate_and_name_are_checked(tmp_path):
    good = certificate_for("localhost", tmp_path)
    with listening(tmp_path, good) as trusting:
        async with asyncio.timeout(PATIENCE_S), connected(trusting, registered()):
            pass
        other_name = await problem_with(replace(trusting, host="127.0.0.1"))
        assert "was not accepted: it is for another name" in other_name
        (tmp_path / "stranger").mkdir()
        stranger = certificate_for("localhost", tmp_path / "stranger")
        unknown = await problem_with(replace(trusting, ca_file=str(stranger.path)))
        assert "name it in mqtt.ca_file" in unknown
    gc.collect()


@needs_mosquitto
async def test_a_broker_that_demands_a_client_certificate_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(bus_broker, "OPEN_S", 3.0)  # the client waits on, whatever it has heard
    good = certificate_for("localhost", tmp_path)
    with listening(tmp_path, good, f"cafile {good.path}\nrequire_certificate true") as trusting:
        problem = await problem_with(trusting)
    assert "demands a client certificate, and this box has none" in problem


@contextlib.contextmanager
def listening(directory: Path, own: Certificate, more: str = "") -> Iterator[MqttSettings]:
    """A broker with TLS; gives the settings of somebody who trusts it."""
    port = free_port()
    lines = f"listener {port} 127.0.0.1\ncertfile {own.path}\nkeyfile {own.key}\n{more}"
    found = Broker(directory, lines)
    found.start()
    try:
        yield replace(found.settings(), host="localhost", port=port, ca_file=str(own.path))
    finally:
        found.stop()


@needs_mosquitto
@pytest.mark.parametrize("callback", ["_on_connect", "_on_publish", "_on_subscribe"])
async def test_an_end_is_not_lost_when_the_broker_answers_at_that_moment(
    broker, monkeypatch, callback
):
    """What is lost would be waited for, for ever: no last words, no new connection."""
    answered = getattr(aiomqtt.Client, callback)
    talking: list[asyncio.Task[None]] = []

    def answer_and_end(*arguments: Any) -> None:
        answered(*arguments)
        for task in talking:
            task.cancel()

    async def talk() -> None:
        async with connected(broker.settings(), registered()) as connection:
            await connection.publish(Publication("josev/cs", "{}"))
            await asyncio.Event().wait()

    monkeypatch.setattr(aiomqtt.Client, callback, answer_and_end)
    talking.append(asyncio.create_task(talk()))
    await asyncio.wait(talking, timeout=PATIENCE_S)
    assert talking[0].cancelled()


# --- what a broker may bring ---------------------------------------------------------------------


async def speak(broker: Broker, payloads: list[bytes], topic: str = "cs/josev") -> None:
    async with broker.client("reader") as client:
        for payload in payloads:
            await client.publish(topic, payload, qos=1)


@needs_mosquitto
async def test_of_large_and_many_messages_the_oldest_are_dropped_and_counted(tmp_path, monkeypatch):
    found = Broker(tmp_path)
    config = tmp_path / "mosquitto.conf"
    config.write_text(config.read_text().replace("message_size_limit 65536", ""))
    found.start()
    monkeypatch.setattr(bus_broker, "INCOMING_MAX", 5)
    monkeypatch.setattr(bus_broker, "INCOMING_BYTES_MAX", 100_000)
    dropped: list[str] = []
    try:
        async with connected(found.settings(), registered(dropped.append)) as line:
            small, large = [b"%d" % n for n in range(10)], [b"%d" % n * 60_000 for n in range(3)]
            await speak(found, [b"z" * 70_000, *large])
            async with asyncio.timeout(PATIENCE_S):
                while len(dropped) < 3:
                    await asyncio.sleep(0.01)
            messages = line.messages()
            assert (await anext(messages))[1] == large[-1]
            await speak(found, small)
            async with asyncio.timeout(PATIENCE_S):
                while len(dropped) < 8:
                    await asyncio.sleep(0.01)
            assert [(await anext(messages))[1] for _ in range(5)] == small[5:]
    finally:
        found.stop()
    assert dropped == ["messages of more than 64 KiB"] + ["messages that come in"] * 7


@needs_mosquitto
async def test_an_agent_that_is_gone_without_a_word_has_left_its_last_words(broker):
    older = connected(broker.settings(), registered())
    # Somebody else under the same name: the broker closes the older connection.
    newer = connected(broker.settings(), registered())
    async with broker.client("reader", "josev/cs") as client:
        async with older as line, newer:
            with pytest.raises(BrokerError):
                await anext(line.messages())
        async with asyncio.timeout(PATIENCE_S):
            message = await anext(client.messages)
    assert (message.payload, message.retain) == (b'{"last": "words"}', False)


@needs_mosquitto
async def test_an_agent_that_ends_says_so(charger, broker, monkeypatch):
    # What it takes for that is short; a machine that is busy with other tests may need longer.
    monkeypatch.setattr(application, "GOODBYE_S", PATIENCE_S)
    monkeypatch.setattr(kept_connection, "_STOPPING_S", PATIENCE_S)
    async with broker.client("reader", "josev/cs") as client:
        charger.application._must_end.get_loop().call_soon_threadsafe(charger.application.shut_down)
        async with asyncio.timeout(PATIENCE_S):
            async for message in client.messages:
                told = json.loads(message.payload)
                # What was on its way when the end came is sent once more: it may be an older one.
                if told["name"] == "service_status" and told["data"]["status"] == "stopping":
                    break
