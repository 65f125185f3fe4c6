"""How the central system is reached survives, whatever ends the process."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.certificates import Certificates
from agent.core.connection_profile import (
    ConnectionProfile,
    ConnectionProfiles,
    SaveConnectionProfiles,
)
from agent.core.own_certificates import OwnCertificates
from agent.maintenance.scrub import scrubber_for
from agent.platform.errors import StoreError
from agent.store import Store
from agent.store.migrations import APPLICATION_ID
from agent.store.offline_view import look_at, stored_way
from tests.store.builders import NOON
from tests.store.conftest import OpenStore

PASSWORD = "4F43415F4F4354545F61646D696E5F74657374"
TRIED = ConnectionProfiles(
    settled=ConnectionProfile("ws://old.example/ocpp", 1, PASSWORD),
    trial=ConnectionProfile("wss://new.example/ocpp", 2, "sixteen chars ok"),
    is_doubted=True,
    file=ConnectionProfile("ws://old.example/ocpp", 1, "digest"),
)
OF_ITS_PROCESS = {"is_held": True, "in_use": TRIED.trial, "has_password_file": True}


def test_as_long_as_nothing_was_changed_there_is_nothing(store: Store):
    assert store.load().approaches is None


@pytest.mark.parametrize("kept", [TRIED, replace(TRIED, trial=None, is_doubted=False)])
def test_the_ways_are_found_as_they_were_but_for_what_belongs_to_their_process(
    path: Path, open_store: OpenStore, kept: ConnectionProfiles
):
    store = open_store(path)
    store.commit([SaveConnectionProfiles(ConnectionProfiles()), SaveConnectionProfiles(kept)], NOON)
    store.commit([SaveConnectionProfiles(replace(kept, **OF_ITS_PROCESS))], NOON)
    store.close()
    assert open_store(path).load().approaches == kept
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("state", ["", "[]", "{}", f'{{"settled": "{PASSWORD}"}}'])
def test_a_state_that_cannot_be_read_leaves_the_file_and_shows_no_password(
    path: Path, open_store: OpenStore, state: str, caplog: pytest.LogCaptureFixture
):
    open_store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO approaches VALUES (1, ?)", (state,))
    connection.close()
    assert open_store(path).load().approaches is None
    assert "the file counts" in caplog.text
    assert PASSWORD not in caplog.text


def test_a_look_from_outside_finds_the_ways_and_every_password_to_hide(store: Store, path: Path):
    assert stored_way(path) == (None, Certificates(), OwnCertificates())
    store.commit([SaveConnectionProfiles(TRIED)], NOON)
    assert stored_way(path) == (TRIED, Certificates(), OwnCertificates())
    look = look_at(path, lambda: False)
    assert look.passwords == [PASSWORD, "sixteen chars ok"]
    hidden = scrubber_for(None, look).text(f"{PASSWORD} and sixteen chars ok")
    assert hidden == "*** and ***"


def test_a_database_without_that_table_is_told(path: Path):
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.close()
    with pytest.raises(StoreError, match="Cannot read the database"):
        stored_way(path)
