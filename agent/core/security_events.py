"""Security events: recorded, and the critical ones told until the central system has them.

White paper A04. ``record`` is the one way to write one down. A type that comes too often is counted
instead, and the count is written when its hour is over, so that nobody fills the log or the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from agent.core import replies
from agent.core.events import Event
from agent.core.replace import replace
from agent.core.security_event_values import (
    TECH_INFO_MAX,
    ClearSecurityLog,
    ClearSecurityLogRequested,
    Counted,
    RecordSecurityEvent,
    RemoveSecurityEvents,
    SecurityEvent,
    SecurityEventNotTold,
    SecurityEvents,
    SecurityEventSeen,
    SecurityEventTold,
    SecurityEventType,
    SecurityQueueWasEmpty,
    StorageMeasured,
    TellSecurityEvent,
)
from agent.core.state import ChargePoint
from agent.core.turn import Turn
from agent.core.values import Instant
from agent.core.visible import visible

PER_HOUR_MAX = 20  # lines of one type
_HOUR_S = 3600.0
CLOCK_STEP = timedelta(seconds=2)  # what is less is noise
DISK_LOW_BYTES = 20_000_000  # doctor calls it too little from here on
DISK_WELL_BYTES = 2 * DISK_LOW_BYTES  # then it counts as free again
_AGAIN_S = 60.0  # times the attempts so far
_AGAIN_MAX_S = 900.0
DISABLED = "DisableSecurityEventNotifications"
KEYS = (DISABLED,)  # a change of one is an event, besides those of the way to the central system


def record(
    turn: Turn, kind: SecurityEventType, tech_info: str = "", must_be_told: bool = False
) -> None:
    """Write an event down in this turn's commit, and queue it if the central system must know.

    ``tech_info`` says what happened, for people, and holds no secret.
    """
    if _may_be_written(turn, kind, must_be_told):
        _write(turn, kind, tech_info, must_be_told)


def record_reconfiguration(turn: Turn, what: str, happened: str = "was changed") -> None:
    """Write down what happened to a security parameter; ``what`` is its name, never its value."""
    record(turn, SecurityEventType.RECONFIGURATION, f"{what} {happened}")


def _write(turn: Turn, kind: SecurityEventType, tech_info: str, must_be_told: bool) -> None:
    # What no database can hold is written out: halves of characters, as JSON may bring them.
    text = visible(tech_info.encode("utf-8", "backslashreplace").decode("utf-8"))
    event = SecurityEvent(kind, turn.now.utc, text[:TECH_INFO_MAX], turn.time_mark)
    is_queued = (kind.is_critical or must_be_told) and _is_wanted(turn.state)
    turn.emit(RecordSecurityEvent(event, is_queued))
    if is_queued:
        _put(turn, replace(turn.state.security, queued=turn.state.security.queued + 1))
        if event.boot:
            turn.state = replace(turn.state, owes_correction=True)


def _may_be_written(turn: Turn, kind: SecurityEventType, must_be_told: bool) -> bool:
    counted = turn.state.security.counted
    known = next((one for one in counted if one.type is kind), None)
    if known is None:
        known = Counted(kind, turn.now.monotonic_s + _HOUR_S, 0)
    is_too_much = known.count >= PER_HOUR_MAX
    if is_too_much:
        is_told = known.must_be_told or must_be_told
        known = replace(known, left_out=known.left_out + 1, must_be_told=is_told)
    else:
        known = replace(known, count=known.count + 1)
    others = tuple(one for one in counted if one.type is not kind)
    _put(turn, replace(turn.state.security, counted=(*others, known)))
    return not is_too_much


# --- after every event ---------------------------------------------------------------------------


def update(turn: Turn) -> None:
    """Notice a clock that was set, say what was left out, and order the next delivery."""
    _watch_clock(turn)
    _end_hours(turn)
    events = turn.state.security
    if not _is_to_be_told(turn.state):
        return
    if events.not_before_s is not None and turn.now.monotonic_s < events.not_before_s:
        return
    order = events.orders + 1
    _put(turn, replace(events, orders=order, is_in_flight=True, not_before_s=None))
    turn.emit(TellSecurityEvent(order, events.queued))


def deadlines_s(state: ChargePoint, now: Instant) -> Iterator[float | None]:
    """Monotonic times at which ``update`` wants a turn."""
    for counted in state.security.counted:
        yield counted.until_s if counted.left_out else None
    if _is_to_be_told(state):
        yield state.security.not_before_s


def _is_to_be_told(state: ChargePoint) -> bool:
    """Something waits, and nothing but the time of its next attempt holds it back."""
    events = state.security
    if not state.online or events.is_in_flight or not events.is_waiting:
        return False
    return not state.configuration.boolean(DISABLED)


def _watch_clock(turn: Turn) -> None:
    booted_at = turn.now.utc - timedelta(seconds=turn.now.monotonic_s)
    known = turn.state.security.booted_at
    step = timedelta() if known is None else booted_at - known
    if known is not None and abs(step) <= CLOCK_STEP:
        return
    _put(turn, replace(turn.state.security, booted_at=booted_at))
    if known is not None:
        record(turn, SecurityEventType.SETTING_SYSTEM_TIME, f"by {step.total_seconds():+.1f} s")


def _end_hours(turn: Turn) -> None:
    over = [one for one in turn.state.security.counted if turn.now.monotonic_s >= one.until_s]
    for one in over:
        left = tuple(other for other in turn.state.security.counted if other is not one)
        _put(turn, replace(turn.state.security, counted=left))
        if one.left_out:
            _write(turn, one.type, f"{one.left_out} more within an hour", one.must_be_told)


# --- the central system --------------------------------------------------------------------------


def link_changed(turn: Turn) -> None:
    """The link came, went, or waits to be accepted: what was under way is sent once more."""
    events = turn.state.security
    _put(turn, replace(events, is_in_flight=False, attempts=0, not_before_s=None))


def _told(turn: Turn, event: SecurityEventTold) -> None:
    turn.emit(RemoveSecurityEvents(event.number))
    if event.order == turn.state.security.orders:
        _put(turn, replace(turn.state.security, is_in_flight=False, attempts=0))


def _not_told(turn: Turn, event: SecurityEventNotTold) -> None:
    events = turn.state.security
    if event.order != events.orders or not events.is_in_flight:
        return  # over already, with the link that it went over
    if event.is_unwanted:
        # It will not be asked again until another one is there, or this process starts anew.
        turn.emit(RemoveSecurityEvents(None))
        _put(turn, replace(events, is_in_flight=False, unwanted_at=_address(turn.state)))
        return
    attempts = events.attempts + 1
    again_s = turn.now.monotonic_s + min(_AGAIN_S * attempts, _AGAIN_MAX_S)
    _put(turn, replace(events, is_in_flight=False, attempts=attempts, not_before_s=again_s))


def _queue_was_empty(turn: Turn, event: SecurityQueueWasEmpty) -> None:
    events = turn.state.security
    if event.order == events.orders:
        _put(turn, replace(events, is_in_flight=False, sent_up_to=event.up_to))


def _is_wanted(state: ChargePoint) -> bool:
    if state.configuration.boolean(DISABLED):
        return False
    unwanted_at = state.security.unwanted_at
    return unwanted_at is None or unwanted_at != _address(state)


def _address(state: ChargePoint) -> str:
    in_use = state.approaches.in_use or state.approaches.wanted
    return in_use.url


# --- what others have seen -----------------------------------------------------------------------


def _seen(turn: Turn, event: SecurityEventSeen) -> None:
    record(turn, event.type, event.tech_info, event.must_be_told)


def _clear_requested(turn: Turn, event: ClearSecurityLogRequested) -> None:
    turn.emit(ClearSecurityLog())
    record(turn, SecurityEventType.SECURITY_LOG_WAS_CLEARED, f"by {event.by}")
    replies.agree(turn, event.request_id, "applied")


def _storage_measured(turn: Turn, event: StorageMeasured) -> None:
    events = turn.state.security
    limit = DISK_WELL_BYTES if events.is_disk_low else DISK_LOW_BYTES
    is_low = event.free_bytes < limit
    _put(turn, replace(events, is_disk_low=is_low))
    if is_low and not events.is_disk_low:
        text = f"{event.free_bytes / 1e6:.0f} MB of the disk are free"
        record(turn, SecurityEventType.MEMORY_EXHAUSTION, text)


def _put(turn: Turn, events: SecurityEvents) -> None:
    turn.state = replace(turn.state, security=events)


ROUTES: dict[type[Event], Callable[[Turn, Any], None]] = {
    SecurityEventSeen: _seen,
    SecurityEventTold: _told,
    SecurityEventNotTold: _not_told,
    SecurityQueueWasEmpty: _queue_was_empty,
    ClearSecurityLogRequested: _clear_requested,
    StorageMeasured: _storage_measured,
}
