"""The agent's threads, without threads: work is done at once, or late when the disk is slow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class SimulatedThread(Executor):
    """Does one thing at a time, in order; each takes ``delay_s()`` seconds of virtual time."""

    def __init__(self, delay_s: Callable[[], float]) -> None:
        self._delay_s = delay_s
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_busy = False
        self._is_shut_down = False

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand in work."""
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[Any] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(*args, **kwargs)
            except BaseException as problem:  # noqa: BLE001 - it belongs to the caller
                future.set_exception(problem)
            else:
                future.set_result(result)

        self._waiting.append(work)
        if not self._is_busy:
            self._next()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work."""
        self._is_shut_down = True
        if cancel_futures:
            self._waiting.clear()

    def _next(self) -> None:
        while self._waiting:
            delay_s = self._delay_s()
            if delay_s > 0:
                self._is_busy = True
                asyncio.get_running_loop().call_later(delay_s, self._do_late)
                return
            self._waiting.popleft()()

    def _do_late(self) -> None:
        self._is_busy = False
        if self._waiting:
            self._waiting.popleft()()
        self._next()
