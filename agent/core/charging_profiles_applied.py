"""Charging profiles at work: installed, cleared, and felt at the connector (OCPP 1.6, 3.13).

The limits are worked out anew in every turn, so that no rule announces a change. Absolute
and recurring profiles go by the time that is believed in, relative ones by the monotonic clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from agent.core import replies
from agent.core.authorization_reasons import Rule
from agent.core.charging_composite_schedule import Place, charge_point_schedule, connector_schedule
from agent.core.charging_limits import (
    CURRENT_MIN_A,
    Demand,
    Session,
    Wiring,
    allowance,
    charge_point_plan,
    rounded_down,
    session_plan,
    share,
)
from agent.core.charging_profiles import (
    CHARGE_POINT,
    ChargingProfile,
    InstalledProfile,
    ProfilePurpose,
    RateUnit,
    Schedule,
    mistake_in,
    replaced_by,
)
from agent.core.commands import RemoveChargingProfile, Reply, SaveChargingProfile
from agent.core.events_requests import ClearProfilesRequested, SetProfileRequested
from agent.core.replace import replace
from agent.core.state import Asked, ChargePoint, Charging, Connector, Purpose
from agent.core.turn import Turn
from agent.core.values import Instant

RECHECK_S = 60.0  # a clock that is corrected is noticed by then, should nothing happen meanwhile
# A deadline is met a moment late rather than early: two clocks round differently.
_EDGE_S = 0.001

# --- the present limit ----------------------------------------------------------------------------


def update(turn: Turn) -> bool:
    """Let each session feel the profiles as they are now; True if that changed a limit.

    TxProfiles of sessions that have ended go for good.
    """
    if not turn.state.is_begun:
        return False  # it is not known yet which sessions are open
    if turn.state.charging_profiles:
        _forget_ended(turn)
    running = [c for c in turn.state.connectors if _may_draw(c)]
    limits: dict[int, float] = {}
    changes_s = math.inf
    if running and (turn.state.charging_profiles or turn.state.rules.supply_a is not None):
        limits, changes_s = _limits(turn, running)
    _note_next_change(turn, changes_s)
    has_changed = False
    for connector in turn.state.connectors:
        limit_a = limits.get(connector.connector_id)
        if connector.profile_a != limit_a:
            turn.put(replace(turn.connector(connector.connector_id), profile_a=limit_a))
            has_changed = True
    return has_changed


def _may_draw(connector: Connector) -> bool:
    """True while a session may still take its share; one that is refused takes none."""
    has_energy = connector.contactor_closed or not connector.is_deauthorized
    return connector.transaction is not None and has_energy


def _limits(turn: Turn, running: Sequence[Connector]) -> tuple[dict[int, float], float]:
    """What each connector is limited to, if it is, and when that changes (seconds since 1970)."""
    installed = turn.state.charging_profiles
    utc_s = turn.now.utc.timestamp() + _EDGE_S
    limits: dict[int, float] = {}
    demands = []
    whole, until_s = allowance(charge_point_plan(installed, wiring_of(running[0])), utc_s)
    for connector in sorted(running, key=_session_ref):
        plan = session_plan(installed, session_of(connector, turn.now), wiring_of(connector))
        session_rate, session_until_s = allowance(plan, utc_s)
        until_s = min(until_s, session_until_s)
        if session_rate is not None:
            limits[connector.connector_id] = rounded_down(session_rate.current_a)
        most_a = min(_operator_limit_a(connector), limits.get(connector.connector_id, math.inf))
        least_a = max(
            CURRENT_MIN_A, min(most_a, 0.0 if session_rate is None else session_rate.least_a)
        )
        demands.append(Demand(connector.connector_id, least_a, most_a))
    supplied = _within_supply(turn.state.rules.supply_a, running, demands)
    shares = zip(demands, supplied, strict=True)
    limits |= {new.connector_id: new.most_a for old, new in shares if new.most_a < old.most_a}
    if whole is not None:
        limits = share(whole.current_a, supplied)
    return limits, until_s


def _within_supply(
    supply_a: float | None, running: Sequence[Connector], demands: Sequence[Demand]
) -> Sequence[Demand]:
    """The demands, reduced to what feeds the box; None: it feeds all at once.

    A vehicle that is offered nothing (no pilot) draws what it wants: all or nothing.
    """
    if supply_a is None:
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
    due_s = None
    is_limited = any(c.transaction is not None for c in turn.state.connectors)
    if is_limited and turn.state.charging_profiles:
        wait_s = changes_s - turn.now.utc.timestamp()
        due_s = turn.now.monotonic_s + min(wait_s, RECHECK_S)
    if turn.state.limits_change_s != due_s:
        turn.state = replace(turn.state, limits_change_s=due_s)


def _session_ref(connector: Connector) -> int:
    assert connector.transaction is not None
    return connector.transaction.ref


def _operator_limit_a(connector: Connector) -> float:
    wired_a = connector.traits.max_current_a
    return wired_a if connector.limit_a is None else min(wired_a, connector.limit_a)


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


# --- installing and clearing ---------------------------------------------------------------------


def set_requested(turn: Turn, event: SetProfileRequested) -> None:
    """SetChargingProfile.req: Accepted, Rejected, or UnknownConnector (an error on the wire)."""
    asked = Asked(Purpose.PROFILE, "", (event.connector_id,), event.request_id)
    is_known = event.connector_id == CHARGE_POINT or turn.state.has_connector(event.connector_id)
    if not is_known:
        replies.refuse(turn, asked, replies.because(Rule.UNKNOWN_CONNECTOR), "UnknownConnector")
        return
    mistake = mistake_in(event.profile, turn.state.configuration)
    mistake = mistake or _mistake_in_place(turn, event.connector_id, event.profile)
    new = InstalledProfile(event.profile, event.connector_id, _ref_for(turn, event))
    mistake = mistake or _mistake_in_count(turn.state, new)
    if mistake:
        replies.refuse(turn, asked, replies.because(Rule.BAD_PROFILE, mistake))
        return
    install(turn, new)
    replies.agree(turn, event.request_id)


def mistake_in_promised(state: ChargePoint, profile: ChargingProfile) -> str:
    """Why a profile cannot come with RemoteStartTransaction, in words; empty: it can."""
    if profile.purpose is not ProfilePurpose.TX:
        return "a profile for a remote start must be a TxProfile"
    nowhere = InstalledProfile(profile, CHARGE_POINT)
    return mistake_in(profile, state.configuration) or _mistake_in_count(state, nowhere)


def install(turn: Turn, new: InstalledProfile) -> None:
    """Put a profile into effect, in the place of those that it replaces, and keep it."""
    if new.profile.counts_from_its_effect:
        now_s = math.floor(turn.now.utc.timestamp())
        new = replace(new, profile=replace(new.profile, in_effect_s=now_s))
    replaced = replaced_by(new, turn.state.charging_profiles)
    _remove(turn, replaced)
    turn.state = replace(turn.state, charging_profiles=(*turn.state.charging_profiles, new))
    turn.emit(SaveChargingProfile(new))


def clear_requested(turn: Turn, event: ClearProfilesRequested) -> None:
    """ClearChargingProfile.req: Accepted, or Unknown when nothing fits."""
    found = [one for one in turn.state.charging_profiles if event.criteria.fits(one)]
    _remove(turn, found)
    turn.emit(Reply(event.request_id, "Accepted" if found else "Unknown"))


def _remove(turn: Turn, gone: Sequence[InstalledProfile]) -> None:
    if gone:
        kept = tuple(one for one in turn.state.charging_profiles if one not in gone)
        turn.state = replace(turn.state, charging_profiles=kept)
        turn.emit(*(RemoveChargingProfile(one.profile.profile_id) for one in gone))


def _forget_ended(turn: Turn) -> None:
    """OCPP 1.6 section 3.13.1: a TxProfile ends with its transaction."""
    running = {c.transaction.ref for c in turn.state.connectors if c.transaction is not None}
    ended = [
        one
        for one in turn.state.charging_profiles
        if one.transaction_ref is not None and one.transaction_ref not in running
    ]
    _remove(turn, ended)


def _ref_for(turn: Turn, event: SetProfileRequested) -> int | None:
    if event.profile.purpose is not ProfilePurpose.TX or event.connector_id == CHARGE_POINT:
        return None
    running = turn.connector(event.connector_id).transaction
    return None if running is None else running.ref


def _mistake_in_place(turn: Turn, connector_id: int, profile: ChargingProfile) -> str:
    is_whole = connector_id == CHARGE_POINT
    if profile.purpose is ProfilePurpose.CHARGE_POINT_MAX:
        return "" if is_whole else "a ChargePointMaxProfile belongs to connector 0"
    if profile.purpose is ProfilePurpose.TX_DEFAULT:
        return ""
    if is_whole:
        return "a TxProfile belongs to one connector"
    phase = turn.connector(connector_id).phase
    if not isinstance(phase, Charging):
        return "a TxProfile needs a running transaction"
    if profile.transaction_id not in (None, phase.transaction.transaction_id):
        return "the TxProfile is for another transaction"
    return ""


def _mistake_in_count(state: ChargePoint, new: InstalledProfile) -> str:
    gone = len(replaced_by(new, state.charging_profiles))
    left = len(state.charging_profiles) - gone
    if left >= state.configuration.integer("MaxChargingProfilesInstalled"):
        return "MaxChargingProfilesInstalled are installed"
    return ""


def allowed_a(state: ChargePoint, connector: Connector, now: Instant) -> float:
    """What a session may draw while no other takes its share: for people who ask why it waits."""
    utc_s = now.utc.timestamp() + _EDGE_S
    wiring = wiring_of(connector)
    plans = (
        session_plan(state.charging_profiles, session_of(connector, now), wiring),
        charge_point_plan(state.charging_profiles, wiring),
    )
    rates = [allowance(plan, utc_s)[0] for plan in plans]
    limits = [rounded_down(rate.current_a) for rate in rates if rate is not None]
    others = (connector.cable_a, state.rules.supply_a)
    limits += [limit_a for limit_a in others if limit_a is not None]
    return min([_operator_limit_a(connector), *limits])


# --- asked for -----------------------------------------------------------------------------------


def composite_schedule(
    state: ChargePoint, now: Instant, connector_id: int, unit: RateUnit, duration_s: int
) -> Schedule:
    """What may be drawn from now on; connector 0: by all together. The connector must exist.

    Counted from the whole second in which ``now`` lies.
    """
    connectors = state.connectors
    now_s = math.floor(now.utc.timestamp())
    places = [_place(connector, now) for connector in connectors]
    if connector_id == CHARGE_POINT:
        supply_a = state.rules.supply_a
        return charge_point_schedule(
            state.charging_profiles, places, unit, now_s, duration_s, supply_a=supply_a
        )
    (place,) = (place for place in places if place.session.connector_id == connector_id)
    return connector_schedule(state.charging_profiles, place, unit, now_s, duration_s)


def _place(connector: Connector, now: Instant) -> Place:
    session = session_of(connector, now)
    whole = Session(session.connector_id, session.ref, math.floor(session.begun_s))
    traits = connector.traits
    wiring = Wiring(_operator_limit_a(connector), traits.phases, traits.nominal_voltage_v)
    return Place(whole, wiring)


ROUTES: dict[type[Any], Callable[[Turn, Any], None]] = {
    SetProfileRequested: set_requested,
    ClearProfilesRequested: clear_requested,
}
