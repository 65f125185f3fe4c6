"""The supervising thread: watches the inputs, opens at once, and tells the runtime afterwards.

It depends on nothing that may stall: not on the event loop, not on the disk, not on the link.
Opening in here is the software's share; the 100 ms limits of IEC 61851-1 belong to a pilot
controller or to the wiring.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.core import events as ev
from agent.core.events import Event
from agent.core.interlock import Readings, reason_to_abort_test, reason_to_open
from agent.core.values import LockState, PartFault, PilotState
from agent.runtime.plug_contact import DEBOUNCE_S, PlugContact
from hw.ports import (
    NO_OFFER,
    Board,
    ConfirmedOffer,
    ConnectorParts,
    ContactorClosed,
    ContactorEvent,
    ContactorOpened,
    ContactorTripped,
    InjectedFault,
    LockChanged,
    LockEvent,
    LockJammed,
    PilotController,
    Trip,
)

logger = logging.getLogger(__name__)

GRID_REST_S = 10.0  # the grid operator's contact chatters: its limit ends when it has rested
UNREADABLE = "unreadable_input"  # reported like a contact that tripped


@dataclass(slots=True)
class _Seen:
    """What was reported last about one connector."""

    plug: PlugContact
    pilot: PilotState | None = None
    complaints: frozenset[str] = frozenset()
    cable_a: float | None = None
    confirmed: ConfirmedOffer = NO_OFFER
    injected: InjectedFault | None = None
    times_mended: int = 0


class Supervisor:
    """One look at the whole board per ``step``."""

    def __init__(self, board: Board, post: Callable[[Event], object]) -> None:
        self._board = board
        self._post = post
        debounce_s = DEBOUNCE_S if board.is_polled else 0.0
        self._seen = {
            parts.connector_id: _Seen(PlugContact(debounce_s)) for parts in board.connectors
        }
        self._tripped: frozenset[str] = frozenset()
        self._reasons: dict[int, str] = {}  # as of the last look: who must not be closed, and why
        self._is_blind = False  # the last look failed
        self._held_trips: dict[int, ev.ContactorTripped] = {}  # until their cause is certain
        self._failing: set[tuple[int, str]] = set()  # parts that were logged in this blindness
        self._tested: frozenset[int] = frozenset()
        self._is_grid_limited: bool | None = None  # not looked at yet
        self._grid_limited_at_s = -math.inf
        self._grid_rest_s = GRID_REST_S if board.is_polled else 0.0

    def let_test(self, *connector_ids: int) -> None:
        """The self-test closes these contactors over empty sockets; without ids it is over."""
        self._tested = frozenset(connector_ids)

    def first_look(self, now_s: float) -> None:
        """Report where everything stands, before anything is decided."""
        for parts in self._board.connectors:
            if parts.lock is not None:
                state = LockState[parts.lock.state.name]
                self._post(ev.LockChanged(parts.connector_id, state))
            if parts.contactor.is_closed:
                # Not ordered by us: welded, or switched on by someone else.
                self._post(ev.ContactorClosed(parts.connector_id))
                parts.contactor.trip(Trip.WELDED)
        self.step(now_s)

    def step(self, now_s: float) -> None:
        """Look, open what must be open, report what has changed.

        Whatever a part raises, SystemExit too, opens everything and goes no further. What this
        raises itself, when nothing can be posted any more, it raises with everything open.
        """
        try:
            self._step(now_s)
        except BaseException as error:  # noqa: BLE001 - everything is opened
            try:
                self._tell_that_it_is_blind(error)
            finally:
                self.open_unseen(now_s)
            return
        if self._is_blind:
            self._see_again()

    def due_at(self) -> float | None:
        """Monotonic time of the next thing that happens by itself; None: nothing planned."""
        times: list[float | None] = []
        for parts in self._board.connectors:
            times.append(parts.contactor.due_at())
            if parts.lock is not None:
                times.append(parts.lock.due_at())
            if not self._is_blind:
                times.append(self._seen[parts.connector_id].plug.due_at())
        return min((time for time in times if time is not None), default=None)

    def reason_to_stay_open(self, connector_id: int) -> str | None:
        """Why the last look would open this connector, if it were closed; None: nothing would.

        What it saw may still wait in the queue in front of the core.
        """
        return self._reasons.get(connector_id)

    @property
    def is_busy(self) -> bool:
        """True while energy may flow somewhere, or is about to."""
        return any(
            parts.contactor.is_closed or parts.contactor.is_ordered_closed
            for parts in self._board.connectors
        )

    def _step(self, now_s: float) -> None:
        tripped = frozenset(
            name for name, contact in self._board.safety_inputs.items() if contact.is_tripped
        )
        # Every input is read before anything is stepped: while one cannot be, nothing closes.
        readings = [_readings(parts, tripped) for parts in self._board.connectors]
        new = tripped - self._tripped
        if new:
            for name in sorted(new):
                self._post(ev.SafetyInputTripped(name))
            self._tripped |= new  # posted once, also when a part below raises at every look
        self._report_grid_contact(now_s)
        for parts, reading in zip(self._board.connectors, readings, strict=True):
            self._watch(parts, reading, bool(new), now_s)
        for name in sorted(self._tripped - tripped):
            self._post(ev.SafetyInputCleared(name))
        self._tripped = tripped

    def _report_grid_contact(self, now_s: float) -> None:
        """A limit counts at once. Its end is told late: each one is written to the disk."""
        contact = self._board.grid_contact
        if contact is None:
            return
        is_tripped = contact.is_tripped
        if is_tripped:
            self._grid_limited_at_s = now_s
        is_limited = is_tripped or now_s < self._grid_limited_at_s + self._grid_rest_s
        if is_limited is not self._is_grid_limited:
            self._is_grid_limited = is_limited
            self._post(ev.GridContactChanged(is_limited))

    def _tell_that_it_is_blind(self, error: BaseException) -> None:
        if not self._is_blind:
            self._is_blind = True
            self._post(ev.SafetyInputTripped(UNREADABLE))
            logger.exception("an input cannot be read: everything is opened (%s)", error)

    def _see_again(self) -> None:
        self._is_blind = False
        self._failing.clear()
        for parts in self._board.connectors:
            if not self._seen[parts.connector_id].plug.may_be_unplugged:
                self._tell_held_trip(parts)
        self._post(ev.SafetyInputCleared(UNREADABLE))

    def _tell_held_trip(self, parts: ConnectorParts) -> None:
        """Its cause is known now; a later trip may have been reported already."""
        trip = self._held_trips.pop(parts.connector_id, None)
        if trip is not None and trip.trip_count == parts.contactor.trip_count:
            self._post(trip)

    def open_unseen(self, now_s: float) -> None:
        """Open unseen, again at every look: an output that has failed may obey now.

        All contactors first. A part that raises keeps no other from its turn. Never raises.
        """
        for step in (self._open_unseen, self._withdraw_unseen, self._step_lock_unseen):
            for parts in self._board.connectors:
                try:
                    step(parts, now_s)
                except BaseException:
                    failing = (parts.connector_id, step.__name__)
                    if failing not in self._failing:  # once, not at every look
                        self._failing.add(failing)
                        logger.exception("connector %d: a part fails too", parts.connector_id)

    def _open_unseen(self, parts: ConnectorParts, now_s: float) -> None:
        """Open, and latch: what cannot be seen is not closed over, whatever the core orders.

        The trip is reported when the inputs can be read again; until then the core knows that the
        contactor is open and waits.
        """
        connector_id, contactor = parts.connector_id, parts.contactor
        is_new = connector_id not in self._held_trips
        self._reasons[connector_id] = "an input cannot be read"
        if is_new:
            contactor.trip(Trip.REFLEX)
        elif contactor.is_closed:
            contactor.open()
        happened = contactor.step(now_s)
        for one in happened:
            event = _translated(connector_id, one)
            if not isinstance(event, ev.ContactorTripped):
                self._post(event)
            elif event.reason == Trip.REFLEX.value:
                self._held_trips[connector_id] = event
            else:  # welded: reported at once, and latched beyond that
                self._post(event)
                contactor.trip(Trip.REFLEX)
        if is_new and ContactorOpened() not in happened and not contactor.is_closed:
            self._post(ev.ContactorOpened(connector_id))

    def _withdraw_unseen(self, parts: ConnectorParts, now_s: float) -> None:
        if parts.pilot is not None:
            parts.pilot.withdraw()

    def _step_lock_unseen(self, parts: ConnectorParts, now_s: float) -> None:
        if parts.lock is not None:
            for happened in parts.lock.step(now_s):
                self._post(_translated(parts.connector_id, happened))

    def _watch(
        self, parts: ConnectorParts, readings: Readings, is_new_trip: bool, now_s: float
    ) -> None:
        lock_events: list[LockEvent] = []
        if parts.lock is not None:
            lock_events = parts.lock.step(now_s)  # first: only this reads its feedback anew
            readings = replace(readings, lock=LockState[parts.lock.state.name])
        # From the order on: the feedback of a contactor that is just closing does not say so yet.
        was_closed = parts.contactor.is_closed or parts.contactor.is_ordered_closed
        is_tested = parts.connector_id in self._tested
        reason = reason_to_abort_test(readings) if is_tested else reason_to_open(readings)
        if reason is None:
            self._reasons.pop(parts.connector_id, None)
        else:
            self._reasons[parts.connector_id] = reason
        if was_closed and reason is not None:
            parts.contactor.trip(Trip.REFLEX)
        elif is_new_trip or self._has_new_fault(parts.connector_id):
            # Also while it is open: an order to close that does not know of this must not win.
            parts.contactor.trip(Trip.REFLEX)
        # The causes are reported before the trip, so that the core does not close over them.
        connector_id = parts.connector_id
        self._report(parts, readings, now_s)
        for happened in (*lock_events, *parts.contactor.step(now_s)):
            self._tell(connector_id, _translated(connector_id, happened))
        if not (self._seen[connector_id].plug.may_be_unplugged or self._is_blind):
            self._tell_held_trip(parts)
        self._report_mended(parts)

    def _tell(self, connector_id: int, event: Event) -> None:
        """A reflex that a plug contact may have caused is reported when the contact has rested.

        Until then the core knows that the contactor is open, and waits: it neither ends the
        session nor closes over a contact that still moves.
        """
        may_be_unplugged = self._seen[connector_id].plug.may_be_unplugged
        match event:
            case ev.ContactorTripped(reason=Trip.REFLEX.value) if may_be_unplugged:
                self._held_trips[connector_id] = event
            case _:
                self._post(event)

    def _report(self, parts: ConnectorParts, readings: Readings, now_s: float) -> None:
        connector_id, pilot = parts.connector_id, parts.pilot
        seen = self._seen[connector_id]
        self._report_injected(connector_id, seen)
        if pilot is not None:
            self._report_pilot(connector_id, seen, pilot)
        if readings.plugged is not None:
            was_plugged = seen.plug.is_plugged
            if seen.plug.look(readings.plugged, now_s):
                if seen.plug.is_plugged:
                    self._post(ev.CablePluggedIn(connector_id))
                elif was_plugged:  # an empty socket at the start is nothing to tell
                    self._post(ev.CableUnplugged(connector_id))
        if readings.pilot is not None and readings.pilot is not seen.pilot:
            seen.pilot = readings.pilot
            self._post(ev.PilotChanged(connector_id, readings.pilot))

    def _report_pilot(self, connector_id: int, seen: _Seen, pilot: PilotController) -> None:
        """What is wrong with it, before the state that follows from it."""
        complaints = frozenset(complaint.value for complaint in pilot.complaints)
        if complaints != seen.complaints:
            seen.complaints = complaints
            self._post(ev.PilotComplained(connector_id, tuple(sorted(complaints))))
        if pilot.cable_a != seen.cable_a:
            seen.cable_a = pilot.cable_a
            self._post(ev.CableMeasured(connector_id, pilot.cable_a))
        confirmed = pilot.confirmed
        if confirmed != seen.confirmed:
            seen.confirmed = confirmed
            self._post(ev.OfferConfirmed(connector_id, confirmed.current_a))

    def _report_mended(self, parts: ConnectorParts) -> None:
        """Who mends a simulated box has looked at its contactor, too."""
        simulation, seen = self._board.simulation, self._seen[parts.connector_id]
        if simulation is None or parts.contactor.is_closed:
            return
        times = simulation.times_mended(parts.connector_id)
        if times != seen.times_mended:
            seen.times_mended = times
            self._post(ev.ContactorMended(parts.connector_id))

    def _has_new_fault(self, connector_id: int) -> bool:
        injected = self._injected(connector_id)
        return injected is not None and injected != self._seen[connector_id].injected

    def _report_injected(self, connector_id: int, seen: _Seen) -> None:
        injected = self._injected(connector_id)
        if injected == seen.injected:
            return
        seen.injected = injected
        fault = None
        if injected is not None:
            fault = PartFault(injected.code, injected.text, injected.is_emergency_stop)
        self._post(ev.PartFaultChanged(connector_id, fault))

    def _injected(self, connector_id: int) -> InjectedFault | None:
        simulation = self._board.simulation
        return None if simulation is None else simulation.injected(connector_id)


def _readings(parts: ConnectorParts, tripped: frozenset[str]) -> Readings:
    return Readings(
        plugged=None if parts.plug is None else parts.plug.is_present,
        pilot=None if parts.pilot is None else PilotState[parts.pilot.state.name],
        tripped_inputs=tuple(sorted(tripped)),
    )


def _translated(connector_id: int, happened: ContactorEvent | LockEvent) -> Event:
    match happened:
        case ContactorClosed():
            return ev.ContactorClosed(connector_id)
        case ContactorOpened():
            return ev.ContactorOpened(connector_id)
        case ContactorTripped(reason, trip_count):
            return ev.ContactorTripped(connector_id, reason.value, trip_count)
        case LockChanged(state):
            return ev.LockChanged(connector_id, LockState[state.name])
        case LockJammed(wanted):
            return ev.LockJammed(connector_id, LockState[wanted.name])
