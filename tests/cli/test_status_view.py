"""Answers in a terminal of 80 columns: what is wrong stands there, and what comes next."""

from __future__ import annotations

from typing import Any

import pytest

from agent.cli.console import GREEN, PLAIN, RED, YELLOW, StyledLine
from agent.cli.status_view import decision_line, finding_line, queue_lines, status_lines
from agent.maintenance.findings import failed, noted, passed, skipped
from agent.platform.local_time import local_time

URL = "ws://central.test/CP-1"
SINCE = "2026-03-01T12:00:00+00:00"
LINK: dict[str, Any] = {
    "url": URL,
    "connected_since": SINCE,
    "is_accepted": True,
    "registration": "Accepted",
    "last_problem": "",
    "next_try_in_s": None,
    "in_flight": None,
    "waiting": 0,
}
OUTBOX: dict[str, Any] = {
    "queued_count": 0,
    "oldest_queued_at": None,
    "parked_count": 0,
    "parked": [],
}
CONNECTOR: dict[str, Any] = {
    "id": 1,
    "status": "Charging",
    "error_code": "NoError",
    "info": "",
    "in_words": "charging",
    "plugged": True,
    "lock": "locked",
    "pilot": "C",
    "contactor": "closed",
    "offered_current_a": 16.0,
    "limit": {"current_a": 16.0, "source": "wiring", "words": "16 A: the wiring"},
    "meter": {"import_wh": 1500, "power_w": 7360.4},
    "session": {
        "ref": 3,
        "transaction_id": 77,
        "id_tag": "04..80",
        "energy_wh": 500,
        "duration_s": 3725,
    },
}


def lines(**changes: Any) -> list[str]:
    status = {
        "link": LINK,
        "outbox": OUTBOX,
        "faults": [],
        "connectors": [CONNECTOR],
        "cards_waiting_for_a_plug": [],
        "cards_being_checked": [],
        "simulated": False,
    }
    return status_lines({**status, **changes})


def test_a_box_that_charges_is_told_in_a_few_lines():
    assert lines() == [
        f"link         accepted by {URL}",
        f"             connected since {local_time(SINCE)}",
        "connector 1  Charging: charging",
        "             plug in, locked, pilot C, contactor closed, 16 A offered",
        "             session 3 (number 77) of card 04..80: 500 Wh in 62:05",
        "             meter 1500 Wh, 7360 W",
        "queue        empty",
    ]


def test_a_session_that_is_limited_is_told_by_whom_in_80_columns():
    words = "6 A: a share of 12 A for all connectors: charging profile 3 (" + "long " * 9 + ")"
    limited = {**CONNECTOR, "limit": {"current_a": 6, "source": "charging_profile", "words": words}}
    found = lines(connectors=[limited])[4:6]
    assert all(line.startswith(" " * 13) and len(line) <= 80 for line in found)
    assert " ".join(line.strip() for line in found) == f"limited to {words}"


def test_a_limit_is_told_before_a_session_begins_too():
    limit = {"current_a": 18.2, "source": "grid_operator", "words": "18.2 A: the grid operator"}
    found = lines(connectors=[{**CONNECTOR, "session": None, "limit": limit}])
    assert "             limited to 18.2 A: the grid operator" in found


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (
            {"url": ""},
            ["link         no central system is configured; the box decides by itself"],
        ),
        (
            {
                "connected_since": None,
                "is_accepted": False,
                "last_problem": "nobody answers",
                "next_try_in_s": 12.4,
            },
            [
                f"link         not connected to {URL}",
                "             next try in 12 s",
                "             nobody answers",
            ],
        ),
        (
            {"last_pong_at": SINCE, "last_pong_took_s": 0.0384},
            [
                f"link         accepted by {URL}",
                f"             connected since {local_time(SINCE)}",
                f"             last ping answered {local_time(SINCE)}, after 38 ms",
            ],
        ),
        (
            {"is_accepted": False, "registration": "Pending"},
            [f"link         connected to {URL}, boot: Pending"],
        ),
        (
            {"is_accepted": False, "registration": "", "in_flight": "BootNotification"},
            [
                f"link         connected to {URL}, boot: no answer yet",
                "             waiting for the answer to BootNotification",
            ],
        ),
    ],
)
def test_a_link_says_where_it_stands(link, expected):
    assert lines(link={**LINK, **link})[: len(expected)] == expected


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"faults": ["emergency stop pressed"]}, "fault        emergency stop pressed"),
        (
            {"cards_waiting_for_a_plug": [{"id_tag": "04..80", "connectors": [1]}]},
            "card         04..80 is accepted and waits for a plug",
        ),
        ({"cards_being_checked": ["04..80"]}, "card         04..80 is being checked"),
        ({"simulated": True}, "hardware     simulated"),
        ({"outbox": {"problem": "disk I/O error"}}, "queue        disk I/O error"),
        (
            {"outbox": {**OUTBOX, "queued_count": 4, "oldest_queued_at": SINCE}},
            f"queue        4 messages wait, the oldest since {local_time(SINCE)}",
        ),
        (
            {"outbox": {**OUTBOX, "queued_count": 1, "oldest_queued_at": SINCE}},
            f"queue        1 message waits, since {local_time(SINCE)}",
        ),
        (
            {"connectors": [{**CONNECTOR, "error_code": "GroundFailure", "info": "it tripped"}]},
            "             GroundFailure: it tripped",
        ),
        (
            {
                "connectors": [
                    {
                        **CONNECTOR,
                        "error_code": "GroundFailure",
                        "info": "it",
                        "look_at": "its wire",
                    }
                ]
            },
            "             look at: its wire",
        ),
        (
            {"connectors": [{**CONNECTOR, "plugged": None, "lock": None, "pilot": None}]},
            "             contactor closed, 16 A offered",
        ),
        (
            {"connectors": [{**CONNECTOR, "plugged": False, "offered_current_a": 0.0}]},
            "             plug out, locked, pilot C, contactor closed",
        ),
        (
            {
                "connectors": [
                    {**CONNECTOR, "session": {**CONNECTOR["session"], "transaction_id": None}}
                ]
            },
            "             session 3 (no number yet) of card 04..80: 500 Wh in 62:05",
        ),
        (
            {
                "connectors": [
                    {**CONNECTOR, "session": {**CONNECTOR["session"], "id_tag": "free charging"}}
                ]
            },
            "             session 3 (number 77) of free charging: 500 Wh in 62:05",
        ),
        (
            {"connectors": [{**CONNECTOR, "meter": {"import_wh": 7, "power_w": None}}]},
            "             meter 7 Wh",
        ),
    ],
)
def test_whatever_is_special_has_its_line(changes, line):
    assert line in lines(**changes)


def test_the_whole_queue_is_told_with_what_people_did_about_it():
    parked = [
        {"sequence": n, "action": "MeterValues", "transaction_ref": 3, "problem": "refused"}
        for n in range(1, 6)
    ]
    outbox = {**OUTBOX, "parked_count": 5, "parked": parked, "thinned_count": 12}
    deeds = [{"done_at": SINCE, "deed": "message 9 discarded"}]
    told = list(queue_lines({"outbox": outbox, "deeds": deeds}))
    assert told == [
        "queue        empty",
        "             12 meter values dropped: more waits than storage.queue_max_mb",
        "             5 messages are parked after their last attempt",
        *(f"             {n}: MeterValues of session 3: refused" for n in range(1, 6)),
        "             next: chargepoint-agent queue retry NUMBER, or queue discard NUMBER",
        f"{local_time(SINCE)}  message 9 discarded",
    ]


def test_the_last_messages_that_were_set_aside_are_told_with_the_reason():
    parked = [
        {
            "sequence": 40 + ref,
            "action": "MeterValues",
            "transaction_ref": ref,
            "problem": "refused",
        }
        for ref in range(9)
    ]
    told = lines(outbox={**OUTBOX, "parked_count": 9, "parked": parked})
    assert "             9 messages are parked after their last attempt" in told
    assert [line for line in told if "of session" in line] == [
        f"             {40 + ref}: MeterValues of session {ref}: refused" for ref in (6, 7, 8)
    ]
    assert (
        "             next: chargepoint-agent queue retry NUMBER, or queue discard NUMBER" in told
    )


def style(line: str) -> tuple[str, str] | None:
    return (line.words, line.colour) if isinstance(line, StyledLine) else None


@pytest.mark.parametrize(
    ("status", "colour"),
    [("Charging", GREEN), ("SuspendedEV", YELLOW), ("Faulted", RED), ("Preparing", PLAIN)],
)
def test_a_connector_has_the_colour_of_its_status(status, colour):
    shown = lines(connectors=[{**CONNECTOR, "status": status}])
    assert (status, colour) in map(style, shown)


@pytest.mark.parametrize(
    ("link", "words", "colour"),
    [
        ({}, "accepted by", GREEN),
        ({"is_accepted": False, "registration": None}, "connected to", YELLOW),
        ({"is_accepted": False, "connected_since": None}, "not connected to", YELLOW),
    ],
)
def test_the_link_has_the_colour_of_what_it_is_good_for(link, words, colour):
    line = lines(link={**LINK, "next_try_in_s": None, **link})[0]
    assert style(line) == (words, colour)
    assert words in line


def test_a_fault_is_red():
    (line,) = (line for line in lines(faults=["emergency stop"]) if line.startswith("fault"))
    assert style(line) == ("fault", RED)


@pytest.mark.parametrize(("verdict", "colour"), [("accepted", GREEN), ("refused", RED)])
def test_a_decision_has_the_colour_of_its_verdict(verdict, colour):
    decision = {
        "decided_at": "2026-03-01T12:00:00Z",
        "id_tag": "04..80",
        "verdict": verdict,
        "line": f"card 04..80 {verdict} (start): why",
    }
    line = decision_line(decision, with_time=True)
    assert style(line) == (f"card 04..80 {verdict}", colour)
    assert line.endswith(decision["line"])
    assert line.startswith("2026-03-01")
    assert decision_line(decision) == decision["line"]


def test_a_finding_has_the_colour_of_its_verdict():
    found = [passed("a", "b"), failed("a", "b"), noted("a", "b"), skipped("a", "b")]
    assert [style(finding_line(finding)) for finding in found] == [
        ("PASS", GREEN),
        ("FAIL", RED),
        ("NOTE", PLAIN),
        ("SKIP", YELLOW),
    ]
