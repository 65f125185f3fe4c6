"""Speaks hardware on one side and core on the other; nothing else translates."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from datetime import datetime
from typing import Any

from agent.core import commands as co
from agent.core import events as ev
from agent.core.commands import Command
from agent.core.events import Event
from agent.core.id_tag import id_tag_from_uid, is_random_uid, is_valid_id_tag
from agent.core.ports import Clock
from agent.core.values import Reading
from hw.ports import Board, ConnectorParts, HardwareError, MeterReading, Signal, Trip
from hw.ports_reader import (
    CardArrived,
    CardLay,
    CardLeft,
    CardUnreadable,
    CodeArrived,
    ReaderEvent,
    ReaderFailed,
    ReaderRecovered,
    SeveralCards,
)
from hw.settings import ReaderSettings

logger = logging.getLogger(__name__)

METER_FAILURES_MAX = 3  # failed polls in a row before the meter counts as failed


class Devices:
    """Performs orders on the board, and turns what its reader and meters say into events.

    ``look_now`` is called after every order, so that its effect is noticed without delay.
    ``is_watched`` says whether the inputs are watched; without that nothing is kept closed.
    ``reason_to_stay_open`` says what the last look saw that speaks against closing a connector.
    """

    def __init__(
        self,
        board: Board,
        reader: ReaderSettings,
        clock: Clock,
        post: Callable[[Event], None],
        meter_executor: Executor,
        look_now: Callable[[], None],
        is_watched: Callable[[], bool] = lambda: True,
        reason_to_stay_open: Callable[[int], str | None] = lambda connector_id: None,
    ) -> None:
        self._board = board
        self._reader = reader
        self._clock = clock
        self._post = post
        self._meter_executor = meter_executor
        self._look_now = look_now
        self._is_watched = is_watched
        self._reason_to_stay_open = reason_to_stay_open
        self._was_watched = True
        self._parts = {parts.connector_id: parts for parts in board.connectors}
        self._served = reader.connectors or tuple(self._parts)
        self._offered_a = dict.fromkeys(self._parts, 0.0)
        self._meter_failures = dict.fromkeys(self._parts, 0)
        self._reads_in_work: dict[int, asyncio.Task[None]] = {}

    @property
    def performers(self) -> Mapping[type[Command], Callable[[Any], None]]:
        """Who performs which order."""
        return {
            co.OpenContactor: self._open,
            co.CloseContactor: self._close,
            co.RenewContactor: self._renew,
            co.OfferCurrent: self._offer,
            co.LowerOffer: self._lower,
            co.WithdrawOffer: self._withdraw,
            co.LockConnector: self._lock,
            co.UnlockConnector: self._unlock,
            co.ReadMeter: self._read_meter,
            co.ShowSignal: self._show,
        }

    def offered_a(self, connector_id: int) -> float:
        """The current that this connector offers to the vehicle now."""
        return self._offered_a[connector_id]

    def start(self) -> None:
        """Let the reader look for cards."""
        if self._board.reader is not None:
            self._board.reader.start(self.reader_says)

    # --- orders ------------------------------------------------------------------------------

    def _open(self, order: co.OpenContactor) -> None:
        self._parts[order.connector_id].contactor.open()
        self._look_now()

    def _close(self, order: co.CloseContactor) -> None:
        contactor = self._parts[order.connector_id].contactor
        if self._is_blind():
            return
        if self._reason_to_stay_open(order.connector_id) is not None:
            # Seen, and still waiting in front of the core: it hears of the trip behind its cause.
            contactor.trip(Trip.REFLEX)
            self._look_now()
            return
        try:
            contactor.arm(order.trips_seen)
            contactor.close(order.for_s)
        except HardwareError as refusal:
            # The trip that explains it is on its way to the core as an event.
            logger.warning("connector %d: not closed: %s", order.connector_id, refusal)
        self._look_now()

    def _renew(self, order: co.RenewContactor) -> None:
        contactor = self._parts[order.connector_id].contactor
        if self._is_blind():
            contactor.open()
        else:
            contactor.renew(order.for_s)

    def _is_blind(self) -> bool:
        was_watched, self._was_watched = self._was_watched, self._is_watched()
        if was_watched and not self._was_watched:
            logger.error("the inputs are no longer watched: everything is opened")
        return not self._was_watched

    def _offer(self, order: co.OfferCurrent) -> None:
        self._offered_a[order.connector_id] = order.current_a
        pilot = self._parts[order.connector_id].pilot
        if pilot is not None:
            pilot.offer(order.current_a)
            self._look_now()

    def _lower(self, order: co.LowerOffer) -> None:
        """An offer that still waits for the journal is not begun by lowering it."""
        if self._offered_a[order.connector_id] > order.current_a:
            self._offer(co.OfferCurrent(order.connector_id, order.current_a))

    def _withdraw(self, order: co.WithdrawOffer) -> None:
        self._offered_a[order.connector_id] = 0.0
        pilot = self._parts[order.connector_id].pilot
        if pilot is not None:
            pilot.withdraw()
            self._look_now()

    def _lock(self, order: co.LockConnector) -> None:
        lock = self._parts[order.connector_id].lock
        if lock is not None:
            lock.lock()
            self._look_now()

    def _unlock(self, order: co.UnlockConnector) -> None:
        lock = self._parts[order.connector_id].lock
        if lock is not None:
            lock.unlock()
            self._look_now()

    def _show(self, order: co.ShowSignal) -> None:
        self._board.indicator.show(Signal[order.signal.name], order.flashes)

    # --- meter -------------------------------------------------------------------------------

    def _read_meter(self, order: co.ReadMeter) -> None:
        """Read in the meter's thread; a reading in work serves this order as well."""
        parts = self._parts[order.connector_id]
        if parts.meter is None or order.connector_id in self._reads_in_work:
            return
        task = asyncio.get_running_loop().create_task(self._read(parts, is_poll=False))
        self._reads_in_work[order.connector_id] = task
        task.add_done_callback(lambda _: self._reads_in_work.pop(order.connector_id, None))

    async def poll_meters(
        self, poll_s: Mapping[int, float], is_busy: Callable[[int], bool]
    ) -> None:
        """Read each meter for ever: in its own rhythm during a session, every 30 s without one."""
        metered = [parts for parts in self._board.connectors if parts.meter is not None]
        if not metered:
            await asyncio.Event().wait()  # for ever means for ever
        async with asyncio.TaskGroup() as group:
            for parts in metered:
                group.create_task(self._poll(parts, poll_s[parts.connector_id], is_busy))

    async def _poll(
        self, parts: ConnectorParts, poll_s: float, is_busy: Callable[[int], bool]
    ) -> None:
        idle_s = 30.0
        while True:
            await self._read(parts, is_poll=True)
            waited_s = 0.0
            failing = self._meter_failures[parts.connector_id] > 0
            limit_s = poll_s if failing else idle_s
            while waited_s < (poll_s if is_busy(parts.connector_id) else limit_s):
                await asyncio.sleep(poll_s)
                waited_s += poll_s

    async def _read(self, parts: ConnectorParts, is_poll: bool) -> None:
        assert parts.meter is not None
        loop = asyncio.get_running_loop()
        connector_id = parts.connector_id
        try:
            reading = await loop.run_in_executor(self._meter_executor, parts.meter.read)
        except HardwareError as problem:
            self._meter_failed(connector_id, str(problem), is_poll)
        except Exception as mistake:  # in a driver: it must neither end the box nor get lost
            if self._meter_failures[connector_id] == 0:
                logger.exception("connector %d: the meter's driver failed", connector_id)
            self._meter_failed(connector_id, f"its driver failed: {mistake!r}", is_poll)
        else:
            self._meter_failures[connector_id] = 0
            self._post(ev.MeterRead(connector_id, _reading(reading, self._clock.now().utc)))

    def _meter_failed(self, connector_id: int, problem: str, is_poll: bool) -> None:
        self._meter_failures[connector_id] += 1
        count = self._meter_failures[connector_id]
        if count == 1:
            logger.warning("connector %d: meter: %s", connector_id, problem)
        if not is_poll or count >= METER_FAILURES_MAX:
            self._post(ev.MeterFailed(connector_id, problem))

    # --- reader ------------------------------------------------------------------------------

    def reader_says(self, happened: ReaderEvent) -> None:
        """Called from the reader's thread."""
        match happened:
            case CardArrived():
                self._board.indicator.show(Signal.CARD_READ)
                self._card(happened)
            case CodeArrived(code):
                self._board.indicator.show(Signal.CARD_READ)
                self._present(code, happened)
            case CardLeft():
                pass
            case CardLay():
                words = "a card lay on the reader before it looked: take it away, show it again"
                self._post(ev.CardNotTaken(words))
            case SeveralCards():
                self._post(ev.CardNotTaken("more than one card in the field: show one alone"))
            case CardUnreadable(problem):
                self._post(ev.CardNotTaken(problem))
            case ReaderFailed(problem):
                self._post(ev.ReaderFailed(problem))
            case ReaderRecovered():
                self._post(ev.ReaderRecovered())

    def _card(self, card: CardArrived) -> None:
        try:
            id_tag = id_tag_from_uid(card.uid, self._reader.uid_order, self._reader.uid_format)
        except ValueError as problem:
            words = f"reader.uid_format does not fit this card: {problem}"
            self._post(ev.CardNotTaken(words, card.request_id))
            return
        self._present(id_tag, card, is_random_uid(card.uid))

    def _present(
        self, id_tag: str, read: CardArrived | CodeArrived, is_random: bool = False
    ) -> None:
        if not is_valid_id_tag(id_tag):
            words = "the code has more than 20 or unprintable characters"
            self._post(ev.CardNotTaken(words, read.request_id))
            return
        served = self._served if read.connector_id is None else (read.connector_id,)
        request_id = read.request_id
        self._post(
            ev.TagPresented(
                id_tag,
                served,
                is_random=is_random,
                request_id=request_id,
                read_s=self._clock.monotonic_s(),
            )
        )


def _reading(reading: MeterReading, read_at: datetime) -> Reading:
    """Whole Wh, rounded down: the one rounding rule for energy."""
    return Reading(
        import_wh=math.floor(reading.import_wh),
        read_at=read_at,
        power_w=reading.power_w,
        voltage_v=reading.voltage_v,
        current_a=reading.current_a,
        power_phase_w=reading.power_phase_w,
        frequency_hz=reading.frequency_hz,
        power_factor=reading.power_factor,
        offset_wh=round(reading.offset_wh),
    )
