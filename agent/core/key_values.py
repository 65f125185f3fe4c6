"""What OCPP configuration keys may hold: each function gives the value to keep.

They raise ValueError with what the value must be, in words that follow the name of the key.
"""

from __future__ import annotations

from collections.abc import Callable

MEASURANDS = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Voltage",
    "Frequency",
    "Power.Factor",
    "Current.Offered",
    "Power.Offered",
)
PHASED_MEASURANDS = ("Power.Active.Import", "Current.Import", "Voltage")
MEASURANDS_MAX = 10
CONNECTORS_MAX = 16
ROTATIONS = ("NotApplicable", "Unknown", "RST", "RTS", "SRT", "STR", "TRS", "TSR")
_ROTATIONS_OF_ALL = ("notapplicable", "unknown")
_NAME_MAX = 64  # RFC 5280, ub-organization-name


def boolean(value: str) -> str:
    """``true`` or ``false``, written in any case."""
    text = value.strip().lower()
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text


def integer(low: int, high: int) -> Callable[[str], str]:
    """A whole number from ``low`` to ``high``."""

    def normalize(value: str) -> str:
        text = value.strip()
        is_number = text.isascii() and text.isdigit() and len(text) <= 10
        if not is_number or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return str(int(text))

    return normalize


def measurands(value: str) -> str:
    """A list of measurands; of some also those of one phase (``Voltage.L1``)."""
    names = _words(value)
    if len(names) > MEASURANDS_MAX:
        raise ValueError(f"must name at most {MEASURANDS_MAX} measurands")
    return ",".join(_measurand(name) for name in names)


def _measurand(name: str) -> str:
    base, _, phase = name.rpartition(".")
    if name in MEASURANDS or (base in PHASED_MEASURANDS and phase in ("L1", "L2", "L3")):
        return name
    raise ValueError(f"{name} is not one of {', '.join(MEASURANDS)}")


def some_of(*known: str, always: str = "") -> Callable[[str], str]:
    """A list of these words, each once, ``always`` among them if it is given."""

    def normalize(value: str) -> str:
        names = _words(value)
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            name = unknown[0] if unknown else "nothing"
            raise ValueError(f"{name} is not one of {', '.join(known)}")
        if always and always not in names:
            raise ValueError(f"must have {always} in it")
        return ",".join(dict.fromkeys(names))

    return normalize


def rotation(value: str) -> str:
    """``0.RST,1.RTS`` (section 9.1.8); one word of those without order stands for all."""
    spelled = {word.lower(): word for word in ROTATIONS}
    if value.strip().lower() in _ROTATIONS_OF_ALL:
        return spelled[value.strip().lower()]
    kept: dict[int, str] = {}
    for part in _words(value):
        number, _, word = part.partition(".")
        order = spelled.get(word.strip().lower())
        is_number = number.isascii() and number.isdigit() and len(number) <= 2
        if not is_number or order is None or int(number) > CONNECTORS_MAX:
            words = ", ".join(ROTATIONS)
            raise ValueError(f"must be a list like 0.RST,1.RST; each is one of {words}")
        if int(number) in kept:
            raise ValueError(f"must name connector {int(number)} once")
        kept[int(number)] = order
    if not kept:
        raise ValueError("must not be empty")
    return ",".join(f"{number}.{kept[number]}" for number in sorted(kept))


def file_protocols(value: str) -> str:
    """A list of ways to bring and fetch files; it may be empty."""
    names = set(_words(value.upper()))
    known = ("FTP", "FTPS", "HTTP", "HTTPS")
    if not names <= set(known):
        raise ValueError(f"must be a list of {', '.join(known)}")
    return ",".join(sorted(names))


def subject_name(value: str) -> str:
    """A name that can stand in a certificate."""
    text = value.strip()
    if not 1 <= len(text.encode()) <= _NAME_MAX or not text.isprintable():
        raise ValueError(f"must be a name of 1 to {_NAME_MAX} bytes")
    return text


def _words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]
