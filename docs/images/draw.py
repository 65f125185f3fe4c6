"""Draws the wiring pictures of docs/commissioning.md: ``python docs/images/draw.py``.

Pins are those of config.example.toml, positions on the header those that gpiozero knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from gpiozero import pi_info

from agent.config.config_file import read_config
from agent.config.pins import pin_table

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "config.example.toml"

STYLE = """\
<style>
  text { font: 13px system-ui, "DejaVu Sans", Arial, sans-serif; fill: #1f2328; }
  .h { font-size: 17px; font-weight: 600; }
  .b { font-weight: 600; }
  .s { font-size: 11.5px; fill: #57606a; }
  .n { font-size: 10.5px; fill: #57606a; }
  .end { text-anchor: end; }
  .mid { text-anchor: middle; }
  .page { fill: #ffffff; }
  .box { fill: #f6f8fa; stroke: #57606a; stroke-width: 1.2; }
  .pi { fill: #e8f5ec; stroke: #2f7d4f; stroke-width: 1.5; }
  .w, .c, .m, .d { fill: none; stroke-linecap: round; stroke-linejoin: round; }
  .w { stroke: #0969da; stroke-width: 1.7; }
  .c { stroke: #bc4c00; stroke-width: 2.2; }
  .m { stroke: #7d4e00; stroke-width: 5; }
  .d { stroke: #57606a; stroke-width: 1.2; stroke-dasharray: 4 4; }
  .used { fill: #0969da; }
  .volt { fill: #cf222e; }
  .gnd { fill: #24292f; }
  .free { fill: #d0d7de; }
  .dot { fill: #0969da; }
  .cdot { fill: #bc4c00; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .s { fill: #a5afba; }
    .n { fill: #a5afba; }
    .page { fill: #0d1117; }
    .box { fill: #161b22; stroke: #8b949e; }
    .pi { fill: #12261a; stroke: #3fb950; }
    .w { stroke: #58a6ff; }
    .c { stroke: #f0883e; }
    .m { stroke: #d29922; }
    .d { stroke: #8b949e; }
    .used { fill: #58a6ff; }
    .volt { fill: #ff7b72; }
    .gnd { fill: #6e7681; }
    .free { fill: #30363d; }
    .dot { fill: #58a6ff; }
    .cdot { fill: #f0883e; }
  }
</style>"""

# What each key of the example means to the person with the screwdriver.
MEANINGS = {
    "reader.reset_pin": "reader RST",
    "reader.spi_bus (MISO)": "reader MISO",
    "reader.spi_bus (MOSI)": "reader MOSI",
    "reader.spi_bus (SCLK)": "reader SCK",
    "reader.spi_device (CE0)": "reader SDA",
    "contactor.pin": "driver of coil K1 (out)",
    "contactor.feedback_pin": "auxiliary contact of K1",
    "lock.pin": "driver of the lock (out)",
    "lock.feedback_pin": "switch in the lock",
    "plug.pin": "plug contact",
    "inputs.emergency_stop.pin": "emergency stop, 2nd contact",
    "inputs.residual_current.pin": "residual current, 2nd contact",
}


def drawing(title: str, description: str, size: tuple[int, int], body: Iterator[str]) -> str:
    """A whole SVG file."""
    width, height = size
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-labelledby="title desc">'
    )
    lines = [
        head,
        f'<title id="title">{title}</title>',
        f'<desc id="desc">{description}</desc>',
        STYLE,
        f'<rect class="page" width="{width}" height="{height}" rx="10"/>',
        f'<text class="h" x="24" y="34">{title}</text>',
        *body,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def text(x: float, y: float, words: str, look: str = "") -> str:
    return f'<text class="{look}" x="{x:g}" y="{y:g}">{words}</text>'.replace(' class=""', "")


def path(look: str, d: str) -> str:
    return f'<path class="{look}" d="{d}"/>'


def box(x: float, y: float, width: float, height: float, *lines: str, look: str = "box") -> str:
    """A part with its name in bold and what follows in small."""
    parts = [f'<rect class="{look}" x="{x:g}" y="{y:g}" width="{width}" height="{height}" rx="6"/>']
    top = y + height / 2 - 8 * (len(lines) - 1) + 4
    for number, line in enumerate(lines):
        kind = "b mid" if number == 0 else "s mid"
        parts.append(text(x + width / 2, top + 17 * number, line, kind))
    return "".join(parts)


def dot(x: float, y: float, look: str = "dot") -> str:
    return f'<circle class="{look}" cx="{x:g}" cy="{y:g}" r="3.2"/>'


def ground(x: float, y: float) -> str:
    """The sign of ground, hanging at this point."""
    return path("w", f"M{x} {y}V{y + 10}M{x - 9} {y + 10}H{x + 9}M{x - 5} {y + 14}H{x + 5}"
                f"M{x - 2} {y + 18}H{x + 2}")  # fmt: skip


def resistor(look: str, x: float, y: float, words: str) -> str:
    """Upright, 34 high, its name to the right."""
    frame = f'<rect class="box" x="{x - 6:g}" y="{y + 7:g}" width="12" height="20"/>'
    wires = path(look, f"M{x} {y}V{y + 7}M{x} {y + 27}V{y + 34}")
    return frame + wires + text(x + 12, y + 21, words, "s")


# --- the header ----------------------------------------------------------------------------------


def used_pins() -> dict[int, str]:
    """Meaning by BCM number, from the example."""
    found = {}
    for bcm, key in pin_table(read_config(EXAMPLE)):
        found[bcm] = MEANINGS[re.sub(r"connectors\[id=1\]\.", "", key)]
    return found


def header() -> str:
    return drawing(
        "The 40 pins of the header",
        "Pin header of a Raspberry Pi seen from above, pin 1 at the top left: which "
        "position goes to which part in config.example.toml.",
        (820, 610),
        _header_body(),
    )


def _header_body() -> Iterator[str]:
    yield text(24, 56, "seen from above; pin 1 is at the end that points into the board", "s")
    yield '<rect class="pi" x="366" y="78" width="88" height="512" rx="8"/>'
    used = used_pins()
    for number, pin in pi_info("a02082").headers["J8"].pins.items():
        y = 98 + (number - 1) // 2 * 25
        is_left = number % 2 == 1
        x = 390 if is_left else 430
        bcm = next((int(n[3:]) for n in pin.names if re.fullmatch(r"BCM\d+", str(n))), None)
        look, words, strong = _pin(bcm, pin.name, used)
        yield f'<circle class="{look}" cx="{x}" cy="{y}" r="7"/>'
        side = "end" if is_left else ""
        yield text(344 if is_left else 476, y + 4, words, f"{strong} {side}".strip())
        yield text(362 if is_left else 458, y + 4, str(number), f"n {side}".strip())


def _pin(bcm: int | None, name: str, used: dict[int, str]) -> tuple[str, str, str]:
    if bcm in used:
        return "used", f"BCM {bcm}: {used[bcm]}", "b"
    if bcm is not None:
        return "free", f"BCM {bcm}", "s"
    if name == "GND":
        return "gnd", "ground", "s"
    return "volt", "3.3 V (reader, never 5 V)" if name == "3V3" else "5 V", "s"


# --- an output and an input ----------------------------------------------------------------------


def stages() -> str:
    return drawing(
        "An output and an input",
        "Left: a pin drives a transistor that switches a coil, with 10 kilohm from the driver's "
        "input to ground and a suppressor across the coil. Right: a contact between a pin and "
        "ground, with 4.7 kilohm to 3.3 V on long wires.",
        (820, 330),
        _stages_body(),
    )


def _stages_body() -> Iterator[str]:
    yield text(24, 66, "output: contactor, lock", "b")
    yield box(24, 150, 110, 60, "BCM 17", "output, low = off", look="pi")
    yield path("w", "M134 180H270") + dot(158, 180)
    yield path("w", "M158 180V192") + resistor("w", 158, 192, "10 kΩ: off while")
    yield text(170, 228, "nobody drives the pin", "s") + ground(158, 226)
    yield box(270, 156, 84, 48, "driver", "MOSFET, ULN")
    yield path("c", "M312 156V130M312 204V226") + ground(312, 226)
    yield box(280, 88, 64, 42, "coil")
    yield path("c", "M312 88V66H330") + text(336, 70, "+12 or 24 V", "s")
    yield path("c", "M312 78H372V96M372 122V140H312") + dot(312, 78, "cdot") + dot(312, 140, "cdot")
    yield box(360, 96, 24, 26) + text(390, 108, "TVS: a plain diode", "s")
    yield text(390, 123, "opens slowly", "s")
    yield path("d", "M500 56V310")
    yield text(530, 66, "input: feedback, plug, safety contacts", "b")
    yield box(530, 150, 110, 60, "BCM 27", "input, pulled up", look="pi")
    yield path("w", "M640 180H720V206") + dot(680, 180)
    yield path("w", "M680 180V146") + resistor("w", 680, 112, "4.7 kΩ on long wires")
    yield path("w", "M680 112V98") + text(680, 90, "3.3 V", "s mid")
    yield path("w", "M720 206L732 236M720 238V250") + ground(720, 250)
    yield text(742, 222, "contact:", "s") + text(742, 238, "closed = low", "s")
    yield text(24, 300, "Nothing on mains goes to a pin. A pin gives 16 mA: never a coil.", "s")


# --- the coils -----------------------------------------------------------------------------------


def coils() -> str:
    return drawing(
        "The supply of the coils",
        "From the supply of the coils through emergency stop and residual current contact, both "
        "normally closed, to the coils of K1, switched by the agent, and K2, switched by the pilot "
        "controller. The main contacts of K1 and K2 lie in a row between mains and socket.",
        (820, 330),
        _coils_body(),
    )


def _coils_body() -> Iterator[str]:
    yield text(24, 66, "control", "b")
    yield text(24, 106, "+12 or 24 V", "s") + path("c", "M100 102H170M206 102H330M366 102H560")
    yield path("c", "M170 102L204 92M206 102V90") + path("c", "M330 102L364 92M366 102V90")
    yield text(188, 124, "emergency stop", "s mid") + text(348, 124, "residual current", "s mid")
    yield text(188, 139, "normally closed", "s mid") + text(348, 139, "contact", "s mid")
    for x, name, words in ((470, "K1", "the agent"), (560, "K2", "pilot controller")):
        yield dot(x, 102, "cdot") + path("c", f"M{x} 102V120M{x} 156V176")
        yield box(x - 24, 120, 48, 36, name)
        yield text(x, 194, words, "s mid")
    yield text(620, 130, "opened by hand or leak:", "s") + text(
        620, 147, "both coils dead, without", "s"
    )
    yield text(620, 164, "any program", "s")
    yield text(24, 236, "mains", "b")
    yield path("m", "M100 262H220M262 262H380M422 262H560")
    yield path("m", "M220 262L258 246") + path("m", "M380 262L418 246")
    yield text(241, 290, "K1", "b mid") + text(401, 290, "K2", "b mid")
    yield box(30, 240, 70, 44, "meter", "RCD, fuse") + box(560, 240, 90, 44, "socket", "car")
    yield text(241, 308, "auxiliary contact to BCM 27", "s mid")
    yield text(670, 258, "energy flows only", "s") + text(670, 274, "while both are closed", "s")


# --- the meter -----------------------------------------------------------------------------------


def meter() -> str:
    return drawing(
        "Meters on RS-485",
        "A USB adapter and two meters on one pair of wires A and B with ground, 120 ohm at both "
        "ends, each meter with its own unit id.",
        (820, 280),
        _meter_body(),
    )


def _meter_body() -> Iterator[str]:
    yield box(24, 96, 120, 90, "USB adapter", "automatic direction", "/dev/serial/by-id/")
    for y, name in ((116, "A"), (141, "B"), (166, "GND")):
        yield path("w", f"M144 {y}H720") + text(156, y - 5, name, "s")
    for x, unit in ((330, 1), (530, 2)):
        for offset, y in ((-30, 116), (0, 141), (30, 166)):
            yield path("w", f"M{x + offset} {y}V206") + dot(x + offset, y)
        yield box(x - 75, 206, 150, 50, f"meter, unit id {unit}", "same baud and parity")
    for x in (210, 700):
        yield path("w", f"M{x} 116V118M{x} 139V141") + dot(x, 116) + dot(x, 141)
        yield f'<rect class="box" x="{x - 6}" y="118" width="12" height="21"/>'
        yield text(x, 92, "120 Ω", "s mid") + path("d", f"M{x} 96V116")
    yield text(24, 66, "No answer at all: swap A and B. A new SDM120 speaks 2400 baud.", "s")


PICTURES = {
    "header.svg": header,
    "stages.svg": stages,
    "coils.svg": coils,
    "meter.svg": meter,
}


def write(pictures: Mapping[str, Callable[[], str]]) -> None:
    """Write every picture."""
    for name, draw in pictures.items():
        (HERE / name).write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    write(PICTURES)
