"""From what a reader sees in its field, poll by poll, to what a person did with a card.

Pure: no device, no clock. A tap is the *arrival* of a card; a card left lying is one tap. What lies
there when the reader starts has not arrived: it was not presented. After a power cut it would
begin a session, after a restart it would end one.
"""

from __future__ import annotations

from dataclasses import dataclass

from hw.ports_reader import (
    CardArrived,
    CardLay,
    CardLeft,
    CardUnreadable,
    ReaderEvent,
    SeveralCards,
)

# A resting card misses a poll now and then. It counts as removed only after this many misses
# in a row, which also lasted this long; otherwise a card left on the reader would start and stop
# for ever.
GONE_AFTER_MISSES = 3
GONE_AFTER_S = 1.0

# A card at the edge of the field fails once or twice before it is read.
FAILED_READS_TO_REPORT = 3
# The person whose card is already taken needs no word about a bad read, unless it goes on.
FAILED_BESIDE_CARD_S = 3.0

# A single collision may be a single card that is just coming in.
COLLISIONS_TO_REPORT = 2
# With two cards about, a stronger one may answer alone for a moment: it must go on doing so.
READS_TO_SETTLE = 3

# In the place of a UID: whatever lies in the field until it has been seen empty.
_WAS_THERE = b""


@dataclass(frozen=True, slots=True)
class EmptyField:
    """Nothing answered."""


@dataclass(frozen=True, slots=True)
class OneCard:
    """One card was read completely."""

    uid: bytes


@dataclass(frozen=True, slots=True)
class CollidingCards:
    """Two or more cards answered at the same time."""


@dataclass(frozen=True, slots=True)
class FailedRead:
    """Something answered and gave no whole UID; ``problem`` is a sentence for a person."""

    problem: str


FieldObservation = EmptyField | OneCard | CollidingCards | FailedRead


class TapDetector:
    """Turns one field observation per poll into arrivals, departures and troubles."""

    def __init__(self) -> None:
        self._uid: bytes | None = None
        self.begin()

    def begin(self) -> list[ReaderEvent]:
        """Look anew: no card arrives before the field has been seen empty, as when one leaves."""
        had_card = self._uid not in (None, _WAS_THERE)
        self._uid = _WAS_THERE
        self._was_lying_reported = False
        self._begin_presentation()
        return [CardLeft()] if had_card else []

    @property
    def is_idle(self) -> bool:
        """True while nothing lies in the field, as far as is known."""
        return self._uid is None and not self._is_disturbed

    def observe(self, seen: FieldObservation, now_s: float) -> list[ReaderEvent]:
        """Take what one poll saw at ``now_s`` (monotonic) and say what that means."""
        match seen:
            case EmptyField():
                return self._miss(now_s)
            case OneCard(uid):
                self._misses = 0
                return self._read(uid)
            case CollidingCards():
                self._misses = 0
                return self._collide()
            case FailedRead(problem):
                self._misses = 0  # something is still there
                return self._fail(problem, now_s)

    def _begin_presentation(self) -> None:
        self._misses = 0
        self._missed_since_s = 0.0
        self._was_unreadable_reported = False
        self._restore_order()

    def _restore_order(self) -> None:
        self._is_disturbed = False  # collisions or failed reads since the field was in order
        self._failed_reads = 0
        self._failing_since_s = 0.0
        self._collisions = 0
        self._were_several_seen = False
        self._were_several_reported = False
        self._candidate: bytes | None = None
        self._candidate_reads = 0

    def _miss(self, now_s: float) -> list[ReaderEvent]:
        if self.is_idle:
            return []
        if self._misses == 0:
            self._missed_since_s = now_s
        self._misses += 1
        is_gone = self._misses >= GONE_AFTER_MISSES and now_s - self._missed_since_s >= GONE_AFTER_S
        if not is_gone:
            return []
        had_card = self._uid not in (None, _WAS_THERE)
        self._uid = None
        self._begin_presentation()
        return [CardLeft()] if had_card else []

    def _read(self, uid: bytes) -> list[ReaderEvent]:
        self._collisions = 0
        self._failed_reads = 0
        if self._uid == _WAS_THERE:
            return self._lies()
        if uid == self._uid:
            return self._read_again(uid)
        must_settle = self._uid is not None or self._were_several_seen
        if must_settle and not self._has_settled(uid):
            return []
        left: list[ReaderEvent] = [CardLeft()] if self._uid is not None else []
        self._uid = uid
        self._begin_presentation()
        return [*left, CardArrived(uid)]

    def _lies(self) -> list[ReaderEvent]:
        self._restore_order()
        if self._was_lying_reported:
            return []
        self._was_lying_reported = True
        return [CardLay()]

    def _read_again(self, uid: bytes) -> list[ReaderEvent]:
        """The card that was taken is still there: never a second tap."""
        is_other_about = self._candidate not in (None, uid)
        settled = self._has_settled(uid)
        if is_other_about:  # this card, another, this card again: both lie in the field
            return self._report_several()
        if settled:
            self._restore_order()
        return []

    def _has_settled(self, uid: bytes) -> bool:
        if uid != self._candidate:
            self._candidate, self._candidate_reads = uid, 0
        self._candidate_reads += 1
        return self._candidate_reads >= READS_TO_SETTLE

    def _collide(self) -> list[ReaderEvent]:
        self._is_disturbed = True
        self._were_several_seen = True
        self._candidate = None
        self._collisions += 1
        return self._report_several() if self._collisions >= COLLISIONS_TO_REPORT else []

    def _report_several(self) -> list[ReaderEvent]:
        self._is_disturbed = True
        self._were_several_seen = True
        if self._were_several_reported:
            return []
        self._were_several_reported = True
        return [SeveralCards()]

    def _fail(self, problem: str, now_s: float) -> list[ReaderEvent]:
        self._is_disturbed = True
        self._candidate = None
        if self._failed_reads == 0:
            self._failing_since_s = now_s
        self._failed_reads += 1
        lasts = self._uid is None or now_s - self._failing_since_s >= FAILED_BESIDE_CARD_S
        if self._was_unreadable_reported or self._failed_reads < FAILED_READS_TO_REPORT:
            return []
        if not lasts or self._were_several_reported:
            return []
        self._was_unreadable_reported = True
        return [CardUnreadable(problem)]
