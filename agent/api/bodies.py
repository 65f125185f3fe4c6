"""The body of a request as JSON."""

from __future__ import annotations

from typing import Any

from agent.api.errors import Invalid
from agent.platform.bounded_json import NotJson, read_json


def parse_json(body: bytes) -> Any:
    """The content of a body. Raises Invalid for what is not JSON, or goes beyond it."""
    try:
        return read_json(body.decode("utf-8"))
    except UnicodeDecodeError as problem:
        raise _invalid("The body is not UTF-8.", problem.start) from None
    except NotJson as problem:
        raise _invalid(f"The body cannot be read: {problem}.", problem.position) from None


def _invalid(told: str, position: int) -> Invalid:
    return Invalid(told, ("body", position), "json_invalid")
