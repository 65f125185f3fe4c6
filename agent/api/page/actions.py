"""What a form on the page does: commands of the control API, the local list, simulated hardware."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from agent.api.errors import Invalid, Refused, conflict, not_found
from agent.api.idempotency import Answer
from agent.api.middleware import COMMANDS
from agent.api.page.views import DECISIONS_SHOWN, mark_of
from agent.api.results import CommandStatus
from agent.api.service import ControlService
from agent.api.tokens import ApiToken, require_scope
from agent.control.event_log import decision_line
from agent.control.local_list import checked_name, named_tag
from agent.core.configuration import ChangeStatus
from agent.core.events import ContactorMended
from agent.core.id_tag import about_others, mask, tag_as_told
from agent.core.values import AuthorizationStatus, DecisionRecord, IdTagInfo, ListEntry, ListOrigin
from agent.platform.errors import AgentError
from agent.runtime.local_list_updates import Outcome

if TYPE_CHECKING:
    from hw.ports import SimulationControls

_ENDED: Mapping[CommandStatus, str] = {
    CommandStatus.RECEIVED: "It is under way",
    CommandStatus.DEFERRED: "It waits until it can be done",
    CommandStatus.APPLIED: "Done",
    CommandStatus.REJECTED: "Refused",
    CommandStatus.EXPIRED: "Given up: it took too long",
    CommandStatus.FAILED: "It failed",
}
WAIT_S = 5.0  # for the end of a command; what takes longer is reported as begun

Fields = Mapping[str, str]
CallApi = Callable[[ApiToken, str, str, dict[str, Any] | None], Awaitable[Answer]]
Action = Callable[[ApiToken, Fields], Awaitable[str]]


class PageActions:
    """Each action by the name that a form gives; its answer is a sentence."""

    def __init__(self, service: ControlService, call_api: CallApi) -> None:
        """``call_api`` checks scope and rate, and answers as the control API does."""
        self._service = service
        self._agent = service.agent
        self._call_api = call_api
        self._by_name: Mapping[str, Action] = {
            "stop": self._stop,
            "unlock": self._unlock,
            "skip-delay": self._skip_delay,
            "acknowledge": self._acknowledge,
            "add": self._add,
            "remove": self._remove,
            "name": self._name,
            "clear-cache": self._clear_cache,
            "retry": self._queue,
            "discard": self._queue,
            "set-key": self._set_key,
            "plug": self._lever(lambda s, n, f: s.plug(n), "The car is plugged in."),
            "unplug": self._lever(lambda s, n, f: s.unplug(n), "The plug is out."),
            "ask": self._lever(lambda s, n, f: s.energy(n, True), "The car asks for energy."),
            "cease": self._lever(
                lambda s, n, f: s.energy(n, False), "The car does not ask for energy."
            ),
            "break": self._lever(
                lambda s, n, f: s.fault(n, f.get("fault", "")), "Something is broken."
            ),
            "mend": self._lever(lambda s, n, f: s.clear(n), "Everything is mended."),
            "tap": self._tap,
            "cut": self._cut,
            "grid-limit": self._grid_limit,
        }

    async def do(self, token: ApiToken, fields: Fields) -> str:
        """Do what a form asks for; says what came of it, also when it was refused."""
        action = self._by_name.get(fields.get("do", ""))
        if action is None:
            return "Nothing was done: the page does not know that button."
        try:
            return await action(token, fields)
        except Refused as refusal:
            return f"Refused: {refusal.detail}"
        except (ValueError, AgentError) as problem:
            return f"Not done: {problem}"
        except TimeoutError:
            return "The charge point did not answer in time; look again."

    # --- commands of the control API -------------------------------------------------------------

    async def _stop(self, token: ApiToken, fields: Fields) -> str:
        name = f"ref:{fields.get('ref', '')[:20]}"
        return await self._command(token, "stop-transaction", {"transaction_id": name})

    async def _unlock(self, token: ApiToken, fields: Fields) -> str:
        return await self._command(token, "unlock-connector", {"connector_id": _number(fields)})

    async def _skip_delay(self, token: ApiToken, fields: Fields) -> str:
        return await self._command(token, "skip-delay", {"connector_id": _number(fields)})

    async def _acknowledge(self, token: ApiToken, fields: Fields) -> str:
        require_scope(token, "operate")
        number = _number(fields)
        if number not in [each.connector_id for each in self._agent.state.connectors]:
            raise not_found("unknown_connector", f"There is no connector {number}.")
        reply = await self._agent.ask(lambda id: ContactorMended(number, id), WAIT_S)
        if reply.status != "Accepted":
            return f"Refused: {reply.detail}."
        if reply.detail:
            return f"Connector {number}: {reply.detail}."
        return f"The contactor of connector {number} may close again."

    async def _queue(self, token: ApiToken, fields: Fields) -> str:
        ref = _number(fields, "ref")
        answer = await self._call_api(token, "POST", f"/ocpp/queue/{ref}/{fields['do']}", None)
        message = json.loads(answer.body)
        return f"{message['msg']}." if answer.status == 200 else f"Refused: {_detail(message)}"

    async def _clear_cache(self, token: ApiToken, fields: Fields) -> str:
        return await self._command(token, "cache/reset", {})

    async def _set_key(self, token: ApiToken, fields: Fields) -> str:
        key, value = fields.get("key", ""), fields.get("value", "")
        verdict = await self._command(token, "configuration", {"configuration": {key: value}})
        if verdict == f"{key}: {ChangeStatus.ACCEPTED.value}":
            return f"{key} is {value.strip() or 'empty'} now."
        problem = self._agent.state.configuration.problem_with(key, value)
        return f"{key} was not changed: {problem}." if problem else verdict

    async def _command(self, token: ApiToken, command: str, event: dict[str, Any]) -> str:
        body = {"target": {"charger_id": self._service.charger_id}, "event": event}
        answer = await self._call_api(token, "POST", COMMANDS + command, body)
        message = json.loads(answer.body)
        if answer.status >= 400:
            return f"Refused: {_detail(message)}"
        if answer.status != 202:
            verdicts = message.get("results")  # of configuration keys
            if verdicts:
                return "; ".join(f"{key}: {verdict}" for key, verdict in verdicts.items())
            return str(message.get("msg") or "Done.")
        found = self._service.results.find(message["results"][0]["command"]["id"])
        assert found is not None, "results keep what is not final"
        await self._service.wait_for(found, WAIT_S)
        ended = _ENDED[found.status]
        return f"{ended}." if found.detail is None else f"{ended}: {found.detail}"

    # --- the local list --------------------------------------------------------------------------

    async def _add(self, token: ApiToken, fields: Fields) -> str:
        require_scope(token, "configure")
        typed = fields.get("id_tag", "").strip()
        id_tag = self._as_told(typed) if typed else (await self._decision(fields)).id_tag
        info = IdTagInfo(AuthorizationStatus.ACCEPTED)
        name = checked_name(fields.get("name", "")) or None  # an empty field leaves it as it is
        outcome = await self._agent.list_do(
            lambda lists: lists.put(ListEntry(id_tag, info, name), ListOrigin.CONTROL_API)
        )
        reader = self._agent.settings.reader
        other = about_others([id_tag], reader.driver, reader.uid_format) if typed else ""
        note = f" Note: {other}." if other else ""
        return _message(outcome, f"Card {mask(id_tag)} is on the local list now.{note}")

    def _as_told(self, typed: str) -> str:
        try:
            return tag_as_told(typed, self._agent.settings.reader.uid_format)
        except ValueError as problem:
            raise Invalid(str(problem)) from None

    async def _remove(self, token: ApiToken, fields: Fields) -> str:
        require_scope(token, "configure")
        id_tag = fields.get("id_tag", "")
        if not await self._agent.list_do(lambda lists: lists.is_listed(id_tag)):
            raise not_found("not_listed", "That card is not on the list.")
        outcome = await self._agent.list_do(
            lambda lists: lists.remove(id_tag, ListOrigin.CONTROL_API)
        )
        return _message(outcome, f"Card {mask(id_tag)} is off the local list.")

    async def _name(self, token: ApiToken, fields: Fields) -> str:
        require_scope(token, "configure")
        id_tag, name = named_tag(fields)
        await self._agent.list_do(lambda lists: lists.name(id_tag, name))
        return (
            f"Card {mask(id_tag)} is {name} now."
            if name
            else f"Card {mask(id_tag)} has no name now."
        )

    async def _decision(self, fields: Fields) -> DecisionRecord:
        mark = fields.get("mark", "")
        for record in await self._agent.decisions(None, 5 * DECISIONS_SHOWN):
            if mark_of(record) == mark:
                return record
        raise not_found("unknown_decision", "That card was shown too long ago; show it again.")

    # --- simulated hardware ----------------------------------------------------------------------

    def _lever(
        self, pull: Callable[[SimulationControls, int, Fields], None], sentence: str
    ) -> Action:
        async def action(token: ApiToken, fields: Fields) -> str:
            require_scope(token, "simulate")
            number = _number(fields)
            await self._agent.pull(lambda simulation: pull(simulation, number, fields))
            return sentence

        return action

    async def _tap(self, token: ApiToken, fields: Fields) -> str:
        require_scope(token, "simulate")
        if not self._agent.has_simulated_reader:
            raise conflict("simulated_hardware_required", "The card reader is a real one.")
        record = await self._agent.tap(fields.get("card", "").strip(), False)
        if record is None:
            return "The card was shown; nothing was decided about it."
        line = decision_line(record)
        return line[0].upper() + line[1:]

    async def _cut(self, token: ApiToken, fields: Fields) -> str:
        require_scope(token, "simulate")
        is_cut = fields.get("network") == "cut"
        await self._agent.cut_network(is_cut)
        return "The network is cut." if is_cut else "The network is mended."

    async def _grid_limit(self, token: ApiToken, fields: Fields) -> str:
        require_scope(token, "simulate")
        is_limited = fields.get("wanted") == "on"
        await self._agent.pull(lambda simulation: simulation.grid_limit(is_limited))
        return f"The grid operator limits the box{'' if is_limited else ' no longer'}."


def _number(fields: Fields, name: str = "connector") -> int:
    text = fields.get(name, "")
    if not text.isdecimal() or len(text) > 12:
        raise ValueError(f"{name} must be a number")
    return int(text)


def _message(outcome: Outcome, sentence: str) -> str:
    return sentence if outcome.is_accepted else f"The list was not changed: {outcome.detail}"


def _detail(message: Any) -> str:
    detail = message.get("detail", "it failed")
    if isinstance(detail, list):
        return "; ".join(str(one.get("msg", "")) for one in detail)
    return str(detail)
