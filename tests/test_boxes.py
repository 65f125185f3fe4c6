"""The boxes of docs/boxes.md: what the page says can be typed, and passes on emulated parts."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import struct
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from gpiozero import pi_info

from agent.__main__ import main
from agent.config.config_file import read_config
from agent.config.pins import pin_table, pin_uses
from agent.config.settings import Settings
from agent.core.faults import Fault
from hw.line_pins import LinePins
from hw.lines import GET_VALUES, Chips
from tests.api.harness import Charger, running_charger
from tests.bench.emulated_box import ChipInRealTime
from tests.emulators.gpio_chips import GpioChips
from tests.emulators.mfrc522_chip import install_fake_spidev
from tests.emulators.modbus_meter import SdmOnPty
from tests.emulators.pilot_controllers import EvseWbOnPty

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/boxes.md").read_text()
PASSWORD = "k0123456789abcdef"
CONFIG = "/etc/chargepoint-agent/config.toml"
# Linux, meson-gxl-s905x-libretech-cc.dts: the lines of periphs-banks from 79 on (bank GPIOX).
GPIOX = (22, 26, 36, 38, 40, 37, 33, 35, 19, 21, 24, 23, 8, 10, 16, 18, 32, 29, 31)
AOBUS_LINES = 11
HEADER = pi_info("a02082").headers["J8"].pins


@dataclass(frozen=True)
class Described:
    """A box as the page describes it."""

    heading: str
    column: int  # of the table of answers
    picture: str
    labels: tuple[str, ...]  # of its GPIO chips, from gpiochip0 on

    @property
    def part(self) -> str:
        return PAGE.partition(f"\n## {self.heading}\n")[2].partition("\n## ")[0]

    @property
    def rows(self) -> dict[str, tuple[str, str]]:
        """Pin and position on the header by key."""
        found = re.findall(r"^\| `([^`]+)` \| `?([\w:]+)`? \| (\d+) \|", self.part, flags=re.M)
        return {key: (pin, header) for key, pin, header in found}


BOXES = (
    Described("On a Raspberry Pi", 1, "box-pi.svg", ("pinctrl-bcm2711",)),
    Described("On a board that is not a Pi", 2, "box-board.svg", ("aobus-banks", "periphs-banks")),
)


@pytest.fixture(params=BOXES, ids=lambda box: box.picture)
def described(request: pytest.FixtureRequest) -> Described:
    box: Described = request.param
    return box


def answers(described: Described) -> list[tuple[str, str]]:
    """What ``init`` asks and what is answered, in the order of the page."""
    part = PAGE.partition("\n## Answers to init\n")[2].partition("\n## ")[0]
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in part.splitlines()]
    told = [(row[0], row[described.column]) for row in rows if len(row) == 3][2:]
    return [(words, PASSWORD if "characters" in answer else answer) for words, answer in told]


@pytest.fixture
def config(described: Described, tmp_path: Path, monkeypatch, capsys) -> Path:
    """The file after ``init`` and the ``sed`` of the page."""
    path = tmp_path / "config.toml"
    told = [(words, answer) for words, answer in answers(described) if answer != "not asked"]
    typed = "".join(f"{answer}\n" for _, answer in told)
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert main(["init", "--config", str(path)]) == 0
    lines = capsys.readouterr().err.splitlines()
    asked = [line.removeprefix("  > ") for line in lines[2:-1]]
    assert len(asked) == len(told)
    for line, (words, _) in zip(asked, told, strict=True):
        assert line.startswith(words)
    before = path.read_text()
    (script,) = re.findall(r"```sh\n(sudo sed.*?)```", described.part, flags=re.S)
    typed = script.replace(CONFIG, shlex.quote(str(path))).removeprefix("sudo ")
    subprocess.run(["sh", "-c", typed], check=True)
    changed = [a for a, b in zip(before.splitlines(), path.read_text().splitlines(), strict=True)
               if a != b]  # fmt: skip
    assert len(changed) == typed.count(" -e "), "each expression finds its line, and only that"
    return path


def pins_of(settings: Settings) -> dict[str, str]:
    return {key.replace("[id=1]", ""): str(pin) for pin, key in pin_table(settings)}


def test_the_file_is_in_order_and_its_pins_are_those_of_the_table(described, config, capsys):
    assert main(["check-config", "--config", str(config)]) == 0
    assert {key: pin for key, (pin, _) in described.rows.items()} == pins_of(read_config(config))


def test_a_pin_stands_at_its_position_on_the_header(described):
    for pin, header in described.rows.values():
        if pin.isdecimal():
            assert f"BCM{pin}" in HEADER[int(header)].names
        else:
            chip, line = pin.split(":")
            assert (chip, GPIOX[int(line) - 79]) == ("gpiochip1", int(header))
            assert int(line) >= AOBUS_LINES, "the page says: not there on the other chip"


def test_the_picture_shows_each_pin_of_the_table(described):
    drawing = ElementTree.parse(ROOT / "docs/images" / described.picture)
    shown = {e.attrib["data-key"]: e.text for e in drawing.iter() if "data-key" in e.attrib}
    names = {key: pin.replace("gpiochip1:", "line ") for key, (pin, _) in described.rows.items()}
    assert shown == {
        key: f"{name if 'line' in name else f'BCM {name}'} ({described.rows[key][1]})"
        for key, name in names.items()
    }


def test_the_firmware_holds_every_output_of_the_pi_low(tmp_path):
    (listed,) = re.findall(r"^gpio=([\d,]+)=op,dl$", PAGE, flags=re.M)
    outputs = {"contactor.pin", "contactor.heartbeat_pin", "lock.pin"}
    rows = BOXES[0].rows
    assert {rows[f"connectors.{key}"][0] for key in outputs} == set(listed.split(","))


# --- the self-test on emulated parts -------------------------------------------------------------


@dataclass
class WiredChips(GpioChips):
    """The kernel's lines with the box behind them: the mirror contact, the switch in the lock."""

    followers: dict[tuple[str, int], tuple[tuple[str, int], bool]] = field(default_factory=dict)

    def ioctl(self, descriptor: int, request: int, argument: bytearray) -> int:
        if request == GET_VALUES and (line := self._line_of(descriptor)) in self.followers:
            output, is_low_while_on = self.followers[line]
            level = self.outputs.get(output, False) != is_low_while_on
            struct.pack_into("=Q", argument, 0, int(level))
            return 0
        return super().ioctl(descriptor, request, argument)


def wired(directory: Path, described: Described, settings: Settings) -> WiredChips:
    chips = Chips(str(directory / "dev"))
    labels = {f"gpiochip{number}": label for number, label in enumerate(described.labels)}
    kernel = WiredChips(directory / "dev", labels, lines=100)
    chips = Chips(str(kernel.dev), kernel.ioctl)
    lines = {use.path[-2:]: chips.resolve(use.pin) for use in pin_uses(settings) if not use.role}
    kernel.followers = {
        lines["contactor", "feedback_pin"]: (lines["contactor", "pin"], False),
        lines["lock", "feedback_pin"]: (lines["lock", "pin"], True),
    }
    return kernel


@contextlib.contextmanager
def running(
    directory: Path, described: Described, config: Path
) -> Iterator[tuple[Charger, WiredChips, EvseWbOnPty]]:
    """The agent with real drivers for every part of the page."""
    reader, reader_end = os.openpty()
    with SdmOnPty("sdm630") as meter, EvseWbOnPty() as pilot:
        ports = {
            "usb-rs485-adapter-if00-port0": meter.path,
            "usb-pilot-if00": pilot.path,
            "usb-reader-if00": os.ttyname(reader_end),
        }
        text = config.read_text()
        for name, path in ports.items():
            text = text.replace(f'"/dev/serial/by-id/{name}"', f'"{path}"')
        config.write_text(text)
        settings = read_config(config)
        kernel = wired(directory, described, settings)
        pins = LinePins(Chips(str(kernel.dev), kernel.ioctl))
        with running_charger(
            settings, simulate=False, is_tokenless=True, world={"pin_factory": pins}
        ) as charger:
            charger.until(lambda: is_ready(charger))
            yield charger, kernel, pilot
        pins.close()
    os.close(reader)
    os.close(reader_end)


def is_ready(charger: Charger) -> bool:
    application = charger.application
    return (
        application is not None
        and bool(application.actions)
        and application.runtime is not None
        and application.runtime.state.connectors[0].reading is not None
    )


def self_test(charger: Charger, **request: str) -> Any:
    assert charger.application is not None
    return charger.run(charger.application.actions["self_test"](request))


def test_the_self_test_passes_and_moves_what_the_table_says(
    described, config, tmp_path, monkeypatch
):
    install_fake_spidev(monkeypatch, ChipInRealTime())
    with running(tmp_path, described, config) as (charger, kernel, _):
        steps = [step["name"] for step in self_test(charger, what="steps") if not step["wants"]]
        assert {"emergency_stop", "residual_current", "pilot-1", "meter-1", "lock-1"} < set(steps)
        assert {"reader", "contactor-1"} < set(steps)
        kernel.log.clear()
        for step in steps:
            finding = self_test(charger, what="try", step=step)
            assert finding["verdict"] in ("pass", "note"), finding
        moved = {key: int(pin.rpartition(":")[2]) for key, (pin, _) in described.rows.items()}
        for part in ("contactor", "lock"):
            line = moved[f"connectors.{part}.pin"]
            levels = [level for number, level in kernel.log if number == line]
            assert [level for level, before in zip(levels, [False, *levels], strict=False)
                    if level != before] == [True, False]  # fmt: skip
        beats = [n for n, _ in kernel.log if n == moved["connectors.contactor.heartbeat_pin"]]
        assert len(beats) > 10


@pytest.mark.parametrize("described", BOXES[1:], indirect=True, ids=lambda box: box.picture)
def test_the_contactor_does_not_close_while_the_pilot_controller_is_silent(
    described, config, tmp_path
):
    with running(tmp_path, described, config) as (charger, kernel, pilot):
        pilot.mood = "silent"
        charger.until(lambda: Fault.PILOT_SILENT in charger.state.connectors[0].faults)
        assert self_test(charger, what="try", step="contactor-1")["verdict"] == "fail"
        assert not kernel.outputs["gpiochip1", 81]
