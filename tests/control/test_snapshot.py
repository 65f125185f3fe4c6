"""The state as others see it: words for every situation, no whole idTag, plain data."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from agent.cli.status_view import status_lines
from agent.control.snapshot import charge_point_snapshot, outbox_as_data
from agent.core import events as ev
from agent.core.certificates import Certificates
from agent.core.firmware_values import (
    PLAIN_STATUSES,
    VERIFIED,
    Firmware,
    FirmwareStep,
    FirmwareUpdate,
    Signing,
)
from agent.core.state import Outbox
from agent.core.values import AuthorizationStatus, IdTagInfo
from agent.store import OutboxSummary
from tests.core.story import (
    BARE,
    CARD,
    NOON,
    OTHER_CARD,
    Story,
    a_charge_point,
    at,
    charging,
    listed,
    reading,
    tap,
)
from tests.core.test_certificates import a_root
from tests.core.test_connector_situation import SITUATIONS, faulty_pilot, too_hot

INVALID = IdTagInfo(AuthorizationStatus.INVALID)
LINK = {
    "url": "ws://central.test/CP-1",
    "connected_since": "2026-03-01T12:00:00+00:00",
    "is_accepted": True,
    "registration": "Accepted",
    "last_problem": "",
    "next_try_in_s": None,
    "in_flight": None,
    "waiting": 0,
}
OUTBOX = {"queued_count": 0, "oldest_queued_at": None, "parked_count": 0, "parked": []}


SIGNING = Signing(7, "PEM", "c2ln")


def being_updated(step: FirmwareStep) -> Story:
    """One without a date, signed where a plain one never comes."""
    signing = None if step in PLAIN_STATUSES else SIGNING
    where = "http://me:geheim@files.example.com"
    update = FirmwareUpdate(where, NOON, 0, 0, step, signing=signing)
    story = Story(replace(a_charge_point(), firmware=Firmware(update=update)))
    story.tell(ev.TimePassed())
    return story


@pytest.mark.parametrize(
    ("story", "words"),
    [(story, words) for story, _, words in SITUATIONS],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_every_situation_has_its_words_and_its_lines(story, words):
    told = story()
    snapshot = charge_point_snapshot(told.state, told.now)
    assert snapshot["connectors"][0]["in_words"] == words
    assert json.loads(json.dumps(snapshot)) == snapshot
    assert CARD not in json.dumps(snapshot)
    whole = {**snapshot, "link": LINK, "outbox": OUTBOX, "simulated": True}
    lines = status_lines(whole)
    assert any(words in line for line in lines)
    assert all(len(line) <= 100 for line in lines)
    assert CARD not in "\n".join(lines)


def test_a_session_is_told_with_its_energy_and_its_time():
    story = charging(meter_wh=1000)
    story.tell(ev.MessageAnswered(1, 1, 77, listed().list_entry, CARD))
    story.wait(110)
    story.tell(ev.MeterRead(1, reading(3500)))
    session = charge_point_snapshot(story.state, story.now)["connectors"][0]["session"]
    assert session == {
        "ref": 1,
        "transaction_id": 77,
        "id_tag": "04..C4",
        "begun_at": "2026-03-01T12:00:00+00:00",
        "duration_s": 120,
        "energy_wh": 2500,
    }


def test_a_box_without_parts_does_not_speak_of_them():
    story = Story(a_charge_point(traits=BARE))
    connector = charge_point_snapshot(story.state, story.now)["connectors"][0]
    assert [connector[part] for part in ("plugged", "lock", "pilot", "meter")] == [None] * 4


def test_cards_that_wait_or_are_checked_are_told_masked():
    story = Story(a_charge_point(connectors=2))
    story.tell(tap(facts=listed(), connectors=(1,)))
    story.tell(ev.CablePluggedIn(2), tap(OTHER_CARD, connectors=(2,)))
    snapshot = charge_point_snapshot(story.state, story.now)
    assert snapshot["cards_waiting_for_a_plug"] == [{"id_tag": "04..C4", "connectors": [1]}]
    assert snapshot["cards_being_checked"] == ["04..33"]


def test_the_time_of_a_session_does_not_follow_a_clock_that_jumps():
    story = charging()
    jumped = replace(story.now, utc=story.now.utc + timedelta(days=400), is_trusted=False)
    snapshot = charge_point_snapshot(story.state, jumped)
    assert snapshot["connectors"][0]["session"]["duration_s"] == 10
    assert snapshot["time_is_known"] is False


def test_an_offer_that_waits_for_the_journal_is_not_shown():
    story = charging(connectors=2)
    snapshot = charge_point_snapshot(story.state, story.now, lambda connector_id: 0.0)
    assert snapshot["connectors"][0]["offered_current_a"] == 0.0
    assert charge_point_snapshot(story.state, story.now)["connectors"][0]["offered_current_a"] == 32


@pytest.mark.parametrize(("stored", "waiting", "shown"), [(1, 0, 0), (5, 6, 5), (7, 6, 6)])
def test_what_has_been_answered_does_not_wait_even_if_it_is_still_stored(stored, waiting, shown):
    summary = OutboxSummary(stored, NOON, 0, ())
    state = replace(a_charge_point(), outbox=Outbox(next_sequence=waiting + 1))
    data = outbox_as_data(summary, state)
    assert data["queued_count"] == shown
    assert (data["oldest_queued_at"] is None) is (shown == 0)
    json.dumps(data)


def test_a_fault_says_what_to_look_at_and_nothing_else_does():
    def look_at(story: Story) -> str:
        (connector,) = charge_point_snapshot(story.state, story.now)["connectors"]
        return str(connector["look_at"])

    assert look_at(too_hot()).startswith("sun, ventilation")
    assert look_at(faulty_pilot()) == look_at(charging()) == ""


@pytest.mark.parametrize(
    ("install_at", "words"),
    [
        (None, "an update is ready; it waits until no one is charging"),
        (NOON, "an update is to be installed at 2026-03-01T12:00+00:00"),
    ],
)
@pytest.mark.parametrize("step", VERIFIED)
def test_what_a_verified_update_waits_for_is_told(step, install_at, words):
    update = FirmwareUpdate(
        "http://a.example/x", NOON, 0, 0, step, install_at=install_at, signing=SIGNING
    )
    state = replace(a_charge_point(), firmware=Firmware(update=update))
    assert charge_point_snapshot(state, at(0))["firmware"] == words


@pytest.mark.parametrize("step", FirmwareStep)
def test_what_becomes_of_an_update_is_told_until_it_is_installed(step: FirmwareStep):
    told = being_updated(step)
    told.tell(ev.TimePassed())
    snapshot = charge_point_snapshot(told.state, told.now)
    lines = status_lines({**snapshot, "link": LINK, "outbox": OUTBOX, "simulated": True})
    shown = [line for line in lines if line.startswith("firmware     ")]
    assert shown == ([f"firmware     {snapshot['firmware']}"] if snapshot["firmware"] else [])
    assert bool(shown) is (step is not FirmwareStep.INSTALLED)
    assert "update" in snapshot["firmware"] or not shown
    assert "geheim" not in json.dumps(snapshot)


def test_every_certificate_is_there_and_the_terminal_shows_those_near_their_end():
    ends = NOON + timedelta(days=6)  # in the last tenth of its life
    known = Certificates((a_root("A"), a_root("B", end=ends)))
    state = replace(a_charge_point(), certificates=known)
    snapshot = charge_point_snapshot(state, at(0))
    assert [(one["subject"], one["ends_soon"]) for one in snapshot["certificates"]] == [
        ("A", False),
        ("B", True),
    ]
    assert snapshot["certificates"][1]["ends_at"] == "2026-03-07T12:00:00+00:00"
    status = {**snapshot, "link": {"url": ""}, "outbox": {"problem": "-"}, "simulated": False}
    (line,) = [line for line in status_lines(status) if line.startswith("certificate")]
    assert line.startswith("certificate  installed CentralSystemRootCertificate ends 2026-03-07")
    assert line.endswith(": B")
