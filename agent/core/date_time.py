"""Dates and times that come from outside as text: one reader for all of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

_LENGTH_MAX = 40
_LAST_SECOND = time(23, 59, 59)


def read_date_time(text: str) -> datetime:
    """An instant in ISO 8601 with any offset, in UTC; without offset it is taken as UTC.

    Raises ValueError for what is none.
    """
    if len(text) > _LENGTH_MAX:
        raise ValueError("too long for a date and a time")
    told = datetime.fromisoformat(text.strip().upper())
    try:
        return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("UTC has no such year") from None


def read_end(text: str) -> datetime:
    """Until when something is good: an instant, or a bare date, of which the end counts.

    Raises ValueError for what is neither.
    """
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        return read_date_time(text)
    return datetime.combine(day, _LAST_SECOND, UTC)
