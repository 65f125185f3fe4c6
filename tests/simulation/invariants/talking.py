"""How the box talks: one call at a time, legal states, no storms (invariants 8, 9, promise 6)."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from typing import Any

from ocpp.messages import MessageType, get_validator  # type: ignore[import-untyped]

from agent.core import events as ev
from agent.core.certificates import INSTALLED_MAX
from agent.core.commands import Command, NotifyStatus
from agent.core.events import Event
from agent.core.state import ChargePoint
from agent.core.values import Status
from agent.ocppj.backoff import QUICK_RETURNS_MAX
from tests.core.transitions import is_legal
from tests.simulation.invariants.base import Invariant

_CALL = 2
_WINDOW_S = 60.0
# Doubling from 3 s, begun anew after each link that stood for half a minute; and those that come
# back at once after a link that worked and was lost early.
_SHUT_OUT_MAX = 12  # two certificates, three times on trial
_ATTEMPTS_MAX = 9 + QUICK_RETURNS_MAX


class OneCallAtATime(Invariant):
    """On each connection; a call that was given up counts as answered."""

    promise = "At most one of our calls waits for its answer"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._open: tuple[Any, str, str, float] | None = None

    def sent(self, connection: Any, frame: Any) -> None:
        if frame[0] != _CALL:
            return
        self.look()
        if self._open is not None and self._open[0] is connection:
            _, unique_id, action, since_s = self._open
            # Authorize has a budget that runs from the tap: it may be over at once.
            is_given_up = self.now_s() - since_s >= self.world.message_timeout_s - 0.01
            if not is_given_up and action != "Authorize":
                self.broken(f"{frame[2]} was sent while {action} {unique_id} waits")
        self._open = (connection, frame[1], frame[2], self.now_s())

    def delivered(self, connection: Any, text: str) -> None:
        if self._open is None or self._open[1] not in text:
            return
        try:
            frame = json.loads(text)
            if frame[0] in (3, 4) and frame[1] == self._open[1]:
                self._open = None
        except (ValueError, LookupError, TypeError, RecursionError):
            self._open = None  # it names the call: let it count


class LegalStatuses(Invariant):
    """Each report against the one before, since the link was accepted."""

    promise = "Every status notification follows a legal transition"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._told: dict[int, Status] = {}

    def ended(self) -> None:
        self._told.clear()

    def turned(
        self, before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
    ) -> None:
        if isinstance(event, ev.LinkAccepted):
            self._told.clear()
        for command in commands:
            if isinstance(command, NotifyStatus) and command.report.connector_id:
                self._check(command.report.connector_id, command.report.status)

    def _check(self, connector_id: int, status: Status) -> None:
        before = self._told.get(connector_id)
        self._told[connector_id] = status
        if before is not None:
            self.look()
        if before is not None and not is_legal(before, status):
            self.broken(f"connector {connector_id}: {before.value} -> {status.value}")


class WellFormed(Invariant):
    """Against the schemas of the standard."""

    promise = "Every message obeys the schema of OCPP 1.6"

    def sent(self, connection: Any, frame: Any) -> None:
        if frame[0] != _CALL:
            return
        self.look()
        validator = get_validator(MessageType.Call, frame[2], "1.6")
        problem = next(validator.iter_errors(frame[3]), None)
        if problem is not None:
            self.broken(f"{frame[2]}: {problem.message}")


class FindsItsCentralSystem(Invariant):
    """Whatever authority has signed the server's certificate, once the box has said it keeps it.

    And whichever of its own certificates it must show.
    """

    promise = "The box finds back to a central system whose authority it has accepted"

    def shook_hands(self) -> None:
        self.look()
        if self.world.signing.shut_out > _SHUT_OUT_MAX:
            self.broken("it shows nothing that lets it in, and has what would")
        if self.world.roots.refused > INSTALLED_MAX + 2:  # together, the file's, each alone
            self.broken(f"it trusts nothing that root {self.world.roots.shown} has signed")


class NoStorm(Invariant):
    """Attempts to connect, of one process."""

    promise = "The link comes back by itself, without storms"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._attempts: deque[float] = deque()

    def ended(self) -> None:
        self._attempts.clear()

    def attempted(self) -> None:
        self.look()
        now_s = self.now_s()
        self._attempts.append(now_s)
        while self._attempts[0] < now_s - _WINDOW_S:
            self._attempts.popleft()
        if len(self._attempts) > _ATTEMPTS_MAX:
            self.broken(f"{len(self._attempts)} attempts within {_WINDOW_S:g} s")

    def settled(self) -> None:
        state = self.world.state()
        if state is None or not state.online:
            self.broken("ten minutes after everything is well again there is no link")
