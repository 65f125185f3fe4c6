"""proxy-message: one message from the charge point to the central system, as an operator wants."""

from __future__ import annotations

import json
from typing import Any

from agent.api.errors import bad_data, conflict
from agent.api.queue import ANYWHERE
from agent.api.response_models import QueuedCommandResponse
from agent.api.results import Outcome, applied, failed, rejected
from agent.api.schemas import ProxyMessageEvent
from agent.api.service import ControlService, Plan
from agent.ocpp16.frames import Payload
from agent.ocpp16.operator_messages import ACTIONS, AS_GIVEN, ONLY_TRUE, check_action, proxied_call
from agent.ocpp16.pending_call import CallErrorReceived
from agent.platform.errors import CallFailed

RESULT_MAX = 16_384  # characters of an answer that are kept


class ProxyCommand:
    """Sent once, never stored; it does not change what the charge point believes."""

    def __init__(self, service: ControlService) -> None:
        self._service = service
        self._station = service.station

    async def send(self, event: ProxyMessageEvent) -> QueuedCommandResponse:
        """Queue the message; the answer of the central system is the command's result."""
        return await self._service.submit(event.action, event, self._prepare, None)

    async def _prepare(self, event: ProxyMessageEvent) -> Plan:
        is_simulated = self._station.is_all_simulated
        try:
            check_action(event.action, event.ocpp_version)
            if is_simulated or event.action in AS_GIVEN:
                calls = [proxied_call(event.action, event.payload)]
            else:
                calls = self._of_real_hardware(event)
        except ValueError as problem:
            raise bad_data("invalid_message", f"Not sent: {problem}.") from None
        self._service.require_online()
        return Plan(ANYWHERE, lambda progress: self._run(calls))

    def _of_real_hardware(self, event: ProxyMessageEvent) -> list[tuple[str, Payload]]:
        """Messages that carry money or safety facts come from the state machine."""
        if event.action not in ONLY_TRUE:
            told = f"On real hardware {event.action} has a command of its own."
            raise conflict("use_dedicated_command", told)
        if event.payload:
            told = f"On real hardware {event.action} needs an empty payload, and tells the truth."
            raise conflict("use_dedicated_command", told)
        return self._station.own_account.calls(ACTIONS[event.action])

    async def _run(self, calls: list[tuple[str, Payload]]) -> Outcome:
        answer: Any = None
        for action, payload in calls:
            try:
                answer = await self._station.call(action, payload)
            except CallErrorReceived as refusal:
                return rejected(str(refusal), error_code=refusal.code)
            except CallFailed as problem:
                return failed(str(problem))
        if not calls:
            return failed("There is nothing to tell yet.")
        if not isinstance(answer, dict) or len(json.dumps(answer)) > RESULT_MAX:
            return applied(note="the answer is no object, or too long to keep")
        return applied(**answer)
