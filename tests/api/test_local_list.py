"""The local list over HTTP: versions, entries, ownership (control-api 5.4, 5.5, check 5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.config.settings import AuthorizationSettings
from tests.api.harness import Charger, api_settings, running_charger

LISTED = "TAG-RFID-001"


def send(charger: Charger, version: object, *entries: dict[str, Any], **more: Any) -> Any:
    event = {"list_version": version, "entries": list(entries), **more}
    return charger.post("local-auth-list", event)


def entry(id_tag: object, **more: Any) -> dict[str, Any]:
    return {"id_tag": id_tag, **more}


def listed(charger: Charger) -> Any:
    return charger.get("/ocpp/chargers/dep-123/local-auth-list").json()


def test_a_version_that_is_not_greater_changes_nothing(charger: Charger):
    assert send(charger, 2, entry("A")).json()["status"] == "Accepted"
    for version in (2, 1):
        answer = send(charger, version, entry("B"), entry("C"))
        assert answer.status_code == 200
        told = answer.json()
        assert (told["status"], told["list_version"], told["entries_received"]) == (
            "VersionMismatch",
            2,
            0,
        )
    assert [found["id_tag"] for found in listed(charger)["data"]] == ["A"]


@pytest.mark.parametrize("version", [0, -1, -(2**63), 2**31, 2**63, 2**64, 10**40])
def test_a_version_that_no_list_can_have_is_a_400(charger: Charger, version: int):
    answer = send(charger, version, entry("A"))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_local_list")
    assert "a version is a number from 1 to 2147483647" in answer.json()["detail"]
    assert listed(charger)["total"] == 0


@pytest.mark.parametrize(
    "entries",
    [
        [entry("")],
        [entry("X" * 21)],
        [entry("A", parent_id_tag="")],
        [entry("A", parent_id_tag="P" * 21)],
        [entry("TAG-1"), entry("tag-1")],
        [entry("Zürich")],
        [entry("A\u0000")],
    ],
)
def test_entries_that_no_list_may_hold_are_a_400_and_nothing_is_stored(charger: Charger, entries):
    assert send(charger, 1, entry("GOOD")).status_code == 200
    answer = send(charger, 2, entry("NEW"), *entries)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_local_list")
    now = listed(charger)
    assert (now["list_version"], [found["id_tag"] for found in now["data"]]) == (1, ["GOOD"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"list_version": "2", "entries": []},
        {"list_version": 2.5, "entries": []},
        {"list_version": True, "entries": []},
        {"list_version": 1, "entries": {}},
        {"list_version": 1, "entries": ["TAG"]},
        {"list_version": 1, "entries": [{}]},
        {"list_version": 1, "entries": [entry(7)]},
        {"list_version": 1, "entries": [entry(None)]},
        {"list_version": 1, "entries": [entry("A", expiry_date="tomorrow")]},
        {"list_version": 1, "entries": [entry("A", expiry_date="2026-02-30T00:00:00Z")]},
        {"list_version": 1, "entries": [entry("A", expiry_date=1767225599)]},
        {"list_version": 1, "entries": [entry("A", expiry_date="0001-01-01T00:00:00+23:59")]},
        {"list_version": 1, "entries": [], "update_type": "Partial"},
        {"list_version": 1},
        {"entries": []},
    ],
)
def test_what_does_not_fit_the_schema_is_a_422(charger: Charger, wrong):
    assert charger.post("local-auth-list", wrong).status_code == 422


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-12-31T23:59:59", "2026-12-31T23:59:59.000Z"),
        ("2026-12-31T23:59:59Z", "2026-12-31T23:59:59.000Z"),
        ("2026-12-31T23:59:59+02:00", "2026-12-31T21:59:59.000Z"),
        ("1999-01-01T00:00:00Z", "1999-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"),
        (None, None),
    ],
)
def test_an_expiry_date_is_kept_in_utc_whenever_it_is(charger: Charger, given, kept):
    assert send(charger, 1, entry("A", expiry_date=given, parent_id_tag="P")).status_code == 200
    (found,) = listed(charger)["data"]
    assert found == {
        "id_tag": "A",
        "expiry_date": kept,
        "parent_id_tag": "P",
        "status": "Accepted",
    }


def test_a_cleared_list_takes_version_1_again(charger: Charger):
    send(charger, 7, entry("A"), entry("B"))
    assert charger.post("clear-local-auth-list").json()["entries_deleted"] == 2
    assert charger.post("clear-local-auth-list").json()["entries_deleted"] == 0
    assert listed(charger) == {"data": [], "total": 0, "page": 1, "limit": 50, "list_version": 0}
    assert send(charger, 1, entry("A")).json()["list_version"] == 1


def test_an_update_without_entries_empties_the_list_and_its_version_reads_0(charger: Charger):
    send(charger, 1, entry("A"))
    told = send(charger, 2).json()
    assert told == {"status": "Accepted", "list_version": 0, "entries_received": 0}
    assert charger.state.local_list.version == 0  # what is answered is what is kept
    assert send(charger, 1, entry("B")).json()["list_version"] == 1


def test_a_differential_update_adds_and_replaces(charger: Charger):
    send(charger, 1, entry("A"), entry("B"))
    told = send(charger, 2, entry("b", parent_id_tag="P"), entry("C"), update_type="Differential")
    assert told.json() == {
        "status": "Accepted",
        "list_version": 2,
        "entries_received": 2,
        "msg": "2 of 2 idTags cannot come from the card reader (simulated, uid_format hex)",
    }
    data = listed(charger)["data"]
    assert [found["id_tag"].upper() for found in data] == ["A", "B", "C"]
    assert data[1]["parent_id_tag"] == "P"


def test_the_list_is_read_page_by_page(charger: Charger):
    send(charger, 1, *(entry(f"TAG-{number:03}") for number in range(120)))
    path = "/ocpp/chargers/dep-123/local-auth-list"
    page = charger.get(path, page=3, limit=50).json()
    assert (page["total"], page["page"], page["limit"]) == (120, 3, 50)
    assert [found["id_tag"] for found in page["data"]] == [f"TAG-{n:03}" for n in range(100, 120)]
    assert charger.get(path, page=4, limit=50).json()["data"] == []
    for wrong in ({"page": 0}, {"limit": 0}, {"limit": 501}, {"page": "x"}, {"page": 10**30}):
        assert charger.get(path, **wrong).status_code == 422


def test_as_many_entries_as_the_standard_frame_holds_are_taken_in_one_go(charger: Charger):
    many = [entry(f"TAG-{n:06}", expiry_date="2027-01-01T00:00:00Z") for n in range(10_000)]
    assert send(charger, 1, *many).json()["entries_received"] == 10_000
    over = send(charger, 2, *many, entry("ONE-MORE"))
    assert (over.status_code, over.json()["code"]) == (400, "invalid_local_list")
    assert "SendLocalListMaxLength" in over.json()["detail"]


def test_a_list_that_is_switched_off_is_a_409(charger: Charger):
    switch = {"configuration": {"LocalAuthListEnabled": "false"}}
    assert charger.post("configuration", switch).json()["status"] == "Accepted"
    try:
        for answer in (send(charger, 1, entry("A")), charger.post("clear-local-auth-list")):
            assert (answer.status_code, answer.json()["code"]) == (409, "local_auth_list_disabled")
    finally:
        charger.post("configuration", {"configuration": {"LocalAuthListEnabled": "true"}})


def test_a_list_that_the_disk_does_not_take_has_failed_and_the_old_one_stays(tmp_path):
    with running_charger(api_settings(tmp_path)) as charger:
        send(charger, 1, entry("OLD"))
        assert charger.application is not None
        assert charger.application.services is not None
        database = charger.application.services.store._database.writer
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages + 2}")
        answer = send(charger, 2, *(entry(f"NEW-{number:06}") for number in range(5000)))
        database.execute("PRAGMA max_page_count = 1000000")
        told = answer.json()
        assert answer.status_code == 200
        assert (told["status"], told["list_version"]) == ("Failed", 1)
        assert "full" in told["msg"]
        assert [found["id_tag"] for found in listed(charger)["data"]] == ["OLD"]


def test_a_list_of_the_central_system_is_not_an_operators(tmp_path):
    settings = api_settings(tmp_path)
    owned = AuthorizationSettings(local_list_owner="csms")
    with running_charger(replace(settings, authorization=owned)) as charger:
        for answer in (send(charger, 1, entry("A")), charger.post("clear-local-auth-list")):
            assert (answer.status_code, answer.json()["code"]) == (409, "local_auth_list_managed")


def test_an_expired_entry_evaluates_expired_and_a_good_one_is_accepted_from_the_list(tmp_path):
    with running_charger(api_settings(tmp_path), is_offline=True) as charger:
        past, future = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
        send(charger, 1, entry("OLD", expiry_date=past), entry(LISTED, expiry_date=future))
        charger.applied("plug-connector")
        refused = charger.do("present-card", {"id_tag": "OLD"})
        assert (refused["status"], refused["result"]["status"]) == ("rejected", "Expired")
        accepted = charger.applied("present-card", {"id_tag": LISTED})
        assert accepted["source"] == "local list"
        assert accepted["id_tag"] == "TA..01"


def test_sequence_d_an_offline_list_is_cleared_and_its_tag_is_refused(tmp_path):
    with running_charger(api_settings(tmp_path), is_offline=True) as charger:
        send(charger, 1, entry(LISTED))
        charger.applied("plug-connector")
        assert charger.applied("present-card", {"id_tag": LISTED})["rule"] == "LISTED_OFFLINE"
        charger.until(lambda: charger.state.connectors[0].transaction is not None)
        charger.applied("stop-transaction")
        charger.applied("unplug-connector")
        charger.post("clear-local-auth-list")
        charger.applied("plug-connector")
        refused = charger.do("present-card", {"id_tag": LISTED})
        assert (refused["status"], refused["result"]["verdict"]) == ("rejected", "refused")
        decisions = charger.get("/ocpp/decisions", limit=2).json()["data"]
        assert [found["verdict"] for found in decisions] == ["refused", "accepted"]
        assert LISTED not in str(decisions)
