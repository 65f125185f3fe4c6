"""The levers of the simulated world: driver, car and bad luck."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hw.simulated.front_panel import SimulatedGridContact, SimulatedInput
from hw.simulated.outlet import SimulatedOutlet
from hw.simulated.part import FAULT_NAMES, InjectedFault, SimulatedFault, SimulatedPart
from hw.simulated.reader import SimulatedReader
from hw.simulated.vehicle import SimulatedPilot, SimulatedPlug


class Subscribers:
    """Who wants to know that something in the simulated world has changed."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []

    def add(self, on_change: Callable[[], None]) -> None:
        """Call this from now on, after each change."""
        self._callbacks.append(on_change)

    def notify(self) -> None:
        """Something has changed."""
        for on_change in tuple(self._callbacks):
            on_change()


class SimulationControls:
    """Plays driver, car and bad luck on the simulated parts of a board.

    Every method raises ValueError, with a sentence for a person, for an unknown connector, an
    unknown fault, or a part that is not simulated on this board.

    ``on_change`` is called after every lever, and when an order to a simulated pilot changed what
    the car shows; it should only wake the thread that steps the board, since it may be called
    from within an order. For what changes later by itself see ``due_at`` of contactor and lock.
    """

    fault_names: tuple[str, ...] = FAULT_NAMES

    def __init__(
        self,
        outlets: Mapping[int, SimulatedOutlet],
        reader: SimulatedReader | None,
        inputs: Mapping[str, SimulatedInput],
        subscribers: Subscribers,
        one_reader_each: bool = False,
        grid_contact: SimulatedGridContact | None = None,
    ) -> None:
        self._outlets = outlets
        self._one_reader_each = one_reader_each
        self._reader = reader
        self._inputs = inputs
        self._grid_contact = grid_contact
        self._subscribers = subscribers
        self._times_mended = dict.fromkeys(outlets, 0)

    def subscribe(self, on_change: Callable[[], None]) -> None:
        """Call ``on_change`` after each change of the simulated world."""
        self._subscribers.add(on_change)

    def plug(self, connector_id: int, asks: bool = True) -> None:
        """Plug the car in; if it ``asks``, it does so as soon as current is offered."""
        outlet = self._outlet_with_socket(connector_id)
        if not outlet.vehicle.is_plugged:
            outlet.settle()
            outlet.vehicle.plug(asks)
        self._subscribers.notify()

    def unplug(self, connector_id: int, by_force: bool = False) -> None:
        """Pull the plug out; ValueError while the lock holds it, unless ``by_force``.

        No effect without a plug.
        """
        outlet = self._outlet_with_socket(connector_id)
        if outlet.vehicle.is_plugged or outlet.vehicle.is_cable_left:
            if outlet.holds_plug() and not by_force:
                raise ValueError(f"connector {connector_id}: the lock holds the plug")
            outlet.settle()
            outlet.vehicle.unplug()
        self._subscribers.notify()

    def drive_off(self, connector_id: int) -> None:
        """Pull the cable off the car; its other end stays in the socket until ``unplug``."""
        outlet = self._outlet_with_socket(connector_id)
        if outlet.vehicle.is_plugged:
            outlet.settle()
            outlet.vehicle.drive_off()
        self._subscribers.notify()

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
        if self._reader is None:
            raise ValueError("the card reader is not simulated")
        at = None
        if self._one_reader_each:
            at = min(self._outlets) if connector_id is None else connector_id
            self._outlet(at)
        is_seen = self._reader.tap(uid_or_code, is_code, at, request_id)
        self._subscribers.notify()
        return is_seen

    def energy(self, connector_id: int, wanted: bool) -> None:
        """The car begins or ceases to ask for energy, until it is unplugged."""
        outlet = self._outlet(connector_id)
        if not isinstance(outlet.pilot, SimulatedPilot):
            raise ValueError(
                f"connector {connector_id}: its pilot is not simulated, so the car cannot ask"
            )
        if outlet.vehicle.wants_energy != wanted:
            outlet.settle()
            outlet.vehicle.want_energy(wanted)
        self._subscribers.notify()

    def power(self, connector_id: int, power_w: float) -> None:
        """Let the car draw this much from now on, if it may; with 0 it asks no more."""
        if power_w < 0:
            raise ValueError(f"a car draws 0 W or more, not {power_w:g}")
        outlet = self._outlet_with_socket(connector_id)
        outlet.settle()
        outlet.vehicle.draw(power_w)
        self._subscribers.notify()

    def inject(self, connector_id: int, fault: InjectedFault) -> None:
        """Let the connector report this fault; ValueError when its contactor is real."""
        outlet = self._outlet(connector_id)
        if "contactor" not in outlet.simulated_names():
            raise ValueError(f"connector {connector_id}: its contactor is not simulated")
        outlet.inject(fault)
        self._subscribers.notify()

    def injected(self, connector_id: int) -> InjectedFault | None:
        """The fault that was injected into this connector and is not mended."""
        return self._outlet(connector_id).injected

    def is_broken(self, connector_id: int) -> bool:
        """True while ``clear`` has something to mend."""
        outlet = self._outlet(connector_id)
        parts = [*outlet.simulated_parts(), *self._shared_parts()]
        return outlet.injected is not None or any(part.faults for part in parts)

    def simulated_parts(self, connector_id: int) -> frozenset[str]:
        """Names of the parts that are simulated, the reader of the box among them."""
        names = self._outlet(connector_id).simulated_names()
        return names if self._reader is None else names | {"reader"}

    @property
    def is_grid_limited(self) -> bool | None:
        """True while the grid operator limits the box; None: its contact is not simulated."""
        return None if self._grid_contact is None else self._grid_contact.is_tripped

    def grid_limit(self, is_limited: bool) -> None:
        """Let the grid operator limit the box by its contact, or no longer."""
        if self._grid_contact is None:
            raise ValueError("the grid operator's contact is not simulated")
        self._grid_contact.limit(is_limited)
        self._subscribers.notify()

    def fault(self, connector_id: int, name: str) -> None:
        """Break what this fault breaks, on the connector or on the whole box."""
        outlet = self._outlet(connector_id)
        if name not in self.fault_names:
            names = ", ".join(self.fault_names)
            raise ValueError(f"there is no fault {name[:40]!r}; the faults are {names}")
        fault = SimulatedFault(name)
        part = outlet.part_with(fault)
        if part is None:
            part = next((part for part in self._shared_parts() if fault in part.can_fail), None)
        if part is None:
            raise ValueError(
                f"connector {connector_id}: no simulated part of it can have the fault {name}"
            )
        part.fail(fault)
        self._subscribers.notify()

    def clear(self, connector_id: int) -> None:
        """Mend this connector and what the whole box shares."""
        outlet = self._outlet(connector_id)
        for part in [*outlet.simulated_parts(), *self._shared_parts()]:
            part.mend()
        outlet.inject(None)
        self._times_mended[connector_id] += 1
        self._subscribers.notify()

    def times_mended(self, connector_id: int) -> int:
        """How often ``clear`` was called on this connector: a person has looked at it."""
        self._outlet(connector_id)
        return self._times_mended[connector_id]

    def _outlet(self, connector_id: int) -> SimulatedOutlet:
        outlet = self._outlets.get(connector_id)
        if outlet is None:
            ids = ", ".join(str(known) for known in self._outlets)
            raise ValueError(f"there is no connector {connector_id}; this box has {ids}")
        return outlet

    def _outlet_with_socket(self, connector_id: int) -> SimulatedOutlet:
        outlet = self._outlet(connector_id)
        if not isinstance(outlet.plug, SimulatedPlug) and not isinstance(
            outlet.pilot, SimulatedPilot
        ):
            raise ValueError(f"connector {connector_id}: neither plug nor pilot is simulated")
        return outlet

    def _shared_parts(self) -> list[SimulatedPart]:
        reader = [] if self._reader is None else [self._reader]
        return [*reader, *self._inputs.values()]
