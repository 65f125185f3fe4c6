"""The state of a firmware update survives, whatever ends the process."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.firmware_values import (
    FirmwareNotice,
    FirmwareStep,
    FirmwareUpdate,
    SaveFirmware,
    Signing,
)
from agent.store import Store
from tests.store.builders import NOON
from tests.store.conftest import OpenStore

UPDATE = FirmwareUpdate(
    "ftp://me:geheim@files.example.com/image",
    NOON,
    retries_left=2,
    retry_interval_s=60,
    step=FirmwareStep.INSTALLING,
    version_before="1.0 (0.1.0)",
    sha256="abcd",
    untold=(FirmwareNotice("Downloaded"), FirmwareNotice("SignatureVerified", 7)),
    not_before_s=1.0,
    give_up_s=2.0,
)


SIGNED = replace(UPDATE, install_at=NOON, signing=Signing(7, "PEM", "c2lnbmF0dXJl\n"))


def test_without_an_update_there_is_none(store: Store):
    assert store.load().firmware is None


@pytest.mark.parametrize("update", [UPDATE, SIGNED])
@pytest.mark.parametrize("step", FirmwareStep)
def test_an_update_is_found_as_it_was_left_but_for_the_times_of_its_process(
    path: Path, open_store: OpenStore, step: FirmwareStep, update: FirmwareUpdate
):
    store = open_store(path)
    store.commit([SaveFirmware(UPDATE), SaveFirmware(replace(update, step=step))], NOON)
    store.close()
    found = open_store(path).load().firmware
    wanted = replace(update, step=step, is_resumed=False, not_before_s=None, give_up_s=None)
    assert found == wanted


def test_an_update_is_found_that_a_version_without_signed_ones_has_left(
    path: Path, open_store: OpenStore
):
    open_store(path).close()
    state = dict(
        location=UPDATE.location,
        retrieve_at=NOON.isoformat(),
        retries_left=2,
        retry_interval_s=60,
        step="installing",
        version_before="1.0 (0.1.0)",
        sha256="abcd",
        untold=["Downloaded", "Installing"],
    )
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO firmware VALUES (1, ?)", (json.dumps(state),))
    connection.close()
    found = open_store(path).load().firmware
    assert found == replace(
        UPDATE,
        untold=(FirmwareNotice("Downloaded"), FirmwareNotice("Installing")),
        is_resumed=False,
        not_before_s=None,
        give_up_s=None,
    )


@pytest.mark.parametrize("state", ["", "[]", "{}", '{"step": "odd"}'])
def test_a_state_that_cannot_be_read_is_forgotten_and_the_box_starts(
    path: Path, open_store: OpenStore, state: str, caplog: pytest.LogCaptureFixture
):
    open_store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO firmware VALUES (1, ?)", (state,))
    connection.close()
    assert open_store(path).load().firmware is None
    assert "forgotten" in caplog.text
