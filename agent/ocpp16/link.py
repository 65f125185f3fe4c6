"""The link to the central system: connect, talk, wait, again; one socket, one owner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from agent.config.settings import CentralSystemSettings
from agent.core.certificates import TrustedRoots
from agent.core.commands import (
    ApplyConfiguration,
    Authorize,
    Command,
    DeliverNext,
    NotifyStatus,
    SendCertificateRequest,
)
from agent.core.connection_profile import (
    APPROACH_KEYS,
    ConnectionProfile,
    ConnectionProfiles,
    LinkOpened,
    is_same_place,
)
from agent.core.events import AuthorizeFailed, LinkLost
from agent.core.own_certificates import CertificateRequestAnswered
from agent.core.security_event_values import SecurityEventSeen
from agent.ocpp16.dispatch import Handler
from agent.ocpp16.registration import Registration
from agent.ocpp16.requests import sign_certificate
from agent.ocpp16.sender import Sender
from agent.ocpp16.session import Session
from agent.ocpp16.session_context import SessionContext
from agent.ocpp16.version import connect_websocket
from agent.ocpp16.websocket_opener import (
    OpenedWebSocket,
    OwnFiles,
    WebSocketOpener,
    close_websocket,
)
from agent.ocppj.backoff import STABLE_AFTER_S, Backoff
from agent.ocppj.connect import connection_url
from agent.ocppj.connection_attempts import ConnectionAttempts
from agent.ocppj.frames import Payload
from agent.ocppj.security_findings import types_of
from agent.ocppj.websocket import OpenWebSocket
from agent.platform.errors import CallFailed, LinkError
from agent.platform.redaction import shown_url

ACCEPTED_WITHIN_S = 120.0  # by a central system on trial

LinkCommand = Authorize | NotifyStatus | DeliverNext | ApplyConfiguration | SendCertificateRequest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkSnapshot:
    """How the link is doing, as it may be shown: no secrets, no idTags."""

    url: str  # with the identity; empty: no central system is configured
    connected_since: datetime | None
    is_accepted: bool
    registration: str  # Accepted, Pending, Rejected; empty: not answered yet
    last_problem: str  # why the last attempt or link ended; empty: there was none yet
    next_try_in_s: float | None
    in_flight: str | None  # action of the call that waits for its answer
    waiting: int  # calls that wait for their turn
    last_pong_at: datetime | None  # the last ping of this connection that was answered
    last_pong_took_s: float | None


class CentralSystemLink:
    """Keeps the charge point connected to its central system, whatever that does."""

    def __init__(
        self,
        settings: CentralSystemSettings,
        context: SessionContext,
        connect: OpenWebSocket = connect_websocket,
        profiles: Callable[[], ConnectionProfiles] | None = None,
        roots: Callable[[], Sequence[TrustedRoots]] = lambda: (TrustedRoots(),),
        own: OwnFiles | None = None,
    ) -> None:
        """``profiles``: how the central system is reached; None: as the settings say.

        ``roots``: what to trust; the next where the server's certificate is refused by the one
        before. ``own``: what the box shows in security profile 3; None: what the settings name.
        """
        self._settings = settings
        self._context = context
        self._charge_point = context.charge_point
        self._inbox = context.inbox
        self._opener = WebSocketOpener(
            settings, context.charge_point, context.clock, connect, roots, own
        )
        self._presented = ""  # fingerprint of the certificate of the session
        self._backoff = Backoff(context.random)
        self._registration = Registration(context.random, context.clock)
        self._handlers: Mapping[str, Handler] = {}
        of_file = ConnectionProfiles(ConnectionProfile(settings.url, settings.security_profile))
        self._attempts = ConnectionAttempts(profiles or (lambda: of_file))
        self._registered_at = ""  # whose answer to BootNotification counts
        self._session: Session | None = None
        self._profile = ConnectionProfile()  # of the session
        self._connected_since: datetime | None = None
        self._last_problem = ""
        self._next_try_at_s: float | None = None
        self._has_left = False  # the last connection was left for another way

    async def run(self, handlers: Mapping[str, Handler]) -> None:
        """Connect and talk for ever; ends only by being cancelled.

        ``handlers`` answer the calls of the central system.
        """
        self._handlers = handlers
        if not self._settings.url:
            self._note_problem("no central system is configured", is_news=True)
            await asyncio.Event().wait()
        # The first attempt comes at once: boxes that get power back together boot at different
        # speeds, and differ by more than a draw of lots would make them.
        while True:
            sender = await self._attempt()
            if self._has_left:
                continue
            wait_s = self._wait_s(sender)
            logger.info("Next attempt to reach the central system in %.0f s", wait_s)
            await self._pause(wait_s)

    @property
    def performers(self) -> Mapping[type[Command], Callable[[Any], None]]:
        """Who performs which order."""
        return dict.fromkeys(get_args(LinkCommand), self.perform)

    def perform(self, command: LinkCommand) -> None:
        """Do what the core has ordered; called on the loop's thread, returns at once."""
        sender = self._session.sender if self._session is not None else None
        match command:
            case Authorize():
                if sender is None:
                    self._inbox.post(AuthorizeFailed(command.id_tag, "there is no link"))
                else:
                    sender.authorize(command)
            case NotifyStatus() if sender is not None:
                sender.notify(command)
            case DeliverNext() if sender is not None:
                sender.deliver(command)
            case SendCertificateRequest(request) if sender is None:
                problem = "there is no link to the central system"
                self._inbox.post(CertificateRequestAnswered(request.key, problem))
            case SendCertificateRequest(request) if sender is not None:
                sender.tell("SignCertificate", sign_certificate(request), command)
            case ApplyConfiguration(key) if key in APPROACH_KEYS:
                self._change_way()
            case ApplyConfiguration() if self._session is not None:
                self._session.configuration_changed()
            case _:
                pass  # lost with the link, by design: the core asks again when it is accepted

    async def call(self, action: str, payload: Payload, unique_id: str = "") -> Any:
        """Send a call now and return what answers it; it is not stored here.

        Raises CallFailed when there is no link, on a CALLERROR, and when no answer comes.
        """
        if self._session is None:
            raise CallFailed("there is no link to the central system")
        return await self._session.sender.proxy(action, payload, unique_id)

    def tell(self, calls: Sequence[tuple[str, Payload]]) -> None:
        """Send what the central system asked for; lost with the link."""
        if self._session is not None:
            for action, payload in calls:
                self._session.sender.tell(action, payload)

    def may_register(self) -> bool:
        """True unless the central system has accepted this charge point."""
        return not self._registration.is_accepted

    def register_now(self) -> None:
        """Send BootNotification before the interval is over."""
        if self._session is not None:
            self._session.sender.register_now()

    def snapshot(self) -> LinkSnapshot:
        """How the link is doing now."""
        sender = self._session.sender if self._session is not None else None
        pong = self._session.connection.last_pong if self._session is not None else None
        wait_s = None
        if self._next_try_at_s is not None:
            wait_s = max(self._next_try_at_s - asyncio.get_running_loop().time(), 0.0)
        return LinkSnapshot(
            url=self._shown_url(),
            connected_since=self._connected_since,
            is_accepted=sender is not None and sender.accepted_at_s is not None,
            registration=self._registration.status,
            last_problem=self._last_problem,
            next_try_in_s=wait_s,
            in_flight=sender.in_flight if sender is not None else None,
            waiting=sender.waiting if sender is not None else 0,
            last_pong_at=None if pong is None else pong.at,
            last_pong_took_s=None if pong is None else round(pong.took_s, 4),
        )

    def _wait_s(self, sender: Sender | None) -> float:
        """Seconds until the next attempt; ``sender``: of the link that has ended, if any."""
        if sender is None:
            return self._backoff.next(was_stable=False)
        return self._backoff.next(
            was_stable=sender.stood_accepted_s >= STABLE_AFTER_S,
            worked_until_s=asyncio.get_running_loop().time() if sender.has_worked else None,
        )

    async def _attempt(self) -> Sender | None:
        """Connect and talk until that ends; None when it did not come to that."""
        failed: ConnectionProfile | None = None
        self._has_left = False
        for profile in self._attempts.to_try():
            session = await self._try(profile, failed)
            if session is None:
                self._attempts.failed(profile)
                failed = profile
                continue
            if session.has_left or not self._attempts.leads_elsewhere(profile):
                self._has_left = session.has_left
                return session.sender
            self._attempts.failed(profile)  # it took the connection, but not this box
            failed = profile
        return None

    async def _try(
        self, profile: ConnectionProfile, failed: ConnectionProfile | None
    ) -> Session | None:
        """Talk by this way until that ends; None when no session came about. Raises nothing."""
        try:
            opened = await self._opener.open(profile)
            return await self._talk(opened, profile, failed)
        except LinkError as problem:
            sentence = self._named(str(problem), profile)
            if sentence != self._last_problem:
                for kind in types_of(problem.__cause__, profile.profile == 3):
                    self._inbox.post(SecurityEventSeen(kind, sentence))
        except Exception:
            # It may lie in the address, and that comes from outside: the old way must stay open.
            logger.exception("The attempt to reach the central system failed")
            sentence = self._named("it failed inside the agent, see its log", profile)
        self._note_problem(sentence, is_news=sentence != self._last_problem)
        return None

    async def _talk(
        self, opened: OpenedWebSocket, profile: ConnectionProfile, failed: ConnectionProfile | None
    ) -> Session:
        """Talk until that ends."""
        session = self._begin(opened, profile, failed)
        doubt = asyncio.get_running_loop().call_later(ACCEPTED_WITHIN_S, self._doubt, session)
        try:
            await session.run()
        except LinkError as problem:
            self._note_problem(self._named(str(problem), profile), is_news=True)
        except Exception:
            logger.exception("The session with the central system failed")
            self._note_problem("the session failed inside the agent, see its log", is_news=True)
        finally:
            doubt.cancel()
            self._session = None
            self._connected_since = None
            await close_websocket(opened.websocket)
        return session

    def _begin(
        self, opened: OpenedWebSocket, profile: ConnectionProfile, failed: ConnectionProfile | None
    ) -> Session:
        websocket = opened.websocket
        self._profile, self._presented = profile, opened.shown
        logger.info("Connected to %s", self._shown(profile))
        if not is_same_place(self._registered_at, profile.url):
            self._registration.begin_anew()  # another one does not know this box yet
            self._registered_at = profile.url
        self._registration.is_on_trial = self._attempts.leads_elsewhere(profile)
        self._attempts.worked(profile)
        chain = websocket.verified_by
        self._inbox.post(LinkOpened(profile, failed, chain, opened.shown, opened.refusal))
        self._connected_since = self._context.clock.now().utc
        self._session = Session(websocket, self._context, self._registration, self._handlers)
        return self._session

    def _change_way(self) -> None:
        """Leave for the way that is wanted now, once the answer to that wish is out."""
        wanted = self._attempts.wanted
        is_other = wanted.as_used != self._profile.as_used
        is_other |= self._opener.shows_first(wanted) != self._presented
        if self._session is not None and is_other:
            self._session.leave("the connection is made anew by another way")

    def _doubt(self, session: Session) -> None:
        """A central system on trial has to accept this box within some time."""
        is_accepted = session.sender.accepted_at_s is not None
        if self._attempts.leads_elsewhere(self._profile) and not is_accepted:
            session.drop(f"it did not accept this box within {ACCEPTED_WITHIN_S:.0f} s")

    def _named(self, problem: str, profile: ConnectionProfile) -> str:
        """With the address, where that is not the one which is shown beside it."""
        if not self._attempts.is_trial(profile):
            return problem
        return f"{problem} (the new way, {profile.url})"

    def _note_problem(self, problem: str, *, is_news: bool) -> None:
        logger.warning("No link to the central system: %s", problem)
        self._last_problem = problem
        if is_news:
            self._inbox.post(LinkLost(problem))

    async def _pause(self, wait_s: float) -> None:
        self._next_try_at_s = asyncio.get_running_loop().time() + wait_s
        await asyncio.sleep(wait_s)
        self._next_try_at_s = None

    def _shown_url(self) -> str:
        if not self._settings.url:
            return ""
        return self._shown(self._profile if self._session is not None else self._attempts.wanted)

    def _shown(self, profile: ConnectionProfile) -> str:
        return shown_url(connection_url(profile.url, self._charge_point.identity))
