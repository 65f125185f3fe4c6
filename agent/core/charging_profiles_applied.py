"""Charging profiles and other limits at work: felt at the connector (OCPP 1.6, 3.13).

The limits are worked out anew in every turn, so that no rule announces a change. Absolute
and recurring profiles go by the time that is believed in, relative ones by the monotonic clock;
so do the limits that come from outside (``external_limits``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from agent.core import charging_profiles_installed, random_delay
from agent.core.charging_composite_schedule import Place, charge_point_schedule, connector_schedule
from agent.core.charging_limits import (
    CURRENT_MIN_A,
    Allowance,
    Demand,
    Session,
    Wiring,
    allowance,
    charge_point_plan,
    rounded_down,
    session_plan,
    share,
    wired_rate,
)
from agent.core.charging_profiles import CHARGE_POINT, RateUnit, Schedule
from agent.core.events_requests import ExternalLimitSet, RandomDelaySkipped
from agent.core.external_limits import ExternalLimit
from agent.core.replace import replace
from agent.core.state import ChargePoint, Charging, Connector
from agent.core.turn import Turn
from agent.core.values import Instant

RECHECK_S = 60.0  # a clock that is corrected is noticed by then, should nothing happen meanwhile
# A deadline is met a moment late rather than early: two clocks round differently.
_EDGE_S = 0.001

# --- the present limit ----------------------------------------------------------------------------


def update(turn: Turn) -> bool:
    """Let each session feel the limits as they are now; True if that changed one.

    TxProfiles of sessions that have ended, and external limits that have run out, go for good.
    """
    _forget_run_out(turn)
    if not turn.state.is_begun:
        return False  # it is not known yet which sessions are open
    if turn.state.charging_profiles:
        charging_profiles_installed.forget_ended(turn)
    running = [c for c in turn.state.connectors if _may_draw(c)]
    for connector in turn.state.connectors:
        if connector not in running:
            random_delay.end(turn, connector.connector_id)
    limits: dict[int, float] = {}
    changes_s = math.inf
    if running and _has_limits(turn.state):
        limits, changes_s = _limits(turn, running)
    _note_next_change(turn, changes_s)
    has_changed = False
    for connector in turn.state.connectors:
        limit_a = limits.get(connector.connector_id)
        if connector.allowed_a != limit_a:
            turn.put(replace(turn.connector(connector.connector_id), allowed_a=limit_a))
            has_changed = True
    return has_changed


def _has_limits(state: ChargePoint) -> bool:
    is_fed_thinly = state.rules.supply_a is not None
    is_delayed = state.rules.random_delay_max_s > 0
    return bool(state.charging_profiles or state.external_limits or is_fed_thinly or is_delayed)


def _may_draw(connector: Connector) -> bool:
    """True while a session may still take its share; one that is refused takes none."""
    has_energy = connector.contactor_closed or not connector.is_deauthorized
    return connector.transaction is not None and has_energy


def _limits(turn: Turn, running: Sequence[Connector]) -> tuple[dict[int, float], float]:
    """What each connector is limited to, if it is, and when that changes (seconds since 1970)."""
    installed = turn.state.charging_profiles
    utc_s = utc_s_of(turn.now)
    limits: dict[int, float] = {}
    demands = []
    whole, until_s = allowance(charge_point_plan(installed, wiring_of(running[0])), utc_s)
    for connector in sorted(running, key=_session_ref):
        plan = session_plan(installed, session_of(connector, turn.now), wiring_of(connector))
        session_rate, session_until_s = allowance(plan, utc_s)
        until_s = min(until_s, session_until_s)
        profile_a = math.inf if session_rate is None else rounded_down(session_rate.current_a)
        own_a = min(
            random_delay.felt_a(turn, connector, profile_a),
            *(limit_a for _, limit_a in external_limits_a(turn.state, connector)),
            math.inf,
        )
        if own_a < math.inf:
            limits[connector.connector_id] = own_a
        most_a = min(operator_limit_a(connector), own_a)
        least_a = max(
            CURRENT_MIN_A, min(most_a, 0.0 if session_rate is None else session_rate.least_a)
        )
        demands.append(Demand(connector.connector_id, least_a, most_a))
    supplied = _within_supply(_supply_a(turn.state, running[0]), running, demands)
    shares = zip(demands, supplied, strict=True)
    limits |= {new.connector_id: new.most_a for old, new in shares if new.most_a < old.most_a}
    if whole is not None:
        limits = share(whole.current_a, supplied)
    return limits, until_s


def external_limits_a(
    state: ChargePoint, connector: Connector
) -> list[tuple[ExternalLimit, float]]:
    """What external limits leave this connector by itself, in amperes per phase.

    A vehicle that is offered nothing (no pilot) draws what it wants: all or nothing.
    """
    found = []
    for limit in state.external_limits:
        if limit.connector_id == connector.connector_id:
            limit_a = rounded_down(limit.rate(wiring_of(connector)).current_a)
            is_kept = connector.traits.has_pilot or limit_a >= connector.traits.max_current_a
            found.append((limit, limit_a if is_kept else 0.0))
    return found


def whole_limits_a(state: ChargePoint, connector: Connector) -> list[tuple[ExternalLimit, float]]:
    """What external limits leave all connectors together, in amperes of this connector's phases."""
    wiring = wiring_of(connector)
    return [
        (limit, limit.rate(wiring).current_a)
        for limit in state.external_limits
        if limit.connector_id == CHARGE_POINT
    ]


def _supply_a(state: ChargePoint, connector: Connector) -> float:
    """What may be taken from the grid, whatever a vehicle wants; infinite: enough for all."""
    wired_a = math.inf if state.rules.supply_a is None else state.rules.supply_a
    return min([wired_a, *(limit_a for _, limit_a in whole_limits_a(state, connector))])


def _within_supply(
    supply_a: float, running: Sequence[Connector], demands: Sequence[Demand]
) -> Sequence[Demand]:
    """The demands, reduced to what may be taken from the grid.

    A vehicle that is offered nothing (no pilot) draws what it wants: all or nothing.
    """
    if supply_a == math.inf:
        return demands
    offers = {c.connector_id for c in running if c.traits.has_pilot}
    firm = [
        demand if demand.connector_id in offers else replace(demand, least_a=demand.most_a)
        for demand in demands
    ]
    shares = share(supply_a, firm)
    return [replace(demand, most_a=shares[demand.connector_id]) for demand in demands]


def _note_next_change(turn: Turn, changes_s: float) -> None:
    """When to look again, by the clock that does not jump; None: nothing limits a session."""
    ends_s = [limit.until_s for limit in turn.state.external_limits]
    phases = [connector.phase for connector in turn.state.connectors]
    delays = [phase.delay for phase in phases if isinstance(phase, Charging)]
    due_s = min([math.inf, *ends_s, *(delay.until_s for delay in delays if delay is not None)])
    is_limited = any(c.transaction is not None for c in turn.state.connectors)
    if is_limited and turn.state.charging_profiles:
        wait_s = changes_s - turn.now.utc.timestamp()
        due_s = min(due_s, turn.now.monotonic_s + min(wait_s, RECHECK_S))
    changes_at_s = None if due_s == math.inf else due_s
    if turn.state.limits_change_s != changes_at_s:
        turn.state = replace(turn.state, limits_change_s=changes_at_s)


def _session_ref(connector: Connector) -> int:
    assert connector.transaction is not None
    return connector.transaction.ref


def operator_limit_a(connector: Connector) -> float:
    """What the operator and the wiring leave a session."""
    wired_a = connector.traits.max_current_a
    return wired_a if connector.limit_a is None else min(wired_a, connector.limit_a)


def utc_s_of(now: Instant) -> float:
    """The time that profiles are asked for."""
    return now.utc.timestamp() + _EDGE_S


def wiring_of(connector: Connector) -> Wiring:
    """What a connector can carry."""
    traits = connector.traits
    return Wiring(traits.max_current_a, traits.phases, traits.nominal_voltage_v)


def session_of(connector: Connector, now: Instant) -> Session:
    """The session that runs there; without one, as if one began now."""
    transaction = connector.transaction
    utc_s = now.utc.timestamp()
    if transaction is None:
        return Session(connector.connector_id, None, utc_s)
    age_s = now.monotonic_s - transaction.begun_monotonic_s
    return Session(connector.connector_id, transaction.ref, utc_s - age_s)


# --- limits from outside -------------------------------------------------------------------------


def external_limit_set(turn: Turn, event: ExternalLimitSet) -> None:
    """A limit takes the place of the one that its source had there; None takes it back."""
    place = event.connector_id
    if place != CHARGE_POINT and not turn.state.has_connector(place):
        return
    others = tuple(
        one
        for one in turn.state.external_limits
        if (one.source, one.connector_id) != (event.source, place)
    )
    if event.limit is not None:
        valid_for_s = math.inf if event.valid_for_s is None else event.valid_for_s
        until_s = turn.now.monotonic_s + valid_for_s
        others = (*others, ExternalLimit(event.source, place, event.limit, event.unit, until_s))
    turn.state = replace(turn.state, external_limits=others)


def _forget_run_out(turn: Turn) -> None:
    limits = turn.state.external_limits
    kept = tuple(one for one in limits if turn.now.monotonic_s < one.until_s)
    if kept != limits:
        turn.state = replace(turn.state, external_limits=kept)


# --- asked for -----------------------------------------------------------------------------------


def composite_schedule(
    state: ChargePoint, now: Instant, connector_id: int, unit: RateUnit, duration_s: int
) -> Schedule:
    """What may be drawn from now on; connector 0: by all together. The connector must exist.

    Counted from the whole second in which ``now`` lies.
    """
    connectors = state.connectors
    now_s = math.floor(now.utc.timestamp())
    places = [_place(state, connector, now) for connector in connectors]
    caps = _caps(state, CHARGE_POINT, wiring_of(connectors[0]), now)
    if connector_id == CHARGE_POINT:
        return charge_point_schedule(state.charging_profiles, places, unit, now_s, duration_s, caps)
    (place,) = (place for place in places if place.session.connector_id == connector_id)
    return connector_schedule(state.charging_profiles, place, unit, now_s, duration_s, caps)


def _place(state: ChargePoint, connector: Connector, now: Instant) -> Place:
    session = session_of(connector, now)
    whole = Session(session.connector_id, session.ref, math.floor(session.begun_s))
    traits = connector.traits
    wiring = Wiring(operator_limit_a(connector), traits.phases, traits.nominal_voltage_v)
    return Place(whole, wiring, _caps(state, connector.connector_id, wiring, now))


def _caps(
    state: ChargePoint, connector_id: int, wiring: Wiring, now: Instant
) -> tuple[Allowance, ...]:
    """What holds there besides profiles, each until the whole second in which it has run out."""
    caps: list[Allowance] = []
    if connector_id == CHARGE_POINT and state.rules.supply_a is not None:
        supply = replace(wiring, max_current_a=state.rules.supply_a)
        caps.append((wired_rate(supply), math.inf))
    for limit in state.external_limits:
        if limit.connector_id == connector_id:
            left_s = limit.until_s - now.monotonic_s
            ends_s = left_s if left_s == math.inf else math.ceil(now.utc.timestamp() + left_s)
            caps.append((limit.rate(wiring), ends_s))
    return tuple(caps)


ROUTES: dict[type[Any], Callable[[Turn, Any], None]] = {
    ExternalLimitSet: external_limit_set,
    RandomDelaySkipped: random_delay.skipped,
}
