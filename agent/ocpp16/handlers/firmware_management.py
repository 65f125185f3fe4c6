"""Diagnostics, logs and firmware: what the central system asks for.

OCPP 1.6, 5.9 and 5.19; SignedUpdateFirmware and GetLog: security white paper, L01 and N01.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from agent.certificates.inspection import inspected
from agent.core.certificates import RootUse
from agent.core.firmware_values import Signing, UpdateAsked
from agent.core.ports import Inbox
from agent.core.state import ChargePoint
from agent.ocpp16.confirmations import read_time
from agent.ocpp16.dispatch import Handler
from agent.ocpp16.log_requests import PrepareUpload, UploadAsked
from agent.ocppj.frames import CallRefused, Payload
from agent.ocppj.incoming_calls import AnswerFirst
from agent.runtime.executors import OffLoop

logger = logging.getLogger(__name__)

RETRIES = 3  # the central system did not say how often
RETRIES_MAX = 100
INTERVAL_S = 60
INTERVAL_MAX_S = 86_400


def firmware_management_handlers(
    inbox: Inbox,
    prepare_diagnostics: PrepareUpload,
    prepare_log: PrepareUpload,
    location_problem: Callable[[str], str],
    state: Callable[[], ChargePoint],
    off_loop: OffLoop,
) -> Mapping[str, Handler]:
    """The handlers by action: of this profile, and those of the white paper, which have none.

    ``location_problem`` says why nothing can be fetched from an address; ``off_loop`` reads
    certificates on another thread.
    """
    firmware = _FirmwareManagement(
        inbox, prepare_diagnostics, prepare_log, location_problem, state, off_loop
    )
    return {
        "GetDiagnostics": firmware.get_diagnostics,
        "GetLog": firmware.get_log,
        "UpdateFirmware": firmware.update_firmware,
        "SignedUpdateFirmware": firmware.signed_update_firmware,
    }


class _FirmwareManagement:
    def __init__(
        self,
        inbox: Inbox,
        prepare_diagnostics: PrepareUpload,
        prepare_log: PrepareUpload,
        location_problem: Callable[[str], str],
        state: Callable[[], ChargePoint],
        off_loop: OffLoop,
    ) -> None:
        self._inbox = inbox
        self._prepare_diagnostics = prepare_diagnostics
        self._prepare_log = prepare_log
        self._location_problem = location_problem
        self._state = state
        self._off_loop = off_loop

    async def get_diagnostics(self, payload: Payload) -> Payload | AnswerFirst:
        asked = UploadAsked(
            payload["location"],
            *_attempts(payload),
            _time(payload, "startTime"),
            _time(payload, "stopTime"),
        )
        prepared = self._prepare_diagnostics(asked)
        if prepared is None:
            return {}  # OCPP 1.6, 5.9: no name when nothing will be uploaded
        return AnswerFirst({"fileName": prepared.name}, prepared.begin)

    async def get_log(self, payload: Payload) -> Payload | AnswerFirst:
        log = payload["log"]
        asked = UploadAsked(
            log["remoteLocation"],
            *_attempts(payload),
            _time(log, "oldestTimestamp"),
            _time(log, "latestTimestamp"),
            payload["requestId"],
            payload["logType"],
        )
        prepared = self._prepare_log(asked)
        if prepared is None:
            return {"status": "Rejected"}
        status = "AcceptedCanceled" if prepared.takes_place else "Accepted"
        return AnswerFirst({"status": status, "filename": prepared.name}, prepared.begin)

    async def update_firmware(self, payload: Payload) -> Payload:
        retrieve_at = _time(payload, "retrieveDate")
        assert retrieve_at is not None  # the schema demands it
        retries, interval_s = _attempts(payload)
        status = await self._inbox.request(
            lambda request_id: UpdateAsked(
                request_id, payload["location"], retrieve_at, retries, interval_s
            )
        )
        if status == "NotSupported":  # security white paper, L01.FR.20
            raise CallRefused(status, "only signed firmware is installed here")
        if status == "Rejected":
            logger.warning("UpdateFirmware is ignored: firmware is being installed already")
        return {}

    async def signed_update_firmware(self, payload: Payload) -> Payload:
        firmware = payload["firmware"]
        retrieve_at = _time(firmware, "retrieveDateTime")
        assert retrieve_at is not None  # the schema demands it
        install_at = _time(firmware, "installDateTime")
        retries, interval_s = _attempts(payload)
        roots = self._state().certificates.of(RootUse.MANUFACTURER)
        signer, problem = await self._off_loop(
            inspected, firmware["signingCertificate"], [root.certificate for root in roots]
        )
        pem = "" if signer is None else signer.certificate.pem  # without what stood around it
        signing = Signing(payload["requestId"], pem, firmware["signature"])
        status = await self._inbox.request(
            lambda request_id: UpdateAsked(
                request_id,
                firmware["location"],
                retrieve_at,
                retries,
                interval_s,
                install_at,
                signing,
                signer,
                problem,
                self._location_problem(firmware["location"]),
            )
        )
        return {"status": status}


def _attempts(payload: Payload) -> tuple[int, int]:
    """How often a transfer is tried again, and after how many seconds."""
    retries = _at_most(_count(payload, "retries"), RETRIES, RETRIES_MAX)
    return retries, _at_most(_count(payload, "retryInterval"), INTERVAL_S, INTERVAL_MAX_S)


def _at_most(value: int | None, default: int, high: int) -> int:
    return default if value is None else min(value, high)


def _count(payload: Mapping[str, Any], name: str) -> int | None:
    """A whole number from 0 on, which the schemas of OCPP 1.6 do not demand; None: not given."""
    value: int | None = payload.get(name)
    if value is not None and value < 0:
        raise CallRefused("PropertyConstraintViolation", f"{name} is below 0")
    return value


def _time(payload: Mapping[str, Any], name: str) -> datetime | None:
    value = payload.get(name)
    time = read_time(value)
    if value is not None and time is None:
        raise CallRefused("PropertyConstraintViolation", f"{name} is no date with a time")
    return time
