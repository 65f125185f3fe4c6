"""Some dozen short worlds. ``make sim`` runs as many as one likes, and longer ones."""

from __future__ import annotations

import pytest

from tests.simulation import vfs
from tests.simulation.world import simulate

pytestmark = pytest.mark.skipif(vfs.why_not() is not None, reason=str(vfs.why_not()))

DAYS = 0.08
HURRY = 4.0


@pytest.mark.parametrize("seed", range(1, 25))
def test_every_promise_is_kept_in_the_world_of_this_seed(seed, tmp_path):
    outcome = simulate(str(seed), DAYS, tmp_path, HURRY)
    assert outcome.failure is None, (
        f"{outcome.diary.end()}\nrepeat it: SIM_LENGTH={DAYS} SIM_HURRY={HURRY:g} "
        f"SIM_SEED={seed} make sim"
    )
