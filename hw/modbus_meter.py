"""Energy meters on RS-485 (Modbus RTU), one or several on one port.

The register tables are data, in ``hw.meter_models``. pymodbus is imported when the first meter is
opened. There is no retry in here: a failed read raises MeterError, and the caller reads again at
its next turn (three failures in a row are worth a fault, one is not).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hw.meter_models import MAX_BLOCK_REGISTERS, MODELS, Block, MeterModel, decode
from hw.modbus_port import ModbusPort, NoAnswer, PortProblem
from hw.ports import BoardError, MeterError, MeterReading
from hw.settings import MeterSettings

if TYPE_CHECKING:
    from pymodbus.client import ModbusSerialClient

Clock = Callable[[], float]
Sleep = Callable[[float], None]

PAUSE_S = 0.05
"""Silence between two requests, so that slow meters notice where a frame ends."""

_BITS_PER_CHARACTER = 11  # the longest form: start, eight data bits, parity, stop
_REQUEST_BYTES = 8
_ANSWER_OVERHEAD_BYTES = 5  # unit id, function code, byte count, checksum


class ModbusMeter:
    """One energy meter on a Modbus RTU bus. Implements ``EnergyMeter``.

    The port may be absent: then ``read`` raises MeterError, and works as soon as it is there.
    Meters on one port share one open port and take turns; each belongs to one connector.
    """

    def __init__(
        self, settings: MeterSettings, clock: Clock = time.monotonic, sleep: Sleep = time.sleep
    ) -> None:
        """BoardError for settings that cannot work, alone or beside the others on this port."""
        model = MODELS.get(settings.driver)
        if model is None:
            known = ", ".join(sorted(MODELS))
            raise BoardError(f'meter driver "{settings.driver}" is none of {known}')
        if not settings.port:
            raise BoardError(f"the {model.name} meter has no port")
        self._model = model
        self._unit_id = settings.unit_id
        self._bus: _Bus | None = _join_bus(settings, clock, sleep)

    def read(self) -> MeterReading:
        """One reading, in Wh, W, V, A, Hz.

        Blocks for the wire time and at most the timeout, longer when another meter has its turn or
        the bus must become quiet after a failure. MeterError says in a sentence what to check.
        """
        bus = self._bus
        if bus is None:
            raise MeterError(f"the {self._model.name} meter was shut down")
        return decode(self._model, bus.read_blocks(self._model, self._unit_id))

    def resume(self, reported_wh: float, offset_wh: float) -> None:
        """Nothing: it keeps its register by itself."""

    def shut_down(self) -> None:
        """Leave the bus; the last meter closes the port. Safe to repeat."""
        bus, self._bus = self._bus, None
        if bus is not None:
            _leave_bus(bus, self._unit_id)


# --- the buses: one per port, shared by its meters -----------------------------------------------


@dataclass(frozen=True, slots=True)
class _PortSettings:
    """Serial settings that all meters on one port must share: one stop bit, eight data bits."""

    baud: int
    parity: str
    timeout_s: float

    def __str__(self) -> str:
        return f"{self.baud} baud, parity {self.parity}, timeout {self.timeout_s} s"

    @property
    def answer_timeout_s(self) -> float:
        """``timeout_s`` is the meter's time to think; the longest block's wire time comes on top.

        So one setting fits all speeds: 165 bytes take 0.2 s at 9600 baud, 0.8 s at 2400.
        """
        characters = _REQUEST_BYTES + _ANSWER_OVERHEAD_BYTES + 2 * MAX_BLOCK_REGISTERS
        return self.timeout_s + characters * _BITS_PER_CHARACTER / self.baud


_buses: dict[str, _Bus] = {}
_buses_lock = threading.Lock()


def _join_bus(settings: MeterSettings, clock: Clock, sleep: Sleep) -> _Bus:
    key = os.path.realpath(settings.port)
    line = _PortSettings(settings.baud, settings.parity, settings.timeout_s)
    with _buses_lock:
        bus = _buses.get(key)
        if bus is None:
            bus = _buses[key] = _Bus(key, settings.port, line, clock, sleep)
        elif bus.line != line:
            raise BoardError(
                f"the meters on {settings.port} have different serial settings: {bus.line}; "
                f"unit {settings.unit_id}: {line}. All meters on one port need the same"
            )
        elif settings.unit_id in bus.unit_ids:
            raise BoardError(
                f"two meters on {settings.port} have unit id {settings.unit_id}; "
                "give each meter its own"
            )
        bus.unit_ids.add(settings.unit_id)
        return bus


def _leave_bus(bus: _Bus, unit_id: int) -> None:
    with _buses_lock:
        bus.unit_ids.discard(unit_id)
        if bus.unit_ids:
            return
        del _buses[bus.key]
    bus.close()


class _Bus:
    def __init__(
        self, key: str, port: str, line: _PortSettings, clock: Clock, sleep: Sleep
    ) -> None:
        self.key = key
        self.line = line
        self.unit_ids: set[int] = set()
        self._path = port
        self._lock = threading.Lock()
        self._port = ModbusPort(
            port,
            "the meter",
            baud=line.baud,
            parity=line.parity,
            answer_timeout_s=line.answer_timeout_s,
            pause_s=PAUSE_S,
            clock=clock,
            sleep=sleep,
        )

    def read_blocks(self, model: MeterModel, unit_id: int) -> dict[int, int]:
        """All registers of the model's blocks by wire address, with the bus for itself."""
        words: dict[int, int] = {}
        with self._lock:
            for block in model.blocks:
                answer = self._ask(model, unit_id, block)
                words.update(enumerate(answer, start=block.address))
        return words

    def close(self) -> None:
        """Close the port, after the request under way."""
        with self._lock:
            self._port.close()

    def _ask(self, model: MeterModel, unit_id: int, block: Block) -> list[int]:
        who = f"the {model.name} meter with unit id {unit_id} on {self._path}"

        def ask(client: ModbusSerialClient) -> Any:
            read = client.read_input_registers
            if model.function_code == 3:
                read = client.read_holding_registers
            return read(block.address, count=block.count, device_id=unit_id)

        try:
            answer = self._port.exchange(ask)
        except NoAnswer as error:
            raise MeterError(
                f"{who} does not answer: check its wiring (A and B swapped?), its supply, "
                f"unit id, baud rate ({self.line.baud}) and parity ({self.line.parity})"
            ) from error
        except PortProblem as problem:
            raise MeterError(str(problem)) from problem
        if answer.isError():
            raise MeterError(
                f"{who} refuses to read {block.count} registers from 0x{block.address:02X} "
                f"(Modbus exception {answer.exception_code}): check that it is a {model.name}"
            )
        if len(answer.registers) != block.count:
            self._port.distrust()
            raise MeterError(
                f"{who} gave {len(answer.registers)} registers, not {block.count}: not used; "
                "check that no other device has this unit id"
            )
        return list(answer.registers)
