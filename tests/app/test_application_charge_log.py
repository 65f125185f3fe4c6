"""The charge log of a whole box in virtual time: what a session leaves there, and what it costs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from agent.store.charge_log import Delivery, LoggedSession
from tests.app.box import CARD, POWER_W, TRANSACTION_ID, Box, running_box


def sessions(box: Box) -> list[LoggedSession]:
    return box.application.services.store.sessions(100)


async def test_a_session_stands_in_the_log_as_the_meter_and_the_central_system_have_it(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        await asyncio.sleep(150)
        await box.finish()
        (found,) = sessions(box)
        start = box.central_system.of("StartTransaction")[0].payload
        stop = box.central_system.of("StopTransaction")[0].payload
        assert (found.id_tag, found.connector_id) == (CARD, 1)
        assert (found.meter_start_wh, found.meter_stop_wh) == (
            start["meterStart"],
            stop["meterStop"],
        )
        assert found.energy_wh == pytest.approx(box.energy_wh(), abs=1)
        assert found.highest_w == pytest.approx(POWER_W, rel=0.01)
        assert (found.rule, found.source) == ("CENTRAL_ACCEPTED", "central system")
        assert found.transaction_id == TRANSACTION_ID
        assert found.delivery is Delivery.DELIVERED


@pytest.mark.parametrize(
    ("asked", "more"),
    [
        ("sessions", {"sums": True}),
        ("why", {}),
        ("list", {"what": "show"}),
        ("queue", {"order": "show"}),
        ("status", {}),
        ("grid-limits", {}),
        ("security-log", {"order": "show"}),
        ("security-log", {"order": "verify"}),
    ],
    ids=str,
)
async def test_a_card_does_not_wait_for_what_is_only_read_for_a_person(tmp_path, asked, more):
    async with running_box(tmp_path) as box:
        box.executors["reports"].is_stuck = True
        report = asyncio.ensure_future(box.do(asked, **more))
        await box.charge()
        assert not report.done()
        box.executors["reports"].release()
        await report


async def commits_of_a_session(box: Box, monkeypatch: pytest.MonkeyPatch) -> int:
    store = box.application.services.store
    commits: list[int] = []
    commit = store.commit

    def counting(*arguments: object) -> None:
        commits.append(1)
        commit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "commit", counting)
    await box.charge()
    await asyncio.sleep(150)
    await box.finish()
    return len(commits)


async def test_the_log_costs_no_further_commit(tmp_path, monkeypatch):
    counts = []
    for sessions_max in (10_000, 0):
        directory = tmp_path / str(sessions_max)
        directory.mkdir()
        async with running_box(directory) as box:
            await box.die()
            storage = replace(box.settings.storage, sessions_max=sessions_max)
            box.settings = replace(box.settings, storage=storage)
            await box.start()
            counts.append(await commits_of_a_session(box, monkeypatch))
            assert len(sessions(box)) == (1 if sessions_max else 0)
    assert counts[0] == counts[1]


async def test_a_session_that_a_power_cut_ended_stands_in_the_log(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        await asyncio.sleep(150)
        await box.lose_power()
        await box.start()
        await box.until(lambda: len(sessions(box)) == 1)
        (found,) = sessions(box)
        assert found.reason == "PowerLoss"
        assert found.highest_w == pytest.approx(POWER_W, rel=0.01)
        assert (found.rule, found.source) == ("CENTRAL_ACCEPTED", "central system")
