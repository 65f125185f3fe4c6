"""GPIO lines through the kernel's character device: the standard library, and nothing else.

Source: ``include/uapi/linux/gpio.h`` of Linux (uAPI v2, since 5.10). A line belongs to the file
descriptor that its request returned: another process gets EBUSY, and the kernel lets go of the line
when that descriptor is closed, at the latest when the process has died.

A pin is named by its number on the header of a Raspberry Pi (BCM counting), or on any board by chip
and line: ``gpiochip1:17``.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
from collections.abc import Callable

Pin = int | str

# Labels of the chips behind the header: Raspberry Pi 0 to 3, 4, 5.
HEADER_LABELS = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")
CONSUMER = b"chargepoint-agent"

GET_CHIPINFO = 0x8044B401
GET_LINE = 0xC250B407
SET_CONFIG = 0xC110B40D
GET_VALUES = 0xC010B40E
SET_VALUES = 0xC010B40F

FLAG_INPUT = 1 << 2
FLAG_OUTPUT = 1 << 3
FLAG_PULL = {"up": 1 << 8, "down": 1 << 9, "floating": 1 << 10}
_ATTRIBUTE_OUTPUT_VALUES = 2
_CHIPINFO = struct.Struct("=32s32sI")
# Flags, number of attributes, padding, then one attribute of ten: id, padding, value, mask.
_CONFIG = struct.Struct("=QI20xIIQQ216x")
_REQUEST = struct.Struct("=256s32s272sII20xi")
_VALUES = struct.Struct("=QQ")

_NAME = re.compile(r"(gpiochip[0-9]{1,3}):(0|[1-9][0-9]{0,3})", re.ASCII)
_HEADER_LINES = 54
_CHIPS_MAX = 64

Ioctl = Callable[[int, int, bytearray], int]


class LineError(Exception):
    """A line cannot be had or driven; the message is a sentence for a person."""


class LineBusy(LineError):
    """Another process holds the line already."""


def parse_pin(pin: object) -> tuple[str, int]:
    """Chip and line of a pin; the chip of a header pin is "". ValueError says what is wanted."""
    if isinstance(pin, int) and not isinstance(pin, bool) and 0 <= pin < _HEADER_LINES:
        return "", pin
    named = _NAME.fullmatch(pin) if isinstance(pin, str) else None
    if named is None:
        raise ValueError(
            'must be a whole number from 0 to 53 (BCM), or chip and line as in "gpiochip1:17"'
        )
    return named.group(1), int(named.group(2))


class Chips:
    """The GPIO chips of this machine."""

    def __init__(self, dev: str = "/dev", ioctl: Ioctl | None = None) -> None:
        """``dev`` is where the device files are; ``ioctl`` is the kernel's, or a test's own."""
        self._dev = dev
        self._ioctl = ioctl

    def resolve(self, pin: Pin) -> tuple[str, int]:
        """Chip and line of a pin; LineError for a header pin on a board without that header."""
        try:
            chip, number = parse_pin(pin)
        except ValueError as problem:
            raise LineError(f"{pin!r} is no pin: it {problem}") from None
        return chip or self.header(), number

    def header(self) -> str:
        """The name of the chip behind the header of a Raspberry Pi; LineError on other boards."""
        refused: LineError | None = None
        names = self.names()
        for name in names:
            try:
                if self.label(name) in HEADER_LABELS:
                    return name
            except LineError as problem:
                refused = refused or problem
        if refused is not None:
            raise refused
        found = f"found: {', '.join(names)}" if names else "there is no GPIO chip at all"
        raise LineError(
            "this board has no header of a Raspberry Pi; name chip and line, "
            f'as in "gpiochip1:17" ({found})'
        )

    def names(self) -> list[str]:
        """The chips in the order of their numbers; empty when none can be seen."""
        try:
            found = [name for name in os.listdir(self._dev) if _NAME.fullmatch(f"{name}:0")]
        except OSError:
            return []
        return sorted(found, key=lambda name: int(name[8:]))[:_CHIPS_MAX]

    def label(self, chip: str) -> str:
        """What the driver calls the chip; LineError when it cannot be asked."""
        _, label, _ = self._about(chip)
        return bytes(label).split(b"\0")[0].decode("ascii", "replace")

    def lines(self, chip: str) -> int:
        """How many lines the chip has; LineError when it cannot be asked."""
        return int(self._about(chip)[2])

    def _about(self, chip: str) -> tuple[bytes, bytes, int]:
        asked = bytearray(_CHIPINFO.size)
        descriptor = self._open(chip)
        try:
            self._call(descriptor, GET_CHIPINFO, asked)
        except OSError as problem:
            raise LineError(f"{self._dev}/{chip}: {_reason(problem)}") from None
        finally:
            os.close(descriptor)
        name, label, lines = _CHIPINFO.unpack(asked)
        return name, label, lines

    def output(self, pin: Pin, level: bool) -> int:
        """Make the pin an output that is at this level from the first moment on.

        Returns the descriptor that holds it. LineBusy when another process does, LineError.
        """
        return self._request(pin, _output_config(level))

    def input(self, pin: Pin, pull: str = "floating") -> int:
        """Make the pin an input; ``pull`` is "up", "down" or "floating". As ``output``."""
        return self._request(pin, _input_config(pull))

    def make_output(self, descriptor: int, level: bool) -> None:
        """Turn a line that is held into an output at this level. Raises OSError."""
        self._call(descriptor, SET_CONFIG, bytearray(_output_config(level)))

    def make_input(self, descriptor: int, pull: str) -> None:
        """Turn a line that is held into an input. Raises OSError."""
        self._call(descriptor, SET_CONFIG, bytearray(_input_config(pull)))

    def set(self, descriptor: int, level: bool) -> None:
        """Drive a line that is held. Raises OSError."""
        self._call(descriptor, SET_VALUES, bytearray(_VALUES.pack(int(level), 1)))

    def get(self, descriptor: int) -> bool:
        """The level of a line that is held. Raises OSError."""
        values = bytearray(_VALUES.pack(0, 1))
        self._call(descriptor, GET_VALUES, values)
        return bool(_VALUES.unpack(values)[0] & 1)

    def _request(self, pin: Pin, config: bytes) -> int:
        chip, number = self.resolve(pin)
        offsets = struct.pack("=I252x", number)
        request = bytearray(_REQUEST.pack(offsets, CONSUMER, config, 1, 0, -1))
        descriptor = self._open(chip)
        try:
            self._call(descriptor, GET_LINE, request)
        except OSError as problem:
            kind = LineBusy if problem.errno == errno.EBUSY else LineError
            raise kind(_reason(problem)) from None
        finally:
            os.close(descriptor)
        return int(_REQUEST.unpack(request)[-1])  # the kernel made it close-on-exec

    def _open(self, chip: str) -> int:
        path = f"{self._dev}/{chip}"
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise LineError(f"there is no {path}: is this a board with pins?") from None
        except OSError as problem:
            raise LineError(f"{path}: {_reason(problem)}") from None

    def _call(self, descriptor: int, request: int, argument: bytearray) -> None:
        (self._ioctl or fcntl.ioctl)(descriptor, request, argument)


def _output_config(level: bool) -> bytes:
    return _CONFIG.pack(FLAG_OUTPUT, 1, _ATTRIBUTE_OUTPUT_VALUES, 0, int(level), 1)


def _input_config(pull: str) -> bytes:
    return _CONFIG.pack(FLAG_INPUT | FLAG_PULL[pull], 0, 0, 0, 0, 0)


def _reason(problem: OSError) -> str:
    match problem.errno:
        case errno.EBUSY:
            return "it is in use (by the agent, if it runs: then it watches over it)"
        case errno.EACCES | errno.EPERM:
            return "this user may not use it: is the user in the group gpio?"
        case errno.EINVAL:
            return "the chip has no such line"
        case errno.ENODEV | errno.ENXIO:
            return "the chip has disappeared"
        case errno.ENOTTY:
            return "this is no GPIO chip, or the kernel is older than 5.10"
        case _:
            return problem.strerror or str(problem)
