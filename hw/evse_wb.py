"""EVSE-WB, EVSE-DIN, SimpleEVSE controllers on Modbus RTU: the dialogue of ``hw.pilot``.

Only register 1000 (the current, volatile) is ever written. Registers from 2000 on are EEPROM and
are only read. The two blocks that are read in turn differ in length, so that a controller which
answers the request before the last one is found out.

Every firmware has registers 1000 to 1006, and most clients read no more. What else one has is asked
once: 1007, with its own account of what is wrong, and 2000 to 2005.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from hw.modbus_port import ModbusPort, NoAnswer, PortProblem
from hw.pilot import CURRENT_MAX_A, PilotReport
from hw.ports import PilotError, PilotFault, PilotState
from hw.settings import PilotSettings

ANSWER_S = 0.5
PAUSE_S = 0.15
"""The controller wants 100 to 200 ms between two requests."""

SILENCES = 3
"""So often it must be silent about registers that it may lack."""

_CURRENT, _LAST, _STATUS = 1000, 1006, 1007
_BOOT_CURRENT, _OPTIONS = 2000, 2005
_HUNDREDTHS = 1 << 7  # option bit: currents in 0.01 A
_IS_OFF = 3  # register 1006: the controller gives no pilot
_FAILURE = 5  # register 1002
_STATES = {1: PilotState.A, 2: PilotState.B, 3: PilotState.C, 4: PilotState.D}
_FAULT_BITS = {
    1: PilotFault.DIODE,
    2: PilotFault.VENTILATION,
    5: PilotFault.SELF_TEST,
}


class _RegistersRefused(PilotError):
    """It has answered, and does not have all of these registers."""


class EvseWb:
    """Speaks to one controller. See ``hw.pilot.Dialogue``."""

    name = "evse_wb"

    def __init__(
        self,
        settings: PilotSettings,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        answer_s: float = ANSWER_S,
    ) -> None:
        """The port may be absent: then ``read`` raises, and works as soon as it is there."""
        self._path = settings.port
        self._unit_id = settings.unit_id
        self._baud = settings.baud or 9600
        self._port = ModbusPort(
            settings.port,
            "the pilot controller",
            baud=self._baud,
            parity="N",
            answer_timeout_s=answer_s,
            pause_s=PAUSE_S,
            clock=clock,
            sleep=sleep,
        )
        self._awake = threading.Event()
        self._is_known = False
        self._scale = 1.0
        self._boot_a: float | None = None
        self._last = _LAST
        self._silences = {_STATUS: 0, _OPTIONS: 0}
        self._firmware = 0
        self._is_whole_next = True
        self._offered = 0  # register 1000, as read or written last

    # --- Dialogue ----------------------------------------------------------------------------

    def read(self) -> PilotReport:
        """Read the status block."""
        if not self._is_known:
            self._get_to_know()
        address = _CURRENT if self._is_whole_next else _CURRENT + 1
        self._is_whole_next = not self._is_whole_next  # also after a failure: never one twice
        words = self._read(address, self._last - address + 1)
        if address == _CURRENT:
            self._offered, words = words[0], words[1:]
        return self._report(words)

    def set_current(self, current_a: int) -> float:
        """Write register 1000; 0 A is a pause."""
        word = round(current_a / self._scale)
        answer = self._exchange(
            lambda client: client.write_registers(_CURRENT, [word], device_id=self._unit_id)
        )
        if answer.isError():
            raise PilotError(f"the pilot controller refuses {current_a} A{_exception(answer)}")
        if (answer.function_code, getattr(answer, "address", None)) != (16, _CURRENT):
            self._port.distrust()
            raise PilotError("the pilot controller answered another question than the one asked")
        self._offered = word
        self._is_whole_next = True  # see what it made of that
        return float(current_a)

    def wait(self, for_s: float) -> None:
        """It says nothing by itself."""
        self._awake.wait(for_s)
        self._awake.clear()

    def wake(self) -> None:
        """End ``wait``."""
        self._awake.set()

    def describe(self) -> str:
        """Its firmware, and what it does by itself after a power cut."""
        if not self._is_known:
            return "EVSE-WB, not heard yet"
        text = f"EVSE-WB, firmware {self._firmware}"
        if self._last < _STATUS:
            text += "; it does not say what is wrong (no register 1007)"
        if self._boot_a is None:
            return f"{text}; what it offers after power-on it does not say"
        boot = "nothing" if self._boot_a == 0 else f"{self._boot_a:g} A by itself"
        hint = "" if self._boot_a == 0 else " (set its register 2000 to 0)"
        return f"{text}; after power-on it offers {boot}{hint}"

    def close(self) -> None:
        """Close the port."""
        self._port.close()

    # --- what it says ------------------------------------------------------------------------

    def _get_to_know(self) -> None:
        self._read(_CURRENT, _LAST - _CURRENT + 1)  # this one every firmware answers
        if self._has(_CURRENT, _STATUS) is not None:
            self._last = _STATUS
        options = self._has(_BOOT_CURRENT, _OPTIONS)
        if options is not None:
            self._scale = 0.01 if options[-1] & _HUNDREDTHS else 1.0
            self._boot_a = options[0] * self._scale
        self._is_known = True

    def _has(self, first: int, last: int) -> list[int] | None:
        """What stands in these registers; None if it does not have them all.

        Then it refuses, or is silent whenever it is asked for them, and for nothing else.
        """
        try:
            return self._read(first, last - first + 1)
        except _RegistersRefused:
            return None
        except PilotError:
            self._silences[last] += 1
            if self._silences[last] < SILENCES:
                raise
            return None

    def _report(self, words: list[int]) -> PilotReport:
        _, vehicle, cable, _, firmware, station, *statuses = words
        cable_a = cable * self._scale if cable > CURRENT_MAX_A else float(cable)
        if vehicle not in (*_STATES, _FAILURE) or not 1 <= station <= 3 or cable_a > CURRENT_MAX_A:
            raise PilotError(
                f"the pilot controller gives nonsense (registers 1001 to {self._last}: {words})"
            )
        self._firmware = firmware
        bits = statuses[0] if statuses else 0
        faults = {fault for bit, fault in _FAULT_BITS.items() if bits >> bit & 1}
        state = _STATES.get(vehicle, PilotState.F)
        if vehicle == _FAILURE and not faults:
            faults = {PilotFault.OTHER}
        if station == _IS_OFF and state in (PilotState.C, PilotState.D):
            state = PilotState.B  # no pilot is given: nothing can be asked for
        return PilotReport(
            state=state,
            is_plugged=vehicle != 1,
            offered_a=self._offered * self._scale,
            faults=frozenset(faults),
            cable_a=cable_a if cable and vehicle != 1 else None,
        )

    # --- the port ----------------------------------------------------------------------------

    def _read(self, address: int, count: int) -> list[int]:
        answer = self._exchange(
            lambda client: client.read_holding_registers(
                address, count=count, device_id=self._unit_id
            )
        )
        if answer.isError():
            raise _RegistersRefused(
                f"the pilot controller refuses to read {count} registers from "
                f"{address}{_exception(answer)}: check that it is an EVSE-WB"
            )
        if answer.function_code != 3 or len(answer.registers) != count:
            self._port.distrust()
            raise PilotError("the pilot controller answered another question than the one asked")
        return list(answer.registers)

    def _exchange(self, ask: Callable[[Any], Any]) -> Any:
        try:
            return self._port.exchange(ask)
        except NoAnswer as error:
            raise PilotError(
                f"the pilot controller with unit id {self._unit_id} on {self._path} does not "
                f"answer: check its supply, its wiring, the baud rate ({self._baud}), and that "
                "Modbus is switched on in it (register 2001)"
            ) from error
        except PortProblem as problem:
            raise PilotError(str(problem)) from problem


def _exception(answer: Any) -> str:
    return f" (Modbus exception {answer.exception_code})"
