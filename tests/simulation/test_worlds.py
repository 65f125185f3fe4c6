"""A few short worlds. ``make sim`` runs as many as one likes, and longer ones."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Container, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from random import Random

import pytest

from hw.simulated.part import SimulatedFault
from tests.simulation import counting, vfs
from tests.simulation.cards import Wallet
from tests.simulation.central_behaviour import KINDS
from tests.simulation.clocks import START
from tests.simulation.disk import Trouble
from tests.simulation.figures import missing, tables
from tests.simulation.incidents import Incidents
from tests.simulation.invariants import ALL
from tests.simulation.mutants.catalogue import Mutant
from tests.simulation.network import Reach
from tests.simulation.scenario import INCIDENTS, Scenario, draw_scenario
from tests.simulation.tally import (
    CAN_HAPPEN,
    CENTRAL,
    CLOCK,
    DISK,
    KILLED,
    LINE,
    PARTS,
    POWER_CUT,
    Tally,
    total,
)
from tests.simulation.world import Outcome, simulate

pytestmark = pytest.mark.skipif(vfs.why_not() is not None, reason=str(vfs.why_not()))

DAYS = 0.08
HURRY = 4.0
SEEDS = (*range(1, 10), 15)  # in the last one firmware gets as far as its installation


@cache
def outcome_of(seed: int) -> Outcome:
    """Run this world, once."""
    with tempfile.TemporaryDirectory(prefix="sim-") as folder:
        return simulate(str(seed), DAYS, Path(folder), HURRY)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_promise_is_kept_in_the_world_of_this_seed(seed: int) -> None:
    outcome = outcome_of(seed)
    assert outcome.failure is None, (
        f"{outcome.run_log.end()}\nrepeat it: SIM_LENGTH={DAYS} SIM_HURRY={HURRY:g} "
        f"SIM_SEED={seed} make sim"
    )


def test_in_these_worlds_every_kind_of_trouble_happens_and_every_promise_is_put_to_the_test() -> (
    None
):
    tally = sum((outcome_of(seed).tally for seed in SEEDS), Tally())
    looks = sum((outcome_of(seed).looks for seed in SEEDS), Tally())
    for kinds in (KILLED, POWER_CUT, PARTS, DISK, LINE, CENTRAL, CLOCK):
        happened = [kind for kind in kinds if tally[kind]]
        assert len(happened) > len(kinds) / 2, f"only {happened}"
    assert [kind.__name__ for kind in ALL if not looks[kind.__name__]] == []


# --- what is drawn -------------------------------------------------------------------------------


def scenarios() -> list[Scenario]:
    """As many as a long run has."""
    return [draw_scenario(Random(f"{seed}/swarm")) for seed in range(100)]


@pytest.mark.parametrize(
    ("kinds", "drawn"),
    [
        (INCIDENTS, lambda scenario: scenario.incidents),
        (KINDS, lambda scenario: scenario.behaviours),
        (tuple(SimulatedFault), lambda scenario: scenario.parts),
        (tuple(Trouble), lambda scenario: scenario.disk),
        (tuple(set(Reach) - {Reach.UP}), lambda scenario: scenario.reaches),
    ],
    ids=["incidents", "central system", "parts", "disk", "line"],
)
def test_each_kind_exists_in_many_worlds_and_is_missing_in_many(
    kinds: Sequence[object], drawn: Callable[[Scenario], Container[object]]
) -> None:
    for kind in kinds:
        share = sum(kind in drawn(scenario) for scenario in scenarios()) / 100
        assert 0.2 < share < 0.8, kind


def test_somebody_makes_every_kind_of_weather() -> None:
    assert set(Incidents(None, scenarios()[0])._kinds) == {*INCIDENTS, "limit"}


def test_some_worlds_are_calm() -> None:
    assert 0 < sum(not scenario.incidents for scenario in scenarios()) < 20


# --- what a long run asks of itself --------------------------------------------------------------


def everything() -> tuple[Tally, Tally]:
    """The counts of a run in which all of it happened."""
    others = (counting.OFFLINE, counting.FOUND, counting.RESUMED, counting.REFUSED)
    happened = (*CAN_HAPPEN, *others, counting.REPEATED, counting.PARKED)
    return Tally(happened), Tally(kind.__name__ for kind in ALL)


def test_nothing_is_missing_from_a_run_in_which_all_of_it_happened() -> None:
    assert missing(*everything()) == []


@pytest.mark.parametrize("what", ["part: lock_jam", "power cut at a write", "TimesAreTrue"])
def test_what_never_happened_or_was_never_looked_at_is_missing(what: str) -> None:
    tally, looks = everything()
    tally[what] = looks[what] = 0
    assert missing(tally, looks) == [what]


def test_the_figures_name_each_kind_with_its_number_and_each_group_with_its_sum() -> None:
    tally, looks = Tally({"killed at a write": 3, "killed at a sync": 4}), Tally()
    text = "\n".join(tables(tally, looks))
    assert "       7 kills\n" in text
    assert "       3 killed at a write\n" in text
    assert all(kind.promise in text for kind in ALL)
    assert total(tally, KILLED) == 7


def test_where_much_happens_in_little_time_the_date_of_a_card_is_over_in_it_too() -> None:
    end = START + timedelta(days=Mutant.days)
    wallets = [Wallet(Random(seed), hurry=8.0) for seed in range(100)]
    assert sum(len(wallet.good(end)) < len(wallet.good(START)) for wallet in wallets) > 50
