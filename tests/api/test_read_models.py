"""What can be read: the charger, its frames, decisions, figures, and the commands' results."""

from __future__ import annotations

import json

import pytest

from tests.api.harness import Charger

TAG = "SECRET-TAG-1234"


def test_the_charger_tells_who_it_is_and_how_its_connectors_are(charger: Charger):
    charger.applied("start-session", {"id_tag": TAG})
    charger.until_status("Charging")
    told = charger.get("/ocpp/chargers/dep-123").json()
    moving = {name: told[name] for name in ("connectors", "link")}
    assert told == charger.get("/ocpp/chargers/CP-DEMO-123").json() | moving
    assert (told["id"], told["identity"]) == ("dep-123", "CP-DEMO-123")
    assert (told["ocpp_version"], told["number_of_connectors"]) == ("ocpp1.6", 2)
    assert told["max_charging_power"] == 7360
    assert told["time_is_known"] is True
    link = told["link"]
    assert link["connected_since"].endswith("Z")
    assert (link["boot"], link["last_pong_at"], link["last_pong_took_s"]) == (
        "Accepted",
        None,
        None,
    )
    assert link.keys() == {*link, "in_flight", "messages_waiting"}
    first, second = told["connectors"]
    assert (first["status"], first["plugged"], first["id_tag"]) == ("Charging", True, "SE..34")
    assert first["in_words"] == "charging"
    assert first["hardware"]["contactor"] == "simulated"
    assert (second["status"], second["transaction_id"]) == ("Available", None)
    assert TAG not in json.dumps(told)


def test_frames_are_told_newest_first_masked_and_filtered(charger: Charger):
    charger.applied("authorize-id-tag", {"id_tag": TAG})
    path = "/ocpp/chargers/dep-123/logs"
    told = charger.get(path, event="authorize", limit=2).json()
    answer, question = told["data"]
    assert (question["direction"], answer["direction"]) == ("cp_to_csms", "csms_to_cp")
    assert question["action"] == answer["action"] == "Authorize"
    assert json.loads(question["message"])[3] == {"idTag": "SE..34"}
    assert TAG not in json.dumps(told)
    assert charger.get(path, event="boot_notification").json()["total"] >= 2
    assert charger.get(path, start_date=answer["timestamp"]).json()["total"] >= 1
    assert charger.get(path, start_date="2099-01-01T00:00:00Z").json()["total"] == 0
    assert charger.get(path, end_date="2001-01-01T00:00:00+02:00").json()["total"] == 0
    whole = charger.get(path, limit=500).json()
    assert charger.get(path, limit=1, offset=1).json()["data"] == [whole["data"][1]]
    for wrong in ({"start_date": "yesterday"}, {"offset": -1}, {"limit": 0}):
        assert charger.get(path, **wrong).status_code == 422


def test_decisions_tell_the_reason_and_no_whole_tag(charger: Charger):
    charger.post("cache/reset")
    charger.applied("plug-connector")
    charger.applied("present-card", {"id_tag": TAG})
    (told,) = charger.get("/ocpp/decisions", limit=1).json()["data"]
    assert (told["verdict"], told["rule"], told["id_tag"]) == (
        "accepted",
        "CENTRAL_ACCEPTED",
        "SE..34",
    )
    assert told["reason"]
    assert told["steps"][0] == {"step": "read", "after_s": 0.0, "says": "", "is_refusal": False}
    assert "decided" in [step["step"] for step in told["steps"]]
    mine = charger.get("/ocpp/decisions", id_tag=TAG.lower()).json()["data"]
    assert {found["id_tag"] for found in mine} == {"SE..34"}
    assert charger.get("/ocpp/decisions", id_tag="X" * 21).status_code == 422
    assert charger.get("/ocpp/decisions", id_tag="X" * 32).status_code == 422


def test_records_of_a_card_are_found_however_its_uid_is_written(charger: Charger):
    charger.central_system.accepted_tags.add("04A2B3C4")
    charger.applied("start-session", {"id_tag": "04A2B3C4"})
    charger.until_status("Charging")
    charger.applied("stop-session", {})
    charger.at_rest()
    for path in ("/ocpp/decisions", "/ocpp/sessions"):
        mine = charger.get(path, id_tag="04A2B3C4").json()["data"]
        assert {found["id_tag"] for found in mine} == {"04..C4"}
        assert charger.get(path, id_tag="04:a2:b3:c4").json()["data"] == mine
        refused = charger.get(path, id_tag="04:A2:B3")
        assert refused.status_code == 422
        assert "04:A2:B3 has 6 hex digits" in refused.text


def test_figures_count_sessions_decisions_faults_and_commands(charger: Charger):
    def figure(line: str) -> float:
        for found in charger.get("/metrics").text.splitlines():
            if found.startswith(line + " "):
                return float(found.rpartition(" ")[2])
        return 0.0

    begun = figure("chargepoint_sessions_started_total")
    ended = figure('chargepoint_sessions_ended_total{reason="Local"}')
    charger.applied("start-session", {"id_tag": TAG})
    charger.until_status("Charging")
    assert figure("chargepoint_sessions_started_total") == begun + 1
    assert figure('chargepoint_session_active{connector="1"}') == 1
    assert figure('chargepoint_connector_status{connector="1",status="Charging"}') == 1
    assert figure("chargepoint_link_accepted") == figure("chargepoint_link_connected") == 1
    charger.applied("stop-session")
    assert figure('chargepoint_sessions_ended_total{reason="Local"}') == ended + 1
    assert figure('chargepoint_commands_total{event_type="stop_session",status="applied"}') >= 1
    charger.post("inject-fault", {"fault_type": "OverCurrent"})
    assert figure('chargepoint_fault{connector="1",fault="part"}') == 1
    charger.post("clear-fault", {})
    assert figure('chargepoint_fault{connector="1",fault="part"}') == 0
    verdicts = 'chargepoint_decisions_total{source="central system",verdict="accepted"}'
    assert figure(verdicts) >= 1
    text = charger.get("/metrics")
    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert TAG not in text.text


@pytest.mark.parametrize("wait_s", [-1, 31, "x"])
def test_a_result_is_waited_for_at_most_30_seconds(charger: Charger, wait_s: object):
    assert charger.get("/ocpp/commands/0123456789ab", wait_s=wait_s).status_code == 422


def test_the_last_200_results_are_kept(charger: Charger):
    for _ in range(210):
        charger.do("authorize-id-tag", {"id_tag": TAG})
    found = charger.get("/ocpp/commands", limit=500).json()["data"]
    assert len(found) == 200
    assert len({command["command_id"] for command in found}) == 200
