"""What GetDiagnostics and GetLog ask for, as they were read, and what they are answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

DIAGNOSTICS_LOG = "DiagnosticsLog"
SECURITY_LOG = "SecurityLog"


@dataclass(frozen=True, slots=True)
class UploadAsked:
    """GetDiagnostics.req (without ``request_id``) or GetLog.req."""

    location: str
    retries: int  # after the first attempt (errata 3.50)
    retry_interval_s: int
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
