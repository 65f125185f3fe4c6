"""A network that fails without a word: the real process notices, comes back, and loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.crash.accounts import Accounts, Seen, disagreements
from tests.crash.box import CARDS, SAMPLE_WH, CrashBox, do
from tests.crash.central_system import AccountingCentralSystem
from tests.crash.proxy import SwallowingProxy, Way

pytestmark = [pytest.mark.real_time, pytest.mark.crash]

PING_S = 1
NOTICED_WITHIN_S = 2 * PING_S + 2.0  # a ping interval, the same for the pong; a busy machine
OPEN_TIMEOUT_S = 10.0  # for the answer to a connection request
RETURN_WITHIN_S = 2.0  # after a link that had worked
FIRST_WAIT_S = (3.0, 13.0)  # back-off after a link that had not, and after it ...
SECOND_WAIT_S = (6.0, 36.0)  # ... twice that, with jitter
CLOSING_S = 5.0  # how long the other side may take to say goodbye, even over a dead line
SLACK_S = 3.0


@dataclass
class Scene:
    """A charging box, the network, the central system, and what was seen of the session."""

    box: CrashBox
    proxy: SwallowingProxy
    system: AccountingCentralSystem
    witness: dict[int, Seen]

    async def status(self) -> dict[str, Any]:
        assert self.box.agent is not None
        status: dict[str, Any] = await do(self.box.agent, "status")
        return status

    async def until(self, claim: Callable[[dict[str, Any]], Any], limit_s: float) -> float:
        """Wait until this holds of the status; returns how long it took."""
        begun_s = now_s()
        async with asyncio.timeout(limit_s):
            while not claim(await self.status()):
                await asyncio.sleep(0.05)
        return now_s() - begun_s

    async def charge(self) -> None:
        assert self.box.agent is not None
        await do(self.box.agent, "sim", lever="plug")
        await do(self.box.agent, "sim", lever="tap", card=CARDS[1])
        await self.until(lambda s: s["connectors"][0]["contactor"] == "closed", 20)

    async def stop(self) -> None:
        assert self.box.agent is not None
        session = (await self.status())["connectors"][0]["session"]
        await do(self.box.agent, "sim", lever="tap", card=CARDS[1])
        await self.until(lambda s: s["connectors"][0]["session"] is None, 20)
        meter = (await self.status())["connectors"][0]["meter"]
        self.witness[session["ref"]] = Seen(1, meter["import_wh"])

    async def settle(self) -> None:
        """End it, and let the accounts be compared."""
        await self.until(lambda s: s["online"] and s["outbox"]["queued_count"] == 0, 60)
        assert await self.box.end() == 0
        self.box.read_journal()
        accounts = Accounts(
            journal=self.box.journal,
            told=self.system.account,
            repetitions=self.system.repetitions,
            transaction_ids=self.system.transaction_ids,
            witness=self.witness,
            sample_wh=SAMPLE_WH,
        )
        assert disagreements(accounts) == []
        assert len(self.box.journal.sessions) == 1


def now_s() -> float:
    return asyncio.get_running_loop().time()


def is_offline(status: dict[str, Any]) -> bool:
    return not status["online"]


def is_online(status: dict[str, Any]) -> bool:
    return bool(status["online"])


@contextlib.asynccontextmanager
async def scene(
    directory: Path, way: Way = Way.PASS, *, turns_away: bool = False
) -> AsyncIterator[Scene]:
    """A started process behind the proxy; it answers on its control socket."""
    system = AccountingCentralSystem()
    system.turns_away = turns_away
    await system.open()
    try:
        async with SwallowingProxy(system.port) as proxy:
            proxy.way = way
            box = CrashBox(directory, proxy.url, {"WebSocketPingInterval": PING_S})
            agent = await box.start()
            try:
                await agent.ready()
                yield Scene(box, proxy, system, {})
            finally:
                if box.agent is not None:
                    await box.kill()
    finally:
        await system.close(abruptly=True)


async def test_a_link_that_swallows_is_noticed_by_its_pings_and_the_queue_is_delivered(tmp_path):
    async with scene(tmp_path) as play:
        await play.until(is_online, 20)
        await play.charge()
        await play.system.told("MeterValues", 2, limit_s=20)
        play.proxy.cut()
        cut_at_s = now_s()
        came_before_the_cut = len(play.system.account)
        await play.stop()
        await play.until(is_offline, NOTICED_WITHIN_S + SLACK_S)
        noticed_at_s = now_s()
        assert noticed_at_s - cut_at_s <= NOTICED_WITHIN_S
        assert play.proxy.swallowed_bytes > 0
        assert "ping" in (await play.status())["link"]["last_problem"]
        await play.until(is_online, CLOSING_S + RETURN_WITHIN_S + SLACK_S)
        await play.settle()
        assert len(play.system.account) > came_before_the_cut
        _, second_s = play.proxy.attempts  # and no more
        assert second_s - noticed_at_s <= CLOSING_S + RETURN_WITHIN_S + 0.5


async def test_a_connection_request_without_an_answer_is_given_up_and_tried_again(tmp_path):
    async with scene(tmp_path, Way.SWALLOW) as play:
        await play.proxy.attempted(1, limit_s=20)
        # Charging does not wait for the network: the card is on the local list.
        await play.charge()
        await play.stop()
        await play.until(
            lambda status: status["link"]["last_problem"], OPEN_TIMEOUT_S + 2 * SLACK_S
        )
        play.proxy.way = Way.PASS
        await play.until(is_online, FIRST_WAIT_S[1] + SLACK_S)
        await play.settle()
        first_s, second_s = play.proxy.attempts
        assert OPEN_TIMEOUT_S + FIRST_WAIT_S[0] - 0.5 <= second_s - first_s
        assert second_s - first_s <= OPEN_TIMEOUT_S + FIRST_WAIT_S[1] + SLACK_S


async def test_a_central_system_that_closes_at_once_sees_no_storm_and_gets_everything_later(
    tmp_path,
):
    async with scene(tmp_path, turns_away=True) as play:
        await play.charge()
        await play.stop()
        await play.system.turned_away(2, limit_s=FIRST_WAIT_S[1] + SLACK_S)
        play.system.turns_away = False
        await play.until(is_online, SECOND_WAIT_S[1] + SLACK_S)
        await play.settle()
        first_s, second_s, third_s = play.proxy.attempts  # and no more
        assert FIRST_WAIT_S[0] - 0.5 <= second_s - first_s <= FIRST_WAIT_S[1] + SLACK_S
        assert SECOND_WAIT_S[0] - 0.5 <= third_s - second_s <= SECOND_WAIT_S[1] + SLACK_S
