"""Tables of the configuration file -> settings dataclasses, guided by their annotations.

What a key may be is said once, at its field (``hw.setting.setting``). This reader knows no section
by name. It goes on after a mistake, with a placeholder, so that one run finds all of them; what it
returns may be used only when no mistake was found.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import reduce
from operator import or_
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from agent.config.mistakes import KeyPath, Mistakes, nearest, number_text, shown
from agent.config.settings import Settings
from hw.lines import Pin, parse_pin

T = TypeVar("T")
_KINDS: dict[type[Any], tuple[tuple[Field[Any], Any], ...]] = {}

LIST_MAX = 64
TEXT_MAX = 500
FREE_KEYS_MAX = 200
UNKNOWN_MAX = 20
"""So many unknown keys of a table are named; the rest is counted."""


def read_table(cls: type[T], table: Mapping[str, Any], path: KeyPath, mistakes: Mistakes) -> T:
    """Read one table into ``cls``, noting what is wrong with it."""
    values: dict[str, Any] = {}
    for field, kind in kinds(cls):
        here = (*path, field.name)
        if field.name in table:
            values[field.name] = _read_given(field, kind, table[field.name], here, mistakes)
        else:
            values[field.name] = _read_absent(field, kind, here, mistakes)
    _note_unknown_keys(cls, table, path, mistakes)
    return _build(cls, values, path, mistakes)


def kinds(cls: type[Any]) -> tuple[tuple[Field[Any], Any], ...]:
    """The fields of a settings class, each with its type without ``None``."""
    if cls not in _KINDS:
        hints = get_type_hints(cls)
        _KINDS[cls] = tuple((field, _without_none(hints[field.name])) for field in fields(cls))
    return _KINDS[cls]


def every_setting(
    cls: type[Any] = Settings, section: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Field[Any], Any]]:
    """Every key there is: its section, its field, its type; sections in the order of the file."""
    inner = []
    for field, kind in kinds(cls):
        table = _table_class(kind)
        if table is None:
            yield section, field, kind
        else:
            inner.append((table, (*section, field.name)))
    for table, name in inner:
        yield from every_setting(table, name)


def default_of(field: Field[Any]) -> Any:
    """A field's default; MISSING when the key must be given."""
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        return reduce(or_, (part for part in get_args(hint) if part is not NoneType))
    return hint


def _table_class(kind: Any) -> Any:
    item = get_args(kind)[0] if get_origin(kind) is tuple else kind
    return item if is_dataclass(item) else None


def _build(cls: type[T], values: dict[str, Any], path: KeyPath, mistakes: Mistakes) -> T:
    try:
        return cls(**values)
    except ValueError as problem:
        for claim in str(problem).splitlines():  # "pin is missing; ...": begins with the key
            key, _, rest = claim.partition(" ")
            if mistakes.is_sound((*path, key)):
                mistakes.add((*path, key), rest)
    made = object.__new__(cls)  # never handed out: the rules look at what is right in it
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


def _read_absent(field: Field[Any], kind: Any, path: KeyPath, mistakes: Mistakes) -> Any:
    default = default_of(field)
    if default is not MISSING:
        return default
    if is_dataclass(kind):  # as if its header stood there: names the keys that it must have
        return read_table(kind, {}, path, mistakes)  # type: ignore[arg-type]
    mistakes.add(path, f"is missing: {field.metadata['help']}")
    return _placeholder(field, kind)


def _read_given(field: Field[Any], kind: Any, value: Any, path: KeyPath, mistakes: Mistakes) -> Any:
    try:
        return _read_value(kind, value, field.metadata, path, mistakes)
    except ValueError as problem:
        mistakes.add(path, str(problem))
        return _placeholder(field, kind)


def _placeholder(field: Field[Any], kind: Any) -> Any:
    """Something of the right type that no rule objects to."""
    if field.name == "driver":
        return ""  # no driver's rules apply, and no pin counts as used
    default = default_of(field)
    if default is not MISSING:
        return default
    if is_dataclass(kind):
        return read_table(kind, {}, (), Mistakes())  # type: ignore[arg-type]
    return {str: "", bool: False, int: 0, float: 0.0}.get(kind, ())


def _read_value(
    kind: Any, value: Any, metadata: Mapping[str, Any], path: KeyPath, mistakes: Mistakes
) -> Any:
    """Raises ValueError with what the value must be."""
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise ValueError(f"must be a table, got {shown(value)}")
        return read_table(kind, value, path, mistakes)  # type: ignore[arg-type]
    origin = get_origin(kind)
    if origin is tuple:
        return _read_list(get_args(kind)[0], value, metadata, path, mistakes)
    if origin is Mapping:
        return _read_texts(value, path, mistakes)
    return _SCALARS[kind](value, metadata)


def _read_list(
    kind: Any, value: Any, metadata: Mapping[str, Any], path: KeyPath, mistakes: Mistakes
) -> tuple[Any, ...]:
    if not isinstance(value, list):
        wanted = f"tables [[{path[-1]}]]" if is_dataclass(kind) else "values in [ ]"
        raise ValueError(f"must be a list of {wanted}, got {shown(value)}")
    if len(value) > LIST_MAX:
        raise ValueError(f"must have at most {LIST_MAX} entries, got {len(value)}")
    read = []
    for index, item in enumerate(value):
        here = (*path, index)
        try:
            read.append(_read_value(kind, item, metadata, here, mistakes))
        except ValueError as problem:
            mistakes.add(here, str(problem))
            if is_dataclass(kind):  # keeps its place, so that the others keep their names
                read.append(read_table(kind, {}, (), Mistakes()))  # type: ignore[arg-type]
    return tuple(read)


def _read_texts(value: Any, path: KeyPath, mistakes: Mistakes) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"must be a table, got {shown(value)}")
    if len(value) > FREE_KEYS_MAX:
        raise ValueError(f"must have at most {FREE_KEYS_MAX} keys, got {len(value)}")
    texts = {}
    for name, given in value.items():
        try:
            texts[name] = _ocpp_text(given)
        except ValueError as problem:
            mistakes.add((*path, name), str(problem))
    return texts


def _ocpp_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) < 10**18:
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return _read_str(",".join(value), {})
    if isinstance(value, str):
        return _read_str(value, {})
    raise ValueError(
        f"must be true, false, a number, a text or a list of texts, got {shown(value)}"
    )


def _read_bool(value: Any, _metadata: Mapping[str, Any]) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, got {shown(value)}{_quotes_hint(value)}")
    return value


def _read_int(value: Any, metadata: Mapping[str, Any]) -> int:
    wanted = f"must be a whole number{range_text(metadata)}"
    if isinstance(value, bool) or not isinstance(value, int) or not _in_range(value, metadata):
        raise ValueError(f"{wanted}, got {shown(value)}{_quotes_hint(value)}")
    return value


def _read_pin(value: Any, metadata: Mapping[str, Any]) -> Pin:
    if not isinstance(value, str) or value.isdigit():
        return _read_int(value, metadata)
    try:
        parse_pin(value)
    except ValueError as problem:
        raise ValueError(f"{problem}, got {shown(value)}") from None
    return value


def _read_float(value: Any, metadata: Mapping[str, Any]) -> float:
    wanted = f"must be a number{range_text(metadata)}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{wanted}, got {shown(value)}{_quotes_hint(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or not _in_range(number, metadata):
        raise ValueError(f"{wanted}, got {shown(value)}")
    return number


def _read_str(value: Any, metadata: Mapping[str, Any]) -> str:
    choices = metadata.get("choices")
    if choices is not None and value not in choices:
        wanted = ", ".join(shown(choice) for choice in choices)
        near = nearest(value, choices) if isinstance(value, str) else None
        hint = f"; did you mean {shown(near)}?" if near else ""
        raise ValueError(f"must be one of {wanted}, got {shown(value)}{hint}")
    if not isinstance(value, str):
        raise ValueError(f'must be a text in quotes " ", got {shown(value)}')
    if len(value) > TEXT_MAX:
        raise ValueError(f"must have at most {TEXT_MAX} characters, got {len(value)}")
    if not value.isprintable():
        raise ValueError(f"must not have invisible characters in it, got {shown(value)}")
    return value


_SCALARS = {bool: _read_bool, int: _read_int, float: _read_float, str: _read_str, Pin: _read_pin}


def _in_range(value: float, metadata: Mapping[str, Any]) -> bool:
    low, high = metadata.get("low"), metadata.get("high")
    return (low is None or value >= low) and (high is None or value <= high)


def range_text(metadata: Mapping[str, Any]) -> str:
    """The limits of a number, as the end of a phrase: `` from 0 to 53``."""
    low, high = metadata.get("low"), metadata.get("high")
    if low is not None and high is not None:
        return f" from {number_text(low)} to {number_text(high)}"
    if low is not None:
        return f", {number_text(low)} or more"
    return "" if high is None else f", {number_text(high)} or less"


def _quotes_hint(value: object) -> str:
    return " (write it without quotes)" if isinstance(value, str) else ""


def _note_unknown_keys(
    cls: type[Any], table: Mapping[str, Any], path: KeyPath, mistakes: Mistakes
) -> None:
    known = [field.name for field, _ in kinds(cls)]
    unknown = [name for name in table if name not in known]
    for name in unknown[:UNKNOWN_MAX]:  # its value is not shown: it may be a secret
        mistakes.add((*path, name), f"is not a known key{_key_hint(name, known)}")
    if len(unknown) > UNKNOWN_MAX:
        where = mistakes.name(path) or "the file"
        more = len(unknown) - UNKNOWN_MAX
        mistakes.add_sentence(f"{where} has {more} more unknown keys", path)


def _key_hint(name: str, known: list[str]) -> str:
    homes = {section for section, field, _ in every_setting() if field.name == name and section}
    if len(homes) == 1:
        return f"; it belongs to {section_name(homes.pop())}"
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else f"; known here: {', '.join(known)}"


def section_name(section: tuple[str, ...]) -> str:
    """A section as its header is written: ``[reader]``, ``[[connectors]]``."""
    cls: Any = Settings
    is_list = False
    for part in section:
        kind = next(kind for field, kind in kinds(cls) if field.name == part)
        is_list = get_origin(kind) is tuple
        cls = _table_class(kind)
    name = ".".join(section)
    return f"[[{name}]]" if is_list else f"[{name}]"
