"""A configuration file with an explanation of every key, made from the settings themselves. Pure.

A key that was chosen stands there; every other one stands behind a ``#`` with its default, so that
what can be set is seen, and a key that a later version brings comes by itself.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field
from itertools import groupby
from typing import Any, get_origin

from agent.config.mistakes import number_text
from agent.config.reading import default_of, every_setting, range_text, section_name

WIDTH = 88
RULER = 96

Section = tuple[str, ...]
Values = Mapping[Section, Mapping[str, Any]]

CONNECTORS = "connectors"
AFTER = ("reader",)  # what shares the wires with them stands before them
INTRODUCTION = """\
Configuration of chargepoint-agent, written by: chargepoint-agent init

After every change:   chargepoint-agent check-config
It names all mistakes at once and touches no device.

How to read this file
  "# text"       is an explanation
  "#key = value" is a setting that stays at its default; remove the # to use it
  Pins are BCM numbers (GPIO17 is 17), never positions on the header. On a board that is no
  Raspberry Pi they are chip and line: "gpiochip1:17".
  Units are in the names: _a ampere, _v volt, _w watt, _wh watt-hour, _s second, _ms millisecond.
  Text stands in quotes; numbers, true and false do not.
"""
_FOR_DRIVERS = re.compile(r"([a-z0-9_]+(?:, [a-z0-9_]+)*): ")
_SENTENCE = re.compile(r"[a-z]+,? (?!=)")


def config_text(values: Values, connectors: Sequence[Values]) -> str:
    """The whole file.

    ``values`` by section; of each connector its own tables: ``()``, ``("lock",)``. Sections that
    are not among them stand there behind a ``#``.
    """
    lines = [f"# {line}".rstrip() for line in INTRODUCTION.splitlines()]
    for section, settings in groupby(every_setting(), key=lambda setting: setting[0]):
        if section[0] != CONNECTORS:
            rows = [(field, kind) for _, field, kind in settings]
            lines += ["", "", *_section(section, rows, values.get(section))]
        if section == AFTER:
            for number, tables in enumerate(connectors):
                lines += _connector(tables, is_first=number == 0)
    return "\n".join(lines) + "\n"


def _connector(tables: Values, is_first: bool) -> Iterator[str]:
    """One connector with its parts; keys at their defaults are shown for the first one only."""
    title = f"--- Connector {tables[()]['id']} "
    yield from ("", "", f"# {title:-<{RULER}}")
    for section, settings in groupby(every_setting(), key=lambda setting: setting[0]):
        if section[0] == CONNECTORS:
            rows = [(field, kind) for _, field, kind in settings]
            yield ""
            yield from _section(section, rows, tables.get(section[1:]), with_defaults=is_first)


def _section(
    section: Section,
    rows: Sequence[tuple[Field[Any], Any]],
    given: Mapping[str, Any] | None,
    with_defaults: bool = True,
) -> Iterator[str]:
    (first, first_kind) = rows[0]
    if get_origin(first_kind) is Mapping:
        yield from _free_keys((*section, first.name))
        return
    chosen = given or {}
    yield f"{'' if given is not None else '#'}{section_name(section)}"
    for field, kind in rows:
        is_chosen = field.name in chosen
        if with_defaults and (is_chosen or _concerns(field, chosen.get("driver"))):
            yield from _explained(field, kind)
        if is_chosen:
            yield f"{field.name} = {toml_value(chosen[field.name])}"
        elif with_defaults and _concerns(field, chosen.get("driver")):
            yield f"#{field.name} = {_default_text(field, kind)}"


def _free_keys(section: Section) -> Iterator[str]:
    yield "# Names and values as in docs/configuration.md; what the central system changes wins."
    yield section_name(section)
    yield "#HeartbeatInterval = 300"
    yield "#LocalAuthorizeOffline = true"


def _concerns(field: Field[Any], driver: object) -> bool:
    only_for = _FOR_DRIVERS.match(field.metadata["help"])
    if only_for is None or not isinstance(driver, str):
        return True
    return driver.startswith(tuple(only_for[1].split(", ")))


def _explained(field: Field[Any], kind: Any) -> Iterator[str]:
    words: str = field.metadata["help"]
    if only_for := _FOR_DRIVERS.match(words):
        words = words[only_for.end() :]
    if _SENTENCE.match(words) and field.name != "driver":
        words = words[0].upper() + words[1:]
    if field.metadata.get("choices"):
        words += f" ({', '.join(json.dumps(choice) for choice in field.metadata['choices'])})"
    elif kind in (int, float) and not field.metadata.get("is_pin"):
        words += f" ({range_text(field.metadata).strip(' ,')})".replace(" ()", "")
    for line in textwrap.wrap(words, WIDTH, break_on_hyphens=False):
        yield f"# {line}"


def _default_text(field: Field[Any], kind: Any) -> str:
    default = default_of(field)
    if default is None:
        return "(a BCM pin)" if field.metadata.get("is_pin") else "..."
    if default is not MISSING:
        return toml_value(default)
    return '["..."]' if get_origin(kind) is tuple else '"..."'


def toml_value(value: Any) -> str:
    """A value as TOML writes it. Texts here are printable, so JSON's quotes are those of TOML."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return number_text(value)
        case list() | tuple():
            return f"[{', '.join(map(toml_value, value))}]"
        case _:
            return json.dumps(str(value), ensure_ascii=False)
