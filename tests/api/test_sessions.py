"""GET /ocpp/sessions: page by page, newest first, no whole tag."""

from __future__ import annotations

import pytest

from tests.api.harness import Charger

TAG = "SECRET-TAG-1234"


def a_session(charger: Charger) -> None:
    charger.applied("start-session", {"id_tag": TAG})
    charger.until_status("Charging")
    charger.applied("stop-session", {})
    charger.at_rest()


def test_sessions_are_told_page_by_page_and_no_whole_tag(charger: Charger):
    for _ in range(3):
        a_session(charger)
    whole = charger.get("/ocpp/sessions", limit=3, id_tag=TAG.lower()).json()
    assert [found["id_tag"] for found in whole["data"]] == ["SE..34"] * 3
    assert TAG not in str(whole)
    first = charger.get("/ocpp/sessions", limit=2).json()
    assert first["next_before"] == first["data"][-1]["session"]
    second = charger.get("/ocpp/sessions", limit=2, before=first["next_before"]).json()
    assert [*first["data"], *second["data"]][:3] == whole["data"]
    assert charger.get("/ocpp/sessions", before=1).json() == {"data": [], "next_before": None}


def test_sessions_are_chosen_by_their_end(charger: Charger):
    a_session(charger)
    (newest,) = charger.get("/ocpp/sessions", limit=1).json()["data"]
    ended_at = newest["ended_at"]
    assert charger.get("/ocpp/sessions", start_date=ended_at).json()["data"]
    assert charger.get("/ocpp/sessions", start_date="2099-01-01T00:00:00Z").json()["data"] == []
    before = charger.get("/ocpp/sessions", end_date=ended_at).json()["data"]
    assert newest["session"] not in [found["session"] for found in before]


@pytest.mark.parametrize(
    "wrong", [{"limit": 501}, {"before": 0}, {"before": 2**63}, {"start_date": "x"}, {"id_tag": ""}]
)
def test_what_cannot_be_meant_is_refused(charger: Charger, wrong):
    assert charger.get("/ocpp/sessions", **wrong).status_code == 422
