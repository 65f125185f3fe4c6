"""What stays when the agent ends: cars, plugs, meter registers, and what is broken."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agent.config.settings import Settings
from hw.board import open_board
from hw.ports import Board, ConnectorParts, PilotState
from hw.simulated.contactor import SimulatedContactor
from hw.simulated.lock import SimulatedLock
from hw.simulated.meter import SimulatedMeter
from hw.simulated.part import SimulatedFault
from hw.simulated.vehicle import SimulatedPilot

SHARED = 0  # the connector id of what belongs to the whole box
Moved = Callable[[int, str, str], None]  # connector, part, what


class _Heard(deque[tuple[float, str]]):
    """The memory of a simulated part, with a listener."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(maxlen=20)
        self._tell = tell

    def append(self, item: tuple[float, str]) -> None:
        super().append(item)
        self._tell(item[1])


@dataclass
class Place:
    """One connector, as far as it outlives a process."""

    plugged: bool = False
    wants_energy: bool = True
    power_w: float = 7400.0
    register_wh: float = 0.0
    faults: set[SimulatedFault] = field(default_factory=set)
    stuck_closed: bool = False


class Site:
    """The hardware around the processes. ``moved`` hears of every change of every part."""

    def __init__(self, settings: Settings, moved: Moved, count: Callable[[str], None]) -> None:
        self.board: Board | None = None  # None: nobody drives the parts
        self.places = {connector.id: Place() for connector in settings.connectors}
        self._settings = settings
        self._moved = moved
        self._count = count
        self._shared_faults: set[SimulatedFault] = set()
        self._is_grid_limited = False

    # --- processes come and go ---

    def fit(self, monotonic: Callable[[], float]) -> Board:
        """The parts for a process that starts now, as they stand; on its clock."""
        board = open_board(self._settings.board, monotonic, simulate=True)
        controls = board.simulation
        assert controls is not None
        for parts in board.connectors:
            self._restore(parts, self.places[parts.connector_id], controls)
        first = board.connectors[0].connector_id
        for fault in sorted(self._shared_faults, key=lambda fault: fault.value):
            controls.fault(first, fault.value)
        controls.grid_limit(self._is_grid_limited)
        self.board = board
        for parts in board.connectors:
            self._listen(board, parts)
        for name, contact in board.safety_inputs.items():
            self._hear(board, SHARED, name, contact)
        if board.reader is not None:
            self._hear(board, SHARED, "reader", board.reader)
        return board

    def leave(self) -> None:
        """The process is gone: its outputs float, and everything opens that can."""
        board = self.board
        if board is None:
            return
        for parts in board.connectors:
            self._remember(parts, self.places[parts.connector_id])
        for parts in board.connectors:  # still heard
            contacts = _contacts(parts)
            contacts.set_coil(False)
            self.places[parts.connector_id].stuck_closed = contacts.is_closed
            self.places[parts.connector_id].register_wh = register_wh(parts)
        self.board = None

    def _restore(self, parts: ConnectorParts, place: Place, controls: Any) -> None:
        _meter(parts)._register_wh = place.register_wh
        for fault in sorted(place.faults, key=lambda fault: fault.value):
            controls.fault(parts.connector_id, fault.value)
        if place.plugged:
            controls.plug(parts.connector_id)
            controls.power(parts.connector_id, place.power_w)
            controls.energy(parts.connector_id, place.wants_energy)
        if place.stuck_closed:
            _contacts(parts).position.move(True)

    def _remember(self, parts: ConnectorParts, place: Place) -> None:
        vehicle = _pilot(parts)._vehicle
        place.plugged = vehicle.is_plugged
        place.wants_energy = vehicle.wants_energy
        place.power_w = vehicle.power_w
        place.register_wh = register_wh(parts)
        place.faults = {
            *_contacts(parts).faults,
            *_lock(parts).bolt.faults,
            *_pilot(parts).faults,
            *_meter(parts).faults,
        }

    def _listen(self, board: Board, parts: ConnectorParts) -> None:
        connector_id = parts.connector_id
        for name, part in (
            ("contactor", _contacts(parts)),
            ("bolt", _lock(parts).bolt),
            ("pilot", _pilot(parts)),
            ("vehicle", _pilot(parts)._vehicle),
            ("meter", _meter(parts)),
        ):
            self._hear(board, connector_id, name, part)

    def _hear(self, board: Board, connector_id: int, name: str, part: Any) -> None:
        def tell(what: str) -> None:
            if self.board is board:
                self._moved(connector_id, name, what)

        part.history = _Heard(tell)

    # --- what people can do, with or without a process ---

    def plug(self, connector_id: int, power_w: float) -> None:
        """Put the plug of a car in that can draw so much."""
        place = self.places[connector_id]
        place.plugged, place.power_w, place.wants_energy = True, power_w, True
        if self.board is not None:
            assert self.board.simulation is not None
            self.board.simulation.plug(connector_id)
            self.board.simulation.power(connector_id, power_w)
        else:
            self._moved(connector_id, "vehicle", "plugged in")

    def unplug(self, connector_id: int, by_force: bool = False) -> bool:
        """Pull the plug; False when the lock holds it. Without a process nothing holds it."""
        place = self.places[connector_id]
        if self.board is not None:
            assert self.board.simulation is not None
            try:
                self.board.simulation.unplug(connector_id, by_force)
            except ValueError:
                return False
        else:
            self._moved(connector_id, "vehicle", "unplugged")
        place.plugged, place.wants_energy = False, True
        return True

    def energy(self, connector_id: int, wanted: bool) -> None:
        """The car begins or ceases to ask."""
        self.places[connector_id].wants_energy = wanted
        if self.board is not None:
            assert self.board.simulation is not None
            self.board.simulation.energy(connector_id, wanted)

    def tap(self, tag: str) -> None:
        """Hold a card to the reader."""
        if self.board is not None:
            assert self.board.simulation is not None
            self.board.simulation.tap(tag)

    def is_plugged(self, connector_id: int) -> bool:
        """Where the plug is."""
        return self.places[connector_id].plugged

    def is_flowing(self, connector_id: int) -> bool:
        """What a driver sees on the dashboard of the car."""
        if self.board is None:
            return False
        return self.parts(connector_id).contactor.is_closed

    # --- what can break ---

    def fail(self, connector_id: int, fault: SimulatedFault) -> None:
        """Break a part, of a connector or of the whole box."""
        self._count(f"part: {fault.value}")
        if fault in SHARED_FAULTS:
            self._shared_faults.add(fault)
        else:
            self.places[connector_id].faults.add(fault)
        if self.board is not None:
            assert self.board.simulation is not None
            self.board.simulation.fault(connector_id, fault.value)

    def mend(self, connector_id: int) -> None:
        """Mend a connector and what the box shares."""
        place = self.places[connector_id]
        place.faults.clear()
        place.stuck_closed = False
        self._shared_faults.clear()
        if self.board is not None:
            assert self.board.simulation is not None
            self.board.simulation.clear(connector_id)

    def grid_limit(self, is_limited: bool) -> None:
        """The grid operator limits the box by its contact, or no longer."""
        self._is_grid_limited = is_limited
        if self.board is not None:
            assert self.board.simulation is not None
            self.board.simulation.grid_limit(is_limited)

    # --- what can be seen ---

    def parts(self, connector_id: int) -> ConnectorParts:
        """The parts of a connector; there must be a process."""
        assert self.board is not None
        return next(p for p in self.board.connectors if p.connector_id == connector_id)

    def is_broken(self, connector_id: int) -> bool:
        """True while a part of it, or of the box, has not been mended."""
        place = self.places[connector_id]
        return bool(place.faults or self._shared_faults)

    def is_stuck(self, connector_id: int) -> bool:
        """True when the contacts cannot open, whatever anybody does."""
        return SimulatedFault.WELDED in _contacts(self.parts(connector_id)).faults

    def are_contacts_closed(self, connector_id: int) -> bool:
        """Where the main contacts really are."""
        return self.board is not None and _contacts(self.parts(connector_id)).is_closed

    def offered_a(self, connector_id: int) -> float:
        """What the pilot offers."""
        return _pilot(self.parts(connector_id)).offered_a

    def reason_to_open(self, connector_id: int) -> str | None:
        """What speaks against energy here, as the parts stand; None: nothing."""
        assert self.board is not None
        parts = self.parts(connector_id)
        pilot = _pilot(parts)
        if not pilot._vehicle.is_plugged:
            return "no plug"
        if pilot.state not in (PilotState.C, PilotState.D):
            return f"pilot {pilot.state.value}"
        if not _lock(parts).bolt.is_locked:
            return "not locked"
        tripped = [n for n, contact in self.board.safety_inputs.items() if contact.is_tripped]
        return f"{tripped[0]} tripped" if tripped else None


SHARED_FAULTS = frozenset(
    {
        SimulatedFault.READER_HANG,
        SimulatedFault.EMERGENCY_STOP,
        SimulatedFault.RESIDUAL_CURRENT,
        SimulatedFault.DOOR,
    }
)
LYING_METER = frozenset(
    {SimulatedFault.METER_BACKWARDS, SimulatedFault.METER_NAN, SimulatedFault.METER_SILENT}
)


def register_wh(parts: ConnectorParts) -> float:
    """What the meter has really counted, whatever it says."""
    meter = _meter(parts)
    meter.settle()
    return meter._register_wh


def _contacts(parts: ConnectorParts) -> Any:
    assert isinstance(parts.contactor, SimulatedContactor)
    return parts.contactor.contacts


def _lock(parts: ConnectorParts) -> SimulatedLock:
    assert isinstance(parts.lock, SimulatedLock)
    return parts.lock


def _pilot(parts: ConnectorParts) -> SimulatedPilot:
    assert isinstance(parts.pilot, SimulatedPilot)
    return parts.pilot


def _meter(parts: ConnectorParts) -> SimulatedMeter:
    meter: Any = parts.meter  # watched: what may not be believed is kept back
    found = meter if isinstance(meter, SimulatedMeter) else meter._meter
    assert isinstance(found, SimulatedMeter)
    return found
