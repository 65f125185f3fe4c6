"""The decision on a card: what is known about it, and what the core makes of it."""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from agent.app.initial_state import initial_state
from agent.config.config_file import parse_config
from agent.core import charge_point
from agent.core.events import CablePluggedIn, LinkAccepted, LookedUp, TagPresented
from agent.core.state import ChargePoint
from agent.core.values import AuthorizationStatus, IdTagInfo, Instant
from agent.store import Store
from hw.board import open_board
from tests.box_config import config_text
from tests.store.builders import replace_list

CARDS = 2000
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW = Instant(1000.0, NOON)


def run() -> list[tuple[str, str]]:
    """Decide about listed cards, with few and with many cards in the list."""
    few_s, many_s = _decision_p50_s(10), _decision_p50_s(100_000)
    return [
        ("look-up and decision, 10 listed cards, p50", f"{few_s * 1e6:.0f} us"),
        ("look-up and decision, 100,000 listed cards, p50", f"{many_s * 1e6:.0f} us"),
        ("look-up and decision, ratio of the two", f"{many_s / few_s:.2f}"),
    ]


def _decision_p50_s(listed: int) -> float:
    numbers = itertools.count()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        store = Store.open(directory / "agent.db", now=NOON, make_id=lambda: f"id-{next(numbers)}")
        try:
            info = IdTagInfo(AuthorizationStatus.ACCEPTED)
            replace_list(store, 1, ((_tag(number), info) for number in range(listed)))
            state = _plugged_in(store, directory)
            return statistics.median(
                _seconds(store, state, _tag(number * 7919 % listed)) for number in range(CARDS)
            )
        finally:
            store.close()


def _seconds(store: Store, state: ChargePoint, tag: str) -> float:
    begun_s = time.perf_counter()
    event = LookedUp(TagPresented(tag, connectors=(1,)), store.facts(tag))
    after, commands = charge_point.handle(state, event, NOW)
    elapsed_s = time.perf_counter() - begun_s
    assert commands
    assert after != state
    return elapsed_s


def _plugged_in(store: Store, directory: Path) -> ChargePoint:
    settings = parse_config(config_text(directory))
    board = open_board(settings.board, lambda: NOW.monotonic_s)
    state = initial_state(settings, board, store.load(), store.head())
    board.shut_down()
    for event in (LinkAccepted(), CablePluggedIn(1)):
        state, _ = charge_point.handle(state, event, NOW)
    return state


def _tag(number: int) -> str:
    return f"04{number:012X}"


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
