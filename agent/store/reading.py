"""What is read back: plain SQL over one read-only connection."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from agent.core.certificates import InstalledRoot
from agent.core.charging_profiles import InstalledProfile
from agent.core.connection_profile import ConnectionProfiles
from agent.core.figures import Figures
from agent.core.firmware_values import FirmwareUpdate
from agent.core.id_tag import SoughtTag
from agent.core.outbox_row import OutboxRow, QueuedMessage, UnreadableMessage
from agent.core.own_certificates import NO_OWN_CERTIFICATES, OwnCertificates
from agent.core.values import (
    NO_LIST,
    CacheEntry,
    DecisionRecord,
    LocalList,
    Reservation,
    TagRecord,
    Transaction,
    Verdict,
)
from agent.store.certificates import read_roots
from agent.store.device_state import read_connection_profiles, read_firmware, read_registers
from agent.store.grid_limits import has_open
from agent.store.instants import instant_of
from agent.store.local_list import info_of, read_local_list
from agent.store.messages import decode_message
from agent.store.own_certificates import read_own_certificates
from agent.store.profiles import read_profiles
from agent.store.rows import DECISIONS_MAX
from agent.store.samples import read_samples

logger = logging.getLogger(__name__)

PARKED_SHOWN_MAX = 100


@dataclass(frozen=True, slots=True)
class Durable:
    """What the core needs to go on where the last process ended."""

    configuration: dict[str, str]  # configuration keys that were ever saved
    open_transactions: tuple[Transaction, ...]  # oldest first; begun_monotonic_s is 0.0
    next_sequence: int
    next_transaction_ref: int
    queued_count: int
    parked_count: int
    local_list: LocalList = NO_LIST
    inoperative: frozenset[int] = frozenset()  # 0: the charge point
    contactors: dict[int, tuple[int, bool]] = field(default_factory=dict)
    """Of each connector: how often its contactor closed, and whether a person must look at it."""
    registers: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Of each connector: the register as it was reported last, and the offset in it. Wh."""
    reservations: tuple[Reservation, ...] = ()
    charging_profiles: tuple[InstalledProfile, ...] = ()
    firmware: FirmwareUpdate | None = None
    approaches: ConnectionProfiles | None = None
    certificates: tuple[InstalledRoot, ...] = ()
    own_certificates: OwnCertificates = NO_OWN_CERTIFICATES
    has_open_grid_limit: bool = False


@dataclass(frozen=True, slots=True)
class ParkedMessage:
    """A message that used all its attempts and waits for a person."""

    sequence: int
    transaction_ref: int
    action: str
    queued_at: datetime
    parked_at: datetime
    attempts: int
    problem: str


@dataclass(frozen=True, slots=True)
class OutboxSummary:
    """The outbox at a glance. ``parked`` holds the newest ones, oldest of them first."""

    queued_count: int
    oldest_queued_at: datetime | None
    parked_count: int
    parked: tuple[ParkedMessage, ...]
    thinned_count: int = 0  # samples dropped since the start, because too much waited


@dataclass(frozen=True, slots=True)
class CachedTag:
    """What the authorization cache holds about one idTag."""

    id_tag: str
    entry: CacheEntry


# One statement, so that list and cache are seen as they were at one moment.
TAG_FACTS = """
SELECT v.version,
    l.status, l.expires_at, l.parent_id_tag,
    c.status, c.expires_at, c.parent_id_tag, c.heard_at
FROM local_list_version v
LEFT JOIN local_list l ON l.base = v.base AND l.id_tag = :id_tag AND l.generation = (
    SELECT max(generation) FROM local_list
    WHERE base = v.base AND id_tag = :id_tag AND generation <= v.generation
)
LEFT JOIN authorization_cache c ON c.id_tag = :id_tag
WHERE v.only_row = 1
"""

HEAD = """
SELECT o.sequence, o.unique_id, o.transaction_ref, o.action, o.payload, o.attempts,
    t.transaction_id
FROM outbox o LEFT JOIN transactions t ON t.ref = o.transaction_ref
WHERE o.parked_at IS NULL AND o.sequence NOT IN ({passed_over}) ORDER BY o.sequence LIMIT 1
"""


def read_facts(reader: sqlite3.Connection, id_tag: str) -> TagRecord:
    """Look one idTag up in the list and in the cache, without regard to case."""
    version, listed, *rest = reader.execute(TAG_FACTS, {"id_tag": id_tag}).fetchone()
    list_expires_at, list_parent, cached, cache_expires_at, cache_parent, heard_at = rest
    return TagRecord(
        list_entry=None if listed is None else info_of(listed, list_expires_at, list_parent),
        list_version=version,
        cache_entry=None
        if cached is None
        else CacheEntry(info_of(cached, cache_expires_at, cache_parent), instant_of(heard_at)),
    )


def read_head(reader: sqlite3.Connection, passed_over: Collection[int] = ()) -> OutboxRow | None:
    """Read the oldest message that waits and is not parked, but for those; None: there is none.

    One that nobody can read must not hold up those behind it: it is told as such.
    """
    places = ",".join("?" * len(passed_over))
    row = reader.execute(HEAD.format(passed_over=places), tuple(passed_over)).fetchone()
    if row is None:
        return None
    sequence, unique_id, ref, action, payload, attempts, transaction_id = row
    try:
        message = decode_message(action, payload)
    except ValueError as problem:
        return UnreadableMessage(sequence, attempts, str(problem))
    return QueuedMessage(sequence, unique_id, ref, message, attempts, transaction_id)


def read_durable(reader: sqlite3.Connection) -> Durable:
    """Read everything that the core keeps in mind from one process to the next."""
    open_transactions = reader.execute(
        "SELECT ref, connector_id, id_tag, begun_at, meter_start_wh, last_wh, last_at,"
        " parent_id_tag, transaction_id, deauthorized, boot, is_limited, begun_boot,"
        " rule, source, highest_w, longest_pause_s"
        " FROM transactions WHERE ended_at IS NULL ORDER BY ref"
    ).fetchall()
    queued_count, parked_count = _counts(reader)
    return Durable(
        configuration=dict(reader.execute("SELECT key, value FROM configuration_keys")),
        open_transactions=tuple(
            replace(_transaction(row), samples=read_samples(reader, row[0]))
            for row in open_transactions
        ),
        next_sequence=1 + _highest(reader, "outbox.sequence", "transactions.last_sequence"),
        next_transaction_ref=1 + _highest(reader, "outbox.transaction_ref", "transactions.ref"),
        queued_count=queued_count,
        parked_count=parked_count,
        local_list=read_local_list(reader),
        inoperative=frozenset(
            connector_id for (connector_id,) in reader.execute("SELECT * FROM inoperative")
        ),
        contactors={
            connector_id: (operations, bool(is_locked_out))
            for connector_id, operations, is_locked_out in reader.execute(
                "SELECT connector_id, operations, is_locked_out FROM contactors"
            )
        },
        registers=read_registers(reader),
        reservations=_reservations(reader),
        firmware=read_firmware(reader),
        approaches=read_connection_profiles(reader),
        certificates=read_roots(reader),
        own_certificates=read_own_certificates(reader),
        has_open_grid_limit=has_open(reader),
        charging_profiles=read_profiles(reader),
    )


def _reservations(reader: sqlite3.Connection) -> tuple[Reservation, ...]:
    """Read all of them. An unreadable one is left out, with a warning: the box must start."""
    found = []
    rows = reader.execute(
        "SELECT reservation_id, connector_id, id_tag, expires_at, parent_id_tag"
        " FROM reservations ORDER BY reservation_id"
    )
    for number, connector_id, id_tag, expires_at, parent in rows:
        try:
            expires = instant_of(expires_at)
        except ValueError as problem:
            logger.error("reservation %d is unreadable and holds nothing: %s", number, problem)
        else:
            found.append(Reservation(number, connector_id, id_tag, expires, parent))
    return tuple(found)


def read_decisions(
    reader: sqlite3.Connection, tag: SoughtTag | None, limit: int
) -> list[DecisionRecord]:
    """Read the newest decisions, of one idTag or of all; newest first."""
    written, told = (None, None) if tag is None else (tag.written, tag.told)
    rows = reader.execute(
        "SELECT decided_at, purpose, connector_id, id_tag, verdict, rule, source, status,"
        " list_version, cache_age_s, detail FROM decisions"
        " WHERE :written IS NULL OR id_tag IN (:written, :told) ORDER BY number DESC LIMIT :limit",
        {"written": written, "told": told, "limit": max(0, min(limit, DECISIONS_MAX))},
    )
    return [_decision(row) for row in rows.fetchall()]


def read_cache_count(reader: sqlite3.Connection) -> int:
    """Count the entries of the authorization cache."""
    (count,) = reader.execute("SELECT count(*) FROM authorization_cache").fetchone()
    return int(count)


def read_cache_page(reader: sqlite3.Connection, limit: int) -> list[CachedTag]:
    """Read the entries of the authorization cache that were heard last; newest first."""
    rows = reader.execute(
        "SELECT id_tag, status, expires_at, parent_id_tag, heard_at FROM authorization_cache"
        " ORDER BY heard_at DESC LIMIT ?",
        (max(0, limit),),
    )
    return [
        CachedTag(id_tag, CacheEntry(info_of(status, expires_at, parent), instant_of(heard_at)))
        for id_tag, status, expires_at, parent, heard_at in rows.fetchall()
    ]


def read_outbox_summary(reader: sqlite3.Connection) -> OutboxSummary:
    """Count what waits and show what is parked."""
    queued_count, parked_count = _counts(reader)
    oldest = reader.execute(
        "SELECT queued_at FROM outbox WHERE parked_at IS NULL ORDER BY sequence LIMIT 1"
    ).fetchone()
    parked = reader.execute(
        "SELECT sequence, transaction_ref, action, queued_at, parked_at, attempts, problem"
        " FROM outbox WHERE parked_at IS NOT NULL ORDER BY sequence DESC LIMIT ?",
        (PARKED_SHOWN_MAX,),
    ).fetchall()
    return OutboxSummary(
        queued_count=queued_count,
        oldest_queued_at=None if oldest is None else instant_of(oldest[0]),
        parked_count=parked_count,
        parked=tuple(
            ParkedMessage(number, ref, action, instant_of(queued_at), instant_of(parked_at), *rest)
            for number, ref, action, queued_at, parked_at, *rest in reversed(parked)
        ),
    )


def _transaction(row: tuple[Any, ...]) -> Transaction:
    ref, connector_id, id_tag, begun_at, meter_start_wh, last_wh, last_at, *rest = row
    parent_id_tag, transaction_id, deauthorized, boot, is_limited, begun_boot, *figures = rest
    return Transaction(
        ref=ref,
        connector_id=connector_id,
        id_tag=id_tag,
        begun_at=instant_of(begun_at),
        begun_monotonic_s=0.0,  # belonged to a boot that may be over
        meter_start_wh=meter_start_wh,
        last_wh=last_wh,
        last_at=instant_of(last_at),
        parent_id_tag=parent_id_tag,
        transaction_id=transaction_id,
        deauthorized=bool(deauthorized),
        boot=boot,
        is_limited=bool(is_limited),
        figures=Figures(*figures),
        begun_boot=begun_boot,
    )


def read_operator_actions(reader: sqlite3.Connection, limit: int) -> list[tuple[datetime, str]]:
    """Read what people did about parked messages; newest first."""
    rows = reader.execute(
        "SELECT done_at, deed FROM deeds ORDER BY number DESC LIMIT ?", (max(0, limit),)
    )
    return [(instant_of(done_at), what) for done_at, what in rows.fetchall()]


def read_parked_with(reader: sqlite3.Connection, sequence: int) -> list[int]:
    """Read the sequences of all parked messages of the session that one of them belongs to."""
    rows = reader.execute(
        "SELECT sequence FROM outbox WHERE parked_at IS NOT NULL AND transaction_ref ="
        " (SELECT transaction_ref FROM outbox WHERE sequence = ? AND parked_at IS NOT NULL)"
        " ORDER BY sequence",
        (sequence,),
    )
    return [found for (found,) in rows.fetchall()]


def _counts(reader: sqlite3.Connection) -> tuple[int, int]:
    queued_count, parked_count = reader.execute(
        "SELECT count(*) - count(parked_at), count(parked_at) FROM outbox"
    ).fetchone()
    return queued_count, parked_count


def _highest(reader: sqlite3.Connection, *columns: str) -> int:
    highest = 0
    for column in columns:
        table = column.partition(".")[0]
        (found,) = reader.execute(f"SELECT coalesce(max({column}), 0) FROM {table}").fetchone()
        highest = max(highest, found)
    return highest


def _decision(row: tuple[Any, ...]) -> DecisionRecord:
    decided_at, purpose, connector_id, id_tag, verdict, *rest = row
    return DecisionRecord(
        instant_of(decided_at), purpose, connector_id, id_tag, Verdict(verdict), *rest
    )
