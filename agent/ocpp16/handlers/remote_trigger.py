"""TriggerMessage: the charge point tells what it is asked for (OCPP 1.6, 5.17 and 7.14).

ExtendedTriggerMessage of the security white paper is the same with other names in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from agent.core.own_certificates import CertificateWanted, SigningTriggered
from agent.core.ports import Inbox
from agent.core.state import ChargePoint
from agent.ocpp16.dispatch import Handler
from agent.ocpp16.schemas import check_call
from agent.ocpp16.triggered_messages import TriggeredMessages
from agent.ocppj.frames import Payload
from agent.ocppj.incoming_calls import AnswerFirst

# What may be asked for, and the action that tells it.
_OF_BOTH = ("BootNotification", "Heartbeat", "MeterValues", "StatusNotification")
_TOLD: Mapping[str, Mapping[str, str]] = {
    "TriggerMessage": {  # OCPP 1.6, 7.34; the library's list has those of the white paper too
        **{name: name for name in _OF_BOTH},
        "DiagnosticsStatusNotification": "DiagnosticsStatusNotification",
        "FirmwareStatusNotification": "FirmwareStatusNotification",
    },
    "ExtendedTriggerMessage": {
        **{name: name for name in _OF_BOTH},
        "FirmwareStatusNotification": "SignedFirmwareStatusNotification",
        "LogStatusNotification": "LogStatusNotification",
        "SignChargePointCertificate": "SignCertificate",
    },
}
_OF_A_CONNECTOR = ("MeterValues", "StatusNotification")


class Teller(Protocol):
    """The link, as far as it is needed here."""

    def tell(self, calls: Sequence[tuple[str, Payload]]) -> None:
        """Send these calls when their turn comes, also while registration is pending."""

    def may_register(self) -> bool:
        """True while a BootNotification may go out (errata 3.35: not once accepted)."""

    def register_now(self) -> None:
        """Send BootNotification without waiting for the interval to pass."""


def remote_trigger_handlers(
    link: Teller, account: TriggeredMessages, state: Callable[[], ChargePoint], inbox: Inbox
) -> Mapping[str, Handler]:
    """The handlers by action."""
    remote_trigger = _RemoteTrigger(link, account, state, inbox)
    return {
        "TriggerMessage": partial(remote_trigger.trigger, "TriggerMessage"),
        "ExtendedTriggerMessage": partial(remote_trigger.trigger, "ExtendedTriggerMessage"),
    }


class _RemoteTrigger:
    def __init__(
        self,
        link: Teller,
        account: TriggeredMessages,
        state: Callable[[], ChargePoint],
        inbox: Inbox,
    ) -> None:
        self._link = link
        self._account = account
        self._state = state
        self._inbox = inbox

    async def trigger(self, action: str, payload: Payload) -> Payload | AnswerFirst:
        requested = payload.get("requestedMessage") if isinstance(payload, dict) else None
        if isinstance(requested, str) and requested not in _TOLD[action]:
            return {"status": "NotImplemented"}  # the schema would call it a bad request
        payload = check_call(action, payload)
        if requested == "BootNotification":
            return self._boot()
        if requested == "SignChargePointCertificate":
            return await self._sign()
        assert isinstance(requested, str)
        connector_id = payload.get("connectorId") if requested in _OF_A_CONNECTOR else None
        if not self._may_ask(requested, connector_id):
            return {"status": "Rejected"}
        told = _TOLD[action][requested]
        if not self._account.calls(told, connector_id):
            return {"status": "Rejected"}  # no meter has been read
        return AnswerFirst(
            {"status": "Accepted"},
            lambda: self._link.tell(self._account.calls(told, connector_id)),
        )

    def _boot(self) -> Payload | AnswerFirst:
        if not self._link.may_register():
            return {"status": "Rejected"}
        return AnswerFirst({"status": "Accepted"}, self._link.register_now)

    async def _sign(self) -> Payload | AnswerFirst:
        status = await self._inbox.request(SigningTriggered)
        if status != "Accepted":
            return {"status": status}
        return AnswerFirst({"status": status}, lambda: self._inbox.post(CertificateWanted()))

    def _may_ask(self, requested: str, connector_id: int | None) -> bool:
        if connector_id is None or self._state().has_connector(connector_id):
            return True
        # The table of fields says > 0, the text means the controller by 0: it is taken.
        return connector_id == 0 and requested == "StatusNotification"
