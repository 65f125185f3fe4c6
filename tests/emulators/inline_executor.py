"""An executor without a thread: what is handed in has run when ``submit`` returns.

So a whole application runs in one thread, in virtual time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class InlineExecutor(Executor):
    """Runs at once. Levers: ``problem`` is raised instead of the work, ``is_stuck`` keeps it back.

    Work that is kept back runs in ``release``, in its order.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.problem: BaseException | None = None
        self.is_stuck = False
        self.count = 0  # pieces of work that were handed in
        self._kept_back: deque[Callable[[], None]] = deque()
        self._is_shut_down = False

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")
        self.count += 1
        future: Future[Any] = Future()

        def work() -> None:
            if future.set_running_or_notify_cancel():
                self._run(future, function, args, kwargs)

        if self.is_stuck:
            self._kept_back.append(work)
        else:
            work()
        return future

    def release(self) -> None:
        """Let the work go on that was kept back."""
        self.is_stuck = False
        while self._kept_back:
            self._kept_back.popleft()()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._is_shut_down = True
        if cancel_futures:
            self._kept_back.clear()

    def _run(
        self,
        future: Future[Any],
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        try:
            if self.problem is not None:
                raise self.problem
            future.set_result(function(*args, **kwargs))
        except BaseException as problem:  # noqa: BLE001 - whatever it is, it belongs to the caller
            future.set_exception(problem)
