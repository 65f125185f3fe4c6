"""Draws the two boxes of docs/boxes.md, with the pins of its tables.

``python docs/images/draw_boxes.py``
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from draw import HERE, box, dot, drawing, ground, path, resistor, text, write

BOXES = HERE.parent / "boxes.md"
SIZE = (1000, 880)
Pins = dict[str, tuple[str, str]]


def pins_of_box(heading: str) -> Pins:
    """Pin and position on the header by key, from the table under a heading of docs/boxes.md."""
    part = BOXES.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| `?([\w:]+)`? \| (\d+) \|", part, flags=re.M)
    return {key: (pin, header) for key, pin, header in rows}


def box_on_a_pi() -> str:
    return drawing(
        "One socket on a Raspberry Pi",
        "Raspberry Pi with an MFRC522 card reader on SPI; meter and pilot controller on USB; "
        "drivers with pull-downs for K1 and the lock, a heartbeat relay, their feedback, and the "
        "contacts of emergency stop and residual current monitor in the supply of the coils.",
        SIZE,
        _box_body("Raspberry Pi", pins_of_box("On a Raspberry Pi")),
    )


def box_on_another_board() -> str:
    return drawing(
        "One socket on a Libre Computer AML-S905X-CC",
        "AML-S905X-CC with card reader, meter and pilot controller on USB; drivers with "
        "pull-downs for K1 and the lock, a heartbeat relay, their feedback, and the contacts of "
        "emergency stop and residual current monitor in the supply of the coils.",
        SIZE,
        _box_body("AML-S905X-CC", pins_of_box("On a board that is not a Pi")),
    )


def _box_body(board: str, pins: Pins) -> Iterator[str]:
    yield text(24, 56, "seen as a plan: fuses, PE and suppressors are in the text", "s")
    chip = next((pin.partition(":")[0] for pin, _ in pins.values() if ":" in pin), "BCM number")
    yield '<rect class="pi" x="370" y="92" width="200" height="528" rx="8"/>'
    yield text(470, 116, board, "b mid") + text(470, 133, f"{chip} (header pin)", "s mid")
    yield from _box_left(pins)
    for y, key in (
        (170, "inputs.emergency_stop.pin"),
        (226, "inputs.residual_current.pin"),
        (300, "connectors.contactor.heartbeat_pin"),
        (390, "connectors.contactor.pin"),
        (460, "connectors.contactor.feedback_pin"),
        (524, "connectors.lock.pin"),
        (588, "connectors.lock.feedback_pin"),
    ):
        yield _pin_label(560, y + 4, key, pins, "end")
    yield from _box_outputs()
    yield from _box_inputs()
    yield from _box_coils()
    yield from _box_mains()


def _pin_label(x: int, y: int, key: str, pins: Pins, side: str = "") -> str:
    pin, header = pins[key]
    name = f"line {pin.partition(':')[2]}" if ":" in pin else f"BCM {pin}"
    label = text(x, y, f"{name} ({header})", side)
    return label.replace("<text ", f'<text data-key="{key}" ', 1)


def _box_left(pins: Pins) -> Iterator[str]:
    wires = {
        "reader.spi_device (CE0)": "SDA",
        "reader.spi_bus (SCLK)": "SCK",
        "reader.spi_bus (MOSI)": "MOSI",
        "reader.spi_bus (MISO)": "MISO",
        "reader.reset_pin": "RST",
    }
    if "reader.reset_pin" in pins:
        yield box(24, 152, 216, 210) + text(38, 186, "MFRC522", "b") + text(38, 206, "card reader")
        yield text(38, 244, "3.3 V, never 5 V", "s") + text(38, 262, "IRQ stays open", "s")
        for number, (key, name) in enumerate(wires.items()):
            y = 170 + 28 * number
            yield path("w", f"M240 {y}H370") + text(230, y + 4, name, "end")
            yield _pin_label(380, y + 4, key, pins)
        for y, name in ((310, "3.3 V (17)"), (338, "ground (20)")):
            yield path("w", f"M240 {y}H370") + text(380, y + 4, name)
        yield text(230, 314, "3.3V", "end") + text(230, 342, "GND", "end")
    else:
        yield box(24, 220, 216, 62, "card reader", "prints lines, USB serial")
        yield path("w", "M240 251H370") + text(380, 255, "USB")
    yield box(24, 400, 216, 62, "USB to TTL, 3.3 V", "RX to TX, ground joined")
    yield path("w", "M240 431H370") + text(380, 435, "USB")
    yield box(24, 490, 216, 62, "USB to RS-485", "120 ohm at both ends")
    yield path("w", "M240 521H370") + text(380, 525, "USB")
    yield box(24, 92, 216, 44, "5 V supply", "of the board alone")
    yield path("c", "M240 114H370") + text(380, 118, "5 V")


def _box_outputs() -> Iterator[str]:
    for y in (300, 390, 524):
        yield path("w", f"M570 {y}H670") + dot(600, y) + path("w", f"M600 {y}V{y + 4}")
        yield resistor("w", 600, y + 4, "10 kΩ") + ground(600, y + 38)
    yield box(670, 278, 120, 44, "monostable", "about 1 s, relay")
    yield path("d", "M790 300H872")
    yield box(670, 368, 120, 44, "driver", "high level = on") + path("c", "M790 390H880V360")
    yield box(670, 502, 120, 44, "driver", "high level = on") + path("c", "M790 524H840")
    yield box(840, 502, 136, 44, "solenoid lock", "energised = locked")


def _box_inputs() -> Iterator[str]:
    for y, words in ((170, "second contact"), (226, "second contact")):
        yield path("w", f"M570 {y}H640M670 {y}H705M640 {y}L670 {y - 9}M670 {y}V{y - 12}")
        yield ground(705, y) + path("d", f"M655 {y - 8}V{y - 24}H840V{y - 8}H878")
        yield text(730, y + 4, words, "s")
    yield path("w", "M570 460H640M670 460H705M640 460L670 451M670 460V448") + ground(705, 460)
    yield text(730, 456, "mirror contact of K1: closed", "s")
    yield text(730, 471, "while all main contacts are open", "s")
    yield path("w", "M570 588H640M670 588H705M640 588L667 576") + ground(705, 588)
    yield text(730, 584, "switch in the lock:", "s") + text(730, 599, "closed = locked", "s")


def _box_coils() -> Iterator[str]:
    yield text(880, 96, "+12 V, supply of the coils", "s mid")
    yield path("c", "M880 104V150M880 176V206M880 232V286M880 312V332")
    yield path("c", "M880 246H945V332M945 360V376") + dot(880, 246, "cdot")
    for y in (176, 232, 312):
        yield path("c", f"M880 {y}L889 {y - 26}" + (f"M880 {y - 26}H892" if y < 300 else ""))
    yield (
        text(900, 160, "emergency", "b") + text(900, 176, "stop") + text(900, 212, "residual", "b")
    )
    yield text(900, 228, "current")
    for x, name in ((880, "K1"), (945, "K2")):
        yield box(x - 24, 332, 48, 28, name)
    yield text(945, 392, "to the pilot", "s mid") + text(945, 407, "controller", "s mid")


def _box_mains() -> Iterator[str]:
    yield path("m", "M40 760H430M478 760H610M658 760H800") + path("m", "M430 760L474 740")
    yield path("m", "M610 760L654 740") + text(24, 742, "mains", "s")
    yield box(84, 726, 96, 68, "breaker", "and RCD") + box(196, 726, 150, 68, "meter", "SDM630")
    yield (
        path("w", "M208 552V726M232 552V726")
        + text(202, 680, "A", "s end")
        + text(238, 680, "B", "s")
    )
    yield path("w", "M100 462V476H300V660H540") + text(310, 654, "TTL serial line", "s")
    yield box(540, 636, 190, 52, "pilot controller", "EVSE-WB; switches K2")
    yield text(452, 732, "K1", "b mid") + text(632, 732, "K2", "b mid")
    yield text(452, 782, "main contacts", "s mid") + text(632, 782, "main contacts", "s mid")
    yield box(800, 712, 160, 96, "socket, type 2", "with its lock")
    yield path("w", "M730 650H846V712M730 674H826V712") + text(738, 645, "CP", "s")
    yield text(738, 669, "PP", "s")
    yield text(24, 832, "What opens K1 and K2 in time is the wiring: the contacts in the supply of "
               "their coils. The second contacts only inform the agent.", "s")  # fmt: skip
    yield text(24, 850, "Only extra-low voltage goes to the board. No pin drives a coil.", "s")


PICTURES = {"box-pi.svg": box_on_a_pi, "box-board.svg": box_on_another_board}

if __name__ == "__main__":
    write(PICTURES)
