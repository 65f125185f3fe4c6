"""Opens the connection to the central system: whom the box trusts, and what it shows of itself."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from agent.config.settings import CentralSystemSettings, ChargePointSettings
from agent.core.certificates import TrustedRoots
from agent.core.connection_profile import ConnectionProfile
from agent.core.own_certificates import OwnCertificate
from agent.core.ports import Clock
from agent.core.security_event_values import SecurityEventType
from agent.ocpp16.version import SUBPROTOCOL, VERSION
from agent.ocppj.connect import CONNECT_PROBLEMS, connection_url, explain, prepare_access
from agent.ocppj.security_findings import types_of
from agent.ocppj.websocket import OpenWebSocket, WebSocket
from agent.platform.errors import LinkError, OwnCertificateError

_OPEN_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 5.0

logger = logging.getLogger(__name__)


class OwnFiles(Protocol):
    """The certificates that were signed for this box, as TLS wants them."""

    def to_show(self) -> Sequence[OwnCertificate]:
        """Those to show, the next where the one before is not accepted; none: the file's."""

    async def files_of(self, certificate: OwnCertificate) -> tuple[str, str]:
        """The names of its file and of its key's. Raises OwnCertificateError."""


@dataclass(frozen=True, slots=True)
class OpenedWebSocket:
    """A connection; the certificate that was shown, and why a newer one was not accepted."""

    websocket: WebSocket
    shown: str = ""  # its fingerprint; empty: none, or that of the settings
    refusal: str = ""


class WebSocketOpener:
    """Tries what may lead there, in one attempt: each certificate, with each set of roots."""

    def __init__(
        self,
        settings: CentralSystemSettings,
        charge_point: ChargePointSettings,
        clock: Clock,
        connect: OpenWebSocket,
        roots: Callable[[], Sequence[TrustedRoots]],
        own: OwnFiles | None,
    ) -> None:
        self._settings = settings
        self._charge_point = charge_point
        self._clock = clock
        self._connect = connect
        self._roots = roots
        self._own = own
        self._led_there: TrustedRoots | None = None  # those that the last connection trusted

    async def open(self, profile: ConnectionProfile) -> OpenedWebSocket:
        """Connect by this way. Raises LinkError with a sentence; its cause is what went wrong."""
        try:
            opened = await self._open_admitted(profile)
        except CONNECT_PROBLEMS as problem:
            raise LinkError(self._explained(problem, profile)) from problem
        if opened.websocket.subprotocol != SUBPROTOCOL:
            # OCPP-J 1.6, 3.2: a server that chose no subprotocol does not speak OCPP 1.6.
            await close_websocket(opened.websocket)
            raise LinkError("the server does not speak OCPP 1.6 (it chose no subprotocol ocpp1.6)")
        return opened

    def shows_first(self, profile: ConnectionProfile) -> str:
        """The fingerprint of what would be shown first; empty: none, or that of the settings."""
        return next((c.fingerprint for c in self._to_show(profile)), "")

    def _to_show(self, profile: ConnectionProfile) -> Sequence[OwnCertificate]:
        return () if self._own is None or profile.profile != 3 else self._own.to_show()

    async def _open_admitted(self, profile: ConnectionProfile) -> OpenedWebSocket:
        """Show one certificate after the other, the newest first, until one lets the box in."""
        refusal = ""
        *newer, last = self._to_show(profile) or (None,)
        for certificate in newer:
            try:
                return await self._open_showing(profile, certificate)
            except CONNECT_PROBLEMS as problem:
                is_refused = SecurityEventType.FAILED_TO_AUTHENTICATE in types_of(problem, True)
                if not is_refused and not isinstance(problem, LinkError):  # a file of it is unfit
                    raise
                refusal = self._explained(problem, profile)
                logger.warning("The newest certificate of this box leads nowhere: %s", refusal)
        return replace(await self._open_showing(profile, last), refusal=refusal)

    async def _open_showing(
        self, profile: ConnectionProfile, certificate: OwnCertificate | None
    ) -> OpenedWebSocket:
        if certificate is None or self._own is None:
            return OpenedWebSocket(await self._open_trusting(profile, None))
        try:
            files = await self._own.files_of(certificate)
        except OwnCertificateError as problem:
            raise LinkError(str(problem)) from problem
        return OpenedWebSocket(await self._open_trusting(profile, files), certificate.fingerprint)

    async def _open_trusting(
        self, profile: ConnectionProfile, own: tuple[str, str] | None
    ) -> WebSocket:
        refused: ssl.SSLCertVerificationError | None = None
        # What led there last comes first: each handshake that fails costs both sides.
        for roots in sorted(self._roots(), key=lambda roots: roots != self._led_there):
            access = prepare_access(self._settings, self._charge_point, profile, roots, own)
            try:
                async with asyncio.timeout(_OPEN_TIMEOUT_S * 2):  # nothing waits for ever
                    websocket = await self._connect(
                        access.url,
                        headers=access.headers,
                        ssl=access.tls,
                        open_timeout_s=_OPEN_TIMEOUT_S,
                    )
            except ssl.SSLCertVerificationError as problem:
                refused = refused or problem
            else:
                self._led_there = roots
                return websocket
        assert refused is not None
        raise refused

    def _explained(self, problem: BaseException, profile: ConnectionProfile) -> str:
        url, now = profile.url, self._clock.now().utc
        with suppress(ValueError):  # no address stands in its brackets
            url = connection_url(url, self._charge_point.identity)
        return explain(problem, url, now, VERSION, profile.profile == 3)


async def close_websocket(websocket: WebSocket) -> None:
    """Close it, and wait for that only so long."""
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await websocket.close()
    except TimeoutError:
        logger.info("The old connection did not close in time; it is left behind")
