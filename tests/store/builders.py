"""Values that the tests of the store are made of."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from agent.core.values import (
    AuthorizationStatus,
    DecisionRecord,
    IdTagInfo,
    MeterValues,
    SampledValue,
    StartTransaction,
    StopReason,
    StopTransaction,
    Transaction,
    Verdict,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TAG = "04943121AF1A80"

ACCEPTED = IdTagInfo(AuthorizationStatus.ACCEPTED)
BLOCKED = IdTagInfo(AuthorizationStatus.BLOCKED)
INVALID = IdTagInfo(AuthorizationStatus.INVALID)
CONCURRENT = IdTagInfo(AuthorizationStatus.CONCURRENT_TX)

START = StartTransaction(1, TAG, 1000, NOON)
STOP = StopTransaction(2500, NOON + timedelta(hours=1), StopReason.LOCAL, TAG)


def minutes_later(minutes: int) -> datetime:
    """Return an instant after noon."""
    return NOON + timedelta(minutes=minutes)


def numbered_ids() -> Callable[[], str]:
    """Return a source of unique ids: id-1, id-2 ..."""
    numbers = itertools.count(1)
    return lambda: f"id-{next(numbers)}"


def meter_values(register_wh: int) -> MeterValues:
    """Return a sample of connector 1."""
    value = SampledValue(str(register_wh), "Energy.Active.Import.Register", "Wh")
    return MeterValues(1, NOON, (value,))


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
