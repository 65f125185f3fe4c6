"""The state of a firmware update survives, whatever ends the process."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.firmware_values import FirmwareStep, FirmwareUpdate, SaveFirmware
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
    untold=("Downloaded", "Installing"),
    not_before_s=1.0,
    give_up_s=2.0,
)


def test_without_an_update_there_is_none(store: Store):
    assert store.load().firmware is None


@pytest.mark.parametrize("step", FirmwareStep)
def test_an_update_is_found_as_it_was_left_but_for_the_times_of_its_process(
    path: Path, open_store: OpenStore, step: FirmwareStep
):
    store = open_store(path)
    store.commit([SaveFirmware(UPDATE), SaveFirmware(replace(UPDATE, step=step))], NOON)
    store.close()
    found = open_store(path).load().firmware
    wanted = replace(UPDATE, step=step, is_resumed=False, not_before_s=None, give_up_s=None)
    assert found == wanted


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
