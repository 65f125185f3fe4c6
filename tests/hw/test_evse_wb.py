"""The EVSE-WB driver against an emulated controller on a pty that can be made to lie."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from hw.evse_wb import SILENCES, EvseWb
from hw.modbus_port import SLOWEST_ANSWER_S
from hw.pilot import SILENT_S, PolledPilot
from hw.ports import PilotError, PilotFault, PilotState
from tests.emulators.pilot_controllers import EvseWbOnPty
from tests.hw.pilot_bench import Time, opened

ANSWER_S = 0.6  # long enough for a busy machine; only silence takes as long


@pytest.fixture
def box() -> Iterator[EvseWbOnPty]:
    with EvseWbOnPty() as box:
        yield box


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def evse(box: EvseWbOnPty, time: Time) -> Iterator[EvseWb]:
    evse = _open(box.path, time)
    yield evse
    evse.close()


def _open(path: str, time: Time) -> EvseWb:
    return opened(EvseWb, "evse_wb", path, time, ANSWER_S)


def test_the_states_of_a_session(box: EvseWbOnPty, evse: EvseWb):
    assert evse.read().state is PilotState.A
    box.car.is_plugged = True
    box.car.cable_a = 20
    report = evse.read()
    assert (report.state, report.is_plugged, report.cable_a) == (PilotState.B, True, 20.0)
    evse.set_current(16)
    assert box.offered_a == 16
    report = evse.read()
    assert (report.state, report.offered_a) == (PilotState.C, 16.0)
    box.car.needs_ventilation = True
    assert evse.read().state is PilotState.D
    evse.set_current(0)
    assert evse.read().state is PilotState.B
    assert box.offered_a == 0
    assert "firmware 17" in evse.describe()


def test_hundredths_of_an_ampere_are_understood():
    with EvseWbOnPty(boot_current_a=1600, hundredths=True) as box:
        evse = _open(box.path, Time())
        assert evse.read().offered_a == 16.0
        assert evse.set_current(10) == 10.0
        assert box.current == 1000
        assert evse.read().offered_a == 10.0
        assert "16 A by itself (set its register 2000 to 0)" in evse.describe()
        evse.close()


@pytest.mark.parametrize(
    ("bits", "fault"),
    [
        (1 << 1, PilotFault.DIODE),
        (1 << 2, PilotFault.VENTILATION),
        (1 << 5, PilotFault.SELF_TEST),
        (0, PilotFault.OTHER),
    ],
)
def test_each_fault_bit_has_its_name(box: EvseWbOnPty, evse: EvseWb, bits: int, fault: PilotFault):
    box.has_failed, box.status_bits = True, bits
    report = evse.read()
    assert report.faults == {fault}
    assert report.state is PilotState.F


def test_silence_says_what_to_check(box: EvseWbOnPty, evse: EvseWb):
    evse.read()
    box.mood = "silent"
    with pytest.raises(PilotError, match=r"does not answer.*register 2001"):
        evse.read()
    box.until_answered()  # the request that it leaves unanswered is not answered in a better mood
    box.mood = "good"
    assert evse.read().state is PilotState.A


def test_garbled_bytes_count_as_silence(box: EvseWbOnPty, evse: EvseWb):
    evse.read()
    box.mood = "garbled"
    with pytest.raises(PilotError, match="does not answer"):
        evse.read()


def test_a_late_answer_is_not_taken_for_the_next_one(box: EvseWbOnPty, time: Time):
    evse = _open(box.path, time)
    evse.read()
    box.mood, box.late_s = "late", 2 * ANSWER_S
    before_s = time.clock()
    with pytest.raises(PilotError):
        evse.read()
    box.until_answered()
    box.mood = "good"
    box.car.is_plugged = True
    assert evse.read().state is PilotState.B
    assert time.clock() - before_s > SLOWEST_ANSWER_S  # it rested until none could come any more
    evse.close()


def test_a_controller_that_is_one_answer_behind_is_never_believed(box: EvseWbOnPty, evse: EvseWb):
    evse.read()
    box.mood = "behind"
    for _ in range(4):
        box.car.is_plugged = not box.car.is_plugged
        with pytest.raises(PilotError):
            evse.read()


def test_a_write_that_is_answered_with_an_old_reading_has_failed(box: EvseWbOnPty, evse: EvseWb):
    evse.read()
    box.mood = "behind"
    with pytest.raises(PilotError):
        evse.read()
    with pytest.raises(PilotError):
        evse.set_current(16)


@pytest.mark.parametrize("word", [0, 6, 0xFFFF])
def test_nonsense_is_not_believed(box: EvseWbOnPty, evse: EvseWb, word: int):
    box.vehicle_word = word
    with pytest.raises(PilotError, match="nonsense"):
        evse.read()


@pytest.mark.parametrize("is_mute", [False, True], ids=["refuses", "does not answer"])
@pytest.mark.parametrize("lacks", [(1007,), (2005,), (1007, 2000, 2005)])
def test_a_firmware_with_fewer_registers_is_asked_once_what_it_has(
    time: Time, lacks: tuple[int, ...], is_mute: bool
):
    with EvseWbOnPty(lacks=lacks, is_mute=is_mute) as box:
        pilot = PolledPilot(_open(box.path, time), time.clock)
        for _ in range(2 * SILENCES * is_mute):
            pilot.step()
        box.car.is_plugged = True
        pilot.offer(16)
        for _ in range(3):
            time.added_s += 5
            pilot.step()
        assert (pilot.state, pilot.complaints, box.offered_a) == (PilotState.C, frozenset(), 16)
        asked = box.asked
        pilot.step()
        assert box.asked == asked + 1
        box.has_failed = True
        pilot.step()
        assert pilot.complaints == {PilotFault.OTHER}
        assert ("no register 1007" in pilot.describe()) is (1007 in lacks)
        assert ("it does not say" in pilot.describe()) is (2005 in lacks or 1007 in lacks)
        pilot.shut_down()


def test_another_device_at_that_address_is_named(box: EvseWbOnPty, evse: EvseWb):
    box.lacks = (1000,)
    with pytest.raises(PilotError, match=r"refuses to read.*check that it is an EVSE-WB"):
        evse.read()


def test_a_port_that_is_not_there_is_named_and_found_later(box: EvseWbOnPty, time: Time, tmp_path):
    link = tmp_path / "ttyPilot"
    evse = _open(str(link), time)
    with pytest.raises(PilotError, match="is not there"):
        evse.read()
    os.symlink(box.path, link)
    assert evse.read().state is PilotState.A
    evse.close()


def test_the_eeprom_is_never_written_however_long_it_runs(box: EvseWbOnPty, time: Time):
    pilot = PolledPilot(_open(box.path, time), time.clock)
    for turn in range(30):
        pilot.offer(10 + turn % 10)
        if turn % 7 == 0:
            box.reboot()
        time.added_s += 5.0
        pilot.step()
    pilot.shut_down()
    assert box.eeprom_writes == 0
    assert {register for register, _ in box.writes} == {1000}
    assert box.offered_a == 0


def test_one_that_rebooted_is_set_back_to_what_was_ordered(time: Time):
    with EvseWbOnPty(boot_current_a=32) as box:
        box.car.is_plugged = True
        pilot = PolledPilot(_open(box.path, time), time.clock)
        assert box.offered_a == 0
        pilot.offer(10)
        time.added_s += 5
        pilot.step()
        assert (box.offered_a, pilot.state) == (10.0, PilotState.B)
        box.reboot()
        assert box.offered_a == 32
        for _ in range(2):  # the current is in every second answer
            time.added_s += 1
            pilot.step()
        assert box.offered_a == 10
        pilot.shut_down()


def test_a_pulled_cable_is_a_fault_after_three_seconds_and_mends_itself(
    box: EvseWbOnPty, time: Time
):
    box.car.is_plugged = True
    pilot = PolledPilot(_open(box.path, time), time.clock)
    pilot.offer(16)
    time.added_s += 5
    pilot.step()
    pilot.step()
    assert pilot.state is PilotState.C
    box.mood = "silent"
    silent_since_s = time.clock()
    while time.clock() - silent_since_s <= SILENT_S:
        pilot.step()
        time.added_s += 0.5
    assert pilot.complaints == {PilotFault.SILENT}
    box.until_answered()
    box.mood = "good"
    pilot.step()
    assert (pilot.state, pilot.complaints) == (PilotState.C, frozenset())
    pilot.shut_down()
