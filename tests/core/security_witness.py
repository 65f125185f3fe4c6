"""Watches over what is promised of security events and of root certificates, in any story.

As ``tests.core.witness``: from events and commands, not with the functions that are watched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.core import events as ev
from agent.core.certificates import Certificate, InstalledRoot, RemoveRoot, RootUse, SaveRoot
from agent.core.commands import Command
from agent.core.events import Event
from agent.core.security_event_values import (
    RecordSecurityEvent,
    RemoveSecurityEvents,
    SecurityEvent,
    SecurityEventNotTold,
    SecurityEventTold,
    SecurityQueueWasEmpty,
    TellSecurityEvent,
)
from agent.core.state import ChargePoint

HOUR_S = 3600.0
LINES_AN_HOUR = 41  # of one type: 20 at the end of one hour and 20 of the next, and how many more


@dataclass
class SecurityWitness:
    """What the store would hold, and what has been ordered so far."""

    queue: dict[int, SecurityEvent] = field(default_factory=dict)  # by the number of their lines
    queued: list[int] = field(default_factory=list)  # every number that was ever in it
    roots: dict[tuple[RootUse, str], InstalledRoot] = field(default_factory=dict)
    last_order: TellSecurityEvent | None = None
    is_in_flight: bool = False
    is_unwanted: bool = False
    _lines: int = 0
    _recorded_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _chain: tuple[Certificate, ...] = ()
    _has_tls: bool = False
    _has_used_tls: bool = False

    def watch(
        self, event: Event, after: ChargePoint, commands: Sequence[Command], now_s: float
    ) -> None:
        """Look at one turn; AssertionError names the promise that it breaks."""
        self._note(event)
        for command in commands:
            match command:
                case RecordSecurityEvent():
                    self._is_recorded(command, after, now_s)
                case RemoveSecurityEvents(up_to):
                    self._may_be_removed(event, up_to)
                case TellSecurityEvent():
                    self._may_be_told(command, after)
                case SaveRoot(root):
                    self._may_be_kept(event, root)
                    self.roots[_place(root)] = root
                case RemoveRoot(root):
                    self._may_be_deleted(event, root)
                    del self.roots[_place(root)]
                case _:
                    pass
        kept = {_place(root): root for root in after.certificates.installed}
        assert kept == self.roots, "roots that the store does not have, or has for nothing"
        assert len(kept) <= after.configuration.integer("CertificateStoreMaxLength")

    def _note(self, event: Event) -> None:
        match event:
            case SecurityEventTold() | SecurityEventNotTold() | SecurityQueueWasEmpty():
                if self.last_order is not None and event.order == self.last_order.order:
                    self.is_in_flight = False
                    self.is_unwanted |= (
                        isinstance(event, SecurityEventNotTold) and event.is_unwanted
                    )
            case ev.LinkAccepted() | ev.LinkPending() | ev.LinkLost():
                self.is_in_flight = False
            case ev.LinkOpened():
                self._chain = event.chain
                self._has_tls = event.approach.has_tls
                self._has_used_tls |= self._has_tls
            case _:
                pass

    # --- events ----------------------------------------------------------------------------------

    def _is_recorded(self, row: RecordSecurityEvent, after: ChargePoint, now_s: float) -> None:
        kind = row.event.type
        assert len(row.event.tech_info) <= 255
        assert row.event.tech_info.isprintable(), "more than one line"
        recorded_s = self._recorded_s[kind.value]
        recorded_s.append(now_s)
        recent = [one for one in recorded_s if now_s - one < HOUR_S]
        assert len(recent) <= LINES_AN_HOUR, "somebody can fill the log"
        is_disabled = after.configuration.boolean("DisableSecurityEventNotifications")
        is_wanted = not (is_disabled or self.is_unwanted)
        assert row.is_queued or not (kind.is_critical and is_wanted), "nobody is told of it"
        self._lines += 1
        if row.is_queued:
            self.queued.append(self._lines)
            self.queue[self._lines] = row.event

    def _may_be_removed(self, event: Event, up_to: int | None) -> None:
        if up_to is None:
            assert isinstance(event, SecurityEventNotTold), "given up by nobody"
            assert event.is_unwanted, "given up, though it is wanted"
            self.queue.clear()
            return
        assert isinstance(event, SecurityEventTold), "forgotten, though nobody has taken it"
        assert event.number == up_to
        for number in [one for one in self.queue if one <= up_to]:
            del self.queue[number]

    def _may_be_told(self, order: TellSecurityEvent, after: ChargePoint) -> None:
        assert after.online, "an event told while offline"
        assert not after.configuration.boolean("DisableSecurityEventNotifications")
        assert not self.is_in_flight, "two events in flight"
        assert order.up_to == len(self.queued), "events that the delivery does not know of"
        self.last_order, self.is_in_flight = order, True

    # --- root certificates -----------------------------------------------------------------------

    def _may_be_kept(self, event: Event, root: InstalledRoot) -> None:
        is_new = _place(root) not in self.roots
        if is_new:
            assert isinstance(event, ev.InstallRootRequested), "nobody wanted it"
            has_central = any(use is RootUse.CENTRAL_SYSTEM for use, _ in self.roots)
            is_first = not (self._has_used_tls or has_central)
            assert self._has_tls or is_first, "installed by anybody on the way"

    def _may_be_deleted(self, event: Event, root: InstalledRoot) -> None:
        if not isinstance(event, ev.DeleteRootRequested):
            return
        assert self._has_tls or not self._has_used_tls, "deleted by anybody on the way"
        if root.use is RootUse.CENTRAL_SYSTEM:
            assert root.certificate.fingerprint != self._in_use(), "the root in use was deleted"

    def _in_use(self) -> str:
        central = {name for use, name in self.roots if use is RootUse.CENTRAL_SYSTEM}
        return next((one.fingerprint for one in self._chain if one.fingerprint in central), "")


def _place(root: InstalledRoot) -> tuple[RootUse, str]:
    return root.use, root.certificate.fingerprint
