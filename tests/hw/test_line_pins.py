"""gpiozero's real devices on the kernel's lines (an emulated kernel)."""

import contextlib
import ctypes
import os
import struct
import subprocess
import sys

import pytest

import hw.gpio
from hw.board import open_board
from hw.gpio import GpioInput, GpioOutput
from hw.line_pins import LinePins
from hw.lines import Chips
from hw.ports import BoardError
from hw.settings import (
    BoardSettings,
    ConnectorSettings,
    ContactorSettings,
    LockSettings,
)
from hw.settings_indicator import IndicatorSettings
from tests.emulators.gpio_chips import GpioChips


@pytest.fixture
def kernel(tmp_path):
    return GpioChips(tmp_path / "dev", {"gpiochip0": "pinctrl-rp1", "gpiochip1": "expander"})


@pytest.fixture
def pins(kernel):
    factory = LinePins(Chips(str(kernel.dev), kernel.ioctl))
    yield factory
    factory.close()


def connector(number, pin, lock_pin, feedback_pin):
    return ConnectorSettings(
        id=number,
        contactor=ContactorSettings(driver="gpio", pin=pin, feedback_pin=feedback_pin),
        lock=LockSettings(driver="solenoid", pin=lock_pin, feedback_pin=lock_pin + 1),
    )


THREE = BoardSettings(
    connectors=(connector(1, 17, 5, 20), connector(2, 18, 7, 21), connector(3, 19, 9, 22))
)


def descriptor(kernel, line):
    """The number of the descriptor that holds a line."""
    watched = kernel._held["gpiochip0", line]
    pipe = os.fstat(watched).st_ino
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/self/fd/{name}").st_ino == pipe and int(name) != watched:
                return int(name)
    raise AssertionError(f"nobody holds line {line}")


@pytest.mark.parametrize("active_high", [True, False])
def test_an_output_is_off_from_the_first_moment_on_and_an_input_when_it_is_closed(
    kernel, pins, active_high
):
    output = GpioOutput("relay", 17, pins, active_high)
    output.set(True)
    output.set(False)
    assert kernel.log == [(17, not active_high), (17, active_high), (17, not active_high)]
    output.close()
    output.close()
    assert kernel.outputs == {}
    assert not kernel.is_held(17)


def test_a_line_of_any_chip_is_a_pin(kernel, pins):
    output = GpioOutput("relay", "gpiochip1:3", pins)
    output.set(True)
    assert kernel.outputs == {("gpiochip1", 3): True}


def test_an_input_reads_its_level(kernel, pins):
    contact = GpioInput("contact", 22, "low", pins)
    assert contact.is_active
    contact.shut_down()
    assert not kernel.is_held(22)


def test_two_parts_on_one_line_are_an_error_whatever_they_call_it(pins):
    relay = GpioOutput("relay", 17, pins)
    with pytest.raises(BoardError, match="lamp, pin gpiochip0:17: it is in use"):
        GpioOutput("lamp", "gpiochip0:17", pins)
    relay.close()


def test_a_line_of_another_process_is_named(kernel, pins):
    kernel.busy.add(("gpiochip0", 17))
    with pytest.raises(BoardError, match="relay, pin 17: it is in use"):
        GpioOutput("relay", 17, pins)
    kernel.busy.clear()
    GpioOutput("relay", 17, pins).close()


@pytest.mark.parametrize("busy", [17, 18, 19, 5, 7, 9, 20, 21, 22])
def test_every_output_is_safe_before_anything_may_fail_for_another(kernel, pins, busy):
    kernel.outputs = {("gpiochip0", pin): True for pin in (17, 18, 19, 5, 7, 9)}
    kernel.busy.add(("gpiochip0", busy))
    with pytest.raises(BoardError, match=f"pin {busy}: "):
        open_board(THREE, lambda: 0.0, pin_factory=pins)
    left_on = {pin for (_, pin), level in kernel.outputs.items() if level}
    assert left_on <= {busy}
    assert [pin for pin, _ in kernel.log[:3]] == [pin for pin in (17, 18, 19) if pin != busy] + (
        [5] if busy in (17, 18, 19) else []
    )


def test_every_output_that_fails_is_named(kernel, pins):
    kernel.busy |= {("gpiochip0", pin) for pin in (17, 7, 19)}
    with pytest.raises(BoardError) as caught:
        open_board(THREE, lambda: 0.0, pin_factory=pins)
    for words in (
        "connector 1 contactor, pin 17",
        "connector 2 lock, pin 7",
        "connector 3 contactor, pin 19",
    ):
        assert words in str(caught.value)


def test_every_feedback_that_fails_is_named(kernel, pins):
    kernel.busy |= {("gpiochip0", 20), ("gpiochip0", 22)}
    with pytest.raises(BoardError, match=r"pin 20: .*; .*pin 22: "):
        open_board(THREE, lambda: 0.0, pin_factory=pins)


def test_when_the_process_dies_the_kernel_lets_go_of_contactors_first(kernel, pins):
    board = open_board(THREE, lambda: 0.0, pin_factory=pins)
    coils = [descriptor(kernel, pin) for pin in (17, 18, 19)]
    others = [descriptor(kernel, pin) for pin in (5, 7, 9, 20, 21, 22)]
    assert min(coils) > max(others)
    board.shut_down()
    assert kernel.outputs == {}
    assert not [pin for pin in range(30) if kernel.is_held(pin)]


def in_which_order_files_go(directory, count):
    """Kill a process that has opened files, and look in which order the kernel closes them."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init()
    assert libc.inotify_add_watch(watch, str(directory).encode(), 0x8) > 0  # IN_CLOSE_WRITE
    code = (
        "import os, threading, time\n"
        f"[os.open({str(directory)!r} + '/%d' % n, os.O_CREAT | os.O_WRONLY, 0o600)"
        f" for n in range({count})]\n"
        "threading.Thread(target=time.sleep, args=(1000,)).start()\n"
        "print(flush=True)\n"
        "time.sleep(1000)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.kill()
    order, events = [], b""
    while len(order) < count:
        events += os.read(watch, 4096)
        while len(events) >= 16:
            size = 16 + struct.unpack_from("I", events, 12)[0]
            order.append(int(events[16:size].rstrip(b"\0")))
            events = events[size:]
    os.close(watch)
    return order


def test_this_kernel_closes_the_file_of_the_highest_number_first(tmp_path):
    """What ``go_first`` relies on."""
    assert in_which_order_files_go(tmp_path, 6) == [5, 4, 3, 2, 1, 0]


def test_a_light_without_pwm_is_switched_on_and_off(kernel, pins, monkeypatch, caplog):
    def without(factory):
        raise BoardError("lgpio: a package is missing: No module named 'lgpio'")

    monkeypatch.setattr("hw.indicator.pins_with_pwm", without)
    lights = IndicatorSettings(driver="gpio", led_pin=12, buzzer_pin=16)
    settings = BoardSettings(connectors=THREE.connectors, indicator=lights)
    board = open_board(settings, lambda: 0.0, pin_factory=pins)
    assert "indicator led_pin: only switched on and off: lgpio" in caplog.text
    assert kernel.is_held(12)
    board.shut_down()


def test_the_factory_of_the_board_is_on_the_kernels_lines():
    assert isinstance(hw.gpio.open_pin_factory(), LinePins)
