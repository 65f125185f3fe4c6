"""The logins of the page: a browser has shown a token once, and has a cookie since."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.api.limits import one_to_give_up
from agent.api.tokens import ApiToken

COOKIE = "chargepoint_page"
LOGINS_MAX = 50  # one of the token that has most goes, the one that was longest away
IDLE_S = 12 * 3600.0
SENTENCES_KEPT = 5

Known = Callable[[str], ApiToken | None]  # the token of a digest, while it counts


@dataclass(slots=True)
class Login:
    """One browser; what it may do is what its token may do, as long as that exists."""

    token_digest: str
    seen_s: float
    sentences: deque[str] = field(default_factory=lambda: deque(maxlen=SENTENCES_KEPT))

    def take_sentences(self) -> list[str]:
        """What it has not been shown yet."""
        sentences = list(self.sentences)
        self.sentences.clear()
        return sentences


class Logins:
    """The browsers that are logged in; in memory: after a restart one logs in again."""

    def __init__(
        self, known: Known, make_secret: Callable[[], str], now_s: Callable[[], float]
    ) -> None:
        self._known = known
        self._make_secret = make_secret
        self._now_s = now_s
        self._logins: OrderedDict[str, Login] = OrderedDict()  # by the hash of the cookie

    def log_in(self, token: ApiToken) -> str:
        """Begin a login; returns the text of its cookie."""
        text = self._make_secret()
        self._logins[_hash(text)] = Login(token.digest, self._now_s())
        if len(self._logins) > LOGINS_MAX:
            held = ((key, one.token_digest) for key, one in self._logins.items())
            del self._logins[one_to_give_up(held)]
        return text

    def find(self, cookies: str) -> tuple[Login, ApiToken] | None:
        """The login of a Cookie header, and its token; None: there is none, or not any more."""
        for key in _keys(cookies):
            login = self._logins.get(key)
            if login is None:
                continue
            token = self._known(login.token_digest)
            if token is None or self._now_s() - login.seen_s > IDLE_S:
                del self._logins[key]
                continue
            login.seen_s = self._now_s()
            self._logins.move_to_end(key)
            return login, token
        return None

    def log_out(self, cookies: str) -> None:
        """End a visit, if there is one."""
        for key in _keys(cookies):
            self._logins.pop(key, None)


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
