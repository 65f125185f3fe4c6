"""Instants as the local time of this machine, for people and spreadsheets."""

from __future__ import annotations

from datetime import datetime


def local_time(instant: str) -> str:
    """An ISO 8601 instant as local time, to the second; ValueError for what is none."""
    return datetime.fromisoformat(instant).astimezone().strftime("%Y-%m-%d %H:%M:%S")
