"""Text that others have written, as it may be shown."""

from __future__ import annotations


def visible(text: str) -> str:
    """The text on one line: what would not print, or would print elsewhere, becomes ``?``.

    Ends of lines, what moves a terminal's cursor or colours it, marks of direction, halves of
    characters: with them text from outside could look like a line of ours.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)
