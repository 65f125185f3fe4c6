"""The way of the last taps, step by step with its times: followed in every turn, never written.

``follow`` and ``written`` are pure; ``Taps`` keeps the last value, which any thread may read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.core import events as ev
from agent.core.authorization_reasons import Rule
from agent.core.commands import Authorize, Command, QueueMessage, RecordDecision, Row
from agent.core.connector_phases import Starting
from agent.core.events import Event
from agent.core.id_tag import mask, same_tag
from agent.core.key_enum import KeyEnum
from agent.core.replace import replace
from agent.core.state import ChargePoint, Purpose
from agent.core.values import (
    DecisionRecord,
    Instant,
    LockState,
    TransactionBegan,
    TransactionEnded,
    Verdict,
)

TAPS_KEPT = 5


class StepName(KeyEnum):
    """What happens between a card and the energy; of a card that ends a session: and back."""

    READ = "read"
    LOOKED_UP = "looked up"
    ASKED = "asked"
    DECIDED = "decided"
    LOCKED = "locked"
    ON_DISK = "on disk"
    CLOSED = "closed"
    OPENED = "opened"
    GIVEN_UP = "given up"


_WAY_IN = (StepName.ON_DISK, StepName.CLOSED)
_WAY_OUT = (StepName.OPENED, StepName.ON_DISK)


@dataclass(frozen=True, slots=True)
class Step:
    """One step; the tap ends with one that ``is_refusal``."""

    name: StepName
    at_s: float  # monotonic
    says: str = ""  # the reason of a decision
    is_refusal: bool = False


@dataclass(frozen=True, slots=True)
class Tap:
    """A card at the reader, and what came of it so far."""

    id_tag: str  # whole; "" of a card that could not be read
    at: datetime
    steps: tuple[Step, ...]
    decision: DecisionRecord | None = None
    ref: int | None = None  # of the session that it begins or ends

    def has(self, name: StepName) -> bool:
        """Whether this step was taken."""
        return any(step.name is name for step in self.steps)

    @property
    def awaits(self) -> tuple[StepName, ...]:
        """The steps that must still come; none of a tap that is over."""
        if self.steps[-1].is_refusal:
            return ()
        wanted: tuple[StepName, ...] = ()
        if self.decision is None:
            wanted = (StepName.DECIDED, *_WAY_IN)
        elif self.decision.rule == Rule.DELAY_SKIPPED.name:  # its session is on disk
            wanted = (StepName.CLOSED,)
        elif self.decision.purpose == Purpose.START.value:
            wanted = _WAY_IN
        elif self.ref is not None:  # a held cable is released without a session
            wanted = _WAY_OUT
        return tuple(name for name in wanted if not self.has(name))

    def taking(self, name: StepName, at_s: float, says: str = "", is_bad: bool = False) -> Tap:
        """The same tap one step further; each step is taken once."""
        if self.has(name):
            return self
        return replace(self, steps=(*self.steps, Step(name, at_s, says, is_bad)))


@dataclass(frozen=True, slots=True)
class Turned:
    """One turn of the runtime, as its observers see it."""

    before: ChargePoint
    event: Event
    after: ChargePoint
    commands: Sequence[Command]


def follow(taps: tuple[Tap, ...], turn: Turned, now: Instant) -> tuple[Tap, ...]:
    """The last taps after a turn, the newest first; the same value when it concerns none."""
    new = _new_tap(turn, now)
    if new is not None:
        taps = (new, *taps)[:TAPS_KEPT]
    elif not any(tap.awaits for tap in taps):
        return taps
    for command in turn.commands:
        taps = _with_command(taps, turn, command, now.monotonic_s)
    if isinstance(turn.event, ev.LockChanged | ev.ContactorClosed | ev.ContactorOpened):
        taps = tuple(_with_feedback(tap, turn, now.monotonic_s) for tap in taps)
    return taps


def written(taps: tuple[Tap, ...], rows: Sequence[Row], at_s: float) -> tuple[Tap, ...]:
    """The last taps after a commit: begin and end of a session are on disk."""
    ended = (TransactionBegan, TransactionEnded)
    refs = {
        row.transaction_ref
        for row in rows
        if isinstance(row, QueueMessage) and isinstance(row.message, ended)
    }
    return tuple(
        tap.taking(StepName.ON_DISK, at_s) if tap.ref in refs and tap.awaits else tap
        for tap in taps
    )


def _new_tap(turn: Turned, now: Instant) -> Tap | None:
    match turn.event:
        case ev.TagPresented(id_tag, read_s=read_s) if read_s is not None:
            if not any(same_tag(_tag_of(command), id_tag) for command in turn.commands):
                return None  # the card is being checked, or waits for its plug: nothing changed
            looked_up = Step(StepName.LOOKED_UP, now.monotonic_s)
            return Tap(id_tag, now.utc, (Step(StepName.READ, read_s), looked_up))
        case ev.CardNotTaken(problem):
            return Tap("", now.utc, (Step(StepName.READ, now.monotonic_s, problem, True),))
        case _:
            return None


def _with_command(
    taps: tuple[Tap, ...], turn: Turned, command: Command, at_s: float
) -> tuple[Tap, ...]:
    """The newest tap of the same card that is not over takes the step."""
    id_tag = _tag_of(command)
    for place, tap in enumerate(taps):
        if tap.awaits and same_tag(tap.id_tag, id_tag):
            return (*taps[:place], _commanded(tap, turn, command, at_s), *taps[place + 1 :])
    return taps


def _tag_of(command: Command) -> str | None:
    match command:
        case Authorize(id_tag):
            return id_tag
        case RecordDecision(record):
            return record.id_tag
        case QueueMessage(_, _, TransactionBegan() | TransactionEnded() as message):
            return message.id_tag
        case _:
            return None


def _commanded(tap: Tap, turn: Turned, command: Command, at_s: float) -> Tap:
    match command:
        case Authorize():
            return tap.taking(StepName.ASKED, at_s)
        case RecordDecision(record):
            return _decided(tap, turn.before, record, at_s)
        case QueueMessage(_, ref):
            return replace(tap, ref=ref)
        case _:
            return tap


def _decided(tap: Tap, state: ChargePoint, record: DecisionRecord, at_s: float) -> Tap:
    is_refusal = record.verdict is Verdict.REFUSED
    says = Rule[record.rule].says
    if tap.decision is not None:
        # What was accepted may still come to nothing: no plug came, the session was refused.
        return tap.taking(StepName.GIVEN_UP, at_s, says, True) if is_refusal else tap
    ref = None
    has_session = record.purpose == Purpose.STOP.value or record.rule == Rule.DELAY_SKIPPED.name
    if has_session and record.connector_id is not None:
        transaction = state.connector(record.connector_id).transaction
        ref = None if transaction is None else transaction.ref
    decided = replace(tap, decision=record, ref=ref)
    return decided.taking(StepName.DECIDED, at_s, says, is_refusal)


def _with_feedback(tap: Tap, turn: Turned, at_s: float) -> Tap:
    """What lock and contactor have confirmed, of the connector that this tap is about."""
    if not tap.awaits:
        return tap
    match turn.event:
        case ev.LockChanged(number, LockState.LOCKED):
            phase = turn.before.connector(number).phase
            is_ours = isinstance(phase, Starting) and same_tag(phase.grant.id_tag, tap.id_tag)
            return tap.taking(StepName.LOCKED, at_s) if is_ours else tap
        case ev.ContactorClosed(number) if tap.ref in _sessions(turn, number):
            return tap.taking(StepName.CLOSED, at_s)
        case ev.ContactorOpened(number) if tap.ref in _sessions(turn, number):
            return tap.taking(StepName.OPENED, at_s)
        case _:
            return tap


def _sessions(turn: Turned, connector_id: int) -> set[int | None]:
    states = (turn.before, turn.after)
    transactions = (state.connector(connector_id).transaction for state in states)
    return {transaction.ref for transaction in transactions if transaction is not None}


class Taps:
    """The last taps, for those who show them."""

    def __init__(self) -> None:
        self.last: tuple[Tap, ...] = ()  # the newest first

    def turned(self, turn: Turned, now: Instant) -> None:
        """Follow a turn of the runtime."""
        self.last = follow(self.last, turn, now)

    def written(self, rows: Sequence[Row], at_s: float) -> None:
        """Follow a commit that has succeeded."""
        self.last = written(self.last, rows, at_s)

    def steps_to(self, record: DecisionRecord) -> list[dict[str, Any]]:
        """The steps of the tap that led to a decision; none when it is not known any more."""
        for tap in self.last:
            if tap.decision == record:
                return steps_as_data(tap)
        return []


def steps_as_data(tap: Tap) -> list[dict[str, Any]]:
    """Each step, and how long after the card was read it was taken, in s."""
    first_s = tap.steps[0].at_s
    return [
        {
            "step": step.name.value,
            "after_s": round(step.at_s - first_s, 4),
            "says": step.says,
            "is_refusal": step.is_refusal,
        }
        for step in tap.steps
    ]


def tap_as_data(tap: Tap) -> dict[str, Any]:
    """A tap as plain data, its tag masked."""
    return {
        "id_tag": mask(tap.id_tag),
        "at": tap.at,
        "steps": steps_as_data(tap),
        "awaits": [name.value for name in tap.awaits],
    }


def way_line(steps: Sequence[Mapping[str, Any]]) -> str:
    """The steps of a tap in one line, each with its time since the card was read."""
    first, *others = (str(step["step"]) for step in steps)
    later = (
        f"{name} {after(step['after_s'])}" for name, step in zip(others, steps[1:], strict=True)
    )
    return ", ".join((first, *later))


def after(seconds: float) -> str:
    """A time since the card was read, short."""
    if seconds < 1:
        return f"+{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"+{seconds:.1f} s"
    return f"+{seconds // 60:.0f} min {seconds % 60:.0f} s"
