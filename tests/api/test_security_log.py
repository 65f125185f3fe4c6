"""GET /ocpp/security-log, and the figures of security events."""

from __future__ import annotations

import pytest

from agent.core.security_event_values import SecurityEventSeen, SecurityEventType
from tests.api.harness import Charger
from tests.store.test_security_log import change

TYPE = SecurityEventType


def see(charger: Charger, kind: SecurityEventType, count: int, text: str = "") -> None:
    """So many events of this type are seen and written."""

    async def post() -> None:
        runtime = charger.application.services.runtime
        for number in range(count):
            runtime.post(SecurityEventSeen(kind, text or f"event {number}"))

    charger.run(post())
    charger.get("/ocpp/security-log")  # written, then answered


def test_the_log_is_told_page_by_page_the_newest_first(charger: Charger):
    see(charger, TYPE.INVALID_TLS_VERSION, 3)
    whole = charger.get("/ocpp/security-log", limit=500).json()
    numbers = [line["number"] for line in whole["data"]]
    assert numbers == list(range(numbers[0], 0, -1))
    assert (whole["next_before"], whole["problem"]) == (None, "")
    newest, oldest = whole["data"][0], whole["data"][-1]
    assert (newest["type"], newest["tech_info"]) == ("InvalidTLSVersion", "event 2")
    assert oldest["type"] == "StartupOfTheDevice"
    first = charger.get("/ocpp/security-log", limit=2).json()
    assert first["next_before"] == first["data"][-1]["number"]
    second = charger.get("/ocpp/security-log", limit=500, before=first["next_before"]).json()
    assert [*first["data"], *second["data"]] == whole["data"]


def test_lines_are_chosen_by_their_time(charger: Charger):
    (newest,) = charger.get("/ocpp/security-log", limit=1).json()["data"]
    at = newest["timestamp"]
    found = charger.get("/ocpp/security-log", start_date=at, end_date=at).json()["data"]
    assert newest in found
    later = charger.get("/ocpp/security-log", start_date="2099-01-01T00:00:00Z").json()
    assert later["data"] == []


def test_a_log_that_was_changed_says_where(charger: Charger):
    path = charger.settings.storage_path
    change(path, "UPDATE security_log_ends SET pruned_chain = 'x'")
    assert charger.get("/ocpp/security-log").json()["problem"].startswith("line 1 is not as")
    change(path, "UPDATE security_log_ends SET pruned_chain = ''")
    assert charger.get("/ocpp/security-log").json()["problem"] == ""


@pytest.mark.parametrize(
    "wrong", [{"limit": 501}, {"before": 0}, {"before": 2**63}, {"end_date": "x"}]
)
def test_what_cannot_be_meant_is_refused(charger: Charger, wrong):
    assert charger.get("/ocpp/security-log", **wrong).status_code == 422


def test_metrics_count_events_by_type_and_those_that_wait_or_were_dropped(charger: Charger):
    def figure(name: str) -> float:
        lines = charger.get("/metrics").text.splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")), 0.0)

    counted = 'chargepoint_security_events_total{type="InvalidTLSCipherSuite"}'
    before = figure(counted)
    see(charger, TYPE.INVALID_TLS_CIPHER_SUITE, 2)
    assert figure(counted) == before + 2
    assert figure('chargepoint_security_events_total{type="StartupOfTheDevice"}') == 1
    assert "chargepoint_security_events_waiting " in charger.get("/metrics").text
    assert "chargepoint_security_events_dropped_total 0.0" in charger.get("/metrics").text
