"""How each record that the core emits is written. All run inside one transaction.

Every table has a limit here. What is dropped at the limit is logged, unless it is only history
(old decisions, old ended transactions, cache entries).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from agent.core.certificates import RemoveRoot, SaveRoot
from agent.core.commands import (
    ActivateList,
    BeginGridLimit,
    CacheTag,
    ClearCache,
    CorrectTimes,
    DiscardMessage,
    DropSample,
    EndGridLimit,
    EndTransaction,
    KeepSample,
    LogSession,
    NoteBoot,
    NoteEnding,
    ParkMessage,
    QueueMessage,
    RecordAttempt,
    RecordDecision,
    RemoveChargingProfile,
    RemoveMessage,
    RequeueMessage,
    Row,
    SaveAvailability,
    SaveChargingProfile,
    SaveConfigurationKey,
    SaveContactor,
    SaveRegister,
    SaveReservations,
    SaveTransaction,
    SetTransactionId,
)
from agent.core.connection_profile import SaveConnectionProfiles
from agent.core.firmware_values import SaveFirmware
from agent.core.own_certificates import SaveOwnCertificates
from agent.core.security_event_values import (
    ClearSecurityLog,
    RecordSecurityEvent,
    RemoveSecurityEvents,
)
from agent.core.visible import visible
from agent.store import (
    boots,
    certificates,
    charge_log,
    device_state,
    grid_limits,
    own_certificates,
    profiles,
    samples,
    security_log,
    transactions,
)
from agent.store.cache import CACHE_ENTRIES_MAX as CACHE_ENTRIES_MAX
from agent.store.cache import cache_tag
from agent.store.charge_log import LogLimits
from agent.store.instants import instant_text
from agent.store.local_list import listed_status
from agent.store.messages import action_of, encode_message, in_words
from agent.store.quota import ROW_BYTES

DECISIONS_MAX = 1000
OPERATOR_ACTIONS_MAX = 1000
PARKED_MESSAGES_MAX = 1000
TEXT_LENGTH_MAX = 500


@dataclass(slots=True)
class Writing:
    """One transaction being written: where, when, and what to log when it is committed."""

    connection: sqlite3.Connection
    now: datetime
    make_id: Callable[[], str]
    log_limits: LogLimits
    growth: int = 0  # of the outbox, in bytes
    dropped_security_events: int = 0
    warnings: list[str] = field(default_factory=list)


def write_row(row: Row, writing: Writing) -> None:
    """Write one row. Raises sqlite3.Error when it cannot be written."""
    connection = writing.connection
    match row:
        case QueueMessage():
            _queue_message(row, writing)
        case RemoveMessage():
            _remove_message(row, writing)
        case RecordAttempt():
            _record_attempt(row, writing)
        case ParkMessage():
            _park_message(row, writing)
        case RequeueMessage():
            _requeue_message(row, writing)
        case DiscardMessage():
            _discard_message(row, writing)
        case SaveTransaction() | KeepSample() | DropSample() | EndTransaction():
            _write_session(row, writing)
        case LogSession() | SetTransactionId():
            _write_session(row, writing)
        case CacheTag():
            cache_tag(connection, row, writing.now)
        case ClearCache():
            connection.execute("DELETE FROM authorization_cache")
        case ActivateList():
            _activate_list(row, writing)
        case BeginGridLimit() | EndGridLimit():
            grid_limits.write(connection, row)
        case NoteBoot() | NoteEnding() | CorrectTimes():
            boots.write(connection, row)
        case SaveAvailability():
            _save_availability(row, writing)
        case SaveReservations():
            _save_reservations(row, writing)
        case SaveConfigurationKey():
            _save_configuration_key(row, writing)
        case SaveChargingProfile():
            profiles.save_profile(connection, row)
        case RemoveChargingProfile():
            profiles.remove_profile(connection, row)
        case RecordDecision():
            _record_decision(row, writing)
        case SaveContactor() | SaveRegister() | SaveFirmware() | SaveConnectionProfiles():
            device_state.write(connection, row)
        case SaveRoot() | RemoveRoot():
            certificates.write(connection, row)
        case SaveOwnCertificates():
            own_certificates.write(connection, row)
        case RecordSecurityEvent() | RemoveSecurityEvents() | ClearSecurityLog():
            dropped = security_log.write(connection, row, writing.make_id)
            writing.warnings += dropped
            writing.dropped_security_events += len(dropped)
        case _:
            assert_never(row)


def _write_session(
    row: SaveTransaction | KeepSample | DropSample | EndTransaction | LogSession | SetTransactionId,
    writing: Writing,
) -> None:
    connection = writing.connection
    match row:
        case SaveTransaction():
            transactions.save_transaction(connection, row)
        case KeepSample():
            samples.keep(connection, row)
        case DropSample():
            samples.drop(connection, row)
        case EndTransaction():
            transactions.end_transaction(connection, row, writing.now)
        case LogSession():
            charge_log.log_session(connection, row, writing.log_limits)
        case SetTransactionId():
            transactions.set_transaction_id(connection, row)
        case _:
            assert_never(row)


# --- outbox --------------------------------------------------------------------------------------


def _queue_message(row: QueueMessage, writing: Writing) -> None:
    payload = encode_message(row.message)
    writing.connection.execute(
        "INSERT INTO outbox (sequence, unique_id, transaction_ref, action, payload, queued_at,"
        " boot) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            row.sequence,
            writing.make_id(),
            row.transaction_ref,
            action_of(row.message),
            payload,
            instant_text(writing.now),
            row.boot,
        ),
    )
    writing.growth += len(payload) + ROW_BYTES
    writing.connection.execute(
        "UPDATE transactions SET last_sequence = ?"
        " WHERE ref = coalesce(nullif(?, 0), (SELECT max(ref) FROM transactions))",
        (row.sequence, row.transaction_ref),
    )


def _remove_message(row: RemoveMessage, writing: Writing) -> None:
    removed = writing.connection.execute(
        "DELETE FROM outbox WHERE sequence = ? RETURNING length(payload)", (row.sequence,)
    ).fetchone()
    if removed is not None:
        writing.growth -= removed[0] + ROW_BYTES


def _record_attempt(row: RecordAttempt, writing: Writing) -> None:
    writing.connection.execute(
        "UPDATE outbox SET attempts = ? WHERE sequence = ?", (row.attempts, row.sequence)
    )


def _park_message(row: ParkMessage, writing: Writing) -> None:
    writing.connection.execute(
        "UPDATE outbox SET parked_at = ?, problem = ? WHERE sequence = ?",
        (instant_text(writing.now), _plain(row.problem), row.sequence),
    )
    _drop_parked_beyond_limit(writing)


def _requeue_message(row: RequeueMessage, writing: Writing) -> None:
    found = writing.connection.execute(
        "UPDATE outbox SET attempts = 0, parked_at = NULL, problem = ''"
        " WHERE sequence = ? AND parked_at IS NOT NULL RETURNING action, transaction_ref",
        (row.sequence,),
    ).fetchone()
    if found is not None:
        action, ref = found
        _note_operator_action(
            writing, row.sequence, action, ref, f"to be sent once more, says {row.by}"
        )


def _discard_message(row: DiscardMessage, writing: Writing) -> None:
    found = writing.connection.execute(
        "DELETE FROM outbox WHERE sequence = ? AND parked_at IS NOT NULL"
        " RETURNING action, transaction_ref, payload",
        (row.sequence,),
    ).fetchone()
    if found is not None:
        action, ref, payload = found
        writing.growth -= len(payload) + ROW_BYTES
        if action != "MeterValues":
            transactions.note_discarded(writing.connection, ref)
        # A discarded message may be money: its content is kept as text.
        what = f"discarded by {row.by}: {in_words(payload)}"
        _note_operator_action(writing, row.sequence, action, ref, what)


def _note_operator_action(
    writing: Writing, sequence: int, action: str, ref: int, what: str
) -> None:
    text = _plain(f"message {sequence}, {action} of session {ref}: {what}")
    writing.warnings.append(text)
    cursor = writing.connection.execute(
        "INSERT INTO deeds (done_at, deed) VALUES (?, ?)", (instant_text(writing.now), text)
    )
    assert cursor.lastrowid is not None
    writing.connection.execute(
        "DELETE FROM deeds WHERE number <= ?", (cursor.lastrowid - OPERATOR_ACTIONS_MAX,)
    )


def _drop_parked_beyond_limit(writing: Writing) -> None:
    (parked,) = writing.connection.execute(
        "SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL"
    ).fetchone()
    if parked <= PARKED_MESSAGES_MAX:
        return
    # Only meter samples are dropped: starts and stops are money, and wait for a person.
    dropped = writing.connection.execute(
        "DELETE FROM outbox WHERE sequence = (SELECT sequence FROM outbox"
        " WHERE parked_at IS NOT NULL AND action = 'MeterValues' ORDER BY sequence LIMIT 1)"
        " RETURNING sequence, transaction_ref, length(payload)"
    ).fetchone()
    if dropped is not None:
        sequence, ref, length = dropped
        writing.growth -= length + ROW_BYTES
        writing.warnings.append(
            f"More than {PARKED_MESSAGES_MAX} parked messages: "
            f"dropped MeterValues (sequence {sequence}, transaction {ref})"
        )


# --- what is known about idTags ------------------------------------------------------------------


def _activate_list(row: ActivateList, writing: Writing) -> None:
    writing.connection.execute(
        "UPDATE local_list_version SET version = ?, base = ?, generation = ?, entries = ?",
        (row.version, row.base, row.generation, row.entries),
    )
    # OCPP 1.6, 3.5.3: list entries have priority; what is listed leaves the cache.
    writing.connection.execute(
        f"DELETE FROM authorization_cache AS c WHERE {listed_status('c.id_tag')} IS NOT NULL"
    )


# --- availability, reservations, configuration keys and decisions --------------------------------


def _save_availability(row: SaveAvailability, writing: Writing) -> None:
    writing.connection.execute("DELETE FROM inoperative")
    writing.connection.executemany(
        "INSERT INTO inoperative (connector_id) VALUES (?)",
        [(connector_id,) for connector_id in sorted(row.inoperative)],
    )


def _save_reservations(row: SaveReservations, writing: Writing) -> None:
    writing.connection.execute("DELETE FROM reservations")
    writing.connection.executemany(
        "INSERT INTO reservations (reservation_id, connector_id, id_tag, expires_at,"
        " parent_id_tag) VALUES (?, ?, ?, ?, ?)",
        [
            (
                reservation.reservation_id,
                reservation.connector_id,
                reservation.id_tag,
                instant_text(reservation.expires_at),
                reservation.parent_id_tag,
            )
            for reservation in row.reservations
        ],
    )


def _save_configuration_key(row: SaveConfigurationKey, writing: Writing) -> None:
    writing.connection.execute(
        "INSERT INTO configuration_keys (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (row.key, row.value),
    )


def _record_decision(row: RecordDecision, writing: Writing) -> None:
    record = row.record
    cursor = writing.connection.execute(
        "INSERT INTO decisions (decided_at, purpose, connector_id, id_tag, verdict, rule, source,"
        " status, list_version, cache_age_s, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            instant_text(record.decided_at),
            record.purpose,
            record.connector_id,
            record.id_tag,
            record.verdict.value,
            record.rule,
            record.source,
            record.status,
            record.list_version,
            record.cache_age_s,
            _plain(record.detail),
        ),
    )
    assert cursor.lastrowid is not None
    writing.connection.execute(
        "DELETE FROM decisions WHERE number <= ?", (cursor.lastrowid - DECISIONS_MAX,)
    )


def _plain(text: str) -> str:
    """Limit a text that others may have written; it can be shown wherever it is read later."""
    return visible(text[:TEXT_LENGTH_MAX])
