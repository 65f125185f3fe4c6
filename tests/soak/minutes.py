"""Minutes in real time: sessions, and something that goes wrong in most of them.

What must hold is looked at after every round and at the end: outputs open within 100 ms, no promise
broken at the pins, memory flat, no thread and no file left over, each session told once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.config.config_file import read_config
from agent.control.server import ask
from agent.platform.errors import ControlError
from tests.app.box import CARD, put_on_list
from tests.bench.bench_idle import kib
from tests.bench.box import started
from tests.bench.strange_frames import frames
from tests.emulators.central_system import Error, FakeCentralSystem, HangUp, Late, Silence
from tests.soak.wired_agent import wired_config

OPEN_S = 0.1
BLOCKED_S, STALLED_S = 5.0, 10.0
ROUNDS_TO_JUDGE = 60  # four minutes: in a shorter soak one step of the allocator looks like growth
MEMORY_SHARE = 0.02
MEMORY_MAX_KIB = 150 * 1024  # MemoryMax of the unit
SLOW_S, LIGHT_S = 2.0, 1.0  # light sooner than a write ends: it has not waited for the disk
PONG_S = 3.0  # the agent pings every second
LARGE_FRAMES_FIRST = 5
LIST_ENTRIES = 10_000
PATIENCE_S = 40.0
LINK_S = 120.0
STABLE_S = 45.0  # a link that held for 30 s begins anew after a loss, without a long rest
LOOK_S = 0.05
STRANGER = "04FFFFFFFFFF80"
_LEVER_S = 20.0  # no promise: a busy machine may take its time


class Broken(Exception):
    """A promise that was not kept."""


@dataclass
class Soaked:
    """One agent under test, its levers and its central system."""

    pid: int
    central_system: FakeCentralSystem
    control: Path
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    openings: list[tuple[str, float]] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    memory_kib: list[int] = field(default_factory=list)
    peak_kib: int = 0
    link_lost_at_s: float = 0.0

    def may_lose_the_link(self) -> bool:
        """True now and then: an agent that loses it again and again rests for minutes."""
        if time.monotonic() - self.link_lost_at_s < STABLE_S:
            return False
        self.link_lost_at_s = time.monotonic()
        return True

    async def pull(self, do: str, **how: Any) -> Any:
        """Pull a lever; the time of that is told to it."""
        request = {"do": do, "at_s": time.monotonic(), **how}
        self.writer.write(json.dumps(request).encode() + b"\n")
        async with asyncio.timeout(_LEVER_S):
            return json.loads(await self.reader.readline())

    async def open_by(self, do: str, what: str, **how: Any) -> bool:
        """Something that must open the contactor; False: it was open."""
        took_s = await self.pull(do, **how)
        if took_s is not None:
            self.openings.append((what, took_s))
            if took_s > OPEN_S:
                busy = f"{os.getloadavg()[0]:.1f} processes want {os.cpu_count()} cores"
                raise Broken(f"{what}: opened after {took_s * 1000:.0f} ms; {busy}")
        return took_s is not None

    async def do(self, action: str, **request: Any) -> Any:
        """Ask the agent; it may be busy."""
        return await asyncio.to_thread(ask, self.control, {"do": action, **request})

    async def tap(self, card: str = CARD) -> None:
        """Hold a card to the reader, whatever comes of it."""
        with contextlib.suppress(ControlError):
            await self.do("sim", lever="tap", card=card)

    async def until(self, claim: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Wait until the facts at the pins are so."""
        until_s = time.monotonic() + PATIENCE_S
        while not claim(facts := await self.pull("facts")):
            if time.monotonic() > until_s:
                status = await self.do("status")
                raise Broken(f"{what}: not within {PATIENCE_S:g} s: {facts}, {status}")
            await asyncio.sleep(LOOK_S)
        return facts

    async def until_status(
        self, claim: Callable[[dict[str, Any]], bool], what: str, within_s: float = LINK_S
    ) -> None:
        """Wait until the agent says so of itself."""
        until_s = time.monotonic() + within_s
        while not claim(status := await self.do("status")):
            if time.monotonic() > until_s:
                raise Broken(f"{what}: not within {within_s:g} s: {status}")
            await asyncio.sleep(LOOK_S)

    async def charge(self) -> None:
        """Plug in and tap until energy flows."""
        await self.pull("plug", **{"in": True})
        for _ in range(3):
            await asyncio.sleep(0.3)
            await self.tap()
            with contextlib.suppress(Broken):
                await self._until_energy()
                return
        await self._until_energy()

    async def _until_energy(self) -> None:
        until_s = time.monotonic() + 4
        while not (await self.pull("facts"))["coil"]:
            if time.monotonic() > until_s:
                raise Broken(f"no energy flows: {await self.do('status')}")
            await asyncio.sleep(LOOK_S)

    async def come_to_rest(self) -> None:
        """Mend everything, pull the plug, wait until the box is free again."""
        for action in ("Authorize", "StartTransaction", "StopTransaction", "MeterValues"):
            self.central_system.always(action, None)
        await self.pull("weld", **{"is": False})
        await self.pull("jam", **{"is": False})
        await self.do("sim", lever="clear")
        await self.do("sim", lever="network", wanted=True)
        await self.pull("release")
        await self.open_by("plug", "plug pulled", **{"in": False})
        await self.until(lambda facts: not facts["coil"] and not facts["locked"], "at rest")
        with contextlib.suppress(ControlError):
            await self.do("acknowledge", connector=1)
        await self.until_status(lambda s: s["connectors"][0]["status"] == "Available", "free")


# --- what can happen while it charges ------------------------------------------------------------


async def _nothing(box: Soaked, chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(0.5, 3))


async def _trip(box: Soaked, chance: random.Random) -> None:
    name = chance.choice(("emergency_stop", "door"))
    await box.open_by("trip", name, name=name)


async def _hang(box: Soaked, chance: random.Random) -> None:
    """The loop hangs and the disk stalls; then somebody presses the emergency stop."""
    await box.pull("stall", s=STALLED_S)
    await box.pull("block", s=BLOCKED_S)
    await asyncio.sleep(chance.uniform(0.2, 4))
    await box.open_by("trip", "emergency stop, loop and disk hang", name="emergency_stop")
    await asyncio.sleep(STALLED_S)


async def _unplug(box: Soaked, chance: random.Random) -> None:
    await box.pull("block", s=chance.uniform(0, 1))
    await box.open_by("plug", "plug pulled by force", **{"in": False})


async def _weld(box: Soaked, chance: random.Random) -> None:
    await box.pull("weld", **{"is": True})
    await box.tap()
    await asyncio.sleep(2)


async def _jam(box: Soaked, chance: random.Random) -> None:
    await box.pull("jam", **{"is": True})
    await box.tap()
    await asyncio.sleep(1)


async def _break_a_part(box: Soaked, chance: random.Random) -> None:
    await box.do(
        "sim", lever="fault", name=chance.choice(("meter_silent", "meter_nan", "reader_hang"))
    )
    await asyncio.sleep(chance.uniform(0.5, 3))


async def _be_an_odd_central_system(box: Soaked, chance: random.Random) -> None:
    action = chance.choice(("StartTransaction", "MeterValues"))
    reaction = chance.choice((Late(2.0), Silence(), Error(), HangUp()))
    if not isinstance(reaction, HangUp):
        box.central_system.always(action, reaction)
    elif box.may_lose_the_link():
        box.central_system.next(action, reaction)
    await box.tap(STRANGER)


async def _cut_the_network(box: Soaked, chance: random.Random) -> None:
    if box.may_lose_the_link():
        await box.do("sim", lever="network", wanted=False)
    await box.tap(STRANGER)


async def _stall_the_disk(box: Soaked, chance: random.Random) -> None:
    await box.pull("stall", s=chance.uniform(1, STALLED_S))
    await box.tap()
    await asyncio.sleep(1)


async def _write_slowly(box: Soaked, chance: random.Random) -> None:
    """Each write takes 2 s: light, pings, reflex and link do not wait for it."""
    await box.until_status(lambda s: bool(s["online"]), "online")
    await box.pull("slow", s=SLOW_S)
    try:
        link = (await box.do("status"))["link"]["connected_since"]
        for _ in range(3):
            read_s, said_s = await box.pull("tap", card=STRANGER)  # CARD would end the session
            if None in (read_s, said_s) or said_s > LIGHT_S:
                raise Broken(
                    f"slow disk: the light said read, yes or no after {read_s}, {said_s} s"
                )
            before = (await box.do("status"))["link"]["last_pong_at"]
            await asyncio.sleep(SLOW_S)
            await box.until_status(
                lambda s, old=before: s["link"]["last_pong_at"] != old, "a ping, slow disk", PONG_S
            )
        if not await box.open_by("trip", "emergency stop, slow disk", name="emergency_stop"):
            raise Broken("slow disk: the session ended by itself")
        if (await box.do("status"))["link"]["connected_since"] != link:
            raise Broken("slow disk: the link was lost")
    finally:
        await box.pull("slow", s=0)


async def _send_a_long_list(box: Soaked, chance: random.Random) -> None:
    """As many entries as one message may have."""
    tags = [CARD, *(f"05{number:012X}" for number in range(LIST_ENTRIES - 1))]
    entries = [{"idTag": tag, "idTagInfo": {"status": "Accepted"}} for tag in tags]
    await box.until_status(lambda s: bool(s["online"]), "online")
    version = 1000 + box.happened["send_a_long_list"]
    payload = {"listVersion": version, "updateType": "Full", "localAuthorizationList": entries}
    answer = await box.central_system.send_call("SendLocalList", payload)
    if answer[2] != {"status": "Accepted"}:
        raise Broken(f"a list of {LIST_ENTRIES} entries was answered {answer[2]}")


async def _send_what_is_too_much(box: Soaked, chance: random.Random) -> None:
    """Something large and wrong comes in, and at that moment somebody presses the stop."""
    await box.until_status(lambda s: bool(s["online"]), "online")
    _, text = chance.choice(list(frames()))
    await box.central_system.send_raw(text.replace("VERSION", str(chance.randrange(1, 900)), 1))
    await asyncio.sleep(chance.uniform(0, 0.3))
    await box.open_by("trip", "emergency stop, a large frame", name="emergency_stop")
    await asyncio.sleep(1)


async def _send_every_large_frame(box: Soaked) -> None:
    """So often that the allocator keeps all it ever will of them: what grows later is a leak.

    Measured: from the fifth time on the memory at rest is the same.
    """
    for number in range(LARGE_FRAMES_FIRST):
        for _, text in frames():
            await box.until_status(lambda s: bool(s["online"]), "online")
            await box.central_system.send_raw(text.replace("VERSION", str(number + 1), 1))
            await asyncio.sleep(0.4)


async def _ask_for_a_self_test(box: Soaked, chance: random.Random) -> None:
    with contextlib.suppress(ControlError):
        await box.do("self_test", what="try", step=chance.choice(("contactor-1", "lock-1")))
        raise Broken("a self-test moved parts during a session")


HAPPENINGS: tuple[Callable[[Soaked, random.Random], Awaitable[None]], ...] = (
    _nothing,
    _trip,
    _hang,
    _unplug,
    _weld,
    _jam,
    _break_a_part,
    _be_an_odd_central_system,
    _cut_the_network,
    _stall_the_disk,
    _write_slowly,
    _send_a_long_list,
    _send_what_is_too_much,
    _ask_for_a_self_test,
)


# --- rounds and accounts -------------------------------------------------------------------------


async def round_of(box: Soaked, happen: Any, chance: random.Random) -> None:
    """One session, and what happens in it."""
    await box.charge()
    await asyncio.sleep(chance.uniform(0, 1))
    box.happened[happen.__name__.strip("_")] += 1
    await happen(box, chance)
    await box.come_to_rest()
    facts = await box.pull("facts")
    if facts["broken"]:
        raise Broken(f"after {happen.__name__}: {', '.join(facts['broken'])}")
    box.memory_kib.append(kib(box.pid, "status", "VmRSS"))


def growth(memory_kib: list[int]) -> float:
    """How much of itself the memory has grown, from the second quarter to the last."""
    quarter = len(memory_kib) // 4
    before = statistics.median(memory_kib[quarter : 2 * quarter])
    return statistics.median(memory_kib[-quarter:]) / before - 1


def wrong_sessions(central_system: FakeCentralSystem) -> list[str]:
    """Sessions that were not told once each, beginning and end."""
    begun = {call.unique_id for call in central_system.of("StartTransaction")}
    stops = {call.unique_id: call for call in central_system.of("StopTransaction")}
    ended = Counter(call.payload["transactionId"] for call in stops.values())
    problems = (
        [f"{len(begun)} sessions began, {len(stops)} ended"] if len(begun) != len(stops) else []
    )
    return problems + [f"transaction {number} ended twice" for number, n in ended.items() if n > 1]


@contextlib.asynccontextmanager
async def soaked_agent(
    prepare: Callable[[Path], str] = lambda directory: "",
) -> AsyncIterator[Soaked]:
    """A process to soak; ``prepare`` gives more lines for its configuration."""
    central_system = FakeCentralSystem(accepted_tags={CARD})
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        config, levers = directory / "config.toml", directory / "levers"
        async with central_system.serve() as url:
            config.write_text(wired_config(directory, url) + prepare(directory), "utf-8")
            put_on_list(read_config(config), CARD)
            arguments = ["-m", "tests.soak.wired_agent", str(config), str(levers)]
            async with started(directory, arguments) as moments:
                reader, writer = await asyncio.open_unix_connection(str(levers))
                try:
                    control = directory / "control.sock"
                    yield Soaked(moments.process.pid, central_system, control, reader, writer)
                finally:
                    writer.close()


async def soak(minutes: float, seed: str) -> Soaked:
    """Soak for so long, and look at everything at the end. Raises Broken."""
    chance = random.Random(seed)
    async with soaked_agent() as box:
        for happen in HAPPENINGS:  # each of them once, before anything is counted
            await round_of(box, happen, chance)
        await _send_every_large_frame(box)
        box.memory_kib.clear()
        begun = await box.pull("facts")
        until_s = time.monotonic() + minutes * 60
        while time.monotonic() < until_s:
            await round_of(box, chance.choice(HAPPENINGS), chance)
        await _look_back(box, begun)
    return box


async def _look_back(box: Soaked, begun: dict[str, Any]) -> None:
    await box.until_status(lambda s: s["messages_waiting"] == 0, "messages delivered")
    if problems := wrong_sessions(box.central_system):
        raise Broken("; ".join(problems))
    threads, files = begun["threads"], begun["files"]
    await box.until(lambda ended: ended["threads"] == threads, f"threads as before, {threads}")
    await box.until(lambda ended: ended["files"] <= files, f"files as before, {files}")
    box.peak_kib = kib(box.pid, "status", "VmHWM")
    if box.peak_kib > MEMORY_MAX_KIB:
        raise Broken(f"memory: {box.peak_kib} KiB at its peak")
    if len(box.memory_kib) >= ROUNDS_TO_JUDGE and growth(box.memory_kib) > MEMORY_SHARE:
        raise Broken(f"memory: {box.memory_kib} KiB")


def show(box: Soaked) -> None:
    """The figures."""
    took_ms = sorted(took_s * 1000 for _, took_s in box.openings)
    happened = ", ".join(f"{name} {count}" for name, count in sorted(box.happened.items()))
    print(f"{box.happened.total()} sessions: {happened}")
    print(f"input to open output: p50 {statistics.median(took_ms):.1f}, max {took_ms[-1]:.1f} ms")
    print(f"memory at its peak: {box.peak_kib / 1024:.1f} MiB")
    if len(box.memory_kib) >= 8:
        share = growth(box.memory_kib)
        print(f"memory: {box.memory_kib[-1] / 1024:.1f} MiB, {share:+.2%} since its second quarter")


def main(minutes: float, seed: str) -> int:
    """Soak and tell; 1 when a promise was broken."""
    print(f"{minutes:g} minutes in real time, SOAK_SEED={seed}", flush=True)
    try:
        show(asyncio.run(soak(minutes, seed)))
    except (Broken, ControlError, OSError) as problem:
        print(f"BROKEN: {str(problem) or repr(problem)}", file=sys.stderr)
        return 1
    return 0
