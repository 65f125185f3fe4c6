"""Hides what a log must not show: whole idTags, authorization keys, passwords in addresses."""

from __future__ import annotations

import json
import re
from typing import Any

from agent.core.id_tag import mask
from agent.core.visible import visible
from agent.platform.bounded_json import NotJson, is_light, read_json

_TAG_FIELDS = frozenset(
    {"idtag", "parentidtag", "id_tag", "parent_id_tag", "idtoken", "groupidtoken"}
)
_SECRET_KEYS = frozenset({"authorizationkey"})
_SECRET_FIELDS = frozenset({"authorization", "password", "authorizationkey"})
_USER_INFO = re.compile(r"(?<=://)[^/?#\s]*@")
_QUERY = re.compile(r"\?.*", re.DOTALL)
_SHOWN_UP_TO = 2000


def without_tag(text: str, id_tag: str | None) -> str:
    """The text with every mention of this idTag masked, in any case."""
    if not id_tag:
        return text
    masked = mask(id_tag)
    return re.sub(re.escape(id_tag), lambda _: masked, text, flags=re.IGNORECASE)


def shown_url(url: str) -> str:
    """An address as it may be shown: without user name and password."""
    return _USER_INFO.sub("***@", url)


def one_line(text: str, at_most: int) -> str:
    """Text from outside, fit for a log line: printable, on one line, not too long."""
    shown = visible(text[: at_most + 1])
    return shown if len(shown) <= at_most else f"{shown[:at_most]}..."


def redact_frame(frame: str) -> str:
    """An OCPP frame as it may be logged: idTags masked, secrets removed, at most 2000 characters.

    A frame that is not JSON, or too large to look through, is only described: it may hold anything.
    """
    if not is_light(frame):
        return f"(frame of {len(frame)} characters, too large to show)"
    try:
        shown = json.dumps(_redacted(read_json(frame)), separators=(",", ":"))
    except NotJson:
        return f"(not JSON, {len(frame)} characters)"
    return shown if len(shown) <= _SHOWN_UP_TO else f"{shown[:_SHOWN_UP_TO]}..."


def _redacted(content: Any) -> Any:
    if isinstance(content, dict):
        holds_secret = str(content.get("key", "")).strip().lower() in _SECRET_KEYS
        return {
            name: "***" if holds_secret and name == "value" else _redacted_field(name, value)
            for name, value in content.items()
        }
    if isinstance(content, list):
        return [_redacted(item) for item in content]
    if isinstance(content, str):
        return shown_url(content)
    return content


def _redacted_field(name: str, value: Any) -> Any:
    if name.lower() in _SECRET_FIELDS:
        return "***"
    if name.lower() in _TAG_FIELDS and isinstance(value, str | int):
        return mask(str(value))
    if name in ("location", "remoteLocation") and isinstance(value, str):
        return _QUERY.sub("?***", shown_url(value))  # a query is a signature
    if name.lower() == "data" and isinstance(value, str):
        return _redacted_text(value)
    return _redacted(value)


def _redacted_text(text: str) -> str:
    """What stands in a DataTransfer may be JSON of its own."""
    try:
        content = read_json(text)
    except NotJson:
        return shown_url(text)
    is_json = isinstance(content, dict | list)
    return json.dumps(_redacted(content), separators=(",", ":")) if is_json else shown_url(text)
