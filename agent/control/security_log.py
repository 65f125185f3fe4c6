"""What the control socket can do with the security log: show it, verify its chain, empty it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.control.requests import PAGE_MAX, instant_in, number_in
from agent.control.server import Action
from agent.control.services import Services
from agent.core.security_event_values import ClearSecurityLogRequested
from agent.platform.errors import ControlError


class SecurityLogActions:
    """The action ``security-log`` with its orders; each returns plain data."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def by_name(self) -> Mapping[str, Action]:
        """The action under the name that a request uses."""
        return {"security-log": self._do}

    async def _do(self, request: Mapping[str, Any]) -> Any:
        services = self._services
        match request.get("order"):
            case "show":
                since, limit = instant_in(request, "since"), number_in(request, "limit", PAGE_MAX)
                wanted = (since, None, limit or PAGE_MAX, number_in(request, "before"))
                lines = await services.report(services.store.security_log, *wanted)
                return [line.as_data for line in lines]
            case "verify":
                return {"problem": await chain_problem(services)}
            case "clear":
                await services.runtime.request(
                    lambda request_id: ClearSecurityLogRequested(request_id, "a person at the box")
                )
                return {}
            case other:
                raise ControlError(f"the security log cannot be {other!r}")


async def chain_problem(services: Services) -> str:
    """Where the security log was changed, in words; "" when it is whole. Raises StoreError."""
    chain = await services.report(services.store.security_chain)
    problem: str = await services.threads.check(chain.problem)
    return problem
