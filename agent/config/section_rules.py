"""The rules of the sections [api], [mqtt], [house] and [firmware]."""

from __future__ import annotations

import re
from ipaddress import ip_address
from posixpath import isabs
from urllib.parse import urlsplit

from agent.config.mistakes import KeyPath, Mistakes, shown
from agent.config.settings import ApiSettings, BrokerSettings, Settings
from agent.core.id_tag import ID_TAG_MAX, is_valid_id_tag

HOST_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
TOKEN_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")


def check_api(api: ApiSettings, mistakes: Mistakes) -> None:
    """Note what is wrong with the address, and with tokens beside each other."""
    wanted = 'must be an address and a port, as "127.0.0.1:8080" or "[::1]:8080"'
    mistakes.check(("api", "listen"), api.listen, listen_address(api.listen), wanted)
    for index, host in enumerate(api.hosts):
        wanted = 'must be a name alone, as "charger.example.com"'
        mistakes.check(("api", "hosts", index), host, HOST_NAME.fullmatch(host), wanted)
    names: dict[str, KeyPath] = {}
    for index, token in enumerate(api.tokens):
        path: KeyPath = ("api", "tokens", index)
        for key in ("secret_file", "scopes"):
            if mistakes.is_sound((*path, key)) and not getattr(token, key):
                mistakes.add((*path, key), "must not be empty")
        here: KeyPath = (*path, "name")
        wanted = "must have 1 to 40 letters, digits, dots, dashes or underscores"
        mistakes.check(here, token.name, TOKEN_NAME.fullmatch(token.name), wanted)
        if not mistakes.is_sound(here):
            continue
        if token.name in names:
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
    """True when the address is reachable from this machine only."""
    address = listen_address(listen)
    return address is None or ip_address(address[0]).is_loopback


# A prefix ends with a colon, so that logs can leave out what follows (core.id_tag.mask).
TAG_PREFIX = re.compile(r"[A-Za-z0-9]{3,5}:")
_TOPIC_PREFIX_MAX = 200
_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")
_TOPIC_NAME = re.compile(r"[A-Za-z0-9_-]{0,48}")
_LEVELS = re.compile(r"[A-Za-z0-9_-]{1,48}(/[A-Za-z0-9_-]{1,48}){0,3}")


def check_bus(settings: Settings, mistakes: Mistakes) -> None:
    """Note what is wrong with the broker, the topics, the prefixes and the EVSE ids."""
    _check_prefixes(settings, mistakes)
    id_tag = settings.authorization.free_charging_id_tag
    path: KeyPath = ("authorization", "free_charging_id_tag")
    wanted = f"must be at most {ID_TAG_MAX} plain characters"
    mistakes.check(path, id_tag, not id_tag or is_valid_id_tag(id_tag), wanted)
    _check_host(settings.mqtt, mistakes)
    _check_broker(settings.mqtt, mistakes)
    if settings.mqtt.enabled:
        _check_evse_ids(settings, mistakes)


def check_house(settings: Settings, mistakes: Mistakes) -> None:
    """Note what is wrong with the broker of the house, the topics, and the numbers of openWB."""
    house = settings.house
    if house.enabled or house.host:
        _check_host(house, mistakes)
    _check_broker(house, mistakes)
    name = "must be letters, digits, - and _, at most 48"
    mistakes.check(
        ("house", "box_name"), house.box_name, _TOPIC_NAME.fullmatch(house.box_name), name
    )
    prefix = house.discovery_prefix
    wanted = "must be one to four names of letters, digits, - and _, with / between them"
    mistakes.check(("house", "discovery_prefix"), prefix, _LEVELS.fullmatch(prefix), wanted)
    numbers, count = house.openwb_charge_points, len(settings.connectors)
    is_right = not numbers or len(set(numbers)) == len(numbers) == count
    here: KeyPath = ("house", "openwb_charge_points")
    wanted = f"must be as many different numbers as there are connectors ({count})"
    mistakes.check(here, list(numbers), is_right, wanted)


def _check_host(broker: BrokerSettings, mistakes: Mistakes) -> None:
    wanted = "must be the name or the address of a machine"
    mistakes.check((broker.SECTION, "host"), broker.host, _HOST.fullmatch(broker.host), wanted)


def _check_broker(broker: BrokerSettings, mistakes: Mistakes) -> None:
    section = broker.SECTION
    prefix = broker.topic_prefix
    is_plain = prefix.isascii() and prefix.isprintable() and not set("+# ").intersection(prefix)
    is_right = is_plain and prefix.endswith("/") and len(prefix) <= _TOPIC_PREFIX_MAX
    wanted = f"must be at most {_TOPIC_PREFIX_MAX} plain characters without + and #, and end"
    mistakes.check(
        (section, "topic_prefix"), prefix, not prefix or is_right, f"{wanted} with a slash"
    )
    if broker.password_file and not broker.username and mistakes.is_sound((section, "username")):
        mistakes.add((section, "password_file"), f"needs {section}.username")


def _check_prefixes(settings: Settings, mistakes: Mistakes) -> None:
    authorization = settings.authorization
    for name, prefix, may_be_empty in (
        ("mac_prefix", authorization.mac_prefix, True),
        ("key_code_prefix", authorization.key_code_prefix, False),
    ):
        is_right = TAG_PREFIX.fullmatch(prefix) or (may_be_empty and not prefix)
        wanted = "must be 3 to 5 letters or digits and a colon"
        mistakes.check(("authorization", name), prefix, is_right, wanted)


def _check_evse_ids(settings: Settings, mistakes: Mistakes) -> None:
    seen: dict[str, KeyPath] = {}
    for index, connector in enumerate(settings.connectors):
        path: KeyPath = ("connectors", index, "evse_id")
        if not mistakes.is_sound(path):
            continue
        if not connector.evse_id:
            mistakes.add(path, "must not be empty: other services name the EVSE by it (mqtt)")
        elif connector.evse_id in seen:
            other = mistakes.name(seen[connector.evse_id])
            mistakes.add_sentence(f"{other} and {mistakes.name(path)} are the same", path)
        seen.setdefault(connector.evse_id, path)


FILE = "{file}"


def check_firmware(settings: Settings, mistakes: Mistakes) -> None:
    """Note what is wrong with the install command."""
    command = settings.firmware.install_command
    path: KeyPath = ("firmware", "install_command")
    if not command or not mistakes.is_sound(path):
        return
    if not isabs(command[0]):
        # It runs with the agent's rights: not whatever program of that name stands first.
        mistakes.add(path, f"must begin with the full path of a program, got {shown(command[0])}")
    elif not any(FILE in part for part in command[1:]):
        mistakes.add(path, f'must name the file: one of its arguments has "{FILE}" in it')
