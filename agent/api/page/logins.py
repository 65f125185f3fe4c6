"""Who looks at the page: a browser that has shown a token once, and has a cookie since."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.api.limits import one_to_give_up
from agent.api.tokens import Token

COOKIE = "chargepoint_page"
VISITORS_MAX = 50  # one of the token that has most goes, the one that was longest away
IDLE_S = 12 * 3600.0
SENTENCES_KEPT = 5

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

    def log_in(self, token: Token) -> str:
        """Begin a visit; returns the text of its cookie."""
        text = self._make_secret()
        self._visitors[_hash(text)] = Visitor(token.digest, self._now_s())
        if len(self._visitors) > VISITORS_MAX:
            held = ((key, one.token_digest) for key, one in self._visitors.items())
            del self._visitors[one_to_give_up(held)]
        return text

    def find(self, cookies: str) -> tuple[Visitor, Token] | None:
        """The visitor of a Cookie header, and its token; None: nobody, or not any more."""
        for key in _keys(cookies):
            visitor = self._visitors.get(key)
            if visitor is None:
                continue
            token = self._known(visitor.token_digest)
            if token is None or self._now_s() - visitor.seen_s > IDLE_S:
                del self._visitors[key]
                continue
            visitor.seen_s = self._now_s()
            self._visitors.move_to_end(key)
            return visitor, token
        return None

    def log_out(self, cookies: str) -> None:
        """End a visit, if there is one."""
        for key in _keys(cookies):
            self._visitors.pop(key, None)


def _keys(header: str) -> list[str]:
    """What our cookie may be, in a header that others write too.

    Every program of this host shares it, whatever its port: what the others set, and in which form,
    is passed over; and one of them may have set a cookie of our name.
    """
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return [_hash(value.strip()) for name, _, value in pairs if name.strip() == COOKIE]


def _hash(text: str) -> str:
    # Looked up by hash: how long a comparison takes says nothing about the cookie.
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
