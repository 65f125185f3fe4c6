"""Energy meters on RS-485 (Modbus RTU), one or several on one port.

The register tables are data, in ``hw.meter_models``. pymodbus is imported when the first meter is
opened. There is no retry in here: a failed read raises MeterError, and the caller reads again at
its next turn (three failures in a row are worth a fault, one is not).
"""

from __future__ import annotations

import logging
import os
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hw.meter_models import MAX_BLOCK_REGISTERS, MODELS, Block, MeterModel, decode
from hw.ports import BoardError, MeterError, MeterReading
from hw.settings import MeterSettings

if TYPE_CHECKING:
    from pymodbus.client import ModbusSerialClient

Clock = Callable[[], float]
Sleep = Callable[[float], None]

PAUSE_S = 0.05
"""Silence between two requests, so that slow meters notice where a frame ends."""

SLOWEST_ANSWER_S = 1.0
"""A meter that has not begun to answer after this time, beyond the wire time, never will."""

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

    def shut_down(self) -> None:
        """Leave the bus; the last meter closes the port. Safe to repeat."""
        bus, self._bus = self._bus, None
        if bus is not None:
            _leave_bus(bus, self._unit_id)


# --- the buses: one per port, shared by its meters -----------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """Serial settings that all meters on one port must share: one stop bit, eight data bits."""

    baud: int
    parity: str
    timeout_s: float

    @classmethod
    def of(cls, settings: MeterSettings) -> _Line:
        return cls(settings.baud, settings.parity, settings.timeout_s)

    def __str__(self) -> str:
        return f"{self.baud} baud, parity {self.parity}, timeout {self.timeout_s} s"

    @property
    def answer_timeout_s(self) -> float:
        """``timeout_s`` is the meter's time to think; the longest block's wire time comes on top.

        So one setting fits all speeds: 165 bytes take 0.2 s at 9600 baud, 0.8 s at 2400.
        """
        characters = _REQUEST_BYTES + _ANSWER_OVERHEAD_BYTES + 2 * MAX_BLOCK_REGISTERS
        return self.timeout_s + characters * _BITS_PER_CHARACTER / self.baud

    @property
    def quiet_s(self) -> float:
        """How long a bus must rest after a failure until no late answer can come any more."""
        return SLOWEST_ANSWER_S + self.answer_timeout_s


_buses: dict[str, _Bus] = {}
_buses_lock = threading.Lock()


def _join_bus(settings: MeterSettings, clock: Clock, sleep: Sleep) -> _Bus:
    """The bus of this port, opened by its first meter."""
    key = os.path.realpath(settings.port)
    line = _Line.of(settings)
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
    """One serial port: one request at a time, and silence after a failure."""

    def __init__(self, key: str, port: str, line: _Line, clock: Clock, sleep: Sleep) -> None:
        # pymodbus logs every unanswered request as an error; MeterError says it once, and better.
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
        from pymodbus.client import ModbusSerialClient

        self.key = key
        self.line = line
        self.unit_ids: set[int] = set()
        self._port = port
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at_s = clock()
        # retries=0: a retry inside the client would take a late answer for its own.
        self._client: ModbusSerialClient = ModbusSerialClient(
            port,
            baudrate=line.baud,
            parity=line.parity,
            timeout=line.answer_timeout_s,
            retries=0,
        )

    def read_blocks(self, model: MeterModel, unit_id: int) -> dict[int, int]:
        """All registers of the model's blocks by wire address, with the bus for itself."""
        words: dict[int, int] = {}
        with self._lock:
            for block in model.blocks:
                answer = self._exchange(model, unit_id, block)
                words.update(enumerate(answer, start=block.address))
        return words

    def close(self) -> None:
        """Close the port, after the request under way."""
        with self._lock:
            self._close_port()

    def _close_port(self) -> None:
        self._client.close()  # type: ignore[no-untyped-call]  # pymodbus left it without types

    def _exchange(self, model: MeterModel, unit_id: int, block: Block) -> list[int]:
        """One request and its answer. After a failure the bus rests before the next request.

        Modbus RTU numbers neither requests nor answers: an answer that comes too late would be
        taken for the answer to the next request, with no error to see.
        """
        self._wait_until_free()
        self._open()
        rest_s = self.line.quiet_s
        try:
            answer = self._ask(model, unit_id, block)
            rest_s = PAUSE_S
            return answer
        finally:
            self._free_at_s = self._clock() + rest_s

    def _wait_until_free(self) -> None:
        left_s = self._free_at_s - self._clock()
        if left_s > 0:
            self._sleep(left_s)

    def _open(self) -> None:
        """Open the port if it is not, and throw away what came in meanwhile."""
        if not self._client.connect():
            raise MeterError(self._why_not_open())
        port = self._client.socket
        assert port is not None  # connect() said so
        try:
            port.reset_input_buffer()
        except (OSError, termios.error) as error:
            self._close_port()
            raise MeterError(self._unplugged()) from error

    def _ask(self, model: MeterModel, unit_id: int, block: Block) -> list[int]:
        from pymodbus.exceptions import ConnectionException, ModbusIOException

        read = self._client.read_input_registers
        if model.function_code == 3:
            read = self._client.read_holding_registers
        who = f"the {model.name} meter with unit id {unit_id} on {self._port}"
        try:
            answer = read(block.address, count=block.count, device_id=unit_id)
        except ModbusIOException as error:
            raise MeterError(
                f"{who} does not answer: check its wiring (A and B swapped?), its supply, "
                f"unit id, baud rate ({self.line.baud}) and parity ({self.line.parity})"
            ) from error
        except (ConnectionException, OSError, termios.error) as error:
            self._close_port()
            raise MeterError(self._unplugged()) from error
        if answer.isError():
            raise MeterError(
                f"{who} refuses to read {block.count} registers from 0x{block.address:02X} "
                f"(Modbus exception {answer.exception_code}): check that it is a {model.name}"
            )
        if len(answer.registers) != block.count:
            raise MeterError(
                f"{who} gave {len(answer.registers)} registers, not {block.count}: not used; "
                "check that no other device has this unit id"
            )
        return list(answer.registers)

    def _unplugged(self) -> str:
        return f"the port {self._port} of the meter failed: check that its adapter is plugged in"

    def _why_not_open(self) -> str:
        """A sentence for a port that cannot be opened."""
        if not os.path.exists(self._port):
            return f"the port {self._port} of the meter is not there: check that it is plugged in"
        if not os.access(self._port, os.R_OK | os.W_OK):
            return (
                f"the port {self._port} of the meter may not be opened: "
                "check that this user is in the group dialout"
            )
        return (
            f"the port {self._port} of the meter cannot be opened: "
            "check that no other program uses it, and that it is a serial port"
        )
