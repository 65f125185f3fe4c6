"""The simulation itself: it repeats exactly, it happens a lot in it, and a failure says all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation import run, vfs
from tests.simulation.invariants.bounds import TheAgentLives
from tests.simulation.mutants.catalogue import MUTANTS, Edit
from tests.simulation.world import simulate

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(vfs.why_not() is not None, reason=str(vfs.why_not()))


def in_a_process_of_its_own(seed: str, hash_seed: str, diary: Path) -> str:
    """Run a world with the program's own command; returns its diary."""
    environment = {
        **os.environ,
        "SIM_SEED": seed,
        "SIM_LENGTH": "0.1",
        "SIM_HURRY": "8",
        "SIM_DIARY": str(diary),
        "PYTHONHASHSEED": hash_seed,
    }
    command = [sys.executable, "-m", "tests.simulation.run"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=120, capture_output=True)
    return diary.read_text()


def test_the_same_seed_writes_the_same_diary_to_the_letter_in_any_process(tmp_path):
    first = in_a_process_of_its_own("3", "1", tmp_path / "first")
    second = in_a_process_of_its_own("3", "2", tmp_path / "second")
    assert first == second
    assert len(first.splitlines()) > 200


def test_another_seed_is_another_world(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one = simulate("one", 0.02, tmp_path / "one", 8)
    two = simulate("two", 0.02, tmp_path / "two", 8)
    assert one.diary.fingerprint() != two.diary.fingerprint()


def test_a_run_in_which_something_is_wrong_shows_seed_diary_and_how_to_repeat_it(
    monkeypatch, capsys
):
    def complains(self, *arguments):
        self.broken("a connector has moved")

    monkeypatch.setattr(TheAgentLives, "moved", complains)
    monkeypatch.setenv("SIM_LENGTH", "0.02")

    assert run.repeat("5") == 1

    shown = capsys.readouterr().out
    assert "INVARIANT: The agent neither ends by itself" in shown
    assert "seed 5: The agent neither ends by itself" in shown
    assert "repeat it: SIM_LENGTH=0.02 SIM_SEED=5 make sim" in shown


def test_as_many_worlds_are_chosen_as_the_days_or_the_number_asks_for(monkeypatch):
    monkeypatch.delenv("SIM_LENGTH", raising=False)
    by_days = list(run.seeds(1, 20, None))
    assert 20 <= sum(days for _, days in by_days) < 23
    assert by_days == list(run.seeds(1, 20, None))
    assert [seed for seed, _ in run.seeds(7, 20, 3)] == ["7", "8", "9"]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_texts_that_a_mutant_exchanges_are_still_there(mutant, tmp_path):
    for edit in mutant.edits:
        copy = tmp_path / edit.file
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text((ROOT / edit.file).read_text())
        edit.apply(tmp_path)
        compile(copy.read_text(), edit.file, "exec")


def test_a_mutant_whose_text_is_gone_says_so(tmp_path):
    (tmp_path / "a.py").write_text("one = 1\n")
    with pytest.raises(ValueError, match=r"a\.py has 0 times: 'two'"):
        Edit("a.py", "two", "three").apply(tmp_path)
