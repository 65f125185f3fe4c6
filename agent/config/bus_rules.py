"""The rules of the section [mqtt], and of what it needs elsewhere."""

from __future__ import annotations

import re

from agent.config.mistakes import KeyPath, Mistakes, shown
from agent.config.settings import Settings
from agent.core.id_tag import ID_TAG_MAX, is_valid_id_tag

# A prefix ends with a colon, so that logs can leave out what follows (core.id_tag.mask).
TAG_PREFIX = re.compile(r"[A-Za-z0-9]{3,5}:")
_TOPIC_PREFIX_MAX = 200
_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")


def check_bus(settings: Settings, mistakes: Mistakes) -> None:
    """Note what is wrong with the broker, the topics, the prefixes and the EVSE ids."""
    _check_prefixes(settings, mistakes)
    _check_free_tag(settings.authorization.free_charging_id_tag, mistakes)
    mqtt = settings.mqtt
    if mistakes.is_sound(("mqtt", "host")) and not _HOST.fullmatch(mqtt.host):
        wanted = "must be the name or the address of a machine"
        mistakes.add(("mqtt", "host"), f"{wanted}, got {shown(mqtt.host)}")
    _check_topic_prefix(mqtt.topic_prefix, mistakes)
    if mqtt.password_file and not mqtt.username and mistakes.is_sound(("mqtt", "username")):
        here: KeyPath = ("mqtt", "password_file")
        mistakes.add(here, "needs mqtt.username")
    if mqtt.enabled:
        _check_evse_ids(settings, mistakes)


def _check_prefixes(settings: Settings, mistakes: Mistakes) -> None:
    authorization = settings.authorization
    for name, prefix, may_be_empty in (
        ("mac_prefix", authorization.mac_prefix, True),
        ("key_code_prefix", authorization.key_code_prefix, False),
    ):
        path: KeyPath = ("authorization", name)
        if not mistakes.is_sound(path) or (may_be_empty and not prefix):
            continue
        if not TAG_PREFIX.fullmatch(prefix):
            wanted = "must be 3 to 5 letters or digits and a colon"
            mistakes.add(path, f"{wanted}, got {shown(prefix)}")


def _check_free_tag(id_tag: str, mistakes: Mistakes) -> None:
    path: KeyPath = ("authorization", "free_charging_id_tag")
    if id_tag and mistakes.is_sound(path) and not is_valid_id_tag(id_tag):
        wanted = f"must be at most {ID_TAG_MAX} plain characters"
        mistakes.add(path, f"{wanted}, got {shown(id_tag)}")


def _check_topic_prefix(prefix: str, mistakes: Mistakes) -> None:
    path: KeyPath = ("mqtt", "topic_prefix")
    if not mistakes.is_sound(path) or not prefix:
        return
    is_plain = prefix.isascii() and prefix.isprintable() and not set("+# ").intersection(prefix)
    if not is_plain or not prefix.endswith("/") or len(prefix) > _TOPIC_PREFIX_MAX:
        wanted = f"must be at most {_TOPIC_PREFIX_MAX} plain characters without + and #, and end"
        mistakes.add(path, f"{wanted} with a slash, got {shown(prefix)}")


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
