"""The bus itself: one connection, what comes in over it, and what goes out."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from random import Random
from typing import Any

from agent.bus import envelope
from agent.bus.announcing import Announcement, Announcer
from agent.bus.answers import Facts
from agent.bus.broker import BrokerError, Connection, connected
from agent.bus.desk import REJECTED, Desk, Offer
from agent.bus.envelope import BadMessage, Message
from agent.bus.evses import Evses
from agent.bus.tokens import Token
from agent.core.commands import Command
from agent.core.events import Event, StopAsked
from agent.ocpp16.backoff import STABLE_AFTER_S, Backoff
from agent.rooms import Rooms

REQUESTS_MAX = 1500  # that wait for their turn; more are rejected at once
OUTGOING_MAX = 2000  # messages that wait for the broker; the oldest is dropped
SEEN_S = 60.0  # so long a request that is delivered twice is recognised
SEEN_MAX = 3000
ANSWER_S = 15.0  # every request is answered by then
_DECIDING_S = 8.0  # of these, for the decision itself
STATION_LOGIC_S = 5.0

_MIRROR = {"cs/josev": "josev/cs", "iso15118/ocpp": "ocpp/iso15118", "josev/cs": "cs/josev"}
_AUTHORIZATIONS = {
    ("cs/josev", "authorization"),
    ("iso15118/ocpp", "iso15118_authorization"),
    ("iso15118/ocpp", "authorization"),
}
_AFTER_S = 0.005
_SESSION_OVER = ("Idle", "SessionStop", "")

Connect = Callable[..., AbstractAsyncContextManager[Connection]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Request:
    topic: str
    message: Message
    arrived_s: float


class StationBus:
    """Made on the agent's loop; ``run`` until cancelled."""

    def __init__(
        self,
        rooms: Rooms,
        random: Random,
        make_id: Callable[[], str],
        connect: Connect | None = None,
    ) -> None:
        """``connect`` opens a connection to the broker; None: over MQTT."""
        self._rooms = rooms
        self._settings = rooms.settings.mqtt
        self._make_id = make_id
        self._connect = connect or connected
        self._backoff = Backoff(random)
        evses = Evses(rooms.settings)
        self._announcer = Announcer(evses)
        self._desk = Desk(rooms, evses, self._announcer.note_token)
        self._facts = Facts(rooms.settings, evses, lambda: rooms.runtime.state)
        self._evses = evses
        self._before = rooms.runtime.state
        self._requests: asyncio.Queue[_Request] = asyncio.Queue(REQUESTS_MAX)
        self._outgoing: deque[tuple[str, str]] = deque()
        self._news: list[Announcement] = []
        self._wake = asyncio.Event()
        self._seen: OrderedDict[str, tuple[float, tuple[str, str] | None]] = OrderedDict()
        self._asked: dict[str, asyncio.Future[bool]] = {}
        self._answering: set[asyncio.Future[None]] = set()
        self._is_connected = False
        self._problem = ""
        self._dropped = 0
        self.subscriptions = tuple(
            self._settings.topic_prefix + topic
            for topic in ("cs/josev", "iso15118/ocpp", "josev/cs")
        )

    def as_data(self) -> dict[str, Any]:
        """How the bus is, for ``status``."""
        authorization = self._rooms.settings.authorization
        return {
            "broker": f"{self._settings.host}:{self._settings.port}",
            "connected": self._is_connected,
            "problem": self._problem,
            "dropped": self._dropped,
            "no_authorization": bool(authorization.free_charging_id_tag),
            "autocharge": authorization.autocharge,
            "accepts_cs_updates": self._settings.accept_cs_updates,
        }

    # --- its life --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect and talk, again and again; sessions do not depend on it."""
        self._rooms.observers.append(self._observe)
        serving = asyncio.create_task(self._serve())
        try:
            while True:
                was_stable = await self._one_connection()
                wait_s = self._backoff.next(was_stable=was_stable)
                await asyncio.sleep(wait_s)
        finally:
            serving.cancel()
            for task in self._answering:
                task.cancel()
            self._rooms.observers.remove(self._observe)

    async def _one_connection(self) -> bool:
        """Talk until the connection breaks; True when it had been stable."""
        begun_s = self._now_s()
        try:
            async with self._connect(
                self._settings, self._rooms.settings.charge_point.identity, self.subscriptions
            ) as connection:
                begun_s = self._now_s()
                self._begin()
                await self._talk(connection)
        except BrokerError as problem:
            self._note(str(problem))
        was_connected, self._is_connected = self._is_connected, False
        self._outgoing.clear()
        return was_connected and self._now_s() - begun_s >= STABLE_AFTER_S

    def _begin(self) -> None:
        logger.info("the station bus is connected: %s:%d", self._settings.host, self._settings.port)
        self._is_connected, self._problem = True, ""
        self._outgoing.clear()
        self._announce_service("ready")
        self._announce(
            self._announcer.everything(self._rooms.runtime.state, self._rooms.clock.now())
        )

    async def _talk(self, connection: Connection) -> None:
        sending = asyncio.create_task(self._send(connection))
        reading = asyncio.create_task(self._read(connection))
        try:
            await asyncio.wait({sending, reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, reading):
                if not task.done():
                    task.cancel()
            ended = await asyncio.gather(sending, reading, return_exceptions=True)
        for result in ended:
            if isinstance(result, Exception):
                raise result
        raise BrokerError("the connection broke")

    def _note(self, problem: str) -> None:
        if problem != self._problem:
            logger.warning("the station bus is away: %s; charging goes on", problem)
        self._problem = problem

    def _now_s(self) -> float:
        return self._rooms.clock.now().monotonic_s

    # --- out -------------------------------------------------------------------------------------

    def _observe(self, event: Event, commands: Sequence[Command]) -> None:
        before, after = self._before, self._rooms.runtime.state
        self._before = after
        news = self._announcer.changes(before, after, commands, self._rooms.clock.now())
        if not self._is_connected or not news:
            return
        if not self._news:
            # A little later: the answer to a request goes before what follows from it.
            asyncio.get_running_loop().call_later(_AFTER_S, self._announce_news)
        self._news += news

    def _announce_news(self) -> None:
        news, self._news = self._news, []
        if self._is_connected:
            self._announce(news)

    def _announce_service(self, status: str) -> None:
        data = self._facts.service_status(status)
        self._announce([Announcement(("josev/cs",), "service_status", "update", data)])

    def _announce(self, news: Iterable[Announcement]) -> None:
        for item in news:
            message = Message(self._make_id(), item.name, item.type, item.data)
            for topic in item.topics:
                self._put(topic, message)

    def _put(self, topic: str, message: Message) -> None:
        """Queue a message; a mistake of ours in it is not sent."""
        problem = envelope.problem_of(message)
        assert not problem, f"{message.name}: {problem}"
        if len(self._outgoing) >= OUTGOING_MAX:
            self._outgoing.popleft()
            self._drop("messages wait for the broker")
        self._outgoing.append((self._settings.topic_prefix + topic, message.text()))
        self._wake.set()

    def _drop(self, why: str) -> None:
        if self._dropped % 100 == 0:
            logger.warning("too many %s; what is too much is dropped", why)
        self._dropped += 1

    async def _send(self, connection: Connection) -> None:
        while True:
            while self._outgoing:
                topic, text = self._outgoing[0]
                await connection.publish(topic, text)
                if self._outgoing and self._outgoing[0] == (topic, text):
                    self._outgoing.popleft()
            self._wake.clear()
            await self._wake.wait()

    # --- in --------------------------------------------------------------------------------------

    async def _read(self, connection: Connection) -> None:
        prefix = len(self._settings.topic_prefix)
        async for topic, payload in connection.messages():
            try:
                message = envelope.read(payload)
            except BadMessage as problem:
                logger.warning("a message on %s is dropped: %s", topic, problem)
                continue
            self._take(topic[prefix:], message)

    def _take(self, topic: str, message: Message) -> None:
        match message.type:
            case "request":
                self._take_request(topic, message)
            case "response":
                self._take_response(topic, message)
            case _:
                self._take_update(topic, message)

    def _take_request(self, topic: str, message: Message) -> None:
        if (topic, message.name) in _AUTHORIZATIONS:
            self._take_authorization(topic, message)
        elif topic == "cs/josev" and message.name == "service_status":
            self._respond(topic, message, self._facts.service_status())
        elif topic == "josev/cs" and message.name in self._facts.of_station:
            self._respond(topic, message, self._facts.of_station[message.name](message.data))
        # All others are for somebody else.

    def _take_authorization(self, topic: str, message: Message) -> None:
        self._forget_old()
        if message.id in self._seen:
            told = self._seen[message.id][1]
            if told is not None:  # else its answer is on its way
                self._outgoing.append(told)
                self._wake.set()
            return
        self._seen[message.id] = (self._now_s() + SEEN_S, None)
        problem = envelope.problem_of(message)
        if problem:
            logger.warning("a request %s is rejected: %s", message.name, problem)
            self._respond(topic, message, {"status": REJECTED})
            return
        try:
            self._requests.put_nowait(_Request(topic, message, self._now_s()))
        except asyncio.QueueFull:
            self._drop("requests wait for their turn")
            self._respond(topic, message, {"status": REJECTED})

    def _forget_old(self) -> None:
        now_s = self._now_s()
        while self._seen:
            first = next(iter(self._seen))
            if self._seen[first][0] > now_s and len(self._seen) < SEEN_MAX:
                return
            del self._seen[first]

    def _take_response(self, topic: str, message: Message) -> None:
        waiting = self._asked.get(message.id)
        is_ours = topic == "cs/josev" and message.name == "process_authorized_token"
        if waiting is None or waiting.done() or not is_ours:
            return
        problem = envelope.problem_of(message)
        if problem:
            logger.warning("a response %s is ignored: %s", message.name, problem)
            return
        waiting.set_result(message.data["status"] == "accepted")

    def _take_update(self, topic: str, message: Message) -> None:
        if message.name == "iso15118_state_info" and topic == "iso15118/ocpp":
            self._note_iso15118(message.data)
        elif message.name == "authorization" and topic == "cs/josev":
            self._take_decision(message)

    def _note_iso15118(self, data: dict[str, Any]) -> None:
        evse_id, status = data.get("evse_id"), data.get("session_status")
        if self._evses.connector_id(evse_id) is None or not isinstance(status, str):
            return
        assert isinstance(evse_id, str)
        if status in _SESSION_OVER:
            self._announcer.talking.discard(evse_id)
        else:
            self._announcer.talking.add(evse_id)

    def _take_decision(self, message: Message) -> None:
        """The station's own logic has decided without us."""
        problem = envelope.problem_of(message)
        if not self._settings.accept_cs_updates:
            problem = "mqtt.accept_cs_updates is false"
        if problem:
            logger.warning("an authorization update on cs/josev is ignored: %s", problem)
            return
        if message.data["status"] == "accepted":
            self._spawn(self._desk.grant(Offer.of(message.data)))
        elif message.data["status"] == "deauthorized":
            self._stop(message.data["evse_id"])

    def _stop(self, evse_id: str) -> None:
        connector_id = self._evses.connector_id(evse_id)
        state = self._rooms.runtime.state
        running = None if connector_id is None else state.connector(connector_id).transaction
        if running is None:
            logger.warning("an authorization update on cs/josev ends nothing: no session there")
            return
        self._spawn(self._ask(running.ref))

    async def _ask(self, ref: int) -> None:
        await self._rooms.runtime.request(lambda request_id: StopAsked(request_id, ref))

    # --- requests in their turn ------------------------------------------------------------------

    async def _serve(self) -> None:
        while True:
            request = await self._requests.get()
            if self._now_s() - request.arrived_s > ANSWER_S - _DECIDING_S:
                self._drop("requests wait for their turn")
                self._respond(request.topic, request.message, {"status": REJECTED})
                continue
            ask = self._ask_station if self._settings.process_authorized_token else None
            outcome = await self._desk.present(Offer.of(request.message.data), ask)
            self._spawn(self._answer(request, outcome))

    async def _answer(self, request: _Request, outcome: Awaitable[str]) -> None:
        self._respond(request.topic, request.message, {"status": await outcome})

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._answering.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Future[None]) -> None:
        self._answering.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a message of the bus could not be worked on: %r", task.exception())

    def _respond(self, topic: str, request: Message, data: dict[str, Any]) -> None:
        message = Message(request.id, request.name, "response", data)
        answer_topic = _MIRROR[topic]
        if request.id in self._seen:
            told = (self._settings.topic_prefix + answer_topic, message.text())
            self._seen[request.id] = (self._now_s() + SEEN_S, told)
        if self._is_connected:
            self._put(answer_topic, message)

    async def _ask_station(self, evse_id: str | None, token: Token) -> bool:
        """False when the station's own logic discards the token; silence means yes."""
        if not self._is_connected:
            return True
        data: dict[str, Any] = {"token_type": token.token_type}
        if evse_id is not None:
            data["evse_id"] = evse_id
        if token.id_token is not None:
            data["id_token"] = token.id_token
        message = Message(self._make_id(), "process_authorized_token", "request", data)
        answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked[message.id] = answered
        self._put("josev/cs", message)
        try:
            async with asyncio.timeout(STATION_LOGIC_S):
                return await answered
        except TimeoutError:
            return True
        finally:
            del self._asked[message.id]
