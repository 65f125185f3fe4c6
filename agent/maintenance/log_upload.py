"""GetDiagnostics and GetLog: a file is made and brought to the server of the central system.

Nothing of this can disturb a session: the file is made on one thread, sent on another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent.maintenance.log_files import LogFiles
from agent.maintenance.support_bundle import Window
from agent.maintenance.transfer.file_transfer import Transfers
from agent.maintenance.transfer.location import Location, location_of
from agent.ocpp16.log_requests import UploadAsked, UploadPrepared
from agent.ocpp16.requests import upload_status
from agent.ocpp16.retried_notifications import Notices
from agent.ocppj.frames import Payload
from agent.platform.errors import AgentError, TransferError, TransferProblem

DIAGNOSTICS_ACTION = "DiagnosticsStatusNotification"
LOG_ACTION = "LogStatusNotification"
ATTEMPT_S = 900.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Telling:
    """How a notification tells of an upload: its words, and whether of each attempt."""

    action: str
    failed: str
    failed_by: Mapping[TransferProblem, str]  # more precise words
    tells_each_attempt: bool


OF_DIAGNOSTICS = Telling(DIAGNOSTICS_ACTION, "UploadFailed", {}, tells_each_attempt=False)
OF_LOG = Telling(  # security white paper, N01
    LOG_ACTION,
    "UploadFailure",
    {
        TransferProblem.NONSENSE: "BadMessage",
        TransferProblem.NO_PERMISSION: "PermissionDenied",
        TransferProblem.NOT_SUPPORTED: "NotSupportedOperation",
    },
    tells_each_attempt=True,
)


@dataclass(frozen=True, slots=True)
class _Upload:
    asked: UploadAsked
    location: Location
    name: str


class LogUploads:
    """Those of one message: one at a time, a new request takes the place of the one before."""

    def __init__(
        self,
        telling: Telling,
        files: LogFiles,
        transfers: Transfers,
        notices: Notices,
        protocols: Callable[[], frozenset[str]],
    ) -> None:
        """``protocols`` names the schemes that are advertised, in small letters."""
        self._telling = telling
        self._files = files
        self._transfers = transfers
        self._notices = notices
        self._protocols = protocols
        self._under_way: UploadAsked | None = None
        self._task: asyncio.Task[None] | None = None

    def status(self) -> Payload:
        """What a trigger tells: Idle unless an upload is going on."""
        if self._under_way is None:
            return upload_status("Idle")
        return upload_status("Uploading", self._under_way.request_id)

    def prepare(self, asked: UploadAsked) -> UploadPrepared | None:
        """The name of the file, and what begins the upload; None when none can be made."""
        try:
            place = location_of(asked.location)
            if place.scheme not in self._protocols():
                raise TransferError(f"{place.scheme} is switched off here")
            if asked.begin and asked.end and asked.begin > asked.end:
                raise TransferError("the end of the asked time is before its beginning")
        except TransferError as problem:
            logger.warning("No %s can be sent: %s", asked.log_type, problem)
            return None
        upload = _Upload(asked, place, self._files.name(asked.log_type))
        is_busy = self._under_way is not None
        return UploadPrepared(upload.name, lambda: self._begin(upload), is_busy)

    def close(self) -> None:
        """No upload goes on."""
        if self._task is not None:
            self._task.cancel()

    def _begin(self, upload: _Upload) -> None:
        if self._under_way is not None:
            logger.warning("The upload is called off: another %s is wanted", upload.asked.log_type)
        self.close()
        self._under_way = upload.asked
        self._task = asyncio.create_task(self._run(upload), name="log upload")

    async def _run(self, upload: _Upload) -> None:
        what, where = upload.asked.log_type, upload.location
        self._tell(upload, "Uploading")
        try:
            window = Window(upload.asked.begin, upload.asked.end)
            await self._try(await self._files.make(what, window), upload)
        except AgentError as problem:
            logger.warning("The %s was not sent to %s: %s", what, where, problem)
            end = self._failed(problem)
        except Exception:
            logger.exception("The %s could not be made", what)
            end = self._telling.failed
        else:
            logger.info("The %s was sent to %s as %s", what, where, upload.name)
            end = "Uploaded"
        self._tell(upload, end)
        self._under_way = None

    async def _try(self, content: bytes, upload: _Upload) -> None:
        """Raises TransferError when the last attempt has failed too."""
        asked = upload.asked
        left = asked.retries
        while True:
            try:
                await self._transfers.upload(upload.location, upload.name, content, ATTEMPT_S)
                return
            except TransferError as problem:
                if left == 0:
                    raise
                logger.warning(
                    "The %s could not be sent to %s: %s; next try in %d s (%d left)",
                    asked.log_type,
                    upload.location,
                    problem,
                    asked.retry_interval_s,
                    left,
                )
                self._tell_attempt(upload, self._failed(problem))
            left -= 1
            await asyncio.sleep(asked.retry_interval_s)
            self._tell_attempt(upload, "Uploading")

    def _failed(self, problem: AgentError) -> str:
        kind = problem.kind if isinstance(problem, TransferError) else TransferProblem.OTHER
        return self._telling.failed_by.get(kind, self._telling.failed)

    def _tell_attempt(self, upload: _Upload, status: str) -> None:
        if self._telling.tells_each_attempt:
            self._tell(upload, status)

    def _tell(self, upload: _Upload, status: str) -> None:
        self._notices.send(self._telling.action, upload_status(status, upload.asked.request_id))
