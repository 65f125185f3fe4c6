"""Lets many worlds live, in as many processes as there are cores.

    python -m tests.simulation.run

``SIM_DAYS`` days in all (default 200), or ``SIM_RUNS`` worlds; seeds from ``SIM_FROM`` on. Each
world lives ``SIM_LENGTH`` days (default: drawn, 1 to 3); with ``SIM_HURRY=4`` four times as much
happens in them. ``SIM_SEED=n`` repeats one world, and writes its whole log into the file that
``SIM_DIARY`` names. It ends after ``SIM_FAILURES`` failures (default 5).

Ends with 1 when a promise was broken, and when in a long run something never happened that can go
wrong, or a promise never had anything to look at.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.simulation import vfs
from tests.simulation.figures import missing, tables
from tests.simulation.run_log import LINES_SHOWN
from tests.simulation.tally import Tally

_MEMORY = Path("/dev/shm")
_SECONDS_A_DAY = 300.0
_LONG_DAYS = 100.0  # in so many days everything that can go wrong must have
_PART_OF_A_SEED = ("SIM_LENGTH", "SIM_HURRY")


@dataclass(frozen=True)
class Result:
    """One run, as it comes back from a process."""

    seed: str
    days: float
    failure: str | None
    lines: list[str]
    fingerprint: str
    sessions: int
    messages: int
    restarts: int
    tally: Tally
    looks: Tally


def one(seed: str, days: float, is_whole: bool = False) -> Result:
    """Run one world; of its log the end comes back, or all of it."""
    from tests.simulation.world import simulate

    place = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    _be_impatient(days)
    with tempfile.TemporaryDirectory(prefix="sim-", dir=place) as folder:
        outcome = simulate(seed, days, Path(folder), hurry())
    faulthandler.cancel_dump_traceback_later()
    lines = outcome.run_log.lines if is_whole else outcome.run_log.lines[-LINES_SHOWN:]
    return Result(
        seed,
        days,
        outcome.failure,
        lines if outcome.failure or is_whole else [],
        outcome.run_log.fingerprint(),
        outcome.sessions,
        outcome.messages,
        outcome.restarts,
        outcome.tally,
        outcome.looks,
    )


def _be_impatient(days: float) -> None:
    """A world in which virtual time stands still would never end: say where, and end it."""
    limit_s = _SECONDS_A_DAY * max(1.0, days)
    faulthandler.dump_traceback_later(limit_s, exit=True, file=sys.__stderr__ or sys.stderr)


def hurry() -> float:
    """How much more than usual happens."""
    return float(os.environ.get("SIM_HURRY", "1"))


def length_of(seed: str) -> float:
    """How many days the world of this seed lives."""
    told = os.environ.get("SIM_LENGTH")
    return float(told) if told else Random(f"{seed}/length").choice((1.0, 2.0, 3.0))


def seeds(first: int, days: float, runs: int | None) -> Iterator[tuple[str, float]]:
    """Which worlds to run, and how long each."""
    left, number = days, first
    while left > 0 if runs is None else number < first + runs:
        length = length_of(str(number))
        yield str(number), length
        left -= length
        number += 1


def repeat(seed: str) -> int:
    """Run one world once more; print its log."""
    result = one(seed, length_of(seed), is_whole=True)
    told = os.environ.get("SIM_DIARY")
    if told:
        Path(told).write_text("\n".join(result.lines) + "\n")
    _show(Result(**{**vars(result), "lines": result.lines[-LINES_SHOWN:]}))
    return 0 if result.failure is None else 1


def many(chosen: list[tuple[str, float]], workers: int) -> int:
    """Run them all; print what failed, and the figures."""
    begun_s = time.monotonic()
    failures_max = int(os.environ.get("SIM_FAILURES", "5"))
    results: list[Result] = []
    # Not forked: libffi may share the memory of its callbacks between a process and its child.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        waiting = [pool.submit(one, seed, days) for seed, days in chosen]
        for future in as_completed(waiting):
            results.append(future.result())
            if results[-1].failure is not None:
                _show(results[-1])
            if sum(result.failure is not None for result in results) >= failures_max:
                pool.shutdown(cancel_futures=True)
                break
    absent = _show_figures(results, time.monotonic() - begun_s)
    return 1 if absent or any(result.failure for result in results) else 0


def _show(result: Result) -> None:
    print("\n".join(result.lines))
    print(f"seed {result.seed}, {result.days:g} days, log {result.fingerprint}")
    verdict = result.failure or "every promise was kept"
    print(f"seed {result.seed}: {verdict}")
    if result.failure is not None:
        told = [f"{name}={os.environ[name]} " for name in _PART_OF_A_SEED if name in os.environ]
        print(f"repeat it: {''.join(told)}SIM_SEED={result.seed} make sim")
    sys.stdout.flush()


def _show_figures(results: list[Result], seconds: float) -> list[str]:
    """Print what there was; returns what is missing although the run was long."""
    days = sum(result.days for result in results)
    failed = [result.seed for result in results if result.failure is not None]
    tally = sum((result.tally for result in results), Tally())
    looks = sum((result.looks for result in results), Tally())
    print("\n".join(tables(tally, looks)))
    print(
        f"{len(results)} worlds, {days:g} days, "
        f"{sum(result.sessions for result in results)} sessions, "
        f"{sum(result.messages for result in results)} messages, "
        f"{sum(result.restarts for result in results)} restarts, "
        f"in {seconds:.0f} s: {days / seconds * 60:.0f} days a minute"
    )
    print(f"failed: {', '.join(failed)}" if failed else "every promise was kept")
    absent = missing(tally, looks) if days >= _LONG_DAYS and not failed else []
    if absent:
        print(f"never in all that time: {', '.join(absent)}")
    return absent


def main() -> int:
    """Do what the environment asks for."""
    reason = vfs.why_not()
    if reason is not None:
        print(f"the simulation cannot run here: {reason}", file=sys.stderr)
        return 2
    seed = os.environ.get("SIM_SEED")
    if seed is not None:
        return repeat(seed)
    runs = os.environ.get("SIM_RUNS")
    chosen = list(
        seeds(
            int(os.environ.get("SIM_FROM", "1")),
            float(os.environ.get("SIM_DAYS", "200")),
            None if runs is None else int(runs),
        )
    )
    return many(chosen, int(os.environ.get("SIM_WORKERS", os.cpu_count() or 1)))


if __name__ == "__main__":
    sys.exit(main())
