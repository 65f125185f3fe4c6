"""The certificates of this box on disk: as they were, and none where they are unreadable."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.core.own_certificates import OwnCertificates, SaveOwnCertificates, SigningRequest
from agent.store import Store
from agent.store.offline_view import stored_way
from tests.core.own_certificates import KEY, kept
from tests.store.builders import NOON

NEW, OLD = kept("new", NOON), kept("old", name="Ladesäule 1")
REQUEST = SigningRequest(KEY, NOON, "it was refused")


def test_a_new_store_has_none(store: Store):
    assert store.load().own_certificates == OwnCertificates()


@pytest.mark.parametrize(
    "own",
    [
        OwnCertificates((NEW, OLD), REQUEST),
        OwnCertificates((OLD,), None),
        OwnCertificates((), SigningRequest("", NOON)),
    ],
)
def test_everything_is_read_back_as_it_was_in_the_place_of_what_was_before(
    store: Store, path: Path, own: OwnCertificates
):
    store.commit([SaveOwnCertificates(OwnCertificates((NEW,), REQUEST))], NOON)
    store.commit([SaveOwnCertificates(own)], NOON)
    assert store.load().own_certificates == own
    assert stored_way(path)[2] == own


def test_what_is_of_this_process_only_is_not_kept(store: Store):
    own = OwnCertificates((NEW,), None, True, NEW.certificate, "new", True, "no")
    store.commit([SaveOwnCertificates(own)], NOON)
    assert store.load().own_certificates == OwnCertificates((NEW,))


def stored(kept: Sequence[Any] = (), request: Any = None) -> str:
    return json.dumps({"kept": kept, "request": request})


ONE = {
    "fingerprint": "f",
    "subject": "CN=CP-1",
    "not_before": "2026-01-01T00:00:00.000000Z",
    "not_after": "2027-01-01T00:00:00.000000Z",
    "pem": "text",
    "key": "k",
    "common_name": "CP-1",
    "worked_at": None,
}
ASKED = {"key": "k", "asked_at": "2026-01-01T00:00:00.000000Z", "problem": ""}


def test_the_row_that_the_unreadable_ones_are_made_of_can_be_read(path: Path, open_store):
    insert(path, open_store, stored([ONE], ASKED))
    own = open_store(path).load().own_certificates
    assert [one.certificate.fingerprint for one in own.kept] == ["f"]
    assert own.request == SigningRequest("k", datetime(2026, 1, 1, tzinfo=UTC))


def insert(path: Path, open_store: Any, state: str) -> None:
    open_store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO own_certificates VALUES (1, ?)", (state,))
    connection.close()


@pytest.mark.parametrize(
    "state",
    [
        "{",
        "[]",
        '{"kept": []}',
        stored([{}]),
        stored([None]),
        stored([ONE] * 3),
        *(stored([{**ONE, name: None}]) for name in ONE if name != "worked_at"),
        stored([{**ONE, "not_after": "2027-01-01T00:00:00"}]),
        stored([{**ONE, "pem": 5}]),
        stored(request=[]),
        *(stored(request={**ASKED, name: None}) for name in ASKED),
    ],
)
def test_unreadable_ones_are_none_with_an_error_in_the_log(
    path: Path, open_store, caplog: pytest.LogCaptureFixture, state: str
):
    insert(path, open_store, state)
    with caplog.at_level(logging.ERROR):
        assert open_store(path).load().own_certificates == OwnCertificates()
    assert "certificates of this box are unreadable" in caplog.text
