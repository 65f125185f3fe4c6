"""An address that a central system names for a file, checked before anything is tried."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urlsplit

from agent.platform.errors import TransferError

PORTS = {"ftp": 21, "ftps": 21, "http": 80, "https": 443}
LOCATION_MAX = 2000
_INVISIBLE = "the address has invisible characters in it"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a file is, or goes to. ``repr`` and ``str`` show no secret; ``target`` may hold one."""

    scheme: str
    host: str
    port: int
    path: str  # still percent-encoded, begins with a slash
    query: str = ""
    user: str = ""
    password: str = ""

    def __str__(self) -> str:
        """As it may be shown: no user, no password, no query (it may be signed)."""
        return f"{self.scheme}://{self._place}{self.path}" + ("?..." if self.query else "")

    __repr__ = __str__

    @property
    def is_encrypted(self) -> bool:
        """True when the transfer is encrypted."""
        return self.scheme in ("https", "ftps")

    @property
    def target(self) -> str:
        """What an HTTP request line names."""
        return self.path + (f"?{self.query}" if self.query else "")

    @property
    def host_header(self) -> str:
        """What an HTTP request names as its host."""
        return self._place

    @property
    def folders(self) -> list[str]:
        """The folders of the path, decoded, without the last part."""
        return [unquote(part) for part in self.path.split("/")[1:-1] if part]

    @property
    def name(self) -> str:
        """The last part of the path, decoded; empty when the path is a folder's."""
        return unquote(self.path.rpartition("/")[2])

    def with_name(self, name: str) -> Location:
        """The file of this name in the folder that this address names."""
        return replace(self, path=f"{self.path.rstrip('/')}/{quote(name)}")

    @property
    def _place(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def location_of(text: str) -> Location:
    """Read an address. Raises TransferError with a sentence that repeats no secret."""
    if len(text) > LOCATION_MAX:
        raise TransferError(f"the address has more than {LOCATION_MAX} characters")
    text = text.strip()
    if not text.isprintable():  # urlsplit leaves some of them out without a word
        raise TransferError(_INVISIBLE)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise TransferError("the address cannot be read: host or port is malformed") from None
    scheme = parts.scheme.lower()
    if scheme not in PORTS:
        raise TransferError(f"files go by {', '.join(sorted(PORTS))}, not by {scheme[:20]!r}")
    found = Location(
        scheme=scheme,
        host=parts.hostname or "",
        port=PORTS[scheme] if port is None else port,
        path=posixpath.join("/", parts.path),
        query=parts.query,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )
    _check(found)
    return found


def _check(found: Location) -> None:
    if not found.host or found.port == 0:
        raise TransferError("the address names no host")
    everything = (found.host, found.target, found.user, found.password, unquote(found.path))
    # A line break would begin a command of its own (FTP) or a header (HTTP).
    if not all(text.isprintable() for text in everything):
        raise TransferError(_INVISIBLE)
    if not (found.target.isascii() and found.host.isascii()):
        raise TransferError("the address must be percent-encoded: it has letters beyond ASCII")
    # FTP names a path as it is; HTTP takes no space in its request line.
    if " " in found.host or (" " in found.target and found.scheme in ("http", "https")):
        raise TransferError("the address must be percent-encoded: it has a space in it")
    if ".." in (*found.folders, found.name):
        raise TransferError('the address must not have ".." in its path')
