import logging
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.contactor import (
    BOUNCE_S,
    CHATTER_CHANGES,
    CHATTER_S,
    RETRY_S,
    ContactorPhase,
    LeasedContactor,
)
from hw.ports import ContactorClosed, ContactorOpened, ContactorRefused, ContactorTripped, Trip
from hw.settings import ContactorSettings

SETTINGS = ContactorSettings(driver="simulated", min_off_s=10.0)


class Rig:
    """A coil and an auxiliary contact that obeys it, unless a lever says otherwise."""

    def __init__(self, settings: ContactorSettings = SETTINGS, has_feedback: bool = True) -> None:
        self.now_s = 1000.0
        self.coil = False
        self.coil_history: list[bool] = []
        self.stuck_at: bool | None = None
        self.has_feedback = has_feedback
        self.coil_fails = False
        self.feedback_fails = False
        self.released = 0
        self.contactor = LeasedContactor(
            "connector 1 contactor",
            settings,
            clock=lambda: self.now_s,
            set_coil=self.set_coil,
            read_feedback=self.read_feedback,
            release=self.release,
        )

    def set_coil(self, is_on: bool) -> None:
        if self.coil_fails:
            raise OSError("the line is gone")
        if is_on != self.coil:
            self.coil_history.append(is_on)
        self.coil = is_on

    def read_feedback(self) -> bool | None:
        if self.feedback_fails:
            raise OSError("the line is gone")
        if not self.has_feedback:
            return None
        return self.coil if self.stuck_at is None else self.stuck_at

    def release(self) -> None:
        self.released += 1

    def wait(self, seconds: float) -> list:
        self.now_s += seconds
        return self.contactor.step(self.now_s)

    def close(self, for_s: float = 60.0) -> list:
        self.contactor.arm(self.contactor.trip_count)
        self.contactor.close(for_s)
        return self.wait(0.0)


def test_an_armed_contactor_closes_at_once_and_its_feedback_is_reported():
    rig = Rig()
    assert rig.close() == [ContactorClosed()]
    assert rig.coil
    assert rig.contactor.is_closed
    assert rig.contactor.phase is ContactorPhase.CLOSED


def test_closing_is_refused_unless_armed():
    rig = Rig()
    with pytest.raises(ContactorRefused, match=r"connector 1 contactor: cannot close while open"):
        rig.contactor.close(5)
    assert rig.coil_history == []


@pytest.mark.parametrize("disarm", ["open", "trip"])
def test_opening_and_tripping_disarm(disarm):
    rig = Rig()
    rig.contactor.arm(0)
    if disarm == "open":
        rig.contactor.open()
    else:
        rig.contactor.trip(Trip.REFLEX)
    with pytest.raises(ContactorRefused):
        rig.contactor.close(5)


def test_closing_a_closed_contactor_is_refused_and_leaves_it_closed():
    rig = Rig()
    rig.close()
    with pytest.raises(ContactorRefused):
        rig.contactor.close(5)
    assert rig.coil


@pytest.mark.parametrize("lease", [0.0, -1.0, math.nan, math.inf])
def test_a_lease_that_is_no_positive_time_is_an_error(lease):
    rig = Rig()
    rig.contactor.arm(0)
    with pytest.raises(ValueError, match="positive time"):
        rig.contactor.close(lease)
    with pytest.raises(ValueError, match="positive time"):
        rig.contactor.renew(lease)
    assert rig.coil_history == []


def test_the_lease_opens_the_contactor_when_nobody_renews_it():
    rig = Rig()
    rig.close(for_s=5)
    assert rig.contactor.due_at() == 1005.0
    assert rig.wait(4.9) == []
    assert rig.wait(0.2) == [ContactorTripped(Trip.LEASE_EXPIRED, 1), ContactorOpened()]
    assert not rig.coil


def test_renewing_moves_the_end_of_the_lease():
    rig = Rig()
    rig.close(for_s=5)
    rig.wait(4.0)
    rig.contactor.renew(5)
    assert rig.wait(4.9) == []
    assert rig.coil
    assert rig.contactor.due_at() == 1009.0


def test_renewing_never_closes():
    rig = Rig()
    rig.contactor.renew(5)
    rig.contactor.arm(0)
    rig.contactor.renew(5)
    assert rig.wait(1.0) == []
    assert rig.coil_history == []


def test_renewing_comes_too_late_for_a_lease_that_has_run_out_before_any_step():
    rig = Rig()
    rig.close(for_s=5)
    rig.now_s += 6
    rig.contactor.renew(5)
    assert not rig.coil
    assert rig.wait(0.0) == [ContactorTripped(Trip.LEASE_EXPIRED, 1), ContactorOpened()]


def test_a_contactor_that_does_not_close_in_time_is_opened_and_reported():
    rig = Rig()
    rig.stuck_at = False
    assert rig.close() == []
    assert rig.contactor.due_at() == 1000.25
    assert rig.wait(0.249) == []
    assert rig.wait(0.001) == [ContactorTripped(Trip.DID_NOT_CLOSE, 1)]
    assert rig.coil_history == [True, False]


def test_a_contactor_that_stays_closed_is_welded():
    rig = Rig()
    rig.close()
    rig.stuck_at = True
    rig.contactor.open()
    assert rig.wait(0.249) == []
    assert rig.wait(0.001) == [ContactorTripped(Trip.WELDED, 1)]
    assert rig.contactor.is_closed
    assert rig.wait(1.0) == []
    assert rig.contactor.due_at() is None


def test_a_welded_contactor_cannot_be_armed_until_its_feedback_says_open():
    rig = Rig()
    rig.stuck_at = True
    rig.wait(0.0)
    assert rig.wait(BOUNCE_S) == [ContactorTripped(Trip.WELDED, 1)]
    with pytest.raises(ContactorRefused, match="welded"):
        rig.contactor.arm(1)
    rig.stuck_at = None
    assert rig.wait(1.0) == [ContactorOpened()]
    rig.contactor.arm(1)
    assert rig.contactor.phase is ContactorPhase.ARMED


def test_a_contactor_that_opens_by_itself_is_switched_off_and_reported():
    rig = Rig()
    rig.close()
    rig.stuck_at = False
    assert rig.wait(1.0) == []
    assert rig.wait(BOUNCE_S) == [
        ContactorTripped(Trip.OPENED_BY_ITSELF, 1),
        ContactorOpened(),
    ]
    assert not rig.coil


def test_a_bouncing_auxiliary_contact_trips_nothing():
    rig = Rig()
    assert rig.close() == [ContactorClosed()]
    for stuck_at in (False, None, False, None):
        rig.stuck_at = stuck_at
        assert rig.wait(0.01) == []
    assert rig.coil


@pytest.mark.parametrize("level_ms", [12, 22, 23, 24, 25, 26, 27, 28, 32])
def test_an_auxiliary_contact_that_chatters_is_found_out_though_many_looks_agree(level_ms):
    rig = Rig()
    rig.close()
    first, *then = _while_it_chatters(rig, level_ms, look_ms=20)
    assert (first, set(then)) == (Trip.OPENED_BY_ITSELF, {Trip.WELDED})
    assert len(then) <= 3  # it is told, and not at every turn
    assert not rig.coil
    with pytest.raises(ContactorRefused, match="welded"):
        rig.contactor.arm(rig.contactor.trip_count)
    rig.stuck_at = None
    rig.wait(0.0)
    assert rig.wait(CHATTER_S) == [ContactorOpened()]
    rig.contactor.arm(rig.contactor.trip_count)


@pytest.mark.parametrize("level_ms", [12, 22, 28, 32])
def test_one_that_chatters_while_it_shall_be_open_counts_as_welded(level_ms):
    rig = Rig()
    rig.wait(0.0)
    tripped = _while_it_chatters(rig, level_ms, look_ms=100)
    assert set(tripped) == {Trip.WELDED}
    assert len(tripped) <= 3


def _while_it_chatters(rig: Rig, level_ms: int, look_ms: int) -> list[Trip]:
    """What trips in 20 s in which each level lasts so long."""
    tripped: list[Trip] = []
    for at_ms in range(look_ms, 20_000, look_ms):
        rig.stuck_at = at_ms // level_ms % 2 == 0
        events = rig.wait(look_ms / 1000)
        tripped += [event.reason for event in events if isinstance(event, ContactorTripped)]
    return tripped


def test_single_changes_over_a_long_time_are_no_chatter():
    rig = Rig()
    rig.close(for_s=1000.0)
    for stuck_at in (False, None) * 20:
        rig.stuck_at = stuck_at
        assert rig.wait(2 * CHATTER_S / CHATTER_CHANGES if stuck_at is None else 0.01) == []
    assert rig.coil


def test_closing_before_the_minimum_off_time_is_kept_and_done_later():
    rig = Rig()
    rig.close()
    rig.contactor.open()
    assert rig.wait(1.0) == [ContactorOpened()]
    rig.contactor.arm(0)
    rig.contactor.close(30)
    assert rig.contactor.phase is ContactorPhase.WAITING
    assert rig.wait(8.0) == []
    assert rig.contactor.due_at() == 1010.0
    assert not rig.coil
    assert rig.wait(1.0) == [ContactorClosed()]
    assert rig.coil


def test_a_close_that_waits_is_given_up_when_its_lease_runs_out():
    rig = Rig()
    rig.close()
    rig.contactor.open()
    rig.wait(1.0)
    rig.contactor.arm(0)
    rig.contactor.close(5)
    assert rig.wait(5.0) == [ContactorTripped(Trip.LEASE_EXPIRED, 1)]
    assert rig.wait(20.0) == []
    assert rig.coil_history == [True, False]


def test_renewing_keeps_a_close_that_waits():
    rig = Rig()
    rig.close()
    rig.contactor.open()
    rig.wait(1.0)
    rig.contactor.arm(0)
    rig.contactor.close(5)
    rig.wait(4.0)
    rig.contactor.renew(5)
    rig.wait(4.0)
    rig.contactor.renew(5)
    assert rig.wait(1.0) == [ContactorClosed()]


def test_a_close_that_waits_is_dropped_by_opening():
    rig = Rig()
    rig.close()
    rig.contactor.open()
    rig.contactor.arm(0)
    rig.contactor.close(30)
    rig.contactor.open()
    rig.wait(20.0)
    assert not rig.coil


def test_contacts_that_are_still_closed_are_not_closed_again():
    rig = Rig(ContactorSettings(driver="simulated", min_off_s=0))
    rig.close()
    rig.stuck_at = True
    rig.contactor.open()
    rig.contactor.arm(0)
    rig.contactor.close(30)
    rig.wait(0.1)
    assert rig.coil_history == [True, False]
    rig.stuck_at = None
    assert rig.wait(0.01) == [ContactorOpened(), ContactorClosed()]


def test_opening_and_closing_between_two_steps_is_reported_as_both():
    rig = Rig(ContactorSettings(driver="simulated", min_off_s=0))
    rig.close()
    rig.contactor.open()
    assert rig.close() == [ContactorOpened(), ContactorClosed()]


def test_arming_is_refused_after_a_trip_the_caller_has_not_seen():
    rig = Rig()
    rig.contactor.trip(Trip.REFLEX)
    rig.contactor.trip(Trip.REFLEX)
    with pytest.raises(ContactorRefused, match="tripped 2 times, the caller has seen 1"):
        rig.contactor.arm(1)
    rig.contactor.arm(2)
    assert rig.contactor.phase is ContactorPhase.ARMED


def test_opening_does_not_clear_a_trip():
    rig = Rig()
    rig.contactor.trip(Trip.REFLEX)
    rig.contactor.open()
    assert rig.contactor.phase is ContactorPhase.TRIPPED


def test_many_trips_between_two_steps_are_one_report_for_each_reason():
    rig = Rig()
    rig.contactor.trip(Trip.WELDED)
    for _ in range(1000):
        rig.contactor.trip(Trip.REFLEX)
    assert rig.wait(0.0) == [
        ContactorTripped(Trip.WELDED, 1),
        ContactorTripped(Trip.REFLEX, 1001),
    ]
    assert rig.contactor.trip_count == 1001


def test_without_feedback_the_order_counts_as_the_feedback():
    rig = Rig(has_feedback=False)
    assert rig.close() == [ContactorClosed()]
    rig.contactor.open()
    assert not rig.contactor.is_closed
    assert rig.wait(0.0) == [ContactorOpened()]


def test_opening_never_raises_and_is_tried_again_on_each_step(caplog):
    rig = Rig()
    rig.close()
    rig.coil_fails = True
    with caplog.at_level(logging.ERROR):
        rig.contactor.open()
        rig.contactor.trip(Trip.REFLEX)
        rig.wait(0.1)
    assert "connector 1 contactor: its coil cannot be switched off" in caplog.text
    assert len(caplog.records) == 1, "one sentence a minute is enough"
    assert rig.coil
    rig.wait(1.0)
    assert rig.contactor.due_at() == pytest.approx(rig.now_s + RETRY_S)
    rig.coil_fails = False
    rig.wait(0.1)
    assert not rig.coil


def test_a_coil_that_cannot_be_switched_off_counts_as_closed_without_feedback():
    rig = Rig(has_feedback=False)
    rig.close()
    rig.coil_fails = True
    rig.contactor.open()
    assert rig.contactor.is_closed
    assert rig.wait(0.25) == [ContactorTripped(Trip.WELDED, 1)]


def test_a_coil_that_cannot_be_switched_on_is_reported_as_not_closed(caplog):
    rig = Rig()
    rig.contactor.arm(0)
    rig.coil_fails = True
    rig.contactor.close(5)
    rig.coil_fails = False
    assert rig.wait(0.0) == [ContactorTripped(Trip.DID_NOT_CLOSE, 1)]
    assert not rig.coil
    assert "its coil cannot be switched on" in caplog.text


def test_a_feedback_that_cannot_be_read_opens_a_closed_contactor(caplog):
    rig = Rig()
    rig.close()
    rig.feedback_fails = True
    rig.wait(0.0)
    assert ContactorTripped(Trip.OPENED_BY_ITSELF, 1) in rig.wait(BOUNCE_S)
    assert not rig.coil
    assert "its feedback cannot be read" in caplog.text


def test_a_feedback_that_cannot_be_read_keeps_an_open_contactor_from_closing():
    rig = Rig()
    rig.feedback_fails = True
    rig.contactor.arm(0)
    rig.contactor.close(5)
    rig.wait(0.0)
    assert ContactorTripped(Trip.WELDED, 1) in rig.wait(BOUNCE_S)
    assert rig.coil_history == []


def test_shutting_down_opens_releases_once_and_refuses_everything_after():
    rig = Rig()
    rig.close()
    rig.contactor.shut_down()
    rig.contactor.shut_down()
    rig.contactor.open()
    assert not rig.coil
    assert rig.released == 1
    assert rig.wait(1.0) == []
    assert rig.contactor.due_at() is None
    with pytest.raises(ContactorRefused, match="shut down"):
        rig.contactor.arm(99)


def test_an_idle_contactor_plans_nothing():
    rig = Rig()
    assert rig.contactor.due_at() is None
    rig.contactor.arm(0)
    assert rig.contactor.due_at() is None


def test_an_order_is_due_at_once_so_that_its_effect_is_seen():
    rig = Rig()
    rig.contactor.arm(0)
    rig.contactor.close(5)
    assert rig.contactor.due_at() == rig.now_s


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("arm"), st.sampled_from([True, True, False])),
        st.tuples(st.just("close"), st.sampled_from([0.5, 3.0, 20.0])),
        st.tuples(st.just("renew"), st.sampled_from([0.5, 3.0, 20.0])),
        st.tuples(st.sampled_from(["open", "trip", "step"]), st.none()),
        st.tuples(st.just("wait"), st.sampled_from([0.01, 0.05, 0.3, 1.0, 5.0, 12.0])),
        st.tuples(st.just("feedback"), st.sampled_from([None, None, True, False])),
    ),
    max_size=60,
)


def act(rig: Rig, action: str, value: object) -> None:
    contactor = rig.contactor
    if action == "arm":
        contactor.arm(contactor.trip_count if value else contactor.trip_count - 1)
    elif action in ("close", "renew"):
        getattr(contactor, action)(value)
    elif action == "open":
        contactor.open()
    elif action == "trip":
        contactor.trip(Trip.REFLEX)
    elif action == "step":
        contactor.step(rig.now_s)
    elif action == "wait":
        rig.now_s += value
    else:
        rig.stuck_at = value


@given(actions=ACTIONS, min_off_s=st.sampled_from([0.0, 2.0, 10.0]), has_feedback=st.booleans())
def test_whatever_happens_the_coil_is_on_only_by_an_armed_close_and_within_its_lease(
    actions, min_off_s, has_feedback
):
    rig = Rig(ContactorSettings(driver="simulated", min_off_s=min_off_s), has_feedback)
    lease_until, off_since = -math.inf, -math.inf
    trips_when_armed = None  # by our own book-keeping: None while disarmed
    for action, value in actions:
        was_on, trips_before = rig.coil, rig.contactor.trip_count
        try:
            act(rig, action, value)
        except ContactorRefused:
            assert action in ("arm", "close")
            assert rig.coil == was_on or not rig.coil
            if rig.contactor.trip_count != trips_before:  # the lease had run out by then
                trips_when_armed, lease_until = None, -math.inf
            continue
        if action == "arm" and trips_when_armed is None:
            assert value, "armed over an unseen trip"
            trips_when_armed = rig.contactor.trip_count
        if action == "close" or (action == "renew" and rig.now_s < lease_until):
            lease_until = rig.now_s + value
        if rig.coil and not was_on:
            assert action in ("close", "step")
            assert trips_when_armed == rig.contactor.trip_count
            assert rig.now_s >= off_since + min_off_s
        if action in ("open", "trip"):
            assert not rig.coil
        if rig.contactor.trip_count != trips_before or action in ("open", "trip"):
            trips_when_armed, lease_until = None, -math.inf
        if action == "step":
            assert not rig.coil or rig.now_s < lease_until
        if was_on and not rig.coil:
            off_since = rig.now_s


@given(actions=ACTIONS)
def test_whatever_happens_a_step_leaves_nothing_due_in_the_past(actions):
    rig = Rig()
    for action, value in actions:
        try:
            act(rig, action, value)
        except ContactorRefused:
            continue
        rig.contactor.step(rig.now_s)
        due_at = rig.contactor.due_at()
        assert due_at is None or due_at > rig.now_s


# --- heartbeat -----------------------------------------------------------------------------------


def a_beating_contactor(beat) -> LeasedContactor:
    return LeasedContactor(
        "contactor", SETTINGS, lambda: 0.0, lambda on: None, lambda: None, beat=beat
    )


def test_the_heart_beats_with_every_step_and_with_nothing_else():
    levels: list[bool] = []
    contactor = a_beating_contactor(levels.append)
    contactor.arm(0)
    contactor.close(5.0)
    contactor.renew(5.0)
    assert levels == []
    for _ in range(3):
        contactor.step(0.0)
    assert levels == [True, False, True]
    contactor.shut_down()
    contactor.step(0.0)
    assert levels == [True, False, True]


def test_a_heart_that_cannot_beat_is_logged_once_and_stops_no_supervision(caplog):
    def fail(level: bool) -> None:
        raise OSError("the line is gone")

    contactor = a_beating_contactor(fail)
    contactor.trip(Trip.REFLEX)
    assert contactor.step(0.0) == [ContactorTripped(Trip.REFLEX, 1)]
    contactor.step(0.0)
    assert len(caplog.records) == 1


def test_the_heart_stands_still_while_the_coil_cannot_be_switched_off():
    levels: list[bool] = []
    is_lost = False

    def set_coil(is_on: bool) -> None:
        if is_lost:
            raise OSError("the line is gone")

    contactor = LeasedContactor(
        "contactor", SETTINGS, lambda: 0.0, set_coil, lambda: None, beat=levels.append
    )
    contactor.arm(0)
    contactor.close(5.0)
    contactor.step(0.0)
    is_lost = True
    contactor.open()
    for _ in range(3):
        contactor.step(0.1)
    assert levels == [True]  # the charge pump drops out, and the contactor with it
    is_lost = False
    contactor.step(0.2)
    assert levels == [True, False]
