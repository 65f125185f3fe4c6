"""Charging profiles are installed, replaced and cleared (OCPP 1.6, 3.13).

What they allow at a connector stands in ``charging_profiles_applied``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from agent.core import replies
from agent.core.authorization_reasons import Rule
from agent.core.charging_profiles import (
    CHARGE_POINT,
    ChargingProfile,
    InstalledProfile,
    ProfilePurpose,
    mistake_in,
    replaced_by,
)
from agent.core.commands import RemoveChargingProfile, Reply, SaveChargingProfile
from agent.core.events_requests import ClearProfilesRequested, SetProfileRequested
from agent.core.replace import replace
from agent.core.state import Asked, ChargePoint, Charging, Purpose
from agent.core.turn import Turn


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


def forget_ended(turn: Turn) -> None:
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


ROUTES: dict[type[Any], Callable[[Turn, Any], None]] = {
    SetProfileRequested: set_requested,
    ClearProfilesRequested: clear_requested,
}
