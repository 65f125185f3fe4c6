"""What a request on the control socket says: each reader raises ControlError with a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agent.core.date_time import read_date_time
from agent.core.id_tag import SoughtTag, sought_tag
from agent.platform.errors import ControlError

PAGE_MAX = 500  # entries in one answer; more of them come page by page
_INT_MAX = 2**63 - 1  # of the database


def text_in(request: Mapping[str, Any], name: str) -> str | None:
    """The text of this name; None: it is not said."""
    value = request.get(name)
    if value is not None and not isinstance(value, str):
        raise ControlError(f"{name} must be a text")
    return value


def tag_in(request: Mapping[str, Any], form: str) -> SoughtTag | None:
    """The ``id_tag`` that is looked for, where the reader tells cards in this form; None: any."""
    text = text_in(request, "id_tag")
    return None if text is None else sought_tag(text, form)


def number_in(request: Mapping[str, Any], name: str, highest: int = _INT_MAX) -> int | None:
    """The whole number of this name, from 1 to ``highest``; None: it is not said."""
    value = request.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= highest:
        raise ControlError(f"{name} must be a whole number from 1 to {highest}")
    return value


def instant_in(request: Mapping[str, Any], name: str) -> datetime | None:
    """The instant of this name, without offset in UTC; None: it is not said."""
    text = text_in(request, name)
    try:
        return None if text is None else read_date_time(text)
    except ValueError:
        raise ControlError(f"{name} must be an instant: 2026-11-01T00:00:00Z") from None
