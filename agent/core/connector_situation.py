"""What a connector does or lacks, where that sits, and the words for it: one table.

``status`` and the page say the same, because both read it here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.core import connector_choice, contactors, faults, reservations
from agent.core.authorization_attempt import GrantedAuthorization, PendingAuthorization
from agent.core.charging_limits import CURRENT_MIN_A
from agent.core.faults import Fault
from agent.core.id_tag import mask
from agent.core.key_enum import KeyEnum
from agent.core.limit_sources import LimitSource, prevailing_limit
from agent.core.state import (
    ChargePoint,
    Charging,
    Connector,
    Finished,
    Idle,
    Phase,
    Starting,
    Stopping,
)
from agent.core.status_notification import status_of
from agent.core.values import Instant, LockState, PilotState, Reservation, Status


class Part(KeyEnum):
    """Where something may be missing."""

    CENTRAL_SYSTEM = "central system"
    READER = "reader"
    PROTECTION = "protection"  # emergency stop, residual current, protective earth, door, heat
    CONTACTOR = "contactor"
    METER = "meter"
    LOCK = "lock"
    PLUG = "plug"
    PILOT = "pilot"  # what is offered to the car on it, too
    CAR = "car"


@dataclass(frozen=True, slots=True)
class Situation:
    """``part`` is where the one thing sits that is missing; None: nothing is, or it is no part."""

    part: Part | None
    words: str


@dataclass(frozen=True, slots=True)
class Look:
    """What a row of the table is asked about."""

    state: ChargePoint
    connector: Connector
    now: Instant

    @property
    def fault(self) -> Fault | None:
        """The worst fault that puts the connector out of order."""
        return self._worst(lambda fault: faults.RULES[fault].shows_faulted)

    @property
    def pausing_fault(self) -> Fault | None:
        """The worst fault that a session waits through."""
        return self._worst(lambda f: f in faults.PILOT.values() or faults.RULES[f].pauses)

    def _worst(self, counts: Callable[[Fault], bool]) -> Fault | None:
        present = self.state.faults_of(self.connector)
        return faults.worst(frozenset(fault for fault in present if counts(fault)))

    @property
    def grant(self) -> GrantedAuthorization | None:
        """The accepted card that waits for a plug here."""
        here = self.connector.connector_id
        return next((one for one in self.state.waiting if here in one.connectors), None)

    @property
    def check(self) -> PendingAuthorization | None:
        """The card that is being checked for this connector."""
        here = self.connector.connector_id
        return next((one for one in self.state.checking if here in one.attempt.connectors), None)

    @property
    def reservation(self) -> Reservation | None:
        """What keeps this connector for a card."""
        kept = reservations.at(self.state, self.connector.connector_id)
        if kept is None and connector_choice.is_kept(self.state, self.connector):
            kept = reservations.at(self.state, reservations.ANY_CONNECTOR)
        return kept


Holds = Callable[[Look], bool]
Where = Part | Callable[[Look], Part | None] | None
Words = str | Callable[[Look], str]


@dataclass(frozen=True, slots=True)
class Row:
    """One situation: in which phases, when it holds, what is missing, and the words for it."""

    phases: tuple[type[Phase], ...]
    holds: Holds
    part: Where
    words: Words


def situation(state: ChargePoint, connector: Connector, now: Instant) -> Situation:
    """What is so at a connector: the first row of the table that holds."""
    look = Look(state, connector, now)
    row = row_of(look)
    part = row.part(look) if callable(row.part) else row.part
    return Situation(part, row.words(look) if callable(row.words) else row.words)


def row_of(look: Look) -> Row:
    """The first row that holds; the last of each phase always does."""
    phase = look.connector.phase
    return next(row for row in ROWS if isinstance(phase, row.phases) and row.holds(look))


# --- what the rows ask and say -------------------------------------------------------------------

_SITS_AT: dict[Fault, Part] = {
    Fault.EMERGENCY_STOP: Part.PROTECTION,
    Fault.RESIDUAL_CURRENT: Part.PROTECTION,
    Fault.DOOR: Part.PROTECTION,
    Fault.UNREADABLE_INPUT: Part.PROTECTION,
    Fault.TEMPERATURE: Part.PROTECTION,
    Fault.PILOT_RESIDUAL_CURRENT: Part.PROTECTION,
    Fault.PILOT_GROUND: Part.PROTECTION,
    Fault.PILOT_SELF_TEST: Part.PROTECTION,
    Fault.PILOT_HEAT: Part.PROTECTION,
    Fault.PILOT_RELAY_STUCK: Part.CONTACTOR,
    Fault.PILOT_RELAY_OPEN: Part.CONTACTOR,
    Fault.CONTACTOR_WELDED: Part.CONTACTOR,
    Fault.CONTACTOR_FAILED: Part.CONTACTOR,
    Fault.CONTACTOR_DROPPED: Part.CONTACTOR,
    Fault.PILOT_SILENT: Part.PILOT,
    Fault.PILOT_DIODE: Part.PILOT,
    Fault.PILOT_OTHER: Part.PILOT,
    Fault.PILOT_OVER_CURRENT: Part.CAR,
    Fault.PILOT_VENTILATION: Part.CAR,
    Fault.LOCK_FAILED: Part.LOCK,
    Fault.METER: Part.METER,
}


def _part_of(fault: Fault | None) -> Part | None:
    return None if fault is None else _SITS_AT.get(fault)


def _words_of(fault: Fault | None) -> str:
    return "" if fault is None else faults.RULES[fault].words


def _out_of_order(look: Look) -> str:
    drawn_wh = contactors.welded_wh(look.connector)
    drawn = f"; {drawn_wh} Wh drawn since the last session" if drawn_wh else ""
    return f"out of order: {_words_of(look.fault)}{drawn}"


def _is_out_of_service(look: Look) -> bool:
    return look.connector.out_of_service and look.connector.held_for is None


def _is_being_updated(look: Look) -> bool:
    return _is_out_of_service(look) and look.state.firmware.holds_connectors


def _is_deauthorized(look: Look) -> bool:
    running = look.connector.transaction
    return running is not None and running.deauthorized


def _lock_is_lost(look: Look) -> bool:
    return look.connector.traits.has_lock and look.connector.lock is not LockState.LOCKED


def _limit(look: Look) -> str:
    limit = prevailing_limit(look.state, look.connector, look.now)
    if limit.source is LimitSource.RANDOM_DELAY:
        return limit.detail
    return f"paused by a limit: {limit.current_a:g} A are allowed, a car needs {CURRENT_MIN_A:g} A"


def _time_left(look: Look) -> str:
    until_s = None if look.grant is None else look.grant.until_s
    if until_s is None:
        return "card accepted; waiting for the plug"
    left_s = max(0, round(until_s - look.now.monotonic_s))
    return f"card accepted; waiting for the plug, {left_s} s left"


def _waits_for_station(look: Look) -> bool:
    return look.check is not None and look.check.accepted is not None


def _reserved(look: Look) -> str:
    kept = look.reservation
    assert kept is not None, "the row holds only with one"
    until = kept.expires_at.isoformat(timespec="minutes")
    return f"reserved for card {mask(kept.id_tag)} until {until}"


def _is_unclaimed(look: Look) -> bool:
    return isinstance(look.connector.phase, Finished) and look.connector.phase.is_unclaimed


def _always(look: Look) -> bool:
    return True


# --- the table -----------------------------------------------------------------------------------

_REST = (Idle, Finished)
ROWS: tuple[Row, ...] = (
    Row(
        (Idle, Starting, Stopping, Finished),
        lambda look: look.fault is not None,
        lambda look: _part_of(look.fault),
        _out_of_order,
    ),
    Row(_REST, _is_being_updated, None, "out of service: firmware is being updated"),
    Row(
        _REST,
        _is_out_of_service,
        Part.CENTRAL_SYSTEM,
        "out of service: the central system wants it so",
    ),
    # a start
    Row(
        (Starting,),
        lambda look: not look.connector.is_locked,
        Part.LOCK,
        "card accepted; waiting for the bolt",
    ),
    Row((Starting,), _always, Part.METER, "card accepted; waiting for the meter"),
    # a session
    Row(
        (Charging,),
        lambda look: status_of(look.state, look.connector, look.now) is Status.CHARGING,
        None,
        "charging",
    ),
    Row(
        (Charging,),
        _is_deauthorized,
        Part.CENTRAL_SYSTEM,
        "no energy: the central system does not accept this card",
    ),
    Row(
        (Charging,),
        lambda look: look.pausing_fault is not None,
        lambda look: _part_of(look.pausing_fault),
        lambda look: f"no energy: {_words_of(look.pausing_fault)}",
    ),
    Row(
        (Charging,),
        lambda look: look.connector.pilot in (PilotState.E, PilotState.F),
        Part.PILOT,
        lambda look: f"no energy: the control pilot is in state {look.connector.pilot.value}",
    ),
    Row((Charging,), _lock_is_lost, Part.LOCK, "no energy: the lock is not confirmed"),
    Row((Charging,), lambda look: look.connector.current_a < CURRENT_MIN_A, Part.PILOT, _limit),
    Row(
        (Charging,),
        lambda look: look.connector.is_disconnected,
        Part.PLUG,
        "waiting for the car: it was pulled off the cable",
    ),
    Row(
        (Charging,),
        lambda look: not look.connector.asks_for_energy,
        Part.CAR,
        "waiting for the car: it does not ask for energy",
    ),
    Row(
        (Charging,),
        lambda look: not look.connector.has_confirmed_offer,
        Part.PILOT,
        "waiting for the pilot controller",
    ),
    Row((Charging,), _always, Part.CONTACTOR, "waiting for the contactor"),
    # its end
    Row(
        (Stopping,),
        lambda look: look.connector.contactor_closed and look.connector.close_ordered,
        Part.CAR,
        "the session ends; the car is given time to stop drawing",
    ),
    Row(
        (Stopping,),
        lambda look: look.connector.contactor_closed,
        Part.CONTACTOR,
        "the session ends; waiting for the contactor to open",
    ),
    Row((Stopping,), _always, Part.METER, "the session ends; waiting for the meter"),
    Row(
        (Finished,),
        lambda look: look.connector.held_for is not None,
        Part.READER,
        "session over; the cable is held until the card is shown again",
    ),
    # no session
    Row((Idle,), lambda look: look.grant is not None, Part.PLUG, _time_left),
    Row(_REST, _waits_for_station, Part.READER, "waiting for the answer of the station's logic"),
    Row(
        _REST,
        lambda look: look.check is not None,
        Part.CENTRAL_SYSTEM,
        "waiting for the central system's answer",
    ),
    Row(
        (Finished,),
        _is_unclaimed,
        Part.READER,
        "plugged in, and no card came in time; tap, or plug in once more",
    ),
    Row((Finished,), _always, Part.PLUG, "session over; the cable can be taken out"),
    Row((Idle,), lambda look: look.reservation is not None, Part.READER, _reserved),
    Row(
        (Idle,), lambda look: look.connector.plugged, Part.READER, "plugged in; waiting for a card"
    ),
    Row((Idle,), _always, None, "free"),
)
