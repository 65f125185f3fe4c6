"""``dataclasses.replace`` for the values of the core, at a quarter of its time.

A turn makes dozens of copies, and a frozen value spends most of one in its ``__init__``. This one
sets the slots itself; no ``__post_init__`` is called, and no value of the core has one.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what is replaced is checked field by field
    from dataclasses import replace as replace
else:

    def replace(value: Any, /, **changes: Any) -> Any:
        """A copy of a frozen value with slots, with these fields changed."""
        kind = value.__class__
        read, setters, index = _slots(kind)
        values = list(read(value))
        for name, changed in changes.items():
            values[index[name]] = changed
        copy = object.__new__(kind)
        for set_slot, field in zip(setters, values, strict=True):
            set_slot(copy, field)
        return copy


@cache
def _slots(kind: type[Any]) -> tuple[Any, tuple[Any, ...], dict[str, int]]:
    names = [field.name for field in fields(kind)]
    setters = tuple(getattr(kind, name).__set__ for name in names)
    read = attrgetter(*names)  # of one name it gives the value itself, of several a tuple
    return (
        read if len(names) > 1 else lambda value: (read(value),),
        setters,
        {name: number for number, name in enumerate(names)},
    )
