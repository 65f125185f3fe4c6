"""Answers are read leniently: a transactionId is never lost to a sloppy central system."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.core.commands import Authorize
from agent.core.events import (
    AuthorizeAnswered,
    AuthorizeFailed,
    DeliveryInterrupted,
    MessageAnswered,
    MessageFailed,
)
from agent.core.values import AuthorizationStatus, IdTagInfo
from agent.ocpp16.confirmations import (
    BootAnswer,
    answered,
    failed,
    interrupted,
    read_boot,
    read_current_time,
    read_id_tag_info,
    tag_of,
)
from agent.platform.errors import AnswerUnusable, CallFailed
from tests.ocpp16.rig import SAMPLE, START, STOP, TAG, row

ACCEPTED = IdTagInfo(AuthorizationStatus.ACCEPTED)


@pytest.mark.parametrize(
    ("payload", "transaction_id", "info"),
    [
        ({"transactionId": 5, "idTagInfo": {"status": "Accepted"}}, 5, ACCEPTED),
        ({"transactionId": "5", "idTagInfo": {"status": "Accepted"}}, 5, ACCEPTED),
        ({"transactionId": " -5 ", "idTagInfo": {"status": "accepted"}}, -5, ACCEPTED),
        ({"transactionId": 5.0, "idTagInfo": {"status": "Accepted"}}, 5, ACCEPTED),
        ({"transactionId": 0, "idTagInfo": {"status": "Accepted", "x": 1}, "y": 2}, 0, ACCEPTED),
        ({"transactionId": 2**63 - 1, "idTagInfo": None}, 2**63 - 1, None),
        ({"transactionId": 5}, 5, None),
        ({"transactionId": 5, "idTagInfo": "Accepted"}, 5, None),
        ({"transactionId": 5, "idTagInfo": {}}, 5, None),
        (
            {"transactionId": 5, "idTagInfo": {"status": "Gold"}},
            5,
            IdTagInfo(AuthorizationStatus.INVALID),
        ),
        (
            {"transactionId": 5, "idTagInfo": {"status": ["Accepted"]}},
            5,
            None,
        ),
        ({"transactionId": 5, "idTagInfo": {"status": ""}}, 5, None),
        (
            {
                "transactionId": 5,
                "idTagInfo": {"status": "Accepted", "parentIdTag": None, "expiryDate": None},
            },
            5,
            ACCEPTED,
        ),
    ],
)
def test_a_transaction_id_is_taken_from_any_answer_that_has_one(
    payload: Any, transaction_id: int, info: IdTagInfo | None
):
    assert answered(row(3, START), payload) == MessageAnswered(
        sequence=3,
        transaction_ref=7,
        transaction_id=transaction_id,
        info=info,
        id_tag=TAG,
    )


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        [],
        "x",
        {"transactionId": None},
        {"transactionId": True},
        {"transactionId": "five"},
        {"transactionId": "1_0"},
        {"transactionId": 5.5},
        {"transactionId": 2**64},
        {"transactionId": "9" * 30},
    ],
)
def test_an_answer_without_transaction_id_is_a_failure(payload: Any):
    with pytest.raises(CallFailed, match="transactionId"):
        answered(row(3, START), payload)


@pytest.mark.parametrize("payload", [None, {}, [], {"status": "odd"}])
def test_meter_values_are_delivered_by_any_answer(payload: Any):
    assert answered(row(4, SAMPLE), payload) == MessageAnswered(4, 7, is_sample=True)


def test_the_information_in_the_answer_to_a_stop_is_about_the_tag_that_stopped():
    assert answered(row(5, STOP), {"idTagInfo": {"status": "Blocked"}}) == MessageAnswered(
        sequence=5,
        transaction_ref=7,
        info=IdTagInfo(AuthorizationStatus.BLOCKED),
        id_tag=TAG,
    )
    assert answered(row(5, STOP), None) == MessageAnswered(5, 7, id_tag=TAG)


def test_an_answer_to_authorize_needs_its_id_tag_info():
    command = Authorize(TAG, 5.0)
    assert answered(command, {"idTagInfo": {"status": "Accepted"}}) == AuthorizeAnswered(
        TAG, ACCEPTED
    )


NO_STATUS = [
    *(None, [], "x", {}, {"idTagInfo": None}, {"idTagInfo": {}}, {"idTagInfo": "Accepted"}),
    *({"idTagInfo": {"status": status}} for status in (None, "", " ", 1, True, [], ["Accepted"])),
]


@pytest.mark.parametrize("payload", NO_STATUS)
def test_an_answer_to_authorize_without_a_status_is_an_answer_and_says_nothing(payload: Any):
    command = Authorize(TAG, 5.0)
    with pytest.raises(AnswerUnusable, match="idTagInfo") as problem:
        answered(command, payload)
    assert failed(command, problem.value) == AuthorizeFailed(TAG, str(problem.value), True)


@pytest.mark.parametrize("payload", NO_STATUS)
def test_a_start_that_is_answered_without_a_status_keeps_its_number(payload: Any):
    fields = payload if isinstance(payload, dict) else {}
    found = answered(row(3, START), {**fields, "transactionId": 5})
    assert isinstance(found, MessageAnswered)
    assert (found.transaction_id, found.info) == (5, None)


def test_failure_counts_an_attempt_and_a_lost_link_does_not():
    why = CallFailed("why")
    assert failed(row(3, START), why) == MessageFailed(3, "why", attempts=0)
    assert interrupted(row(3, START), "why") == DeliveryInterrupted(3)
    assert failed(Authorize(TAG, 5.0), why) == AuthorizeFailed(TAG, "why")
    assert interrupted(Authorize(TAG, 5.0), "why") == AuthorizeFailed(TAG, "why")
    assert (answered(None, {}), failed(None, why), interrupted(None, "why")) == (None,) * 3


def test_the_tag_a_call_is_about_is_known_for_masking():
    assert tag_of(Authorize(TAG, 5.0)) == TAG
    assert [tag_of(row(1, message)) for message in (START, SAMPLE, STOP)] == [TAG, None, TAG]
    assert tag_of(None) is None


@pytest.mark.parametrize(
    ("expiry", "expires_at"),
    [
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01t12:00:00.1234567z", datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)),
        ("2026-03-01T14:00:00+02:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (" 2026-03-01T12:00:00,5Z ", datetime(2026, 3, 1, 12, 0, 0, 500_000, UTC)),
        ("2026-03-01T12:00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),  # no zone: UTC
        ("2026-03-01", datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)),  # a bare date: its end
        (None, None),  # as if it were absent: no end
    ],
)
def test_an_expiry_date_is_read_in_every_form_of_iso_8601(expiry: Any, expires_at: datetime | None):
    info = read_id_tag_info({"status": "Accepted", "expiryDate": expiry}, TAG)
    assert info == IdTagInfo(AuthorizationStatus.ACCEPTED, expires_at)


@pytest.mark.parametrize(
    "expiry",
    [
        *("", " ", "soon", "never", "01.03.2026", "2026-02-30T12:00:00Z", "1772366400"),
        *("9999-12-31T23:59:59-05:00", "2026-03-01T12:00:00Z" + " " * 40),
        *(1772366400, 0, True, [], {}, ["2026-03-01T12:00:00Z"]),
    ],
)
def test_an_expiry_date_that_cannot_be_read_is_not_never(expiry: Any):
    info = read_id_tag_info({"status": "Accepted", "expiryDate": expiry}, TAG)
    assert info == IdTagInfo(AuthorizationStatus.ACCEPTED, is_end_unreadable=True)


@pytest.mark.parametrize(
    ("parent", "read"),
    [("FAMILY", "FAMILY"), (12, "12"), ("", None), ("x" * 21, None), ({}, None), ("é", None)],
)
def test_a_parent_tag_that_cannot_be_one_is_ignored(parent: Any, read: str | None):
    info = read_id_tag_info({"status": "Accepted", "parentIdTag": parent}, TAG)
    assert info == IdTagInfo(AuthorizationStatus.ACCEPTED, None, read)


def test_no_warning_shows_the_whole_tag(caplog: pytest.LogCaptureFixture):
    read_id_tag_info({"status": "Gold", "expiryDate": "x", "parentIdTag": {}}, TAG)
    assert len(caplog.records) == 3
    assert TAG not in caplog.text
    assert "04..80" in caplog.text


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (
            {"status": "Accepted", "interval": 300, "currentTime": "2026-03-01T12:00:00Z"},
            BootAnswer("Accepted", 300, datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ),
        ({"status": "pending", "interval": "60"}, BootAnswer("Pending", 60, None)),
        ({"status": "Rejected"}, BootAnswer("Rejected", None, None)),
        (
            {"status": "Accepted", "interval": -1, "currentTime": "yesterday"},
            BootAnswer("Accepted", -1, None),
        ),
    ],
)
def test_a_boot_answer_is_read_leniently(payload: Any, answer: BootAnswer):
    assert read_boot(payload) == answer


@pytest.mark.parametrize("payload", [None, {}, [], {"status": "Perhaps"}, {"status": 1}])
def test_a_boot_answer_without_status_is_a_failure(payload: Any):
    with pytest.raises(CallFailed, match="status"):
        read_boot(payload)


@pytest.mark.parametrize(
    ("time", "warns"),
    [
        (None, False),
        ("1970-01-01T00:00:00Z", True),
        ("3000-01-01T00:00:00Z", True),
        ("0001-01-01T00:00:00+14:00", True),
        ("nonsense", True),
        (5, True),
    ],
)
def test_a_time_that_makes_no_sense_is_ignored_with_a_warning(
    time: Any, warns: bool, caplog: pytest.LogCaptureFixture
):
    assert read_current_time({"currentTime": time}) is None
    assert bool(caplog.records) is warns
