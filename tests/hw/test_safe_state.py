"""The last defence: which outputs are switched off, in which order, and what is said."""

import os
from dataclasses import asdict

import pytest

from hw.lines import Chips
from hw.output_record import NAME, boot_id
from hw.safe_state import open_everything, open_recorded, write_down
from hw.settings import (
    BoardSettings,
    ConnectorSettings,
    ContactorSettings,
    LockSettings,
)
from hw.settings_indicator import IndicatorSettings
from tests.emulators.gpio_chips import GpioChips

MOTOR = LockSettings(driver="motor", lock_pin=5, unlock_pin=6, feedback_pin=13)
SOLENOID = LockSettings(driver="solenoid", pin=12, feedback_pin=16)


def connector(connector_id: int, pin: int, lock: LockSettings, active_high: bool = True):
    contactor = ContactorSettings(driver="gpio", pin=pin, active_high=active_high)
    return ConnectorSettings(id=connector_id, contactor=contactor, lock=lock)


BOX = BoardSettings(
    connectors=(connector(1, 17, MOTOR), connector(2, 27, SOLENOID, active_high=False)),
    indicator=IndicatorSettings(driver="gpio", led_pin=20, active_high=False, buzzer_pin=21),
)
FILE = """
[storage]
path = "{state}/agent.db"
[[connectors]]
id = 1
contactor = {{ driver = "gpio", pin = 17 }}
lock = {{ driver = "motor", lock_pin = 5, unlock_pin = 6, feedback_pin = 13 }}
[[connectors]]
id = 2
contactor = {{ driver = "gpio", pin = 27, active_high = false, heartbeat_pin = 19 }}
lock = {{ driver = "solenoid", pin = 12, feedback_pin = 16 }}
"""


class Box:
    """A machine with two folders for records, a configuration file and chips."""

    def __init__(self, folder):
        self.kernel = GpioChips(folder / "dev")
        self.run, self.state = folder / "run", folder / "state"
        self.run.mkdir()
        self.state.mkdir()
        self.config = folder / "config.toml"
        self.configure(FILE)
        self.environment = {"RUNTIME_DIRECTORY": str(self.run), "STATE_DIRECTORY": str(self.state)}

    @property
    def chips(self):
        return Chips(str(self.kernel.dev), self.kernel.ioctl)

    def configure(self, text):
        self.config.write_text(text.replace("{state}", str(self.state)).replace("{{", "{"))

    def claim(self, settings=BOX):
        """As ``run`` does; then the process dies with everything on."""
        assert write_down(asdict(settings), self.environment) == []

    def drive(self, **levels):
        for pin, level in levels.items():
            self.kernel.outputs["gpiochip0", int(pin[3:])] = level

    def open(self):
        return open_everything(str(self.config), self.environment, self.chips)

    def records(self):
        return [folder.name for folder in (self.run, self.state) if (folder / NAME).exists()]


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


def test_every_output_of_the_file_goes_to_its_off_level_contactors_first(box):
    assert box.open().problems == []
    assert box.kernel.log == [
        *((17, False), (27, True)),
        (19, False),
        *((5, False), (6, False), (12, False)),
    ]


def test_every_output_of_the_record_goes_to_its_off_level_contactors_first(box):
    box.config.unlink()
    box.claim()
    assert box.open().problems == []
    assert box.kernel.log == [
        *((17, False), (27, True)),
        *((5, False), (6, False), (12, False)),
        *((20, True), (21, False)),
    ]


def test_an_output_that_a_dead_process_left_on_goes_off_and_stays_driven(box):
    box.drive(pin17=True)
    box.open()
    assert box.kernel.outputs["gpiochip0", 17] is False
    assert not box.kernel.is_held(17), "the next process can have it"


@pytest.mark.parametrize("broken", [17, 27, 19, 5, 12])
def test_a_failing_output_is_named_and_the_others_go_off_all_the_same(box, broken):
    box.kernel.broken.add(("gpiochip0", broken))
    [problem] = box.open().problems
    assert f"pin {broken}: not switched off: Input/output error" in problem
    assert {pin for pin, _ in box.kernel.log} == {17, 27, 19, 5, 6, 12} - {broken}


def test_what_another_process_holds_is_not_touched_and_said(box):
    box.claim()
    held = [box.chips.output(17, True)]
    del box.kernel.log[:]
    problems = box.open().problems
    assert problems == [
        "connector 1 contactor, pin 17: not switched off: it is in use "
        "(by the agent, if it runs: then it watches over it)"
    ]
    assert 17 not in {pin for pin, _ in box.kernel.log}
    assert box.kernel.outputs["gpiochip0", 17] is True
    os.close(held[0])
    assert box.records() == ["run", "state"], "it is still to be opened"
    assert box.open().problems == []
    assert box.kernel.outputs["gpiochip0", 17] is False
    assert box.records() == []


@pytest.mark.parametrize(
    "text",
    [
        FILE.replace("pin = 17 ", "pin = 18 "),
        FILE.replace('"gpio", pin = 17', '"simulated"'),
        FILE[: FILE.index("id = 2")].replace("17", "18"),
        FILE.replace("pin = 17 ", "pin = 17, active_high = false "),
        "",
        "no TOML at all",
    ],
    ids=["another pin", "simulated", "a connector removed", "level flipped", "empty", "broken"],
)
def test_what_was_driven_is_opened_whatever_the_file_says_by_now(box, text):
    box.claim()
    box.drive(pin17=True, pin27=False)
    box.configure(text)
    box.open()
    assert box.kernel.outputs["gpiochip0", 17] is False
    assert box.kernel.outputs["gpiochip0", 27] is True


def test_when_all_is_off_the_record_is_gone_and_the_file_counts_again(box):
    """A polarity that was wrong in the file, and is put right, is not held against the box."""
    box.claim()
    assert box.open().problems == []
    assert box.records() == []
    box.configure(FILE.replace("pin = 17 ", "pin = 17, active_high = false "))
    box.open()
    assert box.kernel.outputs["gpiochip0", 17] is True


def test_what_could_not_be_opened_stays_written_down_beside_what_is_claimed_next(box):
    box.claim()
    box.kernel.broken.add(("gpiochip0", 17))
    box.open()
    moved = BoardSettings(connectors=(connector(1, 18, MOTOR),))
    for _ in range(50):  # starts that fail and fail do not make it longer
        box.claim(moved)
    lines = (box.state / NAME).read_text().splitlines()
    assert [line.split()[1] for line in lines[1:]] == ["18", "5", "6", "17"]
    box.kernel.broken.clear()
    box.config.unlink()
    box.drive(pin17=True, pin18=True)
    assert box.open().problems == []
    assert box.kernel.outputs["gpiochip0", 17] is False
    assert box.kernel.outputs["gpiochip0", 18] is False


def test_another_boot_of_the_machine_has_nothing_to_open(box):
    box.claim()
    for folder in (box.run, box.state):
        record = folder / NAME
        record.write_text(record.read_text().replace(boot_id(), "0" * 8 + boot_id()[8:]))
    box.config.unlink()
    assert box.open().outputs == []
    assert box.records() == []


def test_a_record_that_a_process_has_just_written_is_not_taken_away(box):
    """A process that starts while safe-state is at it: its pins must stay written down."""
    box.claim()
    ioctl, starts = box.kernel.ioctl, [lambda: box.claim(BOX)]

    def meanwhile(descriptor, request, argument):
        answer = ioctl(descriptor, request, argument)
        if starts:  # the first contactor is off by now
            starts.pop()()
            box.kernel.busy.update(("gpiochip0", pin) for pin in (17, 27, 5, 6, 12, 20, 21))
        return answer

    open_recorded(box.environment, chips=Chips(str(box.kernel.dev), meanwhile))
    assert box.records() == ["run", "state"]
    assert (box.run / NAME).read_text() == (box.state / NAME).read_text()
    assert " 17 " in (box.run / NAME).read_text()


def test_the_record_beside_a_database_elsewhere_is_found_by_the_file(box, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert write_down(asdict(BOX), {}, database=f"{elsewhere}/agent.db") == []
    box.configure(f'[storage]\npath = "{elsewhere}/agent.db"\n')
    box.drive(pin17=True)
    assert box.open().problems == []
    assert box.kernel.outputs["gpiochip0", 17] is False


def test_a_board_without_gpio_outputs_needs_no_gpio(box):
    box.configure('[[connectors]]\nid = 1\ncontactor = { driver = "simulated" }\n')
    opened = open_everything(str(box.config), box.environment, Chips("/nowhere"))
    assert (opened.outputs, opened.problems) == ([], [])


def test_gpio_that_is_not_there_is_said_for_each_output(box):
    opened = open_everything(str(box.config), box.environment, Chips("/nowhere"))
    assert len(opened.problems) == 6
    assert "there is no GPIO chip at all" in opened.problems[0]


def test_a_simulated_box_writes_nothing_down(box):
    simulated = ConnectorSettings(id=1, contactor=ContactorSettings(driver="simulated"))
    box.claim(BoardSettings(connectors=(simulated,)))
    assert box.records() == []


def test_one_place_that_cannot_be_written_leaves_the_other(box):
    (box.run / NAME).mkdir()
    (box.run / NAME / "in the way").touch()
    [problem] = write_down(asdict(BOX), box.environment)
    assert str(box.run) in problem
    assert box.records() == ["run", "state"]
    box.config.unlink()
    opened = box.open()
    assert [problem for problem in opened.problems if str(box.run) in problem]
    assert {output.pin for output in opened.outputs} == {17, 27, 5, 6, 12, 20, 21}
