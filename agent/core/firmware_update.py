"""Firmware updates: fetched, installed when nobody charges, and reported honestly over the restart.

Sections 4.5 and 5.19, errata 3.48, 3.49, 3.63. The update is stored with every step, and so are the
statuses that the central system has not taken yet: whatever ends the process, the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.core import security_events
from agent.core.commands import Reply
from agent.core.events import Event
from agent.core.firmware_values import (
    STATUSES,
    DropFirmware,
    FetchFirmware,
    FirmwareFetched,
    FirmwareNotFetched,
    FirmwareStep,
    FirmwareTold,
    FirmwareUpdate,
    InstallEnded,
    InstallFirmware,
    SaveFirmware,
    TellFirmware,
    UpdateAsked,
)
from agent.core.replace import replace
from agent.core.security_event_values import SecurityEventType
from agent.core.state import ChargePoint, Finished, Idle, RestartOrder
from agent.core.turn import Turn
from agent.core.values import Instant

ANSWER_S = 0.2  # UpdateFirmware is answered before anything is told
UNTOLD_MAX = 50  # a central system that takes no status, but asks again and again, fills no disk


def update(turn: Turn) -> None:
    """Take the update to its next step, if the time for it has come."""
    update = turn.state.firmware.update
    if update is None or not turn.state.is_begun:
        return
    if not update.is_resumed:
        update = _resumed(turn, update)
    match update.step:
        case FirmwareStep.SCHEDULED if _is_due(update, turn.now):
            _begin(turn, update)
        case FirmwareStep.DOWNLOADING if _is_due(update, turn.now):
            _keep(turn, replace(update, not_before_s=None))
            turn.emit(FetchFirmware(update.location))
        case FirmwareStep.DOWNLOADED if _is_quiet(turn.state):
            _install(turn, update)
        case FirmwareStep.INSTALLING | FirmwareStep.RESTARTING if _is_late(update, turn.now):
            _fail(turn, update, f"version {turn.state.firmware.version} still runs")


def deadline_s(state: ChargePoint, now: Instant) -> float | None:
    """Monotonic time at which the update wants a turn; None: it waits for nothing."""
    update = state.firmware.update
    if update is None:
        return None
    if update.step is FirmwareStep.SCHEDULED and update.not_before_s is not None:
        ahead_s = (update.retrieve_at - now.utc).total_seconds()
        return max(update.not_before_s, now.monotonic_s + ahead_s)
    if update.step is FirmwareStep.DOWNLOADING:
        return update.not_before_s
    return update.give_up_s if update.is_being_installed else None


# --- what happens --------------------------------------------------------------------------------


def _asked(turn: Turn, event: UpdateAsked) -> None:
    firmware = turn.state.firmware
    if firmware.is_being_installed:
        turn.emit(Reply(event.request_id, "Rejected", "another one is being installed"))
        return
    if firmware.update is not None and not firmware.update.is_over:
        turn.emit(DropFirmware())
    update = FirmwareUpdate(
        event.location,
        event.retrieve_at,
        event.retries,
        event.retry_interval_s,
        # What was not told of the one before is told still: each step must be (section 5.19).
        untold=() if firmware.update is None else firmware.update.untold,
        not_before_s=turn.now.monotonic_s + ANSWER_S,
    )
    _keep(turn, update)
    turn.emit(Reply(event.request_id, "Accepted"))


def _fetched(turn: Turn, event: FirmwareFetched) -> None:
    update = _under_way(turn, FirmwareStep.DOWNLOADING)
    if update is not None:
        _step(turn, replace(update, sha256=event.sha256), FirmwareStep.DOWNLOADED)


def _not_fetched(turn: Turn, event: FirmwareNotFetched) -> None:
    update = _under_way(turn, FirmwareStep.DOWNLOADING)
    if update is None:
        return
    if update.retries_left <= 0:
        _end(turn, update, FirmwareStep.DOWNLOAD_FAILED, event.problem)
        return
    not_before_s = turn.now.monotonic_s + update.retry_interval_s
    _keep(turn, replace(update, retries_left=update.retries_left - 1, not_before_s=not_before_s))


def _install_ended(turn: Turn, event: InstallEnded) -> None:
    update = _under_way(turn, FirmwareStep.INSTALLING)
    if update is None:
        return
    if event.problem:
        _fail(turn, update, event.problem)
        return
    rules = turn.state.rules
    give_up_s = turn.now.monotonic_s + turn.state.firmware.wait_s
    if not turn.state.firmware.restarts_itself:
        _keep(turn, replace(update, give_up_s=give_up_s))
        return
    _keep(turn, replace(update, step=FirmwareStep.RESTARTING, give_up_s=give_up_s))
    if turn.state.restart is None:
        security_events.record(turn, SecurityEventType.RESET_OR_REBOOT, "firmware was installed")
        by_s = turn.now.monotonic_s + rules.reset_s
        turn.state = replace(turn.state, restart=RestartOrder(again=True, by_s=by_s, drain=True))


def _told(turn: Turn, event: FirmwareTold) -> None:
    update = turn.state.firmware.update
    if update is not None and event.status in update.untold:
        untold = list(update.untold)
        untold.remove(event.status)
        _keep(turn, replace(update, untold=tuple(untold)))


# --- its steps -----------------------------------------------------------------------------------


def _begin(turn: Turn, update: FirmwareUpdate) -> None:
    if not turn.state.firmware.can_install:
        _fail(turn, update, "this box has no firmware.install_command")
        return
    _step(turn, replace(update, not_before_s=None), FirmwareStep.DOWNLOADING)
    turn.emit(FetchFirmware(update.location))


def _install(turn: Turn, update: FirmwareUpdate) -> None:
    version = turn.state.firmware.version
    _step(turn, replace(update, version_before=version), FirmwareStep.INSTALLING)
    turn.emit(InstallFirmware(update.sha256))


def _resumed(turn: Turn, update: FirmwareUpdate) -> FirmwareUpdate:
    """Go on with what an earlier process has left; tell what it could not tell any more."""
    firmware = turn.state.firmware
    update = replace(update, is_resumed=True, not_before_s=turn.now.monotonic_s + ANSWER_S)
    _keep_in_mind(turn, update)
    for status in update.untold:
        turn.emit(TellFirmware(status))
    if not update.is_being_installed:
        if update.step is FirmwareStep.INSTALLED and firmware.version == update.version_before:
            # A loader that goes back by itself does so after the new version has come up once.
            _fail(turn, update, f"version {firmware.version} runs again: rolled back")
        return _found(turn)
    if firmware.version != update.version_before:
        why = f"version {firmware.version} runs, it was {update.version_before}"
        _end(turn, update, FirmwareStep.INSTALLED, why)
        security_events.record(turn, SecurityEventType.FIRMWARE_UPDATED, why)
    elif update.step is FirmwareStep.RESTARTING:
        why = f"the install command was content, but version {firmware.version} still runs"
        _fail(turn, update, f"{why}: rolled back, or the same version")
    elif firmware.restarts_itself:
        _fail(turn, update, "the agent was ended while it was being installed")
    else:  # the installer may still be at work
        give_up_s = turn.now.monotonic_s + firmware.wait_s
        _keep_in_mind(turn, replace(update, give_up_s=give_up_s))
    return _found(turn)


def _found(turn: Turn) -> FirmwareUpdate:
    found = turn.state.firmware.update
    assert found is not None
    return found


def _fail(turn: Turn, update: FirmwareUpdate, why: str) -> None:
    _end(turn, update, FirmwareStep.INSTALLATION_FAILED, why)


def _end(turn: Turn, update: FirmwareUpdate, step: FirmwareStep, why: str) -> None:
    _step(turn, update, step, why)
    turn.emit(DropFirmware())


def _step(turn: Turn, update: FirmwareUpdate, step: FirmwareStep, why: str = "") -> None:
    status = STATUSES[step]
    untold = (*update.untold, status)[-UNTOLD_MAX:]
    _keep(turn, replace(update, step=step, untold=untold))
    turn.emit(TellFirmware(status, why))


def _keep(turn: Turn, update: FirmwareUpdate) -> None:
    _keep_in_mind(turn, update)
    turn.emit(SaveFirmware(update))


def _keep_in_mind(turn: Turn, update: FirmwareUpdate) -> None:
    turn.state = replace(turn.state, firmware=replace(turn.state.firmware, update=update))


# --- looking -------------------------------------------------------------------------------------


def _under_way(turn: Turn, step: FirmwareStep) -> FirmwareUpdate | None:
    """The update, if it is at this step: what was called off may still report."""
    update = turn.state.firmware.update
    return update if update is not None and update.step is step else None


def _is_due(update: FirmwareUpdate, now: Instant) -> bool:
    if update.not_before_s is None or now.monotonic_s < update.not_before_s:
        return False
    return update.step is not FirmwareStep.SCHEDULED or now.utc >= update.retrieve_at


def _is_late(update: FirmwareUpdate, now: Instant) -> bool:
    return update.give_up_s is not None and now.monotonic_s >= update.give_up_s


def _is_quiet(state: ChargePoint) -> bool:
    """Nobody charges, and nobody has been told that he may."""
    is_used = any(not isinstance(c.phase, Idle | Finished) for c in state.connectors)
    return not (is_used or state.waiting or state.checking or state.restart is not None)


ROUTES: dict[type[Event], Callable[[Turn, Any], None]] = {
    UpdateAsked: _asked,
    FirmwareFetched: _fetched,
    FirmwareNotFetched: _not_fetched,
    InstallEnded: _install_ended,
    FirmwareTold: _told,
}
