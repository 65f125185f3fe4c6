"""What the agent answers page by page, the newest first, and what is typed to choose from it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

Ask = Callable[..., list[dict[str, Any]]]


def newest(ask: Ask, number: str, limit: int | None) -> Iterator[dict[str, Any]]:
    """The newest entries, ``limit`` of them (None: all); ``number`` is the field that grows."""
    from agent.control.requests import PAGE_MAX

    left, before = limit, dict[str, int]()
    while left is None or left > 0:
        size = PAGE_MAX if left is None else min(left, PAGE_MAX)
        page = ask(limit=size, **before)
        yield from page
        if len(page) < size:
            return
        left = None if left is None else left - len(page)
        before = {"before": page[-1][number]}


def add_csv_option(command: argparse.ArgumentParser) -> None:
    """Add ``--csv``, which has a separator, or is None."""
    command.add_argument(
        "--csv",
        nargs="?",
        const="comma",
        choices=("comma", "semicolon"),
        help="as CSV; with semicolon between the cells, 1,5 instead of 1.5",
    )


def count(text: str) -> int:
    """How many are wanted. Raises argparse.ArgumentTypeError."""
    if not (text.isascii() and text.isdigit()) or not 1 <= len(text) <= 9 or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number, 1 or more")
    return int(text)


def first_moment(text: str) -> str:
    """The begin of a local date, or an instant as it is. Raises argparse.ArgumentTypeError."""
    return _moment(text, days=0)


def last_moment(text: str) -> str:
    """The end of a local date, or an instant as it is. Raises argparse.ArgumentTypeError."""
    return _moment(text, days=1)


def _moment(text: str, days: int) -> str:
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            day = date.fromisoformat(text) + timedelta(days=days)
            return datetime(day.year, day.month, day.day).astimezone().isoformat()
        instant = datetime.fromisoformat(text)
        return (instant if instant.tzinfo else instant.astimezone()).isoformat()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no date: write 2026-11-30") from None
