"""The OpenEVSE driver against an emulated controller on a pty that can be made to lie."""

from __future__ import annotations

import os
import termios
import threading
from collections.abc import Iterator

import pytest

from hw.openevse import HEARTBEAT_EVERY_S, QUIET_S, SETTINGS_EVERY_S, OpenEvse
from hw.pilot import SILENT_S, PolledPilot
from hw.ports import PilotError, PilotFault, PilotState
from tests.emulators.pilot_controllers import RAPI_BUILDS, WAIT_S, OpenEvseOnPty
from tests.hw.pilot_bench import Time, opened

ANSWER_S = 0.6  # long enough for a busy machine; only silence takes as long


@pytest.fixture
def box() -> Iterator[OpenEvseOnPty]:
    with OpenEvseOnPty() as box:
        yield box


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def evse(box: OpenEvseOnPty, time: Time) -> Iterator[OpenEvse]:
    evse = _open(box.path, time)
    yield evse
    evse.close()


def _open(path: str, time: Time) -> OpenEvse:
    return opened(OpenEvse, "openevse", path, time, ANSWER_S)


def test_the_states_of_a_session(box: OpenEvseOnPty, evse: OpenEvse):
    assert (evse.read().state, evse.read().offered_a) == (PilotState.A, 16.0)
    evse.set_current(0)
    box.car.is_plugged = True
    report = evse.read()
    assert (report.state, report.is_plugged, report.offered_a) == (PilotState.B, True, 0.0)
    assert evse.set_current(13) == 13.0
    report = evse.read()
    assert (report.state, report.offered_a) == (PilotState.C, 13.0)
    assert box.energy_may_flow
    box.car.wants_energy = False
    assert evse.read().state is PilotState.B
    evse.set_current(0)
    assert box.offered_a == 0
    assert "firmware 8.2.1, protocol 5.2.1" in evse.describe()


def test_asleep_with_a_car_that_wants_energy_is_state_b(box: OpenEvseOnPty, evse: OpenEvse):
    box.car.is_plugged = True
    evse.set_current(0)
    assert evse.read().state is PilotState.B


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        (0x05, PilotFault.DIODE),
        (0x06, PilotFault.RESIDUAL_CURRENT),
        (0x07, PilotFault.GROUND),
        (0x08, PilotFault.RELAY_STUCK),
        (0x09, PilotFault.SELF_TEST),
        (0x0A, PilotFault.HEAT),
        (0x0B, PilotFault.OVER_CURRENT),
        (0x0E, PilotFault.RELAY_OPEN),
    ],
)
def test_each_fault_has_its_name(box: OpenEvseOnPty, evse: OpenEvse, state: int, fault: PilotFault):
    box.fault = state
    report = evse.read()
    assert (report.state, report.faults, report.offered_a) == (PilotState.F, {fault}, 0.0)


def test_a_controller_that_is_still_starting_is_not_believed(box: OpenEvseOnPty, evse: OpenEvse):
    box.fault = 0x0C
    with pytest.raises(PilotError, match="state 0C: it is not ready yet"):
        evse.read()


def test_lines_between_question_and_answer_do_no_harm(box: OpenEvseOnPty, evse: OpenEvse):
    evse.read()
    box.chatter = [b"$AT 03 03 16 0140^1", b"$AN 0^00\r", b"\x00\xff$WF 1\r", b"$OK 9 9 :EE^00\r"]
    assert evse.read().state is PilotState.A


def test_an_answer_to_an_earlier_question_is_dropped_by_its_number(
    box: OpenEvseOnPty, evse: OpenEvse
):
    evse.read()
    box.mood, box.late_s = "late", 1.4 * ANSWER_S
    with pytest.raises(PilotError, match=r"does not answer \$GS"):
        evse.read()
    box.mood = "good"
    box.car.is_plugged = True
    assert evse.read().state is not PilotState.A  # the late answer said: no car


def test_a_controller_that_is_one_answer_behind_is_never_believed(
    box: OpenEvseOnPty, evse: OpenEvse
):
    evse.read()
    box.mood = "behind"
    for _ in range(3):
        with pytest.raises(PilotError):
            evse.read()


@pytest.mark.parametrize("mood", ["silent", "garbled"])
def test_silence_and_garbage_say_what_to_check(box: OpenEvseOnPty, evse: OpenEvse, mood: str):
    box.mood = mood
    with pytest.raises(PilotError, match="RX and TX are crossed"):
        evse.read()
    box.mood = "good"
    assert evse.read().state is PilotState.A


def test_old_firmware_neither_numbers_nor_checks_and_is_given_time_after_a_failure(time: Time):
    with OpenEvseOnPty("3.9.0") as box:
        evse = _open(box.path, time)
        assert evse.read().state is PilotState.A
        box.mood, box.late_s = "late", 2 * ANSWER_S
        before_s = time.clock()
        with pytest.raises(PilotError):
            evse.read()
        box.until_answered()
        box.mood = "good"
        box.car.is_plugged = True
        assert evse.read().state is PilotState.C
        assert time.clock() - before_s >= ANSWER_S + QUIET_S
        evse.close()


@pytest.mark.parametrize("firmware", RAPI_BUILDS)
def test_a_car_charges_with_every_firmware(time: Time, firmware: str):
    with OpenEvseOnPty(firmware) as box:
        pilot = PolledPilot(_open(box.path, time), time.clock)
        tells_while_asleep = box.build.tells_connection or box.build.state_words > 2
        seen = []
        for is_plugged, wanted_a in ((False, 0), (True, 0), (True, 20), (True, 0), (False, 0)):
            box.car.is_plugged = is_plugged
            pilot.offer(wanted_a)
            for _ in range(3):
                time.added_s += 5
                pilot.step()
            seen.append((pilot.state.value, pilot.is_plugged, box.energy_may_flow))
        asleep = ("B", True, False) if tells_while_asleep else ("A", False, False)
        free = ("A", False, False)
        # One that sees no car while it sleeps remembers the one that it saw while awake.
        after = ("B", True, False)
        last = free if tells_while_asleep else after
        assert seen == [free, asleep, ("C", True, True), after, last]
        assert ("fit a plug contact" in pilot.describe()) is not tells_while_asleep
        pilot.shut_down()


def test_a_firmware_without_a_volatile_current_offers_its_own_and_its_eeprom_is_left_alone(
    time: Time,
):
    with OpenEvseOnPty("3.9.0", boot_current_a=16) as box:
        evse = _open(box.path, time)
        evse.read()
        assert [evse.set_current(20), evse.set_current(10)] == [16.0, 16.0]
        assert box.eeprom_writes == 0
        evse.close()


def test_a_current_that_is_clipped_is_told(box: OpenEvseOnPty, evse: OpenEvse):
    box.max_a = 24
    evse.read()
    assert evse.set_current(32) == 24.0


def test_a_boot_is_noticed_and_everything_is_told_again(box: OpenEvseOnPty, time: Time):
    box.car.is_plugged = True
    pilot = PolledPilot(_open(box.path, time), time.clock)
    pilot.offer(10)
    time.added_s += 5
    pilot.step()
    pilot.step()
    assert (pilot.state, box.offered_a) == (PilotState.C, 10.0)
    box.heartbeat = (0, 0)
    box.reboot()
    assert box.offered_a == 16
    time.added_s += SETTINGS_EVERY_S
    pilot.step()
    pilot.step()
    assert box.offered_a == 10
    assert box.heartbeat == (20, 6)
    pilot.shut_down()
    assert box.offered_a == 0


def test_a_change_of_state_is_heard_without_being_asked_for(box: OpenEvseOnPty, evse: OpenEvse):
    evse.read()
    waiting = threading.Thread(target=evse.wait, args=(WAIT_S,), daemon=True)
    waiting.start()
    box.car.is_plugged = True
    box.tell_state()
    waiting.join(WAIT_S / 2)
    assert not waiting.is_alive()


def test_an_order_ends_the_waiting(box: OpenEvseOnPty, evse: OpenEvse):
    evse.read()
    waiting = threading.Thread(target=evse.wait, args=(WAIT_S,), daemon=True)
    waiting.start()
    evse.wake()
    waiting.join(WAIT_S / 2)
    assert not waiting.is_alive()


def test_the_heart_beats_and_a_missed_beat_is_acknowledged(
    box: OpenEvseOnPty, evse: OpenEvse, time: Time
):
    evse.read()
    box.commands.clear()
    time.added_s += HEARTBEAT_EVERY_S
    evse.read()
    assert "SY" in box.commands
    box.pending_miss = True
    time.added_s += HEARTBEAT_EVERY_S
    evse.read()
    assert box.commands[-2:] == ["SY", "SY 165"]
    assert not box.pending_miss


def test_boot_lock_and_authorisation_lock_are_taken_off(box: OpenEvseOnPty, evse: OpenEvse):
    box.car.is_plugged = True
    box.more_flags = 0x4000 | 0x0008
    assert evse.read().offered_a == 0
    assert box.more_flags == 0x0008, "nobody is authorised yet"
    evse.set_current(16)
    assert box.more_flags == 0


def test_safety_checks_that_somebody_switched_off_are_told(box: OpenEvseOnPty, evse: OpenEvse):
    box.flags_off = 0x0002 | 0x0008
    evse.read()
    assert evse.describe().endswith("switched off in it: diode, ground")


def test_the_eeprom_is_written_once_however_long_it_runs(box: OpenEvseOnPty, time: Time):
    pilot = PolledPilot(_open(box.path, time), time.clock)
    for turn in range(30):
        pilot.offer(10 + turn % 10)
        if turn % 7 == 0:
            box.reboot()
        time.added_s += 5.0
        pilot.step()
    pilot.shut_down()
    assert box.eeprom_writes == 1  # the heartbeat supervision, the same each time
    assert not any(command.startswith("FF") for command in box.commands)


def test_an_adapter_that_is_pulled_while_its_input_is_cleared_is_opened_anew(
    time: Time, monkeypatch
):
    with OpenEvseOnPty("3.9.0") as box:
        evse = _open(box.path, time)
        evse.read()

        def pulled() -> None:
            raise termios.error(5, "Input/output error")

        monkeypatch.setattr(evse._port, "reset_input_buffer", pulled)
        with pytest.raises(PilotError, match="cannot be used"):
            evse.read()
        assert evse.read().state is PilotState.A
        evse.close()


def test_a_pulled_adapter_is_a_fault_after_three_seconds_and_mends_itself(time: Time, tmp_path):
    link = tmp_path / "ttyPilot"
    with OpenEvseOnPty() as first:
        first.car.is_plugged = True
        os.symlink(first.path, link)
        pilot = PolledPilot(_open(str(link), time), time.clock)
        pilot.step()
        assert pilot.state is PilotState.B
        os.unlink(link)
    time.added_s += SILENT_S
    pilot.step()
    assert pilot.complaints == {PilotFault.SILENT}
    assert "is not there" in pilot.describe()
    pilot._dialogue.wait(0.0)
    with OpenEvseOnPty() as second:
        second.car.is_plugged = True
        os.symlink(second.path, link)
        pilot.step()  # it is awake, and is told to sleep
        pilot.step()
        assert (pilot.state, pilot.complaints) == (PilotState.B, frozenset())
        pilot.shut_down()
