"""Settings -> Board: opens the parts that are named, in their safe state, or none at all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, Protocol, TypeVar

from hw.outputs import INDICATOR, outputs_of
from hw.pilot import Dialogue, PilotPlug, PolledPilot
from hw.ports import (
    Board,
    BoardError,
    CardReader,
    ConnectorParts,
    Contactor,
    EnergyMeter,
    Indicator,
    Lock,
    PilotController,
    PlugSensor,
    SafetyInput,
    Signal,
)
from hw.register_plausibility import RegisterPlausibility, WatchedMeter
from hw.settings import (
    BoardSettings,
    ConnectorSettings,
    MeterSettings,
    PilotSettings,
    SafetyInputSettings,
)
from hw.simulated.controls import SimulationControls, Subscribers
from hw.simulated.front_panel import SimulatedGridContact, SimulatedIndicator, SimulatedInput
from hw.simulated.outlet import SimulatedOutlet
from hw.simulated.part import InjectedFault, SimulatedFault
from hw.simulated.reader import SimulatedReader

logger = logging.getLogger(__name__)

SAFETY_FAULTS = {
    "emergency_stop": SimulatedFault.EMERGENCY_STOP,
    "residual_current": SimulatedFault.RESIDUAL_CURRENT,
    "door": SimulatedFault.DOOR,
}


def open_board(
    settings: BoardSettings,
    clock: Callable[[], float],
    pin_factory: Any = None,
    simulate: bool = False,
) -> Board:
    """Open every part that the settings name; BoardError, and nothing left open, if one fails.

    ``clock`` gives monotonic seconds, the same clock as for ``step``. ``pin_factory`` is a
    gpiozero factory; without one the board's own is opened when the first pin is needed.
    ``simulate`` puts a simulated twin in the place of every part, also of those that the settings
    leave out, except a lock that is left out: then the cable is fixed.
    """
    with ExitStack() as opened:
        board = _Assembly(settings, clock, pin_factory, simulate, opened).assemble()
        opened.pop_all()
        logger.info("outputs are safe")
        return board


class NoIndicator:
    """A box without lights."""

    def show(self, signal: Signal, flashes: int = 0) -> None:
        """Log it, for a person who looks for a light."""
        logger.debug("No indicator is fitted to show: %s", signal.value)

    def shut_down(self) -> None:
        """Nothing to release."""


class _Part(Protocol):
    def shut_down(self) -> None: ...


_P = TypeVar("_P", bound=_Part)


class _Assembly:
    def __init__(
        self,
        settings: BoardSettings,
        clock: Callable[[], float],
        pin_factory: Any,
        simulate: bool,
        opened: ExitStack,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._pin_factory = pin_factory
        self._simulate = simulate
        self._opened = opened
        self._subscribers = Subscribers()
        self._real_count = 0
        self._simulated_count = 0
        self._claim: Any = None  # gives an output that was claimed at the beginning

    def assemble(self) -> Board:
        self._claim_outputs()
        outlets = {c.id: self._outlet(c) for c in self._settings.connectors}
        # Every contactor before anything else: a meter's package takes long to import.
        self._open_contactors(outlets)
        connectors = tuple(self._connector(c, outlets[c.id]) for c in self._settings.connectors)
        reader = self._reader()
        inputs = self._inputs()
        grid_contact = self._grid_contact()
        is_simulated = self._real_count == 0
        if is_simulated:  # a simulated box has everything that can go wrong
            for name, fault in SAFETY_FAULTS.items():
                inputs.setdefault(name, SimulatedInput(self._clock, fault))
            grid_contact = grid_contact or SimulatedGridContact(self._clock)
        return Board(
            connectors=connectors,
            reader=reader,
            safety_inputs=inputs,
            indicator=self._indicator(is_simulated),
            grid_contact=grid_contact,
            simulation=self._controls(outlets, reader, inputs, grid_contact),
            is_polled=not is_simulated,
        )

    def _claim_outputs(self) -> None:
        """Every output of every connector is off before anything may fail for another."""
        outputs, _ = outputs_of(asdict(self._settings))
        wanted = [output for output in outputs if output.kind != INDICATOR]
        if self._simulate or not wanted:
            return
        from hw.gpio import Outputs

        claimed = Outputs(self._pins())
        self._opened.callback(claimed.close)
        self._claim = claimed.take
        _raise_all(claimed.claim(wanted))

    def _open_contactors(self, outlets: dict[int, SimulatedOutlet]) -> None:
        problems = []
        for settings in self._settings.connectors:
            outlet = outlets[settings.id]
            try:
                outlet.contactor = self._contactor(settings, outlet)
            except BoardError as problem:
                problems.append(str(problem))
        _raise_all(problems)

    def _indicator(self, is_simulated: bool) -> Indicator:
        settings = self._settings.indicator
        if is_simulated or settings.driver == "simulated":
            return SimulatedIndicator(self._clock)
        if settings.driver == "none":
            return NoIndicator()
        from hw.indicator import open_indicator

        indicator = self._keep(open_indicator(settings, self._clock, self._pins()))
        indicator.start()
        return indicator

    def _controls(
        self,
        outlets: dict[int, SimulatedOutlet],
        reader: CardReader | None,
        inputs: dict[str, SafetyInput],
        grid_contact: SafetyInput | None,
    ) -> SimulationControls | None:
        if self._simulated_count == 0:
            return None
        controls = SimulationControls(
            outlets,
            reader if isinstance(reader, SimulatedReader) else None,
            {name: part for name, part in inputs.items() if isinstance(part, SimulatedInput)},
            self._subscribers,
            self._settings.simulation.one_reader_each,
            grid_contact if isinstance(grid_contact, SimulatedGridContact) else None,
        )
        for fault in self._settings.simulation.faults:
            try:
                if fault.error_code in controls.fault_names:
                    controls.fault(fault.connector, fault.error_code)
                else:
                    controls.inject(fault.connector, InjectedFault(fault.error_code))
            except ValueError as error:
                raise BoardError(f"simulation.faults: {error}") from error
        return controls

    def _outlet(self, settings: ConnectorSettings) -> SimulatedOutlet:
        return SimulatedOutlet(settings, self._settings, self._clock, self._subscribers.notify)

    def _connector(self, settings: ConnectorSettings, outlet: SimulatedOutlet) -> ConnectorParts:
        assert outlet.contactor is not None
        outlet.lock = lock = self._lock(settings, outlet)
        outlet.pilot = pilot = self._pilot(settings, outlet)
        outlet.plug = plug = self._plug(settings, outlet, pilot)
        meter = self._watched_meter(settings.meter, settings.id, outlet)
        return ConnectorParts(settings.id, outlet.contactor, lock, plug, pilot, meter)

    def _contactor(self, settings: ConnectorSettings, outlet: SimulatedOutlet) -> Contactor:
        if self._is_simulated(settings.contactor):
            return self._simulated(outlet.make_contactor())
        from hw.gpio import open_contactor

        part, clock, pins = settings.contactor, self._clock, self._pins()
        return self._real(open_contactor(settings.id, part, clock, pins, self._claim))

    def _lock(self, settings: ConnectorSettings, outlet: SimulatedOutlet) -> Lock | None:
        if settings.lock.driver == "none":
            return None
        if self._is_simulated(settings.lock):
            return self._simulated(outlet.make_lock())
        from hw.gpio import open_lock

        part, clock, pins = settings.lock, self._clock, self._pins()
        return self._real(open_lock(settings.id, part, clock, pins, self._claim))

    def _pilot(
        self, settings: ConnectorSettings, outlet: SimulatedOutlet
    ) -> PilotController | None:
        if self._is_simulated(settings.pilot):
            return self._simulated(outlet.make_pilot())
        if settings.pilot.driver == "none":
            return None

        def open_pilot() -> PolledPilot:
            return PolledPilot(
                open_dialogue(settings.pilot, self._clock), self._clock, settings.pilot.ventilation
            )

        pilot = self._real(_opened(f"connector {settings.id} pilot", open_pilot))
        pilot.start()
        return pilot

    def _plug(
        self, settings: ConnectorSettings, outlet: SimulatedOutlet, pilot: PilotController | None
    ) -> PlugSensor | None:
        if self._is_simulated(settings.plug):
            return self._simulated(outlet.make_plug())
        if settings.plug.driver == "none":
            return None
        if settings.plug.driver == "pilot":
            assert pilot is not None  # the settings say so
            return PilotPlug(pilot)
        from hw.gpio import GpioPlugSensor

        return self._real(GpioPlugSensor(settings.id, settings.plug, self._pins()))

    def _watched_meter(
        self, settings: MeterSettings, connector_id: int, outlet: SimulatedOutlet
    ) -> EnergyMeter | None:
        """Every meter is watched: its register never runs backwards, nonsense is an error."""
        if self._is_simulated(settings):
            meter: EnergyMeter = self._simulated(outlet.make_meter())
        elif settings.driver == "none":
            return None
        else:

            def open_meter() -> EnergyMeter:
                from hw.modbus_meter import ModbusMeter

                return ModbusMeter(settings)

            meter = self._real(_opened(f"connector {connector_id} meter", open_meter))
        outlet.meter = meter
        box = self._settings
        max_power_w = box.max_current_a * box.phases * box.nominal_voltage_v
        name = f"connector {connector_id} meter"
        watch = RegisterPlausibility(max_power_w)
        if self._is_simulated(settings):
            # Where it begins is known: a first answer of 0 needs no second one.
            watch.resume(self._settings.simulation.meter_start_wh, 0.0)
        return WatchedMeter(name, meter, watch, self._clock)

    def _reader(self) -> CardReader | None:
        settings = self._settings.reader
        if self._is_simulated(settings):
            return self._simulated(SimulatedReader(self._clock))
        if settings.driver == "none":
            return None

        def open_reader() -> CardReader:
            if settings.driver == "mfrc522":
                from hw.mfrc522_reader import Mfrc522Reader

                return Mfrc522Reader(settings, self._clock, self._pins())
            from hw.serial_reader import SerialReader

            return SerialReader(settings, self._clock)

        return self._real(_opened(f"reader ({settings.driver})", open_reader))

    def _inputs(self) -> dict[str, SafetyInput]:
        inputs: dict[str, SafetyInput] = {}
        for name, fault in SAFETY_FAULTS.items():
            settings: SafetyInputSettings | None = getattr(self._settings.inputs, name)
            if settings is None:
                continue
            if self._is_simulated(settings):
                inputs[name] = self._simulated(SimulatedInput(self._clock, fault))
            else:
                from hw.gpio import GpioSafetyInput

                inputs[name] = self._real(GpioSafetyInput(name, settings, self._pins()))
        if self._settings.inputs.temperature is not None and not self._simulate:
            from hw.w1_temperature import W1Temperature

            sensor = self._real(W1Temperature(self._settings.inputs.temperature, self._clock))
            sensor.start()
            inputs["temperature"] = sensor
        return inputs

    def _grid_contact(self) -> SafetyInput | None:
        settings = self._settings.inputs.grid_limit
        if settings is None:
            return None
        if self._is_simulated(settings):
            return self._simulated(SimulatedGridContact(self._clock))
        from hw.gpio import GpioSafetyInput

        return self._real(GpioSafetyInput("grid_limit", settings, self._pins()))

    def _is_simulated(self, settings: Any) -> bool:
        return self._simulate or settings.driver == "simulated"

    def _simulated(self, part: _P) -> _P:
        self._simulated_count += 1
        return self._keep(part)

    def _real(self, part: _P) -> _P:
        self._real_count += 1
        return self._keep(part)

    def _keep(self, part: _P) -> _P:
        self._opened.callback(part.shut_down)
        return part

    def _pins(self) -> Any:
        if self._pin_factory is None:
            from hw.gpio import open_pin_factory

            self._pin_factory = open_pin_factory()
            self._opened.callback(self._pin_factory.close)
        return self._pin_factory


def open_dialogue(settings: PilotSettings, clock: Callable[[], float]) -> Dialogue:
    """The language of the controller that the settings name; nothing is opened yet."""
    if settings.driver == "openevse":
        from hw.openevse import OpenEvse

        return OpenEvse(settings, clock)
    from hw.evse_wb import EvseWb

    return EvseWb(settings, clock)


def _raise_all(problems: list[str]) -> None:
    if problems:
        raise BoardError("; ".join(problems))


def _opened(part: str, open_part: Callable[[], _P]) -> _P:
    """Open a part; whatever keeps it from opening becomes a BoardError that names it."""
    try:
        return open_part()
    except BoardError:
        raise
    except ImportError as error:
        raise BoardError(f"{part}: a package is missing: {error}") from error
    except (OSError, ValueError) as error:
        raise BoardError(f"{part}: {error}") from error
