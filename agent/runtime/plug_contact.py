"""What a plug contact means: it bounces, and a switch in a cable's latch gives way for a moment.

The reflex does not wait for this: it opens at the first look that sees no plug.
"""

from __future__ import annotations

DEBOUNCE_S = 0.05
DOUBT_S = 1.0  # a contact that has not rested for so long is as good as none


class PlugContact:
    """Believes a level once it has rested for ``debounce_s``."""

    def __init__(self, debounce_s: float) -> None:
        """``debounce_s`` 0: every level is believed at once (simulated contacts)."""
        self.is_plugged: bool | None = None  # as believed; None: nothing yet
        self._debounce_s = debounce_s
        self._level: bool | None = None
        self._moved_at_s = 0.0
        self._doubted_at_s: float | None = None  # it has moved, and not rested since

    @property
    def may_be_unplugged(self) -> bool:
        """True while it is open whether the plug is still in."""
        return self.is_plugged is True and self._doubted_at_s is not None

    def due_at(self) -> float | None:
        """Monotonic time at which a plug in doubt is certain, if its contact rests until then."""
        return self._moved_at_s + self._debounce_s if self.may_be_unplugged else None

    def look(self, is_made: bool, now_s: float) -> bool:
        """Take note of the level; True if something else is believed from now on.

        A contact that never rests counts as no plug after ``DOUBT_S``.
        """
        if is_made is not self._level:
            self._level, self._moved_at_s = is_made, now_s
            if self._doubted_at_s is None:
                self._doubted_at_s = now_s
        if self._doubted_at_s is None:
            return False
        if now_s >= self._moved_at_s + self._debounce_s:
            self._doubted_at_s = None
        elif self.is_plugged and now_s >= self._doubted_at_s + DOUBT_S:
            is_made = False
        else:
            return False
        was_plugged, self.is_plugged = self.is_plugged, is_made
        return was_plugged is not is_made
