"""The last lines of the log, in memory, for a help desk that has no way to the box."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from agent.core.visible import visible
from agent.platform.log_lines import Lines, Repetitions

LINES_KEPT = 2000
LINE_MAX = 500

Line = tuple[datetime, str]


class LogRing(logging.Handler):
    """Keeps lines of INFO and above; the oldest makes room. Read from any thread."""

    def __init__(self, utc: Callable[[], datetime], monotonic_s: Callable[[], float]) -> None:
        """``utc`` to write down, ``monotonic_s`` to tell what repeats."""
        super().__init__(logging.INFO)
        self._utc = utc
        self._lines: deque[Line] = deque(maxlen=LINES_KEPT)
        self._repetitions = Repetitions(monotonic_s)
        self.setFormatter(Lines("%(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record, unless it repeats."""
        for told in self._repetitions.take(record):
            self._keep(told)

    def _keep(self, record: logging.LogRecord) -> None:
        """Its first line, and the last of a traceback, which names the mistake."""
        try:
            lines = self.format(record).splitlines() or [""]
        except (TypeError, ValueError, LookupError):  # its arguments do not fit its text
            lines = [visible(f"{record.levelname} {record.msg}")]
        told = lines[0] if len(lines) == 1 else f"{lines[0]} [{lines[-1].strip()}]"
        self._lines.append((self._utc(), told[:LINE_MAX]))

    def lines(self) -> tuple[Line, ...]:
        """Everything that is kept, oldest first."""
        return tuple(self._lines.copy())

    @contextmanager
    def listening(self) -> Iterator[LogRing]:
        """Keep what is logged anywhere in this process while the block runs."""
        root = logging.getLogger()
        root.addHandler(self)
        try:
            yield self
        finally:
            root.removeHandler(self)
