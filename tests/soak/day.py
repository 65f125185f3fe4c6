"""24 hours in virtual time: a whole box with its sessions, and what is left over of them.

What the simulation (``make sim``) does not count: objects and tasks. They are counted after every
quarter of the day, with everything at rest.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from agent.core.state import Phase
from tests.agent.box import CARD, Box, running_box
from tests.virtual_time import run_in_virtual_time

QUARTER_S = 6 * 3600.0
SESSIONS = 9  # in each quarter
OBJECTS_SHARE = 0.02


@dataclass(frozen=True)
class Count:
    """What is alive at one moment."""

    objects: int
    tasks: int
    threads: int


async def day(folder: Path, quarters: int = 4, sessions: int = SESSIONS) -> list[Count]:
    """Live through so many quarters of a day; what is alive after each."""
    counts = []
    async with running_box(folder) as box:
        for _ in range(quarters):
            for _ in range(sessions):
                await _session(box)
                await asyncio.sleep(QUARTER_S / sessions / 2)
            await asyncio.sleep(60)
            counts.append(_count(box))
    return counts


async def _session(box: Box) -> None:
    await box.charge()
    await asyncio.sleep(QUARTER_S / SESSIONS / 2)
    await box.finish(CARD)
    await box.until(lambda: box.state.phase is Phase.IDLE)


def _count(box: Box) -> Count:
    system = box.central_system
    for memory in (system.calls, system.frames, system.attempts):  # it remembers everything
        memory.clear()
    gc.collect()
    return Count(len(gc.get_objects()), len(asyncio.all_tasks()), threading.active_count())


def problems_of(counts: list[Count]) -> list[str]:
    """What has grown since the second count."""
    before, after = counts[1], counts[-1]
    problems = []
    if after.objects > before.objects * (1 + OBJECTS_SHARE):
        problems.append(f"objects: {[count.objects for count in counts]}")
    if after.tasks > before.tasks:
        problems.append(f"tasks: {[count.tasks for count in counts]}")
    if after.threads > before.threads:
        problems.append(f"threads: {[count.threads for count in counts]}")
    return problems


def main() -> int:
    """Live through a day and tell; 1 when something has grown."""
    with tempfile.TemporaryDirectory() as name:
        counts = run_in_virtual_time(day(Path(name)))
    last = counts[-1]
    print(
        f"24 h in virtual time, {4 * SESSIONS} sessions: {last.objects} objects, {last.tasks} tasks"
    )
    for problem in (problems := problems_of(counts)):
        print(f"BROKEN: {problem}")
    return 1 if problems else 0
