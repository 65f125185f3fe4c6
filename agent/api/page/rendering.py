"""Templates to HTML; whatever comes from a card, a network or a file is escaped."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from agent.control.taps import after
from agent.core.values import AuthorizationStatus

_WORD_OF_NAME = re.compile("(?<=[a-z])(?=[A-Z])")
NOTHING = "\N{EN DASH}"
_WORDS: Mapping[AuthorizationStatus, str] = {
    AuthorizationStatus.ACCEPTED: "may charge",
    AuthorizationStatus.BLOCKED: "blocked",
    AuthorizationStatus.EXPIRED: "expired",
    AuthorizationStatus.INVALID: "unknown",
    AuthorizationStatus.CONCURRENT_TX: "charges elsewhere",
}
_TIME = Markup('<time datetime="{at}"{title}>{words}</time>')


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("agent.api.page"),
        autoescape=True,
        undefined=StrictUndefined,  # a misspelled name is an error, not an empty place
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        kwh=kwh,
        kw=kw,
        duration=duration,
        minutes=minutes,
        clock=clock,
        ago=ago,
        after=after,
        in_words=in_words,
        parted=parted,
    )
    return environment


def render(name: str, **context: Any) -> str:
    """The HTML of a template."""
    return _environment().get_template(name).render(**context)


@lru_cache(maxsize=64)
def render_once(name: str, **context: Hashable) -> str:
    """As ``render``, for what seldom changes: the same context gives the same text again."""
    return render(name, **context)


def kwh(wh: float | None) -> str:
    """Energy for a person."""
    return NOTHING if wh is None else f"{wh / 1000:.2f} kWh"


def kw(w: float | None) -> str:
    """Power for a person."""
    return NOTHING if w is None else f"{w / 1000:.1f} kW"


def duration(seconds: float) -> str:
    """Hours and minutes; below one hour minutes and seconds."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes}:{left:02d} min"


def minutes(count: float) -> str:
    """A span on an axis."""
    if count < 60:
        return f"{count:g} min"
    return f"{count / 60:g} h" if count < 2880 else f"{count / 1440:g} d"


def clock(at: datetime | None, timespec: str = "seconds") -> str:
    """An instant in UTC, to seconds or minutes; the page's script tells it in the reader's zone."""
    if at is None:
        return NOTHING
    text = at.replace(tzinfo=None).isoformat(timespec=timespec)
    return _TIME.format(at=f"{text}Z", title="", words=f"{text.replace('T', ' ')} UTC")


def ago(at: datetime, now: datetime) -> str:
    """How long something is over, roughly; the instant itself as its title."""
    return _TIME.format(
        at=_iso(at), title=Markup(' title="{}"').format(_utc(at)), words=_rough_age(at, now)
    )


def in_words(status: AuthorizationStatus) -> str:
    """What an answer about a card means."""
    return _WORDS[status]


def parted(name: str) -> Markup:
    """A name of OCPP that may be folded between its words: AuthorizeRemoteTxRequests."""
    return Markup("<wbr>").join(_WORD_OF_NAME.split(name))


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _utc(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _rough_age(at: datetime, now: datetime) -> str:
    seconds = (now - at).total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"
