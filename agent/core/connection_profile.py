"""How the central system is reached, and what becomes of a change that the central system orders.

White paper A01 and A05 (security profile and password), and a key of our own for the address. A
change is a trial: the first connection that works settles it. Whatever turns out to be wrong, the
box finds its way back to a central system by itself, because the other way stays known until then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.core.certificates import Certificate
from agent.core.replace import replace

PASSWORD = "AuthorizationKey"
PROFILE = "SecurityProfile"
URL = "Agent.CentralSystemUrl"
APPROACH_KEYS = (PASSWORD, PROFILE, URL)
PROFILE_MAX = 3
TRIES = 3  # of the trial in a row, before the settled way is tried as well
PATIENCE = 15  # failures in a row of the settled way, before a trial that is held goes on: an hour

_NEEDS = {
    PASSWORD: "needs 32 to 40 hex digits, or text of 16 to 20 characters",
    PROFILE: (
        f"goes upwards only, to {PROFILE_MAX} at most; 1 and 2 need a password, 3 needs a"
        " certificate of this box in its time; one that was signed over OCPP with its name, too"
    ),
    URL: (
        "needs an address with ws:// or wss:// that fits the security profile, and never goes"
        " from wss:// to ws://"
    ),
}

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){16,20}")
# As central_system.url in the configuration file: host, port and path, and nothing else.
_URL = re.compile(
    r"(?P<scheme>wss?)://(?:\[(?P<ipv6>[0-9a-fA-F:]+)\]|[A-Za-z0-9._-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?(?:/[^?#@\s]*)?"
)
_URL_MAX = 400
_PORT_MAX = 65_535
_IPV6_GROUPS = 8
_IPV6_GROUP = re.compile(r"[0-9A-Fa-f]{1,4}")


@dataclass(frozen=True, slots=True)
class ConnectionProfile:
    """Address, security profile and password. ``repr`` shows no password."""

    url: str = ""
    profile: int = 0
    password: str = ""  # as it came: hex digits or text; empty: that of the file

    @property
    def as_used(self) -> ConnectionProfile:
        """What the connection depends on: profiles 0 and 3 have no use for a password."""
        return self if self.has_password else replace(self, password="")

    @property
    def has_password(self) -> bool:
        """True when a password says who this box is."""
        return self.profile in (1, 2)

    @property
    def has_tls(self) -> bool:
        """True when what is said by this way is encrypted."""
        return self.url.startswith("wss://")

    def __repr__(self) -> str:
        known = "that of the file" if not self.password else "***"
        return f"ConnectionProfile({self.url!r}, profile={self.profile}, password={known})"


@dataclass(frozen=True, slots=True)
class ConnectionProfiles:
    """The way that works, and the one that is tried. All but the last lines outlive the process."""

    settled: ConnectionProfile = ConnectionProfile()
    trial: ConnectionProfile | None = None
    is_doubted: bool = False  # the trial failed where the settled way worked; kept as a last resort
    file: ConnectionProfile = (
        ConnectionProfile()
    )  # what the configuration file said; its password is a digest
    has_used_tls: bool = False  # ever: from then on nobody changes certificates without it
    # Of this process only:
    has_password_file: bool = False
    is_held: bool = False  # the trial waits until everything has reached the present central system
    in_use: ConnectionProfile | None = None  # the way of the last connection
    is_saved: bool = True

    @property
    def wanted(self) -> ConnectionProfile:
        """What GetConfiguration tells: the last that was accepted."""
        return self.settled if self.trial is None or self.is_doubted else self.trial

    @property
    def leads_elsewhere(self) -> bool:
        """True when the trial is another central system, and not just another way to the same."""
        return self.trial is not None and not is_same_place(self.trial.url, self.settled.url)


NO_CONNECTION_PROFILES = ConnectionProfiles()


@dataclass(frozen=True, slots=True)
class SaveConnectionProfiles:
    """Row: keep how the central system is reached."""

    approaches: ConnectionProfiles


@dataclass(frozen=True, slots=True)
class LinkOpened:
    """Connected by this way; ``instead_of`` has failed just before.

    ``chain``: the certificates that TLS was verified by, the server's own first; none without TLS.
    ``shown``: the fingerprint of the certificate of this box that was shown; empty: none, or that
    of the configuration file. ``refusal``: why a newer one was not accepted just before, in words.
    """

    approach: ConnectionProfile
    instead_of: ConnectionProfile | None = None
    chain: tuple[Certificate, ...] = ()
    shown: str = ""
    refusal: str = ""


def at_start(
    stored: ConnectionProfiles | None, file: ConnectionProfile, has_password_file: bool
) -> ConnectionProfiles:
    """What is known when the process begins. Who has edited the file since meant it: it wins."""
    if stored is not None and _is_same_file(stored.file, file):
        known = file if file.password else stored.file
        return replace(stored, file=known, has_password_file=has_password_file)
    return ConnectionProfiles(
        settled=replace(file, password=""),
        file=file,
        has_password_file=has_password_file,
        has_used_tls=stored is not None and stored.has_used_tls,
        is_saved=stored is None,
    )


def after_change(
    known: ConnectionProfiles, key: str, value: str, has_certificate: bool = False
) -> ConnectionProfiles | None:
    """What is known after ChangeConfiguration of one of these keys; None: Rejected.

    ``has_certificate``: this box has one of its own that it may show.
    """
    now = known.wanted
    match key:
        case "AuthorizationKey":
            wanted = _with_password(now, value)
        case "SecurityProfile":
            wanted = _with_profile(known, value, has_certificate)
        case _:
            wanted = _with_url(now, value)
    if wanted is None or not known.settled.url:
        return None
    if wanted == now:
        return known
    if wanted == known.settled:  # taken back before it was settled
        return replace(known, trial=None, is_doubted=False)
    if len(_differences(known.settled, wanted)) > 1:
        # One at a time: what is rolled back must not take along what the central system knows.
        return None
    if not now.has_password and key == PASSWORD:  # white paper A01: stored, and used only later
        return replace(known, settled=wanted)
    return replace(known, trial=wanted, is_doubted=False)


def what_is_needed(known: ConnectionProfiles, key: str) -> str:
    """What a change of this key needs, in words, for whom one was Rejected. No value is in it."""
    other = "; another change is on trial, and one is made at a time" if known.trial else ""
    return f"{key} {_NEEDS[key]}{other}"


def after_success(
    known: ConnectionProfiles, which: ConnectionProfile, instead_of: ConnectionProfile | None = None
) -> ConnectionProfiles:
    """What is known after a connection by one of the two has worked.

    ``instead_of`` failed just before. The old way says something about the trial only then.
    """
    if known.trial is None:
        return known
    if which == known.trial:
        return replace(known, settled=which, trial=None, is_doubted=False)
    if which != known.settled or instead_of != known.trial:
        return known
    if _differences(which, known.trial) == {PASSWORD}:
        # The central system has promised to take the new one: it may be late.
        return replace(known, is_doubted=True)
    return replace(known, trial=None)


def ways(
    known: ConnectionProfiles, trial_failures: int, settled_failures: int
) -> tuple[ConnectionProfile, ...]:
    """Which to try now, one right after the other. The failures are those in a row.

    The settled one follows at once: so the trial is dropped where that works while it does not,
    and not because the network was away for a while.
    """
    if known.trial is None:
        return (known.settled,)
    if known.is_held and settled_failures < PATIENCE:
        return (known.settled,)
    if known.is_doubted:
        return (known.settled, known.trial)
    if trial_failures < TRIES:
        return (known.trial,)
    return (known.trial, known.settled)


def is_same_place(one: str, other: str) -> bool:
    """True for two addresses of one central system: with or without TLS."""
    return _place(one) == _place(other)


def _place(url: str) -> str:
    return url.partition("://")[2].removesuffix("/")


def _differences(one: ConnectionProfile, other: ConnectionProfile) -> set[str]:
    """The keys in which two ways differ. A profile may bring its scheme along."""
    found = set()
    is_other_scheme = one.url != other.url and one.profile == other.profile
    if is_other_scheme or not is_same_place(one.url, other.url):
        found.add(URL)
    if one.profile != other.profile:
        found.add(PROFILE)
    if one.password != other.password:
        found.add(PASSWORD)
    return found


def _is_same_file(before: ConnectionProfile, now: ConnectionProfile) -> bool:
    """A password that cannot be read at the moment says nothing."""
    is_known = bool(before.password and now.password)
    is_other_password = is_known and before.password != now.password
    return (before.url, before.profile) == (now.url, now.profile) and not is_other_password


def _with_password(now: ConnectionProfile, value: str) -> ConnectionProfile | None:
    text = value.strip()
    is_text = 16 <= len(text) <= 20 and text.isascii() and text.isprintable()
    if not (_HEX.fullmatch(text) or is_text):
        return None
    return replace(now, password=text)


def _with_profile(
    known: ConnectionProfiles, value: str, has_certificate: bool
) -> ConnectionProfile | None:
    """White paper A05: only upwards, and with what the profile needs."""
    text, now = value.strip(), known.wanted
    if len(text) != 1 or not text.isascii() or not text.isdigit():
        return None
    profile = int(text)
    has_password = bool(now.password) or known.has_password_file
    has_proof = has_certificate if profile == 3 else has_password
    if not now.profile < profile <= PROFILE_MAX or not has_proof or not now.url:
        return None
    url = now.url
    if profile >= 2:
        url = f"wss://{url.partition('://')[2]}"
    elif not url.startswith("ws://"):
        return None  # profile 1 is without TLS: that would be a step down
    return replace(now, profile=profile, url=url)


def _with_url(now: ConnectionProfile, value: str) -> ConnectionProfile | None:
    text = value.strip()
    found = _URL.fullmatch(text)
    if found is None or len(text) > _URL_MAX or not text.isascii():
        return None
    if not 1 <= int(found["port"] or "80") <= _PORT_MAX:
        return None
    if found["ipv6"] is not None and not _is_ipv6(found["ipv6"]):
        return None
    is_lowered = now.url.startswith("wss://") and found["scheme"] == "ws"
    fits = now.profile != 1 or found["scheme"] == "ws"
    return replace(now, url=text) if fits and not is_lowered else None


def _is_ipv6(text: str) -> bool:
    """RFC 4291, 2.2, without the form that ends in an IPv4 address: nobody needs that here."""
    before, shortened, after = text.partition("::")
    groups = [group for part in (before, after) if part for group in part.split(":")]
    if not all(_IPV6_GROUP.fullmatch(group) for group in groups):
        return False
    return len(groups) < _IPV6_GROUPS if shortened else len(groups) == _IPV6_GROUPS
