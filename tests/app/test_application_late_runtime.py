"""What a runtime that is late does: it holds up nothing for long, and closes over nothing."""

from __future__ import annotations

import asyncio

from agent.runtime.runtime import FACTS_S
from tests.app.box import OTHER_CARD, running_box


async def test_a_card_that_cannot_be_looked_up_holds_up_a_session_only_for_a_moment(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        box.executors["store-reader"].is_stuck = True
        box.application.board.simulation.tap(OTHER_CARD)
        await asyncio.sleep(30)
        assert box.contactor.is_closed
        assert box.contactor.trip_count == 0  # the lease never ran out
        refused = await box.tap(OTHER_CARD)  # nobody can tell: try again
        assert refused["rule"] == "LOOK_UP_FAILED"
        box.application.board.simulation.tap(OTHER_CARD)
        await asyncio.sleep(0.1)
        box.application.board.simulation.unplug(1, by_force=True)
        await asyncio.sleep(FACTS_S + 10)
        assert box.state.transaction is None


async def test_it_does_not_close_over_what_waits_in_front_of_the_core(tmp_path):
    async with running_box(tmp_path) as box:
        await box.charge()
        board = box.application.board
        await box.do("sim", lever="energy", wanted=False)
        await asyncio.sleep(30)  # the minimum off time is over
        assert not box.contactor.is_closed
        contacts = box.contactor.contacts
        before = len(contacts.history)

        box.executors["store-reader"].is_stuck = True
        board.simulation.tap(OTHER_CARD)  # the runtime waits for what the store knows
        await asyncio.sleep(0.1)
        await box.do("sim", lever="energy", wanted=True)
        await asyncio.sleep(0.2)
        board.connectors[0].lock.bolt.release_by_hand()
        board.simulation.clear(1)  # mends nothing; whoever looks at the board looks
        await asyncio.sleep(0.2)
        box.executors["store-reader"].release()  # now it hears of the car, then of the bolt
        await asyncio.sleep(0.05)
        assert len(contacts.history) == before  # the contacts never moved

        await box.until(lambda: box.contactor.is_closed)
        assert board.connectors[0].lock.bolt.is_locked
