"""Bearer tokens and their scopes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agent.api.errors import ApiError, Refused
from agent.api.limits import Guesses, Limits
from agent.api.tokens import TEXT_MAX, Token, TokenFile, digest_of, token_from_file
from agent.config.settings import ApiSettings

logger = logging.getLogger(__name__)


class Authenticator:
    """Knows every token; looks at the token file again whenever that has changed."""

    def __init__(self, settings: ApiSettings, state_directory: Path) -> None:
        """Raises ApiError when there is no token at all, or one that must not be used."""
        self._given = [token_from_file(token) for token in settings.tokens]
        self._file = TokenFile(state_directory)
        self._changed_at = self._file.changed_at()
        self._tokens: Sequence[Token] = [*self._given, *self._file.read()]
        if not self._tokens:
            raise ApiError(
                "there is no token yet; make one: chargepoint-agent token new NAME --scopes read"
            )

    def with_text(self, text: str) -> Token | None:
        """The token with this text, if there is one."""
        return self.with_digest(digest_of(text)) if 0 < len(text) <= TEXT_MAX else None

    def with_digest(self, digest: str) -> Token | None:
        """The token with this digest, as long as it counts."""
        # Every token is compared, so that the time says nothing.
        found = [token for token in self._present() if token.matches(digest)]
        return found[0] if found else None

    def _present(self) -> Sequence[Token]:
        changed_at = self._file.changed_at()
        if changed_at != self._changed_at:
            try:
                self._tokens = [*self._given, *self._file.read()]
                self._changed_at = changed_at
            except ApiError as problem:
                # Whom it does not name any more must not get in.
                logger.error("control API: %s", problem)
                self._tokens = self._given
        return self._tokens


class Entrance:
    """The one door for everybody who shows the text of a token: to the API, and to the page."""

    def __init__(
        self, authenticator: Authenticator, limits: Limits, now_s: Callable[[], float]
    ) -> None:
        self._authenticator = authenticator
        self._guesses = Guesses(limits, now_s)

    async def admit(self, headers: Mapping[bytes, bytes], address: str) -> Token:
        """The token of a request. Raises Refused: 401, or 429 after a while."""
        scheme, _, text = headers.get(b"authorization", b"").partition(b" ")
        text = text.strip()
        if scheme.lower() != b"bearer" or not text or len(text) > TEXT_MAX:
            raise _unauthorized("A bearer token is needed: Authorization: Bearer <token>.")
        return await self.with_text(text.decode("latin-1"), address)

    async def with_text(self, text: str, address: str) -> Token:
        """The token with this text. Raises Refused: 401, or 429 after a while."""
        token = self._authenticator.with_text(text)
        if token is None:
            await self._guesses.wrong(address)
            raise _unauthorized("The bearer token is not known.")
        return token


def require_scope(token: Token, scope: str) -> None:
    """Raises Refused (403), naming the scope, when the token does not have it."""
    if scope not in token.scopes:
        raise Refused(403, "scope_missing", f"The token lacks the scope {scope!r}.")


def _unauthorized(detail: str) -> Refused:
    return Refused(401, "unauthorized", detail, {"WWW-Authenticate": "Bearer"})
