"""The real process, killed with SIGKILL at random moments: nothing is lost, doubled or mixed up."""

from __future__ import annotations

import os
from random import SystemRandom

import pytest

from tests.crash.killing import Run, kill_again_and_again

pytestmark = pytest.mark.real_time

A_HANDFUL = 4
KILLS = int(os.environ.get("CRASH_KILLS", "50"))
SEED = int(os.environ.get("CRASH_SEED") or SystemRandom().randrange(1_000_000))


def assert_agreement(run: Run) -> None:
    print(run.report() if run.problems else run.summary)
    assert not run.problems, run.report()


@pytest.mark.long
async def test_after_a_handful_of_kills_the_accounts_agree(tmp_path):
    run = await kill_again_and_again(tmp_path, seed=10, kills=A_HANDFUL)
    assert_agreement(run)
    assert run.deaths_in_session >= 1


@pytest.mark.crash
async def test_after_many_kills_the_central_system_and_the_journal_have_the_same_account(tmp_path):
    run = await kill_again_and_again(tmp_path, seed=SEED, kills=KILLS)
    assert_agreement(run)
    assert run.deaths_in_session >= KILLS // 5
    assert run.deaths_offline >= KILLS // 10
