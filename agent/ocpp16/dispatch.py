"""From a call of the central system to its handler: known, switched on, checked, allowed now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from agent.ocpp16 import schemas
from agent.ocpp16.registration import Registration
from agent.ocpp16.schemas import (
    CHECKED_BY_HANDLER,
    KNOWN_ACTIONS,
    PROFILE_OF,
    REFUSED_WITHOUT_PROFILE,
    check_call,
)
from agent.ocppj.frames import Call, CallRefused, Payload
from agent.ocppj.incoming_calls import AnswerFirst
from agent.platform.redaction import one_line
from agent.runtime.executors import OffLoop

Handler = Callable[[Payload], Awaitable[Payload | AnswerFirst]]

_REMOTE_START_STOP = ("RemoteStartTransaction", "RemoteStopTransaction")


class Dispatch:
    """Gives each call to the handler of its action."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        registration: Registration,
        off_loop: OffLoop,
        profiles: Callable[[], frozenset[str]],
    ) -> None:
        """``off_loop`` runs what is slow with a large call on another thread.

        ``profiles`` names those that SupportedFeatureProfiles does not leave out.
        """
        self._handlers = handlers
        self._registration = registration
        self._off_loop = off_loop
        self._profiles = profiles

    def may_answer(self) -> bool:
        """A rejected charge point does not answer; before the first answer to BootNotification
        nothing but that may flow (OCPP 1.6, 4.2)."""
        return self._registration.answers_calls

    async def respond(self, call: Call) -> Payload | AnswerFirst:
        """Return the confirmation. Raises CallRefused for a CALLERROR."""
        # Known or not is meant as in OCPP-J 1.6, 4.2.3; the library has the two codes swapped.
        if call.action not in KNOWN_ACTIONS:
            raise CallRefused("NotImplemented", f"unknown action {one_line(call.action, 50)}")
        handler = self._handlers.get(call.action)
        profile = PROFILE_OF.get(call.action)
        is_off = profile is not None and profile not in self._profiles()
        if is_off and call.action in REFUSED_WITHOUT_PROFILE:
            return REFUSED_WITHOUT_PROFILE[call.action]
        if handler is None or is_off:
            raise CallRefused("NotSupported", f"{call.action} is not supported")
        payload = await self._checked(call)
        if call.action in _REMOTE_START_STOP and not self._registration.is_accepted:
            # OCPP 1.6, 4.2: not allowed while Pending.
            return {"status": "Rejected"}
        return await handler(payload)

    async def _checked(self, call: Call) -> Payload:
        if not schemas.is_loaded():
            await self._off_loop(schemas.load)
        payload: Payload = call.payload
        if call.action in CHECKED_BY_HANDLER:
            return payload
        if call.is_large:
            payload = await self._off_loop(check_call, call.action, call.payload)
            return payload
        return check_call(call.action, payload)
