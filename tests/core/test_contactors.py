"""What is remembered of a contactor: how often it closed, and that a person must look at it."""

from __future__ import annotations

from agent.core import contactors
from agent.core import events as ev
from agent.core.commands import NotifyStatus, QueueMessage, Reply, SaveContactor
from agent.core.faults import Fault
from agent.core.values import NO_TRANSACTION, ConnectorMeasured, StopReason
from tests.core.story import (
    Story,
    a_charge_point,
    charging,
    finish,
    messages,
    of,
    reading,
    replies,
    stop_of,
    tap,
)


def test_the_count_is_written_once_a_session_however_often_the_contactor_moves():
    story = charging()
    for _ in range(5):
        story.tell(ev.ContactorOpened(1), ev.ContactorClosed(1))
    assert of(SaveContactor, story.commands) == []
    story.tell(tap())
    assert of(SaveContactor, finish(story)) == [SaveContactor(1, 6, is_locked_out=False)]
    assert of(SaveContactor, story.wait(3600)) == []


def test_a_lock_out_is_written_at_once_and_so_is_its_end():
    story = charging()
    commands = story.tell(ev.ContactorTripped(1, "did not close", 1))
    assert of(SaveContactor, commands) == [SaveContactor(1, 1, is_locked_out=True)]
    finish(story)
    commands = story.tell(ev.ContactorMended(1))
    assert of(SaveContactor, commands) == [SaveContactor(1, 1, is_locked_out=False)]


def test_a_person_is_not_believed_while_the_contacts_are_closed():
    story = charging()
    story.tell(ev.ContactorTripped(1, "welded", 1))
    assert of(Reply, story.tell(ev.ContactorMended(1, "r1"))) == [
        Reply("r1", "Rejected", "its contacts are still closed")
    ]
    assert Fault.CONTACTOR_WELDED in story.connector.faults
    story.tell(ev.ContactorOpened(1))
    assert replies(story.tell(ev.ContactorMended(1, "r2"))) == [("r2", "Accepted")]
    assert story.connector.faults == frozenset()


def test_a_person_is_told_that_nothing_was_to_be_acknowledged_and_what_else_is_in_the_way():
    story = charging()
    finish(story)
    nothing = "there was nothing to acknowledge"
    assert of(Reply, story.tell(ev.ContactorMended(1, "r1"))) == [Reply("r1", "Accepted", nothing)]
    story.tell(ev.ContactorTripped(1, "did not close", 1), ev.ContactorOpened(1))
    story.tell(ev.SafetyInputTripped("emergency_stop"))
    still = "what keeps sessions from beginning: emergency stop pressed"
    assert [reply.detail for reply in of(Reply, story.tell(ev.ContactorMended(1, "r2")))] == [
        f"acknowledged; {still}"
    ]
    assert [reply.detail for reply in of(Reply, story.tell(ev.ContactorMended(1, "r3")))] == [
        f"{nothing}; {still}"
    ]


def test_a_person_may_also_clear_what_would_have_gone_with_the_plug():
    story = charging()
    story.tell(ev.ContactorTripped(1, "opened by itself", 1))
    story.tell(ev.ContactorMended(1))
    assert story.connector.faults == frozenset()
    assert [save.is_locked_out for save in of(SaveContactor, story.commands)] == []


# --- a weld --------------------------------------------------------------------------------------


def welded_at_an_emergency_stop(**keys: str) -> Story:
    """Somebody has pressed the button, and the contacts stay closed; the session is over."""
    story = charging(**keys)
    story.tell(ev.SafetyInputTripped("emergency_stop"), ev.ContactorTripped(1, "reflex", 1))
    told = of(NotifyStatus, story.tell(ev.ContactorTripped(1, "welded", 2)))
    assert [command.report.error_code for command in told] == ["PowerSwitchFailure"]
    story.tell(ev.MeterRead(1, reading(1200)))  # it is not waited for what does not open
    assert stop_of(story.commands).reason is StopReason.EMERGENCY_STOP
    assert stop_of(story.commands).meter_stop_wh == 1200
    story.commands.clear()
    return story


def test_a_weld_is_told_while_the_emergency_stop_is_pressed():
    welded_at_an_emergency_stop()


def test_what_flows_through_a_weld_after_the_stop_is_counted_and_told_in_the_rhythm_of_samples():
    story = welded_at_an_emergency_stop(MeterValueSampleInterval="60")
    for import_wh in (1200, 1300, 1400, 1500, 1500):
        story.tell(ev.MeterRead(1, reading(import_wh)))
        story.wait(30)
    told = [c for c in of(QueueMessage, story.commands) if isinstance(c.message, ConnectorMeasured)]
    assert [command.transaction_ref for command in told] == [NO_TRANSACTION] * 2
    assert [c.message.values[0].value for c in told] == ["1300", "1500"]
    assert contactors.welded_wh(story.connector) == 300


def test_what_flowed_is_not_told_again_once_the_contactor_is_mended():
    story = welded_at_an_emergency_stop()
    story.tell(ev.MeterRead(1, reading(1300)), ev.ContactorOpened(1), ev.ContactorMended(1))
    assert contactors.welded_wh(story.connector) == 0
    story.commands.clear()
    story.tell(ev.MeterRead(1, reading(1400)))
    assert messages(story.commands) == []


def test_where_no_session_is_known_it_is_counted_from_the_first_reading():
    story = Story(a_charge_point())
    story.tell(ev.ContactorClosed(1), ev.ContactorTripped(1, "welded", 1))
    story.tell(ev.MeterRead(1, reading(5000)), ev.MeterRead(1, reading(5010)))
    assert contactors.welded_wh(story.connector) == 10
    assert len(messages(story.commands)) == 1
