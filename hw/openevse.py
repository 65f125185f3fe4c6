"""OpenEVSE controllers on a serial line (RAPI, 115200 8N1): the dialogue of ``hw.pilot``.

Nothing is ever written to the controller's EEPROM cyclically: the current is set with ``SC .. V``
(volatile), and the heartbeat supervision, which the controller keeps, is sent once per connection
and is the same each time. Safety checks of the controller are never switched off.
"""

from __future__ import annotations

import logging
import os
import termios
import threading
import time
from collections.abc import Callable
from typing import Any

from hw.pilot import PilotReport
from hw.ports import BoardError, PilotError, PilotFault, PilotState
from hw.rapi import LineSplitter, RapiAnswer, Spontaneous, command, parse
from hw.settings import PilotSettings

logger = logging.getLogger(__name__)

ANSWER_S = 0.5
QUIET_S = 1.0
"""After a failure of a controller that does not number its answers: no late one can come then."""
SETTINGS_EVERY_S = 1.0
HEARTBEAT_EVERY_S = 5.0
HEARTBEAT = "SY 20 6"
"""Without a heartbeat for 20 s the controller goes down to 6 A, its smallest current."""
_ACKNOWLEDGE_MISSED = "SY 165"
# What pyserial raises when the adapter is pulled; termios.error is no OSError.
_PULLED = (OSError, TypeError, ValueError, termios.error)

_STATES = {1: PilotState.A, 2: PilotState.B, 3: PilotState.C, 4: PilotState.D}
_FAULTS = {
    0x05: PilotFault.DIODE,
    0x06: PilotFault.RESIDUAL_CURRENT,
    0x07: PilotFault.GROUND,
    0x08: PilotFault.RELAY_STUCK,
    0x09: PilotFault.SELF_TEST,
    0x0A: PilotFault.HEAT,
    0x0B: PilotFault.OVER_CURRENT,
    0x0E: PilotFault.RELAY_OPEN,
}
_ASLEEP = (0xFE, 0xFF)  # sleeping, disabled
_AUTH_LOCKED, _VEHICLE, _BOOT_LOCKED = 0x0008, 0x0100, 0x4000
_CHECKS_OFF = {
    0x0002: "diode",
    0x0008: "ground",
    0x0010: "stuck relay",
    0x0200: "residual current self-test",
    0x0400: "temperature",
}


class OpenEvse:
    """Speaks RAPI. See ``hw.pilot.Dialogue``."""

    name = "openevse"

    def __init__(
        self,
        settings: PilotSettings,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        answer_s: float = ANSWER_S,
    ) -> None:
        """The port may be absent: then ``read`` raises, and works as soon as it is there."""
        try:
            import serial
        except ImportError as cause:
            raise BoardError(f"the pilot controller needs the package pyserial: {cause}") from cause
        self._serial_class: Any = serial.Serial
        self._path = settings.port
        self._baud = settings.baud or 115_200
        self._clock = clock
        self._sleep = sleep
        self._answer_s = answer_s
        self._free_at_s = clock()
        self._awake = threading.Event()
        self._splitter = LineSplitter()
        self._port: Any = None
        self._forget()

    def _forget(self) -> None:
        """Nothing is known about the controller: it was not there, or has booted."""
        self._is_greeted = False
        self._numbers_answers = True
        self._checks_answers = True
        self._has_heartbeat = True
        self._sequence = 0
        self._is_auth_locked = False
        self._version = ""
        self._checks_off: tuple[str, ...] = ()
        self._amps = 0
        self._settings_at_s = self._heartbeat_at_s = self._clock()
        self._evse_state = 0
        self._pilot_seen = 1
        self._tells_connection = True

    # --- Dialogue ----------------------------------------------------------------------------

    def read(self) -> PilotReport:
        """Ask for the state; now and then for the current, and beat the heart."""
        self._open()
        if not self._is_greeted:
            self._greet()
        words = self._ask("GS")
        if len(words) < 2:
            raise PilotError(f"OpenEVSE gave {len(words)} words about its state, not 2, 3 or 4")
        now_s = self._clock()
        if now_s >= self._settings_at_s:
            self._settings_at_s = now_s + SETTINGS_EVERY_S
            self._read_settings()
        if self._has_heartbeat and now_s >= self._heartbeat_at_s:
            self._heartbeat_at_s = now_s + HEARTBEAT_EVERY_S
            self._beat()
        return self._report(words)

    def set_current(self, current_a: int) -> float:
        """Sleep, or set the current and wake up. Returns what the controller took."""
        self._open()
        if current_a == 0:
            self._ask("FS")
            return 0.0
        taken_a = self._set_amps(current_a)
        if taken_a <= current_a and self._is_auth_locked:
            self._ask("S4 0")
        if taken_a <= current_a and self._evse_state in _ASLEEP:
            self._ask("FE")
        return float(taken_a)

    def wait(self, for_s: float) -> None:
        """Until the controller sends something by itself: it reports state changes unasked."""
        if self._port is None:
            self._awake.wait(for_s)  # nothing to listen to: the port is looked for again then
            self._awake.clear()
            return
        try:
            self._port.timeout = for_s
            self._hear(self._port.read(1))
        except _PULLED:
            self._drop_port()

    def wake(self) -> None:
        """End ``wait``."""
        self._awake.set()
        port = self._port
        if port is not None:
            try:
                port.cancel_read()
            except _PULLED:
                logger.debug("pilot controller: its port has disappeared")

    def describe(self) -> str:
        """Firmware, and which of its safety checks are switched off."""
        checks = f"; switched off in it: {', '.join(self._checks_off)}" if self._checks_off else ""
        blind = "" if self._tells_connection else "; asleep it sees no vehicle: fit a plug contact"
        return f"OpenEVSE, {self._version or 'not heard yet'}{checks}{blind}"

    def close(self) -> None:
        """Close the port."""
        self._drop_port()

    # --- what it says ------------------------------------------------------------------------

    def _report(self, words: tuple[str, ...]) -> PilotReport:
        """By the number of words, as the firmware's authors recommend.

        Two words (until D5.1, protocol 1.0.3 to 4.0.1): the state as a decimal number. Three
        (D5.2, which has kept 4.0.1) and four (from D6, protocol 5.0.0): as a hexadecimal one, and
        the pilot beside it. See the firmware's CHANGELOG at D5.2.0, D6.0.0 and D6.2.0.
        """
        if len(words) > 2:
            flags = _number(words[3], 16) if len(words) > 3 else None
            return self._report_of(_number(words[0], 16), _number(words[2], 16), flags)
        evse_state = _number(words[0], 10)
        return self._report_of(evse_state, self._pilot_beside(evse_state), None)

    def _pilot_beside(self, evse_state: int) -> int:
        """The pilot of a firmware that tells it only while it is awake; A or B else."""
        if evse_state in _STATES:
            self._pilot_seen = evse_state
        elif evse_state in _ASLEEP and self._tells_connection:
            answer = self._asked("G0")  # since D4.6.0
            self._tells_connection = answer.is_ok and bool(answer.words)
            if self._tells_connection:
                self._pilot_seen = 2 if answer.words[0] == "1" else 1
        return self._pilot_seen

    def _report_of(self, evse_state: int, pilot: int, flags: int | None) -> PilotReport:
        self._evse_state = evse_state
        if flags is not None and flags & _BOOT_LOCKED:
            self._ask("SB")
        self._is_auth_locked = flags is not None and bool(flags & _AUTH_LOCKED)
        asleep = evse_state in _ASLEEP
        state = _STATES.get(pilot if asleep else evse_state)
        fault = _FAULTS.get(evse_state)
        if state is None and fault is None and not asleep:
            raise PilotError(f"OpenEVSE is in state {evse_state:02X}: it is not ready yet")
        if asleep and state in (PilotState.C, PilotState.D):
            state = PilotState.B  # it wants energy, but nothing is offered: nothing flows
        is_off = asleep or fault is not None or self._is_auth_locked
        seen = _STATES.get(pilot, PilotState.A) is not PilotState.A
        plugged = bool(flags & _VEHICLE) if flags is not None else seen
        return PilotReport(
            state=PilotState.F if fault is not None else state or PilotState.A,
            is_plugged=plugged or state in (PilotState.B, PilotState.C, PilotState.D),
            offered_a=0.0 if is_off else float(self._amps),
            faults=frozenset() if fault is None else frozenset({fault}),
        )

    def _read_settings(self) -> None:
        amps, flags, *_ = (*self._ask("GE"), "", "0")
        self._amps = _number(amps, 10)
        bits = _number(flags, 16)
        self._checks_off = tuple(name for bit, name in _CHECKS_OFF.items() if bits & bit)

    def _beat(self) -> None:
        if self._asked("SY").is_ok:
            return
        # A beat came too late, and it has fallen back to its lower current.
        self._ask(_ACKNOWLEDGE_MISSED)

    def _set_amps(self, current_a: int) -> int:
        """What it offers from now on. A firmware before D4.3.2 can only keep its own current:

        it takes none that it would forget again, and its EEPROM is not written.
        """
        answer = self._asked(f"SC {current_a} V")
        if answer.words:
            self._amps = _number(answer.words[0], 10)
        else:
            self._read_settings()
        return self._amps

    # --- beginning ---------------------------------------------------------------------------

    def _greet(self) -> None:
        self._forget()
        answer = self._asked("GV")
        if not answer.is_ok:  # older than protocol 3: the number is one word too many for it
            self._numbers_answers = False
            answer = self._asked("GV")
        if not answer.words or "." not in answer.words[0]:
            raise PilotError("OpenEVSE does not tell its version: what answers there?")
        self._numbers_answers = answer.sequence is not None
        self._checks_answers = answer.is_checked
        firmware, protocol, *_ = (*answer.words, "?")
        self._version = f"firmware {firmware}, protocol {protocol}"
        self._has_heartbeat = self._asked(HEARTBEAT).is_ok  # kept by it: the same each time
        self._read_settings()
        self._is_greeted = True

    # --- the line ----------------------------------------------------------------------------

    def _ask(self, words: str) -> tuple[str, ...]:
        answer = self._asked(words)
        if not answer.is_ok:
            raise PilotError(f"OpenEVSE refuses ${words}")
        return answer.words

    def _asked(self, words: str) -> RapiAnswer:
        """The answer to one command; PilotError when none comes in time."""
        left_s = self._free_at_s - self._clock()
        if left_s > 0:
            self._sleep(left_s)
        self._sequence = self._sequence % 0xFF + 1
        sequence = self._sequence if self._numbers_answers else None
        try:
            if not self._numbers_answers:
                self._port.reset_input_buffer()
                self._splitter.forget()
            self._port.write(command(words, sequence))
            return self._await_answer(words, sequence)
        except _PULLED as error:
            self._drop_port()
            raise PilotError(self._unplugged()) from error

    def _await_answer(self, words: str, sequence: int | None) -> RapiAnswer:
        deadline_s = self._clock() + self._answer_s
        while (left_s := deadline_s - self._clock()) > 0:
            self._port.timeout = left_s
            for line in self._lines(self._port.read(1)):
                said = parse(line)
                if isinstance(said, Spontaneous):
                    self._note(said)
                elif said is not None and self._is_mine(said, sequence):
                    return said
        if sequence is None:
            self._free_at_s = self._clock() + QUIET_S
        raise PilotError(
            f"OpenEVSE on {self._path} does not answer ${words}: check its supply, that RX and TX "
            f"are crossed, and the baud rate ({self._baud})"
        )

    def _is_mine(self, answer: RapiAnswer, sequence: int | None) -> bool:
        """A late answer to an earlier question has its number, and is dropped."""
        if self._checks_answers and self._is_greeted and not answer.is_checked:
            return False
        is_learning = not self._is_greeted and answer.sequence is None
        return is_learning or answer.sequence == sequence

    def _lines(self, first: bytes) -> list[str]:
        rest = self._port.read(min(self._port.in_waiting, 4096)) if first else b""
        return self._splitter.feed(first + rest)

    def _hear(self, first: bytes) -> None:
        for line in self._lines(first):
            said = parse(line)
            if isinstance(said, Spontaneous):
                self._note(said)

    def _note(self, said: Spontaneous) -> None:
        """AB: it has booted and forgotten its orders. The rest is asked for at once."""
        if said.kind == "AB":
            logger.warning("pilot controller openevse: it has booted %s", " ".join(said.words))
            self._is_greeted = False

    def _open(self) -> None:
        if self._port is not None:
            return
        try:
            self._port = self._serial_class(
                self._path,
                self._baud,
                timeout=self._answer_s,
                write_timeout=self._answer_s,
                exclusive=True,
            )
        except _PULLED as error:
            raise PilotError(self._unplugged()) from error
        self._splitter.forget()
        self._is_greeted = False

    def _unplugged(self) -> str:
        if not os.path.exists(self._path):
            return f"the port {self._path} is not there: check that the adapter is plugged in"
        return (
            f"the port {self._path} cannot be used: check that no other program uses it, and that "
            "this user is in the group dialout"
        )

    def _drop_port(self) -> None:
        port, self._port = self._port, None
        self._is_greeted = False
        if port is not None:
            try:
                port.close()
            except OSError:
                logger.debug("pilot controller: its port could not be closed")


def _number(word: str, base: int) -> int:
    try:
        return int(word, base)
    except ValueError:
        raise PilotError(f"OpenEVSE gave {word[:10]!r} where a number belongs") from None
