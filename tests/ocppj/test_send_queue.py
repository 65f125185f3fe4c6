"""Who goes next."""

from __future__ import annotations

from agent.core.commands import Authorize
from agent.core.tag_sources import Source
from agent.core.values import Status, StatusReport
from agent.ocppj.send_queue import (
    AUTHORIZES_MAX,
    Due,
    WaitingAuthorize,
    WaitingCalls,
    WaitingStatus,
)
from tests.emulators.virtual_clock import NOON


def card(tag: str = "A", source: Source = Source.READER) -> WaitingAuthorize:
    return WaitingAuthorize(Authorize(tag, 5.0, source=source), 5.0)


def status(connector_id: int, what: Status = Status.AVAILABLE) -> WaitingStatus:
    return WaitingStatus(StatusReport(connector_id, what), NOON)


def test_cards_go_before_statuses_and_statuses_before_the_outbox():
    waiting = WaitingCalls()
    waiting.want_delivery()
    waiting.add_status(status(1))
    asked = card()
    waiting.add_authorize(asked)
    assert len(waiting) == 3
    assert [waiting.next() for _ in range(4)] == [asked, status(1), Due.DELIVERY, None]


def test_that_energy_flows_is_not_told_before_a_row_that_was_ready_first():
    for what in (Status.CHARGING, Status.SUSPENDED_EV, Status.SUSPENDED_EVSE):
        waiting = WaitingCalls()
        waiting.want_delivery()
        waiting.add_status(status(1, what))
        waiting.add_status(status(2))
        assert [waiting.next() for _ in range(3)] == [Due.DELIVERY, status(1, what), status(2)]


def test_a_status_waits_for_one_row_and_not_for_all_that_wait():
    waiting = WaitingCalls()
    waiting.want_delivery()
    waiting.add_status(status(1, Status.CHARGING))
    assert waiting.next() is Due.DELIVERY
    waiting.want_delivery()
    assert [waiting.next(), waiting.next()] == [status(1, Status.CHARGING), Due.DELIVERY]


def test_another_status_in_its_place_does_not_wait():
    waiting = WaitingCalls()
    waiting.want_delivery()
    waiting.add_status(status(1, Status.CHARGING))
    waiting.add_status(status(1, Status.FAULTED))
    assert [waiting.next(), waiting.next()] == [status(1, Status.FAULTED), Due.DELIVERY]


def test_of_a_connector_only_the_newest_status_waits_and_it_goes_last():
    waiting = WaitingCalls()
    waiting.add_status(status(1, Status.PREPARING))
    waiting.add_status(status(2))
    waiting.add_status(status(1, Status.CHARGING))
    assert [waiting.next() for _ in range(3)] == [status(2), status(1, Status.CHARGING), None]


def test_a_conflict_of_the_list_neither_hides_a_status_nor_is_hidden_by_one():
    def conflict(words: str) -> WaitingStatus:
        report = StatusReport(0, Status.FAULTED, "LocalListConflict", words)
        return WaitingStatus(report, NOON)

    waiting = WaitingCalls()
    for one in (status(0, Status.FAULTED), conflict("04..01"), conflict("04..02")):
        waiting.add_status(one)
    waiting.add_status(status(0, Status.FAULTED))
    waiting.add_status(conflict("04..01"))
    sent = [waiting.next() for _ in range(4)]
    assert sent == [conflict("04..02"), status(0, Status.FAULTED), conflict("04..01"), None]


def test_at_most_eight_cards_wait():
    waiting = WaitingCalls()
    assert all(waiting.add_authorize(card()) for _ in range(AUTHORIZES_MAX))
    assert not waiting.add_authorize(card())


def test_each_source_has_its_own_places_and_the_chargers_reader_goes_first():
    waiting = WaitingCalls()
    foreign = [card(f"F{number}", Source.STATION) for number in range(AUTHORIZES_MAX)]
    assert all(waiting.add_authorize(one) for one in foreign)
    assert not waiting.add_authorize(card("F", Source.STATION))
    own = [card("A"), card("B")]
    assert all(waiting.add_authorize(one) for one in own)
    assert [waiting.next() for _ in range(4)] == [*own, *foreign[:2]]


def test_a_card_can_be_taken_back_until_its_turn_comes():
    waiting = WaitingCalls()
    first, second = card(), card()
    waiting.add_authorize(first)
    waiting.add_authorize(second)
    assert waiting.next() is first
    assert not waiting.drop_authorize(first)
    assert waiting.drop_authorize(second)
    assert waiting.next() is None


def test_after_ten_others_the_outbox_has_its_turn():
    waiting = WaitingCalls()
    waiting.want_delivery()
    turns = []
    for _ in range(22):
        waiting.add_authorize(card())
        turns.append(waiting.next())
        if turns[-1] is Due.DELIVERY:
            waiting.next()
            waiting.want_delivery()
    assert turns.index(Due.DELIVERY) == 10
    assert turns.count(Due.DELIVERY) == 2


def test_clearing_gives_back_the_cards_and_forgets_the_rest():
    waiting = WaitingCalls()
    asked = card()
    waiting.add_authorize(asked)
    waiting.add_status(status(1))
    waiting.want_delivery()
    assert waiting.clear() == [asked]
    assert (len(waiting), waiting.next()) == (0, None)
