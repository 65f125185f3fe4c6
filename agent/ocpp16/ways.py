"""Which connection profile is tried next; the rules are in ``agent.core.connection_profile``."""

from __future__ import annotations

from collections.abc import Callable

from agent.core.connection_profile import TRIES, Approach, Approaches, ways


class Ways:
    """Counts what failed in a row. ``known`` gives what is known at the moment."""

    def __init__(self, known: Callable[[], Approaches]) -> None:
        self._known = known
        self._trial: Approach | None = None
        self._trial_failures = 0
        self._settled_failures = 0
        self._has_begun = False

    @property
    def wanted(self) -> Approach:
        """The one to be tried first."""
        return self.to_try()[0]

    def to_try(self) -> tuple[Approach, ...]:
        """Those to try now, one right after the other."""
        known = self._known()
        if known.trial != self._trial:
            self._trial, self._trial_failures, self._settled_failures = known.trial, 0, 0
            if not self._has_begun:
                # A trial from before the restart: nobody knows how often it has failed, and a box
                # that restarts again and again must still find back.
                self._trial_failures = TRIES - 1
        self._has_begun = True
        return ways(known, self._trial_failures, self._settled_failures)

    def leads_elsewhere(self, approach: Approach) -> bool:
        """True for a trial that counts only once that central system has accepted this box."""
        return self._known().leads_elsewhere and self.is_trial(approach)

    def is_trial(self, approach: Approach) -> bool:
        """True for the way that has not worked yet."""
        return approach == self._known().trial

    def failed(self, approach: Approach) -> None:
        """It did not work."""
        if approach == self._trial:
            self._trial_failures += 1
        else:
            self._settled_failures += 1

    def worked(self, approach: Approach) -> None:
        """A connection is open. Whether a trial has worked is for the core to say."""
        if approach != self._trial:
            self._settled_failures = 0
