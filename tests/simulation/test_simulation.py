"""The simulation itself: it repeats exactly, it happens a lot in it, and a failure says all."""

from __future__ import annotations

import builtins
import dis
import os
import subprocess
import sys
from pathlib import Path
from types import CodeType

import pytest

from tests.simulation import run, vfs
from tests.simulation.invariants import ALL
from tests.simulation.invariants.bounds import TheAgentLives
from tests.simulation.mutants import __main__ as mutants
from tests.simulation.mutants.__main__ import Verdict, try_out
from tests.simulation.mutants.catalogue import MUTANTS, Edit, Mutant
from tests.simulation.world import simulate

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(vfs.why_not() is not None, reason=str(vfs.why_not()))


def in_a_process_of_its_own(seed: str, hash_seed: str, run_log: Path) -> str:
    """Run a world with the program's own command; returns its log."""
    environment = {
        **os.environ,
        "SIM_SEED": seed,
        "SIM_LENGTH": "0.1",
        "SIM_HURRY": "8",
        "SIM_DIARY": str(run_log),
        "PYTHONHASHSEED": hash_seed,
    }
    command = [sys.executable, "-m", "tests.simulation.run"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=120, capture_output=True)
    return run_log.read_text()


@pytest.mark.long
def test_the_same_seed_writes_the_same_log_to_the_letter_in_any_process(tmp_path: Path) -> None:
    first = in_a_process_of_its_own("3", "1", tmp_path / "first")
    second = in_a_process_of_its_own("3", "2", tmp_path / "second")
    assert first == second
    assert len(first.splitlines()) > 200


@pytest.mark.long
def test_another_seed_is_another_world(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one = simulate("one", 0.02, tmp_path / "one", 8)
    two = simulate("two", 0.02, tmp_path / "two", 8)
    assert one.run_log.fingerprint() != two.run_log.fingerprint()


def test_a_run_in_which_something_is_wrong_shows_seed_log_and_how_to_repeat_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def complains(self: TheAgentLives, *arguments: object) -> None:
        self.broken("a connector has moved")

    monkeypatch.setattr(TheAgentLives, "moved", complains)
    monkeypatch.setenv("SIM_LENGTH", "0.02")

    assert run.repeat("5") == 1

    shown = capsys.readouterr().out
    assert "INVARIANT: The agent neither ends by itself" in shown
    assert "seed 5: The agent neither ends by itself" in shown
    assert "repeat it: SIM_LENGTH=0.02 SIM_SEED=5 make sim" in shown


def test_as_many_worlds_are_chosen_as_the_days_or_the_number_asks_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SIM_LENGTH", raising=False)
    by_days = list(run.seeds(1, 20, None))
    assert 20 <= sum(days for _, days in by_days) < 23
    assert by_days == list(run.seeds(1, 20, None))
    assert [seed for seed, _ in run.seeds(7, 20, 3)] == ["7", "8", "9"]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_texts_that_a_mutant_exchanges_are_still_there(mutant: Mutant, tmp_path: Path) -> None:
    for edit in mutant.edits:
        copy = tmp_path / edit.file
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text((ROOT / edit.file).read_text())
        edit.apply(tmp_path)
        assert unknown_names(copy.read_text()) == set(), edit.file


def unknown_names(source: str) -> set[str]:
    """The names that a module reads and that nothing defines: such a mutant would be no mistake."""
    module = compile(source, "mutant", "exec")
    reads: set[str] = set()
    nested: list[CodeType] = [module]
    for code in nested:
        nested += [each for each in code.co_consts if isinstance(each, CodeType)]
        steps = list(dis.get_instructions(code))
        reads |= {str(each.argval) for each in steps if each.opname == "LOAD_GLOBAL"}
    defined = {str(each.argval) for each in dis.get_instructions(module) if "STORE" in each.opname}
    return reads - defined - set(dir(builtins)) - {"__file__", "__name__"}


def test_each_promise_is_broken_by_some_mutant() -> None:
    broken = {kind for mutant in MUTANTS for kind in mutant.breaks}
    assert [kind.__name__ for kind in ALL if kind not in broken] == []


def test_the_document_names_every_promise_and_every_mutant() -> None:
    text = (ROOT / "docs/simulation.md").read_text()
    rows = [f"| {kind.promise} | `{kind.__name__}` |" for kind in ALL]
    for mutant in MUTANTS:
        finders = ", ".join(f"`{kind.__name__}`" for kind in mutant.breaks)
        rows.append(f"| {mutant.name} | {finders} |")
    assert [row for row in rows if row not in text] == []


def test_the_documents_say_how_many_promises_and_mutants_there_are() -> None:
    for name, numbers in (
        ("README.md", [f"all {len(MUTANTS)} deliberate"]),
        ("CONTRIBUTING.md", [f"puts {len(MUTANTS)} deliberate"]),
        ("docs/promises.md", [f"All {len(MUTANTS)} deliberate", f"{len(ALL)} promises"]),
    ):
        text = (ROOT / name).read_text()
        assert [number for number in numbers if number not in text] == [], name


@pytest.mark.long
def test_the_simulation_finds_a_mistake_in_the_program() -> None:
    (mutant,) = (each for each in MUTANTS if each.name == "two calls are sent at once")
    verdict = try_out(mutant, 3)
    assert verdict.finder == "OneCallAtATime"
    assert verdict.line().endswith(f"seed {verdict.seed}: OneCallAtATime")


def verdict_of(mutant: Mutant, broken: str | None) -> Verdict:
    return Verdict(mutant, broken, seed="7", worlds=9, seconds=1.0)


def test_a_mutant_that_survives_or_is_found_by_chance_ends_the_table_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mutant = MUTANTS[0]
    promise = mutant.breaks[0].promise
    for broken, status, shown in (
        (None, 1, "SURVIVED"),
        (f"{TheAgentLives.promise}: NameError", 1, "BY CHANCE: The agent neither"),
        (f"{promise}: connector 1 closed", 0, f"seed 7: {mutant.breaks[0].__name__}"),
    ):
        monkeypatch.setattr(mutants, "try_out", lambda m, _, text=broken: verdict_of(m, text))
        monkeypatch.setenv("MUTANT", mutant.name)
        assert mutants.main() == status
        assert shown in capsys.readouterr().out


def test_a_mutant_whose_text_is_gone_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one = 1\n")
    with pytest.raises(ValueError, match=r"a\.py has 0 times: 'two'"):
        Edit("a.py", "two", "three").apply(tmp_path)
