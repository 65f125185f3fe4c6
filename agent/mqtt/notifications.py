"""What the station is notified of: the difference between two states, and why. Pure.

It remembers only the form in which each token came, to name it so, and what was sent last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agent.config.settings import AuthorizationSettings
from agent.core import availability
from agent.core.commands import Command, RecordDecision
from agent.core.events import AuthorizeAnswered, Event
from agent.core.id_tag import same_tag
from agent.core.state import ChargePoint, Connector, PendingAuthorization, Purpose
from agent.core.status_notification import status_of
from agent.core.values import Instant, Status, StopReason, Transaction, Verdict
from agent.mqtt import vocabulary
from agent.mqtt.evses import Evses
from agent.mqtt.responses import StationInfo
from agent.mqtt.tokens import StationToken, token_of
from agent.platform.bounds import BoundedMap

TOKENS_MAX = 64  # tokens that are kept in mind; the one that was seen longest ago is forgotten

TO_STATION = ("josev/cs",)
TO_ISO15118 = ("ocpp/iso15118",)
TO_BOTH = ("josev/cs", "ocpp/iso15118")
AS_STATION = ("cs/josev",)

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to be published, the same on every topic."""

    topics: tuple[str, ...]
    name: str
    type: str
    data: Data


class Notifier:
    """Makes notifications of what has changed, and on a new connection of all that stands."""

    def __init__(self, evses: Evses, facts: StationInfo, settings: AuthorizationSettings) -> None:
        self._evses = evses
        self._info = facts
        self._settings = settings
        self._tokens = BoundedMap[str, StationToken](TOKENS_MAX)
        self._remote = BoundedMap[str, None](TOKENS_MAX)
        self._sent_status: dict[int, Status] = {}
        self._sent_limits: Data = {}
        self.talking: set[str] = set()  # EVSEs whose car speaks ISO 15118 just now

    def note_token(self, token: StationToken) -> None:
        """Remember in which form a token came."""
        self._tokens[token.id_tag.casefold()] = token

    def changes(
        self,
        before: ChargePoint,
        event: Event,
        after: ChargePoint,
        commands: Sequence[Command],
        now: Instant,
    ) -> list[Notification]:
        """What one turn of the runtime means to the others."""
        self._note_remote_starts(commands)
        found = [*_about_the_box(before, after)]
        found += self._availability(before, after)
        for old, new in zip(before.connectors, after.connectors, strict=True):
            if old.plugged and not new.plugged:
                self.talking.discard(self._evses.evse_id(new.connector_id))
            found += self._authorization(before, event, after, old, new)
            found += self._transaction(old, new)
            found += self._parts(before, after, old, new)
            found += self._charging_status(after, new, now)
        found += self._limits(after)
        return found

    def everything(self, state: ChargePoint, now: Instant) -> list[Notification]:
        """What stands now, for those who may have missed how it came."""
        self._sent_status.clear()
        self._sent_limits.clear()
        found = [_websocket_status(state)]
        for connector in state.connectors:
            id_tag = self._authorized_tag(state, connector)
            if id_tag is not None:
                status = "deauthorized" if _is_refused(connector) else "accepted"
                found.append(self._update(connector, id_tag, status))
            if connector.transaction is not None:
                found.append(self._progress(connector.transaction, "in_progress"))
            found.append(self._cp_status(connector))
            found += self._charging_status(state, connector, now)
        found += self._limits(state)
        return found

    def question(self, check: PendingAuthorization) -> Notification:
        """Asks the station's own logic about a tag that was accepted."""
        data = self._named(check.attempt.id_tag)
        if len(check.attempt.connectors) == 1:
            data["evse_id"] = self._evses.evse_id(check.attempt.connectors[0])
        return Notification(TO_STATION, "process_authorized_token", "request", data)

    # --- authorizations --------------------------------------------------------------------------

    def _authorization(
        self, before: ChargePoint, event: Event, after: ChargePoint, old: Connector, new: Connector
    ) -> Iterator[Notification]:
        was, now_is = self._authorized_tag(before, old), self._authorized_tag(after, new)
        if was is not None and not same_tag(was, now_is) and old.transaction is None:
            yield self._update(new, was, "deauthorized")  # before it began
        elif isinstance(event, AuthorizeAnswered):
            yield from self._taken_back(before, event, after, new)
        if now_is is not None and not same_tag(was, now_is):
            yield self._update(new, now_is, "accepted")
        if now_is is not None and _is_refused(new) and not _is_refused(old):
            yield self._update(new, now_is, "deauthorized")

    def _taken_back(
        self, before: ChargePoint, event: AuthorizeAnswered, after: ChargePoint, new: Connector
    ) -> Iterator[Notification]:
        """A late refusal: it differs from what was answered, so it is sent without a plug too."""
        for grant in before.waiting:
            is_gone = same_tag(grant.id_tag, event.id_tag) and grant not in after.waiting
            is_here = grant.connectors == (new.connector_id,)
            if is_gone and is_here and new.grant is None and new.transaction is None:
                yield self._update(new, grant.id_tag, "deauthorized")

    def _authorized_tag(self, state: ChargePoint, connector: Connector) -> str | None:
        if connector.transaction is not None:
            return connector.transaction.id_tag
        if connector.grant is not None:
            return connector.grant.id_tag
        for grant in state.waiting:
            is_remote = grant.id_tag.casefold() in self._remote
            if is_remote and grant.connectors == (connector.connector_id,):
                return grant.id_tag
        return None

    def _update(self, connector: Connector, id_tag: str, status: str) -> Notification:
        evse_id = self._evses.evse_id(connector.connector_id)
        data = {"evse_id": evse_id, **self._named(id_tag), "status": status}
        return Notification(TO_BOTH, "authorization", "update", data)

    def _named(self, id_tag: str) -> Data:
        key = id_tag.casefold()
        token_type, id_token = token_of(id_tag, self._settings)
        if key in self._remote:
            token_type, id_token = "central", id_tag
        elif (token := self._tokens.get(key)) is not None:
            token_type, id_token = token.token_type, token.id_token
        return {
            **({} if id_token is None else {"id_token": id_token}),
            "token_type": token_type,
        }

    def _note_remote_starts(self, commands: Sequence[Command]) -> None:
        for command in commands:
            if not isinstance(command, RecordDecision):
                continue
            record = command.record
            key = record.id_tag.casefold()
            if record.verdict is not Verdict.ACCEPTED:
                continue
            if record.purpose == Purpose.START.value:
                self._remote.pop(key, None)
            elif record.purpose == Purpose.REMOTE_START.value:
                self._remote[key] = None

    # --- transactions ----------------------------------------------------------------------------

    def _transaction(self, old: Connector, new: Connector) -> Iterator[Notification]:
        was, now_is = old.transaction, new.transaction
        if was is not None and (now_is is None or now_is.ref != was.ref):
            yield self._progress(was, "ended")
        if now_is is not None and (was is None or was.ref != now_is.ref):
            yield self._progress(now_is, "started")
        elif was and now_is and was.transaction_id is None and now_is.transaction_id is not None:
            yield self._progress(now_is, "in_progress")
        if old.stop is None and new.stop is not None and _asks_others_to_stop(new):
            evse_id = self._evses.evse_id(new.connector_id)
            topics = TO_ISO15118 if evse_id in self.talking else TO_STATION
            yield Notification(topics, "stop_charging", "request", {"evse_id": evse_id})

    def _progress(self, transaction: Transaction, status: str) -> Notification:
        known = transaction.transaction_id
        data = {
            "transaction_id": str(transaction.ref if known is None else known),
            "status": status,
            "evse_id": self._evses.evse_id(transaction.connector_id),
            **self._named(transaction.id_tag),
        }
        return Notification(TO_STATION, "transaction_status", "update", data)

    # --- parts -----------------------------------------------------------------------------------

    def _parts(
        self, before: ChargePoint, after: ChargePoint, old: Connector, new: Connector
    ) -> Iterator[Notification]:
        evse_id = self._evses.evse_id(new.connector_id)
        if vocabulary.pilot(old) != vocabulary.pilot(new):
            yield self._cp_status(new)
        if old.contactor_closed != new.contactor_closed:
            data = self._info.contactor_status(new)
            yield Notification(AS_STATION, "cs_contactor_status", "update", data)
        for fault in sorted(
            vocabulary.faulted(after, new) - vocabulary.faulted(before, old),
            key=lambda fault: fault.name,
        ):
            data = {
                "evse_id": evse_id,
                "component_name": fault.name.lower(),
                "fault_name": vocabulary.fault_name(fault),
            }
            yield Notification(AS_STATION, "hardware_fault", "update", data)

    def _cp_status(self, connector: Connector) -> Notification:
        data = {
            "evse_id": self._evses.evse_id(connector.connector_id),
            "connector_id": connector.connector_id,
            "state": vocabulary.pilot(connector),
        }
        return Notification(AS_STATION, "cp_status", "update", data)

    def _charging_status(
        self, state: ChargePoint, connector: Connector, now: Instant
    ) -> Iterator[Notification]:
        """The message names no EVSE: only a station with one connector can send it."""
        status = status_of(state, connector, now)
        if len(state.connectors) > 1 or self._sent_status.get(connector.connector_id) is status:
            return
        self._sent_status[connector.connector_id] = status
        data = vocabulary.charging(status, connector.plugged)
        yield Notification(TO_STATION, "connector_and_charging", "update", data)

    def _limits(self, state: ChargePoint) -> Iterator[Notification]:
        limits = self._info.status_and_limits(state)
        if limits != self._sent_limits:
            self._sent_limits = limits
            yield Notification(AS_STATION, "cs_status_and_limits", "update", limits)

    def _availability(self, before: ChargePoint, after: ChargePoint) -> Iterator[Notification]:
        changed = before.inoperative ^ after.inoperative
        if availability.CHARGE_POINT in changed:
            changed = frozenset({availability.CHARGE_POINT})
        for connector_id in sorted(changed):
            is_out = connector_id in after.inoperative
            data = {"operational_status": "inoperative" if is_out else "operative"}
            if connector_id != availability.CHARGE_POINT:
                data["evse_id"] = self._evses.evse_id(connector_id)
            yield Notification(TO_STATION, "change_availability", "request", data)


def _about_the_box(before: ChargePoint, after: ChargePoint) -> Iterator[Notification]:
    if before.online != after.online:
        yield _websocket_status(after)
    if before.restart is None and after.restart is not None and after.restart.again:
        yield Notification(TO_STATION, "reset", "request", {})


def _websocket_status(state: ChargePoint) -> Notification:
    data = {"status": "connected" if state.online else "disconnected"}
    return Notification(TO_STATION, "websocket_status", "update", data)


def _is_refused(connector: Connector) -> bool:
    return connector.transaction is not None and connector.transaction.deauthorized


def _asks_others_to_stop(connector: Connector) -> bool:
    assert connector.stop is not None
    reason = connector.stop.reason
    is_by_token = reason is StopReason.LOCAL and connector.stop.id_tag is not None
    return reason is StopReason.REMOTE or is_by_token
