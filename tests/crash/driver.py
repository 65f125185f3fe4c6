"""A driver who plays sessions by chance until the process dies, and a witness who looks on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from agent.platform.errors import ControlError
from tests.agent_process import LIMIT_S, Agent, ProcessEnded
from tests.crash.accounts import Seen
from tests.crash.box import CARDS, do

LOOK_EVERY_S = 0.03
_ENERGY_MAX_WH = 60

Connector = dict[str, Any]


class Driver:
    """Plugs, taps, charges, pauses and leaves, at one or both connectors.

    ``on_action`` is called before each action with its name; ``witness`` gets what is seen at the
    box, by the number that a session has there.
    """

    def __init__(
        self,
        agent: Agent,
        chance: Random,
        on_action: Callable[[str], None],
        witness: dict[int, Seen],
    ) -> None:
        self._agent = agent
        self._chance = chance
        self._on_action = on_action
        self._witness = witness
        self._places = dict.fromkeys(CARDS, "waiting")
        self._connectors: dict[int, Connector] = {}
        self._looked = asyncio.Condition()

    async def play(self) -> None:
        """Play until the process is gone. Raises AssertionError when the box does not do its part.

        TimeoutError says that the box did not come to where it should.
        """
        self._on_action("start")
        try:
            await self._agent.ready()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._look())
                group.create_task(self._act())
        except* ProcessEnded:
            pass

    async def _look(self) -> None:
        while True:
            status = await do(self._agent, "status")
            async with self._looked:
                self._connectors = {one["id"]: one for one in status["connectors"]}
                for one in self._connectors.values():
                    self._note(one)
                self._looked.notify_all()
            await asyncio.sleep(LOOK_EVERY_S)

    def _note(self, one: Connector) -> None:
        """Energy flows only in sessions that are in the journal: those are remembered."""
        session = one["session"]
        if session is None:
            return
        ref = session["ref"]
        if one["contactor"] == "closed" and ref not in self._witness:
            self._witness[ref] = Seen(one["id"], one["meter"]["import_wh"])
        elif ref in self._witness and one["meter"] is not None:
            seen = self._witness[ref]
            # After a restart the meter may begin anew: what it showed last still counts.
            seen.register_wh = max(seen.register_wh, one["meter"]["import_wh"])

    async def _act(self) -> None:
        while True:
            connector_id, action = self._chance.choice(self._possible())
            self._on_action(f"{action} {connector_id}")
            await getattr(self, f"_{action}")(connector_id)

    def _possible(self) -> list[tuple[int, str]]:
        """What can be done now. Only one car waits for a card, so that a card can only mean it."""
        is_car_waiting = "plugged" in self._places.values()
        actions = {
            "waiting": ["settle"],
            "free": [] if is_car_waiting else ["plug"],
            "plugged": ["begin"],
            "charging": ["charge"] * 3 + ["pause", "stop"],
            "paused": ["go_on", "stop"],
            "over": ["unplug"],
        }
        return [(each, act) for each, place in self._places.items() for act in actions[place]]

    # --- actions ---

    async def _settle(self, connector_id: int) -> None:
        """What the last process left open is closed first."""
        await self._until(connector_id, lambda one: one["session"] is None)
        self._places[connector_id] = "free"

    async def _plug(self, connector_id: int) -> None:
        await self._lever("plug", connector_id)
        await self._until(connector_id, lambda one: one["plugged"])
        self._places[connector_id] = "plugged"

    async def _begin(self, connector_id: int) -> None:
        await self._tap(connector_id)
        await self._until(connector_id, lambda one: one["contactor"] == "closed")
        self._places[connector_id] = "charging"

    async def _charge(self, connector_id: int) -> None:
        """Wait until some more energy has flowed."""
        more_wh = self._chance.randint(1, _ENERGY_MAX_WH)
        until_wh = self._connectors[connector_id]["meter"]["import_wh"] + more_wh
        await self._until(connector_id, lambda one: one["meter"]["import_wh"] >= until_wh)

    async def _pause(self, connector_id: int) -> None:
        await self._lever("energy", connector_id, wanted=False)
        await self._until(connector_id, lambda one: one["contactor"] == "open")
        self._places[connector_id] = "paused"

    async def _go_on(self, connector_id: int) -> None:
        await self._lever("energy", connector_id, wanted=True)
        await self._until(connector_id, lambda one: one["contactor"] == "closed")
        self._places[connector_id] = "charging"

    async def _stop(self, connector_id: int) -> None:
        await self._tap(connector_id)
        await self._until(connector_id, lambda one: one["session"] is None)
        self._places[connector_id] = "over"

    async def _unplug(self, connector_id: int) -> None:
        await self._until(connector_id, lambda one: one["lock"] != "locked")
        await self._lever("unplug", connector_id)
        await self._until(connector_id, lambda one: not one["plugged"])
        self._places[connector_id] = "free"

    # --- how ---

    async def _lever(self, lever: str, connector_id: int, **more: Any) -> None:
        await do(self._agent, "sim", lever=lever, connector=connector_id, **more)

    async def _tap(self, connector_id: int) -> None:
        answer = await do(self._agent, "sim", lever="tap", card=CARDS[connector_id])
        decision = answer["decision"]
        assert decision is not None, "the tap was not decided"
        assert decision["verdict"] == "accepted", decision["line"]

    async def _until(self, connector_id: int, claim: Callable[[Connector], Any]) -> None:
        """Wait until this holds at a connector."""
        try:
            async with asyncio.timeout(LIMIT_S), self._looked:
                await self._looked.wait_for(
                    lambda: bool(self._connectors) and claim(self._connectors[connector_id])
                )
        except TimeoutError:
            raise ControlError(f"the box stays as it is: {self._connectors}") from None
