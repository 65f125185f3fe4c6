"""Reading JSON without trust: what comes out can be written again, and is not deep."""

from __future__ import annotations

import json
import math
from typing import Any

from agent.api.errors import Invalid

DEPTH_MAX = 24


def parse_json(body: bytes) -> Any:
    """The content of a body. Raises Invalid for what is not JSON, or goes beyond it."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise _not_json("the body is not UTF-8", problem.start) from None
    try:
        content = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as problem:
        raise _not_json(f"the body is not JSON: {problem.msg}", problem.pos) from None
    except (ValueError, RecursionError) as problem:
        told = "it is nested too deeply" if isinstance(problem, RecursionError) else problem
        raise _not_json(f"the body is not JSON: {str(told)[:100]}", 0) from None
    _check_depth(content)
    if "\\ud" in text.lower():
        try:
            json.dumps(content, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise _not_json("the body holds characters that do not exist", 0) from None
    return content


def _check_depth(content: Any) -> None:
    level, depth = [content], 0
    while level:
        depth += 1
        if depth > DEPTH_MAX:
            raise _not_json(f"the body is nested more than {DEPTH_MAX} deep", 0)
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
        level = inner


def _not_json(told: str, position: int) -> Invalid:
    return Invalid(told, ("body", position), "json_invalid")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is out of range")
    return number
