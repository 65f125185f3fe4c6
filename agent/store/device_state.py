"""The firmware update: one row, written with every step of it."""

from __future__ import annotations

import json
import logging
import sqlite3

from agent.core.firmware_values import FirmwareStep, FirmwareUpdate, SaveFirmware
from agent.store.instants import instant_of, instant_text
from agent.store.rows import Writing, write_row

logger = logging.getLogger(__name__)


@write_row.register
def _(row: SaveFirmware, writing: Writing) -> None:
    writing.connection.execute(
        "INSERT INTO firmware (only_row, state) VALUES (1, ?)"
        " ON CONFLICT (only_row) DO UPDATE SET state = excluded.state",
        (_encoded(row.update),),
    )


def read_firmware(reader: sqlite3.Connection) -> FirmwareUpdate | None:
    """Read the last update, as an earlier process left it; None when there was none."""
    found = reader.execute("SELECT state FROM firmware").fetchone()
    if found is None:
        return None
    try:
        return _decoded(found[0])
    except (ValueError, KeyError, TypeError) as problem:
        # A half-done update must not keep the box from starting.
        logger.warning(
            "The state of a firmware update cannot be read, it is forgotten: %s", problem
        )
        return None


def _encoded(update: FirmwareUpdate) -> str:
    return json.dumps(
        {
            "location": update.location,
            "retrieve_at": instant_text(update.retrieve_at),
            "retries_left": update.retries_left,
            "retry_interval_s": update.retry_interval_s,
            "step": update.step.value,
            "version_before": update.version_before,
            "sha256": update.sha256,
            "untold": update.untold,
        }
    )


def _decoded(state: str) -> FirmwareUpdate:
    data = json.loads(state)
    return FirmwareUpdate(
        location=str(data["location"]),
        retrieve_at=instant_of(data["retrieve_at"]),
        retries_left=int(data["retries_left"]),
        retry_interval_s=int(data["retry_interval_s"]),
        step=FirmwareStep(data["step"]),
        version_before=str(data["version_before"]),
        sha256=str(data["sha256"]),
        untold=tuple(str(status) for status in data["untold"]),
        is_resumed=False,
    )
