"""The cable is pulled off the vehicle: the two keys, and every kind of box."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.commands import LockConnector, NotifyStatus, OpenContactor, UnlockConnector
from agent.core.connector_ev_presence import is_connected
from agent.core.state import Charging, Finished, Idle, Stopping
from agent.core.values import LockState, PilotState, Status, StatusReport, StopReason
from tests.core.story import (
    ALL_PARTS,
    BARE,
    CARD,
    OTHER_CARD,
    Story,
    a_charge_point,
    charging,
    finish,
    listed,
    messages,
    of,
    reading,
    statuses,
    stop_of,
    tap,
)

GOES_ON = {"StopTransactionOnEVSideDisconnect": "false"}
STAYS_LOCKED = {"UnlockConnectorOnEVSideDisconnect": "false"}
OFF = ev.PilotChanged(1, PilotState.A)
ON = (ev.PilotChanged(1, PilotState.B), ev.PilotChanged(1, PilotState.C))
INFO = "EV side disconnected"
FIXED_CABLE = replace(ALL_PARTS, has_lock=False, has_plug=False)
CONTACT_ONLY = replace(BARE, has_plug=True, has_meter=True)
PILOT_AS_CONTACT = replace(ALL_PARTS, plug_sees_vehicle=True)


def parts_obey(story: Story) -> list[object]:
    story.commands.clear()
    story.tell(ev.ContactorOpened(1), ev.MeterRead(1, reading(2000)))
    return list(story.commands)


def reports(commands) -> list[StatusReport]:
    return [c.report for c in of(NotifyStatus, commands) if c.report.connector_id == 1]


def test_a_cable_that_the_vehicle_has_left_counts_as_out_while_its_session_goes_on():
    story = charging(**GOES_ON)
    assert is_connected(story.connector)
    story.tell(OFF)
    assert not is_connected(story.connector)
    story.tell(*ON)
    assert is_connected(story.connector)


# --- both keys true, as shipped ------------------------------------------------------------------


def test_a_cable_pulled_off_the_vehicle_ends_the_session_and_is_released():
    story = charging()
    commands = story.tell(OFF)
    assert OpenContactor(1) in commands
    assert reports(commands) == [StatusReport(1, Status.FINISHING, info=INFO)]
    commands = parts_obey(story)
    assert stop_of(commands).reason is StopReason.EV_DISCONNECTED
    assert UnlockConnector(1) in commands
    assert reports(commands) == []
    story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    assert statuses(story.tell(ev.CableUnplugged(1))) == [Status.AVAILABLE]
    assert not story.connector.is_disconnected


def test_a_vehicle_that_comes_back_after_the_end_changes_the_words_only():
    story = charging()
    story.tell(OFF)
    parts_obey(story)
    assert reports(story.tell(*ON[:1])) == [StatusReport(1, Status.FINISHING)]
    assert isinstance(story.connector.phase, Finished)


def test_a_vehicle_that_has_not_been_plugged_yet_is_not_a_vehicle_that_was_pulled_off():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()), ev.LockChanged(1, LockState.LOCKED))
    story.tell(ev.MeterRead(1, reading(1000)), OFF)
    assert statuses(story.wait(30)) == [Status.SUSPENDED_EV]
    story.tell(*ON, ev.ContactorClosed(1))
    assert statuses(story.commands)[-1] is Status.CHARGING
    story.tell(OFF)
    assert isinstance(story.connector.phase, Stopping)


# --- the cable stays locked ----------------------------------------------------------------------


def test_without_unlocking_the_cable_waits_for_the_card_that_began():
    story = charging(**STAYS_LOCKED)
    story.tell(OFF)
    commands = parts_obey(story)
    assert stop_of(commands).reason is StopReason.EV_DISCONNECTED
    assert of(UnlockConnector, commands) == []
    story.wait(60)
    assert of(UnlockConnector, story.tell(tap(OTHER_CARD, facts=listed()))) == []
    assert of(UnlockConnector, story.tell(tap(CARD))) == [UnlockConnector(1)]


def test_a_plug_that_is_out_of_its_socket_is_not_waited_for():
    story = charging(**STAYS_LOCKED)
    story.tell(OFF, ev.CableUnplugged(1))
    assert of(UnlockConnector, parts_obey(story)) == [UnlockConnector(1)]
    assert isinstance(story.connector.phase, Idle)


def test_a_lock_without_a_plug_contact_keeps_its_cable_too():
    story = charging(traits=replace(ALL_PARTS, has_plug=False), **STAYS_LOCKED)
    story.tell(OFF)
    assert of(UnlockConnector, parts_obey(story)) == []
    story.wait(60)
    assert of(UnlockConnector, story.tell(tap(CARD))) == [UnlockConnector(1)]


def test_the_central_system_may_release_it_too():
    story = charging(**STAYS_LOCKED)
    story.tell(OFF)
    parts_obey(story)
    assert UnlockConnector(1) in story.tell(ev.UnlockRequested("u1", 1))


def test_the_key_says_nothing_about_a_session_that_its_card_ended():
    story = charging(**STAYS_LOCKED)
    story.tell(tap())
    assert of(UnlockConnector, finish(story)) == [UnlockConnector(1)]


# --- the session goes on -------------------------------------------------------------------------


@pytest.mark.parametrize("unlocks", ["true", "false"])
def test_a_session_that_goes_on_is_suspended_with_its_cable_locked(unlocks):
    story = charging(**GOES_ON, UnlockConnectorOnEVSideDisconnect=unlocks)
    commands = story.tell(OFF, ev.ContactorOpened(1)) + story.wait(300)
    assert OpenContactor(1) in commands
    assert of(UnlockConnector, commands) == []
    assert messages(commands) == []
    assert reports(commands) == [StatusReport(1, Status.SUSPENDED_EV, info=INFO)]
    assert isinstance(story.connector.phase, Charging)


def test_the_vehicle_that_comes_back_gets_energy_again():
    story = charging(**GOES_ON)
    story.tell(OFF, ev.ContactorOpened(1))
    story.wait(30)
    commands = story.tell(*ON, ev.ContactorClosed(1))
    assert reports(commands) == [
        StatusReport(1, Status.SUSPENDED_EV),
        StatusReport(1, Status.CHARGING),
    ]
    assert messages(commands) == []


def test_what_we_withhold_ourselves_wins_over_what_the_vehicle_does_not_take():
    story = charging(**GOES_ON)
    story.tell(OFF, ev.ContactorOpened(1))
    commands = story.tell(ev.LimitRequested("l1", 1, 0.0))
    assert reports(commands) == [StatusReport(1, Status.SUSPENDED_EVSE)]


def test_the_card_ends_a_session_that_is_suspended_and_gets_its_cable():
    story = charging(**GOES_ON)
    story.tell(OFF, ev.ContactorOpened(1))
    story.wait(30)
    story.tell(tap())
    commands = story.tell(ev.MeterRead(1, reading(1500)))
    assert stop_of(commands).reason is StopReason.LOCAL
    assert UnlockConnector(1) in commands


def test_a_plug_that_leaves_the_socket_ends_the_session_whatever_the_key_says():
    story = charging(**GOES_ON)
    story.tell(OFF, ev.ContactorOpened(1), ev.CableUnplugged(1))
    assert stop_of(story.tell(ev.MeterRead(1, reading(1500)))).reason is StopReason.EV_DISCONNECTED


def test_a_key_that_becomes_true_ends_the_session_that_is_suspended():
    story = charging(**GOES_ON)
    story.tell(OFF, ev.ContactorOpened(1))
    story.wait(30)
    change = ev.ConfigurationChangeRequested("r1", "StopTransactionOnEVSideDisconnect", "true")
    story.tell(change)
    assert isinstance(story.connector.phase, Stopping)


# --- boxes of other kinds ------------------------------------------------------------------------


def test_a_fixed_cable_pulled_off_the_vehicle_ends_the_session_and_is_free_at_once():
    story = charging(traits=FIXED_CABLE)
    story.tell(OFF)
    commands = parts_obey(story)
    assert stop_of(commands).reason is StopReason.EV_DISCONNECTED
    assert statuses(commands) == [Status.AVAILABLE]


def test_a_fixed_cable_may_come_back_to_its_session():
    story = charging(traits=FIXED_CABLE, **GOES_ON)
    story.tell(OFF, ev.ContactorOpened(1))
    assert story.connector.is_disconnected
    commands = story.tell(*ON, ev.ContactorClosed(1))
    assert statuses(commands)[-1] is Status.CHARGING


def test_without_lock_and_pilot_the_contact_is_what_sees_the_vehicle():
    story = charging(traits=CONTACT_ONLY, **GOES_ON)
    commands = story.tell(ev.CableUnplugged(1), ev.ContactorOpened(1))
    assert OpenContactor(1) in commands
    assert reports(commands) == [StatusReport(1, Status.SUSPENDED_EV, info=INFO)]
    commands = story.tell(ev.CablePluggedIn(1), ev.ContactorClosed(1))
    assert statuses(commands) == [Status.SUSPENDED_EV, Status.CHARGING]


def test_without_lock_and_pilot_the_contact_ends_the_session_as_shipped():
    story = charging(traits=CONTACT_ONLY)
    story.tell(ev.CableUnplugged(1))
    assert stop_of(parts_obey(story)).reason is StopReason.EV_DISCONNECTED


def test_a_contact_that_is_read_from_the_pilot_does_not_tell_about_the_socket():
    story = charging(traits=PILOT_AS_CONTACT, **GOES_ON)
    commands = story.tell(OFF, ev.CableUnplugged(1), ev.ContactorOpened(1))
    assert messages(commands) == []
    assert of(UnlockConnector, commands) == []
    commands = story.tell(ev.CablePluggedIn(1), *ON, ev.ContactorClosed(1))
    assert statuses(commands)[-1] is Status.CHARGING
    assert of(LockConnector, commands) == []


def test_there_a_cable_that_stays_locked_waits_for_its_card():
    story = charging(traits=PILOT_AS_CONTACT, **STAYS_LOCKED)
    story.tell(OFF, ev.CableUnplugged(1))
    assert of(UnlockConnector, parts_obey(story)) == []
    assert isinstance(story.connector.phase, Finished)
    story.wait(60)
    assert of(UnlockConnector, story.tell(tap(CARD))) == [UnlockConnector(1)]
    assert isinstance(story.connector.phase, Idle)
