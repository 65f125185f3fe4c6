"""The envelope of every message, and the schemas of those that this program knows."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

from agent.platform.bounded_json import NotJson, read_json

BYTES_MAX = 64 * 1024
_TYPES = ("request", "response", "update")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

# Which schema a message has. Others have none here: the bus carries other people's messages.
SCHEMA_OF = {
    ("authorization", "request"): "AuthorizationRequest",
    ("authorization", "response"): "AuthorizationResponse",
    ("authorization", "update"): "AuthorizationUpdate",
    ("iso15118_authorization", "request"): "ISO15118AuthorizationRequest",
    ("iso15118_authorization", "response"): "ISO15118AuthorizationResponse",
    ("process_authorized_token", "request"): "ProcessAuthorizedTokenRequest",
    ("process_authorized_token", "response"): "ProcessAuthorizedTokenResponse",
    ("transaction_status", "update"): "TransactionStatusUpdate",
    ("stop_charging", "request"): "StopChargingRequest",
    ("stop_charging", "response"): "StopChargingResponse",
}


class BadMessage(ValueError):
    """What came is no message; the sentence says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message on the bus."""

    id: str  # a UUID
    name: str
    type: str  # request, response, update
    data: dict[str, Any]

    def text(self) -> str:
        """As it stands on the wire."""
        return json.dumps(
            {"id": self.id, "name": self.name, "type": self.type, "data": self.data},
            separators=(",", ":"),
        )


def read(payload: bytes) -> Message:
    """Read an envelope. Raises BadMessage; ``data`` is not looked into."""
    if len(payload) > BYTES_MAX:
        raise BadMessage(f"it has more than {BYTES_MAX} bytes")
    try:
        content = read_json(payload.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadMessage("it is not UTF-8") from None
    except NotJson as problem:
        raise BadMessage(str(problem)) from None
    if not isinstance(content, dict):
        raise BadMessage("it is not an object")
    name, kind, data = content.get("name"), content.get("type"), content.get("data")
    if not isinstance(name, str) or not 1 <= len(name) <= 100:
        raise BadMessage("it has no usable name")
    if kind not in _TYPES:
        raise BadMessage("its type is not request, response or update")
    if not isinstance(data, dict):
        if kind != "request":
            raise BadMessage("its data is not an object")
        data = {}  # a request is answered in any case, if only with a refusal
    return Message(_id(content.get("id")), name, kind, data)


def without_stray_token(message: Message) -> Message:
    """An id_token that comes with no_authorization is ignored rather than refused."""
    if message.data.get("token_type") != "no_authorization":
        return message
    data = {name: value for name, value in message.data.items() if name != "id_token"}
    return replace(message, data=data)


def problem_of(message: Message) -> str:
    """What is wrong with the data of a message that has a schema; empty: nothing. No values."""
    schema = SCHEMA_OF.get((message.name, message.type))
    if schema is None:
        return ""
    content = {"id": message.id, "name": message.name, "type": message.type, "data": message.data}
    fault = next(_validator(schema).iter_errors(content), None)
    if fault is None:
        return ""
    where = ".".join(str(part) for part in fault.absolute_path)[:100]
    return f"{where} breaks the rule {fault.validator}"


def _id(text: Any) -> str:
    """As it came: an answer repeats it to the letter."""
    if not isinstance(text, str) or not _UUID.fullmatch(text):
        raise BadMessage("its id is not a UUID")
    return text


@cache
def _validator(schema: str) -> Draft202012Validator:
    text = files("agent.mqtt").joinpath("schemas", f"{schema}.json").read_text("utf-8")
    return Draft202012Validator(json.loads(text), format_checker=FormatChecker(["uuid"]))
