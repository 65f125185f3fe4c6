"""What the box remembers of itself: firmware update, connection profiles, meter registers.

The connection profiles hold the password, as the configuration's secret file does.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from dataclasses import asdict
from typing import Any

from agent.core.commands import SaveContactor, SaveRegister
from agent.core.connection_profile import (
    ConnectionProfile,
    ConnectionProfiles,
    SaveConnectionProfiles,
)
from agent.core.firmware_values import (
    FirmwareNotice,
    FirmwareStep,
    FirmwareUpdate,
    SaveFirmware,
    Signing,
)
from agent.store.instants import instant_of, instant_text

logger = logging.getLogger(__name__)

_OF_THIS_PROCESS = ("is_resumed", "not_before_s", "give_up_s")  # fields of FirmwareUpdate


def write(
    connection: sqlite3.Connection,
    row: SaveContactor | SaveRegister | SaveFirmware | SaveConnectionProfiles,
) -> None:
    """Write one row of what the box remembers of itself."""
    match row:
        case SaveContactor():
            _save_contactor(connection, row)
        case SaveRegister():
            _save_register(connection, row)
        case SaveFirmware():
            _save_firmware(connection, row)
        case SaveConnectionProfiles():
            _save_connection_profiles(connection, row)


def _save_firmware(connection: sqlite3.Connection, row: SaveFirmware) -> None:
    connection.execute(
        "INSERT INTO firmware (only_row, state) VALUES (1, ?)"
        " ON CONFLICT (only_row) DO UPDATE SET state = excluded.state",
        (_encoded_firmware(row.update),),
    )


def read_firmware(reader: sqlite3.Connection) -> FirmwareUpdate | None:
    """Read the last update, as an earlier process left it; None when there was none."""
    found = reader.execute("SELECT state FROM firmware").fetchone()
    if found is None:
        return None
    try:
        return _decoded_firmware(found[0])
    except (ValueError, KeyError, TypeError) as problem:
        # A half-done update must not keep the box from starting.
        logger.warning(
            "The state of a firmware update cannot be read, it is forgotten: %s", problem
        )
        return None


def _encoded_firmware(update: FirmwareUpdate) -> str:
    state = {name: value for name, value in asdict(update).items() if name not in _OF_THIS_PROCESS}
    written = {
        "retrieve_at": instant_text(update.retrieve_at),
        "install_at": None if update.install_at is None else instant_text(update.install_at),
        "step": update.step.value,
    }
    return json.dumps({**state, **written})


def _decoded_firmware(text: str) -> FirmwareUpdate:
    state = json.loads(text)
    state["retrieve_at"] = instant_of(state["retrieve_at"])
    state["step"] = FirmwareStep(state["step"])
    state["untold"] = tuple(_decoded_notice(notice) for notice in state["untold"])
    # Versions that knew no signed update have left no such fields.
    install_at, signing = state.get("install_at"), state.get("signing")
    state["install_at"] = None if install_at is None else instant_of(install_at)
    state["signing"] = None if signing is None else Signing(**signing)
    return FirmwareUpdate(**state, is_resumed=False)


def _decoded_notice(notice: Any) -> FirmwareNotice:
    """A version that knew no signed update has left the bare status."""
    return FirmwareNotice(notice) if isinstance(notice, str) else FirmwareNotice(**notice)


def _save_connection_profiles(connection: sqlite3.Connection, row: SaveConnectionProfiles) -> None:
    connection.execute(
        "INSERT INTO approaches (only_row, state) VALUES (1, ?)"
        " ON CONFLICT (only_row) DO UPDATE SET state = excluded.state",
        (_encoded_profiles(row.approaches),),
    )


def read_connection_profiles(reader: sqlite3.Connection) -> ConnectionProfiles | None:
    """What was known last; None when nothing was ever changed."""
    found = reader.execute("SELECT state FROM approaches").fetchone()
    if found is None:
        return None
    try:
        return _decoded_profiles(json.loads(found[0]))
    except (ValueError, KeyError, TypeError):
        # The text of the problem could show the password.
        logger.warning("The stored way to the central system is unreadable: the file counts")
        return None


def _encoded_profiles(known: ConnectionProfiles) -> str:
    return json.dumps(
        {
            "settled": asdict(known.settled),
            "trial": None if known.trial is None else asdict(known.trial),
            "is_doubted": known.is_doubted,
            "file": asdict(known.file),
            "has_used_tls": known.has_used_tls,
        }
    )


def _decoded_profiles(data: Any) -> ConnectionProfiles:
    return ConnectionProfiles(
        settled=_approach(data["settled"]),
        trial=None if data["trial"] is None else _approach(data["trial"]),
        is_doubted=bool(data["is_doubted"]),
        file=_approach(data["file"]),
        has_used_tls=bool(data.get("has_used_tls")),  # 0.1.0 did not write it
    )


def _approach(data: Any) -> ConnectionProfile:
    return ConnectionProfile(str(data["url"]), int(data["profile"]), str(data["password"]))


def _save_contactor(connection: sqlite3.Connection, row: SaveContactor) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO contactors (connector_id, operations, is_locked_out)"
        " VALUES (?, ?, ?)",
        (row.connector_id, row.operations, row.is_locked_out),
    )


def _save_register(connection: sqlite3.Connection, row: SaveRegister) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO registers (connector_id, register_wh, offset_wh) VALUES (?, ?, ?)",
        (row.connector_id, row.register_wh, row.offset_wh),
    )


def read_registers(reader: sqlite3.Connection) -> dict[int, tuple[int, int]]:
    """Of each connector the register as it was reported last, and the offset in it. Wh.

    Reported by its last session, or when the offset changed after that.
    """
    rows = reader.execute(
        "SELECT t.connector_id, max(t.last_wh, coalesce(r.register_wh, 0)),"
        " coalesce(r.offset_wh, 0)"
        " FROM transactions t LEFT JOIN registers r ON r.connector_id = t.connector_id"
        " WHERE t.ref = (SELECT max(ref) FROM transactions WHERE connector_id = t.connector_id)"
        " UNION SELECT connector_id, register_wh, offset_wh FROM registers"
        " WHERE connector_id NOT IN (SELECT connector_id FROM transactions)"
    )
    return {connector_id: (register_wh, offset_wh) for connector_id, register_wh, offset_wh in rows}
