"""What a request of the control API can be refused with; no framework in here."""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.authorization_reasons import Rule
from agent.platform.errors import AgentError


class ApiError(AgentError):
    """The control API cannot be started; the message is a sentence for a person."""


class Refused(AgentError):
    """A request is refused, without any effect. ``code`` is stable, ``detail`` is for people.

    ``rule``: why, where the core has said so.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        rule: Rule | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.rule = rule


class Invalid(Refused):
    """The request does not fit the schema: answered 422, as a list of places and reasons."""

    def __init__(self, detail: str, where: tuple[str | int, ...] = ("body",), kind: str = "value"):
        super().__init__(422, "invalid", detail)
        self.where = where
        self.kind = kind


def conflict(code: str, detail: str, rule: Rule | None = None) -> Refused:
    """The command is valid, but not possible on this hardware or in this state."""
    return Refused(409, code, detail, rule=rule)


def not_found(code: str, detail: str) -> Refused:
    """What the request names does not exist here."""
    return Refused(404, code, detail)


def bad_data(code: str, detail: str) -> Refused:
    """Well formed, but wrong."""
    return Refused(400, code, detail)


def unavailable(
    code: str, detail: str, retry_after_s: int = 5, rule: Rule | None = None
) -> Refused:
    """Not now: something that the request needs is not there."""
    return Refused(503, code, detail, {"Retry-After": str(retry_after_s)}, rule)


def not_connected(rule: Rule = Rule.NOT_CONNECTED) -> Refused:
    """The central system is needed, and is not there."""
    return unavailable("csms_not_connected", "The central system is not connected.", 10, rule)
