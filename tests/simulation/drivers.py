"""Drivers with cars and habits: they plug, tap, wait, lose patience, and go."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from agent.core.events import LimitRequested
from tests.simulation.cards import Card, Wallet
from tests.simulation.clocks import true_time

_PATIENCE_S = 15.0
_LIMITS_A = (6.0, 10.0, 16.0, None)
_POWERS_W = (3600.0, 7400.0, 2300.0, 11000.0)


class Driver:
    """Everybody who comes to one connector, one after the other."""

    def __init__(self, world: Any, connector_id: int, random: Random, gap_h: float) -> None:
        """``gap_h``: hours between two visits, on average."""
        self._world = world
        self._site = world.site
        self._wallet: Wallet = world.wallet
        self._id = connector_id
        self._random = random
        self._gap_s = gap_h * 3600
        self._delay_s: int = world.scenario.random_delay_max_s
        self._card: Card | None = None

    async def live(self) -> None:
        """Come and go for ever."""
        while True:
            await asyncio.sleep(self._random.expovariate(1 / self._gap_s))
            await self._visit()

    async def _visit(self) -> None:
        random = self._random
        card = self._card = random.choice(self._wallet.cards)
        self._note(f"{card.owner} comes")
        if random.random() < 0.2:  # card first
            self._tap(card)
            await asyncio.sleep(random.uniform(1, 90))
            self._plug()
        else:
            self._plug()
            await asyncio.sleep(random.uniform(1, 20))
            self._tap(card)
        if random.random() < 0.1:  # did it beep?
            await asyncio.sleep(random.uniform(0.2, 3))
            self._tap(card)
        if not await self._is_charging():
            await self._try_again(card)
        if self._site.is_flowing(self._id):
            await self._charge()
            await self._finish(card)
        await self._leave()

    async def _is_charging(self) -> bool:
        patience_s = int(_PATIENCE_S)
        if self._delay_s:
            patience_s += self._random.choice((0, self._delay_s))
        for _ in range(patience_s):
            await asyncio.sleep(1)
            if self._site.is_flowing(self._id):
                return True
        return False

    async def _try_again(self, card: Card) -> None:
        random = self._random
        if random.random() < 0.4:
            await asyncio.sleep(random.uniform(1, 60))
            self._tap(random.choice((card, random.choice(self._wallet.cards))))
            await self._is_charging()
        elif random.random() < 0.3:
            self._call_the_hotline()
            await self._is_charging()

    def _call_the_hotline(self) -> None:
        """Somebody starts the session from afar, for a good card."""
        good = self._random.choice(self._wallet.good(true_time()))
        self._world.operators.start(self._id, good)

    async def _charge(self) -> None:
        random = self._random
        left_s = random.choice((20.0, 60.0, 300.0, 900.0, 2400.0)) * random.uniform(0.3, 1)
        while left_s > 0:
            piece_s = min(left_s, random.uniform(10, 1200))
            await asyncio.sleep(piece_s)
            left_s -= piece_s
            if random.random() < 0.3:
                self._note("the car has had enough for now")
                self._site.energy(self._id, False)
                if random.random() < 0.7:
                    await asyncio.sleep(random.uniform(1, 600))
                    self._site.energy(self._id, True)
            if random.random() < 0.1:
                self._tap(random.choice(self._wallet.cards))  # somebody else tries
            if random.random() < 0.2:
                self._turn_down(random.choice(_LIMITS_A))

    def _turn_down(self, limit_a: float | None) -> None:
        """Somebody at the site limits the current, or limits it no more."""
        runtime = self._world.runtime()
        if runtime is not None:
            self._world.run_log.note("operator", f"limits connector {self._id} to {limit_a} A")
            runtime.post(LimitRequested("of the site", self._id, limit_a))

    async def _finish(self, card: Card) -> None:
        random = self._random
        habit = random.random()
        if habit < 0.6:
            self._tap(card)
        elif habit < 0.7:
            self._world.operators.stop()
        elif habit < 0.75:
            self._note("pulls by force")
            self._site.unplug(self._id, by_force=True)
        elif habit < 0.8:
            self._tap(random.choice(self._wallet.cards))
        await asyncio.sleep(random.uniform(1, 60))

    async def _leave(self) -> None:
        """Pull; if it is held, tap again; in the end pull with both hands."""
        for attempt in range(4):
            if not self._site.is_plugged(self._id) or self._site.unplug(self._id):
                self._note("is gone")
                return
            assert self._card is not None
            self._tap(self._card)
            await asyncio.sleep(self._random.uniform(5, 30 * (attempt + 1)))
        self._note("pulls by force")
        self._site.unplug(self._id, by_force=True)

    def go_home(self) -> None:
        """At once, whatever holds the plug."""
        if self._site.is_plugged(self._id):
            self._site.unplug(self._id, by_force=True)

    def _plug(self) -> None:
        self._note("plugs in")
        self._site.plug(self._id, self._random.choice(_POWERS_W))

    def _tap(self, card: Card) -> None:
        self._note(f"holds the card of {card.owner} to the reader")
        self._site.tap(card.tag)

    def _note(self, what: str) -> None:
        self._world.run_log.note(f"driver {self._id}", what)
