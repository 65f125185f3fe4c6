"""Whether the central system has accepted this charge point, for as long as this process lives."""

from __future__ import annotations

from datetime import datetime
from random import Random

from agent.core.ports import Clock
from agent.ocpp16.confirmations import BootAnswer

_OWN_RETRY_S = 60.0
_RETRY_MIN_S = 10.0  # whatever a central system says: OCPP 1.6, 4.2 wants it not to be flooded
_JITTER_S = 10.0
_WAIT_MAX_S = 86_400.0


class Registration:
    """Status after BootNotification, and when the next one may go. Times are the loop's."""

    def __init__(self, random: Random, clock: Clock) -> None:
        self._random = random
        self._clock = clock
        self._asked_at_s: float | None = None
        self.status = ""  # Accepted, Pending, Rejected; empty: not answered yet
        self.is_on_trial = False  # the central system counts only once it has accepted us
        self.ask_not_before_s = float("-inf")

    @property
    def is_accepted(self) -> bool:
        """Everything may flow."""
        return self.status == "Accepted"

    @property
    def answers_calls(self) -> bool:
        """Calls of the central system are answered (OCPP 1.6, 4.2)."""
        return self.status in ("Accepted", "Pending")

    def learn_time(self, time: datetime | None, status: str = "", is_late: bool = False) -> None:
        """Set the clock by an answer; ``status`` is what that says about the registration.

        A central system on trial counts only once it accepts: any server has a time. A time that
        comes late is wrong by seconds, and only better than a clock that is not set.
        """
        counts = not self.is_on_trial or (status or self.status) == "Accepted"
        if time is not None and counts and not (is_late and self._clock.now().is_trusted):
            self._clock.learn(time)

    def asked(self, now_s: float) -> None:
        """A BootNotification goes out now."""
        self._asked_at_s = now_s

    def answered(self, answer: BootAnswer, now_s: float) -> None:
        """BootNotification.conf came."""
        self.status = answer.status
        wait_s = float(answer.interval_s or 0)
        if wait_s <= 0:  # OCPP 1.6, 4.2: then the charge point chooses, without flooding
            wait_s = _OWN_RETRY_S
        wait_s = min(max(wait_s, _RETRY_MIN_S), _WAIT_MAX_S)
        self.ask_not_before_s = now_s + self._jittered(wait_s)

    def not_answered(self, now_s: float) -> None:
        """Silence, CALLERROR or nonsense: ask again after our own interval."""
        self.ask_not_before_s = now_s + self._jittered(_OWN_RETRY_S)

    def ask_now(self) -> None:
        """The central system wants the next BootNotification before the interval is over."""
        if not self.is_accepted:
            self.ask_not_before_s = float("-inf")

    def forgotten(self) -> None:
        """The central system answers a call as if it had never accepted us: register again."""
        self.status = ""
        if self._asked_at_s is not None:
            self.ask_not_before_s = self._asked_at_s + self._jittered(_OWN_RETRY_S)

    def begin_anew(self) -> None:
        """Another central system: it has not been asked yet."""
        self.status = ""
        self.ask_not_before_s = float("-inf")

    def _jittered(self, wait_s: float) -> float:
        # The interval is a minimum; boxes that got the same must not return in step.
        return wait_s + self._random.uniform(0, min(_JITTER_S, wait_s / 10))
