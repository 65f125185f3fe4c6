"""Pilot controllers on a pty, each with a car, that can be made to lie.

``EvseWbOnPty`` speaks Modbus RTU, ``OpenEvseOnPty`` speaks RAPI; both written from sources of
their own, named beside the facts, not from the drivers. Each counts what is written to its EEPROM.

``mood`` is what it does with the next requests: "good", "silent", "garbled", "late" (after
``late_s``), "behind" (answers the request before the last one).
"""

from __future__ import annotations

import os
import select
import struct
import threading
import tty
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

from tests.emulators.modbus_meter import with_crc

WAIT_S = 10.0


class DeviceOnPty:
    """A device at the other end of a serial line, in a thread of its own."""

    def __init__(self) -> None:
        self.mood = "good"
        self.late_s = 0.0
        self.asked = self.answered = 0
        self.guard = threading.RLock()
        self.changed = threading.Condition(self.guard)
        self._answers: deque[bytes] = deque(maxlen=1)  # for "behind"
        self._master, self._slave = os.openpty()
        tty.setraw(self._master)
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._stop_read, self._stop_write = os.pipe()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pilot emulator", daemon=True)

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._master, self._stop_read], [], [])
            if self._stop_read in ready:
                return
            self._received(os.read(self._master, 4096))

    def _received(self, data: bytes) -> None:
        raise NotImplementedError

    def answer(self, data: bytes) -> None:
        """Send an answer, as the mood is."""
        self._send_as(self.mood, data)
        with self.changed:
            self.answered += 1
            self.changed.notify_all()

    def _send_as(self, mood: str, data: bytes) -> None:
        if mood == "silent":
            return
        if mood == "late":
            self._stopping.wait(self.late_s)
        if mood == "behind":
            before = self._answers.popleft() if self._answers else b""
            self._answers.append(data)
            data = before
        if mood == "garbled":
            data = bytes(byte ^ 0x11 for byte in data)
        self.send(data)

    def send(self, data: bytes) -> None:
        """Send these bytes now."""
        os.write(self._master, data)

    def until_answered(self) -> None:
        """Wait until the last answer, however late, lies in the port."""
        self.until(lambda: self.answered == self.asked)

    def until(self, claim: Callable[[], bool], within_s: float = WAIT_S) -> None:
        """Wait until the claim about the device holds; it is asked after every request."""
        with self.changed:
            assert self.changed.wait_for(claim, within_s), "the device never came to that"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        os.write(self._stop_write, b"x")
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        for fd in (self._master, self._slave, self._stop_read, self._stop_write):
            os.close(fd)


class Car:
    """What the controllers see of a car: it asks for energy while it is offered current."""

    def __init__(self) -> None:
        self.is_plugged = False
        self.wants_energy = True
        self.needs_ventilation = False
        self.cable_a = 0  # by its PP resistor; 0: none


class EvseWbOnPty(DeviceOnPty):
    """An EVSE-WB: holding registers 1000 to 1007 and 2000 to 2007, unit 1.

    Sources: the maker's manual (evse-wb-din_Manual.pdf, ev-power.eu, to which evcc's
    ``charger/simpleevse.go`` points: states of 1002, writing by FC 16), and the register list in
    ``docs/infos.md`` of github.com/hhoefling/openWB_lite (1000 to 1007, 2000 to 2009, the unit of
    0.01 A from firmware 18 on; 1007 with question marks: not every firmware has it).
    ``lacks``: registers that this one refuses with exception 2, or does not answer (``is_mute``).
    """

    def __init__(
        self,
        boot_current_a: int = 0,
        hundredths: bool = False,
        lacks: tuple[int, ...] = (),
        is_mute: bool = False,
    ) -> None:
        super().__init__()
        self.lacks, self.is_mute = lacks, is_mute
        self.car = Car()
        self.eeprom = {2000 + number: 0 for number in range(8)}
        self.eeprom[2000] = boot_current_a
        self.eeprom[2001] = 1
        self.eeprom[2005] = 1 << 7 if hundredths else 0
        self.writes: list[tuple[int, int]] = []  # register, value
        self.status_bits = 0
        self.has_failed = False
        self.vehicle_word: int | None = None  # not None: a register that no controller has
        self.reboot()

    def reboot(self) -> None:
        """Power comes back: it offers what stands in its EEPROM."""
        self.current = self.eeprom[2000]

    @property
    def offered_a(self) -> float:
        """What the car is offered."""
        scale = 0.01 if self.eeprom.get(2005, 0) & 1 << 7 else 1
        cable_a = self.car.cable_a or 80
        return min(self.current * scale, cable_a) if self.current else 0.0

    @property
    def energy_may_flow(self) -> bool:
        """Whether its own contactor is closed."""
        return self._vehicle() in (3, 4)

    def _vehicle(self) -> int:
        if self.has_failed:
            return 5
        if not self.car.is_plugged:
            return 1
        if not self.current or not self.car.wants_energy:
            return 2
        return 4 if self.car.needs_ventilation else 3

    def _words(self) -> dict[int, int]:
        vehicle = self._vehicle() if self.vehicle_word is None else self.vehicle_word
        words = {
            1000: self.current,
            1001: int(self.offered_a),
            1002: vehicle,
            1003: self.car.cable_a if self.car.is_plugged else 0,
            1004: 0,
            1005: 17,
            1006: 2 if self.current else 1,
            1007: self.status_bits,
            **self.eeprom,
        }
        return {register: word for register, word in words.items() if register not in self.lacks}

    def _received(self, data: bytes) -> None:
        with self.changed:
            self.asked += 1
            answer = self._answer_to(data)
        self.answer(answer)

    def _answer_to(self, request: bytes) -> bytes:
        unit, function, address, count = struct.unpack(">BBHH", request[:6])
        if function == 3:
            words = self._words()
            if any(address + index not in words for index in range(count)):
                return b"" if self.is_mute else with_crc(bytes((unit, function | 0x80, 2)))
            body = b"".join(words[address + index].to_bytes(2, "big") for index in range(count))
            return with_crc(bytes((unit, function, len(body))) + body)
        assert function == 16, request.hex()
        values = struct.unpack(f">{count}H", request[7 : 7 + 2 * count])
        for index, value in enumerate(values):
            self.writes.append((address + index, value))
            if address + index == 1000:
                self.current = value
            else:
                self.eeprom[address + index] = value
        return with_crc(request[:6])

    @property
    def eeprom_writes(self) -> int:
        """How often its EEPROM was written."""
        return sum(register >= 2000 for register, _ in self.writes)


class RapiBuild(NamedTuple):
    """How one firmware of OpenEVSE speaks.

    Source: github.com/lincomatic/open_evse, ``rapi_proc.h`` (header comment and RAPIVER),
    ``rapi_proc.cpp`` (``processCmd``: case 'S' of "get parameter") and ``CHANGELOG``.
    """

    firmware: str
    protocol: str
    checks: bool  # "response format (v2.0.0+)": ^xk
    numbers: bool  # "response format (v3.0.0+)": the sequence id is echoed
    state_words: int  # of $GS; two: sprintf "%d %ld"; D5.2.0: "state(hex) elapsed(dec) pilotstate"
    tells_connection: bool  # $G0, since D4.6.0
    volatile_current: bool  # a second parameter of $SC, and the current in its answer: D4.3.2
    has_heartbeat: bool  # $SY, since D6.1.3


RAPI_BUILDS = {
    build.firmware: build
    for build in (
        RapiBuild("3.9.0", "1.0.3", False, False, 2, False, False, False),
        RapiBuild("4.4.0", "2.0.4", True, False, 2, False, True, False),
        RapiBuild("4.5.1", "3.0.1", True, True, 2, False, True, False),
        RapiBuild("4.12.3", "4.0.1", True, True, 2, True, True, False),
        RapiBuild("5.2.0", "4.0.1", True, True, 3, True, True, False),
        RapiBuild("6.0.0", "5.0.0", True, True, 4, True, True, False),
        RapiBuild("8.2.1", "5.2.1", True, True, 4, True, True, True),
    )
}


class OpenEvseOnPty(DeviceOnPty):
    """An OpenEVSE.

    States: ``J1772EvseController.h`` of the same source (EVSE_STATE_..., ECVF_...). Its pilot is
    seen while it sleeps, too (``ReadPilot`` sets ECVF_EV_CONNECTED unless the pilot is at -12 V).
    """

    def __init__(self, firmware: str = "8.2.1", boot_current_a: int = 16, max_a: int = 48) -> None:
        super().__init__()
        self.car = Car()
        self.build = RAPI_BUILDS[firmware]
        self.max_a = max_a
        self.eeprom_a = boot_current_a
        self.heartbeat = (0, 0)
        self.eeprom_writes = 0
        self.commands: list[str] = []
        self.fault = 0
        self.flags_off = 0
        self.more_flags = 0
        self.pending_miss = False
        self.chatter: list[bytes] = []  # lines sent between the next command and its answer
        self._received_bytes = b""
        self._forget()

    def _forget(self) -> None:
        self.amps = self.eeprom_a
        self.is_asleep = False

    def reboot(self) -> None:
        """Power comes back: awake, with the current of the EEPROM."""
        with self.guard:
            self._forget()
            if self.build.state_words == 4:  # D6.0.0
                self.send(self._line(f"$AB 00 {self.build.firmware}"))

    def tell_state(self) -> None:
        """What it sends by itself at a change of state."""
        with self.guard:
            self.send(self._line(f"$AT {self._state():02X} {self._pilot():02X} {self.amps} 0100"))

    @property
    def offered_a(self) -> float:
        """What the car is offered."""
        return 0.0 if self.is_asleep or self.fault else float(self.amps)

    @property
    def energy_may_flow(self) -> bool:
        """Whether its relay is closed."""
        return self._state() == 3

    def _pilot(self) -> int:
        if not self.car.is_plugged:
            return 1
        if self.is_asleep or not self.car.wants_energy:
            return 2
        return 4 if self.car.needs_ventilation else 3

    def _state(self) -> int:
        return self.fault or (0xFE if self.is_asleep else self._pilot())

    def _line(self, body: str) -> bytes:
        if not self.build.checks:
            return f"{body}\r".encode()
        return f"{body}^{_xor(body):02X}\r".encode()

    def _received(self, data: bytes) -> None:
        self._received_bytes += data
        while b"\r" in self._received_bytes:
            line, _, self._received_bytes = self._received_bytes.partition(b"\r")
            self._command(line.decode())

    def _command(self, line: str) -> None:
        body, _, check = line.partition("^")
        if int(check, 16) != _xor(body):
            return
        words = body[1:].split()
        number = words.pop() if words[-1].startswith(":") and self.build.numbers else ""
        with self.changed:
            self.asked += 1
            self.commands.append(" ".join(words))
            done = self._do(words)
            chatter, self.chatter = self.chatter, []
        for said in chatter:
            self.send(said)
        if done is None:
            answer = "$NK"
        elif isinstance(done, tuple):
            answer = f"$NK {done[0]}"
        else:
            answer = f"$OK {done}".strip()
        self.answer(self._line(f"{answer} {number}".strip()))

    def _do(self, words: list[str]) -> str | tuple[int] | None:
        """The words after $OK; a tuple: those after $NK; None: a bare $NK."""
        match words:
            case ["GV"]:
                return f"{self.build.firmware} {self.build.protocol}"
            case ["GV", _]:  # an older one does not count the words of $GV
                return f"{self.build.firmware} {self.build.protocol}"
            case ["GS"]:
                return self._said_state()
            case ["G0"] if self.build.tells_connection:
                return str(int(self.car.is_plugged))
            case ["GE"]:
                return f"{self.amps} {self.flags_off:04X}"
            case ["SC", amps, "V"] if self.build.volatile_current:
                wanted = int(amps)
                self.amps = max(6, min(wanted, self.max_a))
                return str(self.amps) if self.amps == wanted else (self.amps,)
            case ["SC", amps]:
                self.eeprom_writes += 1
                self.amps = self.eeprom_a = int(amps)
                return str(self.amps)
            case ["FE"]:
                self.is_asleep = False
                return ""
            case ["FS"]:
                self.is_asleep = True
                return ""
            case ["S4", "0"]:
                self.more_flags &= ~0x0008
                return "0"
            case ["SB"]:
                self.more_flags &= ~0x4000
                return "0"
            case _:
                return self._heartbeat(words)

    def _said_state(self) -> str:
        if self.build.state_words == 2:
            return f"{self._state()} 12"
        vehicle = 0x0100 if self.car.is_plugged else 0
        words = (
            f"{self._state():02x}",
            "12",
            f"{self._pilot():02x}",
            f"{vehicle | self.more_flags:04x}",
        )
        return " ".join(words[: self.build.state_words])

    def _heartbeat(self, words: list[str]) -> str | None:
        match words:
            case _ if not self.build.has_heartbeat:
                return None
            case ["SY", "165"]:
                self.pending_miss = False
            case ["SY", interval, amps]:
                wanted = (int(interval), int(amps))
                self.eeprom_writes += wanted != self.heartbeat
                self.heartbeat = wanted
            case ["SY"] if not self.pending_miss:
                pass
            case _:
                return None
        return f"{self.heartbeat[0]} {self.heartbeat[1]} 0"


def _xor(text: str) -> int:
    result = 0
    for character in text:
        result ^= ord(character)
    return result
