"""GetDiagnostics: a bundle is made and brought to the server that the central system names.

Nothing of this can disturb a session: the bundle is made on one thread, sent on another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from agent.core.ports import Clock
from agent.maintenance.bundle_service import BundleService
from agent.maintenance.support_bundle import Window, file_name
from agent.maintenance.transfer.file_transfer import Transfers
from agent.maintenance.transfer.location import Location, location_of
from agent.ocpp16.retried_notifications import Notices
from agent.platform.errors import AgentError, TransferError

ACTION = "DiagnosticsStatusNotification"
RETRIES = 3  # the central system did not say how often
RETRIES_MAX = 100
INTERVAL_S = 60.0
INTERVAL_MAX_S = 86_400.0
ATTEMPT_S = 900.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DiagnosticsRequest:
    """GetDiagnostics.req, as it was read, and the name of the file that answers it."""

    location: Location
    name: str
    window: Window
    retries: int | None
    retry_interval_s: float | None


class DiagnosticsUploads:
    """One upload at a time; a new request takes the place of the one before (as GetLog does)."""

    def __init__(
        self,
        bundles: BundleService,
        transfers: Transfers,
        notices: Notices,
        clock: Clock,
        identity: str,
        protocols: Callable[[], frozenset[str]],
    ) -> None:
        """``protocols`` names the schemes that are advertised, in small letters."""
        self._bundles = bundles
        self._transfers = transfers
        self._notices = notices
        self._clock = clock
        self._identity = identity
        self._protocols = protocols
        self._upload: asyncio.Task[None] | None = None

    def status(self) -> str:
        """What TriggerMessage tells (OCPP 1.6, 4.4): Idle unless an upload is going on."""
        is_busy = self._upload is not None and not self._upload.done()
        return "Uploading" if is_busy else "Idle"

    def prepare(
        self,
        location: str,
        retries: int | None = None,
        retry_interval_s: float | None = None,
        begin: datetime | None = None,
        end: datetime | None = None,
    ) -> tuple[str, Callable[[], None]] | None:
        """The name of the file, and what begins the upload; None when none can be made."""
        try:
            place = location_of(location)
            if place.scheme not in self._protocols():
                raise TransferError(f"{place.scheme} is switched off here")
            if begin and end and begin > end:
                raise TransferError("startTime is after stopTime")
        except TransferError as problem:
            logger.warning("No diagnostics can be sent: %s", problem)
            return None
        name = file_name(self._identity, self._clock.now().utc)
        request = DiagnosticsRequest(place, name, Window(begin, end), retries, retry_interval_s)
        return name, lambda: self._begin(request)

    def close(self) -> None:
        """No upload goes on."""
        if self._upload is not None:
            self._upload.cancel()

    def _begin(self, request: DiagnosticsRequest) -> None:
        if self._upload is not None and not self._upload.done():
            logger.warning("The diagnostics upload is called off: another one is wanted")
            self._upload.cancel()
        self._upload = asyncio.create_task(self._run(request), name="diagnostics upload")

    async def _run(self, request: DiagnosticsRequest) -> None:
        self._notices.send(ACTION, {"status": "Uploading"})
        try:
            packed = await self._bundles.make(request.window)
            await self._try(packed, request)
        except AgentError as problem:
            logger.warning("The diagnostics were not sent to %s: %s", request.location, problem)
            self._notices.send(ACTION, {"status": "UploadFailed"})
        except Exception:
            logger.exception("The diagnostics could not be made")
            self._notices.send(ACTION, {"status": "UploadFailed"})
        else:
            logger.info("The diagnostics were sent to %s as %s", request.location, request.name)
            self._notices.send(ACTION, {"status": "Uploaded"})

    async def _try(self, packed: bytes, request: DiagnosticsRequest) -> None:
        """Raises TransferError when the last attempt has failed too."""
        retries = RETRIES if request.retries is None else request.retries
        left = max(0, min(retries, RETRIES_MAX))  # errata 3.50: after the first attempt
        given_s = request.retry_interval_s
        wait_s = INTERVAL_S if given_s is None else max(0.0, min(given_s, INTERVAL_MAX_S))
        while True:
            try:
                await self._transfers.upload(request.location, request.name, packed, ATTEMPT_S)
                return
            except TransferError as problem:
                if left == 0:
                    raise
                logger.warning(
                    "The diagnostics could not be sent to %s: %s; next try in %.0f s (%d left)",
                    request.location,
                    problem,
                    wait_s,
                    left,
                )
            left -= 1
            await asyncio.sleep(wait_s)
