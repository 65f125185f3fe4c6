"""The core profile: configuration, remote start and stop, reset, unlock, cache (OCPP 1.6, 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.core.configuration import SMART, Configuration, Key
from agent.core.events import (
    AvailabilityChangeRequested,
    CacheClearRequested,
    ConfigurationChangeRequested,
    Event,
    RemoteStartRequested,
    RemoteStopRequested,
    ResetRequested,
    UnlockRequested,
)
from agent.core.ports import Inbox
from agent.ocpp16.dispatch import Handler
from agent.ocpp16.profiles import read_profile
from agent.ocppj.frames import CallRefused, Payload


def core_handlers(
    inbox: Inbox, configuration: Callable[[], Configuration]
) -> Mapping[str, Handler]:
    """The handlers of the core profile by action."""
    core = _Core(inbox, configuration)
    return {
        "ChangeAvailability": core.change_availability,
        "ChangeConfiguration": core.change_configuration,
        "ClearCache": core.clear_cache,
        "DataTransfer": core.data_transfer,
        "GetConfiguration": core.get_configuration,
        "RemoteStartTransaction": core.remote_start_transaction,
        "RemoteStopTransaction": core.remote_stop_transaction,
        "Reset": core.reset,
        "UnlockConnector": core.unlock_connector,
    }


class _Core:
    def __init__(self, inbox: Inbox, configuration: Callable[[], Configuration]) -> None:
        self._inbox = inbox
        self._configuration = configuration

    async def get_configuration(self, payload: Payload) -> Payload:
        configuration = self._configuration()
        # OCPP 1.6, 5.8: no key, or an empty list, asks for all.
        named = payload.get("key") or []
        if len(named) > configuration.integer("GetConfigurationMaxKeys"):
            raise CallRefused("OccurenceConstraintViolation", "key has too many items")
        known, unknown = configuration.look_up(named)
        answer: dict[str, object] = {"configurationKey": [_described(*found) for found in known]}
        if unknown:
            answer["unknownKey"] = unknown
        return answer

    async def change_availability(self, payload: Payload) -> Payload:
        return await self._ask(
            lambda request_id: AvailabilityChangeRequested(
                request_id, payload["connectorId"], operative=payload["type"] == "Operative"
            )
        )

    async def change_configuration(self, payload: Payload) -> Payload:
        return await self._ask(
            lambda request_id: ConfigurationChangeRequested(
                request_id, payload["key"], payload["value"]
            )
        )

    async def remote_start_transaction(self, payload: Payload) -> Payload:
        profile = None
        given = payload.get("chargingProfile")
        # OCPP 1.6, 5.11: without smart charging a chargingProfile is ignored.
        if given is not None and SMART in self._configuration().profiles:
            profile = read_profile(given, "chargingProfile")
        return await self._ask(
            lambda request_id: RemoteStartRequested(
                request_id, payload["idTag"], payload.get("connectorId"), profile=profile
            )
        )

    async def remote_stop_transaction(self, payload: Payload) -> Payload:
        return await self._ask(
            lambda request_id: RemoteStopRequested(request_id, payload["transactionId"])
        )

    async def unlock_connector(self, payload: Payload) -> Payload:
        return await self._ask(
            lambda request_id: UnlockRequested(request_id, payload["connectorId"])
        )

    async def reset(self, payload: Payload) -> Payload:
        return await self._ask(
            lambda request_id: ResetRequested(request_id, hard=payload["type"] == "Hard")
        )

    async def clear_cache(self, payload: Payload) -> Payload:
        return await self._ask(CacheClearRequested)

    async def data_transfer(self, payload: Payload) -> Payload:
        # OCPP 1.6, 4.3: this charge point knows no vendor's extensions.
        return {"status": "UnknownVendorId"}

    async def _ask(self, make_event: Callable[[str], Event]) -> Payload:
        return {"status": await self._inbox.request(make_event)}


def _described(key: Key, value: str) -> dict[str, object]:
    return {"key": key.name, "readonly": key.readonly, "value": value}
