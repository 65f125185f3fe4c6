"""What every command has in common: whom it is for, when it may run, what its receipt says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from agent.api.agent_bridge import PARTS, AgentBridge
from agent.api.errors import Invalid, Refused, conflict, not_connected, not_found
from agent.api.queue import CommandQueue, Run
from agent.api.response_models import (
    LocationCommandFailure,
    LocationCommandResponse,
    LocationQueuedCommandResult,
    QueuedCommandResponse,
)
from agent.api.results import CommandStatus, QueuedCommand, Results
from agent.api.schemas import ChargerCommandTarget, CommandTarget
from agent.core.authorization_reasons import Rule
from agent.core.connector_ev_presence import is_connected
from agent.core.events import RequestNotTaken
from agent.core.state import ChargePoint, Purpose
from agent.ocpp16.operator_messages import VERSION

PATIENCE_S = 0.5  # earlier commands at the connector may be done before "possible now" is decided
SEEN_S = 5.0  # the agent notices by then what a lever of the simulated world has moved

PART_WORDS = {
    "pilot": "control pilot",
    "plug": "plug sensor",
    "contactor": "contactor",
    "lock": "lock",
    "meter": "meter",
}


@dataclass(frozen=True, slots=True)
class PreparedCommand:
    """A command that is possible now: where it waits for its turn, and what it does."""

    lane: int
    run: Run


# What a command is about, by its name; None: refusing it refuses no charging.
PURPOSES: Mapping[str, Purpose | None] = {
    "unlock_connector": Purpose.UNLOCK,
    "skip_delay": None,
    "start_transaction": Purpose.OPERATOR_START,
    "stop_transaction": Purpose.OPERATOR_STOP,
    "start_session": Purpose.OPERATOR_START,
    "stop_session": Purpose.OPERATOR_STOP,
    "authorize_id_tag": Purpose.AUTHORIZE_ONLY,
    "power_update": Purpose.LIMIT,
    "plug_connector": None,
    "unplug_connector": None,
    "ev_requests_energy": None,
    "ev_stops_energy": None,
    "present_card": None,
}
_RULES = {
    "invalid": Rule.UNKNOWN_CONNECTOR,
    "not_plugged": Rule.NOT_PLUGGED,
    "no_transaction": Rule.NO_SESSION,
    "unknown_transaction": Rule.NO_SESSION,
    "ambiguous_transaction": Rule.SEVERAL_SESSIONS,
}

# What a command that is answered at once says when nothing was changed.
_REFUSALS = ("Rejected", "NotSupported", "Failed", "VersionMismatch")

Prepare = Callable[[Any], Awaitable[PreparedCommand]]  # from the event; raises Refused


class UnifiedRequest(Protocol):
    """The body of a unified command."""

    @property
    def target(self) -> CommandTarget:
        """Whom it is for."""

    @property
    def event(self) -> Any:
        """What shall happen."""


class ControlService:
    """The charger, its queue, and the rules that all commands obey."""

    def __init__(self, agent: AgentBridge) -> None:
        """Made on the API's loop."""
        self.agent = agent
        self.results = Results(agent.make_id, lambda: agent.now().utc)
        self.queue = CommandQueue(self.results)
        self.charger_id = agent.settings.charger_id
        self.identity = agent.settings.charge_point.identity
        self.location_id = agent.settings.charge_point.location_id

    # --- whom it is for --------------------------------------------------------------------------

    def require_charger(self, charger_id: str) -> None:
        """Raises Refused (404) unless this is our id or our OCPP identity, exactly."""
        if charger_id not in (self.charger_id, self.identity):
            raise not_found("unknown_charger", f"There is no charger {charger_id[:60]!r} here.")

    def require_target(self, target: ChargerCommandTarget) -> None:
        """See ``require_charger``."""
        self.require_charger(target.charger_id)

    def connector_id(self, given: int | None) -> int:
        """The connector that is meant; 1 when none is named. Raises Invalid for one too many."""
        connector_id = 1 if given is None else given
        if not self.agent.state.has_connector(connector_id):
            last = len(self.agent.state.connectors)
            message = f"this charger has the connectors 1 to {last}"
            raise Invalid(message, ("body", "event", "connector_id"), "less_than_equal")
        return connector_id

    # --- unified commands: queued ----------------------------------------------------------------

    async def unified(
        self, event_type: str, request: UnifiedRequest, prepare: Prepare
    ) -> LocationCommandResponse:
        """Find out whether the command is possible now, and queue it: see ``for_target``."""
        event, purpose = request.event, PURPOSES[event_type]
        return await self.for_target(
            request.target, lambda: self.submit(event_type, event, prepare, purpose)
        )

    async def for_target(
        self, target: CommandTarget, take: Callable[[], Awaitable[QueuedCommandResponse]]
    ) -> LocationCommandResponse:
        """Take the command over, if this charger is meant.

        With a charger_id a refusal is raised; with a location_id it stands among the failures.
        """
        if target.charger_id is not None:
            self.require_charger(target.charger_id)
            return self._receipt(1, [await take()], [])
        if not self.location_id or target.location_id != self.location_id:
            message = f"There is no location {str(target.location_id)[:60]!r} here."
            raise not_found("unknown_location", message)
        failures = [
            LocationCommandFailure(
                identity=None, error=f"There is no charger {other[:60]!r} at this location."
            )
            for other in target.charger_ids or ()
            if other not in (self.charger_id, self.identity)
        ]
        is_meant = target.charger_ids is None or len(failures) < len(target.charger_ids)
        results: list[QueuedCommandResponse] = []
        if is_meant:
            try:
                results.append(await take())
            except Refused as refusal:
                failures.append(
                    LocationCommandFailure(identity=self.identity, error=refusal.detail)
                )
        return self._receipt(len(results) + len(failures), results, failures)

    async def submit(
        self, event_type: str, event: BaseModel, prepare: Prepare, purpose: Purpose | None
    ) -> QueuedCommandResponse:
        """Queue a command, if it is possible. Raises Refused, without any effect.

        ``purpose``: what it is about, if it is about charging: then a refusal leaves its reason.
        """
        try:
            plan = await prepare(event)
            command = self.queue.submit(plan.lane, event_type, plan.run)
        except Refused as refusal:
            if purpose is not None:
                self._keep_reason(purpose, event, refusal)
            raise
        return _taken(command, event)

    async def perform(
        self, event_type: str, work: Callable[[Any], Awaitable[BaseModel]], event: BaseModel
    ) -> QueuedCommandResponse:
        """Do at once what needs no queue, and keep its answer as the result of a command."""
        answer = (await work(event)).model_dump(mode="json", exclude_none=True)
        is_refused = answer.get("status") in _REFUSALS
        status = CommandStatus.REJECTED if is_refused else CommandStatus.APPLIED
        command = self.results.begin(event_type)
        self.results.change(command, status, answer.get("msg"), answer)
        return _taken(command, event)

    def _keep_reason(self, purpose: Purpose, event: BaseModel, refusal: Refused) -> None:
        named = getattr(event, "connector_id", None)
        self.agent.note_refusal(
            RequestNotTaken(
                getattr(event, "id_tag", ""),
                () if named is None else (named,),
                refusal.rule or _RULES.get(refusal.code, Rule.NOT_DONE),
                purpose,
                refusal.detail,
            )
        )

    def _receipt(
        self,
        targeted: int,
        queued: list[QueuedCommandResponse],
        failures: list[LocationCommandFailure],
    ) -> LocationCommandResponse:
        return LocationCommandResponse(
            targeted_count=targeted,
            queued_count=len(queued),
            failed_count=len(failures),
            results=[
                LocationQueuedCommandResult(
                    charger_id=self.charger_id, identity=self.identity, command=command
                )
                for command in queued
            ],
            failed=failures,
        )

    async def wait_for(self, command: QueuedCommand, within_s: float) -> None:
        """Return when the command is final, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await command.ended.wait()

    # --- when it may run -------------------------------------------------------------------------

    async def in_turn(self, *connector_ids: int) -> None:
        """Let what was asked before at these connectors happen first, if that is quick."""
        await self.queue.quiet(connector_ids, PATIENCE_S)

    def require_simulated(self, connector_id: int, names: Iterable[str], doing: str) -> None:
        """Raises Refused (409), naming the part, unless the fitted ones of these are simulated."""
        hardware = self.agent.hardware(connector_id)
        fitted = [name for name in PARTS if name in names and name in hardware]
        real = [name for name in fitted if hardware[name] == "real"]
        if real:
            message = f"connector {connector_id} has a real {PART_WORDS[real[0]]}"
        elif not fitted:
            message = f"connector {connector_id} has no {PART_WORDS[next(iter(names))]}"
        else:
            return
        raise conflict("simulated_hardware_required", f"{doing} can only be simulated; {message}.")

    def has_simulated(self, connector_id: int, *names: str) -> bool:
        """True when at least one of these parts is fitted, and none of them is real."""
        hardware = self.agent.hardware(connector_id)
        found = [hardware[name] for name in names if name in hardware]
        return bool(found) and "real" not in found

    def require_plugged(self, connector_id: int) -> None:
        """Raises Refused (409) unless a cable is in."""
        if not is_connected(self.agent.connector(connector_id)):
            raise conflict("not_plugged", f"No cable is plugged in at connector {connector_id}.")

    def require_online(self) -> None:
        """Raises Refused (503) unless the central system has accepted this charge point."""
        if not self.agent.state.online:
            raise not_connected()

    async def seen(self, claim: Callable[[ChargePoint], bool]) -> bool:
        """True when the agent notices what a lever has moved."""
        return await self.agent.until(claim, SEEN_S)


def _taken(command: QueuedCommand, event: BaseModel) -> QueuedCommandResponse:
    return QueuedCommandResponse(
        id=command.id,
        event_type=command.event_type,
        ocpp_version=VERSION,
        payload=event.model_dump(mode="json", exclude_unset=True),
    )
