"""What the outside is told: statuses, error codes, and the signal at the box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.commands import NotifyStatus, ShowSignal, Signal
from agent.core.faults import RULES, SAFETY_INPUTS, Fault
from agent.core.signals import lasting_signal
from agent.core.state import (
    ChargePoint,
    Charging,
    Connector,
    Finished,
    GrantedAuthorization,
    Starting,
    StopOrder,
    Stopping,
)
from agent.core.status_notification import reports, status_of
from agent.core.values import (
    LockState,
    PilotState,
    Status,
    StatusReport,
    StopReason,
)
from tests.core.story import (
    ALL_PARTS,
    BLOCKED,
    CARD,
    Story,
    a_charge_point,
    a_transaction,
    at,
    charging,
    finish,
    listed,
    of,
    reading,
    statuses,
    tap,
)
from tests.core.transitions import LEGAL, is_legal

RUNNING = {
    "phase": Charging(a_transaction()),
    "plugged": True,
    "lock": LockState.LOCKED,
    "pilot": PilotState.C,
    "contactor_closed": True,
}
COMING_BACK = {
    **RUNNING,
    "contactor_closed": False,
    "close_ordered": True,
    "phase": Charging(a_transaction(), vehicle_paused=True),
}
STOP = StopOrder(StopReason.LOCAL, None, open_by_s=0.0, give_up_s=0.0)


def with_connector(fields: dict[str, object], **whole: object) -> ChargePoint:
    state = a_charge_point()
    return replace(state, connectors=(replace(state.connectors[0], **fields),), **whole)


def a_grant(*connectors: int) -> GrantedAuthorization:
    return GrantedAuthorization(CARD, None, connectors, 0.0, None, "LISTED")


A_GRANT = a_grant(1)


# --- each phase and each fault -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, Status.AVAILABLE),
        ({"plugged": True}, Status.PREPARING),
        ({"phase": Starting(A_GRANT, 0.0), "plugged": True}, Status.PREPARING),
        (RUNNING, Status.CHARGING),
        ({**RUNNING, "pilot": PilotState.D}, Status.CHARGING),
        ({**RUNNING, "pilot": PilotState.B}, Status.SUSPENDED_EV),
        ({**RUNNING, "contactor_closed": False}, Status.SUSPENDED_EVSE),
        (COMING_BACK, Status.SUSPENDED_EV),
        ({**COMING_BACK, "close_ordered": False}, Status.SUSPENDED_EVSE),
        ({**COMING_BACK, "phase": Charging(a_transaction())}, Status.SUSPENDED_EVSE),
        ({**COMING_BACK, "lock": LockState.MOVING}, Status.SUSPENDED_EVSE),
        ({**RUNNING, "lock": LockState.UNLOCKED}, Status.SUSPENDED_EVSE),
        ({**RUNNING, "pilot": PilotState.E}, Status.SUSPENDED_EVSE),
        (
            {**RUNNING, "phase": Charging(a_transaction(deauthorized=True))},
            Status.SUSPENDED_EVSE,
        ),
        (
            {
                **RUNNING,
                "contactor_closed": False,
                "phase": Charging(a_transaction(), settling_until_s=at(1).monotonic_s),
            },
            Status.PREPARING,
        ),
        ({**RUNNING, "phase": Stopping(a_transaction(), stop=STOP)}, Status.FINISHING),
        ({"phase": Finished(), "plugged": True}, Status.FINISHING),
        ({"faults": frozenset({Fault.LOCK_FAILED})}, Status.FAULTED),
        ({"faults": frozenset({Fault.METER}), "phase": Finished()}, Status.FAULTED),
        ({**RUNNING, "faults": frozenset({Fault.METER})}, Status.CHARGING),
        ({**RUNNING, "faults": frozenset({Fault.CONTACTOR_WELDED})}, Status.FAULTED),
    ],
)
def test_each_state_of_a_connector_has_its_status(fields, status):
    state = with_connector(fields)
    assert status_of(state, state.connectors[0], at(0)) is status


@pytest.mark.parametrize(
    ("promise", "status"),
    [((1,), Status.PREPARING), ((1, 2), Status.AVAILABLE), ((2,), Status.AVAILABLE)],
)
def test_a_card_that_waits_makes_a_connector_preparing_only_when_it_can_mean_no_other(
    promise, status
):
    state = with_connector({}, waiting=(a_grant(*promise),))
    assert status_of(state, state.connectors[0], at(0)) is status


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name)
def test_every_fault_of_the_box_is_told_with_its_code_in_at_most_50_characters(fault):
    rule = RULES[fault]
    whole, connector = reports(with_connector({}, faults=frozenset({fault})), at(0))
    status = Status.FAULTED if rule.shows_faulted else Status.AVAILABLE
    assert whole == StatusReport(0, status, rule.error_code, rule.words)
    shown = (rule.error_code, rule.words) if rule.shows_faulted else ("NoError", "")
    assert connector == StatusReport(1, status, *shown)
    assert 0 < len(rule.words) <= 50


def test_every_safety_input_has_a_fault_that_ends_or_pauses_a_session():
    for fault in SAFETY_INPUTS.values():
        assert (RULES[fault].stop_reason is not None) is not RULES[fault].pauses


def test_a_fault_that_ends_a_session_also_forbids_the_next():
    assert all(rule.forbids_start for rule in RULES.values() if rule.stop_reason)


def test_of_several_faults_the_worst_is_told():
    faults = frozenset({Fault.METER, Fault.CONTACTOR_WELDED, Fault.LOCK_FAILED})
    _, report = reports(with_connector({"faults": faults}), at(0))
    assert report.error_code == "PowerSwitchFailure"


@pytest.mark.parametrize("pilot", [PilotState.E, PilotState.F])
def test_a_pilot_error_is_a_warning_and_never_faulted(pilot):
    _, report = reports(with_connector({"plugged": True, "pilot": pilot}), at(0))
    assert report == StatusReport(
        1, Status.PREPARING, "EVCommunicationError", f"control pilot in state {pilot.value}"
    )


# --- reporting changes ---------------------------------------------------------------------------


def test_only_what_has_changed_is_told():
    story = Story(a_charge_point(connectors=2))
    story.tell(ev.TimePassed())
    commands = story.tell(ev.CablePluggedIn(2))
    assert of(NotifyStatus, commands) == [NotifyStatus(StatusReport(2, Status.PREPARING))]
    assert of(NotifyStatus, story.tell(ev.CablePluggedIn(2))) == []


def test_a_cleared_fault_is_told_even_where_the_status_stays():
    story = charging()
    story.tell(ev.MeterFailed(1, "no answer"))
    commands = story.tell(ev.MeterRead(1, reading(1100)))
    assert of(NotifyStatus, commands) == [NotifyStatus(StatusReport(1, Status.CHARGING))]


def test_nothing_is_told_while_offline_and_everything_after_the_link_is_back():
    story = Story(a_charge_point())
    story.tell(ev.LinkLost("gone"))
    assert of(NotifyStatus, story.tell(ev.CablePluggedIn(1), ev.CableUnplugged(1))) == []
    assert of(NotifyStatus, story.tell(ev.CablePluggedIn(1))) == []
    told = [command.report for command in of(NotifyStatus, story.tell(ev.LinkAccepted()))]
    assert told == [StatusReport(0, Status.AVAILABLE), StatusReport(1, Status.PREPARING)]


def test_everything_is_told_again_after_each_acceptance():
    story = Story(a_charge_point())
    story.tell(ev.TimePassed())
    assert len(of(NotifyStatus, story.tell(ev.LinkAccepted()))) == 2


# --- the order of statuses -----------------------------------------------------------------------


def test_the_statuses_of_a_whole_session_in_their_order():
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1), tap(facts=listed()), ev.LockChanged(1, LockState.LOCKED))
    story.tell(ev.MeterRead(1, reading(1000)), ev.PilotChanged(1, PilotState.B))
    story.wait(6)
    story.tell(ev.PilotChanged(1, PilotState.C), ev.ContactorClosed(1))
    story.tell(ev.MessageAnswered(1, 1, 55, BLOCKED, CARD))
    ordered = list(story.commands)
    ordered += finish(story)
    ordered += story.tell(tap(), ev.LockChanged(1, LockState.UNLOCKED), ev.CableUnplugged(1))
    assert statuses(ordered) == [
        Status.PREPARING,
        Status.SUSPENDED_EV,
        Status.CHARGING,
        Status.FINISHING,
        Status.AVAILABLE,
    ]


def a_session_in(*events: ev.Event) -> Callable[[], Story]:
    """A session that has just begun, and then this."""

    def begin() -> Story:
        story = Story(a_charge_point())
        story.tell(ev.CablePluggedIn(1), tap(facts=listed()))
        story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1000)))
        story.tell(*events)
        return story

    return begin


CLOSED = (ev.PilotChanged(1, PilotState.C), ev.ContactorClosed(1))


@pytest.mark.parametrize(
    ("begin", "event", "after"),
    [
        (a_session_in(*CLOSED), ev.PilotChanged(1, PilotState.B), Status.SUSPENDED_EV),
        (a_session_in(*CLOSED), ev.PilotChanged(1, PilotState.E), Status.SUSPENDED_EVSE),
        (a_session_in(*CLOSED), ev.LockChanged(1, LockState.UNLOCKED), Status.SUSPENDED_EVSE),
        (a_session_in(), ev.CableUnplugged(1), Status.FINISHING),
        (a_session_in(), ev.SafetyInputTripped("door"), Status.FAULTED),
    ],
)
def test_a_session_that_has_just_begun_never_goes_back_to_preparing(begin, event, after):
    story = begin()
    assert statuses(story.tell(event)) == [after]
    assert Status.PREPARING not in statuses(story.wait(10))


# --- whose pause it is ---------------------------------------------------------------------------


def paused() -> Story:
    """The vehicle has paused, and its contactor is open."""
    story = charging()
    story.tell(ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    return story


def test_a_vehicle_that_asks_again_is_suspended_by_itself_until_energy_flows():
    story = paused()
    assert statuses(story.tell(ev.PilotChanged(1, PilotState.C))) == []
    assert story.connector.close_ordered
    assert statuses(story.wait(1.9)) == []
    assert statuses(story.tell(ev.ContactorClosed(1))) == [Status.CHARGING]


def test_feedback_that_comes_when_the_vehicle_has_paused_again_is_still_its_pause():
    story = paused()
    story.tell(ev.PilotChanged(1, PilotState.C), ev.PilotChanged(1, PilotState.B))
    assert statuses(story.tell(ev.ContactorClosed(1), ev.ContactorOpened(1))) == []
    assert statuses(story.tell(ev.PilotChanged(1, PilotState.C))) == []


def test_an_interruption_of_our_own_after_a_pause_of_the_vehicle_is_our_own():
    story = paused()
    story.tell(ev.PilotChanged(1, PilotState.C), ev.ContactorClosed(1))
    commands = story.tell(
        ev.ContactorTripped(1, "lease expired", 1), ev.ContactorOpened(1), ev.TimePassed()
    )
    assert statuses(commands) == [Status.SUSPENDED_EVSE]
    assert statuses(story.tell(ev.ContactorClosed(1))) == [Status.CHARGING]


def test_a_contactor_that_trips_on_its_way_after_a_pause_makes_the_waiting_our_own():
    story = paused()
    story.tell(ev.PilotChanged(1, PilotState.C))
    commands = story.tell(ev.ContactorTripped(1, "lease expired", 1))
    assert statuses(commands) == [Status.SUSPENDED_EVSE]


@pytest.mark.parametrize("trip_first", [True, False])
def test_what_the_reflex_opens_when_the_vehicle_pauses_is_the_pause_of_the_vehicle(trip_first):
    story = charging()
    trip, pause = ev.ContactorTripped(1, "reflex", 1), ev.PilotChanged(1, PilotState.B)
    story.tell(*((trip, pause) if trip_first else (pause, trip)), ev.ContactorOpened(1))
    assert statuses(story.commands) == [Status.SUSPENDED_EV]
    assert statuses(story.tell(ev.PilotChanged(1, PilotState.C))) == []


def test_a_lock_that_moves_in_a_pause_of_the_vehicle_is_our_interruption_until_it_is_back():
    story = paused()
    commands = story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    assert statuses(commands) == [Status.SUSPENDED_EVSE]
    assert statuses(story.tell(ev.PilotChanged(1, PilotState.C))) == []
    assert statuses(story.tell(ev.LockChanged(1, LockState.LOCKED))) == []
    assert statuses(story.tell(ev.ContactorClosed(1))) == [Status.CHARGING]


def test_the_pause_of_one_session_is_not_the_pause_of_the_next():
    story = paused()
    story.tell(tap(), ev.MeterRead(1, reading(2000)), ev.LockChanged(1, LockState.UNLOCKED))
    story.wait(5)
    story.tell(tap(facts=listed()), ev.PilotChanged(1, PilotState.C))
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(2000)))
    assert story.connector.close_ordered
    assert statuses(story.wait(5)) == [Status.SUSPENDED_EVSE]


def test_a_plug_that_comes_back_while_its_session_is_being_ended_stays_finishing():
    story = charging()
    assert statuses(story.tell(ev.CableUnplugged(1), ev.CablePluggedIn(1))) == [Status.FINISHING]
    assert statuses(finish(story)) == []


def test_the_matrix_has_the_transitions_of_the_standard():
    assert len(LEGAL) == 7 + 6 + 6 + 6 + 6 + 4 + 4 + 6 + 8
    assert not is_legal(Status.AVAILABLE, Status.FINISHING)
    assert not is_legal(Status.CHARGING, Status.PREPARING)
    assert is_legal(Status.PREPARING, Status.FINISHING)
    assert is_legal(Status.FINISHING, Status.PREPARING)


# --- the signal at the box -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "whole", "signal"),
    [
        ({}, {}, Signal.FREE),
        ({}, {"waiting": (a_grant(1),)}, Signal.WAITING_FOR_PLUG),
        (RUNNING, {}, Signal.CHARGING),
        ({**RUNNING, "contactor_closed": False}, {"waiting": (a_grant(1),)}, Signal.PAUSED),
        ({"faults": frozenset({Fault.METER})}, {}, Signal.FAULT),
        (RUNNING, {"faults": frozenset({Fault.JOURNAL})}, Signal.FAULT),
        ({}, {"faults": frozenset({Fault.READER, Fault.QUARANTINED})}, Signal.READER_FAULT),
    ],
)
def test_the_lasting_signal_shows_what_matters_most(fields, whole, signal):
    assert lasting_signal(with_connector(fields, **whole)).signal is signal


def test_a_lasting_signal_is_shown_once_when_it_changes():
    story = charging()
    assert of(ShowSignal, story.tell(ev.ContactorOpened(1))) == [ShowSignal(Signal.PAUSED)]
    assert of(ShowSignal, story.tell(ev.TimePassed())) == []


def test_a_card_that_could_not_be_taken_is_refused_in_light_only():
    commands = Story(a_charge_point(online=False)).tell(ev.CardNotTaken("two cards"))
    assert commands == [ShowSignal(Signal.REFUSED)]


def test_a_dead_reader_is_a_warning_until_it_recovers():
    story = Story(a_charge_point())
    story.tell(ev.TimePassed())
    (warned,) = [c.report for c in of(NotifyStatus, story.tell(ev.ReaderFailed("no answer")))]
    assert (warned.connector_id, warned.status) == (0, Status.AVAILABLE)
    assert warned.error_code == "ReaderFailure"
    (mended,) = [c.report for c in of(NotifyStatus, story.tell(ev.ReaderRecovered()))]
    assert mended == StatusReport(0, Status.AVAILABLE)


def test_a_safety_input_that_is_in_order_again_mends_the_box():
    story = Story(a_charge_point())
    assert statuses(story.tell(ev.SafetyInputTripped("door"))) == [Status.FAULTED]
    assert statuses(story.tell(ev.SafetyInputCleared("door"))) == [Status.AVAILABLE]


def test_a_connector_without_parts_is_available_when_its_session_is_over():
    bare = replace(ALL_PARTS, has_plug=False)
    assert Connector(1, bare).plugged is False
    story = charging(traits=bare)
    story.tell(tap())
    assert statuses(finish(story))[-1] is Status.AVAILABLE
