import pytest
from gpiozero.pins.mock import MockFactory, MockPin

import hw.gpio
from hw.ports import BoardError
from hw.safe_state import open_outputs
from hw.settings import BoardSettings, ConnectorSettings, ContactorSettings, LockSettings


class LoggedPin(MockPin):
    """Writes down, for all pins together, in which order they became outputs."""

    log: list[tuple[int, bool]]

    def output_with_state(self, state):
        self.log.append((int(self.info.name.removeprefix("GPIO")), state))
        super().output_with_state(state)


class BusyPin(MockPin):
    def _set_function(self, value):
        raise OSError("GPIO busy")


@pytest.fixture
def pins():
    factory = MockFactory(pin_class=LoggedPin)
    LoggedPin.log = []
    yield factory
    factory.reset()


def connector(connector_id: int, pin: int, lock: LockSettings, active_high: bool = True):
    return ConnectorSettings(
        id=connector_id,
        contactor=ContactorSettings(driver="gpio", pin=pin, active_high=active_high),
        lock=lock,
    )


MOTOR = LockSettings(driver="motor", lock_pin=5, unlock_pin=6, feedback_pin=13)
SOLENOID = LockSettings(driver="solenoid", pin=12, feedback_pin=16)
BOX = BoardSettings(
    connectors=(connector(1, 17, MOTOR), connector(2, 27, SOLENOID, active_high=False))
)


def test_every_output_goes_to_its_off_level_contactors_first(pins):
    assert open_outputs(BOX, pins) == []
    assert LoggedPin.log == [(17, False), (27, True), (5, False), (6, False), (12, False)]


def test_an_output_that_a_dead_process_left_on_goes_off_and_stays_driven(pins):
    pins.pin(17).output_with_state(True)
    open_outputs(BOX, pins)
    assert pins.pin(17).function == "output"
    assert not pins.pin(17).state


def test_a_failing_output_is_named_and_the_others_go_off_all_the_same(pins):
    pins.pin(17, pin_class=BusyPin)
    problems = open_outputs(BOX, pins)
    assert problems == ["connector 1 contactor, pin 17: not switched off: GPIO busy"]
    assert [pin for pin, _ in LoggedPin.log] == [27, 5, 6, 12]


def test_a_board_without_gpio_outputs_needs_no_gpio(monkeypatch):
    def no_gpio():
        raise AssertionError("nothing here needs a pin")

    monkeypatch.setattr(hw.gpio, "open_pin_factory", no_gpio)
    simulated = ConnectorSettings(id=1, contactor=ContactorSettings(driver="simulated"))
    assert open_outputs(BoardSettings(connectors=(simulated,))) == []


def test_gpio_that_cannot_be_opened_is_a_problem_and_not_a_crash(monkeypatch):
    def no_gpio():
        raise BoardError("GPIO: can not open gpiochip")

    monkeypatch.setattr(hw.gpio, "open_pin_factory", no_gpio)
    assert open_outputs(BOX) == ["No output was switched off. GPIO: can not open gpiochip"]
