"""What the station is told: from two states and what happened between them. Pure, but for ids.

Every function compares what was with what is; nothing is kept but which token stands behind which
idTag, since the bus wants tokens in the form in which they came.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agent.bus.evses import Evses
from agent.bus.tokens import Token
from agent.core import faults
from agent.core.commands import Command, RecordDecision
from agent.core.reporting import status_of
from agent.core.state import ChargePoint, Connector, Phase, Purpose
from agent.core.values import Instant, PilotState, Status, StopReason, Transaction

TOKENS_MAX = 64  # tokens that are kept in mind; the one that was seen longest ago is forgotten

TO_STATION = ("josev/cs",)
TO_ISO15118 = ("ocpp/iso15118",)
TO_BOTH = ("josev/cs", "ocpp/iso15118")
AS_STATION = ("cs/josev",)

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Announcement:
    """A message to be made of it, the same on every topic."""

    topics: tuple[str, ...]
    name: str
    type: str
    data: Data


class Announcer:
    """Tells what has changed, and on a new connection everything that stands."""

    def __init__(self, evses: Evses) -> None:
        self._evses = evses
        self._tokens: OrderedDict[str, Token] = OrderedDict()
        self._remote: OrderedDict[str, None] = OrderedDict()
        self.talking: set[str] = set()  # EVSEs whose car speaks ISO 15118 just now

    def note_token(self, token: Token) -> None:
        """Remember in which form a token came."""
        key = token.id_tag.casefold()
        self._tokens[key] = token
        self._tokens.move_to_end(key)
        while len(self._tokens) > TOKENS_MAX:
            self._tokens.popitem(last=False)

    def changes(
        self, before: ChargePoint, after: ChargePoint, commands: Sequence[Command], now: Instant
    ) -> list[Announcement]:
        """What one turn of the runtime means to the others."""
        self._note_remote_starts(commands)
        found: list[Announcement] = []
        if before.online != after.online:
            found.append(_websocket_status(after))
        for old, new in zip(before.connectors, after.connectors, strict=True):
            if old == new and before.waiting == after.waiting and before.faults == after.faults:
                continue
            found += self._authorization(before, after, old, new)
            found += self._transaction(old, new)
            found += self._parts(before, after, old, new, now)
        return found

    def everything(self, state: ChargePoint, now: Instant) -> list[Announcement]:
        """What stands now, for those who may have missed how it came."""
        found = [_websocket_status(state)]
        for connector in state.connectors:
            id_tag = _authorized_tag(connector)
            if id_tag is not None:
                status = "deauthorized" if _is_refused(connector) else "accepted"
                found.append(self._update(connector, id_tag, status))
            if connector.transaction is not None:
                found.append(self._progress(connector.transaction, "in_progress"))
            found.append(self._cp_status(connector))
            found.append(self._charging_status(state, connector, now))
        return found

    # --- authorizations --------------------------------------------------------------------------

    def _authorization(
        self, before: ChargePoint, after: ChargePoint, old: Connector, new: Connector
    ) -> Iterator[Announcement]:
        was, now_is = _authorized_tag(old), _authorized_tag(new)
        if was is None and now_is is not None:
            yield self._update(new, now_is, "accepted")
        elif old.phase is Phase.STARTING and now_is is None and old.grant is not None:
            yield self._update(new, old.grant.id_tag, "deauthorized")
        elif _is_refused(new) and not _is_refused(old) and now_is is not None:
            yield self._update(new, now_is, "deauthorized")
        only_here = (new.connector_id,)
        for grant in before.waiting:
            is_gone = grant not in after.waiting and now_is is None
            if is_gone and grant.connectors == only_here and old.phase is Phase.IDLE:
                yield self._update(new, grant.id_tag, "deauthorized")

    def _update(self, connector: Connector, id_tag: str, status: str) -> Announcement:
        evse_id = self._evses.evse_id(connector.connector_id)
        data = {"evse_id": evse_id, **self._named(id_tag), "status": status}
        return Announcement(TO_BOTH, "authorization", "update", data)

    def _named(self, id_tag: str) -> Data:
        """The token in the form of the bus; a card of our own reader is its UID."""
        key = id_tag.casefold()
        token = self._tokens.get(key)
        if token is not None:
            named: Data = {"token_type": token.token_type}
            return named if token.id_token is None else {"id_token": token.id_token, **named}
        token_type = "central" if key in self._remote else "ISO14443"
        return {"id_token": id_tag, "token_type": token_type}

    def _note_remote_starts(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if not isinstance(command, RecordDecision):
                continue
            key = command.record.id_tag.casefold()
            if command.record.purpose == Purpose.REMOTE_START.value:
                self._tokens.pop(key, None)
                self._remote[key] = None
                while len(self._remote) > TOKENS_MAX:
                    self._remote.popitem(last=False)
            elif command.record.purpose == Purpose.START.value and key not in self._tokens:
                self._remote.pop(key, None)

    # --- transactions ----------------------------------------------------------------------------

    def _transaction(self, old: Connector, new: Connector) -> Iterator[Announcement]:
        was, now_is = old.transaction, new.transaction
        if was is not None and (now_is is None or now_is.ref != was.ref):
            yield self._progress(was, "ended")
        if now_is is not None and (was is None or was.ref != now_is.ref):
            yield self._progress(now_is, "started")
        elif now_is is not None and _is_known_now(was, now_is):
            yield self._progress(now_is, "in_progress")
        if old.stop is None and new.stop is not None and _asks_others_to_stop(new):
            evse_id = self._evses.evse_id(new.connector_id)
            topics = TO_ISO15118 if evse_id in self.talking else TO_STATION
            yield Announcement(topics, "stop_charging", "request", {"evse_id": evse_id})

    def _progress(self, transaction: Transaction, status: str) -> Announcement:
        known = transaction.transaction_id
        data = {
            "transaction_id": str(transaction.ref if known is None else known),
            "status": status,
            "evse_id": self._evses.evse_id(transaction.connector_id),
            **self._named(transaction.id_tag),
        }
        return Announcement(TO_STATION, "transaction_status", "update", data)

    # --- parts -----------------------------------------------------------------------------------

    def _parts(
        self,
        before: ChargePoint,
        after: ChargePoint,
        old: Connector,
        new: Connector,
        now: Instant,
    ) -> Iterator[Announcement]:
        evse_id = self._evses.evse_id(new.connector_id)
        if old.pilot is not new.pilot or (old.offered_a is None) is not (new.offered_a is None):
            yield self._cp_status(new)
        if old.contactor_closed != new.contactor_closed:
            status = "closed" if new.contactor_closed else "opened"
            data = {"evse_id": evse_id, "status": status}
            yield Announcement(AS_STATION, "cs_contactor_status", "update", data)
        for fault in sorted(_faults(after, new) - _faults(before, old), key=lambda f: f.name):
            yield Announcement(
                AS_STATION,
                "hardware_fault",
                "update",
                {
                    "evse_id": evse_id,
                    "component_name": fault.name.lower(),
                    "fault_name": _fault_name(fault),
                },
            )
        if status_of(before, old, now) is not status_of(after, new, now):
            yield self._charging_status(after, new, now)

    def _cp_status(self, connector: Connector) -> Announcement:
        data = {
            "evse_id": self._evses.evse_id(connector.connector_id),
            "connector_id": connector.connector_id,
            "state": _pilot_words(connector),
        }
        return Announcement(AS_STATION, "cp_status", "update", data)

    def _charging_status(
        self, state: ChargePoint, connector: Connector, now: Instant
    ) -> Announcement:
        status = status_of(state, connector, now)
        data = {
            "evse_id": self._evses.evse_id(connector.connector_id),
            "connector_status": _CONNECTOR_WORDS.get(status, "occupied"),
            "charging_status": _CHARGING_WORDS.get(
                status, "ev_connected" if connector.plugged else "idle"
            ),
        }
        return Announcement(TO_STATION, "connector_and_charging", "update", data)


_CONNECTOR_WORDS = {
    Status.AVAILABLE: "available",
    Status.UNAVAILABLE: "unavailable",
    Status.RESERVED: "reserved",
    Status.FAULTED: "faulted",
}
_CHARGING_WORDS = {
    Status.CHARGING: "charging",
    Status.SUSPENDED_EV: "suspended_ev",
    Status.SUSPENDED_EVSE: "suspended_evse",
}
_FAULT_NAMES = {
    "OverCurrentFailure": "overcurrent_fault",
    "GroundFailure": "ground_fault",
}


def _authorized_tag(connector: Connector) -> str | None:
    """The idTag that has this connector, from the moment its plug is its own."""
    if connector.transaction is not None:
        return connector.transaction.id_tag
    return None if connector.grant is None else connector.grant.id_tag


def _is_refused(connector: Connector) -> bool:
    return connector.transaction is not None and connector.transaction.deauthorized


def _is_known_now(was: Transaction | None, now_is: Transaction) -> bool:
    """True when the central system has given this transaction its id just now."""
    was_unknown = was is not None and was.transaction_id is None
    return was_unknown and now_is.transaction_id is not None


def _asks_others_to_stop(connector: Connector) -> bool:
    """True for a remote stop, and for a stop by a token."""
    assert connector.stop is not None
    reason = connector.stop.reason
    is_by_token = reason is StopReason.LOCAL and connector.stop.id_tag is not None
    return reason is StopReason.REMOTE or is_by_token


def _faults(state: ChargePoint, connector: Connector) -> frozenset[faults.Fault]:
    every = connector.faults | state.faults
    return frozenset(fault for fault in every if faults.RULES[fault].shows_faulted)


def _fault_name(fault: faults.Fault) -> str:
    if fault is faults.Fault.EMERGENCY_STOP:
        return "emergency_stop"
    return _FAULT_NAMES.get(faults.RULES[fault].error_code, "other")


def _pilot_words(connector: Connector) -> str:
    """The states of IEC 61851-1: 2 while current is offered, 1 while not."""
    if connector.pilot in (PilotState.E, PilotState.F):
        return str(connector.pilot.value)
    return f"{connector.pilot.value}{1 if connector.offered_a is None else 2}"


def _websocket_status(state: ChargePoint) -> Announcement:
    data = {"status": "connected" if state.online else "disconnected"}
    return Announcement(TO_STATION, "websocket_status", "update", data)
