"""Every table has a bound: a box that runs for years does not fill its disk."""

from __future__ import annotations

import pytest

from agent.core.commands import (
    CacheTag,
    DiscardMessage,
    EndTransaction,
    NoteBoot,
    ParkMessage,
    QueueMessage,
    RecordDecision,
    SaveConfigurationKey,
    SaveTransaction,
)
from agent.core.configuration import KEYS
from agent.core.security_event_values import (
    RecordSecurityEvent,
    SecurityEvent,
    SecurityEventType,
)
from agent.core.values import Boot
from agent.store import Store
from agent.store.rows import (
    CACHE_ENTRIES_MAX,
    DECISIONS_MAX,
    OPERATOR_ACTIONS_MAX,
    PARKED_MESSAGES_MAX,
)
from agent.store.security_log import LINES_MAX, QUEUED_MAX
from agent.store.transactions import ENDED_TRANSACTIONS_MAX
from tests.store.builders import ACCEPTED, NOON, STOP, decision, meter_values, transaction

MANY = 3000


def security_event(number: int, *, is_queued: bool) -> RecordSecurityEvent:
    event = SecurityEvent(SecurityEventType.RESET_OR_REBOOT, NOON, str(number))
    return RecordSecurityEvent(event, is_queued)


# One row of each life, many lives; and how many rows may be left. Starts and stops are never
# dropped: there are two for each session that nobody has taken, and a person is told of them.
LIVES = {
    "outbox": (
        lambda n: [QueueMessage(n, 1, meter_values(n)), ParkMessage(n, "no")],
        PARKED_MESSAGES_MAX,
    ),
    "transactions": (
        lambda n: [SaveTransaction(transaction(n)), EndTransaction(n)],
        ENDED_TRANSACTIONS_MAX,
    ),
    "authorization_cache": (lambda n: [CacheTag(f"TAG{n}", ACCEPTED)], CACHE_ENTRIES_MAX),
    "configuration_keys": (
        lambda n: [SaveConfigurationKey(KEYS[n % len(KEYS)].name, str(n))],
        len(KEYS),
    ),
    "decisions": (lambda n: [RecordDecision(decision(n))], DECISIONS_MAX),
    "deeds": (
        lambda n: [QueueMessage(n, 1, STOP), ParkMessage(n, "no"), DiscardMessage(n)],
        OPERATOR_ACTIONS_MAX,
    ),
    "security_log": (lambda n: [security_event(n, is_queued=False)], LINES_MAX),
    "security_queue": (lambda n: [security_event(n, is_queued=True)], QUEUED_MAX),
    "boots": (lambda n: [NoteBoot(Boot(n, f"boot {n}", NOON, is_time_known=True))], 2),
}
# Bounded elsewhere: by LIST_ENTRIES_MAX, to one row (five times), by the connectors (as often),
# by MaxChargingProfilesInstalled, CertificateStoreMaxLength and StopTransactionMaxMeterValues, by
# storage.sessions_max (test_charge_log.py), by two years and a number (test_grid_limits.py), by
# list and log (test_tag_names.py), and by the steps.
OTHERS = {
    "local_list",
    "local_list_version",
    "inoperative",
    "contactors",
    "registers",
    "charging_profiles",
    "certificates",
    "own_certificates",
    "reservations",
    "firmware",
    "approaches",
    "security_log_ends",
    "stop_samples",
    "charge_log",
    "grid_limits",
    "tag_names",
    "_sqlite_migrations",
}


def tables(store: Store) -> set[str]:
    rows = store._database.reader.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in rows}


def test_no_table_is_forgotten_here(store):
    assert tables(store) == set(LIVES) | OTHERS


@pytest.mark.parametrize("table", LIVES)
def test_a_table_does_not_grow_for_ever(store, table):
    life, most = LIVES[table]
    for first in range(1, MANY + 1, 100):
        rows = [row for number in range(first, first + 100) for row in life(number)]
        store.commit(rows, NOON)
    (count,) = store._database.reader.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert 0 < count <= most
