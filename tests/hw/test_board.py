import os
import subprocess
import sys
import threading

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin

import hw.gpio
from hw.board import NoIndicator, open_board
from hw.ports import BoardError, Signal
from hw.settings import (
    BoardSettings,
    ConnectorSettings,
    ContactorSettings,
    InputsSettings,
    LockSettings,
    MeterSettings,
    PilotSettings,
    PlugSettings,
    ReaderSettings,
    SafetyInputSettings,
    TemperatureSettings,
)
from hw.settings_indicator import IndicatorSettings

REAL = ConnectorSettings(
    id=1,
    contactor=ContactorSettings(driver="gpio", pin=17, feedback_pin=22),
    lock=LockSettings(driver="motor", lock_pin=5, unlock_pin=6, feedback_pin=13),
    plug=PlugSettings(driver="gpio", pin=23),
)
BARE = ConnectorSettings(id=1, contactor=ContactorSettings(driver="gpio", pin=17))
SIMULATED = ConnectorSettings(
    id=1,
    contactor=ContactorSettings(driver="simulated"),
    lock=LockSettings(driver="simulated"),
    plug=PlugSettings(driver="simulated"),
    pilot=PilotSettings(driver="simulated"),
    meter=MeterSettings(driver="simulated"),
)


@pytest.fixture
def pins():
    factory = MockFactory()
    yield factory
    factory.reset()


def clock() -> float:
    return 0.0


def functions(pins: MockFactory) -> set[str]:
    return {pin.function for pin in pins.pins.values()}


def test_a_real_board_opens_what_is_named_and_nothing_else(pins):
    settings = BoardSettings(
        connectors=(REAL,), inputs=InputsSettings(door=SafetyInputSettings(pin=24))
    )
    board = open_board(settings, clock, pin_factory=pins)
    [parts] = board.connectors
    assert parts.lock is not None
    assert parts.plug is not None
    assert (parts.pilot, parts.meter, board.reader, board.simulation) == (None,) * 4
    assert set(board.safety_inputs) == {"door"}
    assert board.is_polled
    assert len(pins.pins) == 7
    board.shut_down()


def test_every_output_of_a_fresh_board_is_off(pins):
    board = open_board(BoardSettings(connectors=(REAL,)), clock, pin_factory=pins)
    outputs = [pin for pin in pins.pins.values() if pin.function == "output"]
    assert [[state.state for state in pin.states] for pin in outputs] == [[False]] * 3
    board.shut_down()


def test_shutting_down_turns_every_pin_into_an_input(pins):
    board = open_board(BoardSettings(connectors=(REAL,)), clock, pin_factory=pins)
    board.shut_down()
    board.shut_down()
    assert functions(pins) == {"input"}


def test_when_one_part_fails_everything_opened_so_far_is_shut_down(pins):
    settings = BoardSettings(
        connectors=(REAL,), inputs=InputsSettings(door=SafetyInputSettings(pin=17))
    )
    with pytest.raises(BoardError, match=r"input door, pin 17: .*already in use"):
        open_board(settings, clock, pin_factory=pins)
    assert functions(pins) == {"input"}
    open_board(BoardSettings(connectors=(REAL,)), clock, pin_factory=pins).shut_down()


def test_a_factory_that_was_opened_for_a_board_that_fails_is_closed(pins, monkeypatch):
    closed = []

    class CountingFactory(MockFactory):
        def close(self) -> None:
            closed.append(functions(self))
            super().close()

    factory = CountingFactory()
    monkeypatch.setattr(hw.gpio, "open_pin_factory", lambda: factory)
    twice = ConnectorSettings(id=2, contactor=BARE.contactor)
    with pytest.raises(BoardError, match="connector 2 contactor, pin 17"):
        open_board(BoardSettings(connectors=(BARE, twice)), clock)
    assert closed == [{"input"}], "the pins were released first"


def test_a_driver_whose_package_is_missing_is_named(pins, monkeypatch):
    monkeypatch.setitem(sys.modules, "hw.modbus_meter", None)
    meter = MeterSettings(driver="modbus_sdm120", port="/dev/ttyUSB0")
    settings = ConnectorSettings(id=1, contactor=BARE.contactor, meter=meter)
    with pytest.raises(BoardError, match="connector 1 meter: a package is missing"):
        open_board(BoardSettings(connectors=(settings,)), clock, pin_factory=pins)
    assert functions(pins) == {"input"}


def test_every_contactor_is_open_before_a_meter_is_looked_for(pins, monkeypatch):
    monkeypatch.setitem(sys.modules, "hw.modbus_meter", None)
    meter = MeterSettings(driver="modbus_sdm120", port="/dev/null")
    connectors = tuple(
        ConnectorSettings(
            id=number, contactor=ContactorSettings(driver="gpio", pin=pin), meter=meter
        )
        for number, pin in ((1, 17), (2, 27))
    )
    with pytest.raises(BoardError, match="connector 1 meter"):
        open_board(BoardSettings(connectors=connectors), clock, pin_factory=pins)
    assert {pin.name for pin in pins.pins} == {"GPIO17", "GPIO27"}


def test_a_fully_simulated_board_needs_no_polling_and_no_pins(monkeypatch):
    def no_gpio():
        raise AssertionError("nothing here needs a pin")

    monkeypatch.setattr(hw.gpio, "open_pin_factory", no_gpio)
    settings = BoardSettings(connectors=(SIMULATED,), reader=ReaderSettings(driver="simulated"))
    board = open_board(settings, clock)
    assert not board.is_polled
    assert board.simulation is not None
    assert set(board.safety_inputs) == {"emergency_stop", "residual_current", "door"}


def test_simulating_a_real_box_replaces_every_driver(monkeypatch):
    def no_gpio():
        raise AssertionError("nothing here needs a pin")

    monkeypatch.setattr(hw.gpio, "open_pin_factory", no_gpio)
    settings = BoardSettings(
        connectors=(REAL, ConnectorSettings(id=2, contactor=BARE.contactor)),
        reader=ReaderSettings(driver="mfrc522"),
        inputs=InputsSettings(door=SafetyInputSettings(pin=24)),
    )
    board = open_board(settings, clock, simulate=True)
    one, two = board.connectors
    assert one.lock is not None
    assert two.lock is None, "a fixed cable stays a fixed cable"
    for part in (one.plug, one.pilot, two.plug, two.pilot, board.reader):
        assert type(part).__module__.startswith("hw.simulated")
    for meter in (one.meter, two.meter):
        assert meter.read().import_wh == 0, "no port is opened: it is a simulated meter"
    assert not board.is_polled


def test_a_board_of_real_and_simulated_parts_is_polled_and_has_levers_for_the_latter(pins):
    settings = ConnectorSettings(
        id=1, contactor=BARE.contactor, plug=SIMULATED.plug, meter=SIMULATED.meter
    )
    board = open_board(BoardSettings(connectors=(settings,)), clock, pin_factory=pins)
    assert board.is_polled
    assert board.safety_inputs == {}
    board.simulation.plug(1)
    assert board.connectors[0].plug.is_present
    for pull in (
        lambda: board.simulation.fault(1, "welded"),
        lambda: board.simulation.fault(1, "door"),
        lambda: board.simulation.energy(1, True),
        lambda: board.simulation.tap("DEADBEEF"),
    ):
        with pytest.raises(ValueError, match="simulated"):
            pull()
    board.shut_down()


def test_a_simulated_meter_counts_while_the_real_contactor_is_closed(pins):
    now_s = 0.0
    settings = ConnectorSettings(
        id=1, contactor=BARE.contactor, plug=SIMULATED.plug, meter=SIMULATED.meter
    )
    board = open_board(BoardSettings(connectors=(settings,)), lambda: now_s, pin_factory=pins)
    [parts] = board.connectors
    board.simulation.plug(1)
    assert parts.meter.read().power_w == 0
    parts.contactor.arm(0)
    parts.contactor.close(1e6)
    assert parts.meter.read().power_w == pytest.approx(32 * 230)
    now_s = 3600.0
    assert parts.meter.read().import_wh == pytest.approx(32 * 230)
    board.shut_down()


def test_a_plug_that_a_real_lock_holds_cannot_be_pulled(pins):
    settings = ConnectorSettings(
        id=1, contactor=BARE.contactor, lock=REAL.lock, plug=SIMULATED.plug
    )
    board = open_board(BoardSettings(connectors=(settings,)), clock, pin_factory=pins)
    board.simulation.plug(1)
    pins.pin(13).drive_low()
    for at_s in (0.01, 0.02, 0.03):
        board.connectors[0].lock.step(at_s)
    with pytest.raises(ValueError, match="the lock holds the plug"):
        board.simulation.unplug(1)
    board.shut_down()


def test_a_box_without_lights_takes_signals_without_complaint(pins):
    board = open_board(BoardSettings(connectors=(BARE,)), clock, pin_factory=pins)
    assert isinstance(board.indicator, NoIndicator)
    board.indicator.show(Signal.FAULT)
    board.shut_down()


def test_opening_a_simulated_board_imports_no_driver_library():
    code = (
        "import sys\n"
        "from hw.board import open_board\n"
        "from hw.settings import *\n"
        "connector = ConnectorSettings(id=1, contactor=ContactorSettings(driver='simulated'))\n"
        "open_board(BoardSettings(connectors=(connector,)), lambda: 0.0, simulate=True)\n"
        "libraries = {'gpiozero', 'serial', 'pymodbus', 'mfrc522', 'spidev', 'lgpio'}\n"
        "print(sorted(libraries & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_the_lights_of_the_settings_play_from_the_beginning_and_end_with_the_board():
    pins = MockFactory(pin_class=MockPWMPin)
    lights = IndicatorSettings(driver="gpio", led_pin=12, dimmable=False, buzzer_pin=16)
    settings = BoardSettings(connectors=(BARE,), indicator=lights)
    board = open_board(settings, clock, pin_factory=pins)
    board.indicator.show(Signal.FREE)
    pause = threading.Event()
    for _ in range(1000):
        if pins.pin(12).state:
            break
        pause.wait(0.01)
    assert pins.pin(12).state
    assert [thread.name for thread in threading.enumerate() if thread.name == "indicator"]
    board.shut_down()
    assert functions(pins) == {"input"}
    assert not [thread.name for thread in threading.enumerate() if thread.name == "indicator"]
    pins.reset()


def test_a_light_on_a_pin_in_use_is_named_and_everything_is_released(pins):
    lights = IndicatorSettings(driver="gpio", led_pin=17, dimmable=False)
    settings = BoardSettings(connectors=(BARE,), indicator=lights)
    with pytest.raises(BoardError, match="indicator led_pin, pin 17"):
        open_board(settings, clock, pin_factory=pins)
    assert functions(pins) == {"input"}


def test_a_temperature_sensor_is_an_input_of_a_real_board_and_of_no_simulated_one(pins):
    heat = TemperatureSettings(sensor="28-000000000000")
    settings = BoardSettings(connectors=(BARE,), inputs=InputsSettings(temperature=heat))
    board = open_board(settings, clock, pin_factory=pins)
    assert board.safety_inputs["temperature"].is_tripped  # there is none: too hot, for all we know
    board.shut_down()
    board = open_board(settings, clock, simulate=True)
    assert "temperature" not in board.safety_inputs
    board.shut_down()
