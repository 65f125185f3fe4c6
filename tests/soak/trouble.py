"""What goes wrong in the virtual day, and what must hold whatever goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from random import Random

from agent.core.state import Idle
from agent.core.values import ERROR_CODES
from agent.platform.errors import ControlError, LinkError
from hw.ports import FAULT_NAMES, InjectedFault, LockState, PilotState
from hw.register_plausibility import WatchedMeter
from hw.simulated.meter import SimulatedMeter
from hw.simulated.part import SimulatedFault
from tests.app.box import CARD, Box
from tests.emulators.central_system import Error, HangUp, Late, Silence
from tests.soak.minutes import wrong_sessions

OPEN_S = 0.1
PATIENCE_S = 3600.0  # a link that was lost again and again is tried after long rests
STRANGER = "04FFFFFFFFFF80"
OPENING = {
    fault.value
    for fault in (
        SimulatedFault.OPENS_BY_ITSELF,
        SimulatedFault.PILOT_SHORT,
        SimulatedFault.PILOT_SILENT,
        SimulatedFault.EMERGENCY_STOP,
        SimulatedFault.RESIDUAL_CURRENT,
        SimulatedFault.DOOR,
    )
}


class _Heard(deque[tuple[float, str]]):
    """The memory of the main contacts, with a listener."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(maxlen=200)
        self._tell = tell

    def append(self, item: tuple[float, str]) -> None:
        super().append(item)
        self._tell(item[1])


class Witness:
    """Looks at the contacts at the instant at which they close, and at what was told of it."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self.broken: list[str] = []
        self._fed: set[int] = set()  # sessions that got energy
        self.listen()

    def listen(self) -> None:
        """Listen at the contacts of the process that runs now."""
        self._box.contactor.contacts.history = _Heard(self._moved)

    def must_be_open(self, after: str) -> None:
        """Note when energy flows although this has happened."""
        contacts = self._box.contactor.contacts
        is_welded = (
            SimulatedFault.WELDED in contacts.faults
        )  # then no more than its coil can be off
        if contacts.is_coil_on or (contacts.is_closed and not is_welded):
            self.broken.append(f"closed {OPEN_S:g} s after: {after}")

    def look_back(self) -> None:
        """With everything at rest: each session was told, once."""
        system = self._box.central_system
        self.broken += wrong_sessions(system)
        told = {call.unique_id: call.payload for call in system.of("StartTransaction")}
        if len(self._fed) > len(told):
            self.broken.append(f"{len(self._fed)} sessions got energy, {len(told)} were told")
        begun_wh = {system.transaction_ids[id]: start["meterStart"] for id, start in told.items()}
        for stop in system.of("StopTransaction"):
            number, stop_wh = stop.payload["transactionId"], stop.payload["meterStop"]
            if stop_wh < begun_wh.get(number, stop_wh + 1):
                self.broken.append(f"transaction {number} ended at {stop_wh} Wh: {begun_wh}")
        self._fed.clear()

    def _moved(self, what: str) -> None:
        if what != "contacts closed":
            return
        self.broken += [f"closed with: {reason}" for reason in self._reasons()]
        if self._box.state.transaction is not None:
            self._fed.add(self._box.state.transaction.ref)

    def _reasons(self) -> list[str]:
        board, reasons = self._box.application.board, []
        assert board is not None
        assert board.simulation is not None
        parts = board.connectors[0]
        if board.simulation.injected(1) is not None:
            reasons.append("a fault that a part reports")
        reasons += [name for name, contact in board.safety_inputs.items() if contact.is_tripped]
        if parts.plug is not None and not parts.plug.is_present:
            reasons.append("no plug")
        if parts.lock is not None and parts.lock.state is not LockState.LOCKED:
            reasons.append("the lock open")
        if parts.pilot is not None and parts.pilot.state not in (PilotState.C, PilotState.D):
            reasons.append(f"the pilot in {parts.pilot.state.value}")
        if self._box.state.transaction is None:
            reasons.append("no session")
        return reasons


class Trouble:
    """Lets things go wrong during sessions, each kind once before any comes again."""

    def __init__(self, box: Box, chance: Random) -> None:
        self.witness = Witness(box)
        self.happened: Counter[str] = Counter()
        self._box = box
        self._chance = chance
        self._deck: list[Callable[[], Awaitable[None]]] = []
        self._faults: list[str] = []

    async def strike(self) -> None:
        """Something happens, now."""
        if not self._deck:
            # The faults of the parts are many: they come as often as all else together.
            others = [self._report, self._cut, self._jam_the_line, self._be_odd]
            others += [self._replace_the_meter, self._pull_the_plug, self._kill, self._show_a_card]
            self._deck = [*others, *[self._break] * len(others)]
            self._chance.shuffle(self._deck)
        happen = self._deck.pop()
        self.happened[happen.__name__.strip("_")] += 1
        await happen()

    async def end(self) -> None:
        """Everything is mended, the plug is pulled: the box must become free again."""
        box = self._box
        self._heal_the_line()
        box.central_system.always("StartTransaction", None)
        box.central_system.always("MeterValues", None)
        await box.do("sim", lever="clear")
        await asyncio.sleep(10)
        if self._chance.random() < 0.5:
            await box.tap()
            await asyncio.sleep(10)
        with contextlib.suppress(ControlError):
            await box.do("sim", lever="unplug", at_car=True)
        await self._until_free()
        await self._until_told()

    async def _until_free(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(ControlError):
                    await self._box.do("acknowledge", connector=1)
                is_free = (await self._box.status())["status"] == "Available"
                if is_free and isinstance(self._box.state.phase, Idle):
                    break
                await asyncio.sleep(10)
        self.witness.must_be_open("at rest")

    async def _until_told(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                status = await self._box.do("status")
                if status["online"] and not status["messages_waiting"]:
                    return
                await asyncio.sleep(10)

    # --- what happens --------------------------------------------------------------------------

    async def _break(self) -> None:
        """A part fails; half of the time it is mended while the car is still there."""
        if not self._faults:
            self._faults = self._chance.sample(FAULT_NAMES, len(FAULT_NAMES))
        name = self._faults.pop()
        self.happened[name] += 1
        await self._box.do("sim", lever="fault", name=name)
        await self._opens(name if name in OPENING else None)

    async def _report(self) -> None:
        code = self._chance.choice(ERROR_CODES)
        board = self._box.application.board
        assert board is not None
        assert board.simulation is not None
        stops = self._chance.random() < 0.5
        board.simulation.inject(1, InjectedFault(code, "by chance", is_emergency_stop=stops))
        await self._opens(f"a part reports {code}")

    async def _opens(self, cause: str | None) -> None:
        if cause is not None:
            await asyncio.sleep(OPEN_S)
            self.witness.must_be_open(cause)
        await asyncio.sleep(self._chance.uniform(0, 200))
        if self._chance.random() < 0.5:
            await self._box.do("sim", lever="clear")

    async def _cut(self) -> None:
        self._box.central_system.refuse_always = LinkError("no way there")
        await self._box.central_system.drop()
        await asyncio.sleep(self._chance.choice((3.0, 300.0)))
        self._heal_the_line()

    def _heal_the_line(self) -> None:
        self._box.central_system.refuse_always = None

    async def _jam_the_line(self) -> None:
        self._box.central_system.half_open()

    async def _be_odd(self) -> None:
        action = self._chance.choice(("StartTransaction", "MeterValues"))
        self._box.central_system.always(
            action, self._chance.choice((Late(40.0), Silence(), Error(), HangUp()))
        )
        await self._box.tap()

    async def _replace_the_meter(self) -> None:
        board = self._box.application.board
        assert board is not None
        watched = board.connectors[0].meter
        assert isinstance(watched, WatchedMeter)
        meter = watched._meter
        assert isinstance(meter, SimulatedMeter)
        meter.settle()
        meter._register_wh = self._chance.choice((0.0, 12_345.0))

    async def _pull_the_plug(self) -> None:
        with contextlib.suppress(ControlError):  # it is out already
            await self._box.do("sim", lever="unplug", at_car=True)
        await asyncio.sleep(OPEN_S)
        self.witness.must_be_open("the plug was pulled by force")

    async def _kill(self) -> None:
        is_power_cut = self._chance.random() < 0.5
        await (self._box.lose_power() if is_power_cut else self._box.die())
        await asyncio.sleep(self._chance.uniform(1, 200))
        await self._box.start()
        self.witness.listen()

    async def _show_a_card(self) -> None:
        await self._box.tap(self._chance.choice((STRANGER, CARD)))
