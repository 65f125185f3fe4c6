"""Which connection profile is tried next: after what has failed, and after what was changed."""

from __future__ import annotations

from collections.abc import Callable

from agent.core.connection_profile import TRIES, ConnectionProfile, ConnectionProfiles, ways


class ConnectionAttempts:
    """Counts the failures in a row of each connection profile.

    ``known`` gives the profiles as the core has them at the moment.
    """

    def __init__(self, known: Callable[[], ConnectionProfiles]) -> None:
        self._known = known
        self._trial: ConnectionProfile | None = None
        self._trial_failures = 0
        self._settled_failures = 0
        self._has_begun = False

    @property
    def wanted(self) -> ConnectionProfile:
        """The one to be tried first."""
        return self.to_try()[0]

    def to_try(self) -> tuple[ConnectionProfile, ...]:
        """Those to try now, one right after the other."""
        known = self._known()
        if known.trial != self._trial:
            self._trial, self._trial_failures, self._settled_failures = known.trial, 0, 0
            if not self._has_begun:
                # A trial from before the restart: how often it has failed is not known, and a box
                # that restarts again and again must still return to what worked.
                self._trial_failures = TRIES - 1
        self._has_begun = True
        return ways(known, self._trial_failures, self._settled_failures)

    def leads_elsewhere(self, profile: ConnectionProfile) -> bool:
        """True for a trial that counts only once that central system has accepted this box."""
        return self._known().leads_elsewhere and self.is_trial(profile)

    def is_trial(self, profile: ConnectionProfile) -> bool:
        """True for the profile that has not worked yet."""
        return profile == self._known().trial

    def failed(self, profile: ConnectionProfile) -> None:
        """It did not work."""
        if profile == self._trial:
            self._trial_failures += 1
        else:
            self._settled_failures += 1

    def worked(self, profile: ConnectionProfile) -> None:
        """A connection is open. Whether a trial has worked is for the core to say."""
        if profile != self._trial:
            self._settled_failures = 0
