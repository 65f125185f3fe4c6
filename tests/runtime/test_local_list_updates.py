"""Updates of the list: one at a time, all or nothing, whatever fails meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from agent.cli.local_list_offline import _OfflineCore, _state
from agent.config.demo_settings import demo_settings
from agent.config.settings import AuthorizationSettings, CentralSystemSettings, Settings
from agent.core.events import TimePassed
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    ListEntry,
    ListOrigin,
    ListOwner,
    ListStatus,
    ListUpdateKind,
)
from agent.platform.errors import StoreError, StoreFull
from agent.runtime.executors import at_once
from agent.runtime.local_list_updates import WAITING_MAX, ListUpdates, Outcome, owner_of
from agent.store import Store
from hw.settings import ReaderSettings
from tests.app.box import CARD, running_box
from tests.emulators.central_system import Answer
from tests.emulators.inline_executor import InlineExecutor
from tests.emulators.virtual_clock import NOON, VirtualClock

CSMS, API, CLI = ListOrigin.CENTRAL_SYSTEM, ListOrigin.CONTROL_API, ListOrigin.COMMAND_LINE
FULL, DIFF = ListUpdateKind.FULL, ListUpdateKind.DIFFERENTIAL
ACCEPTED = IdTagInfo(AuthorizationStatus.ACCEPTED)


def some(*tags: str) -> list[ListEntry]:
    return [ListEntry(tag, ACCEPTED) for tag in tags]


class SlowCore(_OfflineCore):
    """A core with a journal that may be stuck: it has decided, and its rows are not written."""

    is_stuck = False
    is_refusing = False

    async def request(self, make_event: Any) -> str:
        if self.is_refusing:
            return "Failed"
        if not self.is_stuck:
            return await super().request(make_event)
        real, self._store = self._store, _Nowhere()  # type: ignore[assignment]
        try:
            await super().request(make_event)
        finally:
            self._store = real
        raise TimeoutError


class _Nowhere:
    def commit(self, rows: object, now: object) -> None:
        pass


@dataclass
class Bench:
    """The service on a real store, its threads played by executors that can be held up."""

    store: Store
    core: SlowCore
    writer: InlineExecutor = field(default_factory=InlineExecutor)

    def __post_init__(self) -> None:
        self.lists = ListUpdates(
            self.store,
            self.core,
            lambda: self.core.state,
            write=self._write,
            read=at_once,
            report=at_once,
            check=at_once,
        )

    async def _write(self, function: Any, *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.writer, function, *arguments)

    async def tags(self) -> list[str]:
        return [tag for tag, _ in await self.lists.page(0, 1000)]

    def rows(self) -> int:
        reader = self.store._database.reader
        return int(reader.execute("SELECT count(*) FROM local_list").fetchone()[0])


@asynccontextmanager
async def a_bench(directory: Path) -> AsyncIterator[Bench]:
    store = Store.open(directory / "agent.db", now=NOON, make_id=lambda: "unused")
    state = _state(demo_settings(directory, ""), store)
    bench = Bench(store, SlowCore(state, store, VirtualClock()))
    try:
        yield bench
    finally:
        await bench.lists.close()
        store.close()


# --- operators -----------------------------------------------------------------------------------


async def test_an_operator_adds_replaces_removes_and_clears(tmp_path):
    async with a_bench(tmp_path) as bench:
        lists = bench.lists
        assert await lists.put(ListEntry("A", ACCEPTED), CLI) == Outcome(
            ListStatus.ACCEPTED, 1, 1, 1
        )
        assert await lists.update(FULL, 5, some("B", "C"), API) == Outcome(
            ListStatus.ACCEPTED, 5, 2, entries_received=2
        )
        assert await lists.is_listed("b")
        assert (await lists.remove("b", CLI)).list_version == 6
        assert not await lists.is_listed("B")
        assert await bench.tags() == ["C"]
        assert await lists.clear(API) == Outcome(ListStatus.ACCEPTED, 0, 0, entries_deleted=1)
        assert await lists.clear(API) == Outcome(ListStatus.ACCEPTED, 0, 0, entries_deleted=0)
        assert (await lists.update(FULL, 1, some("D"), API)).is_accepted  # from 1 on again


async def test_a_version_that_is_not_greater_is_answered_with_the_stored_one(tmp_path):
    async with a_bench(tmp_path) as bench:
        assert (await bench.lists.update(FULL, 5, some("A"), API)).is_accepted
        outcome = await bench.lists.update(FULL, 5, some("B"), API)
        assert outcome.status is ListStatus.VERSION_MISMATCH
        assert (outcome.list_version, outcome.entries_received) == (5, 0)
        assert await bench.tags() == ["A"]
        emptied = await bench.lists.update(FULL, 6, [], API)
        assert (emptied.is_accepted, emptied.list_version) == (True, 0)
        assert bench.lists.now.version == 0  # what was answered, so that any may follow
        outcome = await bench.lists.update(FULL, 1, some("B"), API)
        assert (outcome.is_accepted, outcome.list_version) == (True, 1)


async def test_wrong_entries_are_told_and_nothing_is_staged(tmp_path):
    async with a_bench(tmp_path) as bench:
        outcome = await bench.lists.update(FULL, 1, some("04AB", "X", "04ab"), API)
        assert outcome.status is ListStatus.INVALID
        assert outcome.detail == "the idTag .. comes twice"
        outcome = await bench.lists.update(FULL, 1, some("04AB", "X", "04ab"), CSMS)
        assert outcome.status is ListStatus.FAILED
        assert bench.rows() == 0


@pytest.mark.parametrize(
    ("owner", "url", "driver", "is_simulated", "expected"),
    [
        ("auto", "ws://x", "mfrc522", False, ListOwner.CSMS),
        ("auto", "ws://x", "none", False, ListOwner.CSMS),
        ("auto", "ws://x", "simulated", False, ListOwner.SHARED),
        ("auto", "ws://x", "mfrc522", True, ListOwner.SHARED),
        ("auto", "", "mfrc522", False, ListOwner.SHARED),
        ("csms", "", "simulated", True, ListOwner.CSMS),
        ("shared", "ws://x", "mfrc522", False, ListOwner.SHARED),
        ("local", "ws://x", "mfrc522", False, ListOwner.LOCAL),
    ],
)
def test_the_owner_follows_from_the_settings(owner, url, driver, is_simulated, expected, tmp_path):
    settings: Settings = replace(
        demo_settings(tmp_path, ""),
        authorization=AuthorizationSettings(local_list_owner=owner),
        central_system=CentralSystemSettings(url=url),
        reader=ReaderSettings(driver=driver),
    )
    assert owner_of(settings, is_simulated=is_simulated) is expected


# --- one at a time -------------------------------------------------------------------------------


async def test_updates_wait_for_each_other_and_too_many_are_refused(tmp_path):
    async with a_bench(tmp_path) as bench:
        bench.writer.is_stuck = True
        tasks = [
            asyncio.create_task(bench.lists.put(ListEntry(f"T{number}", ACCEPTED), CLI))
            for number in range(WAITING_MAX + 2)
        ]
        await asyncio.sleep(1)
        assert [task.done() for task in tasks] == [False] * (WAITING_MAX + 1) + [True]
        assert tasks[-1].result().detail == "too many updates of the list at once"
        bench.writer.release()
        outcomes = await asyncio.gather(*tasks[:-1])
        assert [outcome.list_version for outcome in outcomes] == [1, 2, 3, 4, 5]
        assert await bench.tags() == ["T0", "T1", "T2", "T3", "T4"]


async def test_an_update_goes_on_when_its_caller_is_gone(tmp_path):
    async with a_bench(tmp_path) as bench:
        bench.writer.is_stuck = True
        caller = asyncio.create_task(bench.lists.update(FULL, 1, some("A"), CSMS))
        await asyncio.sleep(1)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        bench.writer.release()
        await asyncio.sleep(1)
        assert await bench.tags() == ["A"]


async def test_closing_gives_up_what_is_under_way_and_takes_nothing_more(tmp_path):
    async with a_bench(tmp_path) as bench:
        bench.writer.is_stuck = True
        caller = asyncio.create_task(bench.lists.update(FULL, 1, some("A"), CSMS))
        await asyncio.sleep(1)
        closing = asyncio.create_task(bench.lists.close())
        await asyncio.sleep(1)
        assert not closing.done()  # a piece is being written: the store must not be closed
        bench.writer.release()
        await closing
        with pytest.raises(asyncio.CancelledError):
            await caller
        outcome = await bench.lists.put(ListEntry("B", ACCEPTED), CLI)
        assert outcome.detail == "the charge point is going down"
    async with a_bench(tmp_path) as bench:
        assert (await bench.tags(), bench.rows()) == ([], 0)


async def test_a_piece_that_fails_while_closing_is_told(tmp_path, caplog):
    async with a_bench(tmp_path) as bench:
        bench.writer.is_stuck = True
        caller = asyncio.create_task(bench.lists.update(FULL, 1, some("A"), CSMS))
        await asyncio.sleep(1)
        closing = asyncio.create_task(bench.lists.close())
        bench.writer.problem = StoreFull("no room on the disk")
        await asyncio.sleep(0)
        bench.writer.release()
        await closing
        assert "no room on the disk" in caplog.text
        with pytest.raises(asyncio.CancelledError):
            await caller


# --- when the disk or the core is in the way -----------------------------------------------------


@pytest.mark.parametrize("fails_at", range(4))
async def test_a_disk_that_fails_at_any_step_leaves_the_old_list(tmp_path, fails_at):
    async with a_bench(tmp_path) as bench:
        assert (await bench.lists.update(FULL, 1, some("OLD"), API)).is_accepted
        bench.writer.is_stuck = True
        task = asyncio.create_task(bench.lists.update(FULL, 2, some("NEW"), API))
        for _ in range(fails_at):
            await asyncio.sleep(0.1)
            bench.writer._kept_back.popleft()()
        bench.writer.problem = StoreFull("no room on the disk")
        await asyncio.sleep(0.1)
        bench.writer.release()
        outcome = await task
        is_made = fails_at > 2  # tidying, begun, staged: after that the core has decided
        assert outcome.is_accepted is is_made
        assert "no room on the disk" in outcome.detail or is_made
        assert await bench.tags() == (["NEW"] if is_made else ["OLD"])
        bench.writer.problem = None
        assert (await bench.lists.update(FULL, 3, some("NEXT"), API)).is_accepted
        assert (await bench.tags(), bench.rows()) == (["NEXT"], 1)


async def test_an_update_that_the_core_has_taken_and_the_disk_has_not_is_not_overtaken(tmp_path):
    async with a_bench(tmp_path) as bench:
        assert (await bench.lists.update(FULL, 1, some("OLD"), API)).is_accepted
        bench.core.is_stuck = True
        outcome = await bench.lists.update(DIFF, 2, some("NEW"), CSMS)
        assert (outcome.status, outcome.detail) == (ListStatus.FAILED, "the disk does not write")
        assert bench.rows() == 2  # nothing may be removed: it may count yet
        bench.core.is_stuck = False
        outcome = await bench.lists.update(DIFF, 3, some("NEXT"), CSMS)
        assert outcome.detail == "the disk has not written the last update yet"
        late = bench.core.state.local_list
        with bench.store._transaction("late"):
            query = "UPDATE local_list_version SET version = ?, generation = ?, entries = ?"
            values = (late.version, late.generation, late.entries)
            bench.store._database.writer.execute(query, values)
        assert (await bench.lists.update(DIFF, 3, some("NEXT"), CSMS)).is_accepted
        assert await bench.tags() == ["NEW", "NEXT", "OLD"]


async def test_an_update_that_the_core_refuses_after_all_leaves_nothing(tmp_path):
    async with a_bench(tmp_path) as bench:
        bench.core.is_refusing = True
        outcome = await bench.lists.update(FULL, 1, some("A"), CSMS)
        assert outcome.status is ListStatus.FAILED
        assert outcome.detail == "something changed while it was being staged"
        assert bench.rows() == 0


async def test_too_many_entries_in_all_are_found_when_they_are_staged(tmp_path):
    async with a_bench(tmp_path) as bench:
        keys = bench.core.state.configuration.with_value("LocalAuthListMaxLength", "3")
        bench.core.state = replace(bench.core.state, configuration=keys)
        assert (await bench.lists.update(FULL, 1, some("A", "B", "C"), CSMS)).is_accepted
        outcome = await bench.lists.update(DIFF, 2, some("A", "D"), CSMS)
        assert outcome.status is ListStatus.FAILED
        assert "the list would have 4 entries" in outcome.detail
        assert (await bench.tags(), bench.rows()) == (["A", "B", "C"], 3)
        changes = [*some("D"), ListEntry("A", None)]
        assert (await bench.lists.update(DIFF, 2, changes, CSMS)).is_accepted


# --- in the whole box ----------------------------------------------------------------------------


async def test_cards_are_decided_and_messages_committed_while_a_list_is_staged(tmp_path):
    async with running_box(tmp_path) as box:
        assert (await box.do("list", what="add", id_tag=CARD))["version"] == 1
        writer = box.executors["journal"]
        writer.is_stuck = True
        entries = [
            {"idTag": f"T{number}", "idTagInfo": {"status": "Blocked"}} for number in range(3000)
        ]
        update = {"listVersion": 2, "updateType": "Full", "localAuthorizationList": entries}
        sent = asyncio.create_task(box.central_system.send_call("SendLocalList", update))
        for _ in range(3):  # a few of its pieces are written
            await asyncio.sleep(1)
            writer._kept_back.popleft()()
        await box.plug()
        tapped = asyncio.create_task(box.tap())
        await asyncio.sleep(1)
        assert not sent.done()
        decision = (await tapped)["rule"]  # by the old list, beside the update
        assert decision == "LISTED"
        writer.release()
        assert (await sent)[2] == {"status": "Accepted"}
        await box.until(lambda: box.contactor.is_closed)
        assert (await box.do("list", what="show", limit=1))["entries"] == 3000


async def test_an_answer_counts_even_when_its_card_cannot_be_looked_up(tmp_path):
    async with running_box(tmp_path) as box:
        info = {"idTagInfo": {"status": "Accepted"}}
        box.central_system.next("Authorize", Answer(info, delay_s=2.0))
        await box.plug()
        tapped = asyncio.create_task(box.tap())
        await box.central_system.received("Authorize")
        box.executors["store-reader"].problem = StoreError("the disk cannot be read")
        assert (await tapped)["rule"] == "CENTRAL_ACCEPTED"
        box.executors["store-reader"].problem = None


async def test_no_whole_tag_is_logged_above_debug(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    async with running_box(tmp_path) as box:
        await box.do("list", what="add", id_tag=CARD, parent_id_tag="FAMILYTAG")
        twice = {"idTag": CARD, "idTagInfo": {"status": "Accepted"}}
        update = {"listVersion": 2, "updateType": "Full", "localAuthorizationList": [twice, twice]}
        answer = await box.central_system.send_call("SendLocalList", update)
        assert answer[2] == {"status": "Failed"}
        await box.do("list", what="remove", id_tag=CARD)
    assert "comes twice" in caplog.text
    assert CARD not in caplog.text
    assert "FAMILYTAG" not in caplog.text


async def test_a_core_without_a_runtime_takes_no_event(tmp_path):
    async with a_bench(tmp_path) as bench:
        with pytest.raises(AssertionError, match="unexpected event"):
            bench.core.post(TimePassed())
