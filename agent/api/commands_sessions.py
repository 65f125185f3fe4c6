"""Commands about sessions: unlock, start, stop, authorize, no delay. On real hardware too."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any

from agent.api.commands_simulation import CAR, SimulationCommands
from agent.api.errors import conflict, not_connected, not_found, unavailable
from agent.api.queue import ANYWHERE, Progress
from agent.api.results import CommandOutcome, CommandStatus, applied, expired, failed, rejected
from agent.api.schemas import (
    AuthorizeIdTagCommandEvent,
    ConnectorCommandEvent,
    StartSessionCommandEvent,
    StartTransactionCommandEvent,
    StopSessionCommandEvent,
    StopTransactionCommandEvent,
)
from agent.api.service import ControlService, PreparedCommand
from agent.core import from_operator
from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import Decision
from agent.core.commands import Reply
from agent.core.connector_ev_presence import is_connected
from agent.core.events import (
    AuthorizeRequested,
    RandomDelaySkipped,
    StartRequested,
    StopRequested,
    UnlockRequested,
)
from agent.core.id_tag import same_tag
from agent.core.values import IdTagInfo, Transaction, Verdict
from agent.platform.errors import StoreError

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
QUICK_S = 2.0  # a start that takes longer waits for something: the others need not wait for it
_NAME = re.compile(r"(ref:)?(-?[0-9]{1,19})", re.ASCII)


class SessionCommands:
    """What an operator may ask for in a card's place."""

    def __init__(self, service: ControlService, simulation: SimulationCommands) -> None:
        self._service = service
        self._agent = service.agent
        self._simulation = simulation

    # --- unlock ----------------------------------------------------------------------------------

    async def unlock(self, event: ConnectorCommandEvent) -> PreparedCommand:
        """As UnlockConnector of the central system: ends the session, then drives the lock."""
        connector_id = self._service.connector_id(event.connector_id)
        await self._service.in_turn(connector_id)

        async def run(progress: Progress) -> CommandOutcome:
            reply = await self._agent.ask(
                lambda request_id: UnlockRequested(request_id, connector_id)
            )
            match reply.status:
                case "Unlocked":
                    return applied(status="Unlocked")
                case "NotSupported":
                    return rejected("NotSupported", status="NotSupported")
                case _:
                    return failed(reply.status, status=reply.status)

        return PreparedCommand(connector_id, run)

    # --- start -----------------------------------------------------------------------------------

    async def skip_delay(self, event: ConnectorCommandEvent) -> PreparedCommand:
        """The session does not wait for the random delay any more; nothing, where none does."""
        connector_id = self._service.connector_id(event.connector_id)

        async def run(progress: Progress) -> CommandOutcome:
            await self._agent.ask(lambda request_id: RandomDelaySkipped(request_id, connector_id))
            return applied()

        return PreparedCommand(connector_id, run)

    async def start_transaction(self, event: StartTransactionCommandEvent) -> PreparedCommand:
        """A transaction on a cable that is in; on simulated hardware with any tag."""
        connector_id = self._service.connector_id(event.connector_id)
        await self._service.in_turn(connector_id)
        self._service.require_plugged(connector_id)
        is_trusted = self._agent.is_simulated(connector_id)
        asked = StartRequested(
            "", connector_id, event.id_tag, must_be_plugged=True, is_trusted=is_trusted
        )
        decision = await self._foresee(asked)
        if decision is not None and decision.verdict is Verdict.REFUSED:
            raise not_connected(decision.rule)  # else the central system would have been asked

        async def run(progress: Progress) -> CommandOutcome:
            return await self._start(asked, progress)

        return PreparedCommand(connector_id, run)

    async def _foresee(self, asked: StartRequested) -> Decision | None:
        """What the core would decide about this start now. Raises Refused where it cannot begin.

        The core decides again when its turn comes; there is one rule for both.
        """
        try:
            facts = await self._agent.read(self._agent.store.facts, asked.id_tag)
        except StoreError as problem:
            message = f"The charge point cannot look the tag up: {problem}"
            raise unavailable("not_available", message, rule=Rule.LOOK_UP_FAILED) from problem
        state, now = self._agent.state, self._agent.now()
        found = from_operator.foresee(state, asked, facts, now)
        if isinstance(found, Rule):
            words = found.says
            if found is Rule.FAULTED:
                words = self._agent.report(asked.connector_id).info or words
            message = f"Connector {asked.connector_id}: {words}."
            raise conflict(from_operator.STATUSES[found], message, found)
        return found

    async def start_session(self, event: StartSessionCommandEvent) -> PreparedCommand:
        """The whole sequence; with a real car, the plugging is left to the driver."""
        connector_id = self._service.connector_id(event.connector_id)
        await self._service.in_turn(connector_id)
        await self._foresee(StartRequested("", connector_id, event.id_tag))
        energy_wh = None
        if event.target_energy_kwh is not None:
            energy_wh = max(1, round(event.target_energy_kwh * 1000))
        has_car = self._service.has_simulated(connector_id, *CAR)
        has_pilot = has_car and "pilot" in self._agent.hardware(connector_id)

        async def run(progress: Progress) -> CommandOutcome:
            if has_car and not is_connected(self._agent.connector(connector_id)):
                plugged = await self._simulation.do_plug(connector_id)
                if plugged.status is not CommandStatus.APPLIED:
                    return plugged
            asked = StartRequested(
                "",
                connector_id,
                event.id_tag,
                must_be_plugged=has_car,
                duration_s=event.duration_seconds,
                energy_wh=energy_wh,
            )
            started = await self._start(asked, progress)
            if started.status is CommandStatus.APPLIED and has_pilot:
                await self._simulation.do_request_energy(connector_id)
            return started

        return PreparedCommand(connector_id, run)

    async def _start(self, asked: StartRequested, progress: Progress) -> CommandOutcome:
        timeout_s = self._agent.state.configuration.integer("ConnectionTimeOut") or DAY_S
        watch = asyncio.create_task(self._watch(asked, progress))
        try:
            reply = await self._agent.ask(
                lambda request_id: replace(asked, request_id=request_id), timeout_s + HOUR_S
            )
        except TimeoutError:
            return expired("The charge point did not say how it ended.")
        finally:
            watch.cancel()
        return self._started(asked.connector_id, reply)

    async def _watch(self, asked: StartRequested, progress: Progress) -> None:

        def waits_for_cable() -> bool:
            return any(
                asked.connector_id in grant.connectors and same_tag(grant.id_tag, asked.id_tag)
                for grant in self._agent.state.waiting
            )

        is_waiting = await self._agent.until(lambda state: waits_for_cable(), QUICK_S)
        if is_waiting and not asked.must_be_plugged:
            progress.defer("Waiting for the cable.")
        else:
            progress.defer("Waiting for the central system.")

    def _started(self, connector_id: int, reply: Reply) -> CommandOutcome:
        match reply.status:
            case "applied":
                running = self._agent.connector(connector_id).transaction
                return applied(**_about(running)) if running is not None else applied()
            case "expired":
                return expired(reply.detail or "No cable was plugged in in time.")
            case "rejected" if reply.info is not None:
                return rejected(reply.info.status.value, **_info(reply.info))
            case "rejected":
                return rejected(reply.detail or "refused")
            case refusal:
                return rejected(reply.detail or refusal)

    # --- stop ------------------------------------------------------------------------------------

    async def stop_transaction(self, event: StopTransactionCommandEvent) -> PreparedCommand:
        """End one transaction, reason Local; the cable stays."""
        await self._service.in_turn(*(c.connector_id for c in self._agent.state.connectors))
        transaction = self._named(event.transaction_id)
        return PreparedCommand(
            transaction.connector_id, lambda progress: self._stop(transaction.ref)
        )

    def _named(self, name: str | None) -> Transaction:
        """The one transaction with this name; None: the only one there is. Raises Refused."""
        running = [c.transaction for c in self._agent.state.connectors if c.transaction]
        found = running if name is None else [each for each in running if _is_named(each, name)]
        if len(found) == 1:
            return found[0]
        if name is None and not running:
            raise conflict("no_transaction", "No transaction is active.")
        if not found:
            message = f"There is no transaction {(name or '')[:40]!r} under way."
            raise not_found("unknown_transaction", message)
        refs = ", ".join(f"ref:{each.ref} (connector {each.connector_id})" for each in found)
        message = "Several transactions are active"
        if name is not None:
            message = f"{name} is the number of several transactions"
        raise conflict("ambiguous_transaction", f"{message}; name one: {refs}.")

    async def _stop(self, ref: int) -> CommandOutcome:
        reply = await self._agent.ask(lambda request_id: StopRequested(request_id, ref))
        if reply.status == "applied":
            return applied(transaction_ref=ref)
        return rejected(reply.detail or reply.status)

    async def stop_session(self, event: StopSessionCommandEvent) -> PreparedCommand:
        """Stop the transaction, then unplug, where the car is simulated."""
        connector_id = self._service.connector_id(event.connector_id)
        await self._service.in_turn(connector_id)
        connector = self._agent.connector(connector_id)
        has_car = self._service.has_simulated(connector_id, *CAR)
        transaction = connector.transaction
        if transaction is None and not (has_car and is_connected(connector)):
            message = f"No transaction is active on connector {connector_id}."
            raise conflict("no_transaction", message)

        async def run(progress: Progress) -> CommandOutcome:
            stopped = applied() if transaction is None else await self._stop(transaction.ref)
            if stopped.status is not CommandStatus.APPLIED or not has_car:
                return stopped
            return await self._simulation.do_unplug(connector_id)

        return PreparedCommand(connector_id, run)

    # --- authorize -------------------------------------------------------------------------------

    async def authorize(self, event: AuthorizeIdTagCommandEvent) -> PreparedCommand:
        """Ask the central system about a tag, whatever list and cache say; starts nothing."""
        self._service.require_online()

        async def run(progress: Progress) -> CommandOutcome:
            reply = await self._agent.ask(
                lambda request_id: AuthorizeRequested(request_id, event.id_tag)
            )
            match reply.status:
                case "applied" if reply.info is not None:
                    return applied(**_info(reply.info))
                case "rejected" if reply.info is not None:
                    return rejected(reply.info.status.value, **_info(reply.info))
                case "not_connected":
                    return failed("The central system is not connected any more.")
                case "rejected":
                    return rejected(reply.detail or "refused")
                case _:
                    return failed(reply.detail or "The central system gave no usable answer.")

        return PreparedCommand(ANYWHERE, run)


def _is_named(transaction: Transaction, name: str) -> bool:
    """``ref:`` and our own number, or a bare number: the central system's, or our own.

    Central systems give one number to two sessions, and theirs may equal one of ours.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return False
    number = int(found[2])
    return transaction.ref == number or (not found[1] and transaction.transaction_id == number)


def _info(info: IdTagInfo) -> dict[str, Any]:
    expires_at = info.expires_at
    return {
        "status": info.status.value,
        "expiry_date": None if expires_at is None else expires_at.isoformat(timespec="seconds"),
        "parent_id_tag": info.parent_id_tag,
    }


def _about(transaction: Transaction) -> dict[str, Any]:
    return {
        "transaction_id": transaction.transaction_id,
        "transaction_ref": transaction.ref,
        "meter_start_wh": transaction.meter_start_wh,
    }
