"""How long something from outside keeps the reflex from the interpreter.

A charging box in a process of its own, its real threads on emulated pins. A thread of it that
wants to look every millisecond says how long it could not, while something large or odd comes in
(``gaps.py``). What counts is the time that the process has computed meanwhile; the least of
several tries, because what else runs on the machine can only add to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from agent.api.tokens import TokenFile
from agent.control.server import LINE_MAX
from tests.bench.bench_api import SECRET, api_config, until_it_serves
from tests.bench.strange_frames import ENTRIES, FRAME_MAX, array, filled, frames
from tests.free_port import free_port
from tests.soak.minutes import Soaked, soaked_agent

TRIES = 5
AIM_MS = 20
SETTLE_S = 0.2
ANSWER_S = 20.0

Happen = Callable[[int], Awaitable[object]]


def run(tries: int = TRIES) -> list[tuple[str, str]]:
    """Let everything come in so often."""
    return asyncio.run(_measure(tries))


async def _measure(tries: int) -> list[tuple[str, str]]:
    port = free_port()

    def prepare(directory: Path) -> str:
        TokenFile(directory).add("bench", ("read", "configure"), SECRET, "2026-03-01T12:00:00Z")
        return api_config(port)

    headers = {"Authorization": f"Bearer {SECRET}"}
    async with (
        soaked_agent(prepare) as box,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client,
    ):
        await until_it_serves(client)
        await box.charge()
        rows = [await _row("nothing", _nothing, box, tries)]
        for label, text in frames():
            rows.append(await _row(label, _frame(box, text), box, tries))
        for label, body in bodies():
            rows.append(await _row(label, _body(client, body), box, tries))
        for label, line in lines():
            rows.append(await _row(label, _line(box, line), box, tries))
        return rows


async def _row(label: str, happen: Happen, box: Soaked, tries: int) -> tuple[str, str]:
    least_ms = []
    for number in range(tries):
        await box.pull("look")
        await happen(number)
        await asyncio.sleep(SETTLE_S)
        processor_s, _ = await box.pull("looked")
        least_ms.append(processor_s * 1e3)
    return f"held by {label} (aim: under {AIM_MS} ms)", f"{min(least_ms):.1f} ms"


# --- what comes in -------------------------------------------------------------------------------


def bodies() -> Iterator[tuple[str, str]]:
    """What a client of the control API can send as a local list."""

    def update(entries: str) -> str:
        return (
            '{"target":{"charger_id":"SOAK-1"},"event":{"list_version":VERSION,'
            f'"entries":{entries}}}}}'
        )

    tags = [
        {"id_tag": f"04{number:012X}", "expiry_date": "2027-01-01T00:00:00Z"}
        for number in range(ENTRIES)
    ]
    plain = [{"id_tag": f"04{number:012X}"} for number in range(ENTRIES)]
    yield f"{ENTRIES:,} entries by the control API", update(json.dumps(tags))
    yield f"{ENTRIES:,} entries without a date", update(json.dumps(plain))
    for element in ("{}", "[]", "1.5"):
        yield f"a body of 2 MiB of {element}", update(filled(element, FRAME_MAX))
        yield f"a body of 29,000 times {element}", update(array(element, 29_000))
    yield "a body of 29,000 entries", update(array('{"id_tag":"A"}', 29_000))
    yield "a body with long tags", update(array(f'{{"id_tag":"{"x" * 1000}"}}', 1_900))


def lines() -> Iterator[tuple[str, str]]:
    """What anyone on the machine may ask through the control socket."""
    yield "64 KiB on the control socket", f'{{"do":"list","x":{filled("[]", LINE_MAX - 100)}}}'
    yield "the same of floats", f'{{"do":"list","x":{filled("1.5", LINE_MAX - 100)}}}'
    yield "the whole state", '{"do":"status"}'


# --- how it comes in -----------------------------------------------------------------------------


async def _nothing(number: int) -> None:
    await asyncio.sleep(SETTLE_S)


def _frame(box: Soaked, text: str) -> Happen:
    async def happen(number: int) -> None:
        name = f"{hash(text) & 0xFFFFFF}-{number}"
        sent = text.replace("ID", name, 1).replace("VERSION", str(next(_versions)), 1)
        if text.startswith("[3"):
            await box.central_system.send_raw(sent)
            await asyncio.sleep(SETTLE_S)
            return
        with contextlib.suppress(TimeoutError):  # what is no call is not answered
            await box.central_system.answer_to(name, sent, 2.0 if "[[[" in text else ANSWER_S)

    return happen


def _body(client: httpx.AsyncClient, body: str) -> Happen:
    async def happen(number: int) -> None:
        content = body.replace("VERSION", str(next(_versions)), 1)
        kind = {"Content-Type": "application/json"}
        path = "/ocpp/commands/local-auth-list"
        await client.post(path, content=content, headers=kind, timeout=ANSWER_S)

    return happen


def _line(box: Soaked, line: str) -> Happen:
    async def happen(number: int) -> Any:
        reader, writer = await asyncio.open_unix_connection(str(box.control))
        with contextlib.closing(writer):
            writer.write(line.encode() + b"\n")
            await reader.readline()

    return happen


_versions = iter(range(1000, 1_000_000))


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
