"""The local list on the control socket: with whole idTags, for that is its purpose.

A list is longer than a line of the socket: a file comes in pieces (``upload``), and counts when the
last of them says so (``import``). One file at a time; the next one takes its place.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agent.config.settings import Settings
from agent.control.requests import PAGE_MAX, number_in, text_in
from agent.control.server import Action
from agent.core.date_time import read_end
from agent.core.id_tag import is_valid_id_tag, tag_as_told
from agent.core.state import ChargePoint
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    ListEntry,
    ListOrigin,
    ListUpdateKind,
)
from agent.platform.errors import ControlError, StoreError
from agent.runtime.local_list_updates import ListUpdates, Outcome

NAME_MAX = 50  # characters; each takes up to 12 bytes on the control socket
PIECE_MAX = 75  # entries of a file in one request; each takes at most some 840 bytes
PATIENCE_S = 20.0  # of one request; a longer import is asked about again

_ORIGIN = ListOrigin.COMMAND_LINE


@dataclass(slots=True)
class _Upload:
    token: str
    entries: list[ListEntry] = field(default_factory=list)
    work: asyncio.Task[Outcome] | None = None


class ListActions:
    """The action ``list``; ``what`` names what to do."""

    def __init__(
        self, lists: ListUpdates, state: Callable[[], ChargePoint], settings: Settings
    ) -> None:
        reader = settings.reader
        self._reader = {"driver": reader.driver, "form": reader.uid_format}
        self._lists = lists
        self._state = state
        self._upload: _Upload | None = None
        self._what: dict[str, Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]] = {
            "show": self._show,
            "add": self._add,
            "name": self._name,
            "remove": self._remove,
            "clear": self._clear,
            "upload": self._take_piece,
            "import": self._import,
        }

    def by_name(self) -> Mapping[str, Action]:
        """The action under its name."""
        return {"list": self.do}

    async def do(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do what the request says. Raises ControlError with a sentence."""
        what = self._what.get(str(request.get("what")))
        if what is None:
            raise ControlError(f"nothing like {request.get('what')!r} can be done with the list")
        try:
            return await what(request)
        except StoreError as problem:
            raise ControlError(str(problem)) from None

    # --- reading -----------------------------------------------------------------------------

    async def _show(self, request: Mapping[str, Any]) -> dict[str, Any]:
        offset = request.get("offset", 0)
        limit = number_in(request, "limit", PAGE_MAX) or PAGE_MAX
        if not isinstance(offset, int) or offset < 0:
            raise ControlError("offset must be a whole number, 0 or more")
        page = await self._lists.page(offset, limit, after=text_in(request, "after") or "")
        names = await self._lists.names([id_tag for id_tag, _ in page])
        state = self._state()
        return {
            "version": state.local_list.reported_version,
            "entries": state.local_list.entries,
            "entries_max": state.configuration.integer("LocalAuthListMaxLength"),
            "is_enabled": state.configuration.boolean("LocalAuthListEnabled"),
            "owner": state.rules.list_owner.value,
            "reader": self._reader,  # in whose form cards are kept
            "shown": [
                entry_as_data(ListEntry(id_tag, info, names.get(id_tag.upper())))
                for id_tag, info in page
            ],
        }

    # --- changing ----------------------------------------------------------------------------

    async def _add(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return _result(await self._lists.put(entry_of(request), _ORIGIN))

    async def _name(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Names decide nothing: whoever the list belongs to, and whether the tag is on it."""
        id_tag, name = named_tag(request)
        await self._lists.name(id_tag, name)
        return {"name": name}

    async def _remove(self, request: Mapping[str, Any]) -> dict[str, Any]:
        id_tag = text_in(request, "id_tag") or ""
        if not await self._lists.is_listed(id_tag):
            try:  # in the form in which "add" keeps it
                id_tag = tag_as_told(id_tag.strip(), self._reader["form"])
            except ValueError as problem:
                raise ControlError(str(problem)) from None
        if not await self._lists.is_listed(id_tag):
            raise ControlError("this idTag is not on the list")
        return _result(await self._lists.remove(id_tag, _ORIGIN))

    async def _clear(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return _result(await self._lists.clear(_ORIGIN))

    async def _take_piece(self, request: Mapping[str, Any]) -> dict[str, Any]:
        upload = self._upload_of(request, begins=True)
        piece = request.get("entries")
        if not isinstance(piece, list) or len(piece) > PIECE_MAX:
            raise ControlError(f"entries must be a list of at most {PIECE_MAX}")
        limit = self._state().configuration.integer("LocalAuthListMaxLength")
        if len(upload.entries) + len(piece) > limit:
            raise ControlError(f"more entries than LocalAuthListMaxLength ({limit})")
        upload.entries += [entry_of(data) for data in piece]
        return {"received": len(upload.entries)}

    async def _import(self, request: Mapping[str, Any]) -> dict[str, Any]:
        upload = self._upload_of(request, begins=False)
        if upload.work is None:
            replaces = request.get("replace") is True
            kind = ListUpdateKind.FULL if replaces else ListUpdateKind.DIFFERENTIAL
            update = self._lists.update(kind, None, upload.entries, _ORIGIN)
            upload.work = asyncio.create_task(update)
        done, _ = await asyncio.wait([upload.work], timeout=PATIENCE_S)
        if not done:
            return {"is_done": False}
        if self._upload is upload:
            self._upload = None
        return {"is_done": True, **_result(upload.work.result())}

    def _upload_of(self, request: Mapping[str, Any], *, begins: bool) -> _Upload:
        token = text_in(request, "token") or ""
        if begins and request.get("is_first") is True:
            work = self._upload.work if self._upload is not None else None
            if work is not None and not work.done():
                raise ControlError("another file is being imported")
            self._upload = _Upload(token)
        if self._upload is None or self._upload.token != token:
            raise ControlError("another file has taken the place of this one; try again")
        return self._upload


def _result(outcome: Outcome) -> dict[str, Any]:
    if not outcome.is_accepted:
        raise ControlError(f"the list was not changed: {outcome.detail}")
    return {
        "version": outcome.list_version,
        "entries": outcome.entries,
        "received": outcome.entries_received,
        "deleted": outcome.entries_deleted,
    }


def entry_as_data(entry: ListEntry) -> dict[str, Any]:
    """An entry of the list as plain data; what is not said is left out."""
    info = entry.info
    assert info is not None, "only an update takes an idTag off the list"
    data = {"id_tag": entry.id_tag, "status": info.status.value}
    if info.expires_at is not None:
        data["expires_at"] = info.expires_at.isoformat().replace("+00:00", "Z")
    if info.parent_id_tag is not None:
        data["parent_id_tag"] = info.parent_id_tag
    if entry.name is not None:
        data["name"] = entry.name
    return data


def entry_of(data: object) -> ListEntry:
    """An idTag and what is said about it, from plain data. Raises ControlError."""
    if not isinstance(data, Mapping):
        raise ControlError("an entry must be an object")
    status = text_in(data, "status") or AuthorizationStatus.ACCEPTED.value
    until = text_in(data, "expires_at")
    name = text_in(data, "name")
    try:
        info = IdTagInfo(
            AuthorizationStatus(status),
            None if until is None else expiry_of(until),
            text_in(data, "parent_id_tag") or None,
        )
        name = None if name is None else checked_name(name)
    except ValueError as problem:
        raise ControlError(str(problem)) from None
    return ListEntry(text_in(data, "id_tag") or "", info, name)


def named_tag(data: object) -> tuple[str, str]:
    """An idTag and its name, which may be empty, from plain data. Raises ControlError."""
    entry = entry_of(data)
    if entry.name is None or not is_valid_id_tag(entry.id_tag):
        raise ControlError("a name needs an idTag of 1 to 20 plain characters (ASCII)")
    return entry.id_tag, entry.name


def checked_name(text: str) -> str:
    """The name of a tag without blanks around it; may be empty. Raises ValueError."""
    name = text.strip()
    if len(name) > NAME_MAX or not name.isprintable():
        raise ValueError(f"a name has at most {NAME_MAX} characters, all of them printable")
    return name


def expiry_of(text: str) -> datetime:
    """Read a date (its end counts) or an instant; without offset it is UTC.

    ``31.12.2027`` is a date as well; with ``/`` the month stands first for some and second for
    others. Raises ValueError with a sentence.
    """
    wanted = "write 2027-12-31 or 2027-12-31T23:59:59Z"
    if re.fullmatch(r"\d{1,2}/\d{1,2}/\d{2,4}(?: .*)?", text):
        raise ValueError(f"{text[:40]!r} does not say which is the month: {wanted}")
    date = text
    if by_dots := re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", text):
        day, month, year = by_dots.groups()
        date = f"{year}-{month:0>2}-{day:0>2}"
    try:
        return read_end(date)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no date: {wanted}") from None
