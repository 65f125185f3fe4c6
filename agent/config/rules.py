"""The rules that need more than one table of the configuration file.

Each rule looks only at keys in which nothing else was found wrong: a second mistake that only
follows from a first one would send people looking in the wrong place.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from posixpath import normpath
from typing import Any
from urllib.parse import urlsplit

from agent.config.mistakes import KeyPath, Mistakes, nearest, number_text, shown
from agent.config.pins import PinUse, pin_order, pin_uses
from agent.config.section_rules import check_api, check_bus, check_firmware, check_house
from agent.config.settings import ChargePointSettings, Settings
from agent.core.configuration import KEYS, problems_together, start_values
from agent.core.values import ERROR_CODES
from hw.lines import Pin
from hw.ports import FAULT_NAMES
from hw.settings import MeterSettings

IDENTITY_MAX = 48
TEXT_LIMITS = {"vendor": (1, 20), "model": (1, 20), "serial_number": (0, 25)}
"""OCPP 1.6 BootNotification.req: CiString20, CiString20, CiString25."""
FIRMWARE_VERSION_MAX = 50
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+(%\w+)?")  # a name or number, or IPv6 (zone)


def check_rules(settings: Settings, mistakes: Mistakes) -> dict[str, str]:
    """Note what breaks a rule; return the OCPP start values under their standard names."""
    _check_charge_point(settings.charge_point, mistakes)
    _check_supply(settings.charge_point, mistakes)
    _check_central_system(settings, mistakes)
    path = settings.storage.path
    is_file = path and not path.endswith("/")
    mistakes.check(("storage", "path"), path, is_file, "must name a file")
    _check_connector_ids(settings, mistakes)
    _check_reader(settings, mistakes)
    _check_simulation(settings, mistakes)
    _check_pins(settings, mistakes)
    _check_serial_ports(settings, mistakes)
    check_api(settings.api, mistakes)
    check_bus(settings, mistakes)
    check_house(settings, mistakes)
    check_firmware(settings, mistakes)
    return _checked_start_values(settings, mistakes)


def _check_charge_point(box: ChargePointSettings, mistakes: Mistakes) -> None:
    limits = {
        "identity": (1, IDENTITY_MAX),
        **TEXT_LIMITS,
        "firmware_version": (0, FIRMWARE_VERSION_MAX),
    }
    for name, (low, high) in limits.items():
        path: KeyPath = ("charge_point", name)
        value = getattr(box, name)
        if not mistakes.is_sound(path):
            continue
        if not low <= len(value) <= high or not value.isascii():
            wanted = f"must have {low} to {high} characters, plain ASCII"
            mistakes.add(path, f"{wanted}, got {shown(value)} ({len(value)} characters)")
        elif name == "identity" and ":" in value:
            # RFC 7617 section 2: a colon ends the user name of HTTP Basic authentication.
            mistakes.add(path, f"must not have a colon in it, got {shown(value)}")


def _check_supply(box: ChargePointSettings, mistakes: Mistakes) -> None:
    here: KeyPath = ("charge_point", "supply_current_a")
    supply_a, socket_a = box.supply_current_a, box.max_current_a
    is_sound = mistakes.is_sound(here, ("charge_point", "max_current_a"))
    if supply_a is not None and supply_a < socket_a and is_sound:
        wanted = f"must not be less than max_current_a ({number_text(socket_a)})"
        mistakes.add(here, f"{wanted}: one socket alone may take that; got {number_text(supply_a)}")


def _check_central_system(settings: Settings, mistakes: Mistakes) -> None:
    central = settings.central_system
    url: KeyPath = ("central_system", "url")
    profile: KeyPath = ("central_system", "security_profile")
    key_file: KeyPath = ("central_system", "authorization_key_file")
    problem = _url_problem(central.url) if central.url else None
    if problem and mistakes.is_sound(url):
        mistakes.add(url, problem)
    if not mistakes.is_sound(profile):
        return
    scheme = central.url.partition(":")[0].lower()
    wanted = {1: ("ws", "wss"), 2: ("wss",), 3: ("wss",)}.get(central.security_profile, (scheme,))
    if mistakes.is_sound(url) and scheme not in wanted:
        need = " or ".join(f"{name}://" for name in wanted)
        sentence = f"{mistakes.name(profile)} = {central.security_profile} needs a {need} address"
        mistakes.add_sentence(f"{sentence} in {mistakes.name(url)}", profile, url)
    needed: dict[KeyPath, str] = {}
    if central.security_profile in (1, 2):
        needed = {key_file: central.authorization_key_file}
    elif central.security_profile == 3:
        needed = {
            ("central_system", "certificate_file"): central.certificate_file,
            ("central_system", "certificate_key_file"): central.certificate_key_file,
        }
    for key, path in needed.items():
        if mistakes.is_sound(key) and not path:
            mistakes.add(key, f"is missing; security_profile = {central.security_profile} needs it")


def _url_problem(url: str) -> str | None:
    """What is wrong with the address; never repeats a password that stands in it."""
    try:
        parts = urlsplit(url)
        has_port_zero = parts.port == 0
    except ValueError:
        return "is not an address: host or port is malformed"
    if parts.scheme not in ("ws", "wss"):
        return "must begin with ws:// or wss://"
    if "@" in parts.netloc:
        return "must not have a user name or password in it; use authorization_key_file"
    has_host = parts.hostname is not None and _HOST.fullmatch(parts.hostname) is not None
    if not has_host or has_port_zero or not url.isascii() or " " in url:
        return f"must be ws://host or wss://host with an optional port and path, got {shown(url)}"
    if "?" in url or "#" in url:
        return f'must not have "?" or "#" in it: the identity is appended, got {shown(url)}'
    return None


def _check_connector_ids(settings: Settings, mistakes: Mistakes) -> None:
    if not mistakes.is_sound(("connectors",)):
        return
    if not settings.connectors:
        mistakes.add(("connectors",), "must have at least one table [[connectors]]")
    paths: dict[int, list[KeyPath]] = defaultdict(list)
    for index, connector in enumerate(settings.connectors):
        path: KeyPath = ("connectors", index, "id")
        if mistakes.is_sound(path):
            paths[connector.id].append(path)
    for connector_id, same in paths.items():
        if len(same) > 1:
            names = _and(mistakes.name(path) for path in same)
            mistakes.add_sentence(f"{names} have the same id {connector_id}", *same)
    count = len(settings.connectors)
    is_complete = sum(map(len, paths.values())) == count
    if is_complete and len(paths) == count and set(paths) != set(range(1, count + 1)):
        given = ", ".join(map(str, sorted(paths)))
        outside = [path for number, same in paths.items() if number > count for path in same]
        sentence = f"connectors must have the ids 1 to {count} without gaps, got {given}"
        mistakes.add_sentence(sentence, *outside)


def _check_reader(settings: Settings, mistakes: Mistakes) -> None:
    reader = settings.reader
    port: KeyPath = ("reader", "port")
    if reader.driver == "serial" and not reader.port and mistakes.is_sound(port):
        mistakes.add(port, 'is missing; driver = "serial" needs it')
    served: KeyPath = ("reader", "connectors")
    ids = {connector.id for connector in settings.connectors}
    all_ids_known = mistakes.is_sound(
        ("connectors",), *(("connectors", index, "id") for index in range(len(settings.connectors)))
    )
    if not mistakes.is_sound(served):
        return
    unknown = sorted(set(reader.connectors) - ids)
    if unknown and ids and all_ids_known:
        mistakes.add(served, f"names {_and(map(str, unknown))}, but no connector has that id")
    if len(set(reader.connectors)) < len(reader.connectors):
        mistakes.add(served, f"names a connector twice, got {shown(list(reader.connectors))}")


_FAULTS = (*FAULT_NAMES, *ERROR_CODES)


def _check_simulation(settings: Settings, mistakes: Mistakes) -> None:
    ids = {connector.id for connector in settings.connectors}
    for index, fault in enumerate(settings.simulation.faults):
        path: KeyPath = ("simulation", "faults", index)
        where, what = (*path, "connector"), (*path, "error_code")
        if ids and fault.connector not in ids and mistakes.is_sound(where, ("connectors",)):
            mistakes.add(where, f"is {fault.connector}, but no connector has that id")
        if fault.error_code not in _FAULTS and mistakes.is_sound(what):
            near = nearest(fault.error_code, _FAULTS)
            known = f"did you mean {near}?" if near else f"known: {', '.join(_FAULTS)}"
            mistakes.add(what, f"must be a fault, got {shown(fault.error_code)}; {known}")


def _check_pins(settings: Settings, mistakes: Mistakes) -> None:
    uses: dict[Pin, list[PinUse]] = defaultdict(list)
    for use in pin_uses(settings):
        is_spi = bool(use.role)  # where SPI pins are depends on both keys
        depends: list[KeyPath] = [("reader", "spi_bus")] if is_spi else []
        if mistakes.is_sound(use.path, *depends):
            uses[use.pin].append(use)
    for pin, same in sorted(uses.items(), key=lambda entry: pin_order(entry[0])):
        if len(same) > 1:
            names = _and(
                mistakes.name(use.path) + (f" ({use.role})" if use.role else "") for use in same
            )
            name = pin if isinstance(pin, str) else f"BCM pin {pin}"
            sentence = f"{name} is used by {names}; a pin can serve one of them"
            mistakes.add_sentence(sentence, *(use.path for use in same))


def _check_serial_ports(settings: Settings, mistakes: Mistakes) -> None:
    users: list[tuple[KeyPath, str, str, Any]] = []
    if settings.reader.driver == "serial":
        users.append((("reader",), settings.reader.port, "a card reader", settings.reader))
    for name, what, drivers in (
        ("pilot", "a pilot controller", ("evse_wb", "openevse")),
        ("meter", "a meter", ("modbus_sdm120", "modbus_sdm230", "modbus_sdm630")),
    ):
        for index, connector in enumerate(settings.connectors):
            part = getattr(connector, name)
            if part.driver in drivers:
                users.append((("connectors", index, name), part.port, what, part))
    users = [user for user in users if user[1] and mistakes.is_sound((*user[0], "port"))]
    for (one, port, what, part), (other, other_port, other_what, other_part) in combinations(
        users, 2
    ):
        if normpath(port) != normpath(other_port):
            continue
        if what == other_what == "a meter":  # those share a bus
            _check_shared_bus(normpath(port), (one, part), (other, other_part), mistakes)
            continue
        paths: tuple[KeyPath, KeyPath] = ((*one, "port"), (*other, "port"))
        names = " and ".join(map(mistakes.name, paths))
        sentence = f"{names} are both {shown(normpath(port))}; {what} and {other_what}"
        mistakes.add_sentence(f"{sentence} cannot share a port", *paths)


def _check_shared_bus(
    port: str,
    first: tuple[KeyPath, MeterSettings],
    second: tuple[KeyPath, MeterSettings],
    mistakes: Mistakes,
) -> None:
    for key in ("baud", "parity", "unit_id"):
        one, other = (*first[0], key), (*second[0], key)
        is_same = getattr(first[1], key) == getattr(second[1], key)
        if is_same != (key == "unit_id") or not mistakes.is_sound(one, other):
            continue
        must = "must differ" if key == "unit_id" else "must be the same"
        values = f"got {shown(getattr(first[1], key))} and {shown(getattr(second[1], key))}"
        sentence = f"{mistakes.name(one)} and {mistakes.name(other)} {must} on one port"
        mistakes.add_sentence(f"{sentence} ({port}), {values}", one, other)


def _checked_start_values(settings: Settings, mistakes: Mistakes) -> dict[str, str]:
    standard_names = {key.name.lower(): key.name for key in KEYS}
    checked: dict[str, str] = {}
    for name, value in settings.ocpp.configuration.items():
        path: KeyPath = ("ocpp", "configuration", name)
        if name.lower() not in standard_names:
            near = nearest(name, standard_names.values())
            hint = f"; did you mean {near}?" if near else ""
            mistakes.add(path, f"is not an OCPP configuration key of this agent{hint}")
            continue
        standard = standard_names[name.lower()]
        if standard in checked:
            mistakes.add(path, f"stands twice: {standard} is the same key")
            continue
        checked[standard] = value
        try:
            checked.update(start_values({name: value}))
        except ValueError as problem:
            claim = str(problem).removeprefix(f"{standard} ")
            mistakes.add(path, claim if claim.startswith("must ") else f"is wrong: {claim}")
    _check_number_of_connectors(settings, checked, mistakes)
    _check_together(settings, checked, mistakes)
    return checked


def _check_together(settings: Settings, checked: dict[str, str], mistakes: Mistakes) -> None:
    written = {name.lower(): name for name in settings.ocpp.configuration}
    paths = {name: ("ocpp", "configuration", written[name.lower()]) for name in checked}
    if not all(mistakes.is_sound(path) for path in paths.values()):
        return
    for name, problem in problems_together(checked, len(settings.connectors)):
        mistakes.add(paths[name], f"{problem}, got {shown(checked[name])}")


def _check_number_of_connectors(
    settings: Settings, checked: dict[str, str], mistakes: Mistakes
) -> None:
    count = str(len(settings.connectors))
    given = checked.get("NumberOfConnectors", count)
    names = [name for name in settings.ocpp.configuration if name.lower() == "numberofconnectors"]
    path: KeyPath = ("ocpp", "configuration", *names)
    if given != count and mistakes.is_sound(path, ("connectors",)):
        claim = f"is counted from the tables [[connectors]]: {count}, got {shown(given)}"
        mistakes.add(path, claim)


def _and(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
