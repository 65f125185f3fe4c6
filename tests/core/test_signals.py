"""What the light at the box tells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import Decision
from agent.core.commands import ShowSignal, Signal
from agent.core.faults import RULES, Fault
from agent.core.signals import lasting_signal, of_decision
from agent.core.state import Rules
from agent.core.values import AuthorizationStatus, IdTagInfo, Reservation, Verdict
from tests.core.story import NOON, Story, a_charge_point, charging, of, tap


def at_rest(connectors: int = 1, **fields: object):
    return replace(a_charge_point(connectors), **fields)


def out_of_service(connectors: int = 2, out: int = 2):
    state = a_charge_point(connectors)
    kept = state.connectors[out:]
    gone = tuple(replace(c, out_of_service=True) for c in state.connectors[:out])
    return replace(state, connectors=(*gone, *kept))


ALONE = Rules(expects_link=False)
PROMISED = Reservation(7, 1, "04A2B3C4", NOON)


@pytest.mark.parametrize(
    ("state", "signal"),
    [
        (at_rest(), Signal.FREE),
        (at_rest(online=False), Signal.FREE_OFFLINE),
        (at_rest(online=False, rules=ALONE), Signal.FREE),
        (at_rest(registration="Pending", online=False), Signal.NOT_ACCEPTED),
        (at_rest(registration="Rejected", online=False), Signal.NOT_ACCEPTED),
        (at_rest(faults=frozenset({Fault.READER})), Signal.READER_FAULT),
        (at_rest(reservations=(PROMISED,)), Signal.RESERVED),
        (at_rest(connectors=2, reservations=(PROMISED,)), Signal.FREE),
        (out_of_service(), Signal.UNAVAILABLE),
        (out_of_service(out=1), Signal.FREE),
        (charging(online=False).state, Signal.CHARGING),
    ],
)
def test_the_light_at_rest_tells_the_next_person_what_matters(state, signal: Signal):
    assert lasting_signal(state) == ShowSignal(signal)


@pytest.mark.parametrize("fault", [fault for fault in Fault if RULES[fault].shows_faulted])
def test_a_fault_flashes_its_number(fault: Fault):
    state = at_rest(faults=frozenset({fault}))
    assert lasting_signal(state) == ShowSignal(Signal.FAULT, RULES[fault].flashes)
    assert 2 <= RULES[fault].flashes <= 9, "one flash is a wink, more than nine nobody counts"


def test_another_fault_flashes_another_number():
    story = Story(a_charge_point())
    meter, lock = RULES[Fault.METER].flashes, RULES[Fault.LOCK_FAILED].flashes
    assert of(ShowSignal, story.tell(ev.MeterFailed(1, "silent"))) == [
        ShowSignal(Signal.FAULT, meter)
    ]
    assert meter != lock


def test_the_light_begins_with_the_process():
    story = Story(at_rest(is_begun=False))
    assert of(ShowSignal, story.tell(ev.Started())) == [ShowSignal(Signal.FREE)]


@pytest.mark.parametrize(
    ("rule", "signal"),
    [
        (Rule.CENTRAL_REFUSED, Signal.REFUSED),
        (Rule.LISTED_REFUSED, Signal.REFUSED),
        (Rule.UNKNOWN_REFUSED, Signal.REFUSED_UNANSWERED),
        (Rule.OFFLINE_OFF, Signal.REFUSED_UNANSWERED),
        (Rule.GROUP_UNKNOWN, Signal.REFUSED_UNANSWERED),
    ],
)
def test_refused_because_nobody_could_be_asked_looks_different(rule: Rule, signal: Signal):
    assert of_decision(Decision(Verdict.REFUSED, rule, "offline rule")) is signal
    assert of_decision(Decision(Verdict.ACCEPTED, rule, "offline rule")) is Signal.ACCEPTED


def test_a_silent_central_system_is_seen_in_the_light_and_a_refusing_one_too():
    story = Story(a_charge_point())
    story.tell(tap())
    silent = story.tell(ev.AuthorizeFailed("04A2B3C4", "no answer"))
    assert ShowSignal(Signal.REFUSED_UNANSWERED) in silent
    story.tell(tap())
    blocked = IdTagInfo(AuthorizationStatus.BLOCKED)
    refused = story.tell(ev.AuthorizeAnswered("04A2B3C4", blocked))
    assert ShowSignal(Signal.REFUSED) in refused
