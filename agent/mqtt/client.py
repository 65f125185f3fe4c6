"""The MQTT client of the station bus: what comes in over its connection, what goes out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from agent.control.services import Services
from agent.core.commands import Command
from agent.core.events import Event, StationAnswered, StopRequested
from agent.core.state import ChargePoint, PendingAuthorization
from agent.core.values import Instant
from agent.mqtt import envelope
from agent.mqtt.authorization import REJECTED, AuthorizationResult, PresentedToken, TokenAuthorizer
from agent.mqtt.broker import ClientConfig, Publication, Received
from agent.mqtt.envelope import BYTES_MAX, BadMessage, Message
from agent.mqtt.evses import Evses
from agent.mqtt.kept_connection import Connect, KeptConnection, Publish
from agent.mqtt.limits import FairQueue, LimitedWarnings, RecentRequests
from agent.mqtt.notifications import Notification, Notifier
from agent.mqtt.outgoing import ANSWER_S, PublishQueue
from agent.mqtt.responses import StationInfo
from agent.platform.bounds import TokenBucket

# Of each topic, so that a broken reader does not silence the vehicles, nor they the reader.
REQUESTS_MAX = 1500  # that may come at once and wait for their turn; more are rejected
REQUESTS_PER_S = 5.0  # for ever
ASKED_MAX = 32  # questions to the station's own logic that may still be answered
_DECIDING_S = 8.0  # of the time for an answer, for the decision itself
_AFTER_S = 0.005

_MIRROR = {"cs/josev": "josev/cs", "iso15118/ocpp": "ocpp/iso15118", "josev/cs": "cs/josev"}
_AUTHORIZATIONS = {
    ("cs/josev", "authorization"),
    ("iso15118/ocpp", "iso15118_authorization"),
    ("iso15118/ocpp", "authorization"),
}
_NOT_SET_UP = ("", "Idle", "SupportedAppProtocol", "SessionSetup", "SessionStop")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Request:
    topic: str
    message: Message
    until_s: float


@dataclass(frozen=True, slots=True)
class _Turn:
    before: ChargePoint
    event: Event
    after: ChargePoint
    commands: tuple[Command, ...]
    now: Instant


class MqttClient:
    """Made on the agent's loop; ``run`` until cancelled."""

    def __init__(
        self,
        services: Services,
        random: Random,
        make_id: Callable[[], str],
        connect: Connect | None = None,
    ) -> None:
        """``connect`` opens a connection to the broker; None: over MQTT."""
        self._services = services
        self._settings = services.settings.mqtt
        self._make_id = make_id
        self._warnings = LimitedWarnings(self._now_s, "on the station bus")
        self._allowances = {
            topic: TokenBucket(REQUESTS_MAX, REQUESTS_PER_S, self._now_s()) for topic in _MIRROR
        }
        self._evses = Evses(services.settings)
        self._info = StationInfo(services.settings, self._evses, lambda: services.runtime.state)
        self._notifier = Notifier(self._evses, self._info, services.settings.authorization)
        self._authorizer = TokenAuthorizer(
            services, self._evses, self._notifier.note_token, self._warnings
        )
        prefix = self._settings.topic_prefix
        self._outgoing = PublishQueue(prefix, make_id, self._now_s, self._warnings)
        self._recent = RecentRequests(self._now_s)
        self._before = services.runtime.state
        self._turns: list[_Turn] = []
        self._requests: FairQueue[_Request] = FairQueue(REQUESTS_MAX)
        self._asked: dict[str, str] = {}  # the station's own logic: id of the question, idTag
        self._answering: set[asyncio.Future[None]] = set()
        self._connection = KeptConnection(
            "the station bus",
            self._settings,
            self,
            self._now_s,
            random,
            services.runtime.post,
            connect,
        )
        self.subscriptions = tuple(prefix + topic for topic in _MIRROR)

    def as_data(self) -> dict[str, Any]:
        """How the bus is, for ``status``."""
        authorization = self._services.settings.authorization
        return {
            **self._connection.as_data(),
            "dropped": dict(self._warnings.dropped),
            "no_authorization": bool(authorization.free_charging_id_tag),
            "autocharge": authorization.autocharge,
            "accepts_cs_updates": self._settings.accept_cs_updates,
        }

    # --- its life --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect and talk, again and again; sessions do not depend on it."""
        self._services.observers.append(self._observe)
        serving = asyncio.create_task(self._serve(), name="bus requests")
        try:
            await self._connection.run()
        finally:
            serving.cancel()
            for task in self._answering:
                task.cancel()
            self._services.observers.remove(self._observe)

    def client_config(self) -> ClientConfig:
        """The last will is that this service has failed."""
        data = self._info.service_status("error")
        error = Message(self._make_id(), "service_status", "update", data)
        return ClientConfig(
            identifier=self._services.settings.charge_point.identity,
            topics=self.subscriptions,
            last_will=Publication(self._settings.topic_prefix + "josev/cs", error.text()),
            dropped=self._warnings.drop,
            unwanted=unwanted,
        )

    def connected(self) -> None:
        """Tell that this service is ready, and what stands."""
        ready = self._info.service_status("ready")
        state, now = self._services.runtime.state, self._services.clock.now()
        self._outgoing.notify(
            [
                Notification(("josev/cs",), "service_status", "update", ready),
                *self._notifier.everything(state, now),
            ]
        )

    async def send(self, publish: Publish) -> None:
        """Send what waits and what comes, for ever."""
        await self._outgoing.send(publish)

    async def say_goodbye(self, publish: Publish) -> None:
        """Tell what is still to be told, and that this service stops."""
        self._notify_of_turns(len(self._turns))
        data = self._info.service_status("stopping")
        self._outgoing.notify([Notification(("josev/cs",), "service_status", "update", data)])
        await self._outgoing.drain(publish)

    def disconnected(self) -> None:
        """Forget what was for this connection."""
        self._outgoing.disconnected()
        self._asked.clear()

    def _now_s(self) -> float:
        return self._services.clock.monotonic_s()

    # --- out -------------------------------------------------------------------------------------

    def _observe(self, event: Event, commands: Sequence[Command]) -> None:
        """Note a turn. It is published a little later, mostly after the answer to a request."""
        before, after = self._before, self._services.runtime.state
        self._before = after
        now = self._services.clock.now()
        self._turns.append(_Turn(before, event, after, tuple(commands), now))
        # Each has its full time: a turn just before this one must not shorten it.
        asyncio.get_running_loop().call_later(_AFTER_S, self._notify_of_turns, 1)

    def _notify_of_turns(self, count: int) -> None:
        turns, self._turns = self._turns[:count], self._turns[count:]
        for turn in turns:
            notifications = self._notifier.changes(
                turn.before, turn.event, turn.after, turn.commands, turn.now
            )
            if self._connection.is_connected:
                self._outgoing.notify(notifications)
            known = turn.before.checking
            self._ask_station(check for check in turn.after.checking if check not in known)

    def _ask_station(self, checks: Iterable[PendingAuthorization]) -> None:
        """Ask the station's own logic about tags that were accepted; the core waits 5 s for it."""
        for check in checks:
            if check.accepted is None:
                continue
            if not self._connection.is_connected:
                self._services.runtime.post(StationAnswered(check.attempt.id_tag, is_wanted=True))
                continue
            (id,) = self._outgoing.notify([self._notifier.question(check)])
            self._asked[id.lower()] = check.attempt.id_tag
            while len(self._asked) > ASKED_MAX:
                del self._asked[next(iter(self._asked))]

    # --- in --------------------------------------------------------------------------------------

    def take(self, message: Received) -> None:
        """A message of another service, if it is one."""
        try:
            content = envelope.read(message.payload)
        except BadMessage as problem:
            self._warnings.warn("a message on the station bus is dropped", str(problem))
            return
        self._take(message.topic[len(self._settings.topic_prefix) :], content)

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
            self._take_authorization(topic, envelope.without_stray_token(message))
        elif topic == "cs/josev" and message.name == "service_status":
            if message.data.get("service") in (None, "ocpp"):
                self._respond(topic, message, self._info.service_status())
        elif topic == "josev/cs" and message.name in self._info.of_station:
            self._respond(topic, message, self._info.of_station[message.name](message.data))
        # All others are for other services.

    def _take_authorization(self, topic: str, message: Message) -> None:
        if not self._recent.is_new(message.id):
            answer = self._recent.answer_to(message.id)
            if answer is not None:  # else its answer is on its way
                self._outgoing.answer(*answer)
            return
        problem = envelope.problem_of(message)
        if problem:
            self._warnings.warn("a request on the station bus is rejected", problem)
            self._reject(topic, message)
        elif self._requests.is_full(topic) or not self._allowances[topic].take(self._now_s()):
            self._warnings.drop("requests that wait for their turn")
            self._reject(topic, message)
        else:
            self._requests.put(topic, _Request(topic, message, self._now_s() + ANSWER_S))

    def _take_response(self, topic: str, message: Message) -> None:
        id_tag = self._asked.get(message.id.lower())
        is_ours = topic == "cs/josev" and message.name == "process_authorized_token"
        if id_tag is None or not is_ours:
            return
        problem = envelope.problem_of(message)
        if problem:
            self._warnings.warn("a response on the station bus is ignored", problem)
            return
        del self._asked[message.id.lower()]
        is_wanted = message.data["status"] == "accepted"
        self._services.runtime.post(StationAnswered(id_tag, is_wanted))

    def _take_update(self, topic: str, message: Message) -> None:
        if topic == "iso15118/ocpp" and message.name == "iso15118_state_info":
            status = message.data.get("session_status")
            self._note_iso15118(message, isinstance(status, str) and status not in _NOT_SET_UP)
        elif topic == "iso15118/ocpp" and message.name == "hlc_charging":
            self._note_iso15118(message, message.data.get("status") is True)
        elif topic == "cs/josev" and message.name == "authorization":
            self._take_decision(envelope.without_stray_token(message))

    def _note_iso15118(self, message: Message, is_talking: bool) -> None:
        evse_id = message.data.get("evse_id")
        if not isinstance(evse_id, str) or self._evses.connector_id(evse_id) is None:
            return
        if is_talking:
            self._notifier.talking.add(evse_id)
        else:
            self._notifier.talking.discard(evse_id)

    def _take_decision(self, message: Message) -> None:
        problem = envelope.problem_of(message)
        if not self._settings.accept_cs_updates:
            problem = "mqtt.accept_cs_updates is false"
        if problem:
            self._warnings.warn("an authorization update on cs/josev is ignored", problem)
        elif not self._recent.is_new(message.id):
            return
        elif message.data["status"] == "accepted":
            self._authorizer.start_session(PresentedToken.of(message.data))
        elif message.data["status"] == "deauthorized":
            self._stop(message.data["evse_id"])

    def _stop(self, evse_id: str) -> None:
        connector_id = self._evses.connector_id(evse_id)
        state = self._services.runtime.state
        running = None if connector_id is None else state.connector(connector_id).transaction
        if running is None:
            problem = "it ends nothing: there is no session"
            self._warnings.warn("an authorization update on cs/josev is ignored", problem)
            return
        self._spawn(self._ask(running.ref))

    async def _ask(self, ref: int) -> None:
        await self._services.runtime.request(lambda request_id: StopRequested(request_id, ref))

    # --- requests in their turn ------------------------------------------------------------------

    async def _serve(self) -> None:
        while True:
            request = await self._requests.get()
            left_s = request.until_s - self._now_s()
            if left_s < _DECIDING_S:
                self._warnings.drop("requests that wait for their turn")
                self._reject(request.topic, request.message)
                continue
            presented = PresentedToken.of(request.message.data)
            try:
                result = await self._authorizer.present(presented, left_s)
            except Exception:  # one request is rejected, the others go on
                logger.exception("a request on the station bus could not be worked on")
                self._reject(request.topic, request.message)
                continue
            self._spawn(self._answer(request, result))

    async def _answer(self, request: _Request, result: Awaitable[AuthorizationResult]) -> None:
        self._respond(request.topic, request.message, (await result).as_data())

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._answering.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Future[None]) -> None:
        self._answering.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a message of the bus could not be worked on: %r", task.exception())

    def _reject(self, topic: str, request: Message) -> None:
        self._respond(topic, request, {"status": REJECTED})

    def _respond(self, topic: str, request: Message, data: dict[str, Any]) -> None:
        message = Message(request.id, request.name, "response", data)
        self._recent.answered(_MIRROR[topic], message)
        self._outgoing.answer(_MIRROR[topic], message)


def unwanted(size: int, is_kept: bool) -> str:
    """Retained by the broker means not sent now.

    A card that was shown once would begin a session at every start of the agent, and end it at
    every start of the broker.
    """
    if is_kept:
        return "messages that the broker had kept"
    return "messages of more than 64 KiB" if size > BYTES_MAX else ""
