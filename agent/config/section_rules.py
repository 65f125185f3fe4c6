"""The rules of the section [api]."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from agent.config.mistakes import KeyPath, Mistakes, shown
from agent.config.settings import ApiSettings

HOST_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
TOKEN_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")


def check_api(api: ApiSettings, mistakes: Mistakes) -> None:
    """Note what is wrong with the address, and with tokens beside each other."""
    if mistakes.is_sound(("api", "listen")) and listen_address(api.listen) is None:
        wanted = 'must be an address and a port, as "127.0.0.1:8080" or "[::1]:8080"'
        mistakes.add(("api", "listen"), f"{wanted}, got {shown(api.listen)}")
    for index, host in enumerate(api.hosts):
        here: KeyPath = ("api", "hosts", index)
        if mistakes.is_sound(here) and not HOST_NAME.fullmatch(host):
            wanted = 'must be a name alone, as "charger.example.com"'
            mistakes.add(here, f"{wanted}, got {shown(host)}")
    names: dict[str, KeyPath] = {}
    for index, token in enumerate(api.tokens):
        path: KeyPath = ("api", "tokens", index)
        for key in ("secret_file", "scopes"):
            if mistakes.is_sound((*path, key)) and not getattr(token, key):
                mistakes.add((*path, key), "must not be empty")
        here = (*path, "name")
        if not mistakes.is_sound(here):
            continue
        if not TOKEN_NAME.fullmatch(token.name):
            wanted = "must have 1 to 40 letters, digits, dots, dashes or underscores"
            mistakes.add(here, f"{wanted}, got {shown(token.name)}")
        elif token.name in names:
            other = mistakes.name(names[token.name])
            mistakes.add_sentence(f"{other} and {mistakes.name(here)} are the same", here)
        names.setdefault(token.name, here)


def listen_address(listen: str) -> tuple[str, int] | None:
    """Address and port of ``api.listen``; None when it is no such thing. localhost is 127.0.0.1."""
    try:
        parts = urlsplit(f"//{listen}")
        host, port = parts.hostname, parts.port
        is_plain = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
        if host is None or not port or not is_plain:
            return None
        return ("127.0.0.1" if host == "localhost" else str(ip_address(host))), port
    except ValueError:
        return None


def is_loopback(listen: str) -> bool:
    """True when nobody outside this machine can reach the address."""
    address = listen_address(listen)
    return address is None or ip_address(address[0]).is_loopback
