"""Firmware updates: fetched, installed when nobody charges, and reported honestly over the restart.

Sections 4.5 and 5.19, errata 3.48, 3.49, 3.63; signed ones: security white paper, L01. The update
is stored with every step, and so are the statuses that the central system has not taken yet:
whatever ends the process, the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.core import security_events
from agent.core.certificates import RootUse, unfit_to_sign
from agent.core.commands import Reply
from agent.core.events import Event
from agent.core.firmware_values import (
    CheckSignature,
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
    SignatureChecked,
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
_CANNOT_INSTALL = "this box has no firmware.install_command"


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
        case FirmwareStep.DOWNLOAD_SCHEDULED | FirmwareStep.RETRYING | FirmwareStep.DOWNLOADING:
            if _is_due(update, turn.now):
                _fetch(turn, update)
        case FirmwareStep.SIGNATURE_VERIFIED | FirmwareStep.INSTALL_SCHEDULED:
            _await_time(turn, update)
        case FirmwareStep.INSTALLING | FirmwareStep.RESTARTING if _is_late(update, turn.now):
            _fail(turn, update, f"version {turn.state.firmware.version} still runs")
    update = _found(turn)
    if update.may_be_installed and _is_quiet(turn.state):
        _install(turn, update)


def deadline_s(state: ChargePoint, now: Instant) -> float | None:
    """Monotonic time at which the update wants a turn; None: it waits for nothing."""
    update = state.firmware.update
    if update is None:
        return None
    match update.step:
        case FirmwareStep.SCHEDULED | FirmwareStep.RETRYING | FirmwareStep.DOWNLOADING:
            return update.not_before_s
        case FirmwareStep.DOWNLOAD_SCHEDULED if update.not_before_s is not None:
            return max(update.not_before_s, now.monotonic_s_at(update.retrieve_at))
        case FirmwareStep.SIGNATURE_VERIFIED | FirmwareStep.INSTALL_SCHEDULED:
            return None if update.install_at is None else now.monotonic_s_at(update.install_at)
        case FirmwareStep.INSTALLING | FirmwareStep.RESTARTING:
            return update.give_up_s
        case _:
            return None


# --- what happens --------------------------------------------------------------------------------


def _asked(turn: Turn, event: UpdateAsked) -> None:
    firmware = turn.state.firmware
    status, why = _refusal(turn, event)
    if status:
        turn.emit(Reply(event.request_id, status, why))
        return
    takes_place = firmware.update is not None and not firmware.update.is_over
    if takes_place:
        turn.emit(DropFirmware())
    update = FirmwareUpdate(
        event.location,
        event.retrieve_at,
        event.retries,
        event.retry_interval_s,
        install_at=event.install_at,
        signing=event.signing,
        # What was not told of the one before is told still: each step must be (section 5.19).
        untold=() if firmware.update is None else firmware.update.untold,
        not_before_s=turn.now.monotonic_s + ANSWER_S,
    )
    _keep(turn, update)
    turn.emit(Reply(event.request_id, "AcceptedCanceled" if takes_place else "Accepted"))


def _refusal(turn: Turn, event: UpdateAsked) -> tuple[str, str]:
    """The status and the reason with which this update is refused; empty when it is begun."""
    firmware = turn.state.firmware
    if event.signing is None and not _takes_unsigned(turn.state):
        return "NotSupported", "only signed firmware is installed here"
    if problem := _signer_problem(turn, event):
        kind = SecurityEventType.INVALID_FIRMWARE_SIGNING_CERTIFICATE
        security_events.record(turn, kind, problem, must_be_told=True)  # L01.FR.02
        return "InvalidCertificate", problem
    if firmware.is_being_installed:
        return "Rejected", "another one is being installed"
    if event.signing is None:  # a plain one is told it later
        return "", ""
    if not firmware.can_install:
        return "Rejected", _CANNOT_INSTALL
    if event.location_problem:
        return "Rejected", f"the firmware cannot be fetched: {event.location_problem}"
    return "", ""


def _takes_unsigned(state: ChargePoint) -> bool:
    if state.firmware.takes_unsigned is not None:
        return state.firmware.takes_unsigned
    return not state.certificates.of(RootUse.MANUFACTURER)


def _signer_problem(turn: Turn, event: UpdateAsked) -> str:
    """Why nothing that its certificate has signed may be installed, "" when it may."""
    if event.signing is None:
        return ""
    if event.signer is None:
        return event.problem
    return unfit_to_sign(event.signer, turn.state.certificates, turn.now)


def _fetched(turn: Turn, event: FirmwareFetched) -> None:
    update = _under_way(turn, FirmwareStep.DOWNLOADING)
    if update is not None:
        _step(turn, replace(update, sha256=event.sha256), FirmwareStep.DOWNLOADED)
        _check_signature(turn, _found(turn))


def _not_fetched(turn: Turn, event: FirmwareNotFetched) -> None:
    update = _under_way(turn, FirmwareStep.DOWNLOADING)
    if update is None:
        return
    if update.retries_left <= 0:
        _end(turn, update, FirmwareStep.DOWNLOAD_FAILED, event.problem)
        return
    not_before_s = turn.now.monotonic_s + update.retry_interval_s
    waiting = replace(update, retries_left=update.retries_left - 1, not_before_s=not_before_s)
    _step(turn, waiting, FirmwareStep.RETRYING, event.problem)


def _signature_checked(turn: Turn, event: SignatureChecked) -> None:
    update = _under_way(turn, FirmwareStep.DOWNLOADED)
    if update is None or update.sha256 != event.sha256:
        return
    if event.problem:
        _end_unsigned(turn, update, FirmwareStep.INVALID_SIGNATURE, event.problem)
    else:
        _step(turn, update, FirmwareStep.SIGNATURE_VERIFIED)


def _install_ended(turn: Turn, event: InstallEnded) -> None:
    update = _under_way(turn, FirmwareStep.INSTALLING)
    if update is None:
        return
    if not event.is_verified:
        _end_unsigned(turn, update, FirmwareStep.INSTALL_VERIFICATION_FAILED, event.problem)
        return
    if event.problem:
        _fail(turn, update, event.problem)
        return
    rules = turn.state.rules
    give_up_s = turn.now.monotonic_s + turn.state.firmware.wait_s
    if not turn.state.firmware.restarts_itself:
        _keep(turn, replace(update, give_up_s=give_up_s))
        return
    _step(turn, replace(update, give_up_s=give_up_s), FirmwareStep.RESTARTING)
    if turn.state.restart is None:
        security_events.record(turn, SecurityEventType.RESET_OR_REBOOT, "firmware was installed")
        by_s = turn.now.monotonic_s + rules.reset_s
        turn.state = replace(turn.state, restart=RestartOrder(again=True, by_s=by_s, drain=True))


def _told(turn: Turn, event: FirmwareTold) -> None:
    update = turn.state.firmware.update
    if update is not None and event.notice in update.untold:
        # Those before it were given up: told after a restart they would come after this one.
        place = update.untold.index(event.notice)
        _keep(turn, replace(update, untold=update.untold[place + 1 :]))


# --- its steps -----------------------------------------------------------------------------------


def _begin(turn: Turn, update: FirmwareUpdate) -> None:
    if turn.now.utc < update.retrieve_at:
        _step(turn, update, FirmwareStep.DOWNLOAD_SCHEDULED)
    else:
        _fetch(turn, update)


def _fetch(turn: Turn, update: FirmwareUpdate) -> None:
    if not turn.state.firmware.can_install:
        _fail(turn, update, _CANNOT_INSTALL)
        return
    _step(turn, replace(update, not_before_s=None), FirmwareStep.DOWNLOADING)
    turn.emit(FetchFirmware(update.location))


def _check_signature(turn: Turn, update: FirmwareUpdate) -> None:
    if update.signing is not None:
        turn.emit(CheckSignature(update.sha256, update.signing))


def _await_time(turn: Turn, update: FirmwareUpdate) -> None:
    if update.install_at is None:
        return
    if turn.now.utc >= update.install_at:  # from now on no session begins
        _keep(turn, replace(update, install_at=None))
    elif update.step is FirmwareStep.SIGNATURE_VERIFIED:
        _step(turn, update, FirmwareStep.INSTALL_SCHEDULED)


def _install(turn: Turn, update: FirmwareUpdate) -> None:
    version = turn.state.firmware.version
    _step(turn, replace(update, version_before=version), FirmwareStep.INSTALLING)
    turn.emit(InstallFirmware(update.sha256, update.signing))


def _resumed(turn: Turn, update: FirmwareUpdate) -> FirmwareUpdate:
    """Go on with what an earlier process has left; tell what it could not tell any more."""
    firmware = turn.state.firmware
    update = replace(update, is_resumed=True, not_before_s=turn.now.monotonic_s + ANSWER_S)
    _keep_in_mind(turn, update)
    for notice in update.untold:
        turn.emit(TellFirmware(notice))
    if update.step is FirmwareStep.DOWNLOADED:
        _check_signature(turn, update)
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


def _end_unsigned(turn: Turn, update: FirmwareUpdate, step: FirmwareStep, why: str) -> None:
    _end(turn, update, step, why)
    kind = SecurityEventType.INVALID_FIRMWARE_SIGNATURE
    security_events.record(turn, kind, why, must_be_told=True)  # L01.FR.03


def _found(turn: Turn) -> FirmwareUpdate:
    found = turn.state.firmware.update
    assert found is not None
    return found


def _fail(turn: Turn, update: FirmwareUpdate, why: str) -> None:
    _end(turn, update, FirmwareStep.INSTALLATION_FAILED, why)


def _end(turn: Turn, update: FirmwareUpdate, step: FirmwareStep, why: str) -> None:
    _step(turn, update, step, why)
    turn.emit(DropFirmware())


def _step(turn: Turn, before: FirmwareUpdate, step: FirmwareStep, why: str = "") -> None:
    """Take it to this step, and tell what is news of it."""
    update = replace(before, step=step)
    news = update.notice if update.notice != before.notice else None
    if news is None:
        _keep(turn, update)
        return
    _keep(turn, replace(update, untold=(*update.untold, news)[-UNTOLD_MAX:]))
    turn.emit(TellFirmware(news, why))


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
    return update.step is not FirmwareStep.DOWNLOAD_SCHEDULED or now.utc >= update.retrieve_at


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
    SignatureChecked: _signature_checked,
    InstallEnded: _install_ended,
    FirmwareTold: _told,
}
