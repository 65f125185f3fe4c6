"""The one task that owns the state: facts in, orders out, nothing closes before it is written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import agent.runtime.runtime
from agent.core import commands as co
from agent.core import events as ev
from agent.core.commands import Command
from agent.core.configuration import configuration
from agent.core.state import (
    ChargePoint,
    Charging,
    Connector,
    GrantedAuthorization,
    Rules,
    Starting,
    Traits,
)
from agent.core.values import LockState, PilotState, Reading, TagRecord
from agent.platform.errors import StoreError, StoreFull
from agent.runtime.event_queue import EventQueue
from agent.runtime.runtime import Runtime
from tests.app.box import ACCEPTED
from tests.emulators.inline_executor import InlineExecutor
from tests.emulators.virtual_clock import NOON, VirtualClock

CARD = "04A2B3C4"
LISTED = TagRecord(list_entry=ACCEPTED, list_version=7)
PROMPT = (
    co.OpenContactor,
    co.RenewContactor,
    co.WithdrawOffer,
    co.LockConnector,
    co.UnlockConnector,
    co.ReadMeter,
    co.Authorize,
    co.NotifyStatus,
    co.ShowSignal,
)
PATIENT = (co.OfferCurrent, co.CloseContactor, co.DeliverNext, co.ApplyConfiguration, co.Restart)


@dataclass
class Bench:
    """A runtime whose orders are written down instead of performed."""

    performed: list[Command] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)
    asked_about: list[str] = field(default_factory=list)
    observed: list[ev.Event] = field(default_factory=list)
    facts: TagRecord = LISTED
    unreadable: StoreError | None = None
    hangs: asyncio.Event | None = None  # the store answers when it is set
    turns: int = 0

    def begin(self, turn_at_least_every_s: float | None = None, **fields: Any) -> Runtime:
        self.executor = InlineExecutor("journal")
        state = ChargePoint(
            rules=Rules(),
            configuration=configuration(1, {}, {}),
            connectors=(Connector(1, Traits()),),
            **fields,
        )
        self.runtime = Runtime(
            state=state,
            clock=VirtualClock(),
            queue=EventQueue(),
            look_up=self._facts,
            commit=self.rows.extend,
            executor=self.executor,
            observe=lambda before, event, after, commands: self.observed.append(event),
            on_turn=self._count,
            turn_at_least_every_s=turn_at_least_every_s,
        )
        return self.runtime

    async def run(self, **begin: Any) -> None:
        performers: dict[type[Command], Callable[[Any], None]] = dict.fromkeys(
            (*PROMPT, *PATIENT), self.performed.append
        )
        await self.begin(**begin).run(performers)

    def _count(self) -> None:
        self.turns += 1

    async def _facts(self, id_tag: str) -> TagRecord:
        self.asked_about.append(id_tag)
        if self.hangs is not None:
            await self.hangs.wait()
        if self.unreadable is not None:
            raise self.unreadable
        return self.facts

    @property
    def rules(self) -> list[str]:
        """The rules of the decisions that were written."""
        return [row.record.rule for row in self.rows if isinstance(row, co.RecordDecision)]

    def of(self, *kinds: type[Command]) -> list[Command]:
        return [command for command in self.performed if isinstance(command, kinds)]

    @property
    def connector(self) -> Connector:
        return self.runtime.state.connectors[0]

    def plug_in_and_tap(self) -> None:
        self.runtime.post(ev.CablePluggedIn(1))
        self.runtime.post(ev.PilotChanged(1, PilotState.B))
        self.runtime.post(ev.TagPresented(CARD, (1,)))

    def lock_and_read(self) -> None:
        self.runtime.post(ev.LockChanged(1, LockState.LOCKED))
        self.runtime.post(ev.MeterRead(1, Reading(1000, NOON)))
        self.runtime.post(ev.OfferConfirmed(1, 32.0))  # sooner than in life: so closing waits, too
        self.runtime.post(ev.PilotChanged(1, PilotState.C))


@contextlib.asynccontextmanager
async def turning(bench: Bench, **begin: Any) -> AsyncIterator[Bench]:
    run = asyncio.create_task(bench.run(**begin))
    await asyncio.sleep(0)
    try:
        yield bench
    finally:
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run


async def test_a_card_is_looked_up_before_the_core_sees_it():
    async with turning(Bench()) as bench:
        bench.runtime.post(ev.TagPresented(CARD, (1,)))
        await asyncio.sleep(1)
        assert bench.asked_about == [CARD]
        assert bench.rules == ["LISTED_OFFLINE"]


async def test_a_card_that_cannot_be_looked_up_is_refused_with_its_reason():
    async with turning(Bench(unreadable=StoreError("disk I/O error"))) as bench:
        bench.runtime.post(ev.TagPresented(CARD, (1,)))
        await asyncio.sleep(1)
        assert bench.of(co.ShowSignal) == [co.ShowSignal(co.Signal.REFUSED)]
        assert [(row.record.rule, row.record.detail) for row in bench.rows] == [
            ("LOOK_UP_FAILED", "disk I/O error")
        ]


@pytest.mark.parametrize(
    ("make_event", "answer"),
    [
        (lambda id: ev.RemoteStartRequested(id, CARD, 1), "Rejected"),
        (lambda id: ev.StartRequested(id, 1, CARD, is_trusted=True), "rejected"),
        (lambda id: ev.AuthorizeRequested(id, CARD), "failed"),
    ],
)
async def test_a_request_whose_tag_cannot_be_looked_up_is_refused_by_every_door(make_event, answer):
    async with turning(Bench(unreadable=StoreError("disk I/O error")), online=True) as bench:
        assert await bench.runtime.request(make_event) == answer
        assert bench.rules == ["LOOK_UP_FAILED"]
        assert bench.of(co.Authorize, co.LockConnector) == []


async def test_a_store_that_hangs_holds_up_what_is_behind_it_once_and_not_once_for_each_tag():
    async with turning(Bench(hangs=asyncio.Event())) as bench:
        for number in range(100):
            bench.runtime.post(ev.TagPresented(f"0400{number:04}", (1,)))
        bench.runtime.post(ev.CablePluggedIn(1))
        await asyncio.sleep(agent.runtime.runtime.FACTS_S + 1)
        assert bench.connector.plugged
        assert bench.rules == ["LOOK_UP_FAILED"] * 100
        assert len(bench.asked_about) == 1
        bench.hangs.set()
        await asyncio.sleep(1)
        bench.runtime.post(ev.TagPresented(CARD, (1,)))
        await asyncio.sleep(1)
        assert bench.rules[100:] == ["LISTED_OFFLINE"]


async def test_what_the_central_system_says_of_a_tag_counts_without_a_look_up():
    async with turning(Bench(unreadable=StoreError("disk I/O error")), online=True) as bench:
        bench.runtime.post(ev.AuthorizeAnswered(CARD, ACCEPTED))
        await asyncio.sleep(1)
        assert bench.rows == [co.CacheTag(CARD, ACCEPTED)]


async def test_nothing_closes_before_the_session_is_written_down():
    async with turning(Bench()) as bench:
        bench.plug_in_and_tap()
        await asyncio.sleep(0.1)
        bench.executor.is_stuck = True
        bench.lock_and_read()
        await asyncio.sleep(3)
        assert isinstance(bench.connector.phase, Charging)
        assert bench.connector.close_ordered
        assert bench.of(co.OfferCurrent, co.CloseContactor) == []
        bench.executor.release()
        await asyncio.sleep(0.1)
        assert [type(order) for order in bench.of(co.OfferCurrent, co.CloseContactor)] == [
            co.OfferCurrent,
            co.CloseContactor,
        ]
        assert any(isinstance(row, co.SaveTransaction) for row in bench.rows)


async def test_opening_does_not_wait_for_a_disk_that_fails():
    async with turning(Bench()) as bench:
        bench.plug_in_and_tap()
        bench.lock_and_read()
        await asyncio.sleep(0.1)
        assert bench.of(co.CloseContactor) != []
        bench.executor.problem = StoreFull("no room")
        bench.runtime.post(ev.SafetyInputTripped("emergency_stop"))
        await asyncio.sleep(0.01)
        assert bench.of(co.OpenContactor) == [co.OpenContactor(1)]
        assert bench.of(co.WithdrawOffer) == [co.WithdrawOffer(1)]


async def test_closing_that_is_not_wanted_any_more_is_forgotten():
    async with turning(Bench()) as bench:
        bench.plug_in_and_tap()
        await asyncio.sleep(0.1)
        bench.executor.is_stuck = True
        bench.lock_and_read()
        bench.runtime.post(ev.CableUnplugged(1))
        await asyncio.sleep(1)
        bench.executor.release()
        await asyncio.sleep(1)
        assert bench.of(co.CloseContactor, co.OfferCurrent) == []


async def test_closing_over_a_trip_that_came_meanwhile_is_forgotten():
    async with turning(Bench()) as bench:
        bench.plug_in_and_tap()
        await asyncio.sleep(0.1)
        bench.executor.is_stuck = True
        bench.lock_and_read()
        bench.runtime.post(ev.ContactorTripped(1, "reflex", 1))
        await asyncio.sleep(1)
        bench.executor.release()
        await asyncio.sleep(1)
        assert [close.trips_seen for close in bench.of(co.CloseContactor)] == [1]


async def test_an_answer_waits_until_it_is_written_down():
    async with turning(Bench()) as bench:
        bench.executor.is_stuck = True
        asked = asyncio.create_task(
            bench.runtime.request(
                lambda id: ev.ConfigurationChangeRequested(id, "HeartbeatInterval", "77")
            )
        )
        await asyncio.sleep(5)
        assert not asked.done()
        bench.executor.release()
        assert await asked == "Accepted"
        assert co.SaveConfigurationKey("HeartbeatInterval", "77") in bench.rows


async def test_a_request_that_nobody_answers_ends_and_its_late_answer_hurts_nobody():
    async with turning(Bench()) as bench:
        bench.executor.is_stuck = True
        with pytest.raises(TimeoutError):
            await bench.runtime.request(
                lambda id: ev.ConfigurationChangeRequested(id, "HeartbeatInterval", "77")
            )
        bench.executor.release()
        await asyncio.sleep(1)
        status = await bench.runtime.request(
            lambda id: ev.ConfigurationChangeRequested(id, "NoSuchKey", "1")
        )
        assert status == "NotSupported"
        assert agent.runtime.runtime.REQUEST_S == 60


async def test_requests_that_cross_each_get_their_own_answer():
    async with turning(Bench()) as bench:
        keys = {"HeartbeatInterval": "Accepted", "NoSuchKey": "NotSupported"}

        def change(key: str) -> Callable[[str], ev.Event]:
            return lambda id: ev.ConfigurationChangeRequested(id, key, "77")

        answers = await asyncio.gather(*(bench.runtime.request(change(key)) for key in keys))
        assert answers == list(keys.values())


async def test_the_lease_is_renewed_as_long_as_it_turns():
    async with turning(Bench()) as bench:
        bench.plug_in_and_tap()
        bench.lock_and_read()
        await asyncio.sleep(30)
        assert len(bench.of(co.RenewContactor)) >= 30 / 5
        assert len(bench.of(co.CloseContactor)) == 1


async def test_an_idle_box_does_not_turn_unless_it_is_watched():
    async with turning(Bench()) as idle:
        await asyncio.sleep(3600)
        assert idle.turns == 0
    async with turning(Bench(), turn_at_least_every_s=30.0) as watched:
        await asyncio.sleep(3600)
        assert watched.turns == pytest.approx(120, abs=1)


async def test_a_mistake_in_the_program_ends_the_runtime_even_when_nothing_happens():
    bench = Bench()
    run = asyncio.create_task(bench.run())
    await asyncio.sleep(0)
    bench.executor.problem = TypeError("not a row")
    bench.runtime.post(ev.TagPresented(CARD, (1,)))
    async with asyncio.timeout(1):
        with pytest.raises(TypeError, match="not a row"):
            await run


def test_every_order_has_somebody_who_performs_it():
    from typing import get_args

    from agent.maintenance.firmware_install import FirmwareWorker
    from agent.ocpp16.link import LinkCommand
    from agent.runtime.devices import Devices
    from agent.runtime.supervision import Supervisor
    from agent.runtime.supervision_loop import SupervisionThread
    from hw.ports import Board
    from hw.settings import ReaderSettings

    board = Board(connectors=(), reader=None, safety_inputs={}, indicator=None)  # type: ignore[arg-type]
    thread = SupervisionThread(Supervisor(board, print), lambda: 0.0)
    devices = Devices(
        board,
        ReaderSettings(),
        None,  # type: ignore[arg-type]
        print,
        InlineExecutor(),
        thread.look_now,
    )
    ordered = {*get_args(co.Immediate), *get_args(co.AfterCommit)}
    worker = FirmwareWorker(None, Path(), None, None, print, None, frozenset)  # type: ignore[arg-type]
    elsewhere = {
        *get_args(LinkCommand),
        *worker.performers(),
        co.Restart,
        co.Reply,
        co.TagReply,
        co.TellSecurityEvent,  # agent.app.security
        co.MakeCertificateRequest,  # and this one
    }
    assert ordered == {*devices.performers, *elsewhere}


async def test_a_deadline_that_is_only_just_not_reached_is_waited_for_and_not_spun_on():
    bench = Bench()
    runtime = bench.begin()
    now = VirtualClock().now()
    grant = GrantedAuthorization("TAG", None, (1,), 0.0, None, "LISTED")
    held = Connector(1, Traits(), phase=Starting(grant, now.monotonic_s + 1e-12))
    runtime.state = replace(runtime.state, connectors=(held,))
    wait_s = runtime._seconds_to_wait()
    assert wait_s is not None
    assert wait_s >= 0.001
