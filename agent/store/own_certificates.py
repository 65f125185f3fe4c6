"""The certificates that were signed for this box, in one row. Their private keys are files."""

from __future__ import annotations

import json
import logging
import sqlite3
from dataclasses import asdict
from datetime import datetime
from typing import Any

from agent.core.own_certificates import (
    KeptCertificate,
    OwnCertificate,
    OwnCertificates,
    SaveOwnCertificates,
    SigningRequest,
)
from agent.store.instants import instant_of, instant_text, optional_instant_of

logger = logging.getLogger(__name__)

_INSTANTS = ("not_before", "not_after", "asked_at")
_KEPT_MAX = 2


def write(connection: sqlite3.Connection, row: SaveOwnCertificates) -> None:
    """Keep them in the place of those before."""
    kept = [{**asdict(one.certificate), "worked_at": one.worked_at} for one in row.own.kept]
    request = None if row.own.request is None else asdict(row.own.request)
    connection.execute(
        "INSERT INTO own_certificates (only_row, state) VALUES (1, ?)"
        " ON CONFLICT (only_row) DO UPDATE SET state = excluded.state",
        (json.dumps({"kept": kept, "request": request}, default=_text),),
    )


def read_own_certificates(reader: sqlite3.Connection) -> OwnCertificates:
    """Read them. Where they are unreadable there are none: the box must start."""
    found = reader.execute("SELECT state FROM own_certificates").fetchone()
    if found is None:
        return OwnCertificates()
    try:
        state = json.loads(found[0])
        kept = tuple(_kept(**one) for one in state["kept"])
        if len(kept) > _KEPT_MAX:
            raise ValueError(f"there are {len(kept)} of them")
        request = state["request"]
        return OwnCertificates(
            kept, None if request is None else SigningRequest(**_checked(**request))
        )
    except (ValueError, KeyError, TypeError) as problem:
        logger.error("The certificates of this box are unreadable, none is used: %s", problem)
        return OwnCertificates()


def _kept(worked_at: str | None, **fields: Any) -> KeptCertificate:
    return KeptCertificate(OwnCertificate(**_checked(**fields)), optional_instant_of(worked_at))


def _text(value: Any) -> str:
    assert isinstance(value, datetime)
    return instant_text(value)


def _checked(**fields: Any) -> dict[str, Any]:
    """Texts, and the instants among them. What is missing is missed by who takes them."""
    for name, value in fields.items():
        if not isinstance(value, str):
            raise ValueError(f"{name} is {value!r}")
    return {
        name: instant_of(value) if name in _INSTANTS else value for name, value in fields.items()
    }
