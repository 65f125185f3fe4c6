"""How the self-test tries each device: it is looked at, used by a person, or moved.

Each method answers with the finding of the step whose name it is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from agent.control.services import Services
from agent.core import events as ev
from agent.core.commands import Command
from agent.core.events import Event
from agent.core.faults import PILOT, RULES, Fault
from agent.core.signals import lasting_signal
from agent.core.values import LockState
from agent.maintenance.findings import Finding, failed, noted, passed
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

_GRID_CHECK = "its wires; inputs.grid_limit: pin, normally_closed"


class SelfTestAttempts:
    """On the agent's loop; what moves a part is called while no session can begin."""

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

    # --- what is only looked at ----------------------------------------------------------------

    async def input(self, name: str, step: str) -> Finding:
        """Look whether a safety input is in order."""
        if self._services.board.safety_inputs[name].is_tripped:
            rule = RULES[Fault(name)]
            return failed(step, rule.words, rule.check)
        return passed(step, "its contact is in order")

    async def grid(self, contact: SafetyInput, step: str) -> Finding:
        """Look at the grid operator's contact."""
        if contact.is_tripped:
            return noted(step, "the grid operator limits the box now", f"if not: {_GRID_CHECK}")
        return passed(step, "its contact does not limit the box")

    async def plug(self, parts: ConnectorParts, step: str) -> Finding:
        """Look whether it sees a plug."""
        assert parts.plug is not None
        if parts.plug.is_present:
            return noted(step, "it sees a plug", "if there is none: its contact and its level")
        return passed(step, "it sees no plug")

    async def pilot(self, parts: ConnectorParts, step: str) -> Finding:
        """Ask the controller what it sees and whether it complains."""
        pilot = parts.pilot
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

    async def meter(self, parts: ConnectorParts, step: str) -> Finding:
        """Read it once."""
        meter = parts.meter
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

    async def reader(self, step: str) -> Finding:
        """Whether it answers; no card is needed."""
        if Fault.READER in self._services.runtime.state.faults:
            rule = RULES[Fault.READER]
            return failed(step, rule.words, rule.check)
        return passed(step, "it answers")

    # --- what a person does --------------------------------------------------------------------

    async def press(self, name: str, step: str) -> Finding:
        """Wait until a person has tripped this safety input and put it back."""
        with self._listening() as events:
            if await events.next(ev.SafetyInputTripped(name), within_s=PRESS_S) is None:
                words = f"it did not trip within {PRESS_S:g} s"
                return failed(step, words, "its wires, its pin: chargepoint-agent check-config")
            if await events.next(ev.SafetyInputCleared(name), within_s=PRESS_S) is None:
                return failed(step, "it tripped, and stays so", RULES[Fault(name)].check)
        return passed(step, "it tripped, and is in order again")

    async def grid_try(self, contact: SafetyInput, step: str) -> Finding:
        """Wait until a person has let the grid operator's contact limit, and end it."""
        if not await _comes_true(lambda: contact.is_tripped):
            return failed(step, f"it did not limit within {PRESS_S:g} s", _GRID_CHECK)
        if not await _comes_true(lambda: not contact.is_tripped):
            return failed(step, "it limits, and goes on to", _GRID_CHECK)
        return passed(step, "it limited, and no longer does")

    async def card(self, step: str) -> Finding:
        """Wait for a card."""
        with self._listening() as events:
            heard = await events.next(ev.TagPresented, ev.CardNotTaken, within_s=CARD_S)
        if heard is None:
            words = f"no card was seen within {CARD_S:g} s"
            return failed(
                step, words, "antenna free of metal, reader.antenna_gain_db, another card"
            )
        if isinstance(heard, ev.CardNotTaken):
            return failed(step, heard.problem, "try another card")
        return passed(step, "a card was read whole")

    async def indicator(self, step: str) -> Finding:
        """Show five signals, then again what was shown."""
        show = self._services.board.indicator.show
        try:
            for signal in PARADE:
                show(signal, 2)
                await asyncio.sleep(SHOWN_S)
        finally:
            lasting = lasting_signal(self._services.runtime.state)
            show(Signal[lasting.signal.name], lasting.flashes)
        return passed(step, "five signals were shown")

    # --- what moves ----------------------------------------------------------------------------

    async def lock(self, parts: ConnectorParts, step: str) -> Finding:
        """Lock and unlock."""
        lock = parts.lock
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

    async def contactor(self, parts: ConnectorParts, step: str) -> Finding:
        """Close for a moment, and open."""
        contactor = parts.contactor
        if contactor.is_closed:
            rule = RULES[Fault.CONTACTOR_WELDED]
            return failed(step, "its contacts are closed without an order", rule.check)
        if not self._supervision.is_looking:
            return failed(step, "the inputs are not watched", "restart the agent")
        with self._listening() as events:
            self._supervisor.let_test(parts.connector_id)
            try:
                problem = await self._close(parts, step, events)
                if problem is not None:
                    return problem
                await asyncio.sleep(HOLD_S)
                contactor.open()
                self._supervision.look_now()
                return await self._opened(parts, step, events)
            finally:  # not before it has opened: until then the reflex would find a reason to trip
                contactor.open()
                self._supervisor.let_test()
                self._supervision.look_now()

    async def _close(self, parts: ConnectorParts, step: str, events: _PartEvents) -> Finding | None:
        connector_id, contactor = parts.connector_id, parts.contactor
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

    async def _opened(self, parts: ConnectorParts, step: str, events: _PartEvents) -> Finding:
        opened = ev.ContactorOpened(parts.connector_id)
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
