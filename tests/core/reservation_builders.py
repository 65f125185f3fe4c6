"""A charge point with a reservation, for the tests of reservations."""

from __future__ import annotations

from datetime import timedelta

from agent.core import events as ev
from agent.core.commands import Command
from agent.core.status_notification import reports
from agent.core.values import (
    LockState,
    Reservation,
    Status,
    TransactionBegan,
)
from tests.core.story import (
    CARD,
    NOON,
    Story,
    a_charge_point,
    listed,
    messages,
    reading,
    replies,
    tap,
)

HOUR_S = 3600
THIRD_CARD = "04CCCCCC"


def a_reservation(
    connector_id: int = 1, id_tag: str = CARD, number: int = 5, seconds: float = HOUR_S, **more: str
) -> Reservation:
    return Reservation(number, connector_id, id_tag, NOON + timedelta(seconds=seconds), **more)


def reserve(story: Story, *wanted: object, **fields: object) -> str:
    (reply,) = replies(story.tell(ev.ReservationRequested("r1", a_reservation(*wanted, **fields))))
    return reply[1]


def cancel(story: Story, number: int = 5) -> str:
    (reply,) = replies(story.tell(ev.ReservationCancelRequested("r2", number)))
    return reply[1]


def reserved(*wanted: object, connectors: int = 1, **fields: object) -> Story:
    """A charge point with one reservation."""
    story = Story(a_charge_point(connectors))
    assert reserve(story, *wanted, **fields) == "Accepted"
    story.commands.clear()
    return story


def shown(story: Story, connector_id: int = 1) -> Status:
    return next(r.status for r in reports(story.state, story.now) if r.connector_id == connector_id)


def start_of(commands: list[Command]) -> TransactionBegan:
    (start,) = [m for m in messages(commands) if isinstance(m, TransactionBegan)]
    return start


def charge(story: Story, card: ev.TagPresented | None = None, connector_id: int = 1) -> None:
    """Tap, plug in, and the parts obey until the session begins."""
    story.tell(card or tap(facts=listed()))
    story.tell(ev.CablePluggedIn(connector_id))
    story.tell(ev.LockChanged(connector_id, LockState.LOCKED))
    story.tell(ev.MeterRead(connector_id, reading(1000)))
