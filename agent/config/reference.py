"""The reference table of ``docs/configuration.md``, made from the settings themselves.

``python -m agent.config.reference docs/configuration.md`` writes it anew between its two marks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import MISSING, Field
from itertools import groupby
from pathlib import Path
from typing import Any, get_args, get_origin

from agent.config.mistakes import number_text
from agent.config.reading import default_of, every_setting, range_text, section_name
from agent.core.configuration import KEYS, Key
from agent.core.connection_profile import APPROACH_KEYS
from agent.core.key_meanings import MEANINGS

BEGIN = "<!-- reference: begin (made by agent.config.reference, do not edit) -->"
END = "<!-- reference: end -->"
_TYPE_NAMES = {bool: "true or false", int: "whole number", float: "number", str: "text"}


def reference() -> str:
    """Every section with every key, then the OCPP configuration keys, as Markdown."""
    lines: list[str] = []
    for section, settings in groupby(every_setting(), key=lambda setting: setting[0]):
        rows = [_row(field, kind) for _, field, kind in settings if section != ("ocpp",)]
        if rows:
            lines += [f"### `{section_name(section)}`", "", *_table("key|value|default", rows), ""]
    rows = [_ocpp_row(key) for key in KEYS if key.name not in APPROACH_KEYS]
    lines += ["### `[ocpp.configuration]`", "", *_table("key|value|default", rows), ""]
    return "\n".join(lines)


def with_reference(document: str) -> str:
    """The document with the reference between its marks made anew.

    Raises ValueError when a mark is missing.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the marks of the reference are missing")
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def _table(heads: str, rows: list[tuple[str, ...]]) -> Iterator[str]:
    names = [*heads.split("|"), "meaning"]
    yield f"| {' | '.join(names)} |"
    yield "|" + "---|" * len(names)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _row(field: Field[Any], kind: Any) -> tuple[str, ...]:
    default = default_of(field)
    return (
        f"`{field.name}`",
        _allowed(field, kind),
        "**required**" if default is MISSING else _default_text(default),
        field.metadata["help"].replace("|", "\\|"),
    )


def _allowed(field: Field[Any], kind: Any) -> str:
    if field.metadata.get("choices"):
        return ", ".join(f'`"{choice}"`' for choice in field.metadata["choices"])
    if get_origin(kind) is tuple:
        return f"list of {_TYPE_NAMES[get_args(kind)[0]]}s"
    name = "BCM pin" if field.metadata.get("is_pin") else _TYPE_NAMES[kind]
    return f"{name}{range_text(field.metadata)}"


def _default_text(default: Any) -> str:
    if default is None:
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, int | float):
        return f"`{number_text(default)}`"
    return f"`{list(default)}`" if isinstance(default, tuple) else f'`"{default}"`'


def _ocpp_row(key: Key) -> tuple[str, ...]:
    default = f"`{key.default.replace(',', ', ')}`" if key.default else "empty"
    meaning = MEANINGS[key.name]
    allowed = _ocpp_allowed(key) + (f", in {meaning.unit}" if meaning.unit else "")
    access = " Read-only for the central system." if key.readonly else ""
    return f"`{key.name}`", allowed, default, meaning.says + access


def _ocpp_allowed(key: Key) -> str:
    """What the key's own check says about a value that no key but free text allows."""
    try:
        key.normalize("?")
    except ValueError as problem:
        wanted = str(problem).removeprefix("must be ")
        return wanted.replace("? is not one of", "list of")
    return "text"


def main(arguments: list[str]) -> int:
    """Write the reference into the named document."""
    if len(arguments) != 1:
        print("usage: python -m agent.config.reference docs/configuration.md", file=sys.stderr)
        return 2
    path = Path(arguments[0])
    path.write_text(with_reference(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
