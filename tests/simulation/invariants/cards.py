"""Who may charge, and that the reason is kept (invariant 3, promises 1, 4 and 5)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from agent.core import events as ev
from agent.core.authorization_reasons import Rule
from agent.core.commands import Command, RecordDecision, SaveTransaction
from agent.core.events import Event
from agent.core.state import ChargePoint, Stopping
from agent.core.values import IdTagInfo
from agent.store import Store
from agent.store.reading import read_facts
from tests.simulation.cards import ACCEPTED
from tests.simulation.invariants.base import Invariant

_STILL_FRESH_S = 600.0  # a yes of the central system is used within this, or not at all
_ENTRIES_MAX = 10_000
_TAGS_ASKED = 20
_RULES = frozenset(rule.name for rule in Rule)
_DECIDED_WITHIN_S = 15.0


class KnownBadCardsDoNotCharge(Invariant):
    """Whatever list or cache say, unless the central system has said something else since."""

    promise = "A tag that is blocked, expired or invalid as far as we can know begins no session"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._begun: set[int] = set()

    def opened(self, reader: sqlite3.Connection, store: Store) -> None:
        # What was not committed has never been: its number is given anew.
        self._begun = set(self.world.ledger.sessions)

    def turned(
        self, before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
    ) -> None:
        for command in commands:
            if not isinstance(command, SaveTransaction):
                continue
            transaction = command.transaction
            if transaction.ref not in self._begun:
                self._begun.add(transaction.ref)
                self._begins(transaction.id_tag, after)

    def _begins(self, tag: str, state: ChargePoint) -> None:
        self.look()
        heard_s = self.world.central.accepted_at.get(tag)
        if heard_s is not None and self.now_s() - heard_s <= _STILL_FRESH_S:
            return
        facts = read_facts(self.world.reader(), tag)
        known = facts.list_entry
        if known is None and facts.cache_entry is not None:
            known = facts.cache_entry.info
        if known is None:
            if not state.configuration.boolean("AllowOfflineTxForUnknownId"):
                self.broken(f"{tag} began a session, and nobody knows it")
        elif not self._is_good(known):
            self.broken(f"{tag} began a session, and it is known as {known}")

    def _is_good(self, info: IdTagInfo) -> bool:
        assert self.world.process is not None
        now = self.world.process.clock.now().utc
        is_over = info.expires_at is not None and info.expires_at <= now
        return info.status is ACCEPTED and not is_over


class EveryCardGetsItsReason(Invariant):
    """A decision within the time that a person waits, with a rule that has a name."""

    promise = "Every card that is presented is decided about soon, for a reason that has a name"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._waiting: dict[str, float] = {}

    def ended(self) -> None:
        self._waiting.clear()

    def turned(
        self, before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
    ) -> None:
        if isinstance(event, ev.TagPresented) and not _is_second_tap(before, event.id_tag):
            self._waiting.setdefault(event.id_tag, self.now_s())
        for command in commands:
            if isinstance(command, RecordDecision):
                self.look()
                if command.record.rule not in _RULES:
                    self.broken(f"{command.record.rule!r} is no rule")
                self._waiting.pop(command.record.id_tag, None)
        if not self._waiting:
            return
        tag, since_s = next(iter(self._waiting.items()))
        process = self.world.process
        assert process is not None
        has_hung = process.hangs_until_s > since_s
        if self.now_s() - since_s > _DECIDED_WITHIN_S and not has_hung:
            self.broken(f"{tag} was presented {self.now_s() - since_s:.1f} s ago")


def _is_second_tap(state: ChargePoint, tag: str) -> bool:
    """True while what the first tap of this card began is on its way: the second one does nothing.

    (Presenting it later calls off the start, or is decided anew.)
    """
    grants = [*state.waiting, *(c.grant for c in state.connectors if c.grant is not None)]
    ending = [c.transaction for c in state.connectors if isinstance(c.phase, Stopping)]
    return any(one is not None and one.id_tag == tag for one in (*grants, *ending))


class ListIsWhole(Invariant):
    """The local list is one that the central system has sent, from the first entry to the last."""

    promise = "An update of the local list is all or nothing, also when the power is cut in it"

    def turned(
        self, before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
    ) -> None:
        """While one is being written every card is found as it was, or as it will be."""
        if not isinstance(event, ev.TagPresented):
            return
        facts = read_facts(self.world.reader(), event.id_tag)
        if not facts.list_version:
            return
        self.look()
        lists = self.world.lists.possible(facts.list_version)
        if all(content.get(event.id_tag) != facts.list_entry for content in lists):
            self.broken(f"{event.id_tag} was found as {facts.list_entry}")

    def opened(self, reader: sqlite3.Connection, store: Store) -> None:
        version = store.local_list().version
        if version == 0:
            return  # none has been accepted yet
        self.look()
        found = dict(store.list_page("", 0, _ENTRIES_MAX))
        if found not in self.world.lists.possible(version):
            self.broken(f"version {version} holds {sorted(found)}")
        for tag, info in list(found.items())[:: 1 + len(found) // _TAGS_ASKED]:
            if read_facts(reader, tag).list_entry != info:
                self.broken(f"{tag} is listed and not found")
        if version < self.world.lists.confirmed:
            self.broken(f"version {self.world.lists.confirmed} was accepted, now it is {version}")
