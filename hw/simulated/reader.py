"""A simulated card reader."""

from __future__ import annotations

import re
from collections.abc import Callable

from hw.ports_reader import (
    CardArrived,
    CardLeft,
    CodeArrived,
    ReaderEvent,
    ReaderFailed,
    ReaderRecovered,
)
from hw.simulated.part import SimulatedFault, SimulatedPart

CODE_LENGTH_MAX = 20
_UID = re.compile(r"(?:[0-9A-Fa-f]{8}|[0-9A-Fa-f]{14}|[0-9A-Fa-f]{20})")


class SimulatedReader(SimulatedPart):
    """Reports the cards that ``tap`` holds to it, in the caller's thread. May hang."""

    can_fail = frozenset({SimulatedFault.READER_HANG})

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._report: Callable[[ReaderEvent], None] | None = None

    def start(self, report: Callable[[ReaderEvent], None]) -> None:
        """Begin to report."""
        self._report = report
        self.note("started")
        if SimulatedFault.READER_HANG in self.faults:
            self._follow()

    def shut_down(self) -> None:
        """Report nothing any more. Safe to repeat."""
        self._report = None
        self.note("shut down")

    def tap(
        self,
        uid_or_code: str,
        is_code: bool = False,
        connector_id: int | None = None,
        request_id: str | None = None,
    ) -> bool:
        """Hold a card to it and take it away: a UID in 8, 14 or 20 hex digits, or a ready tag.

        A tag is 1 to 20 printable ASCII characters; with ``is_code`` also one that looks like a
        UID. ValueError for anything else, and before ``start``. False: it hangs, and sees
        nothing. ``connector_id``: the reader of this connector, where each has one.
        ``request_id`` goes with the event, to be answered.
        """
        events = _what_it_reads(uid_or_code, is_code, connector_id, request_id)
        if self._report is None:
            raise ValueError("the reader is not started")
        if SimulatedFault.READER_HANG in self.faults:
            self.note("a card was not seen")
            return False
        self.note("a card was seen")
        for event in events:
            self._report(event)
        return True

    def _follow(self) -> None:
        if self._report is not None:
            hangs = SimulatedFault.READER_HANG in self.faults
            problem = "The reader does not answer (simulated)."
            self._report(ReaderFailed(problem) if hangs else ReaderRecovered())


def _what_it_reads(
    uid_or_code: str, is_code: bool, connector_id: int | None, request_id: str | None
) -> list[ReaderEvent]:
    if not is_code and _UID.fullmatch(uid_or_code):
        return [CardArrived(bytes.fromhex(uid_or_code), connector_id, request_id), CardLeft()]
    is_printable = uid_or_code.isascii() and uid_or_code.isprintable()
    if not is_printable or not 1 <= len(uid_or_code) <= CODE_LENGTH_MAX or uid_or_code.isspace():
        raise ValueError(
            "a card is a UID of 8, 14 or 20 hex digits, or a tag of 1 to 20 printable ASCII "
            f"characters; got {uid_or_code[:40]!r}"
        )
    return [CodeArrived(uid_or_code, connector_id, request_id)]
