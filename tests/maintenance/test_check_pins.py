"""Would a contactor open without the agent: heartbeat output and kernel setting."""

from pathlib import Path

import pytest

from agent.config.config_file import parse_config
from agent.maintenance.agent_user import User
from agent.maintenance.check_pins import SETTING, look_at_frozen_outputs, look_at_pins
from agent.maintenance.findings import FindingVerdict
from hw.lines import Chips
from tests.emulators.gpio_chips import GpioChips

BOX = """
[charge_point]
identity = "CP-1"
[[connectors]]
id = 1
contactor = {{ driver = "gpio", pin = 17{first} }}
[[connectors]]
id = 2
contactor = {{ driver = "{second}", pin = 27 }}
"""


def findings(modules: Path, first: str = "", second: str = "simulated"):
    settings = parse_config(BOX.format(first=first, second=second))
    return list(look_at_frozen_outputs(settings, modules))


def kernel(folder: Path, driver: str, value: str) -> Path:
    parameter = folder / driver / SETTING
    parameter.parent.mkdir(parents=True)
    parameter.write_text(f"{value}\n")
    return folder


def pins_of(folder: Path, pins: list[int | str], labels: dict[str, str]) -> list[tuple[str, str]]:
    kernel = GpioChips(folder / "dev", labels)
    chips = Chips(str(kernel.dev), kernel.ioctl)
    root = User("root", 0, frozenset())
    found = [(f.verdict.value, f.words) for f in look_at_pins(pins, root, chips, kernel.dev)]
    assert kernel.log == [], "nothing is driven"
    return found


def test_the_chips_are_those_that_the_service_opens(tmp_path):
    pi_5 = {"gpiochip0": "pinctrl-rp1", "gpiochip10": "gpio-brcmstb", "gpiochip13": "expander"}
    found = pins_of(tmp_path, [17, 22, "gpiochip13:5"], pi_5)
    assert found == [
        ("pass", f"pins: {tmp_path}/dev/gpiochip0"),
        ("pass", f"pins: {tmp_path}/dev/gpiochip13"),
    ]


def test_a_number_on_a_board_without_the_header_is_told_before_the_service_fails(tmp_path):
    [(verdict, words)] = pins_of(tmp_path, [17], {"gpiochip0": "1c20800.pinctrl"})
    assert verdict == "fail"
    assert "no header of a Raspberry Pi" in words
    assert "(found: gpiochip0)" in words


def test_a_chip_or_a_line_that_is_not_there_is_told(tmp_path):
    missing, beyond = pins_of(tmp_path, ["gpiochip0:54", "gpiochip7:1"], {"gpiochip0": "pinctrl"})
    assert beyond == (
        "fail",
        f"pins: there is no {tmp_path}/dev/gpiochip7: is this a board with pins?",
    )
    assert missing == ("fail", "pins: gpiochip0 has 54 lines, there is no line 54")


def test_a_contactor_without_a_heartbeat_is_told_and_one_that_is_simulated_is_not(tmp_path):
    missing, _ = findings(tmp_path)
    assert missing.verdict is FindingVerdict.NOTE
    assert missing.words.startswith("connector 1 has no heartbeat output")
    fitted, other, _ = findings(tmp_path, ", heartbeat_pin = 22", "gpio")
    assert (fitted.verdict, other.verdict) == (FindingVerdict.PASS, FindingVerdict.NOTE)


@pytest.mark.parametrize("driver", ["pinctrl_bcm2835", "pinctrl_rp1"])
@pytest.mark.parametrize(
    ("value", "verdict", "then"),
    [("N", FindingVerdict.PASS, ""), ("Y", FindingVerdict.NOTE, "dtparam=strict_gpiod")],
)
def test_the_kernels_setting_is_told(tmp_path, driver, value, verdict, then):
    *_, found = findings(kernel(tmp_path, driver, value))
    assert found.verdict is verdict
    assert found.then.startswith(then)


def test_a_kernel_that_does_not_say_is_to_be_tried(tmp_path):
    *_, found = findings(tmp_path)
    assert found.verdict is FindingVerdict.NOTE
    assert "does not say" in found.words


def test_a_box_without_real_contactors_has_nothing_to_tell(tmp_path):
    settings = parse_config(
        '[charge_point]\nidentity = "CP-1"\n[[connectors]]\nid = 1\n'
        'contactor = { driver = "simulated" }\n'
    )
    assert list(look_at_frozen_outputs(settings, tmp_path)) == []
