"""The queue in front of the runtime: bounded, in order, never without a safety event."""

from __future__ import annotations

import asyncio
import threading

import pytest

import agent.runtime.event_queue
from agent.core import events as ev
from agent.core.authorization_reasons import Rule
from agent.core.tag_sources import Source
from agent.core.values import Reading
from agent.runtime.event_queue import EventQueue
from tests.emulators.virtual_clock import NOON


def meter_read(connector_id: int, import_wh: int) -> ev.MeterRead:
    return ev.MeterRead(connector_id, Reading(import_wh, NOON))


async def drain(queue: EventQueue) -> list[ev.Event]:
    return [event for _ in range(len(queue)) if (event := await queue.get(0)) is not None]


async def test_events_come_out_in_the_order_they_went_in():
    queue = EventQueue()
    events = [ev.CablePluggedIn(1), ev.TagPresented("A", (1,)), ev.CableUnplugged(1)]
    for event in events:
        queue.put(event)
    assert await drain(queue) == events


async def test_a_newer_reading_of_the_same_meter_replaces_one_that_waits():
    queue = EventQueue()
    for event in (meter_read(1, 10), meter_read(2, 20), ev.CablePluggedIn(1), meter_read(1, 11)):
        queue.put(event)
    assert await drain(queue) == [meter_read(2, 20), ev.CablePluggedIn(1), meter_read(1, 11)]


async def test_a_broken_meter_and_a_broken_reader_do_not_fill_the_queue():
    queue = EventQueue()
    for _ in range(3):
        for event in (
            ev.MeterFailed(1, "silent"),
            ev.MeterFailed(2, "silent"),
            ev.ReaderFailed("dead"),
            ev.ReaderRecovered(),
        ):
            queue.put(event)
    assert await drain(queue) == [
        ev.MeterFailed(1, "silent"),
        ev.MeterFailed(2, "silent"),
        ev.ReaderRecovered(),
    ]


async def test_a_failure_does_not_take_a_reading_away_but_a_reading_ends_the_failure():
    queue = EventQueue()
    queue.put(meter_read(1, 10))
    queue.put(ev.MeterFailed(1, "silent"))
    assert await drain(queue) == [meter_read(1, 10), ev.MeterFailed(1, "silent")]
    queue.put(ev.MeterFailed(1, "silent"))
    queue.put(meter_read(1, 11))
    assert await drain(queue) == [meter_read(1, 11)]


async def test_a_full_queue_drops_what_can_be_repeated_and_nothing_else(monkeypatch, caplog):
    monkeypatch.setattr(agent.runtime.event_queue, "EVENTS_MAX", 3)
    queue = EventQueue()
    for _ in range(3):
        queue.put(ev.CablePluggedIn(1))
    queue.put(ev.TagPresented("04A2B3C4", (1,)))
    queue.put(meter_read(1, 10))
    queue.put(ev.SafetyInputTripped("emergency_stop"))
    assert await drain(queue) == [
        *[ev.CablePluggedIn(1)] * 3,
        ev.SafetyInputTripped("emergency_stop"),
    ]
    assert "TagPresented is dropped" in caplog.text
    assert "04A2B3C4" not in caplog.text


async def test_the_station_bus_keeps_no_card_of_the_own_reader_out(caplog):
    queue = EventQueue()
    foreign = ev.TagPresented("FOREIGN", (1,), source=Source.STATION)
    refused = ev.RequestNotTaken("FOREIGN", (1,), Rule.ONE_AT_A_TIME)
    for _ in range(agent.runtime.event_queue.EVENTS_MAX):
        queue.put(foreign)
        queue.put(refused)
    own = ev.TagPresented("04A2B3C4", (1,))
    queue.put(own)
    assert len(queue) == agent.runtime.event_queue.OF_STATION_MAX + 1
    assert (await drain(queue))[-1] == own
    assert caplog.text.count("is dropped") == 1
    queue.put(foreign)
    assert await drain(queue) == [foreign]


@pytest.mark.parametrize("timeout_s", [0.0, 5.0])
async def test_waiting_ends_when_nothing_comes(timeout_s):
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    assert await EventQueue().get(timeout_s) is None
    assert loop.time() - began_s == pytest.approx(timeout_s, abs=0.01)


async def test_an_event_ends_the_waiting():
    queue = EventQueue()
    waiting = asyncio.create_task(queue.get(None))
    await asyncio.sleep(1)
    queue.put(ev.TimePassed())
    assert await waiting == ev.TimePassed()


@pytest.mark.real_time
async def test_events_of_other_threads_arrive_all_and_each_in_its_order():
    queue = EventQueue()

    def tell(connector_id: int) -> None:
        for number in range(300):
            queue.put(ev.ContactorTripped(connector_id, "reflex", number))

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    got: list[ev.Event | None] = []
    async with asyncio.timeout(20):
        while len(got) < 900:
            got.append(await queue.get(None))
    for connector_id in range(3):
        mine = [e.trip_count for e in got if e is not None and e.connector_id == connector_id]
        assert mine == list(range(300))
    for thread in threads:
        thread.join(timeout=5)


def test_a_thread_that_tells_something_after_the_end_of_the_loop_is_not_disturbed():
    async def make() -> EventQueue:
        return EventQueue()

    queue = asyncio.run(make())
    problems: list[BaseException] = []

    def tell() -> None:
        try:
            queue.put(ev.TimePassed())
        except BaseException as problem:  # noqa: BLE001 - the test wants to see it
            problems.append(problem)

    thread = threading.Thread(target=tell)
    thread.start()
    thread.join(timeout=5)
    assert problems == []
