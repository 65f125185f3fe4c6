"""Values that the tests of the store are made of."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from agent.core.commands import ActivateList
from agent.core.values import (
    AuthorizationStatus,
    ConnectorMeasured,
    DecisionRecord,
    IdTagInfo,
    ListEntry,
    SampledValue,
    StopReason,
    Transaction,
    TransactionBegan,
    TransactionEnded,
    Verdict,
)
from agent.store import Store
from agent.store.local_list import AT_ONCE_MAX

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TAG = "04943121AF1A80"

ACCEPTED = IdTagInfo(AuthorizationStatus.ACCEPTED)
BLOCKED = IdTagInfo(AuthorizationStatus.BLOCKED)
INVALID = IdTagInfo(AuthorizationStatus.INVALID)
CONCURRENT = IdTagInfo(AuthorizationStatus.CONCURRENT_TX)

START = TransactionBegan(1, TAG, 1000, NOON)
STOP = TransactionEnded(2500, NOON + timedelta(hours=1), StopReason.LOCAL, TAG)


def minutes_later(minutes: int) -> datetime:
    """Return an instant after noon."""
    return NOON + timedelta(minutes=minutes)


def numbered_ids() -> Callable[[], str]:
    """Return a source of unique ids: id-1, id-2 ..."""
    numbers = itertools.count(1)
    return lambda: f"id-{next(numbers)}"


def meter_values(register_wh: int) -> ConnectorMeasured:
    """Return a sample of connector 1."""
    value = SampledValue(str(register_wh), "Energy.Active.Import.Register", "Wh")
    return ConnectorMeasured(1, NOON, (value,))


def transaction(ref: int, transaction_id: int | None = None) -> Transaction:
    """Return an open transaction on connector 1."""
    return Transaction(ref, 1, TAG, NOON, 0.0, 1000, 1000, NOON, transaction_id=transaction_id)


def decision(number: int, id_tag: str = TAG) -> DecisionRecord:
    """Return a refusal, told apart by its detail."""
    return DecisionRecord(
        decided_at=minutes_later(number),
        purpose="start",
        connector_id=1,
        id_tag=id_tag,
        verdict=Verdict.REFUSED,
        rule="blocked in the local list",
        source="local list",
        detail=str(number),
    )


def replace_list(store: Store, version: int, entries: Iterable[tuple[str, IdTagInfo]]) -> None:
    """Replace the whole local list in one go, on a store that is not used otherwise.

    Raises StoreError when an idTag comes twice (in whatever case) or the list cannot be
    written: the old list and version stay.
    """
    for _ in store.tidying():
        pass
    staging = store.begin_list(is_full=True)
    try:
        ordered = sorted(entries, key=lambda entry: entry[0].lower())
        for start in range(0, len(ordered), AT_ONCE_MAX):
            piece = ordered[start : start + AT_ONCE_MAX]
            store.stage_list(staging, [ListEntry(*entry) for entry in piece])
        row = ActivateList(version, staging.base, staging.generation, staging.entries)
        store.commit([row], NOON)
    finally:
        for _ in store.tidying(staging):
            pass
