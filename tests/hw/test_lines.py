import os

import pytest

from hw.lines import Chips, LineBusy, LineError, parse_pin
from tests.emulators.gpio_chips import GpioChips


@pytest.fixture
def kernel(tmp_path):
    return GpioChips(tmp_path / "dev")


@pytest.fixture
def chips(kernel):
    return Chips(str(kernel.dev), kernel.ioctl)


def test_an_output_is_at_its_level_from_the_first_moment_on_and_ours_until_it_is_closed(
    kernel, chips
):
    line = chips.output(17, True)
    assert kernel.log == [(17, True)]
    with pytest.raises(LineBusy, match="it is in use"):
        chips.output("gpiochip0:17", False)
    chips.set(line, False)
    assert not chips.get(line)
    os.close(line)
    os.close(chips.output("gpiochip0:17", False))
    assert kernel.log == [(17, True), (17, False), (17, False)]


def test_a_line_is_turned_round_without_being_let_go(kernel, chips):
    line = chips.input(22, "up")
    assert kernel.outputs == {}
    chips.make_output(line, True)
    assert kernel.outputs == {("gpiochip0", 22): True}
    assert kernel.is_held(22)
    chips.make_input(line, "down")
    assert kernel.outputs == {}
    os.close(line)


@pytest.mark.parametrize(
    ("labels", "header"),
    [
        ({"gpiochip0": "pinctrl-bcm2835"}, "gpiochip0"),
        ({"gpiochip0": "brcmvirt-gpio", "gpiochip4": "pinctrl-rp1"}, "gpiochip4"),
        ({"gpiochip10": "gpio-brcmstb@107d508500", "gpiochip0": "pinctrl-rp1"}, "gpiochip0"),
    ],
)
def test_the_header_of_a_raspberry_pi_is_found_by_its_label(tmp_path, labels, header):
    kernel = GpioChips(tmp_path / "dev", labels)
    assert Chips(str(kernel.dev), kernel.ioctl).resolve(17) == (header, 17)


def test_on_another_board_a_line_needs_the_name_of_its_chip(tmp_path):
    kernel = GpioChips(tmp_path / "dev", {"gpiochip0": "1c20800.pinctrl", "gpiochip1": "r_pio"})
    chips = Chips(str(kernel.dev), kernel.ioctl)
    with pytest.raises(LineError, match=r'"gpiochip1:17" \(found: gpiochip0, gpiochip1\)'):
        chips.output(17, False)
    os.close(chips.output("gpiochip1:17", False))


def test_what_is_wrong_is_said_in_words(tmp_path, kernel, chips):
    kernel.broken.add(("gpiochip0", 5))
    (kernel.dev / "gpiochip7").mkdir()
    for pin, words in (
        ("gpiochip0:54", "no such line"),
        ("gpiochip3:1", "there is no .*/gpiochip3"),
        ("gpiochip7:1", "Is a directory"),
        (5, "Input/output error"),
        ("../null:1", "chip and line as in"),
        (54, "from 0 to 53"),
        (True, "from 0 to 53"),
    ):
        with pytest.raises(LineError, match=words):
            chips.output(pin, False)
    with pytest.raises(LineError, match="there is no GPIO chip at all"):
        Chips(str(tmp_path / "none")).output(17, False)
    real = Chips(str(kernel.dev))  # ordinary files under the real call
    with pytest.raises(LineError, match="no GPIO chip, or the kernel is older"):
        real.output(17, False)


def test_a_pin_is_a_number_or_chip_and_line():
    assert parse_pin(17) == ("", 17)
    assert parse_pin("gpiochip12:130") == ("gpiochip12", 130)
    for wrong in ("17", "gpiochip1", "chip1:17", "gpiochip1:17 ", 54, -1, 1.0, None, True):
        with pytest.raises(ValueError, match="whole number from 0 to 53"):
            parse_pin(wrong)
