"""The certificates of this box: their files, and the key pairs that are made for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.certificates.inspection import first_certificate
from agent.certificates.own_keys import forget_all_but, keep_chain, make_request
from agent.config.settings import Settings
from agent.core.commands import MakeCertificateRequest
from agent.core.events import Event
from agent.core.own_certificates import (
    CertificateRequestMade,
    KeyKind,
    OwnCertificate,
    OwnCertificates,
    to_show,
)
from agent.core.ports import Clock
from agent.core.replace import replace
from agent.core.state import ChargePoint
from agent.platform.errors import OwnCertificateError
from agent.runtime.executors import OffLoop

logger = logging.getLogger(__name__)


def folder_of(settings: Settings) -> Path:
    """Where private keys and certificates lie, beside the database."""
    return settings.storage_path.parent / "certificates"


def with_file(own: OwnCertificates, path: str) -> OwnCertificates:
    """What is known when the installer has named this one; an empty ``path``: none."""
    return replace(own, has_file=bool(path), file=first_certificate(path) if path else None)


def tidied(own: OwnCertificates, folder: Path) -> OwnCertificates:
    """Those whose key is there. Files that nothing names any more are removed.

    A database that was begun anew names none: the one before may be put back, and needs them.
    """
    kept = tuple(one for one in own.kept if not _is_gone(folder, one.certificate.key))
    for one in own.kept:
        if one not in kept:
            name = one.certificate.subject
            logger.error("The key of the certificate %s is gone: it is not used", name)
    if names := _names(own):
        forget_all_but(folder, names)
    request = own.request
    if request is not None and request.key and _is_gone(folder, request.key):
        request = replace(request, key="", problem="the key that it was asked for with is gone")
    return replace(own, kept=kept, request=request)


def _is_gone(folder: Path, key: str) -> bool:
    """Where nobody may look it is not: the link says what is wrong there, and the box starts."""
    try:
        (folder / f"{key}.key").stat()
    except OSError as problem:
        return isinstance(problem, FileNotFoundError)
    return False


def _names(own: OwnCertificates) -> set[str]:
    """What the files of these are called."""
    names = {
        name for one in own.kept for name in (one.certificate.key, one.certificate.fingerprint)
    }
    return names if own.request is None or not own.request.key else names | {own.request.key}


class OwnFilesOfBox:
    """What the link shows: as the core has it at the moment, in files."""

    def __init__(
        self, folder: Path, state: Callable[[], ChargePoint], clock: Clock, off_loop: OffLoop
    ) -> None:
        self._folder = folder
        self._state = state
        self._clock = clock
        self._off_loop = off_loop

    def to_show(self) -> Sequence[OwnCertificate]:
        """Those to show, the newest first."""
        return to_show(self._state().own_certificates, self._clock.now())

    async def files_of(self, certificate: OwnCertificate) -> tuple[str, str]:
        """The names of its file and of its key's. Raises OwnCertificateError."""
        files: tuple[str, str] = await self._off_loop(keep_chain, self._folder, certificate)
        return files


class KeyMaker:
    """Makes the key pairs that the core orders; ``run`` is a task for ever."""

    def __init__(
        self,
        settings: Settings,
        own: Callable[[], OwnCertificates],
        post: Callable[[Event], None],
        off_loop: OffLoop,
    ) -> None:
        """``off_loop`` may be busy for minutes: so long an RSA key takes on a small board."""
        self._folder = folder_of(settings)
        self._kind = KeyKind(settings.central_system.certificate_key_kind)
        self._own = own
        self._post = post
        self._off_loop = off_loop
        self._orders: asyncio.Queue[MakeCertificateRequest] = asyncio.Queue()

    def perform(self, order: MakeCertificateRequest) -> None:
        """Make a pair soon. The core orders one at a time."""
        self._orders.put_nowait(order)

    async def run(self) -> None:
        """Make what is ordered, for ever."""
        while True:
            self._post(await self._made(await self._orders.get()))

    async def _made(self, order: MakeCertificateRequest) -> CertificateRequestMade:
        names = order.organization, order.common_name, order.key
        # A central system may ask as often as it wishes: of each time a key would stay.
        await self._off_loop(forget_all_but, self._folder, _names(self._own()))
        try:
            request = await self._off_loop(make_request, self._folder, self._kind, *names)
        except OwnCertificateError as problem:
            logger.warning("No request for a certificate can be made: %s", problem)
            return CertificateRequestMade(None, str(problem))
        return CertificateRequestMade(request)
