"""Three accounts of the same sessions, and whether they agree. Pure.

The agent's journal, the central system's account, and what a witness saw at the box meanwhile.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.crash.central_system import Told

_SAME_MOMENT = timedelta(milliseconds=2)  # the wire has milliseconds, the journal microseconds


@dataclass(frozen=True, slots=True)
class JournalSession:
    """A session as the journal has it."""

    ref: int
    connector_id: int
    begun_at: datetime
    meter_start_wh: int
    last_wh: int  # as it was told last: of the last stored sample, at the end its meterStop
    transaction_id: int | None
    is_ended: bool


@dataclass(frozen=True, slots=True)
class JournalMessage:
    """A message that was seen waiting in the journal."""

    unique_id: str
    sequence: int
    ref: int
    action: str


@dataclass
class Journal:
    """Everything that was ever read from the journal."""

    sessions: dict[int, JournalSession] = field(default_factory=dict)  # by ref
    messages: dict[str, JournalMessage] = field(default_factory=dict)  # by unique id
    waiting: int = 0  # at the last look, parked ones too


@dataclass
class Seen:
    """A session that was seen with energy flowing, and what its meter showed last."""

    connector_id: int
    register_wh: int


@dataclass(frozen=True)
class Accounts:
    """What is compared. ``sample_wh`` is what can flow between two samples."""

    journal: Journal
    told: Sequence[Told]
    repetitions: Sequence[Told]
    transaction_ids: Mapping[str, int]
    witness: Mapping[int, Seen]  # by ref
    sample_wh: float


def disagreements(accounts: Accounts) -> list[str]:
    """Every point on which the accounts differ, in a sentence each; none: they agree."""
    return [
        *_changed_repetitions(accounts),
        *_unfinished(accounts),
        *_sessions(accounts),
        *_strangers(accounts),
        *_queue_order(accounts),
        *_unseen_by_journal(accounts),
    ]


def _changed_repetitions(accounts: Accounts) -> Iterator[str]:
    first = {told.unique_id: told for told in accounts.told}
    for told in accounts.repetitions:
        if told != first[told.unique_id]:
            yield f"{told.action} {told.unique_id} came again with another content"


def _unfinished(accounts: Accounts) -> Iterator[str]:
    if accounts.journal.waiting:
        yield f"{accounts.journal.waiting} messages still wait in the journal"
    for session in accounts.journal.sessions.values():
        if not session.is_ended:
            yield f"session {session.ref} is still open in the journal"


def _sessions(accounts: Accounts) -> Iterator[str]:
    starts = [told for told in accounts.told if told.action == "StartTransaction"]
    begun = [_instant(start.payload["timestamp"]) for start in starts]
    if begun != sorted(begun):
        yield "sessions did not come in the order in which they began"
    claimed: Counter[str] = Counter()
    for session in accounts.journal.sessions.values():
        found = [start for start in starts if _is_start_of(start, session)]
        claimed.update(start.unique_id for start in found)
        if len(found) != 1:
            yield f"session {session.ref} has {len(found)} StartTransaction instead of one"
        else:
            yield from _session(accounts, session, found[0])
    for start in starts:
        if claimed[start.unique_id] != 1:
            yield f"StartTransaction {start.unique_id} is of {claimed[start.unique_id]} sessions"


def _is_start_of(start: Told, session: JournalSession) -> bool:
    payload = start.payload
    return (
        payload["connectorId"] == session.connector_id
        and payload["meterStart"] == session.meter_start_wh
        and abs(_instant(payload["timestamp"]) - session.begun_at) <= _SAME_MOMENT
    )


def _session(accounts: Accounts, session: JournalSession, start: Told) -> Iterator[str]:
    name = f"session {session.ref}"
    transaction_id = accounts.transaction_ids.get(start.unique_id)
    if session.transaction_id != transaction_id:
        yield f"{name} is {transaction_id}, but the journal says {session.transaction_id}"
    own = [told for told in accounts.told if told.payload.get("transactionId") == transaction_id]
    stops = [told for told in own if told.action == "StopTransaction"]
    samples = [told for told in own if told.action == "MeterValues"]
    if len(stops) != 1:
        yield f"{name} has {len(stops)} StopTransaction instead of one"
        return
    in_order = [start, *own]
    if sorted(in_order, key=accounts.told.index) != in_order or own[-1] is not stops[0]:
        yield f"{name} did not come as start, meter values, stop"
    if any(told.payload.get("connectorId") != session.connector_id for told in samples):
        yield f"{name} has meter values of another connector"
    times = [_time_of(told) for told in in_order]
    if times != sorted(times):
        yield f"{name}: its times go backwards"
    yield from _energy(accounts, session, [_register_of(told) for told in in_order])


def _energy(accounts: Accounts, session: JournalSession, registers: list[int]) -> Iterator[str]:
    name = f"session {session.ref}"
    stop_wh = registers[-1]
    if registers != sorted(registers):
        yield f"{name}: its register goes backwards: {registers}"
    if stop_wh != session.last_wh:
        yield f"{name} ends at {stop_wh} Wh, in the journal at {session.last_wh} Wh"
    if stop_wh - registers[-2] > accounts.sample_wh:
        yield f"{name} ends {stop_wh - registers[-2]} Wh after its last sample"
    seen = accounts.witness.get(session.ref)
    if seen is None:
        return
    if seen.connector_id != session.connector_id:
        yield f"{name} was seen at connector {seen.connector_id}"
    if abs(stop_wh - seen.register_wh) > accounts.sample_wh:
        yield f"{name} ends at {stop_wh} Wh, but its meter was seen at {seen.register_wh} Wh"


def _strangers(accounts: Accounts) -> Iterator[str]:
    known = set(accounts.transaction_ids.values())
    for told in accounts.told:
        if told.action != "StartTransaction" and told.payload.get("transactionId") not in known:
            transaction_id = told.payload.get("transactionId")
            yield f"{told.action} {told.unique_id} is of a transaction {transaction_id}"


def _queue_order(accounts: Accounts) -> Iterator[str]:
    """Whatever waited in the journal came, under its own id and in its place."""
    messages = accounts.journal.messages
    arrived = [messages[t.unique_id] for t in accounts.told if t.unique_id in messages]
    for before, after in itertools.pairwise(arrived):
        if before.sequence >= after.sequence:
            yield f"message {after.sequence} came after message {before.sequence}"
    came = {message.unique_id for message in arrived}
    for message in messages.values():
        if message.unique_id not in came:
            yield f"message {message.sequence}, {message.action}, never came"
    actions = {told.unique_id: told.action for told in accounts.told}
    for message in arrived:
        if actions[message.unique_id] != message.action:
            yield f"message {message.sequence} came as {actions[message.unique_id]}"


def _unseen_by_journal(accounts: Accounts) -> Iterator[str]:
    for ref, seen in accounts.witness.items():
        if ref not in accounts.journal.sessions:
            yield f"energy flowed at connector {seen.connector_id} in session {ref}, not journalled"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _time_of(told: Told) -> datetime:
    if told.action == "MeterValues":
        return _instant(told.payload["meterValue"][0]["timestamp"])
    return _instant(told.payload["timestamp"])


def _register_of(told: Told) -> int:
    match told.action:
        case "StartTransaction":
            return int(told.payload["meterStart"])
        case "StopTransaction":
            return int(told.payload["meterStop"])
    sampled = told.payload["meterValue"][0]["sampledValue"]
    return next(
        int(value["value"])
        for value in sampled
        if value["measurand"] == "Energy.Active.Import.Register"
    )
