"""The comparison of the accounts finds what it is there to find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.crash.accounts import (
    Accounts,
    Journal,
    JournalMessage,
    JournalSession,
    Seen,
    disagreements,
)
from tests.crash.central_system import Told

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(minute: int) -> str:
    return (NOON + timedelta(minutes=minute)).isoformat()


def start(ref: int, minute: int = 0, **more: Any) -> Told:
    payload = {"connectorId": 1, "idTag": "A", "meterStart": 100, "timestamp": at(minute)}
    return Told(f"start {ref}", "StartTransaction", {**payload, **more})


def sample(transaction_id: int, register_wh: int, minute: int, **more: Any) -> Told:
    measurand = "Energy.Active.Import.Register"
    values = [{"value": "7000", "measurand": "Power.Active.Import"}]
    values.append({"value": str(register_wh), "measurand": measurand})
    payload = {"connectorId": 1, "transactionId": transaction_id}
    payload["meterValue"] = [{"timestamp": at(minute), "sampledValue": values}]
    return Told(f"sample {transaction_id} {minute}", "MeterValues", {**payload, **more})


def stop(transaction_id: int, register_wh: int, minute: int) -> Told:
    payload = {"transactionId": transaction_id, "meterStop": register_wh, "timestamp": at(minute)}
    return Told(f"stop {transaction_id}", "StopTransaction", payload)


def session(ref: int, last_wh: int, minute: int = 0) -> JournalSession:
    return JournalSession(
        ref=ref,
        connector_id=1,
        begun_at=NOON + timedelta(minutes=minute, microseconds=400),
        meter_start_wh=100,
        last_wh=last_wh,
        transaction_id=1000 + ref,
        is_ended=True,
    )


FIRST = [start(1), sample(1001, 120, 1), sample(1001, 140, 2), stop(1001, 150, 3)]
SECOND = [start(2, 5), sample(1002, 140, 6), stop(1002, 140, 6)]


def agreeing() -> Accounts:
    """Two sessions; three messages were seen waiting in the journal."""
    waiting = [
        JournalMessage("sample 1001 2", 3, 1, "MeterValues"),
        JournalMessage("stop 1001", 4, 1, "StopTransaction"),
        JournalMessage("start 2", 5, 2, "StartTransaction"),
    ]
    return Accounts(
        journal=Journal(
            sessions={1: session(1, 150), 2: session(2, 140, 5)},
            messages={message.unique_id: message for message in waiting},
        ),
        told=[*FIRST, *SECOND],
        repetitions=[FIRST[0], FIRST[0]],
        transaction_ids={"start 1": 1001, "start 2": 1002},
        witness={1: Seen(1, 145)},
        sample_wh=20.0,
    )


def test_accounts_that_agree_give_no_complaint():
    assert disagreements(agreeing()) == []


def told(*messages: Told) -> Callable[[Accounts], Accounts]:
    return lambda accounts: replace(accounts, told=messages)


def journalled(**changes: Any) -> Callable[[Accounts], Accounts]:
    """Session 1 stands otherwise in the journal."""

    def change(accounts: Accounts) -> Accounts:
        sessions = accounts.journal.sessions
        sessions[1] = replace(sessions[1], **changes)
        return accounts

    return change


def witnessed(ref: int, seen: Seen) -> Callable[[Accounts], Accounts]:
    return lambda accounts: replace(accounts, witness={ref: seen})


def still_waiting(accounts: Accounts) -> Accounts:
    accounts.journal.waiting = 2
    return accounts


def not_in_journal(accounts: Accounts) -> Accounts:
    del accounts.journal.sessions[1]
    return accounts


def repeated_otherwise(accounts: Accounts) -> Accounts:
    return replace(accounts, repetitions=[replace(FIRST[3], payload={"transactionId": 1001})])


def doubled(told: Told) -> Told:
    return replace(told, unique_id=f"{told.unique_id} again")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (told(*FIRST), "session 2 has 0 StartTransaction"),
        (told(*FIRST), "message 5, StartTransaction, never came"),
        (told(*FIRST[:3], *SECOND), "session 1 has 0 StopTransaction"),
        (told(*FIRST, doubled(FIRST[0]), *SECOND), "session 1 has 2 StartTransaction"),
        (told(*FIRST, doubled(FIRST[3]), *SECOND), "session 1 has 2 StopTransaction"),
        (told(*FIRST, start(3, 4), *SECOND), "StartTransaction start 3 is of 0 sessions"),
        (told(*SECOND, *FIRST), "not come in the order in which they began"),
        (
            told(FIRST[1], FIRST[0], *FIRST[2:], *SECOND),
            "session 1 did not come as start, meter values, stop",
        ),
        (
            told(*FIRST[:2], FIRST[3], FIRST[2], *SECOND),
            "session 1 did not come as start, meter values, stop",
        ),
        (told(*FIRST[:2], FIRST[3], FIRST[2], *SECOND), "message 3 came after message 4"),
        (told(*FIRST, sample(-1, 150, 4), *SECOND), "is of a transaction -1"),
        (
            told(*FIRST[:2], sample(1002, 140, 2), FIRST[3], *SECOND),
            "session 2 did not come as start, meter values, stop",
        ),
        (
            told(FIRST[0], sample(1001, 120, 1, connectorId=2), *FIRST[2:], *SECOND),
            "session 1 has meter values of another connector",
        ),
        (told(FIRST[0], sample(1001, 120, 9), *FIRST[2:], *SECOND), "its times go backwards"),
        (told(*FIRST[:3], stop(1001, 139, 3), *SECOND), "its register goes backwards"),
        (told(*FIRST[:2], FIRST[3], *SECOND), "ends 30 Wh after its last sample"),
        (journalled(last_wh=140), "session 1 ends at 150 Wh, in the journal at 140 Wh"),
        (told(*FIRST[:3], stop(1001, 161, 3), *SECOND), "ends 21 Wh after its last sample"),
        (witnessed(1, Seen(1, 171)), "its meter was seen at 171 Wh"),
        (witnessed(1, Seen(2, 145)), "session 1 was seen at connector 2"),
        (witnessed(7, Seen(1, 145)), "in session 7, not journalled"),
        (journalled(is_ended=False), "session 1 is still open"),
        (journalled(transaction_id=None), "session 1 is 1001, but the journal says None"),
        (journalled(meter_start_wh=99), "session 1 has 0 StartTransaction"),
        (not_in_journal, "StartTransaction start 1 is of 0 sessions"),
        (still_waiting, "2 messages still wait"),
        (repeated_otherwise, "StopTransaction stop 1001 came again with another content"),
    ],
)
def test_what_differs_is_said(change, complaint):
    found = disagreements(change(agreeing()))
    assert any(complaint in sentence for sentence in found), found
