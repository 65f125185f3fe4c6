"""A charge point to tell stories about: builders, a clock to turn, and nothing else.

The core is a function, so that a test is a list of events and a list of commands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from agent.core import charge_point, followers
from agent.core import events as ev
from agent.core.commands import (
    Command,
    NotifyStatus,
    OfferCurrent,
    QueueMessage,
    RecordDecision,
    RenewContactor,
    Reply,
    SaveContactor,
    ShowSignal,
)
from agent.core.configuration import configuration
from agent.core.events import Event
from agent.core.security_event_values import RecordSecurityEvent, TellSecurityEvent
from agent.core.state import ChargePoint, Connector, Rules, Session, Traits
from agent.core.values import (
    AuthorizationStatus,
    CacheEntry,
    DecisionRecord,
    IdTagInfo,
    Instant,
    LockState,
    PilotState,
    Reading,
    Status,
    TagRecord,
    Transaction,
    TransactionEnded,
    TransactionMessage,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BOOT_S = 1000.0  # the monotonic clock at noon
ACCEPTED = IdTagInfo(AuthorizationStatus.ACCEPTED)
BLOCKED = IdTagInfo(AuthorizationStatus.BLOCKED)
CARD = "04A2B3C4"
OTHER_CARD = "0499887766554433"
ALL_PARTS = Traits()
BARE = Traits(has_lock=False, has_plug=False, has_pilot=False, has_meter=False)

Kind = TypeVar("Kind")


def at(seconds: float) -> Instant:
    """The instant so many seconds after noon."""
    return Instant(BOOT_S + seconds, NOON + timedelta(seconds=seconds))


def a_charge_point(
    connectors: int = 1,
    traits: Traits = ALL_PARTS,
    rules: Rules | None = None,
    online: bool = True,
    **keys: str,
) -> ChargePoint:
    """A free charge point; ``keys`` are OCPP configuration keys."""
    return ChargePoint(
        rules=rules or Rules(),
        configuration=configuration(connectors, keys, {}),
        connectors=tuple(Connector(number + 1, traits) for number in range(connectors)),
        online=online,
        registration="Accepted" if online else "offline",
    )


def listed(info: IdTagInfo = ACCEPTED, version: int = 7) -> TagRecord:
    """What the store says about a tag on the local list."""
    return TagRecord(list_entry=info, list_version=version)


def cached(info: IdTagInfo = ACCEPTED, age_s: int = 60) -> TagRecord:
    """What the store says about a tag in the cache, at noon."""
    return TagRecord(cache_entry=CacheEntry(info, NOON - timedelta(seconds=age_s)))


def of_group(parent_id_tag: str) -> IdTagInfo:
    """An accepted tag of a group."""
    return replace(ACCEPTED, parent_id_tag=parent_id_tag)


def tap(
    id_tag: str = CARD,
    facts: TagRecord | None = None,
    connectors: tuple[int, ...] = (1, 2, 3),
    is_random: bool = False,
) -> ev.LookedUp:
    """A card at the reader; known nowhere unless ``facts`` say so."""
    return looked_up(ev.TagPresented(id_tag, connectors, is_random), facts)


def looked_up(event: ev.Presented | ev.Heard, facts: TagRecord | None = None) -> ev.LookedUp:
    """As the runtime hands it to the core; the tag is known nowhere unless ``facts`` say so."""
    return ev.LookedUp(event, facts or TagRecord())


def ready(event: Event | ev.LookedUp) -> ev.Ready:
    """The event as the core takes it: one about a tag that nobody knows is looked up in vain."""
    return looked_up(event) if isinstance(event, ev.Presented | ev.Heard) else event


def reading(import_wh: int) -> Reading:
    """A meter reading with nothing but the register."""
    return Reading(import_wh, NOON)


def a_transaction(**fields: Any) -> Transaction:
    """An open transaction on connector 1, begun at noon with CARD."""
    begun: dict[str, Any] = {
        "ref": 1,
        "connector_id": 1,
        "id_tag": CARD,
        "begun_at": NOON,
        "begun_monotonic_s": BOOT_S,
        "meter_start_wh": 1000,
        "last_wh": 1000,
        "last_at": NOON,
    }
    return Transaction(**{**begun, **fields})


def with_transaction(connector: Connector, **fields: Any) -> Connector:
    """The connector, and its open transaction with these fields."""
    session = connector.phase
    assert isinstance(session, Session)
    return replace(
        connector, phase=replace(session, transaction=replace(session.transaction, **fields))
    )


def play(
    state: ChargePoint, *events: Event | ev.LookedUp, seconds: float = 0.0
) -> tuple[ChargePoint, list[Command]]:
    """The charge point after these events, all at one instant, and everything it ordered."""
    commands: list[Command] = []
    for event in events:
        state, ordered = charge_point.handle(state, ready(event), at(seconds))
        commands += ordered
        for offer in of(OfferCurrent, ordered):  # the pilot controller takes it at once
            confirmed = ev.OfferConfirmed(offer.connector_id, offer.current_a)
            state, ordered = charge_point.handle(state, confirmed, at(seconds))
            commands += ordered
    return state, commands


class Story:
    """A charge point, the time, and what happens to it. ``commands`` is all that was ordered."""

    def __init__(self, state: ChargePoint) -> None:
        self.state = state
        self.seconds = 0.0
        self.commands: list[Command] = []

    @property
    def now(self) -> Instant:
        """The present instant."""
        return at(self.seconds)

    @property
    def connector(self) -> Connector:
        """The first connector."""
        return self.state.connectors[0]

    def tell(self, *events: Event | ev.LookedUp) -> list[Command]:
        """Let this happen now; what was ordered."""
        self.state, commands = play(self.state, *events, seconds=self.seconds)
        self.commands += commands
        return commands

    def wait(self, seconds: float) -> list[Command]:
        """Let time pass; the core is called at each deadline it asks for, as by the runtime."""
        until_s = self.seconds + seconds
        commands: list[Command] = []
        while True:
            deadline_s = followers.next_deadline_s(self.state, self.now)
            if deadline_s is None or deadline_s - BOOT_S > until_s:
                self.seconds = until_s
                return commands
            assert deadline_s > self.now.monotonic_s, "a deadline that does not go away"
            self.seconds = deadline_s - BOOT_S
            commands += self.tell(ev.TimePassed())


def charging(meter_wh: int = 1000, facts: TagRecord | None = None, **given: Any) -> Story:
    """A session runs on connector 1, with energy, begun by CARD ten seconds ago."""
    story = Story(a_charge_point(**given))
    traits = story.connector.traits
    if traits.has_plug:
        story.tell(ev.CablePluggedIn(1))
    story.tell(tap(facts=facts or listed(), connectors=(1,)))
    if traits.has_lock:
        story.tell(ev.LockChanged(1, LockState.LOCKED))
    if traits.has_meter:
        story.tell(ev.MeterRead(1, reading(meter_wh)))
    if traits.has_pilot:
        story.tell(ev.PilotChanged(1, PilotState.C))
    story.tell(ev.ContactorClosed(1))
    story.wait(10)
    story.commands.clear()
    return story


def a_started_story(traits: Traits = ALL_PARTS, **given: Any) -> Story:
    """Plugged in, a listed card presented."""
    story = Story(a_charge_point(traits=traits, **given))
    if traits.has_plug:
        story.tell(ev.CablePluggedIn(1))
    story.tell(tap(facts=listed()))
    return story


def finish(story: Story, meter_wh: int = 2000) -> list[Command]:
    """The parts obey while a session is being ended: the vehicle stops, contactor and meter."""
    story.commands.clear()
    story.tell(ev.PilotChanged(1, PilotState.B))
    story.tell(ev.ContactorOpened(1))
    story.tell(ev.MeterRead(1, reading(meter_wh)))
    return list(story.commands)


# --- reading what was ordered --------------------------------------------------------------------

ASIDE = (
    ShowSignal,
    RenewContactor,
    NotifyStatus,
    RecordDecision,
    SaveContactor,
    RecordSecurityEvent,
    TellSecurityEvent,
)


def of(kind: type[Kind], commands: Iterable[Command]) -> list[Kind]:
    """The commands of one kind, in their order."""
    return [command for command in commands if isinstance(command, kind)]


def deeds(commands: Iterable[Command]) -> list[Command]:
    """What is done and written, in order, without lights, reports, renewals and reasons."""
    return [command for command in commands if not isinstance(command, ASIDE)]


def messages(commands: Iterable[Command]) -> list[TransactionMessage]:
    """The transaction messages that were queued."""
    return [command.message for command in of(QueueMessage, commands)]


def decisions(commands: Iterable[Command]) -> list[DecisionRecord]:
    """The card decisions that were recorded."""
    return [command.record for command in of(RecordDecision, commands)]


def statuses(commands: Iterable[Command], connector_id: int = 1) -> list[Status]:
    """The statuses that were reported of one connector."""
    reports = [command.report for command in of(NotifyStatus, commands)]
    return [report.status for report in reports if report.connector_id == connector_id]


def rules_of(commands: Iterable[Command]) -> list[str]:
    """The rules of the card decisions that were recorded."""
    return [record.rule for record in decisions(commands)]


def replies(commands: Iterable[Command]) -> list[tuple[str, str]]:
    """The requests that were answered, each with its status."""
    return [(reply.request_id, reply.status) for reply in of(Reply, commands)]


def stop_of(commands: Iterable[Command]) -> TransactionEnded:
    """The one StopTransaction that was queued."""
    (stop,) = [message for message in messages(commands) if isinstance(message, TransactionEnded)]
    return stop
