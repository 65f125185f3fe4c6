"""One connector as it is drawn: which parts it has, how they stand, where the mark goes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.charging_limits import CURRENT_MIN_A
from agent.core.connector_situation import Part
from agent.core.state import Connector
from agent.core.values import LockState, PilotState

WIDTH, HEIGHT = 400, 124  # as in part_picture.html
FLOWS_W = 50.0  # below this a meter may count its own supply
_MARKS: dict[str, tuple[int, int]] = {  # where each part is drawn, in the box of WIDTH x HEIGHT
    Part.CENTRAL_SYSTEM.value: (276, 24),
    Part.READER.value: (50, 36),
    Part.PROTECTION.value: (50, 88),
    Part.CONTACTOR.value: (128, 84),
    Part.METER.value: (184, 88),
    Part.LOCK.value: (234, 62),
    Part.PLUG.value: (240, 88),
    Part.PILOT.value: (282, 66),
    Part.CAR.value: (352, 84),
}
_PILOT: dict[PilotState, str] = {  # IEC 61851-1
    PilotState.A: "no car",
    PilotState.B: "connected",
    PilotState.C: "asks for energy",
    PilotState.D: "asks for energy, ventilated",
    PilotState.E: "short circuit",
    PilotState.F: "no signal",
}
_BOLT = {
    LockState.LOCKED: "locked",
    LockState.UNLOCKED: "not locked",
    LockState.MOVING: "bolt moves",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What the template draws, and the words below each part."""

    card: str
    contactor: str
    plug: str
    car: str
    is_closed: bool
    is_plugged: bool
    is_locked: bool
    has_lock: bool
    has_car: bool
    is_flowing: bool
    offer: str  # what the car is told, or may be told at most
    mark: tuple[int, int] | None
    missing: str | None
    is_fault: bool
    is_online: bool | None  # None: there is no central system


def picture(
    connector: Connector, card: str, missing: str | None, is_fault: bool, is_online: bool | None
) -> Picture:
    """``card`` is the one that may charge here, masked; ``missing`` names a Part."""
    has_pilot = connector.traits.has_pilot
    power_w = None if connector.reading is None else connector.reading.power_w
    return Picture(
        card=card or "none",
        contactor="closed" if connector.contactor_closed else "open",
        plug=_plug_in_words(connector),
        car=_PILOT[connector.pilot] if has_pilot else "not known",
        is_closed=connector.contactor_closed,
        is_plugged=connector.is_plugged,
        is_locked=connector.lock is LockState.LOCKED,
        has_lock=connector.traits.has_lock,
        has_car=connector.pilot is not PilotState.A if has_pilot else connector.is_plugged,
        is_flowing=connector.contactor_closed and (power_w is None or power_w >= FLOWS_W),
        offer=_offer_in_words(connector, missing),
        mark=None if missing is None else _MARKS[missing],
        missing=missing,
        is_fault=is_fault,
        is_online=is_online,
    )


def _offer_in_words(connector: Connector, missing: str | None) -> str:
    if connector.offered_a is not None:
        return f"{connector.offered_a:g} A"
    if missing != Part.PILOT.value:
        return ""
    is_limited = connector.current_a < CURRENT_MIN_A
    return f"{connector.current_a:g} A" if is_limited else "CP"  # the control pilot


def pilot_in_words(pilot: PilotState) -> str:
    """What a state of the control pilot means, its letter behind."""
    return f"{_PILOT[pilot]} ({pilot.value})"


def _plug_in_words(connector: Connector) -> str:
    traits = connector.traits
    is_out = traits.has_plug and not connector.plugged
    words = ["out" if is_out else "in"] if traits.has_plug else []
    if traits.has_lock and not (is_out and connector.lock is LockState.UNLOCKED):
        words.append(_BOLT[connector.lock])
    return ", ".join(words) or "not known"
