"""Register tables of energy meters, as data, and the pure decoder that reads them.

A new meter is a new ``MeterModel``: no code. Addresses are as sent on the wire (0x0000 is "30001"
in the manuals). Tables of the Eastron SDM family: "SDM120 / SDM230 / SDM630 Modbus protocol",
input registers, function code 4, IEEE-754 float32 in two registers, high word first.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from hw.ports import MeterError, MeterReading
from hw.register_plausibility import REGISTER_MAX_WH

MAX_BLOCK_REGISTERS = 80
"""Most registers that one request may ask for: the read limit of the SDM family."""


class RegisterType(Enum):
    """How a number lies in its registers: struct code; the size follows from it."""

    FLOAT32 = "f"
    INT16 = "h"
    UINT16 = "H"
    INT32 = "i"
    UINT32 = "I"
    INT64 = "q"
    UINT64 = "Q"

    @property
    def register_count(self) -> int:
        """How many 16-bit registers the number fills."""
        return struct.calcsize(">" + self.value) // 2


class Quantity(Enum):
    """What a register measures, in the unit it has after scaling."""

    IMPORT_WH = "import energy (Wh)"
    POWER_W = "power (W)"
    VOLTAGE_V = "voltage (V)"
    CURRENT_A = "current (A)"
    POWER_PHASE_W = "power per phase (W)"
    FREQUENCY_HZ = "frequency (Hz)"
    POWER_FACTOR = "power factor"


DIGITS = {
    Quantity.IMPORT_WH: 0,
    Quantity.POWER_W: 1,
    Quantity.VOLTAGE_V: 2,
    Quantity.CURRENT_A: 3,
    Quantity.POWER_PHASE_W: 1,
    Quantity.FREQUENCY_HZ: 2,
    Quantity.POWER_FACTOR: 3,
}
"""Decimals kept of each quantity: 230.1 V as float32 is 230.10000610..., which was not measured."""


TINY = 1e-9
"""A voltage or frequency is 0 or larger; 230 V with swapped words is 1e-41."""


@dataclass(frozen=True, slots=True)
class Register:
    """One number of a meter: value = what lies there x ``scale``, in the unit of ``quantity``."""

    quantity: Quantity
    address: int
    scale: float = 1.0
    kind: RegisterType = RegisterType.FLOAT32
    phase: int = 0  # 1, 2, 3 for L1, L2, L3; 0 for a value of the whole meter


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring registers that are read by one request."""

    address: int
    count: int


@dataclass(frozen=True, slots=True)
class MeterModel:
    """Everything the driver knows about one type of meter."""

    name: str
    blocks: tuple[Block, ...]
    registers: tuple[Register, ...]
    function_code: int = 4  # 4: input registers, 3: holding registers
    low_word_first: bool = False


def decode(model: MeterModel, words: Mapping[int, int]) -> MeterReading:
    """Turn registers (wire address -> 16-bit word) into one reading.

    MeterError if the energy cannot be true, or if the words are in another order. Whether the rest
    can be true is for ``hw.register_plausibility`` to say: NaN stays NaN, and is never taken for 0.
    """
    totals: dict[Quantity, float] = {}
    phases: dict[Quantity, list[float]] = {}
    for register in sorted(model.registers, key=lambda register: register.phase):
        value = _value(model, register, words)
        if register.phase:
            phases.setdefault(register.quantity, []).append(value)
        else:
            totals[register.quantity] = value
    return MeterReading(
        import_wh=totals[Quantity.IMPORT_WH],
        power_w=totals.get(Quantity.POWER_W),
        voltage_v=tuple(phases.get(Quantity.VOLTAGE_V, ())),
        current_a=tuple(phases.get(Quantity.CURRENT_A, ())),
        power_phase_w=tuple(phases.get(Quantity.POWER_PHASE_W, ())),
        frequency_hz=totals.get(Quantity.FREQUENCY_HZ),
        power_factor=totals.get(Quantity.POWER_FACTOR),
    )


def _value(model: MeterModel, register: Register, words: Mapping[int, int]) -> float:
    """One scaled and rounded value; MeterError if nothing of the reading can be relied on."""
    value = number_at(register, words, low_word_first=model.low_word_first) * register.scale
    quantity = register.quantity
    is_energy = quantity is Quantity.IMPORT_WH
    if is_energy and not math.isfinite(value):
        raise MeterError(
            f"the {model.name} gives {value} as {quantity.value} "
            f"(register 0x{register.address:02X}): the meter is faulty or of another type"
        )
    is_swapped = quantity in (Quantity.VOLTAGE_V, Quantity.FREQUENCY_HZ) and 0 < abs(value) < TINY
    if is_swapped or (is_energy and not 0 <= value <= REGISTER_MAX_WH):
        raise MeterError(
            f"the {model.name} gives {value:g} as {quantity.value}, which cannot be: "
            "its words are in another order, or it is of another type"
        )
    # Adding 0.0 turns -0.0, which a resting meter likes to send, into 0.0.
    return round(value, DIGITS[quantity]) + 0.0


def number_at(
    register: Register, words: Mapping[int, int], *, low_word_first: bool = False
) -> float:
    """The number as it lies in the registers, before scaling."""
    count = register.kind.register_count
    order = [words[register.address + index] for index in range(count)]
    if low_word_first:
        order.reverse()
    data = struct.pack(f">{count}H", *order)
    (number,) = struct.unpack(">" + register.kind.value, data)
    return float(number)


_KILO = 1000.0  # the meters count kWh, the agent counts Wh


def _single_phase_sdm(name: str) -> MeterModel:
    """SDM120 and SDM230: one phase; two blocks, because they leave out what lies between."""
    return MeterModel(
        name=name,
        blocks=(Block(0x00, 0x20), Block(0x46, 0x06)),
        registers=(
            Register(Quantity.VOLTAGE_V, 0x00, phase=1),
            Register(Quantity.CURRENT_A, 0x06, phase=1),
            Register(Quantity.POWER_PHASE_W, 0x0C, phase=1),
            Register(Quantity.POWER_W, 0x0C),
            Register(Quantity.POWER_FACTOR, 0x1E),
            Register(Quantity.FREQUENCY_HZ, 0x46),
            Register(Quantity.IMPORT_WH, 0x48, scale=_KILO),
        ),
    )


_SDM630 = MeterModel(
    name="SDM630",
    blocks=(Block(0x00, 0x50),),
    registers=(
        Register(Quantity.VOLTAGE_V, 0x00, phase=1),
        Register(Quantity.VOLTAGE_V, 0x02, phase=2),
        Register(Quantity.VOLTAGE_V, 0x04, phase=3),
        Register(Quantity.CURRENT_A, 0x06, phase=1),
        Register(Quantity.CURRENT_A, 0x08, phase=2),
        Register(Quantity.CURRENT_A, 0x0A, phase=3),
        Register(Quantity.POWER_PHASE_W, 0x0C, phase=1),
        Register(Quantity.POWER_PHASE_W, 0x0E, phase=2),
        Register(Quantity.POWER_PHASE_W, 0x10, phase=3),
        Register(Quantity.POWER_W, 0x34),
        Register(Quantity.POWER_FACTOR, 0x3E),
        Register(Quantity.FREQUENCY_HZ, 0x46),
        Register(Quantity.IMPORT_WH, 0x48, scale=_KILO),
    ),
)

MODELS = {
    "modbus_sdm120": _single_phase_sdm("SDM120"),
    "modbus_sdm230": _single_phase_sdm("SDM230"),
    "modbus_sdm630": _SDM630,
}
"""The models by the name of their driver in the settings."""
