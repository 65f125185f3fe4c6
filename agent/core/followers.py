"""What follows every event: the rules that look at the state as it has become, one after the other.

The order is part of the rules; the reason stands beside each. What a rule waits for, it names
beside itself as well: the next deadline of the core is the earliest of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent.core import (
    authorization_request,
    availability,
    certificate_ends,
    certificate_requests,
    charge_log,
    charging_profiles_applied,
    clock_trust,
    connection_profile_change,
    connector_timeout,
    contactors,
    firmware_update,
    from_process,
    meter_values_aligned,
    outbox,
    own_certificate_requests,
    reservation_requests,
    security_events,
    signals,
    status_notification,
    transaction,
)
from agent.core import connector as connectors
from agent.core.authorization_reasons import Rule
from agent.core.faults import Fault
from agent.core.replace import replace
from agent.core.replies import because
from agent.core.state import ChargePoint, Charging, Starting, Stopping
from agent.core.turn import Turn
from agent.core.values import Instant

Deadlines = Iterator[float | None]


@dataclass(frozen=True, slots=True)
class Follower:
    """One rule: what it does, and the monotonic times at which it wants a TimePassed."""

    update: Callable[[Turn], None]
    deadlines_s: Callable[[ChargePoint, Instant], Deadlines] | None = None


def follow(turn: Turn) -> None:
    """Let every rule look at what the event has changed."""
    for follower in FOLLOWERS:
        follower.update(turn)


def next_deadline_s(state: ChargePoint, now: Instant) -> float | None:
    """Monotonic time at which the core wants a TimePassed; None: it waits for nothing."""
    found = math.inf
    for deadlines_s in _DEADLINES:
        for time_s in deadlines_s(state, now):
            if time_s is not None and time_s < found:
                found = time_s
    return None if found == math.inf else found


# --- tags ----------------------------------------------------------------------------------------


def _check_deadlines(state: ChargePoint, now: Instant) -> Deadlines:
    return (check.by_s for check in state.checking)


def _give_up_grants(turn: Turn) -> None:
    for grant in turn.state.waiting:
        if grant.until_s is not None and turn.now.monotonic_s >= grant.until_s:
            # OCPP 1.6 section 9.1.6: authorization is void, Preparing -> Available (B1).
            turn.drop_grant(grant)
            connectors.give_back(turn, grant, because(Rule.NO_PLUG_CAME), "expired")


def _grant_deadlines(state: ChargePoint, now: Instant) -> Deadlines:
    return (grant.until_s for grant in state.waiting)


# --- connectors ----------------------------------------------------------------------------------


def _settle(turn: Turn) -> None:
    charging_profiles_applied.update(turn)
    _settle_connectors(turn)
    if charging_profiles_applied.update(turn):
        _settle_connectors(turn)  # a session began or ended: the share of the others has changed


def _settle_connectors(turn: Turn) -> None:
    for connector in turn.state.connectors:
        connectors.settle(turn, connector.connector_id)


def _connector_deadlines(state: ChargePoint, now: Instant) -> Deadlines:
    yield state.limits_change_s
    for connector in state.connectors:
        if connector.close_ordered:
            yield now.monotonic_s + state.rules.lease_s / 3
        match connector.phase:
            case Starting(give_up_s=give_up_s):
                yield give_up_s
            case Charging() as charging:
                yield from _charging_deadlines(charging, now)
            case Stopping(stop=stop):
                yield stop.open_by_s if stop.open_by_s > now.monotonic_s else stop.give_up_s


def _charging_deadlines(charging: Charging, now: Instant) -> Deadlines:
    yield charging.next_sample_s
    yield transaction.limit_s(charging)
    for moment_s in (charging.settling_until_s, charging.pause_by_s):
        if moment_s > now.monotonic_s:
            yield moment_s


def _plug_deadlines(state: ChargePoint, now: Instant) -> Deadlines:
    return (connector_timeout.deadline_s(connector, now) for connector in state.connectors)


def _answer_late_unlocks(turn: Turn) -> None:
    for connector in turn.state.connectors:
        request = connector.unlock_request
        if request is not None and turn.now.monotonic_s >= request.by_s:
            connectors.answer_unlock(turn, connector.connector_id, is_unlocked=False)


def _unlock_deadlines(state: ChargePoint, now: Instant) -> Deadlines:
    return (c.unlock_request.by_s for c in state.connectors if c.unlock_request is not None)


# --- the charge point ----------------------------------------------------------------------------


def _aligned_deadlines(state: ChargePoint, now: Instant) -> Deadlines:
    yield None if state.aligned_due is None else state.aligned_due.due_s


def _firmware_deadlines(state: ChargePoint, now: Instant) -> Deadlines:
    yield firmware_update.deadline_s(state, now)


def _reservation_deadlines(state: ChargePoint, now: Instant) -> Deadlines:
    if state.is_begun:
        yield from (now.monotonic_s_at(kept.expires_at) for kept in state.reservations)


def _notice_room(turn: Turn) -> None:
    """Everything that waited is delivered: samples need not be dropped any more."""
    if Fault.QUEUE_FULL in turn.state.faults and turn.state.outbox.waiting == 0:
        turn.state = replace(turn.state, faults=turn.state.faults - {Fault.QUEUE_FULL})


def _outbox_deadlines(state: ChargePoint, now: Instant) -> Deadlines:
    yield state.outbox.remove_by_s
    if state.online and not state.outbox.in_flight and state.outbox.waiting:
        yield state.outbox.not_before_s


def _restart_deadlines(state: ChargePoint, now: Instant) -> Deadlines:
    yield from_process.deadline_s(state)


def _certificate_deadlines(state: ChargePoint, now: Instant) -> Deadlines:
    yield certificate_ends.next_warning_s(state, now)


def _report_deadlines(state: ChargePoint, now: Instant) -> Deadlines:
    yield status_notification.next_report_s(state, now)


FOLLOWERS: tuple[Follower, ...] = (
    # Before the connectors: a tag whose time is over begins nothing.
    Follower(authorization_request.give_up_checks, _check_deadlines),
    Follower(_give_up_grants, _grant_deadlines),
    # Before the connectors: a sample of the boundary belongs to the session that ran over it.
    Follower(meter_values_aligned.update, _aligned_deadlines),
    # Before the connectors: what a session was like until now is part of its record.
    Follower(charge_log.update),
    Follower(_settle, _connector_deadlines),
    # After the connectors: they install, go out of service and are given up when they are at rest.
    Follower(firmware_update.update, _firmware_deadlines),
    # After the firmware, which takes connectors out of service.
    Follower(availability.update),
    # After the availability: a connector out of service is kept for no one.
    Follower(reservation_requests.update, _reservation_deadlines),
    # After the reservations: a plug on a connector that is kept waits for its tag.
    Follower(connector_timeout.update, _plug_deadlines),
    Follower(_answer_late_unlocks, _unlock_deadlines),
    # Before anything is delivered: what waits gets its right times first. And after the connectors:
    # answered samples are removed together with what these have written.
    Follower(clock_trust.correct_rows),
    Follower(security_events.update, security_events.deadlines_s),
    Follower(_notice_room),
    Follower(outbox.update, _outbox_deadlines),
    # After the outbox: a restart waits for what is still to be delivered.
    Follower(from_process.update, _restart_deadlines),
    Follower(own_certificate_requests.update, own_certificate_requests.deadlines_s),
    # After those of the box: what ends is that which it has now.
    Follower(certificate_requests.update, _certificate_deadlines),
    # Last, when nothing changes any more: what others see of it, and what is kept of it.
    Follower(status_notification.update, _report_deadlines),
    Follower(contactors.update),
    Follower(connection_profile_change.update),
    Follower(signals.update),
)
_DEADLINES = tuple(f.deadlines_s for f in FOLLOWERS if f.deadlines_s is not None)
