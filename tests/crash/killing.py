"""Kill the agent again and again in the middle of everything, then let the world settle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from agent.platform.errors import ControlError
from tests.agent_process import ProcessEnded
from tests.crash.accounts import Accounts, JournalSession, Seen, disagreements
from tests.crash.box import SAMPLE_WH, CrashBox, do
from tests.crash.central_system import AccountingCentralSystem
from tests.crash.driver import Driver
from tests.crash.event_accounts import EventJournal, event_disagreements

SETTLES_WITHIN_S = 60.0
ACTIONS_MAX = 9
CLOSED_SHARE = 0.35  # of the changes of the central system that close it


@dataclass
class Run:
    """What is drawn from one seed, and what came of it."""

    seed: int
    kills: int
    diary: list[str] = field(default_factory=list)
    witness: dict[int, Seen] = field(default_factory=dict)
    deaths_offline: int = 0
    deaths_in_session: int = 0
    problems: list[str] = field(default_factory=list)
    summary: str = ""

    def report(self) -> str:
        """Everything that a person needs to look into it."""
        again = f"CRASH_SEED={self.seed} CRASH_KILLS={self.kills} make crash"
        return "\n".join([*self.problems, self.summary, again, "", *self.diary[-60:]])


async def kill_again_and_again(directory: Path, seed: int, kills: int) -> Run:
    """Play ``kills`` deaths and compare the accounts; see ``Run.problems``."""
    run = Run(seed, kills)
    system = AccountingCentralSystem(Random(f"{seed} central system"))
    await system.open()
    box = CrashBox(directory, system.url)
    begun_s = time.monotonic()
    try:
        for number in range(1, kills + 1):
            await _life(run, box, system, Random(f"{seed} life {number}"))
            _after_death(run, box, Random(f"{seed} death {number}"))
        await _settle(run, box, system)
        run.problems += disagreements(_accounts(run, box, system))
        told, again = system.events, system.event_repetitions
        run.problems += event_disagreements(box.events, told, again)
    except* (AssertionError, ControlError, ProcessEnded, TimeoutError) as problem:
        run.problems.append(_in_words(problem))
    finally:
        if box.agent is not None:
            await box.kill()
        await system.close()
    run.summary = _summary(run, box, system, time.monotonic() - begun_s)
    return run


async def _life(run: Run, box: CrashBox, system: AccountingCentralSystem, chance: Random) -> None:
    """One process, from its start to its death at a moment drawn by chance."""
    if chance.random() < 0.5:
        await _change(run, system, chance)
    agent = await box.start()
    run.diary.append(f"--- process {box.starts}, central system open: {system.is_open}")
    actions_left = chance.randint(0, ACTIONS_MAX)
    dies_after_s = chance.choice(
        (chance.uniform(0, 0.02), chance.uniform(0, 0.3), chance.uniform(0, 2.0))
    )
    change_at = chance.randint(1, 3 * ACTIONS_MAX)
    changes: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()

    def on_action(action: str) -> None:
        nonlocal actions_left, change_at
        run.diary.append(action)
        if actions_left == 0:
            run.diary.append(f"killed {dies_after_s * 1e3:.0f} ms later")
            loop.call_later(dies_after_s, agent.process.kill)
        if change_at == 0:
            changes.append(asyncio.create_task(_change(run, system, chance)))
        actions_left, change_at = actions_left - 1, change_at - 1

    try:
        await Driver(agent, chance, on_action, run.witness).play()
    finally:
        await asyncio.gather(*changes)
    status = await agent.process.wait()
    if status != -9:
        run.problems.append(f"process {box.starts} ended by itself with status {status}")
    box.agent = None
    run.deaths_offline += not system.is_open


async def _change(run: Run, system: AccountingCentralSystem, chance: Random) -> None:
    if not system.is_open:
        run.diary.append("the central system opens")
        await system.open()
    elif chance.random() < 2 * CLOSED_SHARE:
        run.diary.append("the central system closes")
        await system.close(abruptly=chance.random() < 0.5)


def _after_death(run: Run, box: CrashBox, chance: Random) -> None:
    """Look into the journal, and say what the meter will show next."""
    left_open = box.read_journal()
    run.deaths_in_session += bool(left_open)
    for ref in run.witness.keys() - box.journal.sessions.keys():
        run.problems.append(f"energy flowed in session {ref}, which is not in the journal")
    keeps_its_register = len(left_open) == 1 and chance.random() < 0.7
    box.meter_start_wh = _last_register_wh(run, left_open) if keeps_its_register else 0
    run.diary.append(
        f"open in the journal: {[each.ref for each in left_open]};"
        f" {box.journal.waiting} messages wait; the meter will show {box.meter_start_wh} Wh"
    )


def _last_register_wh(run: Run, left_open: Iterable[JournalSession]) -> int:
    """All simulated meters begin alike, so only one session can have its register kept."""
    (session,) = left_open
    seen = run.witness.get(session.ref)
    return session.last_wh if seen is None else max(session.last_wh, seen.register_wh)


async def _settle(run: Run, box: CrashBox, system: AccountingCentralSystem) -> None:
    """A central system that stays open, a last process left in peace, and an orderly end."""
    if not system.is_open:
        await system.open()
    agent = await box.start()
    run.diary.append("--- left in peace")
    await agent.ready()
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLES_WITHIN_S):
            while not await _has_settled(box, system):
                await asyncio.sleep(0.05)
    status = await box.end()
    if status != 0:
        run.problems.append(f"the last process ended with status {status}")
    box.read_journal()
    if box.was_damaged():
        run.problems.append("a database was set aside as damaged")
    if "Traceback" in box.log.read_text("utf-8"):
        run.problems.append(f"something failed inside the agent: see {box.log}")


async def _has_settled(box: CrashBox, system: AccountingCentralSystem) -> bool:
    assert box.agent is not None
    status = await do(box.agent, "status")
    is_quiet = all(one["session"] is None for one in status["connectors"])
    if not (is_quiet and status["outbox"]["queued_count"] == 0 and status["online"]):
        return False
    lines = await do(box.agent, "security-log", order="show")
    critical = EventJournal([line["type"] for line in lines]).critical
    return len(system.events) >= critical.total()


def _accounts(run: Run, box: CrashBox, system: AccountingCentralSystem) -> Accounts:
    return Accounts(
        journal=box.journal,
        told=system.account,
        repetitions=system.repetitions,
        transaction_ids=system.transaction_ids,
        witness=run.witness,
        sample_wh=SAMPLE_WH,
    )


def _summary(run: Run, box: CrashBox, system: AccountingCentralSystem, took_s: float) -> str:
    samples = sum(told.action == "MeterValues" for told in system.account)
    return (
        f"seed {run.seed}: {box.starts - 1} kills in {took_s:.0f} s,"
        f" {run.deaths_in_session} in a session, {run.deaths_offline} offline;"
        f" {len(box.journal.sessions)} sessions, {len(system.account)} messages"
        f" ({samples} of them samples),"
        f" {len(system.repetitions)} of them came again,"
        f" {len(system.events)} security events ({len(system.event_repetitions)} came again),"
        f" {len(box.journal.messages)} were seen waiting; log: {box.log}"
    )


def _in_words(problem: BaseException) -> str:
    if isinstance(problem, BaseExceptionGroup):
        return "; ".join(_in_words(each) for each in problem.exceptions)
    return str(problem) or type(problem).__name__
