"""The contactor's supervision: lease, deadlines, welded contacts, minimum off time.

Written once, over two small things: ``set_coil(on)`` and ``read_feedback()``. The real driver and
the simulated one differ only in those.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable
from enum import Enum
from threading import RLock

from hw.ports import (
    ContactorClosed,
    ContactorEvent,
    ContactorOpened,
    ContactorRefused,
    ContactorTripped,
    Trip,
)
from hw.settings import ContactorSettings

logger = logging.getLogger(__name__)

# An auxiliary contact bounces for some milliseconds; a disagreement shorter than this is bounce.
BOUNCE_S = 0.03
# One that has changed so often in so long, with nothing ordered, chatters: a loose wire, or burning
# contacts. A look that happens to agree says nothing then.
CHATTER_CHANGES = 6
CHATTER_S = 5.0
# A coil output that failed to switch off is tried again on each step, at the latest after this.
RETRY_S = 0.05
# A part that keeps failing is logged once in this time, not fifty times a second.
COMPLAIN_EVERY_S = 60.0


class ContactorPhase(Enum):
    """Where the contactor's supervision stands."""

    OPEN = "open"
    ARMED = "armed"
    WAITING = "waiting"  # armed and ordered closed; the minimum off time is still running
    CLOSED = "closed"
    TRIPPED = "tripped"


class _Order(Enum):
    ARM = "arm"
    CLOSE = "close"
    SWITCH_ON = "switch on"
    OPEN = "open"
    TRIP = "trip"


# The whole state machine. A pair that is missing here is refused.
_NEXT: dict[tuple[ContactorPhase, _Order], ContactorPhase] = {
    (ContactorPhase.OPEN, _Order.ARM): ContactorPhase.ARMED,
    (ContactorPhase.OPEN, _Order.OPEN): ContactorPhase.OPEN,
    (ContactorPhase.OPEN, _Order.TRIP): ContactorPhase.TRIPPED,
    (ContactorPhase.ARMED, _Order.ARM): ContactorPhase.ARMED,
    (ContactorPhase.ARMED, _Order.CLOSE): ContactorPhase.WAITING,
    (ContactorPhase.ARMED, _Order.OPEN): ContactorPhase.OPEN,
    (ContactorPhase.ARMED, _Order.TRIP): ContactorPhase.TRIPPED,
    (ContactorPhase.WAITING, _Order.ARM): ContactorPhase.WAITING,
    (ContactorPhase.WAITING, _Order.CLOSE): ContactorPhase.WAITING,
    (ContactorPhase.WAITING, _Order.SWITCH_ON): ContactorPhase.CLOSED,
    (ContactorPhase.WAITING, _Order.OPEN): ContactorPhase.OPEN,
    (ContactorPhase.WAITING, _Order.TRIP): ContactorPhase.TRIPPED,
    (ContactorPhase.CLOSED, _Order.ARM): ContactorPhase.CLOSED,
    (ContactorPhase.CLOSED, _Order.OPEN): ContactorPhase.OPEN,
    (ContactorPhase.CLOSED, _Order.TRIP): ContactorPhase.TRIPPED,
    (ContactorPhase.TRIPPED, _Order.ARM): ContactorPhase.ARMED,
    (ContactorPhase.TRIPPED, _Order.OPEN): ContactorPhase.TRIPPED,
    (ContactorPhase.TRIPPED, _Order.TRIP): ContactorPhase.TRIPPED,
}


class LeasedContactor:
    """A contactor that stays closed only while someone renews the lease.

    ``set_coil`` may raise: opening never does, and is tried again on each step. ``read_feedback``
    returns None where no feedback is fitted; then the order counts as the feedback. A feedback
    that cannot be read counts as the opposite of what was ordered: nothing may rely on it.

    ``step`` must get the time of the same clock as ``clock``. ``release`` frees the pins.
    ``beat`` gets the other level at each ``step``: a charge pump in the supply of the coil drops
    out when ``step`` is no longer called, whatever the pins do then. It is not called while the
    output does not switch off: then the pump opens the contactor.
    The coil must be off when this is made; the first close is not delayed by the minimum off time.
    """

    def __init__(
        self,
        name: str,
        settings: ContactorSettings,
        clock: Callable[[], float],
        set_coil: Callable[[bool], None],
        read_feedback: Callable[[], bool | None],
        release: Callable[[], None] | None = None,
        beat: Callable[[bool], None] | None = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        self._set_coil = set_coil
        self._read_feedback = read_feedback
        self._release = release
        self._beat = beat
        self._is_beat_high = False
        self._lock = RLock()
        self._phase = ContactorPhase.OPEN
        self._is_shut_down = False
        self._is_coil_on = False  # as far as the output obeyed
        self._may_close_at = clock()
        self._lease_until = -math.inf
        self._disagree_until: float | None = None  # the feedback may differ from the order so long
        self._is_welded = False
        self._said: bool | None = None  # by the feedback at the last look since the last order
        self._changed_at: deque[float] = deque(maxlen=CHATTER_CHANGES)
        self._reported_closed = False
        self._trip_count = 0
        self._trips: dict[Trip, int] = {}  # not reported yet; one entry a reason: bounded
        self._changes: list[ContactorEvent] = []  # seen outside ``step``; at most one
        self._look_at: float | None = None
        self._retry_at: float | None = None
        self._complain_at = -math.inf

    # --- orders ------------------------------------------------------------------------------

    def arm(self, trips_seen: int) -> None:
        """Make ready to close; ContactorRefused after a trip the caller has not seen, or welded."""
        with self._lock:
            self._refuse_if_shut_down()
            if self._trip_count > trips_seen:
                raise ContactorRefused(
                    f"{self.name}: tripped {self._trip_count} times, the caller has seen "
                    f"{trips_seen}: not armed"
                )
            if self._is_welded:
                raise ContactorRefused(f"{self.name}: the contacts are welded: not armed")
            self._obey(_Order.ARM)

    def close(self, for_s: float) -> None:
        """Close for at most ``for_s`` seconds from now; ContactorRefused if not armed.

        Closes at once, or in ``step`` when the minimum off time has passed and the contacts are
        apart, if the lease still holds then. ValueError for a lease that is no positive time.
        """
        _check_lease(for_s)
        with self._lock:
            self._refuse_if_shut_down()
            now_s = self._clock()
            self._expire(now_s)
            self._obey(_Order.CLOSE)
            self._lease_until = now_s + for_s
            self._look_at = now_s
            self._switch_on_if_ready(now_s)

    def renew(self, for_s: float) -> None:
        """Set the lease to ``for_s`` seconds from now, if it has not run out. Never closes."""
        _check_lease(for_s)
        with self._lock:
            now_s = self._clock()
            self._expire(now_s)
            if self._phase in (ContactorPhase.WAITING, ContactorPhase.CLOSED):
                self._lease_until = now_s + for_s

    def open(self) -> None:
        """Open now and disarm. Never raises, safe to repeat."""
        with self._lock:
            self._leave(_Order.OPEN, self._clock())

    def trip(self, reason: Trip) -> None:
        """Open now, disarm and latch; the next ``step`` reports it. Never raises."""
        with self._lock:
            self._trip(reason, self._clock())

    # --- supervision -------------------------------------------------------------------------

    def step(self, now_s: float) -> list[ContactorEvent]:
        """Check lease and feedback against the deadlines, close if it waits; say what happened."""
        with self._lock:
            if self._is_shut_down:
                return []
            self._look_at = None
            self._expire(now_s)
            if self._is_stuck_on:
                self._switch_off(now_s)
            self._heart_beats(now_s)
            self._watch(now_s)
            if self._phase is ContactorPhase.WAITING:
                self._switch_on_if_ready(now_s)
                self._watch(now_s)
            return self._take_events()

    def due_at(self) -> float | None:
        """Monotonic time at which ``step`` has something to do by itself; None: nothing planned."""
        with self._lock:
            if self._is_shut_down:
                return None
            times = [self._look_at, self._disagree_until]
            if self._phase in (ContactorPhase.WAITING, ContactorPhase.CLOSED):
                times.append(self._lease_until)
            if self._phase is ContactorPhase.WAITING and self._disagree_until is None:
                times.append(self._may_close_at)
            if self._is_stuck_on:
                times.append(self._retry_at)
            return min((at_s for at_s in times if at_s is not None), default=None)

    @property
    def is_closed(self) -> bool:
        """What the feedback says (what was ordered, where there is no feedback)."""
        with self._lock:
            return self._reported_closed if self._is_shut_down else self._says_closed()

    @property
    def is_ordered_closed(self) -> bool:
        """True while it is closed by order, or waits for the end of the minimum off time."""
        return self._phase in (ContactorPhase.WAITING, ContactorPhase.CLOSED)

    @property
    def trip_count(self) -> int:
        """How often it tripped since it was opened as a device."""
        return self._trip_count

    @property
    def phase(self) -> ContactorPhase:
        """Where the supervision stands."""
        return self._phase

    def shut_down(self) -> None:
        """Open and release the pins. Safe to repeat."""
        with self._lock:
            if self._is_shut_down:
                return
            self.open()
            self._is_shut_down = True
            if self._release is not None:
                self._release()

    # --- the parts of it ---------------------------------------------------------------------

    def _obey(self, order: _Order) -> None:
        after = _NEXT.get((self._phase, order))
        if after is None:
            raise ContactorRefused(f"{self.name}: cannot {order.value} while {self._phase.value}")
        self._phase = after

    def _refuse_if_shut_down(self) -> None:
        if self._is_shut_down:
            raise ContactorRefused(f"{self.name}: is shut down")

    def _expire(self, now_s: float) -> None:
        if (
            self._phase in (ContactorPhase.WAITING, ContactorPhase.CLOSED)
            and now_s >= self._lease_until
        ):
            self._trip(Trip.LEASE_EXPIRED, now_s)

    def _trip(self, reason: Trip, now_s: float) -> None:
        self._trip_count += 1
        self._trips.pop(reason, None)  # the latest count goes last
        self._trips[reason] = self._trip_count
        if self._phase is not ContactorPhase.TRIPPED:  # a standing reason trips many times a second
            # The reflex is part of daily life: a car that has had enough opens it, too.
            level = logging.DEBUG if reason is Trip.REFLEX else logging.WARNING
            logger.log(level, "%s: tripped: %s", self.name, reason.value)
        self._leave(_Order.TRIP, now_s)

    def _leave(self, order: _Order, now_s: float) -> None:
        if self._is_shut_down:
            return
        if self._phase is ContactorPhase.CLOSED:
            self._disagree_until = now_s + self._settings.open_deadline_ms / 1000
            self._forget_changes()
        self._obey(order)
        self._look_at = now_s
        self._switch_off(now_s)

    def _switch_on_if_ready(self, now_s: float) -> None:
        # Welded contacts: they must be seen apart before each closing.
        if now_s < self._may_close_at or self._says_closed():
            return
        if self._reported_closed:  # opened and closed again between two steps
            self._changes.append(ContactorOpened())
            self._reported_closed = False
        self._obey(_Order.SWITCH_ON)
        self._is_coil_on = True  # before the attempt: a half-done switch must be undone
        self._disagree_until = now_s + self._settings.close_deadline_ms / 1000
        self._forget_changes()
        try:
            self._set_coil(True)
        except Exception:  # noqa: BLE001 - whatever the output raises, the coil must go off
            self._complain("its coil cannot be switched on", now_s)
            self._trip(Trip.DID_NOT_CLOSE, now_s)

    def _switch_off(self, now_s: float) -> None:
        """Switch the coil off, also when it should be off already; never raises."""
        try:
            self._set_coil(False)
        except Exception:  # noqa: BLE001 - opening never raises
            self._retry_at = now_s + RETRY_S
            self._complain("its coil cannot be switched off; trying on", now_s)
            return
        if self._is_coil_on:
            self._is_coil_on = False
            self._may_close_at = now_s + self._settings.min_off_s

    @property
    def _is_stuck_on(self) -> bool:
        return self._is_coil_on and self._phase is not ContactorPhase.CLOSED

    def _says_closed(self) -> bool:
        try:
            said = self._read_feedback()
        except Exception:  # noqa: BLE001 - is_closed and step never raise
            self._complain("its feedback cannot be read", self._clock())
            return self._phase is not ContactorPhase.CLOSED
        return self._is_coil_on if said is None else said

    def _watch(self, now_s: float) -> None:
        said, ordered = self._says_closed(), self._phase is ContactorPhase.CLOSED
        if self._chatters(said, now_s):
            said = not ordered  # nothing may rely on it
        if said == ordered:
            self._disagree_until = None
            self._is_welded = False
            if said != self._reported_closed:
                self._reported_closed = said
                self._changes.append(ContactorClosed() if said else ContactorOpened())
            return
        if self._is_welded:
            return
        if self._disagree_until is None:
            self._disagree_until = now_s + BOUNCE_S
        if now_s < self._disagree_until:
            return
        self._disagree_until = None
        if ordered:
            was_closed = self._reported_closed
            self._trip(Trip.OPENED_BY_ITSELF if was_closed else Trip.DID_NOT_CLOSE, now_s)
            self._watch(now_s)  # once more: now both say open
        else:
            self._is_welded = True
            self._reported_closed = True
            self._trip(Trip.WELDED, now_s)

    def _chatters(self, said: bool, now_s: float) -> bool:
        """True while the feedback has changed too often, whichever way it points at this look."""
        if self._said is not None and said != self._said:
            self._changed_at.append(now_s)
        self._said = said
        changes = self._changed_at
        return len(changes) == CHATTER_CHANGES and now_s - changes[0] < CHATTER_S

    def _forget_changes(self) -> None:
        """The contacts move by order: what they did before is not counted."""
        self._said = None
        self._changed_at.clear()

    def _heart_beats(self, now_s: float) -> None:
        if self._beat is None or self._is_stuck_on:
            return
        self._is_beat_high = not self._is_beat_high
        try:
            self._beat(self._is_beat_high)
        except Exception:  # noqa: BLE001 - without it the coil has no supply: that is seen
            self._complain("its heartbeat output cannot be driven", now_s)

    def _take_events(self) -> list[ContactorEvent]:
        tripped = [ContactorTripped(reason, count) for reason, count in self._trips.items()]
        events = [*tripped, *self._changes]
        self._trips.clear()
        self._changes.clear()
        self._look_at = None  # what a trip inside this step asked to look at is reported now
        return events

    def _complain(self, problem: str, now_s: float) -> None:
        if now_s >= self._complain_at:
            self._complain_at = now_s + COMPLAIN_EVERY_S
            logger.exception("%s: %s", self.name, problem)


def _check_lease(for_s: float) -> None:
    if not (math.isfinite(for_s) and for_s > 0):
        raise ValueError(f"a lease must be a positive time in seconds, got {for_s!r}")
