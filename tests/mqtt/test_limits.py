"""What others can make this program do, and what is remembered of them, is bounded."""

from __future__ import annotations

import asyncio
import logging
import uuid

import pytest

from agent.mqtt.envelope import Message
from agent.mqtt.limits import (
    SAY_EVERY_S,
    SEEN_MAX,
    SEEN_S,
    FairQueue,
    LimitedWarnings,
    RecentRequests,
)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_one_warning_of_a_kind_a_minute_and_the_others_are_counted(clock, caplog):
    caplog.set_level(logging.WARNING)
    warnings = LimitedWarnings(clock, "on the station bus")
    for _ in range(1000):
        warnings.warn("a message is dropped", "it is not JSON")
    warnings.warn("a request is rejected", "data")
    clock.now_s += SAY_EVERY_S
    warnings.warn("a message is dropped", "it has no name")
    assert [record.getMessage() for record in caplog.records] == [
        "a message is dropped: it is not JSON",
        "a request is rejected: data",
        "a message is dropped: it has no name (and 999 more since the last such line)",
    ]


def test_what_is_dropped_is_counted_by_kind(clock):
    warnings = LimitedWarnings(clock, "on the station bus")
    for what in ("requests", "messages", "requests"):
        warnings.drop(what)
    assert dict(warnings.dropped) == {"requests": 2, "messages": 1}


def a_message() -> Message:
    return Message(str(uuid.uuid4()), "authorization", "response", {"status": "accepted"})


async def test_sources_take_turns_and_each_has_its_own_places():
    turns: FairQueue[str] = FairQueue(places=2)
    for number in range(2):
        turns.put("greedy", f"g{number}")
    assert turns.is_full("greedy")
    assert not turns.is_full("quiet")
    turns.put("quiet", "q0")
    assert [await turns.get() for _ in range(3)] == ["g0", "q0", "g1"]
    waiting = asyncio.ensure_future(turns.get())
    await asyncio.sleep(1)
    assert not waiting.done()
    turns.put("quiet", "q1")
    assert await waiting == "q1"


def test_a_request_is_new_once_a_minute_whatever_the_case_of_its_id(clock):
    seen = RecentRequests(clock)
    id = str(uuid.uuid4())
    assert seen.is_new(id)
    assert not seen.is_new(id.upper())
    clock.now_s += SEEN_S + 1
    assert seen.is_new(id)


def test_its_answer_is_kept_a_minute_from_when_it_was_given(clock):
    seen, answer = RecentRequests(clock), a_message()
    assert seen.is_new(answer.id)
    assert seen.answer_to(answer.id) is None
    clock.now_s += SEEN_S - 1
    seen.answered("josev/cs", answer)
    clock.now_s += SEEN_S - 1
    assert not seen.is_new(answer.id)
    assert seen.answer_to(answer.id.upper()) == ("josev/cs", answer)


def test_answers_to_nobody_are_not_kept(clock):
    seen, answer = RecentRequests(clock), a_message()
    seen.answered("josev/cs", answer)
    assert seen.answer_to(answer.id) is None


def test_only_so_many_are_remembered(clock):
    seen = RecentRequests(clock)
    ids = [str(uuid.uuid4()) for _ in range(SEEN_MAX + 1)]
    assert all(seen.is_new(id) for id in ids)
    assert not seen.is_new(ids[-1])
    assert seen.is_new(ids[0])
