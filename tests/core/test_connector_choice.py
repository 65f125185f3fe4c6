"""Which connector a tag, or a remote start, can mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import connector_choice
from agent.core import events as ev
from agent.core.authorization_reasons import Rule
from agent.core.faults import Fault
from agent.core.state import (
    AuthorizationAttempt,
    ChargePoint,
    Charging,
    Finished,
    GrantedAuthorization,
    PendingAuthorization,
    Purpose,
    Rules,
)
from agent.core.values import TagRecord
from tests.core.story import (
    BARE,
    CARD,
    Story,
    a_charge_point,
    a_transaction,
    replies,
    rules_of,
)


def a_row(*changes: dict[str, object], **fields: object) -> ChargePoint:
    """A charge point with one connector for each of ``changes``."""
    state = a_charge_point(connectors=len(changes))
    connectors = zip(state.connectors, changes, strict=True)
    return replace(
        state, connectors=tuple(replace(c, **change) for c, change in connectors), **fields
    )


def a_grant(*connectors: int) -> GrantedAuthorization:
    return GrantedAuthorization("OTHER", None, connectors, 0.0, None, "LISTED")


def a_check(*connectors: int, purpose: Purpose = Purpose.START) -> PendingAuthorization:
    return PendingAuthorization(
        AuthorizationAttempt(purpose, "OTHER", connectors, facts=TagRecord()), by_s=99.0
    )


def for_card(state: ChargePoint, id_tag: str = CARD) -> tuple[int, ...]:
    """Where a card at a reader that serves every connector can begin."""
    return connector_choice.candidates(state, state.connectors, id_tag, None, hoping=True)


def for_remote_start(state: ChargePoint, connector_id: int | None) -> tuple[int, ...]:
    """Where a remote start can, which nobody is asked about."""
    served = [c for c in state.connectors if connector_id in (None, c.connector_id)]
    return connector_choice.the_first(state, connector_choice.candidates(state, served, CARD, None))


FREE: dict[str, object] = {}
PLUGGED = {"plugged": True, "plugged_at_s": 10.0}
PLUGGED_LATER = {"plugged": True, "plugged_at_s": 20.0}
BUSY = {"plugged": True, "phase": Charging(a_transaction())}
OVER = {"plugged": True, "plugged_at_s": 30.0, "phase": Finished()}
LEFT = {**OVER, "phase": Finished(is_unclaimed=True)}
HELD = {**OVER, "phase": Finished(held_for=a_transaction(id_tag="OTHER"))}
HELD_FOR_IT = {**OVER, "phase": Finished(held_for=a_transaction())}
BROKEN = {"plugged": True, "faults": frozenset({Fault.METER})}


@pytest.mark.parametrize(
    ("connectors", "chosen"),
    [
        ((FREE,), (1,)),
        ((PLUGGED,), (1,)),
        ((FREE, FREE), (1, 2)),
        ((FREE, PLUGGED), (2,)),
        ((PLUGGED_LATER, PLUGGED), (1,)),
        ((BUSY, FREE), (2,)),
        ((BUSY,), ()),
        ((BROKEN, FREE), (2,)),
        ((BROKEN,), ()),
        ((OVER,), (1,)),  # tapped again: the next session on the same plug
        ((OVER, PLUGGED), (2,)),
        ((OVER, FREE), (2,)),  # the plug in 1 may be somebody else's
        ((OVER, BUSY), (1,)),
        ((LEFT,), (1,)),
        ((LEFT, FREE), (2,)),
        ((HELD,), ()),
        ((HELD, FREE), (2,)),
    ],
)
def test_a_card_means_the_plug_that_came_last_else_any_free_connector(connectors, chosen):
    state = a_row(*connectors)
    assert for_card(state) == chosen


def test_without_a_plug_sensor_a_free_connector_counts_as_plugged():
    state = a_row(FREE, {"traits": BARE})
    assert for_card(state) == (2,)


@pytest.mark.parametrize(
    ("connectors", "promises", "chosen"),
    [
        ((FREE,), {"waiting": (a_grant(1),)}, ()),
        ((FREE, FREE), {"waiting": (a_grant(1, 2),)}, (1, 2)),
        ((FREE, FREE), {"waiting": (a_grant(1, 2), a_grant(1, 2))}, ()),
        ((FREE,), {"checking": (a_check(1),)}, ()),
        ((FREE, FREE), {"checking": (a_check(1),)}, (2,)),
        ((FREE, FREE), {"checking": (a_check(1, 2), a_check(1, 2))}, ()),
        ((FREE, FREE), {"checking": (a_check(1, 2),), "waiting": (a_grant(1, 2),)}, ()),
        ((FREE, PLUGGED), {"checking": (a_check(1, 2),)}, ()),  # that plug belongs to the check
        ((FREE,), {"checking": (a_check(1, purpose=Purpose.STOP),)}, (1,)),
    ],
)
def test_a_connector_is_not_promised_to_more_cards_than_it_can_serve(connectors, promises, chosen):
    state = a_row(*connectors, **promises)
    assert for_card(state) == chosen


@pytest.mark.parametrize(
    ("connectors", "waiting", "is_full"),
    [
        ((FREE,), (), False),
        ((BUSY,), (), True),
        ((FREE,), (a_grant(1),), True),
        ((FREE, FREE), (a_grant(1, 2),), False),
        ((FREE, FREE), (a_grant(1, 2), a_grant(1, 2)), True),
        ((BROKEN, FREE), (a_grant(1, 2),), True),
        ((BROKEN, FREE), (a_grant(1),), False),  # who waits there takes no place here
    ],
)
def test_there_is_no_room_when_everything_free_is_promised(connectors, waiting, is_full):
    assert (
        connector_choice.are_all_granted(a_row(*connectors, waiting=waiting), CARD, None) is is_full
    )


@pytest.mark.parametrize(
    ("connectors", "asked_for", "chosen"),
    [
        ((FREE, FREE), 2, (2,)),
        ((FREE, FREE), None, (1,)),
        ((FREE, PLUGGED), None, (2,)),
        ((BUSY, FREE), None, (2,)),
        ((BUSY, FREE), 1, ()),
        ((OVER,), 1, (1,)),  # Finishing: a new session on the same plug, as with a card (F2)
        ((OVER, FREE), None, (2,)),
        ((HELD,), 1, ()),
        ((HELD_FOR_IT,), 1, (1,)),
        ((LEFT,), 1, (1,)),
        ((LEFT,), None, (1,)),
        ((LEFT, FREE), None, (2,)),  # the plug in 1 may be forgotten
        ((BROKEN,), 1, ()),
        ((FREE,), 0, ()),
        ((FREE,), 9, ()),
    ],
)
def test_a_remote_start_gets_its_connector_or_the_first_suitable_one(connectors, asked_for, chosen):
    assert for_remote_start(a_row(*connectors), asked_for) == chosen


def test_a_remote_start_without_connector_is_refused_where_the_site_wants_it():
    story = Story(a_charge_point(rules=Rules(remote_start_takes_first=False)))
    commands = story.tell(ev.RemoteStartRequested("r1", CARD))
    assert (replies(commands), rules_of(commands)) == (
        [("r1", "Rejected")],
        [Rule.NO_CONNECTOR_NAMED.name],
    )
    assert replies(story.tell(ev.RemoteStartRequested("r2", CARD, 1))) == [("r2", "Accepted")]


@pytest.mark.parametrize(
    "promises",
    [
        {"waiting": (a_grant(1),)},
        {"checking": (a_check(1, purpose=Purpose.REMOTE_START),)},
    ],
)
def test_a_remote_start_does_not_take_a_connector_that_is_promised(promises):
    assert for_remote_start(a_row(FREE, **promises), 1) == ()


@pytest.mark.parametrize(
    ("state", "rule"),
    [
        (a_row(BUSY), Rule.NO_CONNECTOR),
        (a_row(BROKEN), Rule.FAULTED),
        (a_row(BROKEN, BUSY), Rule.NO_CONNECTOR),
        (a_row(BUSY, faults=frozenset({Fault.DOOR})), Rule.FAULTED),
        (a_row(BUSY, faults=frozenset({Fault.QUARANTINED})), Rule.NO_CONNECTOR),
        (a_row(BUSY, faults=frozenset({Fault.JOURNAL})), Rule.JOURNAL_FAILED),
    ],
)
def test_the_reason_why_nothing_can_begin_is_the_one_that_stands_in_the_way(state, rule):
    assert connector_choice.refusal_reason(state, state.connectors, CARD) is rule


def test_a_reader_that_serves_no_connector_finds_none():
    assert connector_choice.refusal_reason(a_charge_point(), (), CARD) is Rule.NO_CONNECTOR
    assert connector_choice.candidates(a_charge_point(), (), CARD, None) == ()
