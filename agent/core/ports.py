"""What the shell's rooms need from each other, as small protocols."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from agent.core.events import Event
from agent.core.values import Instant


class Clock(Protocol):
    """The only place where time comes from."""

    def now(self) -> Instant:
        """Both clocks, read together."""

    def monotonic_s(self) -> float:
        """The clock to wait by, alone."""

    def learn(self, utc: datetime) -> None:
        """A trusted source says what time it is now."""

    def believe(self, booted_at: datetime, is_known: bool) -> None:
        """Go on with what is known or believed about the beginning of this boot.

        Asked for only while ``now().is_trusted`` is False.
        """


class Inbox(Protocol):
    """The way into the runtime. Everything that happens goes through here."""

    def post(self, event: Event) -> None:
        """Hand in an event; never blocks, callable from any thread."""

    async def request(self, make_event: Callable[[str], Event]) -> str:
        """Post ``make_event(request_id)``, wait for the core's Reply and return its status.

        Raises TimeoutError when the core does not reply in time.
        """
