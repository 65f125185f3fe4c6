"""The levers of simulated parts: driver, car and bad luck. See ``hw/simulated/``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hw.simulated.part import SimulatedFault

FAULT_NAMES = tuple(fault.value for fault in SimulatedFault)


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """A fault that a simulated connector reports by itself; ``code`` and ``text`` are passed on."""

    code: str
    text: str = ""
    is_emergency_stop: bool = False


class SimulationControls(Protocol):
    """Plays driver, car and bad luck on the simulated parts of a board.

    Every method raises ValueError, with a sentence for a person, for an unknown connector, an
    unknown fault, or a part that is not simulated on this board.
    """

    fault_names: tuple[str, ...]

    def subscribe(self, on_change: Callable[[], None]) -> None:
        """``on_change`` is called after every lever that is pulled, so that idle costs nothing."""

    def plug(self, connector_id: int, asks: bool = True) -> None:
        """Plug the car in. If it ``asks``, it does so as soon as current is offered."""

    def unplug(self, connector_id: int, by_force: bool = False) -> None:
        """Pull the plug out; ValueError while the lock holds it, unless ``by_force``."""

    def drive_off(self, connector_id: int) -> None:
        """Pull the cable off the car; its other end stays in the socket until ``unplug``."""

    def tap(
        self,
        uid_or_code: str,
        is_code: bool = False,
        connector_id: int | None = None,
        request_id: str | None = None,
    ) -> bool:
        """Tap a card: hex of a UID, or a ready-made tag; ``is_code``: a tag, whatever it looks.

        ``connector_id``: at its reader, where each connector has one; None means the first.
        ``request_id`` goes with the card, to be answered. False: the reader hangs.
        """

    def energy(self, connector_id: int, wanted: bool) -> None:
        """The car begins or ceases to ask for energy."""

    def power(self, connector_id: int, power_w: float) -> None:
        """Let the car draw this much from now on, if it may; with 0 it does not ask any more."""

    def fault(self, connector_id: int, name: str) -> None:
        """Break something: one of ``fault_names``."""

    def clear(self, connector_id: int) -> None:
        """Mend what ``fault`` and ``inject`` broke on this connector and on the whole box."""

    def inject(self, connector_id: int, fault: InjectedFault) -> None:
        """Let the connector report this fault, instead of one that it reports already."""

    def injected(self, connector_id: int) -> InjectedFault | None:
        """The fault that the connector reports; None: none was injected, or it is mended."""

    def times_mended(self, connector_id: int) -> int:
        """How often ``clear`` was called: a person has looked at it."""

    def is_broken(self, connector_id: int) -> bool:
        """True while there is something for ``clear`` to mend."""

    def simulated_parts(self, connector_id: int) -> frozenset[str]:
        """The simulated ones of contactor, lock, plug, pilot, meter; and the box's reader."""
