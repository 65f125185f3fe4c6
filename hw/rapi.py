"""RAPI, the language of OpenEVSE controllers, as pure functions: lines and checksums.

``$GS :0A^5B\\r`` asks; ``$OK 03 1200 03 0140 :0A^4D\\r`` answers. The two digits after ``^`` are
the XOR of every character before it; after ``*`` stands their sum. ``:0A`` numbers the question
(protocol 3 and later) and is repeated in the answer. Lines that begin with ``$A``, ``$WF`` or
``$ST`` come by themselves, at any time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from operator import xor

LINE_BYTES_MAX = 64
_CHECKED = re.compile(r"(?P<body>\$[^^*]*)(?:\^(?P<xor>[0-9A-Fa-f]{2})|\*(?P<sum>[0-9A-Fa-f]{2}))?")
_SPONTANEOUS = re.compile(r"\$(A[A-Z]|WF|ST)\Z")


@dataclass(frozen=True, slots=True)
class RapiAnswer:
    """``$OK`` or ``$NK`` with its words. ``sequence`` None: the answer carries no number."""

    is_ok: bool
    words: tuple[str, ...]
    sequence: int | None
    is_checked: bool


@dataclass(frozen=True, slots=True)
class Spontaneous:
    """What the controller says by itself: ``AT`` (state changed), ``AB`` (booted) ..."""

    kind: str
    words: tuple[str, ...]


class LineSplitter:
    """Cuts bytes into lines. A new ``$`` begins a line anew; what is before it is noise."""

    def __init__(self) -> None:
        self._line: bytearray | None = None  # None: no ``$`` has come yet

    def feed(self, received: bytes) -> list[str]:
        """The lines that ended in these bytes, without their ends."""
        lines = []
        for byte in received:
            if byte == 0x24:  # $
                self._line = bytearray(b"$")
            elif self._line is None:
                continue
            elif byte in (0x0D, 0x0A):
                lines.append(self._line.decode("ascii", errors="replace"))
                self._line = None
            elif len(self._line) >= LINE_BYTES_MAX:
                self._line = None
            else:
                self._line.append(byte)
        return lines

    def forget(self) -> None:
        """Drop an unfinished line."""
        self._line = None


def command(words: str, sequence: int | None = None) -> bytes:
    """A line to send: ``command("GS")`` is ``$GS^30`` with its end."""
    body = f"${words}" if sequence is None else f"${words} :{sequence:02X}"
    return f"{body}^{xor_of(body):02X}\r".encode("ascii")


def xor_of(text: str) -> int:
    """The checksum that stands after ``^``."""
    return reduce(xor, text.encode("ascii", errors="replace"), 0)


def parse(line: str) -> RapiAnswer | Spontaneous | None:
    """What a line is; None for one that is damaged or unknown."""
    found = _CHECKED.fullmatch(line)
    if found is None or not found["body"].isascii():
        return None
    body = found["body"]
    if found["xor"] and int(found["xor"], 16) != xor_of(body):
        return None
    if found["sum"] and int(found["sum"], 16) != sum(body.encode("ascii")) & 0xFF:
        return None
    head, *words = body.split()
    spontaneous = _SPONTANEOUS.match(head)
    if spontaneous is not None:
        return Spontaneous(spontaneous[1], tuple(words))
    if head not in ("$OK", "$NK"):
        return None
    is_checked = found["xor"] is not None or found["sum"] is not None
    sequence = None
    if words and re.fullmatch(r":[0-9A-Fa-f]{2}", words[-1]):
        sequence = int(words.pop()[1:], 16)
    return RapiAnswer(head == "$OK", tuple(words), sequence, is_checked)
