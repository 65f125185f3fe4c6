"""Files that a person may edit: their text, whatever editor wrote it.

Editors put marks before the text, end lines in three ways, and leave blanks that are not visible.
What is certain is corrected here, for every such file; the rest is reported, with the line.
"""

from __future__ import annotations

import codecs
import errno
import os
import re
import stat
from pathlib import Path

from agent.platform.errors import EditedFileError
from agent.platform.file_problems import reason

SECRET_BYTES_MAX = 4096

# A longer mark begins with a shorter one, so it comes first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PEM = re.compile(
    r"-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----\n.*?-----END \1-----", re.DOTALL
)


def read_text(path: Path | str, bytes_max: int) -> str:
    """The text of a file, its lines ended by ``\\n``. Raises EditedFileError naming the file."""
    try:
        content = _content_of(path, bytes_max + 1)
        if len(content) > bytes_max:
            raise EditedFileError(f"the file is larger than {_size(bytes_max)}")
        return decoded(content)
    except OSError as problem:
        raise EditedFileError(f"{path}: {reason(problem, path)}") from None
    except EditedFileError as problem:
        raise EditedFileError(f"{path}: {problem}") from None
    except ValueError:  # a NUL in the path
        raise EditedFileError(f"{str(path)!r} is not a file name") from None


def read_secret(path: Path | str) -> str:
    """The one line of a file with a password or token. Raises EditedFileError, without the secret.

    Blanks and invisible characters at its ends, and empty lines, do not belong to it.
    """
    try:
        return one_line(read_text(path, SECRET_BYTES_MAX))
    except _NoLine as problem:
        raise EditedFileError(f"{path}: {problem}") from None


def one_line(text: str) -> str:
    """The only line with anything in it, without what is not seen at its ends.

    Raises EditedFileError, which does not repeat the text.
    """
    lines = [line for line in map(_without_unseen_ends, text.split("\n")) if line]
    if not lines:
        raise _NoLine("the file is empty")
    if len(lines) > 1:
        raise _NoLine(f"the file has {len(lines)} lines: one is wanted")
    (line,) = lines
    unseen = next((letter for letter in line if not letter.isprintable()), None)
    if unseen is not None:
        raise _NoLine(f"an invisible character (U+{ord(unseen):04X}) is in it: type the line anew")
    return line


def decoded(content: bytes) -> str:
    """The text of what was read. Raises EditedFileError naming the line that is no text."""
    codec = "utf-8"
    for mark, named in _MARKS:
        if content.startswith(mark):
            content, codec = content[len(mark) :], named
            break
    try:
        text = content.decode(codec)
    except UnicodeDecodeError as problem:
        line = content[: problem.start].decode(codec, "replace").count("\n") + 1
        raise EditedFileError(
            f"line {line} is not {codec.upper()}: save the file as UTF-8 text"
        ) from None
    if "\0" in text:
        raise EditedFileError("zero bytes are in it: save the file as UTF-8 text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_certificates(path: Path | str) -> str:
    """The certificates of a file in PEM form, without what stands around them.

    OpenSSL does not find one behind a byte order mark. Raises EditedFileError naming the file.
    """
    text = read_text(path, 16 * 1024 * 1024)
    found = [block[0] for block in _PEM.finditer(text) if block[0].isascii()]
    if not found:
        raise EditedFileError(f"{path}: it holds no certificate in PEM form")
    return "\n".join(found) + "\n"


class _NoLine(EditedFileError):
    """There is a text, but not one line of it."""


def _content_of(path: Path | str, bytes_max: int) -> bytes:
    # O_NONBLOCK: a pipe without a writer must not hold up the start.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(None, "it is a device or a pipe, not a file")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(bytes_max)
    finally:
        os.close(descriptor)


def _without_unseen_ends(line: str) -> str:
    begin, end = 0, len(line)
    while begin < end and _is_unseen(line[begin]):
        begin += 1
    while end > begin and _is_unseen(line[end - 1]):
        end -= 1
    return line[begin:end]


def _is_unseen(letter: str) -> bool:
    return letter.isspace() or not letter.isprintable()


def _size(count: int) -> str:
    return f"{count // 1024 // 1024} MiB" if count >= 1024 * 1024 else f"{count // 1024} KiB"
