"""Who looks at the page: a browser that has shown a token once, and has a cookie since."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from agent.api.tokens import Token

COOKIE = "chargepoint_page"
VISITORS_MAX = 50  # the one that was longest away goes
IDLE_S = 12 * 3600.0
SENTENCES_KEPT = 5
GUESSES_AT_ONCE = 10
GUESSES_PER_S = 0.5

Known = Callable[[str], Token | None]  # the token of a digest, while it counts


@dataclass(slots=True)
class Visitor:
    """One browser; what it may do is what its token may do, as long as that exists."""

    token_digest: str
    seen_s: float
    sentences: deque[str] = field(default_factory=lambda: deque(maxlen=SENTENCES_KEPT))

    def take_sentences(self) -> list[str]:
        """What it has not been told yet."""
        told = list(self.sentences)
        self.sentences.clear()
        return told


class Visitors:
    """The browsers that are logged in; in memory: after a restart one logs in again."""

    def __init__(
        self, known: Known, make_secret: Callable[[], str], now_s: Callable[[], float]
    ) -> None:
        self._known = known
        self._make_secret = make_secret
        self._now_s = now_s
        self._visitors: OrderedDict[str, Visitor] = OrderedDict()  # by the hash of the cookie
        self._guesses_left = float(GUESSES_AT_ONCE)
        self._counted_at_s = now_s()

    def may_try(self) -> bool:
        """False: too many wrong tokens came lately, from whomever."""
        now_s = self._now_s()
        refilled = self._guesses_left + (now_s - self._counted_at_s) * GUESSES_PER_S
        self._counted_at_s = now_s
        self._guesses_left = min(refilled, GUESSES_AT_ONCE)
        return self._guesses_left >= 1

    def count_guess(self) -> None:
        """A wrong token came."""
        self._guesses_left -= 1

    def log_in(self, token: Token) -> str:
        """Begin a visit; returns the text of its cookie."""
        text = self._make_secret()
        self._visitors[_hash(text)] = Visitor(token.digest, self._now_s())
        if len(self._visitors) > VISITORS_MAX:
            self._visitors.popitem(last=False)
        return text

    def find(self, cookies: str) -> tuple[Visitor, Token] | None:
        """The visitor of a Cookie header, and its token; None: nobody, or not any more."""
        key = _hash(_cookie(cookies))
        visitor = self._visitors.get(key)
        if visitor is None:
            return None
        token = self._known(visitor.token_digest)
        if token is None or self._now_s() - visitor.seen_s > IDLE_S:
            del self._visitors[key]
            return None
        visitor.seen_s = self._now_s()
        self._visitors.move_to_end(key)
        return visitor, token

    def log_out(self, cookies: str) -> None:
        """End a visit, if there is one."""
        self._visitors.pop(_hash(_cookie(cookies)), None)


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _hash(text: str) -> str:
    # Looked up by hash: how long a comparison takes says nothing about the cookie.
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
