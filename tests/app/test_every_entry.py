"""Whichever door a tag comes through: the same facts, the same decision, end to end.

Doors: the reader (and the control socket, which taps at it), the page, the station bus, the two
starts of the control API as on real hardware, RemoteStartTransaction with
AuthorizeRemoteTxRequests, and the reader after a power cut. What is expected is the procedure of
OCPP 1.6 (sections 3.5 and 4.1), written down a second time.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from agent.api.agent_bridge import AgentBridge
from agent.api.commands_sessions import SessionCommands
from agent.api.commands_simulation import SimulationCommands
from agent.api.errors import Refused
from agent.api.page.actions import PageActions
from agent.api.schemas import StartSessionCommandEvent, StartTransactionCommandEvent
from agent.api.service import PURPOSES, ControlService
from agent.api.tokens import ApiToken
from agent.config.settings import AuthorizationSettings, MqttSettings
from agent.core import events as ev
from agent.core.commands import CacheTag, ClearCache, Command, RecordDecision
from agent.core.state import Charging, Finished, Idle, Starting
from agent.core.values import AuthorizationStatus, DecisionRecord, IdTagInfo
from agent.ocpp16.triggered_messages import TriggeredMessages
from agent.store import Store
from tests.app.box import ACCEPTED, Box, box_settings
from tests.emulators.broker import FakeBroker
from tests.emulators.central_system import Answer, Silence
from tests.emulators.virtual_clock import NOON
from tests.store.builders import replace_list

EVSE = "DE*ABC*E1"
BLOCKED = IdTagInfo(AuthorizationStatus.BLOCKED)
EXPIRED = replace(ACCEPTED, expires_at=NOON - timedelta(days=1))
# What list and cache know; a listed tag is never in the cache (section 3.5.3).
LISTED = {"04000001": ACCEPTED, "04000002": BLOCKED, "04000003": EXPIRED}
CACHED = {"04000004": ACCEPTED, "04000005": BLOCKED, "04000006": EXPIRED}
TAGS = (*LISTED, *CACHED, "04000007")
LINKS = {
    "accepts": Answer({"idTagInfo": {"status": "Accepted"}}),
    "refuses": Answer({"idTagInfo": {"status": "Invalid"}}),
    "is silent": Silence(),
    "is away": None,
}
PRE, OFFLINE = "LocalPreAuthorize", "LocalAuthorizeOffline"
UNKNOWN, LIST = "AllowOfflineTxForUnknownId", "LocalAuthListEnabled"
CACHE = "AuthorizationCacheEnabled"
ALL_ON = dict.fromkeys((PRE, OFFLINE, UNKNOWN, LIST, CACHE), True)
SWITCHES = [
    *(
        {**ALL_ON, PRE: pre, OFFLINE: offline, UNKNOWN: unknown}
        for pre, offline, unknown in itertools.product((True, False), repeat=3)
    ),
    {**ALL_ON, UNKNOWN: False, LIST: False},
    {**ALL_ON, UNKNOWN: False, CACHE: False},
]


def expected(id_tag: str, link: str, switches: dict[str, bool]) -> str:
    """The rule that decides."""
    name, info = "", None
    if switches[LIST] and id_tag in LISTED:
        name, info = "LISTED", LISTED[id_tag]
    elif switches[CACHE] and id_tag in CACHED:
        name, info = "CACHED", CACHED[id_tag]
    if link != "is away" and switches[PRE] and info is ACCEPTED:
        return name
    if link in ("accepts", "refuses"):
        return "CENTRAL_ACCEPTED" if link == "accepts" else "CENTRAL_REFUSED"
    if info is None:
        return "UNKNOWN_ALLOWED" if switches[UNKNOWN] else "UNKNOWN_REFUSED"
    if info is not ACCEPTED:
        return f"{name}_REFUSED"
    return f"{name}_OFFLINE" if switches[OFFLINE] or switches[UNKNOWN] else "OFFLINE_OFF"


@dataclass
class House:
    """One box with all its doors."""

    box: Box
    records: list[DecisionRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.services = self.box.application.services
        assert self.services is not None
        self.services.observers.append(self._observe)
        self.agent = AgentBridge(
            self.services,
            TriggeredMessages(
                self.services.settings.charge_point,
                self.services.runtime.current_state,
                self.services.clock.now,
            ),
            brokers={},
        )
        self.agent.hardware = lambda connector_id: dict.fromkeys(("pilot", "plug"), "real")  # type: ignore[method-assign]
        self.service = ControlService(self.agent)
        self.sessions = SessionCommands(self.service, SimulationCommands(self.service))

    def _observe(self, event: ev.Event, commands: Any) -> None:
        self.records += [found.record for found in commands if isinstance(found, RecordDecision)]

    @property
    def runtime(self) -> Any:
        return self.services.runtime

    async def rule(self, enter: Callable[[House, str], Awaitable[object]], id_tag: str) -> str:
        """The rule by which a tag was decided on that came through this door."""
        self.records.clear()
        entering = asyncio.create_task(enter(self, id_tag))  # type: ignore[arg-type]
        await self.box.until(lambda: bool(self.records))
        record = self.records[0]
        assert record.id_tag == id_tag
        await entering
        await self.at_rest()
        return record.rule

    async def at_rest(self) -> None:
        """Nobody comes with a plug, or it is unlocked: what was begun comes to its end."""
        if isinstance(self.box.state.phase, Starting | Charging):
            await self.runtime.request(lambda id: ev.UnlockRequested(id, 1))
        async with asyncio.timeout(60):
            while not self._is_at_rest():
                await asyncio.sleep(1)

    def _is_at_rest(self) -> bool:
        state = self.runtime.state
        resting = isinstance(self.box.state.phase, Idle | Finished)
        return resting and not state.waiting and not state.checking

    async def restore(self) -> None:
        """The cache is as it was: answers are remembered."""
        rows: list[Command] = [ClearCache(), *(CacheTag(tag, info) for tag, info in CACHED.items())]
        self.services.store.commit(rows, NOON)

    async def switch(self, switches: dict[str, bool]) -> None:
        for key, is_on in switches.items():
            value = str(is_on).lower()
            await self.runtime.request(
                lambda id, key=key, value=value: ev.ConfigurationChangeRequested(id, key, value)
            )


async def by_card(house: House, id_tag: str) -> object:
    return await house.box.tap(id_tag)


async def by_page(house: House, id_tag: str) -> object:
    token = ApiToken("all", frozenset({"simulate"}), "")
    actions = PageActions(house.service, call_api=_no_call)
    return await actions.do(token, {"do": "tap", "card": id_tag})


async def _no_call(*arguments: Any) -> Any:
    raise AssertionError("a tap is no call of the API")


async def by_bus(house: House, id_tag: str) -> object:
    data = {"token_type": "ISO14443", "id_token": id_tag, "evse_id": EVSE}
    assert house.box.broker is not None
    return await house.box.broker.ask("cs/josev", "authorization", data)


async def by_start_session(house: House, id_tag: str) -> object:
    event = StartSessionCommandEvent(id_tag=id_tag)
    return await _command(house, "start_session", event, house.sessions.start_session)


async def by_start_transaction(house: House, id_tag: str) -> object:
    if not house.box.state.plugged:
        await house.box.plug()
        await house.box.until(lambda: house.box.state.plugged)
    event = StartTransactionCommandEvent(id_tag=id_tag)
    return await _command(house, "start_transaction", event, house.sessions.start_transaction)


async def _command(house: House, name: str, event: Any, prepare: Any) -> object:
    try:
        return await house.service.submit(name, event, prepare, PURPOSES[name])
    except Refused as refusal:
        return refusal  # what was decided is looked up in the store


async def by_remote_start(house: House, id_tag: str) -> object:
    payload = {"idTag": id_tag, "connectorId": 1}
    answer = await house.box.central_system.send_call("RemoteStartTransaction", payload)
    assert answer[2] == {"status": "Accepted"}
    return answer


DOORS: dict[str, Callable[[House, str], Awaitable[object]]] = {
    "card": by_card,
    "card after a power cut": by_card,
    "page": by_page,
    "station bus": by_bus,
    "start-session": by_start_session,
    "start-transaction": by_start_transaction,
    "remote start": by_remote_start,
}


@asynccontextmanager
async def house_of(directory: Any, door: str, link: str) -> AsyncIterator[House]:
    """A box that has all its doors open, with this link, and this list and cache."""
    keys = {"AuthorizeRemoteTxRequests": "true", "ConnectionTimeOut": "5"}
    settings = box_settings(directory, **keys)
    settings = replace(
        settings,
        connectors=tuple(replace(found, evse_id=EVSE) for found in settings.connectors),
        authorization=AuthorizationSettings(tap_guard_s=0),
        mqtt=MqttSettings(enabled=True),
    )
    store = Store.open(settings.storage_path, now=NOON, make_id=lambda: "unused")
    replace_list(store, 7, list(LISTED.items()))
    store.close()
    box = Box(settings, broker=FakeBroker())
    reaction = LINKS[link]
    if reaction is None:
        box.central_system.refuse_always = OSError("nobody is there")
    else:
        box.central_system.always("Authorize", reaction)
    await box.start()
    if door == "card after a power cut":
        await box.lose_power()
        await box.start()
    try:
        house = House(box)
        assert box.broker is not None
        await box.until(lambda: box.broker is not None and box.broker.is_connected)
        await box.until(lambda: house.runtime.state.online is (reaction is not None))
        yield house
    finally:
        await box.die()


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("door", DOORS)
async def test_every_door_decides_alike(tmp_path, door, link):
    if door == "remote start" and link == "is away":
        return  # nobody is there who could send one
    async with house_of(tmp_path, door, link) as house:
        for switches in SWITCHES:
            await house.switch(switches)
            wanted, found = {}, {}
            for id_tag in TAGS:
                await house.restore()
                wanted[id_tag] = expected(id_tag, link, switches)
                found[id_tag] = await house.rule(DOORS[door], id_tag)
            assert found == wanted, switches
