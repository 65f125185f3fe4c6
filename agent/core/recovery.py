"""Sessions that were open when the last process ended (OCPP 1.6 section 4.6).

They are closed with the present register and the time of the last stored sample, or go on where the
configuration says so. Energy that may have been drawn outside a session is not billed to it.
"""

from __future__ import annotations

from datetime import timedelta

from agent.core import charging_profiles_applied, clock_trust, random_delay, transaction
from agent.core.commands import SaveTransaction
from agent.core.id_tag import is_valid_id_tag
from agent.core.replace import replace
from agent.core.state import Charging, Connector, GrantedAuthorization, StopOrder, Stopping
from agent.core.turn import Turn
from agent.core.values import PilotState, Reading, StopReason, Transaction

_LATE_S = 60.0  # a sample may be stored this long after it was due
_RESUMED_AFTER = (StopReason.POWER_LOSS, StopReason.REBOOT)  # after a reset people expect an end


def recover(turn: Turn, found: Transaction, ending: StopReason) -> None:
    """Begin to close a session that was found open; its meter is read first."""
    rules = turn.state.rules
    now_s = turn.now.monotonic_s
    age_s = max(0.0, (turn.now.utc - found.begun_at).total_seconds())
    found = replace(found, begun_monotonic_s=now_s - age_s)
    stop = StopOrder(
        reason=ending,
        id_tag=None,
        open_by_s=now_s,
        give_up_s=now_s + rules.contactor_s + rules.meter_s,
        # The end of the last stored sample is the last moment that is known for sure.
        ended_at=found.last_at,
        is_found=True,
        may_resume=_may_resume(turn, found, ending),
    )
    has_place = turn.state.has_connector(found.connector_id)
    if not has_place or turn.connector(found.connector_id).transaction is not None:
        transaction.queue_stop(turn, found, found.last_wh, found.last_at, stop)
        return
    turn.put_phase(found.connector_id, Stopping(found, stop=stop))


def _may_resume(turn: Turn, found: Transaction, ending: StopReason) -> bool:
    return (
        turn.state.rules.resume_after_power_loss
        and ending in _RESUMED_AFTER
        and not found.deauthorized
        and not found.is_limited
        and is_valid_id_tag(found.id_tag)  # no central system could be told of it
    )


def resumes(turn: Turn, connector: Connector, ending: Stopping) -> bool:
    """True if a session that was found open goes on: the same register, and a car is there.

    Without plug contact and pilot nobody can tell whether the car is still there: it is closed.
    """
    traits = connector.traits
    is_there = connector.is_plugged and (
        traits.has_plug or (traits.has_pilot and connector.pilot is not PilotState.A)
    )
    if not ending.stop.may_resume or not is_there or turn.state.restart is not None:
        return False
    if not traits.has_meter:
        return True
    reading = connector.reading
    return reading is not None and _is_plausible(turn, connector, reading, ending.transaction)


def resume(turn: Turn, connector: Connector, found: Transaction) -> None:
    """Let a session that was found open go on as if nothing had happened.

    The present register is written down: what is plausible is counted anew from here, however often
    the process ends before the next sample.
    """
    found = _pausing(turn, found)
    if connector.reading is not None:
        found = replace(
            found,
            last_wh=max(found.last_wh, connector.reading.import_wh),
            last_at=clock_trust.not_before_last(turn, found, turn.now.utc),
            boot=turn.time_mark,
        )
        turn.emit(SaveTransaction(found))
    turn.put_phase(
        connector.connector_id,
        Charging(
            found,
            settling_until_s=turn.now.monotonic_s + turn.state.rules.settling_s,
            delay=random_delay.of_start(turn, found.ref),
            next_sample_s=transaction.first_sample_s(turn, connector),
        ),
    )
    charging_profiles_applied.update(turn)  # before anything is offered
    _give_up_promises(turn, connector.connector_id)


def _pausing(turn: Turn, found: Transaction) -> Transaction:
    """The session with the pause that began when it was last seen, if that is known."""
    passed_s = (turn.now.utc - found.last_at).total_seconds()
    is_same_clock = found.boot == turn.time_mark
    since_s = turn.now.monotonic_s - (max(0.0, passed_s) if is_same_clock else 0.0)
    return replace(found, figures=replace(found.figures, open_since_s=since_s))


def register_wh(turn: Turn, connector: Connector, ending: Stopping) -> int:
    """The register that closes the session: never below the last stored sample.

    For a session that was found open also never above what can have flowed since that sample:
    what is above was drawn outside of this session.
    """
    found = ending.transaction
    reading = connector.reading
    if reading is None or reading.import_wh < found.last_wh:
        return found.last_wh
    if ending.stop.is_found and not _is_plausible(turn, connector, reading, found):
        return found.last_wh
    return reading.import_wh


def _is_plausible(turn: Turn, connector: Connector, reading: Reading, found: Transaction) -> bool:
    grown_wh = reading.import_wh - found.last_wh
    window_s = _unwatched_s(turn, found)
    most_wh = None if window_s is None else connector.traits.max_power_w * window_s / 3600
    return grown_wh >= 0 and (most_wh is None or grown_wh <= most_wh)


def _unwatched_s(turn: Turn, found: Transaction) -> float | None:
    """How long energy can have flowed since the last stored sample; None: nobody knows."""
    interval_s = turn.state.configuration.integer("MeterValueSampleInterval")
    if interval_s > 0:
        return interval_s + _LATE_S  # else there would have been another sample
    since = turn.now.utc - found.last_at
    is_same_clock = found.boot == turn.time_mark
    return since.total_seconds() if is_same_clock and since > timedelta() else None


def _give_up_promises(turn: Turn, connector_id: int) -> None:
    """Nobody else begins where a session goes on: free charging had been promised meanwhile."""
    kept: list[GrantedAuthorization] = []
    for grant in turn.state.waiting:
        if grant.connectors != (connector_id,):
            kept.append(grant)
    turn.state = replace(turn.state, waiting=tuple(kept))
