"""How the log is written: no text from outside can forge a line, and nothing floods it.

Every record passes through here on its way to standard error and to the lines that are kept for a
help desk, so no caller has to think of either. What a line says is made visible (``visible``);
what repeats is written once, then counted; its count is written every ten minutes, and when it has
ended.
"""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

from agent.core.visible import visible
from agent.platform.bounds import BoundedMap, TokenBucket

AT_ONCE = {logging.WARNING: 3, logging.ERROR: 3}  # times that the same is said; others:
AT_ONCE_OTHERS = 20  # ordinary work, which a person at the box may see repeat
AGAIN_S = 600.0
KINDS_MAX = 500  # that are remembered; two with the same words are the same
VARIED_AT_ONCE = 200  # lines of one place in the program, whatever their words
VARIED_EVERY_S = 3.0  # and then one in so many seconds
LOOK_S = 10.0
# Counts and times differ between repetitions; the number of a connector makes it another thing.
_NUMBER = re.compile(r"(?<!connector )(?<![\w.])\d+(?:[.,:]\d+)*")

Clock = Callable[[], float]


class LineFormatter(logging.Formatter):
    """A record on one line; a traceback on indented ones, so that none of it looks like a line."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        return visible(super().formatMessage(record))

    def formatException(self, ei: object) -> str:
        """See logging.Formatter."""
        text = super().formatException(ei)  # type: ignore[arg-type]
        return "\n".join(f"    {visible(line)}" for line in text.splitlines())


@dataclass(slots=True)
class _Repeated:
    record: logging.LogRecord  # the last one
    left: int  # times that it is still said
    until_s: float  # then its count is written
    unsaid: int = 0
    was_counted: bool = False

    def goes_on(self, now_s: float) -> logging.LogRecord:
        """The line that is written while it goes on."""
        record = _with(self.record, f"(it has come {self.unsaid} more times)")
        self.unsaid, self.was_counted, self.left, self.until_s = 0, True, 0, now_s + AGAIN_S
        return record


@dataclass(slots=True)
class _CallSite:
    bucket: TokenBucket
    unsaid: int = 0
    record: logging.LogRecord | None = None  # the last one that was not said


_Key = tuple[str, int, str]


class Repetitions:
    """Says which records are written. Bounded; called by one thread at a time."""

    def __init__(self, now_s: Clock) -> None:
        self._now_s = now_s
        self._kinds = BoundedMap[_Key, _Repeated](KINDS_MAX)
        self._places = BoundedMap[_Key, _CallSite](KINDS_MAX)
        self._look_at_s = 0.0

    def take(self, record: logging.LogRecord) -> list[logging.LogRecord]:
        """What is to be written now that this has come; perhaps nothing."""
        now_s, written = self._now_s(), self.due()
        key = (record.name, record.levelno, _NUMBER.sub("#", _text(record))[:300])
        kind = self._kinds.get(key)
        if kind is not None and kind.left <= 0:
            kind.unsaid += 1
            kind.record = record
            return written
        if self._says_too_much(record, now_s):
            return written
        if kind is None:
            at_once = AT_ONCE.get(record.levelno, AT_ONCE_OTHERS)
            kind = self._kinds[key] = _Repeated(record, at_once, now_s + AGAIN_S)
        kind.left -= 1
        return [*written, record]

    def due(self) -> list[logging.LogRecord]:
        """What was counted so far and is to be written now; what has ended."""
        now_s, written = self._now_s(), []
        if self._look_at_s - LOOK_S <= now_s < self._look_at_s:
            return []
        self._look_at_s = now_s + LOOK_S
        for key, kind in tuple(self._kinds.items()):
            if kind.until_s - AGAIN_S <= now_s < kind.until_s:
                continue
            if kind.unsaid:
                written.append(kind.goes_on(now_s))
                continue
            if kind.was_counted:
                written.append(_with(kind.record, f"(not again for {AGAIN_S / 60:.0f} minutes)"))
            del self._kinds[key]
        for place in self._places.values():
            if place.record is not None and now_s >= place.bucket.at_s + VARIED_EVERY_S:
                written.append(_with(place.record, f"(and {place.unsaid - 1} others, left out)"))
                place.unsaid, place.record = 0, None
        return written

    def _says_too_much(self, record: logging.LogRecord, now_s: float) -> bool:
        key = (record.name, record.levelno, str(record.msg)[:300])
        place = self._places.get(key)
        if place is None:
            place = _CallSite(TokenBucket(VARIED_AT_ONCE, 1 / VARIED_EVERY_S, now_s))
        self._places[key] = place
        if place.bucket.take(now_s):
            return False
        place.unsaid += 1
        place.record = record
        return True


class RepetitionHandler(logging.Handler):
    """Hands on to another handler what is to be written."""

    def __init__(self, inner: logging.Handler, now_s: Clock) -> None:
        super().__init__()
        self._inner = inner
        self._repetitions = Repetitions(now_s)

    def emit(self, record: logging.LogRecord) -> None:
        """Write it, or count it."""
        for written in self._repetitions.take(record):
            self._inner.handle(written)

    def tell_due(self) -> None:
        """Write what was counted and is due; to be called now and then."""
        self.acquire()
        try:
            for written in self._repetitions.due():
                self._inner.handle(written)
        finally:
            self.release()


def _text(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, LookupError):  # its arguments do not fit its text
        return str(record.msg)


def _with(record: logging.LogRecord, more: str) -> logging.LogRecord:
    copied = copy.copy(record)
    copied.msg, copied.args = f"{_text(record)} {more}", ()
    copied.exc_info = copied.exc_text = None
    return copied
