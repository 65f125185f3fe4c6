"""An event loop in which waiting costs nothing: it jumps to the next timer when nobody can run."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

Result = TypeVar("Result")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in which a day of waiting costs nothing."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Seconds of virtual time since the loop was made."""
        return self.elapsed_s


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("deadlock: every task waits and no timer is set")
        self._loop.elapsed_s += max(timeout, 0.0)
        return super().select(0)


def run_in_virtual_time(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end on a fresh loop whose time jumps."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def run_test(function: Any, arguments: Mapping[str, Any], *, real_time: bool) -> None:
    """Run an ``async def`` test, in virtual time unless it needs sockets."""
    main = function(**arguments)
    if real_time:
        asyncio.run(main)
    else:
        run_in_virtual_time(main)
