"""Root certificates in the database: one row each, with what must be known without reading it."""

from __future__ import annotations

import logging
import sqlite3
from typing import Any

from agent.core.certificates import (
    InstalledRoot,
    RemoveRoot,
    RootCertificate,
    RootUse,
    SaveRoot,
)
from agent.store.instants import instant_of, instant_text

logger = logging.getLogger(__name__)


def write(connection: sqlite3.Connection, row: SaveRoot | RemoveRoot) -> None:
    """Keep a root certificate, or forget it."""
    match row:
        case SaveRoot(root):
            _save(connection, root)
        case RemoveRoot(root):
            _remove(connection, root)


def _save(connection: sqlite3.Connection, root: InstalledRoot) -> None:
    """Of one that is there, what has become of it is kept."""
    certificate = root.certificate
    connection.execute(
        "INSERT INTO certificates (certificate_type, fingerprint, pem, subject, not_before,"
        " not_after, serial, issuer_name, issuer_key, has_worked, is_fallback)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (certificate_type, fingerprint) DO UPDATE SET"
        " has_worked = excluded.has_worked, is_fallback = excluded.is_fallback",
        (
            root.use.value,
            certificate.fingerprint,
            certificate.pem,
            certificate.subject,
            instant_text(certificate.not_before),
            instant_text(certificate.not_after),
            certificate.serial,
            certificate.issuer_name,
            certificate.issuer_key,
            root.has_worked,
            root.is_fallback,
        ),
    )


def _remove(connection: sqlite3.Connection, root: InstalledRoot) -> None:
    connection.execute(
        "DELETE FROM certificates WHERE certificate_type = ? AND fingerprint = ?",
        (root.use.value, root.certificate.fingerprint),
    )


def read_roots(reader: sqlite3.Connection) -> tuple[InstalledRoot, ...]:
    """Read all of them. An unreadable one is left out, with a warning: the box must start."""
    found = []
    rows = reader.execute(
        "SELECT certificate_type, fingerprint, subject, not_before, not_after, pem, serial,"
        " issuer_name, issuer_key, has_worked, is_fallback FROM certificates ORDER BY number"
    )
    for row in rows.fetchall():
        try:
            found.append(_root(*row))
        except (ValueError, TypeError) as problem:
            logger.error("root certificate %s is unreadable, it is not used: %s", row[1], problem)
    return tuple(found)


def _root(
    use: str,
    fingerprint: str,
    subject: str,
    not_before: str,
    not_after: str,
    pem: str,
    serial: str,
    issuer_name: bytes,
    issuer_key: bytes,
    *marks: Any,
) -> InstalledRoot:
    certificate = RootCertificate(
        fingerprint=fingerprint,
        subject=subject,
        not_before=instant_of(not_before),
        not_after=instant_of(not_after),
        pem=pem,
        serial=serial,
        issuer_name=issuer_name,
        issuer_key=issuer_key,
    )
    has_worked, is_fallback = map(bool, marks)
    return InstalledRoot(RootUse(use), certificate, has_worked, is_fallback)
