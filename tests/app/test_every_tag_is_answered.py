"""Whoever presents a tag hears once what became of it: at every entry, and whatever happens."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import agent.runtime.event_queue
from agent.api.commands_simulation import SimulationCommands
from agent.api.errors import Refused
from agent.api.schemas import PresentCardCommandEvent, StartSessionCommandEvent
from agent.api.service import PURPOSES
from agent.core import events as ev
from agent.core.commands import Reply, TagReply
from tests.app.test_every_entry import EVSE, House, house_of

TAG, OTHER = "04000007", "04000008"
SAYS_NOTHING = "is silent"


async def at_reader(house: House, id_tag: str) -> object:
    decision = (await house.box.do("sim", lever="tap", card=id_tag))["decision"]
    return decision and decision["verdict"]


async def by_present_card(house: House, id_tag: str) -> object:
    house.agent.hardware = lambda connector_id: {}  # type: ignore[method-assign]
    prepare = SimulationCommands(house.service).present_card
    return await _status(house, "present_card", PresentCardCommandEvent(uid=id_tag), prepare)


async def by_start_session(house: House, id_tag: str) -> object:
    event = StartSessionCommandEvent(id_tag=id_tag)
    return await _status(house, "start_session", event, house.sessions.start_session)


async def _status(house: House, name: str, event: Any, prepare: Any) -> object:
    try:
        queued = await house.service.submit(name, event, prepare, PURPOSES[name])
    except Refused as refusal:
        return refusal.code
    command = house.service.results.find(queued.id)
    assert command is not None
    await command.ended.wait()
    return command.status.value


async def over_mqtt(house: House, id_tag: str) -> object:
    data = {"token_type": "ISO14443", "id_token": id_tag, "evse_id": EVSE}
    broker = house.box.broker
    assert broker is not None
    id = broker.say("cs/josev", "authorization", "request", data)
    answer = await broker.answer_to(id)
    await asyncio.sleep(1)
    assert len(broker.answers_to(id)) == 1
    return answer[1]["data"]["status"]


async def by_remote_start(house: House, id_tag: str) -> object:
    payload = {"idTag": id_tag, "connectorId": 1}
    answer = await house.box.central_system.send_call("RemoteStartTransaction", payload)
    return answer[2]["status"]


Enter = Callable[[House, str], Awaitable[object]]
# Its answer when the tag is accepted, and when it is refused. A remote start is answered when the
# core has taken it; why nothing came of it is in the store.
ENTRIES: dict[Enter, tuple[str, str]] = {
    at_reader: ("accepted", "refused"),
    by_present_card: ("applied", "rejected"),
    over_mqtt: ("accepted", "rejected"),
    by_remote_start: ("Accepted", "Accepted"),
    by_start_session: ("applied", "rejected"),
}
entries = pytest.mark.parametrize("enter", ENTRIES, ids=lambda enter: enter.__name__)


class Answers:
    """How often the core has answered each request."""

    def __init__(self, house: House) -> None:
        self.count: Counter[str] = Counter()
        house.services.observers.append(self._observe)

    def _observe(self, event: ev.Event, commands: Any) -> None:
        found = [command for command in commands if isinstance(command, Reply | TagReply)]
        self.count.update(answer.request_id for answer in found)

    def is_one_each(self) -> bool:
        return bool(self.count) and set(self.count.values()) == {1}


async def being_asked_about(house: House, enter: Enter, id_tag: str = TAG) -> asyncio.Task[object]:
    """The tag has been presented, and the central system is being asked about it."""
    entering = asyncio.ensure_future(enter(house, id_tag))
    await house.box.until(lambda: bool(house.runtime.state.checking))
    return entering  # type: ignore[return-value]


@entries
@pytest.mark.parametrize("link", ["accepts", "refuses"])
async def test_once_it_is_decided(tmp_path, enter, link):
    async with house_of(tmp_path, "", link) as house:
        answers = Answers(house)
        await house.box.plug()
        await house.box.until(lambda: house.box.state.plugged)
        assert await enter(house, TAG) == ENTRIES[enter][link == "refuses"]
        assert answers.is_one_each()


@entries
async def test_when_a_card_at_the_reader_comes_meanwhile(tmp_path, enter):
    async with house_of(tmp_path, "", SAYS_NOTHING) as house:
        answers = Answers(house)
        await house.switch({"AllowOfflineTxForUnknownId": True})
        answers.count.clear()
        await house.box.plug()
        await house.box.until(lambda: house.box.state.plugged)
        entering = await being_asked_about(house, enter)
        other = await house.box.tap(OTHER)
        accepted, refused = ENTRIES[enter]
        is_displaced = enter is over_mqtt
        assert other["rule"] == ("UNKNOWN_ALLOWED" if is_displaced else "ONE_AT_A_TIME")
        assert await entering == (refused if is_displaced else accepted)
        await house.box.until(lambda: house.box.state.transaction is not None)
        await asyncio.sleep(60)
        assert answers.is_one_each()


@entries
async def test_when_the_same_tag_comes_again_meanwhile(tmp_path, enter):
    async with house_of(tmp_path, "", SAYS_NOTHING) as house:
        answers = Answers(house)
        entering = await being_asked_about(house, enter)
        decision = await house.box.tap(TAG)
        assert decision["verdict"] == "refused"
        assert await entering == ENTRIES[enter][True]
        assert answers.is_one_each()
        assert house.records[0].rule == "UNKNOWN_REFUSED"
        assert len(house.records) == 1


@entries
async def test_when_too_much_happens_at_once(tmp_path, monkeypatch, enter):
    async with house_of(tmp_path, "", "accepts") as house:
        await house.box.plug()
        await house.box.until(lambda: house.box.state.plugged)
        monkeypatch.setattr(agent.runtime.event_queue, "EVENTS_MAX", 0)
        monkeypatch.setattr(agent.runtime.event_queue, "_DROPPABLE", (ev.TagPresented,))
        async with asyncio.timeout(3):
            answer = await enter(house, TAG)
        dropped = {at_reader: None, by_present_card: "failed", over_mqtt: "rejected"}
        assert answer == dropped.get(enter, ENTRIES[enter][False])


@entries
async def test_when_the_charge_point_shuts_down(tmp_path, enter):
    async with house_of(tmp_path, "", SAYS_NOTHING) as house:
        answers = Answers(house)
        entering = await being_asked_about(house, enter)
        house.runtime.post(ev.ShutdownRequested())
        assert await entering == ENTRIES[enter][True]
        await house.box.until(lambda: bool(house.records))
        assert house.records[0].rule == "SHUTTING_DOWN"
        assert answers.is_one_each()


@pytest.mark.parametrize(
    ("enter", "answer"),
    [(at_reader, None), (by_present_card, "failed"), (by_start_session, "expired")],
    ids=lambda found: getattr(found, "__name__", str(found)),
)
async def test_when_the_agent_ends_before_it_is_decided(tmp_path, enter, answer):
    async with house_of(tmp_path, "", SAYS_NOTHING) as house:
        entering = await being_asked_about(house, enter)
        await house.box.die()
        async with asyncio.timeout(1):
            assert await entering == answer
            assert await house.runtime.present_tag(lambda request_id: None, 60) is None


@pytest.mark.parametrize("enter", [at_reader, by_present_card, over_mqtt])
async def test_when_the_tag_changes_nothing(tmp_path, enter):
    """It waits for its plug already, and is shown again too soon to call the start off."""
    async with house_of(tmp_path, "", "accepts") as house:
        rules = house.runtime.state.rules
        object.__setattr__(rules, "tap_guard_s", 5.0)
        assert (await house.box.tap(TAG))["verdict"] == "accepted"
        answers = Answers(house)
        async with asyncio.timeout(3):
            answer = await enter(house, TAG)
        assert answer == {at_reader: None, by_present_card: "failed", over_mqtt: "accepted"}[enter]
        assert answers.is_one_each()
