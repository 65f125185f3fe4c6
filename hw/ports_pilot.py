"""What a pilot controller offers to the agent. Part of ``hw.ports``, and imported from there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class PilotState(Enum):
    """Control pilot states of IEC 61851-1; see the table in docs for levels."""

    A = "A"  # no vehicle
    B = "B"  # vehicle connected, does not ask for energy
    C = "C"  # vehicle asks for energy
    D = "D"  # vehicle asks for energy, needs ventilation
    E = "E"  # pilot shorted, no supply
    F = "F"  # station not available


class PilotFault(Enum):
    """What a pilot controller complains about; the agent knows what each of them means."""

    SILENT = "silent"  # nothing understandable was heard from it for 3 s
    DIODE = "diode"  # the vehicle's diode is missing: a wet or damaged plug
    VENTILATION = "ventilation"  # the vehicle needs ventilation (state D), and there is none
    RESIDUAL_CURRENT = "residual_current"
    GROUND = "ground"  # no protective earth
    SELF_TEST = "self_test"  # its residual current detection failed its own test
    RELAY_STUCK = "relay_stuck"
    RELAY_OPEN = "relay_open"  # its relay did not close
    HEAT = "heat"
    OVER_CURRENT = "over_current"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ConfirmedOffer:
    """What a pilot controller has confirmed to offer; another order is another confirmation."""

    order: int = 0  # how often it was given another order
    current_a: float = 0.0  # 0: nothing, or nothing that is known


NO_OFFER = ConfirmedOffer()


class PilotController(Protocol):
    """Owns the control pilot; the agent only orders what to offer.

    Orders return at once and are carried out as soon as the controller takes them; one that
    reboots gets its order again. While a fault stands, or while it is silent, ``state`` is F.
    """

    def offer(self, current_a: float) -> None:
        """Offer this current per phase to the vehicle (6 to 80 A); never more than its cable."""

    def withdraw(self) -> None:
        """Offer nothing (no PWM). Always allowed."""

    @property
    def state(self) -> PilotState:
        """What the vehicle shows now."""

    @property
    def confirmed(self) -> ConfirmedOffer:
        """What it has confirmed to offer since the last order: 0 A until then, and while silent."""

    @property
    def complaints(self) -> frozenset[PilotFault]:
        """What is wrong, by its own account; empty while all is well."""

    @property
    def is_plugged(self) -> bool | None:
        """True while it sees a vehicle or a cable; None: not known yet."""

    @property
    def cable_a(self) -> float | None:
        """What the plugged cable can carry, by its PP resistor; None: not known."""

    def describe(self) -> str:
        """What is known about it, or why it is silent: a sentence for a person."""

    def shut_down(self) -> None:
        """Withdraw and release the device. Safe to repeat."""
