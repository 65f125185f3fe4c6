"""Under which names the page answers: its own, and none of a stranger's (DNS rebinding)."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

# Nobody can have such a name in the public DNS: RFC 6761 and 6762, RFC 8375, ICANN 2024.
_NEVER_PUBLIC = (".localhost", ".local", ".internal", ".home.arpa")
_RESOLVER = Path("/etc/resolv.conf")
_RESOLVER_BYTES_MAX = 16 * 1024


@dataclass(frozen=True, slots=True)
class OwnNames:
    """What this machine is called, and what else the configuration calls it; in small letters."""

    names: frozenset[str]

    @staticmethod
    def of_this_machine(more: Iterable[str]) -> OwnNames:
        """Its host name, alone and in the domains that the network has given to it."""
        own = socket.gethostname()
        in_domains = (f"{own.partition('.')[0]}.{domain}" for domain in _search_domains())
        return OwnNames(frozenset(_plain(name) for name in (own, *in_domains, *more)))

    def answer_to(self, headers: Mapping[str, str]) -> bool:
        """True when a request was meant for this page.

        A page of a stranger can let its name lead to this machine, and is then let in by the
        browser as if it were the page. It cannot do that where TLS is ended before the agent: the
        browser has checked the certificate for the name then.
        """
        return self.has(headers.get("host", "")) or came_over_https(headers)

    def has(self, host: str) -> bool:
        """True for a Host header that is empty, an address, or a name that no stranger can have."""
        try:
            name = _plain(urlsplit(f"//{host}").hostname or "")
        except ValueError:
            return False
        with suppress(ValueError):
            ip_address(name)
            return True
        return "." not in name or name.endswith(_NEVER_PUBLIC) or name in self.names


def came_over_https(headers: Mapping[str, str]) -> bool:
    """True when the browser says so, in a header that no script can set.

    A form tells its origin. Without one: only to hosts with TLS, and to localhost, browsers tell
    where a request comes from (Fetch Metadata, W3C).
    """
    origin = headers.get("origin")
    return "sec-fetch-site" in headers if origin is None else origin.startswith("https://")


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def _search_domains() -> list[str]:
    try:
        with _RESOLVER.open(encoding="ascii", errors="replace") as file:
            lines = file.read(_RESOLVER_BYTES_MAX).splitlines()
    except OSError:
        return []
    words = [line.split() for line in lines]
    return [domain for line in words if line[:1] in (["search"], ["domain"]) for domain in line[1:]]
