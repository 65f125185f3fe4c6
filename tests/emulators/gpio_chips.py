"""A kernel's GPIO chips: the calls of ``linux/gpio.h`` (uAPI v2) on ordinary files.

The facts are the kernel's (``include/uapi/linux/gpio.h``, ``drivers/gpio/gpiolib-cdev.c``): numbers
and layout of the calls, EBUSY for a line that is held, EINVAL for one that is not there; a line is
held until its descriptor is closed, also by the death of the process.

Run as a program, it stands under a command of the agent in a process of its own.
"""

from __future__ import annotations

import errno
import json
import os
import select
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

_INPUT, _OUTPUT = 1 << 2, 1 << 3


@dataclass
class GpioChips:
    """Chips by their names, with a memory of what was driven."""

    dev: Path
    labels: dict[str, str] = field(default_factory=lambda: {"gpiochip0": "pinctrl-bcm2711"})
    lines: int = 54
    keeps_outputs: bool = True  # as the kernel of a Raspberry Pi without strict_gpiod
    busy: set[tuple[str, int]] = field(default_factory=set)  # held by another process
    broken: set[tuple[str, int]] = field(default_factory=set)
    outputs: dict[tuple[str, int], bool] = field(default_factory=dict)  # level of each output
    log: list[tuple[int, bool]] = field(default_factory=list)  # in the order of driving
    _held: dict[tuple[str, int], int] = field(default_factory=dict)  # the other end of its pipe

    def __post_init__(self) -> None:
        self.dev.mkdir(exist_ok=True)
        for name in self.labels:
            (self.dev / name).touch()

    def ioctl(self, descriptor: int, request: int, argument: bytearray) -> int:
        """What the kernel does."""
        match request:
            case 0x8044B401:
                name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name
                struct.pack_into(
                    "=32s32sI", argument, 0, name.encode(), self.labels[name].encode(), self.lines
                )
            case 0xC250B407:
                self._request(descriptor, argument)
            case 0xC110B40D:
                self._configure(self._line_of(descriptor), bytes(argument))
            case 0xC010B40E:
                level = self.outputs.get(self._line_of(descriptor), False)
                struct.pack_into("=Q", argument, 0, int(level))
            case 0xC010B40F:
                bits, mask = struct.unpack("=QQ", argument)
                assert mask == 1
                self._drive(self._line_of(descriptor), bool(bits))
            case _:
                raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")
        return 0

    def is_held(self, line: int, chip: str = "gpiochip0") -> bool:
        """Whether a descriptor of this process holds the line."""
        watched = self._held.get((chip, line))
        if watched is None:
            return False
        poll = select.poll()
        poll.register(watched, 0)
        if not poll.poll(0):
            return True
        os.close(self._held.pop((chip, line)))
        if not self.keeps_outputs:
            self.outputs.pop((chip, line), None)
        return False

    def _request(self, descriptor: int, argument: bytearray) -> None:
        chip = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name
        (number,) = struct.unpack_from("=I", argument, 0)
        count, _ = struct.unpack_from("=II", argument, 560)
        assert (len(argument), count) == (592, 1)
        if number >= self.lines:
            raise OSError(errno.EINVAL, "Invalid argument")
        if (chip, number) in self.broken:
            raise OSError(errno.EIO, "Input/output error")
        if (chip, number) in self.busy or self.is_held(number, chip):
            raise OSError(errno.EBUSY, "Device or resource busy")
        self._configure((chip, number), bytes(argument[288:560]))
        watched, held = os.pipe2(os.O_CLOEXEC)
        self._held[chip, number] = watched
        struct.pack_into("=i", argument, 588, held)

    def _line_of(self, descriptor: int) -> tuple[str, int]:
        pipe = os.fstat(descriptor).st_ino
        return next(line for line, end in self._held.items() if os.fstat(end).st_ino == pipe)

    def _configure(self, line: tuple[str, int], config: bytes) -> None:
        flags, attributes = struct.unpack_from("=QI", config, 0)
        if flags & _INPUT:
            self.outputs.pop(line, None)
            return
        assert flags == _OUTPUT
        kind, values, mask = struct.unpack_from("=I4xQQ", config, 32)
        assert (attributes, kind, mask) == (1, 2, 1), "an output without its first level: a blip"
        self._drive(line, bool(values))

    def _drive(self, line: tuple[str, int], level: bool) -> None:
        self.outputs[line] = level
        self.log.append((line[1], level))


def main(state: Path, *arguments: str) -> int:
    """Run one command over chips whose state is read from and written to a file."""
    import hw.lines
    from agent.__main__ import main as command

    told = json.loads(state.read_text())
    chips = GpioChips(state.parent / "dev", busy={("gpiochip0", n) for n in told["busy"]})
    chips.outputs = {("gpiochip0", int(n)): level for n, level in told["outputs"].items()}

    def ioctl(descriptor: int, request: int, argument: bytearray) -> int:
        answer = chips.ioctl(descriptor, request, argument)
        outputs = {number: level for (_, number), level in chips.outputs.items()}
        new = state.with_suffix(".new")
        new.write_text(json.dumps({**told, "outputs": outputs, "log": chips.log}))
        new.rename(state)  # also known when the process is killed
        return answer

    hw.lines.Chips.__init__.__defaults__ = (str(chips.dev), ioctl)
    return command(list(arguments))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
