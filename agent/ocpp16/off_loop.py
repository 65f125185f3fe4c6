"""Slow work with large frames is done on another thread, so that the loop goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

OffLoop = Callable[..., Awaitable[Any]]


async def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run the function here and now, where nobody minds."""
    return function(*arguments)
