"""What the control socket can do: status, why, and control of the simulated hardware."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agent.control.event_log import decision_line
from agent.control.requests import PAGE_MAX, number_in, tag_in
from agent.control.security_log import SecurityLogActions
from agent.control.server import Action
from agent.control.services import Services
from agent.control.snapshot import (
    as_plain_data,
    charge_point_snapshot,
    grid_limit_as_data,
    outbox_as_data,
)
from agent.core.authorization_reasons import next_step_of, reason_of
from agent.core.events import RandomDelaySkipped
from agent.core.id_tag import mask, tag_as_told
from agent.core.values import DecisionRecord
from agent.platform.errors import ControlError, StoreError

if TYPE_CHECKING:
    from hw.ports import SimulationControls

DECISIONS_MAX = 100
# On top of what the central system (busy with another tag first) and the station's logic may take.
_DECISION_WAIT_S = 1.5


class ControlActions:
    """The actions by name; each takes the request object and returns plain data."""

    def __init__(
        self,
        services: Services,
        offered_a: Callable[[int], float],
        more_status: Mapping[str, Callable[[], Any]] | None = None,
    ) -> None:
        """``offered_a``: what a connector offers now; ``more_status``: what else is shown."""
        self._services = services
        self._runtime = services.runtime
        self._offered_a = offered_a
        self._simulation = services.board.simulation
        self._more_status = more_status or {}

    def by_name(self) -> Mapping[str, Action]:
        """Every action under the name that a request uses."""
        return {
            "status": self.status,
            "why": self._why,
            "grid-limits": self._grid_limits,
            "skip-delay": self._skip_delay,
            "sim": self._sim,
            **SecurityLogActions(self._services).by_name(),
        }

    async def status(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """How this charge point is doing."""
        services = self._services
        now = services.clock.now()
        status = charge_point_snapshot(self._runtime.state, now, self._offered_a)
        status["link"] = as_plain_data(asdict(services.link.snapshot()))
        status["simulated"] = self._simulation is not None
        if services.board.grid_contact is not None:
            status["grid_limit"] = grid_limit_as_data(self._runtime.state)
        status.update({name: report() for name, report in self._more_status.items()})
        try:
            summary = await services.threads.report(services.store.outbox_summary)
            status["outbox"] = outbox_as_data(summary, self._runtime.state)
        except StoreError as problem:
            status["outbox"] = {"problem": str(problem)}
        return status

    async def _why(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        services = self._services
        tag = tag_in(request, services.settings.reader.uid_format)
        limit = request.get("limit", 10)
        if not _is_whole_number(limit) or not 1 <= limit <= DECISIONS_MAX:
            raise ControlError(f"limit must be a whole number from 1 to {DECISIONS_MAX}")
        records = await services.report(services.store.decisions, tag, limit)
        if tag is not None and tag.problem and not records:
            raise ControlError(tag.problem)
        return [decision_as_data(record, services.taps.steps_to(record)) for record in records]

    async def _grid_limits(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        limit, before = number_in(request, "limit", PAGE_MAX), number_in(request, "before")
        services = self._services
        found = await services.report(services.store.grid_limits, limit or PAGE_MAX, before)
        return [as_plain_data(asdict(one)) for one in found]

    async def _skip_delay(self, request: Mapping[str, Any]) -> dict[str, Any]:
        connector_id = _connector_of(request)
        if not self._runtime.state.has_connector(connector_id):
            raise ControlError(f"there is no connector {connector_id}")
        await self._runtime.ask(lambda request_id: RandomDelaySkipped(request_id, connector_id))
        return {}

    async def _sim(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if self._simulation is None:
            raise ControlError("this box has real hardware: nothing can be simulated on it")
        try:
            if request.get("lever") == "tap":
                return await self._tap(request)
            self._pull(self._simulation, request)
        except ValueError as problem:
            raise ControlError(str(problem)) from problem
        return {}

    def _pull(self, simulation: SimulationControls, request: Mapping[str, Any]) -> None:
        connector_id = _connector_of(request)
        match request.get("lever"):
            case "plug":
                simulation.plug(connector_id)
            case "unplug":
                simulation.unplug(connector_id, by_force=request.get("at_car") is True)
            case "energy":
                simulation.energy(connector_id, bool(request.get("wanted")))
            case "fault":
                simulation.fault(connector_id, str(request.get("name", "")))
            case "clear":
                simulation.clear(connector_id)
            case "grid-limit":
                simulation.grid_limit(bool(request.get("wanted")))
            case "network":
                if (network := self._services.network) is None:
                    raise ControlError("the network of this box is not simulated")
                (network.mend if request.get("wanted") else network.cut)()
            case other:
                raise ControlError(f"there is no lever {other!r}")

    async def _tap(self, request: Mapping[str, Any]) -> dict[str, Any]:
        card = str(request.get("card", ""))
        record = await present_card(self._services, card, connector_id=_connector_of(request))
        if record is None:
            return {"decision": None}
        return {"decision": decision_as_data(record, self._services.taps.steps_to(record))}


async def present_card(
    services: Services, card: str, is_code: bool = False, connector_id: int | None = None
) -> DecisionRecord | None:
    """Hold a card to the simulated reader, and return the decision about it, if one comes.

    ``is_code`` and ``connector_id`` as for ``SimulationControls.tap``. Raises ValueError for what
    no card can be.
    """
    if not is_code:
        card = tag_as_told(card, "hex")  # the reader makes its own form of it
    simulation = services.board.simulation
    assert simulation is not None

    def present(request_id: str) -> None:
        if not simulation.tap(card, is_code, connector_id, request_id):
            raise TimeoutError("the reader hangs")

    rules = services.runtime.state.rules
    limit_s = 2 * rules.authorize_timeout_s + rules.station_s + _DECISION_WAIT_S
    reply = await services.runtime.present_tag(present, limit_s)
    return None if reply is None else reply.decision


def _connector_of(request: Mapping[str, Any]) -> int:
    connector_id = request.get("connector", 1)
    if not _is_whole_number(connector_id):
        raise ControlError("connector must be a number")
    return int(connector_id)


def _is_whole_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def decision_as_data(
    record: DecisionRecord, steps: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """A decision as plain data, the tag masked, with its reason in words.

    ``steps``: of the tap that led to it (``Taps.steps_to``).
    """
    return {
        **as_plain_data(asdict(record)),
        "id_tag": mask(record.id_tag),
        "verdict": record.verdict.value,
        "reason": reason_of(record.rule),
        "next": next_step_of(record.rule),
        "line": decision_line(record),
        "steps": list(steps),
    }
