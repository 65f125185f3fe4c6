"""The reflex: which readings mean "open now".

Called by the supervising thread many times a second, without the runtime, the journal or the loop.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.values import LockState, PilotState

ENERGY_STATES = (PilotState.C, PilotState.D)


@dataclass(frozen=True, slots=True)
class Readings:
    """What the inputs of one connector say in one moment; None: the box has no such part."""

    plugged: bool | None = None
    pilot: PilotState | None = None
    lock: LockState | None = None
    tripped_inputs: tuple[str, ...] = ()


def reason_to_abort_test(readings: Readings) -> str | None:
    """Return why a contactor that the self-test closed must be open: it needs an empty socket."""
    if readings.tripped_inputs:
        return reason_to_open(readings)
    if readings.plugged:
        return "a plug during the self-test"
    if readings.pilot not in (None, PilotState.A):
        return "a car during the self-test"
    return None


def reason_to_open(readings: Readings) -> str | None:
    """Return why the contactor must be open, in words; None when nothing speaks against closing."""
    if readings.tripped_inputs:
        return ", ".join(name.replace("_", " ") for name in readings.tripped_inputs)
    if readings.plugged is False:
        return "no plug"
    if readings.pilot is not None and readings.pilot not in ENERGY_STATES:
        return f"pilot state {readings.pilot.value}"
    if readings.lock is not None and readings.lock is not LockState.LOCKED:
        return "the lock is not confirmed"
    return None
