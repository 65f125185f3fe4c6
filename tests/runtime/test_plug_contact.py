"""A gap in the plug contact opens at once; what it means shows when the contact has rested."""

from __future__ import annotations

import pytest

from agent.core import commands as co
from agent.core.state import Charging, Idle
from agent.runtime.plug_contact import DEBOUNCE_S, DOUBT_S, PlugContact
from tests.runtime.supervised import LOOK_S, Box


@pytest.mark.parametrize("looks", [1, 2])
def test_a_gap_of_a_few_milliseconds_interrupts_the_energy_and_not_the_session(looks):
    box = Box().charge()
    before = box.state.connector(1).transaction
    box.bench.plug.is_made = False
    box.look()
    assert not box.bench.contactor.is_closed
    box.look(looks - 1)
    box.bench.plug.is_made = True
    box.look(10)
    assert box.bench.contactor.is_closed
    assert box.state.connector(1).transaction == before
    assert box.ordered(co.UnlockConnector, co.EndTransaction) == []
    assert len(box.ordered(co.CloseContactor)) == 1  # no order over a contact that still moves


def test_a_plug_that_is_pulled_opens_at_once_and_ends_the_session():
    box = Box().charge()
    box.bench.plug.is_made = False
    box.look()
    assert not box.bench.contactor.is_closed
    assert isinstance(box.state.connector(1).phase, Charging)
    box.look(int(DEBOUNCE_S / LOOK_S) + 1)
    assert isinstance(box.state.connector(1).phase, Idle)
    assert box.ordered(co.CloseContactor) == []


def test_a_contact_that_never_rests_is_no_plug_after_a_second():
    box = Box().charge()
    for look in range(int(DOUBT_S / LOOK_S) + 2):
        box.bench.plug.is_made = look % 2 == 1
        box.look()
    assert not box.state.connector(1).plugged
    assert box.ordered(co.CloseContactor) == []


def test_another_cause_during_the_gap_is_told_at_once_and_decides():
    box = Box().charge()
    box.bench.plug.is_made = False
    box.look()
    box.bench.inputs["emergency_stop"].is_made = True
    box.look()
    assert not isinstance(box.state.connector(1).phase, Charging)
    box.bench.plug.is_made, box.bench.inputs["emergency_stop"].is_made = True, False
    box.look(10)
    assert not box.bench.contactor.is_closed


def test_a_plug_in_doubt_stays_open_while_an_input_cannot_be_read():
    box = Box().charge()
    box.bench.plug.is_made = False
    box.look()
    box.bench.plug.is_made = True
    box.bench.inputs["door"].problem = OSError("the pin is gone")
    box.look()
    assert box.bench.supervisor.reason_to_stay_open(1) == "an input cannot be read"
    box.bench.inputs["door"].problem = None
    box.look(10)
    assert not box.bench.contactor.is_closed  # the session is over: an input could not be read


def test_the_moment_of_certainty_is_a_look_of_its_own():
    contact = PlugContact(DEBOUNCE_S)
    assert contact.due_at() is None
    for now_s in (0.0, DEBOUNCE_S):
        contact.look(True, now_s)
    contact.look(False, 1.0)
    assert contact.due_at() == 1.0 + DEBOUNCE_S
