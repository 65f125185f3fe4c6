"""Figures of a session for its record in the charge log: who let it begin, power, pauses."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.replace import replace


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of a session so far. Saved with its transaction, but for ``open_since_s``.

    A pause is a time in which the contactor was open, so that no energy could flow: before the car
    asks for energy, between, and after it is full.
    """

    rule: str = ""  # name of the core.reasons.Rule that accepted its tag; empty: not known
    source: str = ""  # who said so, as in a DecisionRecord
    highest_w: int | None = None  # None: the meter has told no power
    longest_pause_s: int = 0  # whole seconds, rounded down
    open_since_s: float | None = None  # monotonic: a pause is under way

    def metered(self, power_w: float | None) -> Figures:
        """The figures after the meter has told this power."""
        if power_w is None:
            return self
        highest_w = max(self.highest_w or 0, round(power_w))
        return self if highest_w == self.highest_w else replace(self, highest_w=highest_w)

    def switched(self, is_closed: bool, now_s: float) -> Figures:
        """The figures once the contactor stands like this."""
        if is_closed == (self.open_since_s is None):
            return self
        if is_closed:
            return replace(self.until(now_s), open_since_s=None)
        return replace(self, open_since_s=now_s)

    def until(self, now_s: float) -> Figures:
        """The figures with the part that has passed of the pause that is under way."""
        if self.open_since_s is None:
            return self
        pause_s = int(now_s - self.open_since_s)
        return replace(self, longest_pause_s=max(self.longest_pause_s, pause_s))


NO_FIGURES = Figures()
