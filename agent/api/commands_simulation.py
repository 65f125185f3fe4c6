"""Commands that play the driver, the car and bad luck. Real hardware refuses them all."""

from __future__ import annotations

from collections.abc import Callable
from math import floor

from agent.api.errors import conflict
from agent.api.queue import Progress
from agent.api.response_models import FaultOperationResponse
from agent.api.results import CommandOutcome, applied, failed, rejected
from agent.api.schemas import (
    ClearFaultEvent,
    ConnectorCommandEvent,
    InjectFaultEvent,
    PowerUpdateCommandEvent,
    PresentCardCommandEvent,
)
from agent.api.service import SEEN_S, ControlService, PreparedCommand
from agent.core.authorization_reasons import Rule
from agent.core.connector import has_forbidding_fault
from agent.core.connector_ev_presence import is_connected
from agent.core.events import LimitRequested
from agent.core.id_tag import mask
from agent.core.state import ChargePoint, Charging, Connector, Finished
from agent.core.values import ERROR_CODES, DecisionRecord, LockState, PartFault, PilotState, Verdict
from hw.ports import InjectedFault

CAR = ("pilot", "plug")  # what a simulated car needs
CURRENT_A_MIN = 6  # IEC 61851-1: less cannot be offered

_FAULT_TYPES = {code.lower(): code for code in ERROR_CODES} | {
    "overcurrent": "OverCurrentFailure",
    "groundfault": "GroundFailure",
    "residualcurrent": "GroundFailure",
    "overtemperature": "HighTemperature",
    "lockfailure": "ConnectorLockFailure",
    "meterfailure": "PowerMeterFailure",
    "contactorfailure": "PowerSwitchFailure",
    "weldedcontactor": "PowerSwitchFailure",
    "emergencystop": "OtherError",
}


def fault_of(fault_type: str) -> InjectedFault:
    """The OCPP error code of a fault type, in any case; else OtherError with its text."""
    name = fault_type.lower()
    code = _FAULT_TYPES.get(name)
    if code is None:
        return InjectedFault("OtherError", fault_type)
    return InjectedFault(code, is_emergency_stop=name == "emergencystop")


class SimulationCommands:
    """plug, unplug, EV energy, power, faults, cards."""

    def __init__(self, service: ControlService) -> None:
        self._service = service
        self._agent = service.agent

    # --- the cable -------------------------------------------------------------------------------

    async def plug(self, event: ConnectorCommandEvent) -> PreparedCommand:
        """Pilot from A to B: a cable is seated, the car does not ask for energy yet."""
        connector_id = self._service.connector_id(event.connector_id)
        self._service.require_simulated(connector_id, CAR, "Plugging")
        await self._service.in_turn(connector_id)
        if is_connected(self._agent.connector(connector_id)):
            message = f"A cable is plugged in at connector {connector_id} already."
            raise conflict("already_plugged", message)
        self._require_in_service(connector_id)
        return PreparedCommand(connector_id, lambda progress: self.do_plug(connector_id))

    def _require_in_service(self, connector_id: int) -> None:
        """Raises Refused (409) while a fault stands, or the charge point is going down."""
        state, connector = self._agent.state, self._agent.connector(connector_id)
        if has_forbidding_fault(state, connector):
            words = self._agent.report(connector_id).info or "a fault stands"
            message = f"Connector {connector_id} is out of order: {words}."
            raise conflict("connector_faulted", message)
        if connector.out_of_service:
            message = f"Connector {connector_id} is out of service: ChangeAvailability."
            raise conflict("connector_unavailable", message)
        if state.restart is not None:
            raise conflict("connector_unavailable", "The charge point is about to restart.")

    async def do_plug(self, connector_id: int) -> CommandOutcome:
        """Plug in, and wait until the agent has seen it."""
        await self._agent.pull(lambda simulation: simulation.plug(connector_id, asks=False))
        return await self._confirmed(connector_id, is_connected, "the plug")

    async def unplug(self, event: ConnectorCommandEvent) -> PreparedCommand:
        """Pilot to A, whatever the lock holds."""
        connector_id = self._service.connector_id(event.connector_id)
        self._service.require_simulated(connector_id, CAR, "Unplugging")
        await self._service.in_turn(connector_id)
        self._service.require_plugged(connector_id)
        return PreparedCommand(connector_id, lambda progress: self.do_unplug(connector_id))

    async def do_unplug(self, connector_id: int) -> CommandOutcome:
        """Unplug, and wait until the agent has seen it.

        In a session a locked cable is pulled off the car. What becomes of its other end say
        StopTransactionOnEVSideDisconnect and UnlockConnectorOnEVSideDisconnect.
        """
        connector = self._agent.connector(connector_id)
        is_held = connector.traits.has_lock and self._service.has_simulated(connector_id, *CAR)
        session = connector.phase
        if isinstance(session, Charging) and session.vehicle_seen and is_held:
            await self._agent.pull(lambda simulation: simulation.drive_off(connector_id))
            if not await self._is_free_to_go(connector_id):
                return await self._confirmed(
                    connector_id, lambda c: c.is_disconnected, "that the car has left"
                )
        await self._agent.pull(lambda simulation: simulation.unplug(connector_id, by_force=True))
        return await self._confirmed(connector_id, lambda c: not is_connected(c), "that it is out")

    async def _is_free_to_go(self, connector_id: int) -> bool:

        def is_settled(state: ChargePoint) -> bool:
            there = state.connector(connector_id)
            is_kept = isinstance(there.phase, Charging) or there.held_for is not None
            is_free = isinstance(there.phase, Finished) and there.lock is LockState.UNLOCKED
            return (is_kept and there.is_disconnected) or is_free

        await self._service.seen(is_settled)
        return self._agent.connector(connector_id).lock is LockState.UNLOCKED

    # --- the car ---------------------------------------------------------------------------------

    async def request_energy(self, event: ConnectorCommandEvent) -> PreparedCommand:
        """Pilot from B to C, as soon as energy is offered."""
        connector_id = await self._with_car(event)
        return PreparedCommand(connector_id, lambda progress: self.do_request_energy(connector_id))

    async def do_request_energy(self, connector_id: int) -> CommandOutcome:
        """Let the car ask; without an offer it waits for one, as cars do."""
        await self._agent.pull(lambda simulation: simulation.energy(connector_id, True))
        return await self._confirmed(
            connector_id, lambda c: _asks(c) or not c.offered_a, "that the car asks for energy"
        )

    async def stop_energy(self, event: ConnectorCommandEvent) -> PreparedCommand:
        """Pilot from C to B."""
        connector_id = await self._with_car(event)

        async def run(progress: Progress) -> CommandOutcome:
            await self._agent.pull(lambda simulation: simulation.energy(connector_id, False))
            return await self._confirmed(
                connector_id, lambda c: not _asks(c), "that the car asks no more"
            )

        return PreparedCommand(connector_id, run)

    async def _with_car(self, event: ConnectorCommandEvent) -> int:
        connector_id = self._service.connector_id(event.connector_id)
        self._service.require_simulated(connector_id, ("pilot",), "EV energy")
        self._service.require_simulated(connector_id, CAR, "EV energy")
        await self._service.in_turn(connector_id)
        self._service.require_plugged(connector_id)
        return connector_id

    async def power(self, event: PowerUpdateCommandEvent) -> PreparedCommand:
        """What the simulated car draws; where the car is real, a limit, if that is allowed."""
        connector_id = self._service.connector_id(event.connector_id)
        drawn_by = ("meter", *CAR)
        if not self._service.has_simulated(connector_id, *drawn_by):
            if self._agent.settings.authorization.power_update_as_limit:
                return await self._limit(connector_id, event.power_w)
            self._service.require_simulated(connector_id, drawn_by, "Power")
        await self._service.in_turn(connector_id)

        async def run(progress: Progress) -> CommandOutcome:
            await self._agent.pull(
                lambda simulation: simulation.power(connector_id, float(event.power_w))
            )
            return applied(power_w=event.power_w)

        return PreparedCommand(connector_id, run)

    async def _limit(self, connector_id: int, power_w: int) -> PreparedCommand:
        await self._service.in_turn(connector_id)
        box = self._agent.settings.charge_point
        if self._agent.connector(connector_id).transaction is None:
            message = f"No transaction is active on connector {connector_id}."
            raise conflict("no_transaction", message)
        current_a = min(floor(power_w / (box.nominal_voltage_v * box.phases)), box.max_current_a)
        limit_a = float(current_a if current_a >= CURRENT_A_MIN else 0)

        async def run(progress: Progress) -> CommandOutcome:
            reply = await self._agent.ask(
                lambda request_id: LimitRequested(request_id, connector_id, limit_a)
            )
            if reply.status == "applied":
                return applied(limit_a=limit_a)
            return rejected(reply.detail or reply.status)

        return PreparedCommand(connector_id, run)

    # --- faults: answered at once ----------------------------------------------------------------

    async def inject(self, event: InjectFaultEvent) -> FaultOperationResponse:
        """Let the connector report a fault; the agent's own handling follows."""
        connector_id = self._service.connector_id(event.connector_id)
        self._service.require_simulated(connector_id, ("contactor",), "A fault")
        await self._service.in_turn(connector_id)
        fault = fault_of(event.fault_type)
        expected = PartFault(fault.code, fault.text, fault.is_emergency_stop)
        await self._agent.pull(lambda simulation: simulation.inject(connector_id, fault))
        await self._service.seen(lambda state: state.connector(connector_id).part_fault == expected)
        return self._message(connector_id, f"Fault injected: {fault.code}", event.fault_type, event)

    async def clear(self, event: ClearFaultEvent) -> FaultOperationResponse:
        """Mend what was broken; the status follows from the inputs."""
        connector_id = self._service.connector_id(event.connector_id)
        self._service.require_simulated(connector_id, ("contactor",), "A fault")
        await self._service.in_turn(connector_id)
        if not self._agent.is_broken(connector_id):
            message = f"No fault is injected at connector {connector_id}."
            raise conflict("no_fault_injected", message)
        await self._agent.pull(lambda simulation: simulation.clear(connector_id))
        await self._service.seen(lambda state: state.connector(connector_id).part_fault is None)
        return self._message(connector_id, "Fault cleared", None, event)

    def _message(
        self, connector_id: int, msg: str, fault_type: str | None, event: ConnectorCommandEvent
    ) -> FaultOperationResponse:
        return FaultOperationResponse(
            msg=msg,
            fault_type=fault_type,
            evse_id=event.evse_id,
            connector_id=connector_id,
            status=self._agent.report(connector_id).status.value,
        )

    # --- cards -----------------------------------------------------------------------------------

    async def present_card(self, event: PresentCardCommandEvent) -> PreparedCommand:
        """The simulated reader sees a card, once; everything after that is the real path."""
        connector_id = self._service.connector_id(event.connector_id)
        if not self._agent.has_simulated_reader:
            raise conflict(
                "simulated_hardware_required",
                "A card can only be presented at a simulated reader; this charger has a real one, "
                "or none.",
            )
        served = self._agent.settings.reader.connectors
        if event.connector_id is not None and served and connector_id not in served:
            message = f"The reader does not serve connector {connector_id}."
            raise conflict("connector_unavailable", message)
        await self._service.in_turn(connector_id)

        async def run(progress: Progress) -> CommandOutcome:
            card = event.uid or event.id_tag or ""
            decision = await self._agent.tap(card, event.uid is None, connector_id)
            if decision is None:
                return failed("The reader did not take the card, or it changed nothing.")
            return _decided(decision)

        return PreparedCommand(connector_id, run)

    async def _confirmed(
        self, connector_id: int, claim: Callable[[Connector], bool], what: str
    ) -> CommandOutcome:
        if await self._service.seen(lambda state: claim(state.connector(connector_id))):
            connector = self._agent.connector(connector_id)
            return applied(
                pilot=connector.pilot.value, status=self._agent.report(connector_id).status.value
            )
        return failed(f"The charge point did not see {what} within {SEEN_S:g} s.")


def _asks(connector: Connector) -> bool:
    return connector.pilot in (PilotState.C, PilotState.D)


def _decided(decision: DecisionRecord) -> CommandOutcome:
    rule = Rule[decision.rule]
    message = {
        "verdict": decision.verdict.value,
        "purpose": decision.purpose,
        "id_tag": mask(decision.id_tag),
        "rule": decision.rule,
        "source": decision.source,
        "status": decision.status,
    }
    if decision.verdict is Verdict.ACCEPTED:
        return applied(**message)
    return rejected(rule.says, **message)
