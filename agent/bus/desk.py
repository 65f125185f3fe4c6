"""Requests of the bus become events of the one runtime, and its decisions become answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agent.bus.evses import Evses
from agent.bus.tokens import NO_TAG, BadToken, Token, read_token
from agent.core.commands import Command, RecordDecision
from agent.core.events import CardPresented, Event, TokenNotTaken
from agent.core.id_tag import same_tag
from agent.core.reasons import Rule
from agent.core.state import ChargePoint, Phase, Purpose
from agent.core.values import Claim, DecisionRecord, Verdict
from agent.rooms import Rooms

ACCEPTED, REJECTED, DEAUTHORIZED = "accepted", "rejected", "deauthorized"
TURN_S = 5.0  # the runtime takes up an event within this time, or the token was dropped
_MARGIN_S = 1.5  # on top of what the central system may take

AskStation = Callable[[str | None, Token], Awaitable[bool]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """A token that somebody presents on the bus."""

    token_type: str
    id_token: str | None
    evse_id: str | None

    @staticmethod
    def of(data: dict[str, Any]) -> Offer:
        """The offer in the data of a request, which its schema has checked."""
        return Offer(data["token_type"], data.get("id_token"), data.get("evse_id"))


class Desk:
    """Takes tokens one after the other, in the order in which they came."""

    def __init__(self, rooms: Rooms, evses: Evses, note_token: Callable[[Token], None]) -> None:
        """``note_token`` is told of each token before it is presented."""
        self._rooms = rooms
        self._evses = evses
        self._note_token = note_token
        self._settings = rooms.settings.authorization

    async def present(self, offer: Offer, ask_station: AskStation | None = None) -> Awaitable[str]:
        """Present a token as a card would be; awaits its turn, and returns what gives the status.

        ``ask_station`` may discard it first. Never raises.
        """
        try:
            token = read_token(offer.token_type, offer.id_token, self._settings)
        except BadToken as problem:
            logger.warning("a token from the bus is rejected: %s", problem)
            return self._refuse(NO_TAG, (), Rule.BAD_TOKEN)
        if ask_station is not None and not await ask_station(offer.evse_id, token):
            return self._refuse(token.id_tag, (), Rule.DISCARDED)
        targets, rule = self._evses.targets(self._state, offer.evse_id, token.id_tag)
        if rule is not None:
            return self._refuse(token.id_tag, targets, rule)
        if self._is_busy(token, targets):
            return self._refuse(token.id_tag, targets, Rule.ONE_AT_A_TIME)
        self._note_token(token)
        return await self._presented(token, targets)

    async def grant(self, offer: Offer) -> None:
        """Begin a session that the station itself has decided on (accept_cs_updates)."""
        try:
            token = read_token(offer.token_type, offer.id_token, self._settings)
        except BadToken as problem:
            logger.warning("an update from the bus is ignored: %s", problem)
            return
        targets, rule = self._evses.targets(self._state, offer.evse_id, token.id_tag)
        if rule is not None:
            logger.warning("an update from the bus is ignored: %s", rule.says)
            return
        self._note_token(token)
        self._rooms.runtime.post(CardPresented(token.id_tag, targets, claim=Claim.STATION))

    @property
    def _state(self) -> ChargePoint:
        return self._rooms.runtime.state

    def _refuse(self, id_tag: str, targets: tuple[int, ...], rule: Rule) -> Awaitable[str]:
        self._rooms.runtime.post(TokenNotTaken(id_tag, targets, rule))
        return _at_once(REJECTED)

    def _is_busy(self, token: Token, targets: Sequence[int]) -> bool:
        """Another token is being asked about for the same connector; of the same one both hear."""
        return any(
            check.attempt.purpose is not Purpose.QUESTION
            and not same_tag(check.attempt.id_tag, token.id_tag)
            and not set(targets).isdisjoint(check.attempt.connectors)
            for check in self._state.checking
        )

    async def _presented(self, token: Token, targets: tuple[int, ...]) -> Awaitable[str]:
        """Post it and wait for its turn; for the central system somebody else waits."""
        watch = _Watch(self._rooms, token)
        self._rooms.observers.append(watch.observe)
        self._rooms.runtime.post(
            CardPresented(token.id_tag, targets, is_random=token.is_random, claim=token.claim)
        )
        try:
            async with asyncio.timeout(TURN_S):
                await watch.turned.wait()
        except TimeoutError:
            watch.close()
            logger.warning("a token from the bus was not taken up in time; it is rejected")
            return _at_once(REJECTED)
        if watch.status.done():
            return _at_once(watch.status.result())
        limit_s = self._state.rules.authorize_timeout_s + _MARGIN_S
        return watch.outcome(limit_s)


class _Watch:
    """Looks for the decision about one token that has been posted."""

    def __init__(self, rooms: Rooms, token: Token) -> None:
        self._rooms = rooms
        self._token = token
        self._is_there = False
        self.turned = asyncio.Event()
        self.status: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def observe(self, event: Event, commands: Sequence[Command]) -> None:
        """Called after every turn of the runtime."""
        if isinstance(event, CardPresented) and same_tag(event.id_tag, self._token.id_tag):
            self._is_there = True
        if not self._is_there:
            return
        for command in commands:
            if isinstance(command, RecordDecision) and same_tag(
                command.record.id_tag, self._token.id_tag
            ):
                self._decided(_status_of(command.record))
                return
        if not self.turned.is_set() and not self._is_being_asked():
            self._decided(self._as_things_stand())
        self.turned.set()

    async def outcome(self, limit_s: float) -> str:
        """The status, when the central system has answered or its time is over."""
        try:
            async with asyncio.timeout(limit_s):
                return await self.status
        except TimeoutError:
            return REJECTED
        finally:
            self.close()

    def close(self) -> None:
        """Look no longer."""
        if self.observe in self._rooms.observers:
            self._rooms.observers.remove(self.observe)

    def _decided(self, status: str) -> None:
        if not self.status.done():
            self.status.set_result(status)
        self.turned.set()
        self.close()

    def _is_being_asked(self) -> bool:
        checking = self._rooms.runtime.state.checking
        return any(same_tag(check.attempt.id_tag, self._token.id_tag) for check in checking)

    def _as_things_stand(self) -> str:
        """The token changed nothing: it is on its way already, or its session is ending."""
        state, id_tag = self._rooms.runtime.state, self._token.id_tag
        if any(same_tag(grant.id_tag, id_tag) for grant in state.waiting):
            return ACCEPTED
        for connector in state.connectors:
            grant, running = connector.grant, connector.transaction
            if connector.phase is Phase.STARTING and grant and same_tag(grant.id_tag, id_tag):
                return ACCEPTED
            if running is not None and same_tag(running.id_tag, id_tag):
                return ACCEPTED
        return REJECTED


def _status_of(record: DecisionRecord) -> str:
    if record.rule == Rule.CANCELLED.name:
        return DEAUTHORIZED  # the same token again: the driver has changed his mind
    return ACCEPTED if record.verdict is Verdict.ACCEPTED else REJECTED


async def _at_once(status: str) -> str:
    return status
