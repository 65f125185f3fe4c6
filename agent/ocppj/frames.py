"""OCPP-J frames: parse what comes in without trust, write what goes out (OCPP-J 1.6, 4)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from agent.platform.bounded_json import (
    NotJson,
    NoValue,
    TooMuch,
    first_elements,
    is_light,
    read_elements,
)
from agent.platform.errors import AgentError
from agent.platform.redaction import redact_frame

Payload = Mapping[str, Any]

UNIQUE_ID_MAX = 36
LARGE_FRAME = 16 * 1024  # characters; what is larger is parsed off the loop
_DESCRIPTION_MAX = 255
_ID_KEPT_MAX = 255  # an id of the other side is echoed even when it is longer than allowed

_CALL: Final = 2
_CALL_RESULT: Final = 3
_CALL_ERROR: Final = 4

logger = logging.getLogger(__name__)


class CallRefused(AgentError):
    """An incoming call is answered with a CALLERROR: ``code`` as OCPP-J 1.6 spells it."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True)
class Call:
    """A request of the other side. ``payload`` may be anything that JSON can say."""

    unique_id: str
    action: str
    payload: Any
    text_hash: int | None = None  # of a large call

    @property
    def is_large(self) -> bool:
        """True when it is so large that nothing slow may be done with it on the loop."""
        return self.text_hash is not None


@dataclass(frozen=True, slots=True)
class CallResult:
    """An answer to a call of ours."""

    unique_id: str
    payload: Any


@dataclass(frozen=True, slots=True)
class CallError:
    """A refusal of a call of ours."""

    unique_id: str
    code: str
    description: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadCall:
    """A request that is no proper call, but whose id is known: it is answered with a CALLERROR."""

    unique_id: str
    code: str
    description: str


@dataclass(frozen=True, slots=True)
class BadFrame:
    """Something that cannot be answered: it is dropped and counted."""

    problem: str


Frame = Call | CallResult | CallError | BadCall | BadFrame


def parse(data: str | bytes, long_action: str = "") -> Frame:
    """Read one message from the wire. Never raises.

    ``long_action``: the one action whose calls may need more than the decoder does at once.
    """
    content: list[Any] = []
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        may_be_anything = is_light(text)
        for element in read_elements(text):
            content.append(element)
            if not (may_be_anything or _may_be_long(content, long_action)):
                raise TooMuch(f"it is too long: only {long_action} may be so long")
    except UnicodeDecodeError:
        return BadFrame("it is not UTF-8")
    except NotJson as problem:
        return _refused(content or first_elements(text, 2), problem)
    match content:
        case []:
            return BadFrame("it is not a JSON array with something in it")
        case [2, *_]:
            frame = _parse_call(content)
            if isinstance(frame, Call) and len(text) > LARGE_FRAME:
                return replace(frame, text_hash=hash(text))
            return frame
        case [3 | 4, *_]:
            return _parse_answer(content)
        case _:
            # OCPP-J 1.6, 4.1.3: a message with an unknown type number is ignored.
            return BadFrame("its message type is unknown")


def _may_be_long(content: list[Any], long_action: str) -> bool:
    """By the first elements of a message."""
    match content:
        case [2 | 3 | 4] | [2, _]:
            return True
        case [2, _, action, *_] if action == long_action:
            return True
        case _:
            return False


def _refused(content: list[Any], problem: NotJson) -> Frame:
    """What to think of a message that is not read to its end, by its first elements."""
    match content:
        case [2, str(unique_id), *_] if 1 <= len(unique_id) <= _ID_KEPT_MAX:
            return BadCall(unique_id, _code(problem), str(problem))
        case [3 | 4, str(unique_id), *_] if isinstance(problem, TooMuch):
            return CallError(unique_id, "GenericError", str(problem))
        case _:
            return BadFrame(str(problem))


def _code(problem: NotJson) -> str:
    """OCPP-J 1.6, 4.2.3."""
    match problem:
        case TooMuch():
            return "GenericError"
        case NoValue():
            return "PropertyConstraintViolation"
        case _:
            return "FormationViolation"


def _parse_call(content: list[Any]) -> Frame:
    unique_id = content[1] if len(content) > 1 else None
    if not isinstance(unique_id, str) or not 1 <= len(unique_id) <= _ID_KEPT_MAX:
        return BadFrame("it is a call without a usable id")
    if len(content) != 4:
        return BadCall(
            unique_id, "FormationViolation", f"a call has 4 elements, this has {len(content)}"
        )
    if not isinstance(content[2], str):
        return BadCall(unique_id, "FormationViolation", "the action is not a string")
    if len(unique_id) > UNIQUE_ID_MAX:
        logger.info("A call has an id of %d characters; it is answered anyway", len(unique_id))
    return Call(unique_id, content[2], content[3])


def _parse_answer(content: list[Any]) -> Frame:
    # Answers are read leniently: what is missing at the end is taken as empty, what is too much is
    # ignored, so that no transactionId is lost to a sloppy central system.
    if len(content) < 2 or not isinstance(content[1], str):
        return BadFrame("it is an answer without a usable id")
    if content[0] == _CALL_RESULT:
        return CallResult(content[1], content[2] if len(content) > 2 else {})
    code, description, details = ([*content[2:5], None, None, None])[:3]
    return CallError(
        content[1],
        str(code or "GenericError")[:50],
        str(description or "")[:_DESCRIPTION_MAX],
        details if isinstance(details, dict) else {},
    )


def call_text(unique_id: str, action: str, payload: Payload) -> str:
    """A CALL as it goes over the wire."""
    return _text([_CALL, unique_id, action, payload])


def result_text(unique_id: str, payload: Payload) -> str:
    """A CALLRESULT as it goes over the wire."""
    return _text([_CALL_RESULT, unique_id, payload])


def error_text(unique_id: str, code: str, description: str) -> str:
    """A CALLERROR as it goes over the wire."""
    return _text([_CALL_ERROR, unique_id, code, description[:_DESCRIPTION_MAX], {}])


def _text(content: list[Any]) -> str:
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def log_frame(direction: str, data: str | bytes) -> None:
    """Write a frame to the log at DEBUG, redacted. ``direction``: sent or received."""
    if logger.isEnabledFor(logging.DEBUG):
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        logger.debug("%s %s", direction, redact_frame(text))
