"""Card reader driver for readers that print: one line per card on a serial port (usually 9600 8N1).

``LineParser`` and ``LineTaps`` are pure: bytes to lines to taps. The driver only owns the port.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from typing import Any

from hw.iso14443 import is_truncated
from hw.ports import BoardError
from hw.ports_reader import (
    CardArrived,
    CardLay,
    CardLeft,
    CardUnreadable,
    CodeArrived,
    ReaderEvent,
    ReaderFailed,
    ReaderRecovered,
)
from hw.settings import ReaderSettings

logger = logging.getLogger(__name__)

LINE_BYTES_MAX = 64
UID_DIGITS = (8, 14, 20)
CODE_CHARACTERS_MAX = 20
RESTS_S = 2.0  # readers repeat the line while the card rests; after this silence it was removed

READ_TIMEOUT_S = 0.25
READ_BYTES_MAX = 4096
REOPEN_S = 3.0
STOP_S = 0.9

STX, ETX = 0x02, 0x03
LINE_ENDS = (0x0A, 0x0D, ETX)

Line = CardArrived | CodeArrived | CardUnreadable


class LineParser:
    """Cuts bytes into lines and says what each line is. Any bytes are accepted."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._is_too_long = False

    def feed(self, received: bytes) -> list[Line]:
        """Take what arrived and return what the lines that ended in it are, in order."""
        lines: list[Line] = []
        for byte in received:
            if byte in LINE_ENDS:
                if (line := self._end_line()) is not None:
                    lines.append(line)
            elif byte == STX:
                self._begin_line()  # whatever came before was noise
            elif len(self._line) < LINE_BYTES_MAX:
                self._line.append(byte)
            else:
                self._is_too_long = True
        return lines

    def forget(self) -> None:
        """Drop an unfinished line: the port was lost."""
        self._begin_line()

    def _begin_line(self) -> None:
        self._line.clear()
        self._is_too_long = False

    def _end_line(self) -> Line | None:
        was_too_long, line = self._is_too_long, bytes(self._line)
        self._begin_line()
        if was_too_long:
            return CardUnreadable(f"The reader sent a line of more than {LINE_BYTES_MAX} bytes.")
        return read_line(line)


def read_line(line: bytes) -> Line | None:
    """What one line means: a UID, a ready-made code, neither; None for an empty line.

    Control characters do not count. Hex digits that are too few or too many for a UID are a
    damaged UID, never a code; decimal digits alone (keypads, decimal readers) may be a code.
    """
    kept = bytes(byte for byte in line if byte >= 0x20 and byte != 0x7F)
    text = kept.decode("ascii", errors="replace").strip()
    if not text:
        return None
    digits = re.sub("[-: ]", "", text)
    if re.fullmatch("[0-9A-Fa-f]+", digits):
        if len(digits) in UID_DIGITS:
            return _card(bytes.fromhex(digits))
        if not text.isdigit():
            return CardUnreadable(
                f"The reader sent {len(digits)} hex digits; a card number has 8, 14 or 20."
            )
    if len(text) > CODE_CHARACTERS_MAX:
        return CardUnreadable(
            f"The reader sent {len(text)} characters; a code has at most {CODE_CHARACTERS_MAX}."
        )
    if not text.isascii():
        return CardUnreadable("The reader sent characters that no code may have.")
    return CodeArrived(text)


def _card(uid: bytes) -> Line:
    if is_truncated(uid):
        return CardUnreadable("The reader gave only the beginning of the card's number.")
    return CardArrived(uid)


class LineTaps:
    """From repeated lines to taps: a card that rests on the reader is one tap.

    A card arrives only after a silence: what is printed when the looking begins lay there already,
    or is the end of a line whose beginning was not read.
    """

    def __init__(self) -> None:
        self._present: CardArrived | CodeArrived | CardLay | None = None
        self._seen_at_s = 0.0
        self._unreadable_until_s = float("-inf")

    def begin(self, now_s: float) -> list[ReaderEvent]:
        """Look anew from ``now_s`` on."""
        left = self._left()
        self._present, self._seen_at_s = CardLay(), now_s
        self._was_lying_reported = False
        return left

    def observe(self, lines: list[Line], now_s: float) -> list[ReaderEvent]:
        """Take the lines that arrived at ``now_s`` (may be none) and say what that means."""
        events: list[ReaderEvent] = []
        if self._present is not None and now_s - self._seen_at_s > RESTS_S:
            events += self._left()
        for line in lines:
            if isinstance(line, CardUnreadable):
                events += self._unreadable(line, now_s)
            else:
                events += self._arrived(line, now_s)
        return events

    def _arrived(self, line: CardArrived | CodeArrived, now_s: float) -> list[ReaderEvent]:
        self._seen_at_s = now_s
        if self._present == CardLay():
            was_reported, self._was_lying_reported = self._was_lying_reported, True
            return [] if was_reported else [CardLay()]
        if line == self._present:
            return []
        left = self._left()
        self._present = line
        return [*left, line]

    def _left(self) -> list[ReaderEvent]:
        had_card = self._present not in (None, CardLay())
        self._present = None
        return [CardLeft()] if had_card else []

    def _unreadable(self, line: CardUnreadable, now_s: float) -> list[ReaderEvent]:
        """Once per presentation: noise may come as hundreds of lines."""
        was_reported = now_s <= self._unreadable_until_s
        self._unreadable_until_s = now_s + RESTS_S
        return [] if was_reported else [line]


class SerialReader:
    """Sees cards arrive on a reader that prints. See ``CardReader`` in hw.ports."""

    def __init__(
        self,
        settings: ReaderSettings,
        clock: Callable[[], float],
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """Prepare; the port is opened by the first poll, and may be missing.

        ``clock`` gives monotonic seconds. Raises BoardError when no port is named or pyserial is
        not installed.
        """
        if not settings.port:
            raise BoardError('reader.port is missing; reader.driver = "serial" needs it')
        try:
            import serial
        except ImportError as cause:
            raise BoardError(
                'reader.driver = "serial" needs the package pyserial; install it: '
                "pip install pyserial"
            ) from cause
        self._serial_class: Any = serial.Serial
        self._settings = settings
        self._clock = clock
        self._read_timeout_s = read_timeout_s
        self._parser = LineParser()
        self._taps = LineTaps()
        self._port: Any = None
        self._open_at_s = clock()
        self._is_failure_reported = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, report: Callable[[ReaderEvent], None]) -> None:
        """Begin to read lines; ``report`` is called from the reader's thread."""
        assert self._thread is None, "the reader was started twice"
        self._thread = threading.Thread(
            target=self._run, args=(report,), name="card reader", daemon=True
        )
        self._thread.start()

    def shut_down(self) -> None:
        """Stop the thread and close the port. Safe to repeat."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(STOP_S)
            if self._thread.is_alive():
                logger.warning("Card reader: its thread has not ended after %s s", STOP_S)
        self._drop_port()

    def _run(self, report: Callable[[ReaderEvent], None]) -> None:
        while not self._stopping.is_set():
            try:
                for event in self.poll_once():
                    report(event)
            except Exception:
                logger.exception("Card reader: an event was lost")
            if self._port is None:
                self._stopping.wait(self._read_timeout_s)

    def poll_once(self) -> list[ReaderEvent]:
        """Wait shortly for bytes, or try to open the port when it is time. Never raises."""
        if self._stopping.is_set():
            return []
        events: list[ReaderEvent] = []
        lines: list[Line] = []
        try:
            if self._port is None and self._clock() >= self._open_at_s:
                self._port = self._open()
                events += self._opened()
            if self._port is not None:
                lines = self._parser.feed(self._read())
        except OSError as problem:  # serial.SerialException is one
            events += self._failed(self._sentence(problem))
        except Exception as bug:
            logger.exception("Card reader: unexpected failure")
            events += self._failed(f"The card reader failed unexpectedly: {bug}.")
        return [*events, *self._taps.observe(lines, self._clock())]

    def _open(self) -> Any:
        port = self._serial_class(
            self._settings.port,
            self._settings.baud,
            timeout=self._read_timeout_s,
            exclusive=True,  # a second program on the port would steal every other byte
        )
        port.reset_input_buffer()  # what the kernel kept was printed before the reader was started
        return port

    def _read(self) -> bytes:
        first: bytes = self._port.read(1)
        if not first:
            return b""
        rest: bytes = self._port.read(min(self._port.in_waiting, READ_BYTES_MAX))
        return first + rest

    def _opened(self) -> list[ReaderEvent]:
        logger.info("Card reader: port %s is open", self._settings.port)
        begun = self._taps.begin(self._clock())
        if not self._is_failure_reported:
            return begun
        self._is_failure_reported = False
        return [*begun, ReaderRecovered()]

    def _failed(self, problem: str) -> list[ReaderEvent]:
        self._drop_port()
        self._parser.forget()
        self._open_at_s = self._clock() + REOPEN_S
        if self._is_failure_reported:
            return []
        self._is_failure_reported = True
        logger.error("Card reader: out of order: %s", problem)
        return [ReaderFailed(problem)]

    def _drop_port(self) -> None:
        port, self._port = self._port, None
        if port is None:
            return
        try:
            port.close()
        except OSError as problem:
            logger.debug("Card reader: closing %s failed: %s", self._settings.port, problem)

    def _sentence(self, problem: OSError) -> str:
        return (
            f"The card reader's port {self._settings.port} cannot be used ({problem}): check that "
            "the reader is plugged in, that reader.port names it, that no other program uses it, "
            "and that the service's user is in the group dialout."
        )
