"""A real Mosquitto with the rights of the documentation, and a real agent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from agent.cli.status_view import status_lines
from agent.config.settings import HouseSettings
from agent.mqtt.broker import BrokerError, ClientConfig, connected
from agent.mqtt.check_broker import problem_with
from tests.api.harness import Charger, api_settings
from tests.emulators.mosquitto import Mosquitto, needs_mosquitto
from tests.free_port import free_port

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/house.md"
CONFIG = """
listener 1883 127.0.0.1
allow_anonymous false
password_file /etc/mosquitto/passwords
acl_file /etc/mosquitto/access
"""
REST = "\nuser house\ntopic readwrite #\n"
PATIENCE_S = 30.0

pytestmark = pytest.mark.real_time


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """Its access file is the one that the document shows."""
    (tmp_path / "broker").mkdir()
    shown = re.search(r"```\n(user chargepoint\n.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert shown is not None
    access = shown[1] + REST
    found = Mosquitto(tmp_path / "broker", CONFIG, access, ("chargepoint", "house"))
    found.start()
    yield found
    found.stop()


def settings_of(broker: Mosquitto, **fields: Any) -> HouseSettings:
    return HouseSettings(
        enabled=True,
        host="127.0.0.1",
        port=broker.port,
        username="chargepoint",
        password_file=str(broker.password_file("chargepoint")),
        box_name="BOX",
        **fields,
    )


@contextlib.contextmanager
def charger_on(broker: Mosquitto, directory: Path, **fields: Any) -> Iterator[Charger]:
    settings = replace(api_settings(directory), house=settings_of(broker, **fields))
    charger = Charger(settings)
    charger.start()
    try:
        yield charger
    finally:
        charger.stop()


@contextlib.asynccontextmanager
async def heard(broker: Mosquitto, *topics: str) -> AsyncIterator[dict[str, str]]:
    """What is said there, the newest of each topic; grows while it is looked at."""
    found: dict[str, str] = {}

    async def listen(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            found[message.topic.value] = message.payload.decode()

    async with broker.client("house", *topics) as client:
        listening = asyncio.create_task(listen(client))
        try:
            yield found
        finally:
            listening.cancel()


async def until(claim: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not claim():
            await asyncio.sleep(0.02)


STATE = "chargepoint/BOX/connector/1/state"


@needs_mosquitto
async def test_who_comes_late_knows_at_once_and_the_examples_of_the_document_work(broker, tmp_path):
    with charger_on(broker, tmp_path) as charger:
        charger.run(plug(charger))
        async with heard(broker, "chargepoint/#", "homeassistant/#") as found:
            await until(lambda: STATE in found and json.loads(found[STATE])["plugged"])
            # In which order a broker hands out what it has kept is not promised.
            await until(lambda: found.get("chargepoint/BOX/availability") == "online")
            await until(lambda: any(topic.startswith("homeassistant/number/") for topic in found))
            result = "chargepoint/BOX/connector/1/limit/result"
            async with broker.client("house") as client:
                for topic, payload in examples():
                    await client.publish(topic, payload, qos=1)
            await until(lambda: result in found)
            assert json.loads(found[result])["in_words"] == "at most 10 A for 120 s"
            await until(lambda: json.loads(found[STATE])["house_limit_a"] == 10)


def examples() -> list[tuple[str, str]]:
    """Topic and message of the commands that the document shows."""
    shown = re.findall(r"^\$ (mosquitto_pub .*)$", DOCUMENT.read_text(), re.MULTILINE)
    words = [shlex.split(command) for command in shown]
    assert len(words) == 2
    return [(found[found.index("-t") + 1], found[found.index("-m") + 1]) for found in words]


async def plug(charger: Charger) -> None:
    assert charger.board.simulation is not None
    charger.board.simulation.plug(1)


@needs_mosquitto
def test_status_and_metrics_say_whether_the_broker_is_there(broker, tmp_path):
    with charger_on(broker, tmp_path) as charger:
        assert charger.application is not None
        actions, figure = (
            charger.application.actions,
            'chargepoint_broker_connected{broker="house"}',
        )

        def until_connected(wanted: bool) -> dict[str, Any]:
            for _ in range(round(PATIENCE_S / 0.02)):
                status: dict[str, Any] = charger.run(actions["status"]({}))
                if status["house"]["connected"] is wanted:
                    return status
                charger.run(asyncio.sleep(0.02))
            raise AssertionError(status["house"])

        until_connected(True)
        assert f"{figure} 1.0" in charger.get("/metrics").text
        broker.stop()
        lines = status_lines(until_connected(False))
        assert f"{figure} 0.0" in charger.get("/metrics").text
        assert f"house        no broker at 127.0.0.1:{broker.port}" in lines


@needs_mosquitto
async def test_a_broker_that_restarts_without_its_memory_is_told_everything(broker, tmp_path):
    with charger_on(broker, tmp_path):
        async with heard(broker, STATE) as found:
            await until(lambda: STATE in found)
        broker.stop()
        broker.start()
        async with heard(broker, "chargepoint/#", "homeassistant/#") as found:
            await until(lambda: STATE in found)
            await until(lambda: len(found) > 15)


@needs_mosquitto
async def test_entities_of_a_connector_that_is_gone_are_removed(broker, tmp_path):
    gone = ("homeassistant/sensor/chargepoint_BOX/2_power/config", STATE.replace("/1/", "/2/"))
    async with broker.client("house") as client:
        for topic in gone:
            await client.publish(topic, "{}", qos=1, retain=True)
    with charger_on(broker, tmp_path):
        async with heard(broker, "chargepoint/#", "homeassistant/#") as found:
            await until(lambda: STATE in found)
            await until(lambda: not any(found.get(topic) for topic in gone))


@needs_mosquitto
async def test_the_agent_that_ends_is_offline(broker, tmp_path):
    with charger_on(broker, tmp_path):
        async with heard(broker, STATE) as found:
            await until(lambda: STATE in found)
    async with heard(broker, "chargepoint/BOX/availability") as found:
        await until(lambda: found.get("chargepoint/BOX/availability") == "offline")


# --- what can be wrong ---------------------------------------------------------------------------


@needs_mosquitto
def test_the_doctor_says_whether_the_broker_lets_the_box_in(broker, tmp_path):
    settings = settings_of(broker)
    assert problem_with(settings, "BOX") == ""
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-password\n")
    words = problem_with(replace(settings, password_file=str(wrong)), "BOX")
    assert "check house.username and house.password_file" in words
    assert "not-the-password" not in words
    broker.stop()
    assert f"127.0.0.1:{broker.port}" in problem_with(settings, "BOX")


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def broker_of(talk: Talk, port: int) -> AsyncIterator[None]:
    """A broker of a few lines. At the end it has closed every connection."""
    talks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.current_task())
        try:
            await talk(reader, writer)
        finally:
            writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", port):
        yield
        for task in filter(None, talks):
            task.cancel()
        await asyncio.gather(*filter(None, talks), return_exceptions=True)


NAMES_256_MB = b"\x30\xff\xff\xff\x7f\x00\x01x"  # PUBLISH: 268,435,455 bytes follow
QOS_2 = b"\x34\xc0\x84\x3d\x00\x01x\x00\x01" + bytes(999_995)  # PUBLISH: 1,000,000 bytes follow


@pytest.mark.parametrize(
    ("packets", "words"),
    [
        ([NAMES_256_MB, *[bytes(1_000_000)] * 100], "a message of more than 1,000,000 bytes"),
        ([QOS_2] * 100, "the broker sends with QoS 2"),
    ],
)
async def test_what_is_too_much_is_not_taken_into_memory_and_that_is_said(packets, words):
    sent: list[int] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10_000)
        writer.write(b"\x20\x02\x00\x00")  # CONNACK
        subscribe = await reader.read(10_000)
        writer.write(b"\x90\x03" + subscribe[2:4] + b"\x01")  # SUBACK
        for packet in packets:
            writer.write(packet)
            await writer.drain()
            sent.append(len(packet))

    port = free_port()
    settings = HouseSettings(enabled=True, host="127.0.0.1", port=port)
    config = ClientConfig("BOX", topics=("x",), last_will=None, dropped=print)
    async with broker_of(talk, port), asyncio.timeout(PATIENCE_S):
        with pytest.raises(BrokerError, match=words):
            async with connected(settings, config) as line:
                await anext(line.messages())
    assert sum(sent) < 30_000_000  # what the sockets hold, not what the broker would send


async def test_a_broker_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr("agent.mqtt.broker.OPEN_S", 0.5)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    port = free_port()
    async with broker_of(talk, port):
        settings = HouseSettings(enabled=True, host="127.0.0.1", port=port)
        words = await asyncio.to_thread(problem_with, settings, "BOX")
    assert f"127.0.0.1:{port}" in words
