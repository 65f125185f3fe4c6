"""Local authorization list management (OCPP 1.6, 5.10 and 5.15).

SendLocalList is checked here, not by its schema: for 10,000 entries that takes seconds on a small
board. The faults get the same error codes. Nulls in the place of optional fields are taken as
absent, as some central systems write them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from agent.core.id_tag import ID_TAG_MAX
from agent.core.state import ChargePoint
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    ListEntry,
    ListOrigin,
    ListStatus,
    ListUpdateKind,
)
from agent.ocpp16.confirmations import read_end_time
from agent.ocpp16.dispatch import Handler
from agent.ocppj.frames import CallRefused, Payload
from agent.runtime.executors import OffLoop
from agent.runtime.local_list_updates import ListUpdates

_KINDS = {kind.value: kind for kind in (ListUpdateKind.FULL, ListUpdateKind.DIFFERENTIAL)}
_STATUSES = {status.value: status for status in AuthorizationStatus}
_REQUEST_FIELDS = frozenset({"listVersion", "updateType", "localAuthorizationList"})
_ENTRY_FIELDS = frozenset({"idTag", "idTagInfo"})
_INFO_FIELDS = frozenset({"status", "expiryDate", "parentIdTag"})
_NOT_SUPPORTED = -1  # OCPP 1.6, 5.10


def local_auth_handlers(
    lists: ListUpdates,
    state: Callable[[], ChargePoint],
    off_loop: OffLoop,
) -> Mapping[str, Handler]:
    """The handlers of this profile by action; ``off_loop`` runs a function on another thread."""
    local_auth = _LocalAuth(lists, state, off_loop)
    return {
        "GetLocalListVersion": local_auth.get_local_list_version,
        "SendLocalList": local_auth.send_local_list,
    }


class _LocalAuth:
    def __init__(
        self,
        lists: ListUpdates,
        state: Callable[[], ChargePoint],
        off_loop: OffLoop,
    ) -> None:
        self._lists = lists
        self._state = state
        self._off_loop = off_loop

    async def get_local_list_version(self, payload: Payload) -> Payload:
        state = self._state()
        if not state.configuration.boolean("LocalAuthListEnabled"):
            return {"listVersion": _NOT_SUPPORTED}
        return {"listVersion": state.local_list.reported_version}

    async def send_local_list(self, payload: Payload) -> Payload:
        version, kind, entries = await self._off_loop(read_local_list, payload)
        origin = ListOrigin.CENTRAL_SYSTEM
        outcome = await self._lists.update(kind, version, entries, origin)
        assert outcome.status not in (ListStatus.INVALID, ListStatus.MANAGED)
        return {"status": outcome.status.value}


def read_local_list(payload: Any) -> tuple[int, ListUpdateKind, list[ListEntry]]:
    """Read SendLocalList.req. Raises CallRefused naming field and fault, never a value."""
    fields = _object({} if payload is None else payload, _REQUEST_FIELDS, "the payload")
    version = _required(fields, "listVersion", "the payload")
    if not isinstance(version, int) or isinstance(version, bool):
        raise _wrong_type("listVersion", "integer")
    kind = _one_of(_KINDS, _required(fields, "updateType", "the payload"), "updateType")
    entries = fields.get("localAuthorizationList")
    if entries is None:
        entries = []
    if not isinstance(entries, list):
        raise _wrong_type("localAuthorizationList", "array")
    return version, kind, [_entry(entry, number) for number, entry in enumerate(entries)]


def _entry(value: Any, number: int) -> ListEntry:
    where = f"localAuthorizationList.{number}"
    fields = _object(value, _ENTRY_FIELDS, where)
    id_tag = _tag(_required(fields, "idTag", where), f"{where}.idTag")
    info = fields.get("idTagInfo")
    return ListEntry(id_tag, None if info is None else _info(info, f"{where}.idTagInfo"))


def _info(value: Any, where: str) -> IdTagInfo:
    fields = _object(value, _INFO_FIELDS, where)
    status = _one_of(_STATUSES, _required(fields, "status", where), f"{where}.status")
    parent = fields.get("parentIdTag")
    return IdTagInfo(
        status,
        _expiry(fields.get("expiryDate"), f"{where}.expiryDate"),
        _tag(parent, f"{where}.parentIdTag") if parent else None,
    )


def _expiry(value: Any, where: str) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise _wrong_type(where, "string")
    expires_at = read_end_time(value)
    if expires_at is None:
        raise CallRefused("PropertyConstraintViolation", f"{where} is not a date and time")
    return expires_at


def _tag(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong_type(where, "string")
    if len(value) > ID_TAG_MAX:
        words = f"{where} is longer than {ID_TAG_MAX} characters"
        raise CallRefused("PropertyConstraintViolation", words)
    if not (value.isascii() and value.isprintable()):
        raise CallRefused("PropertyConstraintViolation", f"{where} is not printable ASCII")
    return value


def _one_of(known: Mapping[str, Any], value: Any, where: str) -> Any:
    if not isinstance(value, str):
        raise _wrong_type(where, "string")
    if value not in known:
        raise CallRefused("PropertyConstraintViolation", f"{where} breaks the rule enum")
    return known[value]


def _object(value: Any, known: frozenset[str], where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        if where == "the payload":
            raise CallRefused("FormationViolation", "the payload is not an object")
        raise _wrong_type(where, "object")
    if not known.issuperset(value):
        extra = ", ".join(sorted(set(value) - known))[:120]
        raise CallRefused("FormationViolation", f"{where} has unknown fields: {extra}")
    return value


def _required(fields: dict[str, Any], name: str, where: str) -> Any:
    if name not in fields:
        raise CallRefused("ProtocolError", f"{where} lacks {name}")
    return fields[name]


def _wrong_type(where: str, wanted: str) -> CallRefused:
    return CallRefused("TypeConstraintViolation", f"{where} is not of type {wanted}")
