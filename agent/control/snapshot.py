"""The state of the agent as others see it: plain data for ``status``, with words. Pure.

Full idTags do not leave the store: they are masked here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from agent.control.own_certificate import own_certificate_sentences
from agent.core import faults
from agent.core.authorization_reasons import whose
from agent.core.certificate_ends import OWN, ending, watched
from agent.core.connector_situation import situation
from agent.core.external_limits import ExternalSource
from agent.core.firmware_values import VERIFIED, Firmware, FirmwareStep
from agent.core.id_tag import mask
from agent.core.limit_sources import prevailing_limit
from agent.core.state import ChargePoint, Connector
from agent.core.status_notification import reports
from agent.core.values import Instant, Reading
from agent.store import OutboxSummary

_UPDATE_WORDS = {
    FirmwareStep.DOWNLOADING: "an update is being fetched",
    FirmwareStep.RETRYING: "an update could not be fetched yet; it is tried again",
    FirmwareStep.DOWNLOADED: "the signature of an update is being checked",
    FirmwareStep.INSTALLING: "an update is being installed",
    FirmwareStep.RESTARTING: "an update is installed; the agent restarts",
    FirmwareStep.DOWNLOAD_FAILED: "the last update could not be fetched; the log says why",
    FirmwareStep.INVALID_SIGNATURE: "the signature of the last update was wrong",
    FirmwareStep.INSTALL_VERIFICATION_FAILED: "the last update failed; the log says why",
    FirmwareStep.INSTALLATION_FAILED: "the last update failed; the log says why",
}


def charge_point_snapshot(
    state: ChargePoint,
    now: Instant,
    offered_a: Callable[[int], float] | None = None,
) -> dict[str, Any]:
    """Everything about the state that a person or a script may want to know.

    ``offered_a`` says what a connector offers now: an offer may still wait for the journal.
    None: what the core has decided on.
    """
    return {
        "time": now.utc.isoformat(timespec="seconds"),
        "time_is_known": now.is_trusted,
        "online": state.online,
        "registration": state.registration,
        "faults": sorted(faults.RULES[fault].words for fault in state.faults),
        "connectors": [
            _connector(state, connector, now, offered_a) for connector in state.connectors
        ],
        "cards_waiting_for_a_plug": [
            {"id_tag": mask(grant.id_tag), "connectors": list(grant.connectors)}
            for grant in state.waiting
        ],
        "cards_being_checked": [mask(check.attempt.id_tag) for check in state.checking],
        "messages_waiting": state.outbox.waiting,
        "firmware": _firmware(state.firmware),
        "certificates": _certificates(state, now),
        "own_certificate": own_certificate_sentences(state.own_certificates),
    }


def _certificates(state: ChargePoint, now: Instant) -> list[dict[str, Any]]:
    near_end = {certificate for _, certificate in ending(state, now)}
    return [
        {
            "what": what,
            "is_own": what == OWN,
            "subject": certificate.subject,
            "ends_at": certificate.not_after.isoformat(timespec="seconds"),
            "ends_soon": certificate in near_end,
        }
        for what, certificate in watched(state)
    ]


def _firmware(firmware: Firmware) -> str:
    update = firmware.update
    if update is None or update.step is FirmwareStep.INSTALLED:
        return ""
    if update.may_be_installed:
        return "an update is ready; it waits until no one is charging"
    if update.step in (FirmwareStep.SCHEDULED, FirmwareStep.DOWNLOAD_SCHEDULED):
        return f"an update is to be fetched at {update.retrieve_at.isoformat(timespec='minutes')}"
    if update.step in VERIFIED and update.install_at is not None:
        return f"an update is to be installed at {update.install_at.isoformat(timespec='minutes')}"
    return _UPDATE_WORDS[update.step]


def grid_limit_as_data(state: ChargePoint) -> dict[str, Any]:
    """What the grid operator's contact limits the box to, and whether it does now."""
    return {
        "limit": state.rules.grid_limit,
        "unit": state.rules.grid_limit_unit.value,
        "is_limited": any(
            limit.source is ExternalSource.GRID_OPERATOR for limit in state.external_limits
        ),
    }


def outbox_now(summary: OutboxSummary, state: ChargePoint) -> OutboxSummary:
    """The outbox without the sample that has been answered and whose removal is not written yet."""
    waiting = min(summary.queued_count, state.outbox.waiting)
    since = summary.oldest_queued_at if waiting else None
    return replace(summary, queued_count=waiting, oldest_queued_at=since)


def outbox_as_data(summary: OutboxSummary, state: ChargePoint) -> dict[str, Any]:
    """The outbox at a glance, as plain data."""
    data: dict[str, Any] = as_plain_data(asdict(outbox_now(summary, state)))
    return data


def as_plain_data(data: Any) -> Any:
    """Dates as text, tuples as lists."""
    match data:
        case dict():
            return {key: as_plain_data(value) for key, value in data.items()}
        case list() | tuple():
            return [as_plain_data(value) for value in data]
        case None | bool() | int() | float() | str():
            return data
        case _:
            return data.isoformat(timespec="seconds") if hasattr(data, "isoformat") else str(data)


def _connector(
    state: ChargePoint,
    connector: Connector,
    now: Instant,
    offered_a: Callable[[int], float] | None,
) -> dict[str, Any]:
    report = next(r for r in reports(state, now) if r.connector_id == connector.connector_id)
    now_there = situation(state, connector, now)
    limit = prevailing_limit(state, connector, now)
    return {
        "id": connector.connector_id,
        "status": report.status.value,
        "error_code": report.error_code,
        "info": report.info,
        "in_words": now_there.words,
        "missing": None if now_there.part is None else now_there.part.value,
        "look_at": _look_at(state, connector),
        "availability": _availability(state, connector),
        "plugged": connector.plugged if connector.traits.has_plug else None,
        "lock": connector.lock.value if connector.traits.has_lock else None,
        "pilot": connector.pilot.value if connector.traits.has_pilot else None,
        "contactor": "closed" if connector.contactor_closed else "open",
        "contactor_operations": connector.operations,
        "offered_current_a": (
            offered_a(connector.connector_id) if offered_a else connector.offered_a or 0.0
        ),
        "limit": {
            "current_a": limit.current_a,
            "source": limit.source.value,
            "words": limit.words,
        },
        "meter": _meter(connector.reading),
        "session": _session(connector, now),
    }


def _availability(state: ChargePoint, connector: Connector) -> str:
    if connector.out_of_service:
        return "inoperative"
    is_wanted_out = connector.connector_id in state.inoperative
    return "inoperative when it is free" if is_wanted_out else "operative"


def _meter(reading: Reading | None) -> dict[str, Any] | None:
    if reading is None:
        return None
    return {
        "import_wh": reading.import_wh,
        "power_w": reading.power_w,
        "voltage_v": list(reading.voltage_v),
        "current_a": list(reading.current_a),
        "read_at": reading.read_at.isoformat(timespec="seconds"),
    }


def _session(connector: Connector, now: Instant) -> dict[str, Any] | None:
    transaction = connector.transaction
    if transaction is None:
        return None
    register_wh = transaction.last_wh
    if connector.reading is not None:
        register_wh = max(register_wh, connector.reading.import_wh)
    return {
        "ref": transaction.ref,
        "transaction_id": transaction.transaction_id,
        "id_tag": whose(transaction.id_tag, transaction.figures.rule),
        "begun_at": transaction.begun_at.isoformat(timespec="seconds"),
        "duration_s": int(now.monotonic_s - transaction.begun_monotonic_s),
        "energy_wh": register_wh - transaction.meter_start_wh,
    }


def _look_at(state: ChargePoint, connector: Connector) -> str:
    fault = faults.worst(state.faults_of(connector))
    return "" if fault is None else faults.RULES[fault].check
