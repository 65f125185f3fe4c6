"""GET /ocpp/grid-limits: the grid operator's proof, page by page, newest first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent.core.charging_profiles import RateUnit
from agent.core.commands import BeginGridLimit, EndGridLimit
from tests.api.harness import Charger
from tests.store.builders import NOON, minutes_later


def limited_three_times(charger: Charger) -> None:
    """The box was limited twice, and still is a third time."""
    assert charger.application is not None
    services = charger.application.services
    rows = [
        BeginGridLimit(NOON, 4200.0, RateUnit.WATT),
        EndGridLimit(minutes_later(5)),
        BeginGridLimit(minutes_later(10), 4200.0, RateUnit.WATT),
        EndGridLimit(minutes_later(15), is_found=True),
        BeginGridLimit(minutes_later(20), 6.5, RateUnit.AMPERE, boot=1),
    ]
    charger.run(services.threads.write(services.store.commit, rows, NOON + timedelta(hours=1)))


def test_the_proof_is_told_page_by_page_with_what_is_not_known_of_it(charger: Charger):
    limited_three_times(charger)
    first = charger.get("/ocpp/grid-limits", limit=2).json()
    newest, found = first["data"]
    assert newest["begun_at"] == "2026-03-01T12:20:00.000Z"
    assert (newest["ended_at"], newest["limit"], newest["unit"]) == (None, 6.5, "A")
    assert (newest["is_end_found"], newest["is_time_known"]) == (False, False)
    assert (found["ended_at"], found["limit"], found["unit"]) == (
        "2026-03-01T12:15:00.000Z",
        4200.0,
        "W",
    )
    assert (found["is_end_found"], found["is_time_known"]) == (True, True)
    rest = charger.get("/ocpp/grid-limits", limit=2, before=first["next_before"]).json()
    assert [one["begun_at"] for one in rest["data"]] == ["2026-03-01T12:00:00.000Z"]
    assert rest["next_before"] is None


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 501}, {"before": 0}, {"before": 2**63}])
def test_what_cannot_be_meant_is_refused(charger: Charger, wrong):
    assert charger.get("/ocpp/grid-limits", **wrong).status_code == 422


def test_the_proof_is_not_told_to_who_may_not_read(charger: Charger):
    with charger.client(token=None) as stranger:
        assert stranger.get("/ocpp/grid-limits").status_code == 401
