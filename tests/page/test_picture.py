"""How one connector is drawn: parts as they stand, words below them, one mark."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from agent.api.page.picture import HEIGHT, WIDTH, Picture, picture, pilot_in_words
from agent.api.page.rendering import render
from agent.core.connector_situation import Part
from agent.core.state import Connector, Traits
from agent.core.values import LockState, PilotState, Reading
from tests.core.story import BARE, NOON

IN_USE = Connector(
    1,
    plugged=True,
    pilot=PilotState.C,
    lock=LockState.LOCKED,
    contactor_closed=True,
    offered_a=16.0,
    reading=Reading(1000, NOON, power_w=3600.0),
)
FREE = Connector(1)


def drawn(connector: Connector, missing: str | None = None, card: str = "") -> Picture:
    return picture(connector, card, missing, is_fault=False, is_online=True)


def svg(shown: Picture) -> ElementTree.Element:
    html = render("part_picture.html", drawn=shown)
    return ElementTree.fromstring(html[: html.index("<dl")])


def test_a_connector_in_use_is_drawn_closed_locked_and_flowing():
    shown = drawn(IN_USE, card="04..80")
    words = (shown.card, shown.contactor, shown.plug, shown.car)
    assert words == ("04..80", "closed", "in, locked", "asks for energy")
    assert shown.is_flowing
    assert "16 A" in [text.text for text in svg(shown).iter("text")]


def test_what_the_car_may_take_stands_at_its_cable_also_when_it_is_too_little():
    paused = replace(IN_USE, offered_a=None, cable_a=4.0)
    assert (drawn(IN_USE).offer, drawn(paused, Part.PILOT.value).offer) == ("16 A", "4 A")
    assert drawn(replace(IN_USE, offered_a=None), Part.PILOT.value).offer == "CP"
    assert drawn(FREE).offer == ""


def test_the_picture_has_the_size_that_the_marks_are_reckoned_in():
    assert svg(drawn(FREE)).attrib["viewBox"] == f"0 0 {WIDTH} {HEIGHT}"


def test_a_free_connector_has_no_card_no_plug_no_car_and_no_mark():
    shown = drawn(FREE)
    assert (shown.card, shown.contactor, shown.plug) == ("none", "open", "out")
    assert (shown.car, shown.has_car, shown.is_flowing) == ("no car", False, False)
    assert svg(shown).find("circle[@class='mark']") is None


@pytest.mark.parametrize("part", Part)
def test_each_part_has_a_place_for_the_mark_inside_the_picture(part: Part):
    mark = svg(drawn(IN_USE, part.value)).find("circle[@class='mark']")
    assert mark is not None
    radius = int(mark.attrib["r"])
    assert radius <= int(mark.attrib["cx"]) <= WIDTH - radius
    assert radius <= int(mark.attrib["cy"]) <= HEIGHT - radius


@pytest.mark.parametrize("pilot", PilotState)
def test_a_state_of_the_pilot_is_said_in_words_with_its_letter_behind(pilot: PilotState):
    assert pilot_in_words(pilot).endswith(f" ({pilot.value})")


@pytest.mark.parametrize(
    ("plugged", "lock", "traits", "words"),
    [
        (True, LockState.MOVING, Traits(), "in, bolt moves"),
        (True, LockState.UNLOCKED, Traits(), "in, not locked"),
        (False, LockState.LOCKED, Traits(), "out, locked"),
        (False, LockState.UNLOCKED, Traits(), "out"),
        (True, LockState.UNLOCKED, replace(Traits(), has_lock=False), "in"),
        (False, LockState.UNLOCKED, BARE, "not known"),
    ],
)
def test_plug_and_bolt_are_told_as_far_as_the_box_has_them(plugged, lock, traits, words):
    connector = replace(FREE, plugged=plugged, lock=lock, traits=traits)
    assert drawn(connector).plug == words


def test_a_box_without_pilot_and_meter_draws_what_it_knows():
    shown = drawn(replace(FREE, traits=BARE, contactor_closed=True))
    assert (shown.car, shown.has_car, shown.is_flowing) == ("not known", True, True)


def test_a_drawing_does_not_change_while_only_figures_do():
    later = replace(IN_USE, reading=Reading(1100, NOON, power_w=3700.0))
    assert drawn(later) == drawn(IN_USE)
    nothing = replace(IN_USE, reading=Reading(1100, NOON, power_w=3.0))
    assert not drawn(nothing).is_flowing
