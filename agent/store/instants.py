"""Instants as the text that the database keeps: UTC, microseconds, ``Z``; sorts as it reads."""

from __future__ import annotations

from datetime import UTC, datetime

_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


def instant_text(instant: datetime) -> str:
    """Write an aware instant down, as ``2026-03-01T12:00:00.000000Z``."""
    assert instant.tzinfo is not None, "an instant without a time zone is no instant"
    return _in_utc(instant).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def instant_of(text: str) -> datetime:
    """Read an instant back. Raises ValueError when it is none."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: it is no instant")
    return instant


def readable_instant(text: str | None) -> datetime | None:
    """Read an instant back; None where there is none, or storage has damaged it."""
    try:
        return optional_instant_of(text)
    except ValueError:
        return None


def optional_instant_text(instant: datetime | None) -> str | None:
    """Write an instant down, if there is one."""
    return None if instant is None else instant_text(instant)


def optional_instant_of(text: str | None) -> datetime | None:
    """Read an instant back, if there is one."""
    return None if text is None else instant_of(text)


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        # "Until the end of time", said in a zone where UTC has no such year any more (or not yet).
        return _LAST if instant.year > 1 else _FIRST
