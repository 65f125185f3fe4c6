"""What happened in a simulated world, line by line: the same seed writes the same lines."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from contextvars import ContextVar

LINES_SHOWN = 150
_LINES_KEPT = 200_000
_FORGOTTEN_AT_ONCE = 50_000

PROCESS: ContextVar[object] = ContextVar("PROCESS", default=None)
"""Which process of the agent runs this code; None: the world around it."""


class RunLog:
    """Bounded: of a very long run the beginning fades, but counts for the fingerprint."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._hash = hashlib.sha256()

    def note(self, who: str, what: str) -> None:
        """Write down what happened now."""
        total_s = asyncio.get_running_loop().time()
        day, seconds = divmod(total_s, 86_400)
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(int(minutes), 60)
        line = f"{int(day)}d {hour:02}:{minute:02}:{second:06.3f} {who}: {what}"
        self._hash.update(line.encode() + b"\n")
        self._lines.append(line)
        if len(self._lines) > _LINES_KEPT:
            del self._lines[:_FORGOTTEN_AT_ONCE]

    @property
    def lines(self) -> list[str]:
        """Everything that is remembered."""
        return self._lines

    def end(self) -> str:
        """The last lines, as they are shown when something is wrong."""
        return "\n".join(self._lines[-LINES_SHOWN:])

    def fingerprint(self) -> str:
        """Equal for equal run logs."""
        return self._hash.hexdigest()[:16]


class LogListener(logging.Handler):
    """Writes what the agent logs into the log of the run, and tells of mistakes in the program.

    What a ghost logs is not heard: its process has ended.
    """

    def __init__(
        self, run_log: RunLog, process: Callable[[], object], mistake: Callable[[str], None]
    ) -> None:
        super().__init__(logging.INFO)
        self._run_log = run_log
        self._process = process
        self._mistake = mistake

    def emit(self, record: logging.LogRecord) -> None:
        """Hear one record."""
        speaker = PROCESS.get()
        if speaker is not None and speaker is not self._process():
            return
        text = record.getMessage()
        self._run_log.note(f"log {record.levelname.lower()}", text)
        if record.exc_info is not None and record.exc_info[1] is not None:
            self._mistake(f"{text}: {record.exc_info[1]!r}")
