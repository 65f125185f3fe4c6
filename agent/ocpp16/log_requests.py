"""What GetDiagnostics and GetLog ask for, as they were read, and what they are answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

DIAGNOSTICS_LOG = "DiagnosticsLog"
SECURITY_LOG = "SecurityLog"


@dataclass(frozen=True, slots=True)
class UploadAsked:
    """GetDiagnostics.req (without ``request_id``) or GetLog.req.

    The numbers are from 0 on; None: the central system did not say.
    """

    location: str
    retries: int | None = None
    retry_interval_s: float | None = None
    begin: datetime | None = None
    end: datetime | None = None
    request_id: int | None = None
    log_type: str = DIAGNOSTICS_LOG


@dataclass(frozen=True, slots=True)
class UploadPrepared:
    """The name of the file, what begins the upload, and whether it ends one under way."""

    name: str
    begin: Callable[[], None]
    takes_place: bool


PrepareUpload = Callable[[UploadAsked], UploadPrepared | None]  # None: there can be none
