import os
import subprocess
import sys
import textwrap
import threading

import pytest
from gpiozero.pins.mock import MockConnectedPin, MockFactory, MockPin

from hw.gpio import (
    GpioInput,
    GpioOutput,
    GpioPlugSensor,
    GpioSafetyInput,
    call_later,
    open_contactor,
    open_lock,
)
from hw.ports import BoardError, ContactorClosed, ContactorTripped, LockChanged, LockState, Trip
from hw.settings import (
    ContactorSettings,
    GridLimitSettings,
    LockSettings,
    PlugSettings,
    SafetyInputSettings,
)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class BrokenPin(MockPin):
    """A line of a chip that has gone away."""

    is_broken = False

    def _get_state(self):
        if self.is_broken:
            raise OSError("no such device")
        return super()._get_state()

    def _set_state(self, value):
        if self.is_broken:
            raise OSError("no such device")
        super()._set_state(value)


@pytest.fixture
def pins():
    factory = MockFactory()
    yield factory
    factory.reset()


def levels(pin: MockPin) -> list[bool]:
    return [state.state for state in pin.states]


def contactor_settings(**changes) -> ContactorSettings:
    return ContactorSettings(**{"driver": "gpio", "pin": 17, **changes})


def test_a_coil_is_never_on_before_it_is_told(pins):
    output = GpioOutput("coil", 17, pins)
    assert pins.pin(17).function == "output"
    assert levels(pins.pin(17)) == [False]
    output.set(True)
    output.set(False)
    assert levels(pins.pin(17)) == [False, True, False]


def test_a_coil_that_is_on_at_a_low_level_starts_high(pins):
    output = GpioOutput("coil", 17, pins, active_high=False)
    assert pins.pin(17).state
    output.set(True)
    assert levels(pins.pin(17)) == [False, True, False]


def test_a_released_pin_is_an_input_and_closing_twice_is_fine(pins):
    output = GpioOutput("coil", 17, pins)
    output.set(True)
    output.close()
    output.close()
    assert pins.pin(17).function == "input"


@pytest.mark.parametrize(
    ("active_level", "pull", "level", "is_active"),
    [
        ("low", None, False, True),
        ("low", None, True, False),
        ("high", None, True, True),
        ("high", None, False, False),
        ("high", "up", True, True),
        ("high", "up", False, False),
    ],
)
def test_an_input_is_active_at_its_active_level(pins, active_level, pull, level, is_active):
    gpio_input = GpioInput("contact", 22, active_level, pins, pull)
    pin = pins.pin(22)
    pin.drive_high() if level else pin.drive_low()
    assert gpio_input.is_active is is_active


@pytest.mark.parametrize(("active_level", "pull"), [("low", "up"), ("high", "down")])
def test_a_broken_wire_reads_as_not_active(pins, active_level, pull):
    gpio_input = GpioInput("contact", 22, active_level, pins)
    assert pins.pin(22).pull == pull
    assert not gpio_input.is_active


@pytest.mark.parametrize(("closed_level", "closed"), [("low", False), ("high", True)])
def test_a_contactor_reads_its_feedback_at_the_level_that_is_set(pins, closed_level, closed):
    settings = contactor_settings(feedback_pin=22, feedback_closed_level=closed_level)
    contactor = open_contactor(1, settings, Clock(), pins)
    assert pins.pin(22).pull == "up", "the contact goes to ground, whichever way it works"
    feedback = pins.pin(22)
    feedback.drive_high() if closed else feedback.drive_low()
    assert contactor.is_closed
    feedback.drive_low() if closed else feedback.drive_high()
    assert not contactor.is_closed


def test_a_mirror_contact_with_a_broken_wire_counts_as_welded(pins):
    clock = Clock()
    settings = contactor_settings(feedback_pin=22, feedback_closed_level="high")
    contactor = open_contactor(1, settings, clock, pins)
    contactor.step(0.0)
    assert contactor.step(1.0) == [ContactorTripped(Trip.WELDED, 1)]


def test_a_contactor_closes_its_coil_and_sees_its_auxiliary_contact_follow(pins):
    clock = Clock()
    auxiliary = pins.pin(22)
    pins.pin(17, pin_class=MockConnectedPin, input_pin=auxiliary)
    settings = contactor_settings(feedback_pin=22, feedback_closed_level="high")
    contactor = open_contactor(1, settings, clock, pins)
    auxiliary.drive_low()
    contactor.arm(0)
    contactor.close(5)
    assert contactor.step(0.0) == [ContactorClosed()]
    clock.now_s = 6.0
    contactor.step(6.0)
    assert levels(pins.pin(17)) == [False, True, False]
    contactor.shut_down()
    assert pins.pin(17).function == pins.pin(22).function == "input"


def test_a_contactor_on_a_low_level_is_never_low_but_while_closed(pins):
    clock = Clock()
    contactor = open_contactor(1, contactor_settings(active_high=False), clock, pins)
    pins.pin(17).clear_states()
    contactor.arm(0)
    contactor.close(5)
    contactor.open()
    assert levels(pins.pin(17)) == [True, False, True]


def test_a_contactor_without_feedback_is_closed_when_ordered(pins):
    contactor = open_contactor(1, contactor_settings(), Clock(), pins)
    contactor.arm(0)
    contactor.close(5)
    assert contactor.is_closed


def test_a_contactor_with_a_heartbeat_toggles_its_pin_and_releases_it(pins):
    contactor = open_contactor(1, contactor_settings(heartbeat_pin=26), Clock(), pins)
    for _ in range(3):
        contactor.step(0.0)
    assert levels(pins.pin(26)) == [False, True, False, True]
    contactor.shut_down()
    assert pins.pin(26).function == "input"


def test_a_pin_in_use_is_an_error_that_names_part_and_pin(pins):
    coil = GpioOutput("connector 1 contactor", 17, pins)
    with pytest.raises(BoardError, match=r"connector 2 contactor, pin 17: .*already in use"):
        open_contactor(2, contactor_settings(), Clock(), pins)
    coil.close()


def test_a_pin_that_the_board_lacks_is_an_error_that_names_part_and_pin(pins):
    with pytest.raises(BoardError, match=r"connector 1 plug, pin 50: 50 is not a valid pin name"):
        GpioPlugSensor(1, PlugSettings(driver="gpio", pin=50), pins)


def test_a_contactor_whose_feedback_cannot_be_opened_leaves_its_coil_free(pins):
    with pytest.raises(BoardError, match="connector 1 contactor feedback, pin 50"):
        open_contactor(1, contactor_settings(feedback_pin=50), Clock(), pins)
    GpioOutput("somebody else", 17, pins).close()


def test_a_line_without_rights_is_an_error_that_names_part_and_pin(pins):
    class ForbiddenPin(MockPin):
        def __init__(self, factory, info):
            raise PermissionError(13, "Permission denied")

    pins.pin_class = ForbiddenPin
    with pytest.raises(BoardError, match=r"connector 1 contactor, pin 17: .*Permission denied"):
        open_contactor(1, contactor_settings(), Clock(), pins)


def test_a_plug_is_seen_at_its_level_and_a_broken_wire_means_no_plug(pins):
    plug = GpioPlugSensor(1, PlugSettings(driver="gpio", pin=23), pins)
    assert not plug.is_present
    pins.pin(23).drive_low()
    assert plug.is_present
    plug.shut_down()
    plug.shut_down()


def test_a_plug_that_cannot_be_read_is_no_plug(pins, caplog):
    pin = pins.pin(23, pin_class=BrokenPin)
    plug = GpioPlugSensor(1, PlugSettings(driver="gpio", pin=23), pins)
    pin.drive_low()
    pin.is_broken = True
    assert not plug.is_present
    assert not plug.is_present
    assert len(caplog.records) == 1
    pin.is_broken = False
    assert plug.is_present


@pytest.mark.parametrize(("normally_closed", "level_when_fine"), [(True, False), (False, True)])
def test_a_safety_contact_trips_when_it_leaves_its_normal_state(
    pins, normally_closed, level_when_fine
):
    settings = SafetyInputSettings(pin=24, normally_closed=normally_closed)
    safety_input = GpioSafetyInput("emergency_stop", settings, pins)
    pin = pins.pin(24)
    assert pin.pull == "up"
    pin.drive_high() if level_when_fine else pin.drive_low()
    assert not safety_input.is_tripped
    pin.drive_low() if level_when_fine else pin.drive_high()
    assert safety_input.is_tripped


def test_a_normally_closed_safety_contact_trips_on_a_broken_wire(pins):
    assert GpioSafetyInput("door", SafetyInputSettings(pin=24), pins).is_tripped


def test_a_safety_contact_that_cannot_be_read_is_tripped(pins, caplog):
    pin = pins.pin(24, pin_class=BrokenPin)
    safety_input = GpioSafetyInput("door", SafetyInputSettings(pin=24), pins)
    pin.drive_low()
    assert not safety_input.is_tripped
    pin.is_broken = True
    assert safety_input.is_tripped
    assert "input door: its pin cannot be read" in caplog.text


def test_a_motor_lock_pulses_one_pin_for_each_direction(pins):
    clock = Clock()
    settings = LockSettings(driver="motor", lock_pin=5, unlock_pin=6, feedback_pin=13)
    lock = open_lock(1, settings, clock, pins)
    locking, unlocking, feedback = pins.pin(5), pins.pin(6), pins.pin(13)
    locking.clear_states()
    unlocking.clear_states()
    assert lock.state is LockState.UNLOCKED

    def run(seconds: float) -> list:
        events = []
        for _ in range(round(seconds * 100)):
            clock.now_s += 0.01
            events += lock.step(clock.now_s)
        return events

    lock.lock()
    feedback.drive_low()
    assert run(1.0) == [LockChanged(LockState.LOCKED)]
    lock.unlock()
    feedback.drive_high()
    assert run(10.0) == [LockChanged(LockState.UNLOCKED)]
    assert levels(locking) == [False, True, False]
    assert levels(unlocking) == [False, True, False]
    lock.shut_down()
    assert {pin.function for pin in (locking, unlocking, feedback)} == {"input"}


def test_a_solenoid_lock_holds_its_pin_while_locked(pins):
    clock = Clock()
    settings = LockSettings(driver="solenoid", pin=5, feedback_pin=13, feedback_locked_level="high")
    lock = open_lock(1, settings, clock, pins)
    lock.lock()
    assert pins.pin(5).state
    lock.unlock()
    assert not pins.pin(5).state


@pytest.mark.parametrize("locked_level", ["low", "high"])
def test_a_lock_with_a_broken_feedback_wire_is_never_taken_for_locked(pins, locked_level):
    settings = LockSettings(
        driver="solenoid", pin=5, feedback_pin=13, feedback_locked_level=locked_level
    )
    assert open_lock(1, settings, Clock(), pins).state is LockState.UNLOCKED


def test_a_lock_that_cannot_be_opened_frees_the_pins_it_had(pins):
    settings = LockSettings(driver="motor", lock_pin=5, unlock_pin=50, feedback_pin=13)
    with pytest.raises(BoardError, match="connector 1 lock, pin 50"):
        open_lock(1, settings, Clock(), pins)
    for pin in (5, 13):
        GpioOutput("somebody else", pin, pins).close()


def test_a_call_for_later_comes_from_another_thread_and_can_be_cancelled():
    called = threading.Event()
    callers: list[int] = []

    def function() -> None:
        callers.append(threading.get_ident())
        called.set()

    cancel = call_later(3600.0, callers.clear)
    call_later(0.0, function)
    assert called.wait(5.0)
    assert callers != [threading.get_ident()]
    cancel()


def in_a_process_of_its_own(code: str, directory: str) -> str:
    """Run code that imports lgpio, which leaves a pipe and a thread behind."""
    environment = {name: value for name, value in os.environ.items() if name != "LG_WD"}
    environment["PYTHONPATH"] = os.getcwd()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_gpio_a_pin_is_an_error_and_nothing_is_put_in_its_place(tmp_path):
    answer = in_a_process_of_its_own(
        """
        import hw.lines
        hw.lines.Chips.__init__.__defaults__ = ("/nowhere", None)
        from gpiozero import Device
        from hw.gpio import GpioOutput, open_pin_factory
        from hw.ports import BoardError
        try:
            GpioOutput("connector 1 contactor", 17, open_pin_factory())
        except BoardError as error:
            print(error)
        print(Device.pin_factory)
        """,
        "/proc",  # nothing is written where the command is started
    )
    problem, default_factory = answer.splitlines()
    assert problem.startswith("connector 1 contactor, pin 17: this board has no header of a Raspb")
    assert "there is no GPIO chip at all" in problem
    assert default_factory == "None"


def test_an_unwritable_working_directory_is_named_before_lgpio_dies_of_it():
    answer = in_a_process_of_its_own(
        """
        from hw.gpio import open_pin_factory, pins_with_pwm
        from hw.ports import BoardError
        try:
            pins_with_pwm(open_pin_factory())
        except BoardError as error:
            print(error)
        """,
        "/proc",
    )
    assert answer.startswith("GPIO: the working directory is not writable, and lgpio keeps a pipe")


def test_pins_with_pwm_are_those_of_lgpio_on_the_chip_of_the_header(tmp_path):
    """The real gpiozero classes over a recorder in the place of the lgpio module."""
    answer = in_a_process_of_its_own(
        """
        import sys, types
        from pathlib import Path
        calls = []
        lgpio = types.ModuleType("lgpio")
        lgpio.SET_PULL_NONE = lgpio.SET_PULL_UP = lgpio.SET_PULL_DOWN = 0
        lgpio.BOTH_EDGES = lgpio.RISING_EDGE = lgpio.FALLING_EDGE = 0
        class error(Exception): pass
        lgpio.error = error
        lgpio.gpiochip_open = lambda chip: calls.append(f"chip {chip}") or 0
        lgpio.gpiochip_close = lambda handle: calls.append("closed")
        lgpio.gpio_get_mode = lambda handle, number: 2
        lgpio.gpio_claim_input = lambda handle, number, flags=0: None
        lgpio.gpio_claim_output = lambda handle, number, level=0: None
        lgpio.gpio_write = lambda handle, number, level: None
        lgpio.tx_pwm = lambda handle, number, hertz, duty: calls.append(f"pwm {number} {hertz}")
        sys.modules["lgpio"] = lgpio
        import gpiozero.pins.local
        gpiozero.pins.local.get_pi_revision = lambda: 0xA02082
        import hw.gpio, hw.lines
        from hw.indicator import GpioLamp
        from hw.settings_indicator import IndicatorSettings
        from tests.emulators.gpio_chips import GpioChips
        kernel = GpioChips(Path("dev"), {"gpiochip0": "other", "gpiochip4": "pinctrl-rp1"})
        hw.lines.Chips.__init__.__defaults__ = (str(kernel.dev), kernel.ioctl)
        factory = hw.gpio.open_pin_factory()
        lamp = GpioLamp(IndicatorSettings(driver="gpio", led_pin=20, buzzer_pin=21), factory)
        lamp.close()
        factory.close()
        print(calls[0], calls[-1], "pwm 20 200" in calls, "pwm 21 200" in calls, kernel.log)
        """,
        str(tmp_path),
    )
    assert answer == "chip 4 closed True True []\n"


@pytest.mark.parametrize("normally_closed", [True, False])
def test_a_broken_wire_of_the_grid_operators_contact_limits_where_it_is_normally_closed(
    pins, normally_closed
):
    settings = GridLimitSettings(pin=24, normally_closed=normally_closed)
    contact = GpioSafetyInput("grid_limit", settings, pins)  # nothing is connected
    assert contact.is_tripped is normally_closed
