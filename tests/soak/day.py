"""24 hours in virtual time: a whole box, its sessions, and much that goes wrong in them.

What the simulation (``make sim``) does not count: objects, tasks and threads. They are counted
after every quarter of the day, with everything at rest. What must hold whatever goes wrong stands
in ``trouble.py``.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.app.box import CARD, Box, running_box
from tests.soak.trouble import Trouble
from tests.virtual_time import run_in_virtual_time

QUARTERS = 4
QUARTER_S = 6 * 3600.0
SESSIONS = 9  # in each quarter
STRIKES_MAX = 3  # in each session
SHARE = 0.02
KEYS = {"TransactionMessageAttempts": "20", "TransactionMessageRetryInterval": "1"}


@dataclass(frozen=True)
class Count:
    """What is alive at one moment."""

    objects: int
    blocks: int  # of memory, those of texts and numbers too
    tasks: int
    threads: int


@dataclass
class Day:
    """What became of a day."""

    counts: list[Count] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


async def day(folder: Path, seed: str, quarters: int = QUARTERS, sessions: int = SESSIONS) -> Day:
    """Live through so many quarters of a day; count and look after each."""
    chance, lived = Random(seed), Day()
    async with running_box(folder, **KEYS) as box:
        box.central_system.accepted_tags.add(CARD)
        trouble = Trouble(box, chance)
        lived.happened, lived.broken = trouble.happened, trouble.witness.broken
        for _ in range(quarters):
            for _ in range(sessions):
                ends_at_s = asyncio.get_running_loop().time() + QUARTER_S / sessions
                await _session(box, trouble, chance)
                await asyncio.sleep(ends_at_s - asyncio.get_running_loop().time())
            trouble.witness.look_back()
            lived.counts.append(await _count(box))
    return lived


async def _session(box: Box, trouble: Trouble, chance: Random) -> None:
    await box.charge()
    for _ in range(chance.randint(0, STRIKES_MAX)):
        await asyncio.sleep(chance.uniform(0, 200))
        await trouble.strike()
    await asyncio.sleep(chance.uniform(0, 200))
    await trouble.end()


async def _count(box: Box) -> Count:
    system = box.central_system
    for talk in system._talks[:-1]:
        talk.end.break_off()  # the central system's end of a line that was half open
    await asyncio.sleep(1)
    for memory in (system.calls, system.frames, system.attempts):  # it remembers everything
        memory.clear()
    del system.wires[:-1], system._talks[:-1]
    gc.collect()
    return Count(
        len(gc.get_objects()),
        sys.getallocatedblocks(),
        len(asyncio.all_tasks()),
        threading.active_count(),
    )


def problems_of(counts: list[Count]) -> list[str]:
    """What has grown since the second count."""
    before, after = counts[1], counts[-1]
    problems = []
    if after.objects > before.objects * (1 + SHARE):
        problems.append(f"objects: {[count.objects for count in counts]}")
    if after.blocks > before.blocks * (1 + SHARE):
        problems.append(f"blocks of memory: {[count.blocks for count in counts]}")
    if after.tasks > before.tasks:
        problems.append(f"tasks: {[count.tasks for count in counts]}")
    if after.threads > before.threads:
        problems.append(f"threads: {[count.threads for count in counts]}")
    return problems


def main(seed: str) -> int:
    """Live through a day and tell; 1 when something has grown, or a promise was broken."""
    begun_s = time.monotonic()
    logging.disable(logging.CRITICAL)  # of trouble there is much to say
    try:
        with tempfile.TemporaryDirectory() as name:
            lived = run_in_virtual_time(day(Path(name), seed))
    finally:
        logging.disable(logging.NOTSET)
    last = lived.counts[-1]
    happened = ", ".join(f"{name} {count}" for name, count in sorted(lived.happened.items()))
    print(f"24 h in virtual time, SOAK_SEED={seed}, in {time.monotonic() - begun_s:.0f} s")
    print(f"{QUARTERS * SESSIONS} sessions: {happened}")
    grown = last.blocks / lived.counts[1].blocks - 1
    print(f"{last.objects} objects, {last.tasks} tasks, {last.threads} threads")
    print(f"{last.blocks} blocks of memory, {grown:+.2%} since its second quarter")
    for problem in (problems := [*lived.broken, *problems_of(lived.counts)]):
        print(f"BROKEN: {problem}")
    return 1 if problems else 0
