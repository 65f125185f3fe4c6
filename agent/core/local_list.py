"""The local authorization list: may this update be made, and does the list still agree?

OCPP 1.6 sections 3.5.2, 5.10 and 5.15. The entries are in the store; what is decided here needs
only their number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from agent.core import status_notification
from agent.core.authorization_rules import effective
from agent.core.commands import ActivateList, NotifyStatus, Reply
from agent.core.configuration import Configuration
from agent.core.events import Event, ListStaged
from agent.core.id_tag import is_valid_id_tag, mask
from agent.core.replace import replace
from agent.core.state import ListConflict
from agent.core.turn import Turn
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    ListEntry,
    ListOrigin,
    ListOwner,
    ListStatus,
    ListUpdate,
    ListUpdateKind,
    LocalList,
    TagRecord,
)

VERSION_MAX = 2**31 - 1  # what a central system's integer surely holds
CONFLICTS_MAX = 64  # conflicts that are kept in mind; the oldest is forgotten, and told again

# --- may this update be made? --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListDecision:
    """What becomes of an update, and why in words (empty when it is accepted)."""

    status: ListStatus
    detail: str = ""


ACCEPTED = ListDecision(ListStatus.ACCEPTED)


def decide(
    now: LocalList,
    configuration: Configuration,
    owner: ListOwner,
    update: ListUpdate,
    entries: int | None = None,
) -> ListDecision:
    """Decide on an update. ``entries``: how many the list would have; None: not known yet."""
    return (
        _whose(owner, update.origin)
        or _switched_off(configuration)
        or _by_version(now, update)
        or _by_size(configuration, update, entries)
        or ACCEPTED
    )


def invalid(origin: ListOrigin, detail: str) -> ListDecision:
    """The update itself is wrong: Failed for the central system, a word of its own for others."""
    from_csms = origin is ListOrigin.CENTRAL_SYSTEM
    return ListDecision(ListStatus.FAILED if from_csms else ListStatus.INVALID, detail)


def _whose(owner: ListOwner, origin: ListOrigin) -> ListDecision | None:
    if origin is ListOrigin.CENTRAL_SYSTEM:
        if owner is ListOwner.LOCAL:
            return ListDecision(ListStatus.NOT_SUPPORTED, "the list is kept on site")
        return None
    if owner is ListOwner.CSMS:
        words = 'the list belongs to the central system (local_list_owner = "csms")'
        return ListDecision(ListStatus.MANAGED, words)
    return None


def _switched_off(configuration: Configuration) -> ListDecision | None:
    if configuration.boolean("LocalAuthListEnabled"):
        return None
    words = "the list is switched off (LocalAuthListEnabled is false)"
    return ListDecision(ListStatus.NOT_SUPPORTED, words)


def _by_version(now: LocalList, update: ListUpdate) -> ListDecision | None:
    by_csms = update.origin is ListOrigin.CENTRAL_SYSTEM
    is_full_of_csms = by_csms and update.kind is ListUpdateKind.FULL
    # Errata 3.52: 0 means an empty list and -1 none at all; neither can be sent. With no entries
    # some central systems send it all the same, and mean what it means.
    empties = is_full_of_csms and update.received == 0 and update.version <= 0
    if update.kind is ListUpdateKind.CLEAR or empties:
        return None
    if not 1 <= update.version <= VERSION_MAX:
        words = f"a version is a number from 1 to {VERSION_MAX} (31 bits), and not {update.version}"
        return invalid(update.origin, words)
    # Section 7.47: a full list of the central system is never a mismatch.
    if update.version < next_version(now) and not is_full_of_csms:
        words = f"version {update.version} is not greater than {now.version}"
        return ListDecision(ListStatus.VERSION_MISMATCH, words)
    return None


def next_version(now: LocalList) -> int:
    """The least version that may follow; after the last one that there can be it begins anew."""
    return now.version + 1 if now.version < VERSION_MAX else 1


def _version_after(update: ListUpdate, entries: int) -> int:
    """The version that is kept. An operator's empty list has version 0, as one that is cleared.

    That of the central system keeps the version that came with it, if a list can have it.
    """
    is_emptied = update.kind is ListUpdateKind.FULL and not entries
    is_kept = update.origin is ListOrigin.CENTRAL_SYSTEM and update.version > 0
    return 0 if is_emptied and not is_kept else update.version


def _by_size(
    configuration: Configuration, update: ListUpdate, entries: int | None
) -> ListDecision | None:
    send_max = configuration.integer("SendLocalListMaxLength")
    # A file is no message: it may hold as much as the list may.
    if update.received > send_max and update.origin is not ListOrigin.COMMAND_LINE:
        words = f"{update.received} entries at once; SendLocalListMaxLength is {send_max}"
        return invalid(update.origin, words)
    if entries is None:
        entries = update.received if update.kind is ListUpdateKind.FULL else 0
    list_max = configuration.integer("LocalAuthListMaxLength")
    if entries > list_max:
        words = f"the list would have {entries} entries; LocalAuthListMaxLength is {list_max}"
        return invalid(update.origin, words)
    return None


def in_order(entries: Sequence[ListEntry]) -> list[ListEntry]:
    """The entries in the order of the store, which does not regard case."""
    return sorted(entries, key=lambda entry: entry.id_tag.lower())


def problem_with(kind: ListUpdateKind, entries: Sequence[ListEntry]) -> str:
    """Say what is wrong with entries that are ``in_order``; empty: nothing. Names no whole tag."""
    for entry in entries:
        if not is_valid_id_tag(entry.id_tag):
            return "an idTag is empty, longer than 20 characters, or not printable ASCII"
        if entry.info is None:
            if kind is ListUpdateKind.FULL:
                return f"the entry for {mask(entry.id_tag)} has no idTagInfo"
        elif entry.info.parent_id_tag is not None and not is_valid_id_tag(entry.info.parent_id_tag):
            return f"the parentIdTag of {mask(entry.id_tag)} is not usable"
    for one, other in pairwise(entries):
        if one.id_tag.lower() == other.id_tag.lower():
            return f"the idTag {mask(one.id_tag)} comes twice"
    return ""


def _staged(turn: Turn, event: ListStaged) -> None:
    """All is checked and in the store: now it counts, or never."""
    update = event.update
    state = turn.state
    decision = decide(
        state.local_list, state.configuration, state.rules.list_owner, update, event.entries
    )
    if decision.status is ListStatus.ACCEPTED:
        version = _version_after(update, event.entries)
        turn.state = replace(
            turn.state,
            local_list=LocalList(version, event.entries, event.generation),
            conflicts=(),
        )
        turn.emit(ActivateList(version, event.base, event.generation, event.entries))
    turn.emit(Reply(event.request_id, decision.status.value))


ROUTES: dict[type[Event], Callable[[Turn, Any], None]] = {ListStaged: _staged}

# --- does the list still agree? ------------------------------------------------------------------


def note_conflict(turn: Turn, id_tag: str, info: IdTagInfo, facts: TagRecord | None) -> None:
    """Tell the central system, once, that its answer contradicts its list (section 3.5.2).

    ``facts`` None: nobody could look into the list.
    """
    is_used = turn.state.configuration.boolean("LocalAuthListEnabled")
    if facts is None or facts.list_entry is None or not is_used:
        return
    conflict = _conflict(turn, id_tag, info, facts.list_entry)
    others = tuple(c for c in turn.state.conflicts if c.id_tag != id_tag.casefold())
    if conflict is None:
        turn.state = replace(
            turn.state, conflicts=others
        )  # they agree again: the next contradiction is a new one
    elif conflict not in turn.state.conflicts and turn.state.online:
        turn.state = replace(turn.state, conflicts=(*others, conflict)[-CONFLICTS_MAX:])
        report = status_notification.reports(turn.state, turn.now)[status_notification.CHARGE_POINT]
        words = _in_words(mask(id_tag), conflict)
        turn.emit(NotifyStatus(replace(report, error_code="LocalListConflict", info=words)))


def _conflict(turn: Turn, id_tag: str, info: IdTagInfo, listed: IdTagInfo) -> ListConflict | None:
    list_status = _comparable(effective(listed, turn.now.utc))
    status = _comparable(info.status)
    parent = (info.parent_id_tag or "").casefold()
    if status is list_status and parent == (listed.parent_id_tag or "").casefold():
        return None
    return ListConflict(id_tag.casefold(), list_status, status, parent)


def _comparable(status: AuthorizationStatus) -> AuthorizationStatus:
    """ConcurrentTx says that the tag is busy elsewhere: in the list it is as good as Accepted."""
    if status is AuthorizationStatus.CONCURRENT_TX:
        return AuthorizationStatus.ACCEPTED
    return status


def _in_words(masked: str, conflict: ListConflict) -> str:
    if conflict.listed is conflict.heard:
        return f"{masked}: the list has another parentIdTag"
    return f"{masked}: list {conflict.listed.value}, answer {conflict.heard.value}"
