"""Commands that are answered at once: configuration, cache, local list."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from agent.api.errors import bad_data, conflict
from agent.api.queue import ANYWHERE
from agent.api.response_models import (
    CacheResetResponse,
    ConfigurationChangeResponse,
    LocalListMutationResponse,
    QueuedCommandResponse,
)
from agent.api.results import CommandOutcome, applied, failed, rejected
from agent.api.schemas import (
    ConfigurationUpdateEvent,
    EmptyEvent,
    LocalAuthListEvent,
    ProxyMessageEvent,
    read_date_time,
)
from agent.api.service import ControlService, PreparedCommand
from agent.core.events import CacheClearRequested, ConfigurationChangeRequested
from agent.core.id_tag import about_others
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    ListEntry,
    ListOrigin,
    ListStatus,
    ListUpdateKind,
)
from agent.ocpp16.operator_messages import ACTIONS, AS_GIVEN, ONLY_TRUE, check_action, proxied_call
from agent.ocppj.frames import Payload
from agent.ocppj.pending_call import CallErrorReceived
from agent.platform.errors import CallFailed
from agent.runtime import local_list_updates

KEYS_MAX = 100
KEY_LENGTH_MAX = 50  # OCPP 1.6 section 6.9: CiString50 and CiString500
VALUE_LENGTH_MAX = 500
_WORST_FIRST = ("NotSupported", "Rejected", "RebootRequired", "Accepted")
_TOOK_EFFECT = ("Accepted", "RebootRequired")


class ConfigurationCommands:
    """What the central system may change too, changed by an operator."""

    def __init__(self, service: ControlService) -> None:
        self._agent = service.agent

    # --- configuration ---------------------------------------------------------------------------

    async def change(self, event: ConfigurationUpdateEvent) -> ConfigurationChangeResponse:
        """Every key as a ChangeConfiguration.req for it, in the order given."""
        _check_configuration(event.configuration)
        verdicts: dict[str, str] = {}
        for key, value in event.configuration.items():
            change = partial(ConfigurationChangeRequested, key=key, value=value)
            verdicts[key] = (await self._agent.ask(change)).status
        configured = [key for key, verdict in verdicts.items() if verdict in _TOOK_EFFECT]
        return ConfigurationChangeResponse(
            status=min(verdicts.values(), key=_WORST_FIRST.index),
            configured=configured,
            msg=f"{len(configured)} of {len(verdicts)} keys changed",
            results=verdicts,
        )

    # --- cache -----------------------------------------------------------------------------------

    async def reset_cache(self, event: EmptyEvent) -> CacheResetResponse:
        """As ClearCache, also while the cache is switched off; the local list stays."""
        count = await self._agent.cache_count()
        await self._agent.ask(partial(CacheClearRequested, by_operator=True))
        return CacheResetResponse(msg="Authorization cache cleared", cleared_entries=count)

    # --- local list ------------------------------------------------------------------------------

    async def send_list(self, event: LocalAuthListEvent) -> LocalListMutationResponse:
        """Replace the list, or change entries of it: all of the update, or nothing.

        The version must increase.
        """
        kind = ListUpdateKind(event.update_type)
        entries = [
            ListEntry(entry.id_tag, _accepted(entry.expiry_date, entry.parent_id_tag))
            for entry in event.entries
        ]
        reader = self._agent.settings.reader
        tags = [entry.id_tag for entry in event.entries]
        outcome = await self._agent.list_do(
            lambda lists: lists.update(kind, event.list_version, entries, ListOrigin.CONTROL_API)
        )
        _raise_if_refused(outcome)
        return LocalListMutationResponse(
            status=outcome.status.value,
            list_version=outcome.list_version,
            entries_received=outcome.entries_received,
            msg=outcome.detail or about_others(tags, reader.driver, reader.uid_format) or None,
        )

    async def clear_list(self, event: EmptyEvent) -> LocalListMutationResponse:
        """Remove every entry; the version becomes 0."""
        outcome = await self._agent.list_do(lambda lists: lists.clear(ListOrigin.CONTROL_API))
        _raise_if_refused(outcome)
        if not outcome.is_accepted:
            return LocalListMutationResponse(status=outcome.status.value, msg=outcome.detail)
        return LocalListMutationResponse(
            msg="Local authorization list cleared", entries_deleted=outcome.entries_deleted
        )


def _accepted(expiry_date: str | None, parent_id_tag: str | None) -> IdTagInfo:
    """An entry has no status: it is an accepted tag, until it expires."""
    expires_at = None if expiry_date is None else read_date_time(expiry_date)
    return IdTagInfo(AuthorizationStatus.ACCEPTED, expires_at, parent_id_tag)


def _raise_if_refused(outcome: local_list_updates.Outcome) -> None:
    match outcome.status:
        case ListStatus.INVALID:
            raise bad_data("invalid_local_list", f"The list is not taken: {outcome.detail}.")
        case ListStatus.MANAGED:
            raise conflict("local_auth_list_managed", f"Not here: {outcome.detail}.")
        case ListStatus.NOT_SUPPORTED:
            raise conflict("local_auth_list_disabled", f"Not now: {outcome.detail}.")


def _check_configuration(configuration: dict[str, str]) -> None:
    """Raises Refused (400): nothing has been applied then."""
    if not configuration:
        raise bad_data("invalid_configuration", "No key is given.")
    if len(configuration) > KEYS_MAX:
        raise bad_data("invalid_configuration", f"At most {KEYS_MAX} keys at once.")
    for key, value in configuration.items():
        if not 1 <= len(key) <= KEY_LENGTH_MAX:
            message = f"A key has 1 to {KEY_LENGTH_MAX} characters; {key[:60]!r} has not."
            raise bad_data("invalid_configuration", message)
        if len(value) > VALUE_LENGTH_MAX:
            message = f"The value of {key!r} has more than {VALUE_LENGTH_MAX} characters."
            raise bad_data("invalid_configuration", message)


RESULT_MAX = 16_384  # characters of an answer that are kept


class ProxyCommand:
    """Sent once, never stored; it does not change what the charge point believes."""

    def __init__(self, service: ControlService) -> None:
        self._service = service
        self._agent = service.agent

    async def send(self, event: ProxyMessageEvent) -> QueuedCommandResponse:
        """Queue the message; the answer of the central system is the command's result."""
        return await self._service.submit(event.action, event, self._prepare, None)

    async def _prepare(self, event: ProxyMessageEvent) -> PreparedCommand:
        is_simulated = self._agent.is_all_simulated
        try:
            check_action(event.action, event.ocpp_version)
            if is_simulated or event.action in AS_GIVEN:
                calls = [proxied_call(event.action, event.payload)]
            else:
                calls = self._of_real_hardware(event)
        except ValueError as problem:
            raise bad_data("invalid_message", f"Not sent: {problem}.") from None
        self._service.require_online()
        return PreparedCommand(ANYWHERE, lambda progress: self._run(calls))

    def _of_real_hardware(self, event: ProxyMessageEvent) -> list[tuple[str, Payload]]:
        """Messages that carry money or safety facts come from the state machine."""
        if event.action not in ONLY_TRUE:
            message = f"On real hardware {event.action} has a command of its own."
            raise conflict("use_dedicated_command", message)
        if event.payload:
            message = (
                f"On real hardware {event.action} needs an empty payload, and tells the truth."
            )
            raise conflict("use_dedicated_command", message)
        return self._agent.own_account.calls(ACTIONS[event.action])

    async def _run(self, calls: list[tuple[str, Payload]]) -> CommandOutcome:
        answer: Any = None
        for action, payload in calls:
            try:
                answer = await self._agent.call(action, payload)
            except CallErrorReceived as refusal:
                return rejected(str(refusal), error_code=refusal.code)
            except CallFailed as problem:
                return failed(str(problem))
        if not calls:
            return failed("There is nothing to tell yet.")
        if not isinstance(answer, dict) or len(json.dumps(answer)) > RESULT_MAX:
            return applied(note="the answer is no object, or too long to keep")
        return applied(**answer)
