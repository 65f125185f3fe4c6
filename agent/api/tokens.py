"""Who may use the control API: tokens, kept as hashes. Standard library only (the CLI uses it).

``tokens.json`` stands in the state directory. It is written whole, in one step, for its owner only;
the running agent notices that it has changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.api.errors import ApiError, Refused
from agent.api.limits import Guesses, RequestLimits
from agent.config.settings import SCOPES, ApiSettings, ApiTokenSettings
from agent.platform.edited_files import read_secret
from agent.platform.errors import EditedFileError
from agent.platform.file_problems import in_words
from agent.platform.ownership import rights_of_owner
from agent.platform.whole_file import write_whole

FILE_NAME = "tokens.json"
TOKENS_MAX = 100
TEXT_MIN = 16
TEXT_MAX = 500
_FILE_MAX = 256 * 1024
_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
_PLACEHOLDER = re.compile(r"change.?me|example|your.?token|secret.?token|<|>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token without its text."""

    name: str
    scopes: frozenset[str]
    digest: str  # SHA-256 of its text, in hex
    created_at: str = ""

    def matches(self, digest: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self.digest, digest)


def digest_of(text: str) -> str:
    """What is kept of a token: it is long and random, so a plain hash is enough."""
    return hashlib.sha256(text.encode()).hexdigest()


class TokenFile:
    """The tokens in the state directory."""

    def __init__(self, state_directory: Path) -> None:
        self.path = state_directory / FILE_NAME

    def read(self) -> list[ApiToken]:
        """Every token in the file; none when there is no file. Raises ApiError naming the file."""
        try:
            with rights_of_owner(self.path.parent), self.path.open("rb") as file:
                content = file.read(_FILE_MAX + 1)
        except FileNotFoundError:
            return []
        except OSError as problem:
            raise ApiError(in_words(problem, "read", self.path)) from None
        try:
            if len(content) > _FILE_MAX:
                raise ValueError
            return [_token(entry) for entry in json.loads(content)["tokens"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ApiError(f"{self.path} is damaged; remove it and make new tokens") from None

    def add(self, name: str, scopes: Sequence[str], text: str, created_at: str) -> ApiToken:
        """Keep a new token. Raises ApiError for a name that is taken or is no name."""
        token = ApiToken(_checked_name(name), _checked_scopes(scopes), digest_of(text), created_at)
        with self._alone():
            tokens = self.read()
            if any(other.name == name for other in tokens):
                raise ApiError(f"there is a token {name!r} already; revoke it first")
            if len(tokens) >= TOKENS_MAX:
                raise ApiError(f"there are {TOKENS_MAX} tokens already")
            self._write([*tokens, token])
        return token

    def revoke(self, name: str) -> None:
        """Forget a token. Raises ApiError when there is none of that name."""
        with self._alone():
            tokens = self.read()
            kept = [token for token in tokens if token.name != name]
            if len(kept) == len(tokens):
                raise ApiError(f"there is no token {name!r}")
            self._write(kept)

    def changed_at(self) -> tuple[int, int, int]:
        """Something that differs when the file has changed."""
        try:
            found = self.path.stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_mtime_ns, found.st_ino, found.st_size)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Two commands at once must not lose each other's token."""
        folder = self.path.parent
        with rights_of_owner(folder):
            try:
                directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            except OSError as problem:
                raise ApiError(in_words(problem, "use", folder)) from None
            try:
                fcntl.flock(directory, fcntl.LOCK_EX)
                yield
            finally:
                os.close(directory)

    def _write(self, tokens: list[ApiToken]) -> None:
        entries = [
            {
                "name": token.name,
                "scopes": sorted(token.scopes),
                "sha256": token.digest,
                "created_at": token.created_at,
            }
            for token in tokens
        ]
        try:
            write_whole(self.path, json.dumps({"tokens": entries}, indent=1).encode())
        except OSError as problem:
            raise ApiError(in_words(problem, "change", self.path)) from None


def _token(entry: Any) -> ApiToken:
    digest = str(entry["sha256"])
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError
    scopes = frozenset(str(scope) for scope in entry["scopes"])
    return ApiToken(str(entry["name"]), scopes, digest, str(entry.get("created_at", "")))


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ApiError(
            "a token's name has 1 to 40 letters, digits, dots, dashes or underscores; "
            f"got {name[:60]!r}"
        )
    return name


def _checked_scopes(scopes: Sequence[str]) -> frozenset[str]:
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        message = f"unknown: {', '.join(unknown)[:80]}" if unknown else "none is given"
        raise ApiError(f"scopes are {', '.join(SCOPES)}; {message}")
    return frozenset(scopes)


def token_from_file(settings: ApiTokenSettings) -> ApiToken:
    """The token that a secret_file holds. Raises ApiError: missing, short, or a placeholder."""
    path = Path(settings.secret_file)
    try:
        text = read_secret(path)
    except EditedFileError as problem:
        raise ApiError(f"token {settings.name}: {problem}") from None
    if not text.isascii():
        raise ApiError(f"token {settings.name}: {path} must hold plain ASCII")
    if not TEXT_MIN <= len(text) <= TEXT_MAX or " " in text:
        wanted = f"one line of {TEXT_MIN} to {TEXT_MAX} characters without spaces"
        raise ApiError(f"token {settings.name}: {path} must hold {wanted}")
    if len(set(text)) < 6 or _PLACEHOLDER.search(text):
        raise ApiError(f"token {settings.name}: {path} holds a placeholder, not a secret")
    return ApiToken(settings.name, _checked_scopes(settings.scopes), digest_of(text))


logger = logging.getLogger(__name__)


class KnownTokens:
    """Knows every token; looks at the token file again whenever that has changed."""

    def __init__(self, settings: ApiSettings, state_directory: Path) -> None:
        """Raises ApiError when there is no token at all, or one that must not be used."""
        self._given = [token_from_file(token) for token in settings.tokens]
        self._file = TokenFile(state_directory)
        self._changed_at = self._file.changed_at()
        self._tokens: Sequence[ApiToken] = [*self._given, *self._file.read()]
        if not self._tokens:
            raise ApiError(
                "there is no token yet; make one: chargepoint-agent token new NAME --scopes read"
            )

    def with_text(self, text: str) -> ApiToken | None:
        """The token with this text, if there is one."""
        return self.with_digest(digest_of(text)) if 0 < len(text) <= TEXT_MAX else None

    def with_digest(self, digest: str) -> ApiToken | None:
        """The token with this digest, as long as it counts."""
        # Every token is compared, so that the time says nothing.
        found = [token for token in self._present() if token.matches(digest)]
        return found[0] if found else None

    def _present(self) -> Sequence[ApiToken]:
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


class Authenticator:
    """Finds the token whose text a request or a login shows."""

    def __init__(
        self,
        known_tokens: KnownTokens,
        limits: RequestLimits,
        now_s: Callable[[], float],
        failed: Callable[[str], None] = lambda address: None,
    ) -> None:
        """``failed`` hears from which address a token came that is not known."""
        self._known_tokens = known_tokens
        self._failed = failed
        self._guesses = Guesses(limits, now_s)

    async def admit(self, headers: Mapping[bytes, bytes], address: str) -> ApiToken:
        """The token of a request. Raises Refused: 401, or 429 after a while."""
        scheme, _, text = headers.get(b"authorization", b"").partition(b" ")
        text = text.strip()
        if scheme.lower() != b"bearer" or not text or len(text) > TEXT_MAX:
            raise _unauthorized("A bearer token is needed: Authorization: Bearer <token>.")
        return await self.with_text(text.decode("latin-1"), address)

    async def with_text(self, text: str, address: str) -> ApiToken:
        """The token with this text. Raises Refused: 401, or 429 after a while."""
        token = self._known_tokens.with_text(text)
        if token is None:
            self._failed(address)
            await self._guesses.wrong(address)
            raise _unauthorized("The bearer token is not known.")
        return token


def require_scope(token: ApiToken, scope: str) -> None:
    """Raises Refused (403), naming the scope, when the token does not have it."""
    if scope not in token.scopes:
        raise Refused(403, "scope_missing", f"The token lacks the scope {scope!r}.")


def _unauthorized(detail: str) -> Refused:
    return Refused(401, "unauthorized", detail, {"WWW-Authenticate": "Bearer"})
