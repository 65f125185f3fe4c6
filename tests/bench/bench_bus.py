"""The station bus: from a request on a real broker to its answer, and a thousand at once.

Agent, broker and client share the machine; the client measures from the publishing of the request
to the arrival of the answer. The token is on the local list.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import aiomqtt

from agent.core.values import AuthorizationStatus, IdTagInfo
from agent.store import Store
from tests.bench.box import started
from tests.box_config import WITH_EVERY_PART, config_text
from tests.emulators.virtual_clock import NOON
from tests.free_port import free_port
from tests.store.builders import replace_list

ROUNDS = 200
BURST = 1000
CARD = "04A2B3C4"
NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

_MQTT = """
[mqtt]
enabled = true
port = {port}
"""


def run(rounds: int = ROUNDS, burst: int = BURST) -> list[tuple[str, str]]:
    """Measure; empty where there is no mosquitto."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        return [("not measured", "mosquitto is not installed")]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        port = free_port()
        (directory / "broker.conf").write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\n"
            "set_tcp_nodelay true\nmax_queued_messages 5000\n"
        )
        broker = subprocess.Popen(
            [program, "-c", str(directory / "broker.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return asyncio.run(_measure(directory, port, rounds, burst))
        finally:
            broker.terminate()
            broker.wait()


async def _measure(directory: Path, port: int, rounds: int, burst: int) -> list[tuple[str, str]]:
    text = config_text(directory, connectors=[{"evse_id": "DE*ABC*E1", **WITH_EVERY_PART}])
    config = directory / "config.toml"
    config.write_text(text + _MQTT.format(port=port), "utf-8")
    store = Store.open(directory / "agent.db", now=NOON, make_id=lambda: "unused")
    replace_list(store, 1, [(CARD, IdTagInfo(AuthorizationStatus.ACCEPTED))])
    store.close()
    async with (
        started(directory, ["-m", "agent", "run", "--config", str(config)]),
        aiomqtt.Client("127.0.0.1", port, socket_options=[NO_DELAY]) as client,
    ):
        await client.subscribe("josev/cs", qos=1)
        await _until_ready(client)
        times_s = [await _asked(client) for _ in range(rounds)]
        burst_s = await _burst(client, burst)
    ordered = sorted(times_s)
    return [
        ("listed token, request to answer, p50", f"{statistics.median(ordered) * 1e3:.1f} ms"),
        ("listed token, request to answer, p99", f"{ordered[int(rounds * 0.99)] * 1e3:.1f} ms"),
        (f"{burst:,} requests at once, until all are answered once, in order", f"{burst_s:.2f} s"),
    ]


def _request() -> tuple[str, str]:
    id = str(uuid.uuid4())
    data = {"token_type": "ISO14443", "id_token": CARD}
    return id, json.dumps({"id": id, "name": "authorization", "type": "request", "data": data})


async def _until_ready(client: aiomqtt.Client) -> None:
    """The agent is on the bus when it says so."""
    id, text = _request()
    await client.publish("cs/josev", text, qos=1)
    try:
        async with asyncio.timeout(5):
            await _answers(client, {id})
    except TimeoutError:
        await _until_ready(client)


async def _asked(client: aiomqtt.Client) -> float:
    id, text = _request()
    begun_s = time.perf_counter()
    await client.publish("cs/josev", text, qos=1)
    await _answers(client, {id})
    return time.perf_counter() - begun_s


async def _burst(client: aiomqtt.Client, count: int) -> float:
    requests = [_request() for _ in range(count)]
    begun_s = time.perf_counter()
    async with asyncio.timeout(60), asyncio.TaskGroup() as both:
        answered = both.create_task(_answers(client, {id for id, _ in requests}))
        for _, text in requests:
            await client.publish("cs/josev", text, qos=1)
    took_s = time.perf_counter() - begun_s
    if answered.result() != [id for id, _ in requests]:
        raise SystemExit("an answer is missing, comes twice, or is out of order")
    return took_s


async def _answers(client: aiomqtt.Client, wanted: set[str]) -> list[str]:
    """The ids of the answers as they come, until each of these has one."""
    left, found = set(wanted), []
    async for message in client.messages:
        told = json.loads(message.payload)  # type: ignore[arg-type]
        if told["type"] == "response":
            left.discard(told["id"])
            found.append(told["id"])
        if not left:
            break
    return found
