"""Makes each mistake in a copy of the program, and lets the simulation look for it.

    python -m tests.simulation.mutants

Ends with 1 when a mutant survives ``MUTANT_RUNS`` worlds (default 150). ``MUTANT=word`` tries only
those whose name has this word.
"""

from __future__ import annotations

import os
import re
import shutil
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
_TIME_LIMIT_S = 600.0


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant."""

    mutant: Mutant
    broken: str | None  # the promise that it broke; None: it survived
    seed: str
    worlds: int
    seconds: float


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
        text = _simulate(root, runs)
    seconds = time.monotonic() - begun_s
    worlds = int(found[1]) if (found := _WORLDS.search(text)) else 0
    for seed, verdict in _FAILURE.findall(text):
        if verdict != _SURVIVED:
            return Verdict(mutant, verdict, seed, worlds, seconds)
    if _SURVIVED not in text:
        raise RuntimeError(f"{mutant.name}: the simulation did not run:\n{text[-3000:]}")
    return Verdict(mutant, None, "", worlds, seconds)


def _simulate(root: Path, runs: int) -> str:
    """In short worlds in which much happens."""
    environment = {
        **os.environ,
        "SIM_RUNS": str(runs),
        "SIM_LENGTH": "0.1",
        "SIM_HURRY": "8",
        "SIM_FAILURES": "1",
        "PYTHONPATH": str(root),
    }
    environment.pop("SIM_SEED", None)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.simulation.run"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIME_LIMIT_S,
        check=False,
    )
    return ended.stdout + ended.stderr


def main() -> int:
    """Try them all; print a table."""
    runs = int(os.environ.get("MUTANT_RUNS", "150"))
    word = os.environ.get("MUTANT", "")
    survivors = 0
    print(f"{'mutant':58} {'worlds':>6} {'time':>6}  broken promise", flush=True)
    for mutant in MUTANTS:
        if word not in mutant.name:
            continue
        verdict = try_out(mutant, runs)
        survivors += verdict.broken is None
        broken = "SURVIVED" if verdict.broken is None else f"seed {verdict.seed}: {verdict.broken}"
        print(
            f"{mutant.name:58} {verdict.worlds:6} {verdict.seconds:5.0f}s  {broken[:140]}",
            flush=True,
        )
    print(f"{survivors} survived" if survivors else "every mutant was caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
