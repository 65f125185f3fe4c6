"""The enumerations of the core are keys of its tables."""

from __future__ import annotations

from enum import Enum


class KeyEnum(Enum):
    """An enumeration of the core, quick as a key: members are singletons, and hash as such.

    The hash that Enum has is a function in Python, a tenth of the time of a turn.
    """

    __hash__ = object.__hash__
