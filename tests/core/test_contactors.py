"""What is remembered of a contactor: how often it closed, and that a person must look at it."""

from __future__ import annotations

from agent.core import events as ev
from agent.core.commands import Reply, SaveContactor
from agent.core.faults import Fault
from tests.core.world import charging, finish, of, replies, tap


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
