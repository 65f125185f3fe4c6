"""The state of the agent as others see it: plain data for ``status``, with words. Pure.

Full idTags do not leave the store: they are masked here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from agent.core import charging_profiles_applied, connector_choice, contactors, faults, reservations
from agent.core import connector as connectors
from agent.core.charging_limits import CURRENT_MIN_A
from agent.core.firmware_values import Firmware, FirmwareStep
from agent.core.id_tag import mask
from agent.core.state import ChargePoint, Charging, Connector, Finished, Idle, Starting, Stopping
from agent.core.status_notification import reports, status_of
from agent.core.values import Instant, LockState, PilotState, Reading, Status, Transaction
from agent.store import OutboxSummary

_UPDATE_WORDS = {
    FirmwareStep.DOWNLOADING: "an update is being fetched",
    FirmwareStep.DOWNLOADED: "an update is ready; it waits until no one is charging",
    FirmwareStep.INSTALLING: "an update is being installed",
    FirmwareStep.RESTARTING: "an update is installed; the agent restarts",
    FirmwareStep.DOWNLOAD_FAILED: "the last update could not be fetched; the log says why",
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
    }


def _firmware(firmware: Firmware) -> str:
    update = firmware.update
    if update is None or update.step is FirmwareStep.INSTALLED:
        return ""
    if update.step is FirmwareStep.SCHEDULED:
        return f"an update is to be fetched at {update.retrieve_at.isoformat(timespec='minutes')}"
    return _UPDATE_WORDS[update.step]


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
    return {
        "id": connector.connector_id,
        "status": report.status.value,
        "error_code": report.error_code,
        "info": report.info,
        "in_words": _in_words(state, connector, now),
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
        "id_tag": mask(transaction.id_tag),
        "begun_at": transaction.begun_at.isoformat(timespec="seconds"),
        "duration_s": int(now.monotonic_s - transaction.begun_monotonic_s),
        "energy_wh": register_wh - transaction.meter_start_wh,
    }


def _look_at(state: ChargePoint, connector: Connector) -> str:
    fault = faults.worst(connectors.all_faults(state, connector))
    return "" if fault is None else faults.RULES[fault].check


def _in_words(state: ChargePoint, connector: Connector, now: Instant) -> str:
    fault = faults.worst(
        frozenset(
            f for f in connectors.all_faults(state, connector) if faults.RULES[f].shows_faulted
        )
    )
    if fault is not None and not isinstance(connector.phase, Charging):
        drawn_wh = contactors.welded_wh(connector)
        drawn = f"; {drawn_wh} Wh drawn since the last session" if drawn_wh else ""
        return f"out of order: {faults.RULES[fault].words}{drawn}"
    if connector.out_of_service and connector.held_for is None:
        is_updated = state.firmware.holds_connectors
        why = "firmware is being updated" if is_updated else "the central system wants it so"
        return f"out of service: {why}"
    match connector.phase:
        case Starting():
            if not connector.is_locked:
                return "card accepted; waiting for the lock"
            return "card accepted; waiting for the meter"
        case Charging(transaction):
            return _words_while_charging(state, connector, transaction, now)
        case Stopping():
            return "the session is being ended"
        case Finished(held_for, is_unclaimed):
            if held_for is not None:
                return "session over; the cable is held until the card is shown again"
            if is_unclaimed:
                return "plugged in, and no card came in time; tap, or plug in once more"
            return "session over; the cable can be taken out"
        case Idle():
            return _words_while_idle(state, connector, now)


def _words_while_charging(
    state: ChargePoint, connector: Connector, transaction: Transaction, now: Instant
) -> str:
    status = status_of(state, connector, now)
    if status is Status.CHARGING:
        return "charging"
    if transaction.deauthorized:
        return "no energy: the central system does not accept this card"
    complaint = faults.worst(
        frozenset(
            fault
            for fault in connectors.all_faults(state, connector)
            if fault in faults.PILOT.values() or faults.RULES[fault].pauses
        )
    )
    if complaint is not None:
        return f"no energy: {faults.RULES[complaint].words}"
    if connector.pilot in (PilotState.E, PilotState.F):
        return f"no energy: the control pilot is in state {connector.pilot.value}"
    if connector.traits.has_lock and connector.lock is not LockState.LOCKED:
        return "no energy: the lock is not confirmed"
    if connector.current_a < CURRENT_MIN_A:
        return f"no energy: {_words_about_limit(state, connector, now)}"
    if not connector.asks_for_energy:
        return "waiting for the car: it does not ask for energy"
    return "waiting for the contactor"


def _words_about_limit(state: ChargePoint, connector: Connector, now: Instant) -> str:
    """The limit that was set; a connector whose share is too low to charge has 0 A."""
    limit_a = charging_profiles_applied.allowed_a(state, connector, now)
    if limit_a < CURRENT_MIN_A:
        return f"{limit_a:g} A are allowed, a car needs {CURRENT_MIN_A:g} A"
    return "too little is left of what the box may draw"


def _words_while_idle(state: ChargePoint, connector: Connector, now: Instant) -> str:
    for grant in state.waiting:
        if connector.connector_id in grant.connectors:
            left_s = None if grant.until_s is None else grant.until_s - now.monotonic_s
            return "card accepted; waiting for the plug" + (
                "" if left_s is None else f", {max(0, round(left_s))} s left"
            )
    if state.checking:
        return "a card is being checked"
    kept = reservations.at(state, connector.connector_id)
    if kept is None and connector_choice.is_kept(state, connector):
        kept = reservations.at(state, reservations.ANY_CONNECTOR)
    if kept is not None:
        until = kept.expires_at.isoformat(timespec="minutes")
        return f"reserved for card {mask(kept.id_tag)} until {until}"
    return "plugged in; waiting for a card" if connector.plugged else "free"
