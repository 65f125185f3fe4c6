"""The self-test: each device without a car, tried by the running agent, one step at a time.

The caller goes from step to step; between two steps drivers can use the box again. A
step that moves a part keeps cards out meanwhile, and the core refuses it during a session.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial

from agent.control.services import Services
from agent.core import events as ev
from agent.core.commands import Command
from agent.core.events import Event
from agent.core.faults import PILOT, RULES, Fault
from agent.core.signals import lasting_signal
from agent.core.values import LockState
from agent.maintenance.findings import Finding, failed, noted, passed
from agent.platform.errors import ControlError
from agent.runtime.supervision import Supervisor
from agent.runtime.supervision_loop import Supervision
from hw.ports import (
    ConnectorParts,
    HardwareError,
    MeterReading,
    PilotState,
    SafetyInput,
    Signal,
)

HOLD_S = 0.5  # a contactor stays closed so long
LEASE_S = 2.0
REST_S = 20.0  # a contactor that has just opened is waited for
ANSWER_S = 3.0  # its feedback; the driver's own deadlines are shorter
LOCK_S = 12.0  # one direction, with its retries
CARD_S = 25.0  # a person holds a card to the reader
PRESS_S = 14.0  # a person presses a button; and once more until it is released
LOOK_S = 0.1  # how often a contact is looked at meanwhile
SHOWN_S = 1.2
PARADE = (Signal.FREE, Signal.CHECKING, Signal.REFUSED, Signal.FAULT, Signal.TEST)

Try = Callable[[], Awaitable[Finding]]
_BUTTONS = {
    "emergency_stop": "Press the emergency stop, then release it.",
    "residual_current": "Press the test button of the residual current device, then reset it.",
    "door": "Open the cabinet door, then close it.",
}
_PATIENCE = f"It waits up to {PRESS_S:g} s for each."
GRID = "grid_limit"
_GRID_CHECK = "its wires; inputs.grid_limit: pin, normally_closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestStep:
    """One device. The texts are for a person; a step with neither needs no person."""

    name: str
    attempt: Try
    moves: str = ""  # what will move, so that one is asked before
    wants: str = ""  # what the person has to do while it is tried
    confirm: str = ""  # what only a person can tell afterwards
    is_exclusive: bool = False  # no session beside it


class SelfTest:
    """The steps of one box. On the agent's loop."""

    def __init__(
        self,
        services: Services,
        supervisor: Supervisor,
        supervision: Supervision,
        read_meter: Callable[[Callable[[], MeterReading]], Awaitable[MeterReading]],
    ) -> None:
        """``read_meter`` calls a meter in its own thread."""
        self._services = services
        self._supervisor = supervisor
        self._supervision = supervision
        self._read_meter = read_meter
        self._at_work = asyncio.Lock()
        self.steps = {step.name: step for step in self._make_steps()}

    async def check_that_it_may_begin(self) -> None:
        """ControlError says why the box must not be tested now."""
        async with self._alone():
            pass

    async def try_step(self, name: str) -> Finding:
        """Try one device. ControlError: there is no such step, or not now."""
        step = self.steps.get(name)
        if step is None:
            known = ", ".join(self.steps)
            raise ControlError(f"there is no step {name!r}; the steps are {known}")
        if not step.is_exclusive:
            return await step.attempt()
        async with self._alone():
            return await step.attempt()

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """No session begins meanwhile. ControlError when one runs."""
        if self._at_work.locked():
            raise ControlError("another self-test is at work")
        runtime = self._services.runtime
        async with self._at_work:
            reply = await runtime.ask(ev.SelfTestBegan)
            if reply.status != "Accepted":
                raise ControlError(f"no self-test now: {reply.detail}")
            try:
                yield
            finally:
                runtime.post(ev.SelfTestEnded())

    # --- the steps -----------------------------------------------------------------------------

    def _make_steps(self) -> Iterator[SelfTestStep]:
        board = self._services.board
        for name in board.safety_inputs:
            yield SelfTestStep(name=name, attempt=partial(self._input, name))
            if wants := _BUTTONS.get(name):
                yield SelfTestStep(
                    name=f"{name}-try",
                    attempt=partial(self._press, name),
                    wants=f"{wants} {_PATIENCE}",
                    is_exclusive=True,
                )
        if board.grid_contact is not None:
            yield SelfTestStep(name=GRID, attempt=partial(self._grid, board.grid_contact))
            yield SelfTestStep(
                name=f"{GRID}-try",
                attempt=partial(self._grid_try, board.grid_contact),
                wants=(
                    "Let the grid operator's contact limit (or open its wire), then end it."
                    f" {_PATIENCE}"
                ),
            )
        for parts in board.connectors:
            yield from self._steps_of(parts)
        if board.reader is not None:
            yield SelfTestStep(name="reader", attempt=self._reader)
            wants = f"Hold any card to the reader. It waits up to {CARD_S:g} s."
            yield SelfTestStep(name="card", attempt=self._card, wants=wants, is_exclusive=True)
        if self._services.settings.board.indicator.driver != "none" or not board.is_polled:
            yield SelfTestStep(
                name="indicator",
                attempt=self._indicator,
                moves="The light shows five signals; a buzzer sounds.",
                confirm="Did the light change five times?",
                is_exclusive=True,
            )

    def _steps_of(self, parts: ConnectorParts) -> Iterator[SelfTestStep]:
        number = parts.connector_id
        if parts.plug is not None:
            yield SelfTestStep(name=f"plug-{number}", attempt=partial(self._plug, parts))
        if parts.pilot is not None:
            yield SelfTestStep(name=f"pilot-{number}", attempt=partial(self._pilot, parts))
        if parts.meter is not None:
            yield SelfTestStep(name=f"meter-{number}", attempt=partial(self._meter, parts))
        if parts.lock is not None:
            moves = f"The lock of connector {number} closes and opens. Keep fingers out."
            attempt: Try = partial(self._lock, parts)
            yield SelfTestStep(
                name=f"lock-{number}", attempt=attempt, moves=moves, is_exclusive=True
            )
        yield SelfTestStep(
            name=f"contactor-{number}",
            attempt=partial(self._contactor, parts),
            moves=f"The contactor of connector {number} clicks: its empty socket is live for 1 s.",
            confirm="" if self._has_feedback(number) else "Did it click twice?",
            is_exclusive=True,
        )

    def _has_feedback(self, connector_id: int) -> bool:
        for settings in self._services.settings.connectors:
            if settings.id == connector_id and settings.contactor.driver == "gpio":
                return settings.contactor.feedback_pin is not None
        return True

    # --- what is only looked at ----------------------------------------------------------------

    async def _input(self, name: str) -> Finding:
        if self._services.board.safety_inputs[name].is_tripped:
            rule = RULES[Fault(name)]
            return failed(name, rule.words, rule.check)
        return passed(name, "its contact is in order")

    async def _grid(self, contact: SafetyInput) -> Finding:
        if contact.is_tripped:
            return noted(GRID, "the grid operator limits the box now", f"if not: {_GRID_CHECK}")
        return passed(GRID, "its contact does not limit the box")

    async def _plug(self, parts: ConnectorParts) -> Finding:
        step = f"plug-{parts.connector_id}"
        assert parts.plug is not None
        if parts.plug.is_present:
            return noted(step, "it sees a plug", "if there is none: its contact and its level")
        return passed(step, "it sees no plug")

    async def _pilot(self, parts: ConnectorParts) -> Finding:
        step, pilot = f"pilot-{parts.connector_id}", parts.pilot
        assert pilot is not None
        about = pilot.describe()
        complaints = sorted(PILOT[complaint.value].value for complaint in pilot.complaints)
        if complaints:
            rule = RULES[Fault(complaints[0])]
            return failed(step, f"{rule.words}: {about}", rule.check)
        if pilot.state is not PilotState.A:
            words = f"it shows state {pilot.state.value}: {about}"
            return noted(step, words, "state A is expected without a car")
        return passed(step, about)

    async def _meter(self, parts: ConnectorParts) -> Finding:
        step, meter = f"meter-{parts.connector_id}", parts.meter
        assert meter is not None
        try:
            reading = await self._read_meter(meter.read)
        except HardwareError as problem:
            return failed(step, str(problem), RULES[Fault.METER].check)
        nominal_v = self._services.settings.charge_point.nominal_voltage_v
        words = _values(reading)
        if any(not 0.85 <= voltage / nominal_v <= 1.15 for voltage in reading.voltage_v):
            return noted(step, words, f"{nominal_v:g} V are expected: phases, wiring, model")
        return passed(step, words)

    async def _reader(self) -> Finding:
        if Fault.READER in self._services.runtime.state.faults:
            rule = RULES[Fault.READER]
            return failed("reader", rule.words, rule.check)
        return passed("reader", "it answers")

    # --- what a person does --------------------------------------------------------------------

    async def _press(self, name: str) -> Finding:
        step = f"{name}-try"
        with self._listening() as events:
            if await events.next(ev.SafetyInputTripped(name), within_s=PRESS_S) is None:
                words = f"it did not trip within {PRESS_S:g} s"
                return failed(step, words, "its wires, its pin: chargepoint-agent check-config")
            if await events.next(ev.SafetyInputCleared(name), within_s=PRESS_S) is None:
                return failed(step, "it tripped, and stays so", RULES[Fault(name)].check)
        return passed(step, "it tripped, and is in order again")

    async def _grid_try(self, contact: SafetyInput) -> Finding:
        step = f"{GRID}-try"
        if not await _comes_true(lambda: contact.is_tripped):
            return failed(step, f"it did not limit within {PRESS_S:g} s", _GRID_CHECK)
        if not await _comes_true(lambda: not contact.is_tripped):
            return failed(step, "it limits, and goes on to", _GRID_CHECK)
        return passed(step, "it limited, and no longer does")

    async def _card(self) -> Finding:
        with self._listening() as events:
            heard = await events.next(ev.TagPresented, ev.CardNotTaken, within_s=CARD_S)
        if heard is None:
            words = f"no card was seen within {CARD_S:g} s"
            return failed(
                "card", words, "antenna free of metal, reader.antenna_gain_db, another card"
            )
        if isinstance(heard, ev.CardNotTaken):
            return failed("card", heard.problem, "try another card")
        return passed("card", "a card was read whole")

    async def _indicator(self) -> Finding:
        show = self._services.board.indicator.show
        try:
            for signal in PARADE:
                show(signal, 2)
                await asyncio.sleep(SHOWN_S)
        finally:
            lasting = lasting_signal(self._services.runtime.state)
            show(Signal[lasting.signal.name], lasting.flashes)
        return passed("indicator", "five signals were shown")

    # --- what moves ----------------------------------------------------------------------------

    async def _lock(self, parts: ConnectorParts) -> Finding:
        step, lock = f"lock-{parts.connector_id}", parts.lock
        assert lock is not None
        with self._listening() as events:
            for order, wanted in ((lock.lock, LockState.LOCKED), (lock.unlock, LockState.UNLOCKED)):
                order()
                self._supervision.look_now()
                done = ev.LockChanged(parts.connector_id, wanted)
                jammed = ev.LockJammed(parts.connector_id, wanted)
                if await events.next(done, jammed, within_s=LOCK_S) != done:
                    lock.unlock()
                    words = f"it was not {wanted.value} within {LOCK_S:g} s, by its feedback"
                    return failed(step, words, RULES[Fault.LOCK_FAILED].check)
        return passed(step, "locked and unlocked, as its feedback says")

    async def _contactor(self, parts: ConnectorParts) -> Finding:
        step, contactor = f"contactor-{parts.connector_id}", parts.contactor
        if contactor.is_closed:
            rule = RULES[Fault.CONTACTOR_WELDED]
            return failed(step, "its contacts are closed without an order", rule.check)
        if not self._supervision.is_looking:
            return failed(step, "the inputs are not watched", "restart the agent")
        with self._listening() as events:
            self._supervisor.let_test(parts.connector_id)
            try:
                problem = await self._close(parts, events)
                if problem is not None:
                    return problem
                await asyncio.sleep(HOLD_S)
                contactor.open()
                self._supervision.look_now()
                return await self._opened(parts, events)
            finally:  # not before it has opened: until then the reflex would find a reason to trip
                contactor.open()
                self._supervisor.let_test()
                self._supervision.look_now()

    async def _close(self, parts: ConnectorParts, events: _PartEvents) -> Finding | None:
        connector_id, contactor = parts.connector_id, parts.contactor
        step = f"contactor-{connector_id}"
        try:
            contactor.arm(self._services.runtime.state.connector(connector_id).trips_seen)
            contactor.close(LEASE_S)
        except HardwareError as refusal:
            return failed(step, str(refusal), RULES[Fault.CONTACTOR_FAILED].check)
        self._supervision.look_now()
        closed, waited_s = ev.ContactorClosed(connector_id), 0.0
        while waited_s < REST_S:
            heard = await events.next(closed, ev.ContactorTripped, within_s=LEASE_S / 4)
            if heard == closed:
                return None
            if isinstance(heard, ev.ContactorTripped):
                return failed(step, _in_words(heard), RULES[Fault.CONTACTOR_FAILED].check)
            contactor.renew(LEASE_S)  # it rests: shortest time between two closings
            waited_s += LEASE_S / 4
        return noted(step, "it still rests from its last opening", "try again in some minutes")

    async def _opened(self, parts: ConnectorParts, events: _PartEvents) -> Finding:
        step, opened = f"contactor-{parts.connector_id}", ev.ContactorOpened(parts.connector_id)
        heard = await events.next(opened, ev.ContactorTripped, within_s=ANSWER_S)
        if heard == opened:
            return passed(step, "closed and opened")
        words = _in_words(heard) if isinstance(heard, ev.ContactorTripped) else "it did not open"
        return failed(step, words, RULES[Fault.CONTACTOR_WELDED].check)

    @contextmanager
    def _listening(self) -> Iterator[_PartEvents]:
        events = _PartEvents()
        self._services.observers.append(events.observe)
        try:
            yield events
        finally:
            self._services.observers.remove(events.observe)


async def _comes_true(claim: Callable[[], bool]) -> bool:
    """Whether a person makes it true in time."""
    for _ in range(int(PRESS_S / LOOK_S)):
        if claim():
            return True
        await asyncio.sleep(LOOK_S)
    return claim()


class _PartEvents:
    def __init__(self) -> None:
        self._heard: asyncio.Queue[Event] = asyncio.Queue()

    def observe(self, event: Event, commands: Sequence[Command]) -> None:
        """Called by the runtime after each turn."""
        if not isinstance(event, ev.TimePassed | ev.MeterRead):
            self._heard.put_nowait(event)

    async def next(self, *wanted: Event | type[Event], within_s: float) -> Event | None:
        """The first event that is one of these, or of these kinds; None: it did not come."""
        kinds = tuple(known for known in wanted if isinstance(known, type))
        try:
            async with asyncio.timeout(within_s):
                while True:
                    event = await self._heard.get()
                    if event in wanted or isinstance(event, kinds):
                        return event
        except TimeoutError:
            return None


def _in_words(trip: ev.ContactorTripped) -> str:
    is_reflex = trip.reason == "reflex"
    return "a plug, a car or a contact spoke against it" if is_reflex else trip.reason


def _values(reading: MeterReading) -> str:
    volts = ", ".join(f"{voltage:.1f} V" for voltage in reading.voltage_v)
    power = "" if reading.power_w is None else f"{reading.power_w:.0f} W"
    hertz = "" if reading.frequency_hz is None else f"{reading.frequency_hz:.2f} Hz"
    energy = f"{reading.import_wh / 1000:.3f} kWh"
    return ", ".join(text for text in (energy, power, volts, hertz) if text)
