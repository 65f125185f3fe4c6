"""What is told of the certificate of this box: in status, in the terminal, in the log."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.cli.status_view import status_lines
from agent.control.event_log import sentences
from agent.control.own_certificate import own_certificate_sentences
from agent.control.snapshot import charge_point_snapshot
from agent.core import events as ev
from agent.core.own_certificates import OwnCertificates, SigningRequest
from tests.core.own_certificates import KEY, kept
from tests.core.story import NOON, a_charge_point, at

WAITING = SigningRequest(KEY, NOON)


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({}, []),
        ({"kept": (kept(),)}, []),
        ({"request": SigningRequest("", NOON)}, []),
        ({"request": WAITING}, ["a certificate of this box was asked for at 2026-03-01 12:00 UTC"]),
        (
            {"request": replace(WAITING, problem="no authority")},
            ["no certificate of this box has come: no authority"],
        ),
        (
            {"is_asking": True, "refusal": "it is refused"},
            [
                "a key pair is being made for a certificate of this box",
                "the newest certificate of this box is not shown: it is refused",
            ],
        ),
    ],
)
def test_what_is_asked_for_and_what_failed_is_told(own: dict[str, Any], told: list[str]):
    state = replace(a_charge_point(), own_certificates=OwnCertificates(**own))
    assert own_certificate_sentences(state.own_certificates) == told
    snapshot = charge_point_snapshot(state, at(0))
    assert snapshot["own_certificate"] == told
    lines = terminal(snapshot)
    assert [f"certificate  {words}" for words in told] == [x for x in lines if "ends" not in x]


def terminal(snapshot: dict[str, Any]) -> list[str]:
    status = {**snapshot, "link": {"url": ""}, "outbox": {"problem": "-"}, "simulated": False}
    return [line for line in status_lines(status) if line.startswith("certificate")]


def test_its_end_is_told_long_before_it_comes_in_the_time_of_the_box(in_berlin: None):
    state = replace(a_charge_point(), own_certificates=OwnCertificates((kept("own"),)))
    (line,) = terminal(charge_point_snapshot(state, at(0)))
    assert line == "certificate  this box's own ends 2036-01-01 01:00:00: CN=CP-0001"


ONE, OTHER = kept("one"), kept("other", end=NOON + timedelta(days=9))
NAMED = "CN=CP-0001, 2026-01-01 to 2036-01-01"


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ({}, {"kept": (ONE,)}, f"a certificate of this box is kept: {NAMED}"),
        ({"kept": (ONE,)}, {}, f"a certificate of this box is forgotten: {NAMED}"),
        (
            {"kept": (ONE,)},
            {"kept": (kept("one", NOON),)},
            f"the central system has accepted the certificate {NAMED}",
        ),
        ({}, {"request": WAITING}, "a certificate of this box is asked for (SignCertificate)"),
        (
            {"request": WAITING},
            {"request": replace(WAITING, problem="no")},
            "no certificate of this box yet: no",
        ),
        ({"request": WAITING}, {"request": replace(WAITING, key="")}, None),
        ({"kept": (ONE, OTHER)}, {"kept": (ONE, OTHER), "is_asking": True}, None),
    ],
)
def test_the_log_tells_what_becomes_of_it(
    before: dict[str, Any], after: dict[str, Any], line: str | None
):
    states = [
        replace(a_charge_point(), own_certificates=OwnCertificates(**facts))
        for facts in (before, after)
    ]
    lines = list(sentences(states[0], ev.TimePassed(), states[1], []))
    assert lines == ([] if line is None else [line])
