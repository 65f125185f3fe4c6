"""Makes each mistake in a copy of the program, and lets the simulation look for it.

    python -m tests.simulation.mutants

Ends with 1 when a mutant survives ``MUTANT_RUNS`` worlds (default 400), or is found by a promise
that it does not break. ``MUTANT=word`` tries only those whose name has this word.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.mutants.catalogue import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[3]
_COPIED = ("agent", "hw", "tests")
_FAILURE = re.compile(r"^seed (\d+): (.+)$", re.MULTILINE)
_WORLDS = re.compile(r"^(\d+) worlds", re.MULTILINE)
_SURVIVED = "every promise was kept"
_OUT_OF_TIME = "there was no more time"
_TIME_LIMIT_S = 600.0


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant."""

    mutant: Mutant
    broken: str | None  # the promise that it broke, and how; None: it survived
    seed: str
    worlds: int
    seconds: float

    @property
    def finder(self) -> str | None:
        """The name of the promise, if it is one that this mistake breaks."""
        found = (
            kind for kind in self.mutant.breaks if (self.broken or "").startswith(kind.promise)
        )
        return next((kind.__name__ for kind in found), None)

    def line(self) -> str:
        """For the table."""
        where = f"{self.worlds:6} {self.seconds:5.0f}s"
        if self.broken is None:
            return f"{self.mutant.name:68} {where}  SURVIVED"
        name = self.finder or f"BY CHANCE: {self.broken}"
        return f"{self.mutant.name:68} {where}  seed {self.seed}: {name}"


def try_out(mutant: Mutant, runs: int) -> Verdict:
    """Let so many worlds live with this mistake, or fewer: the first broken promise ends it."""
    begun_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        root = Path(folder)
        for package in _COPIED:
            ignored = shutil.ignore_patterns("__pycache__", "browser", "static")
            shutil.copytree(ROOT / package, root / package, ignore=ignored)
        for edit in mutant.edits:
            edit.apply(root)
        text = _simulate(root, runs, mutant.days)
    seconds = time.monotonic() - begun_s
    worlds = int(found[1]) if (found := _WORLDS.search(text)) else 0
    for seed, verdict in _FAILURE.findall(text):
        if verdict != _SURVIVED:
            return Verdict(mutant, verdict, seed, worlds, seconds)
    if _SURVIVED not in text and _OUT_OF_TIME not in text:
        raise RuntimeError(f"{mutant.name}: the simulation did not run:\n{text[-3000:]}")
    return Verdict(mutant, None, "", worlds, seconds)


def _simulate(root: Path, runs: int, days: float) -> str:
    """In short worlds in which much happens."""
    environment = {
        **os.environ,
        "SIM_RUNS": str(runs),
        "SIM_LENGTH": str(days),
        "SIM_HURRY": "8",
        "SIM_FAILURES": "1",
        "PYTHONPATH": str(root),
    }
    environment.pop("SIM_SEED", None)
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.simulation.run"],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        return program.communicate(timeout=_TIME_LIMIT_S)[0]
    except subprocess.TimeoutExpired:
        os.killpg(program.pid, signal.SIGKILL)  # its workers too
        return f"{program.communicate()[0]}\n{_OUT_OF_TIME}"


def main() -> int:
    """Try them all; print a table."""
    runs = int(os.environ.get("MUTANT_RUNS", "400"))
    word = os.environ.get("MUTANT", "")
    survivors = 0
    begun_s = time.monotonic()
    print(f"{'mutant':68} {'worlds':>6} {'time':>6}  found by", flush=True)
    for mutant in MUTANTS:
        if word in mutant.name:
            verdict = try_out(mutant, runs)
            survivors += verdict.finder is None
            print(verdict.line(), flush=True)
    verdict_on_all = f"{survivors} not found" if survivors else "every mutant was found"
    print(f"{verdict_on_all}, in {time.monotonic() - begun_s:.0f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
