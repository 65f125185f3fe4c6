"""The man page: ``chargepoint-agent(1)``, for ``man`` and ``groff -man``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from agent.cli.manual.tree import COMMON, Argument, CliCommand, commands_of, common_arguments

NAME = "chargepoint-agent"
_EXIT = (
    ("0", "good"),
    ("1", "something failed, or a check did"),
    ("2", "wrong usage; also without a command, which prints them"),
    ("65", "the database holds a damaged value: doctor names its place"),
    ("78", "the configuration has mistakes"),
)
_FILES = (
    ("/etc/chargepoint-agent/config.toml", "the configuration; may be read by everybody"),
    ("/etc/chargepoint-agent/secrets/", "keys and passwords, one a file"),
    ("/var/lib/chargepoint-agent/agent.db", "sessions, messages that wait, cards"),
    ("/run/chargepoint-agent/control.sock", "where the commands reach the running agent"),
)
_ENVIRONMENT = (
    ("NO_COLOR", "set to anything: no colour"),
    ("COLUMNS", "how wide the terminal is taken to be"),
)


def man_page(parser: argparse.ArgumentParser) -> str:
    """The page in the macros of man(7)."""
    program, *commands = commands_of(parser)
    lines = [
        f'.TH CHARGEPOINT\\-AGENT 1 "" "{NAME}" "Charge point agent"',
        ".SH NAME",
        f"{_escaped(NAME)} \\- {_escaped(program.help).rstrip('.')}",
        ".SH SYNOPSIS",
        f".B {_escaped(NAME)}",
        ".I COMMAND",
        "[\\fB\\-\\-config\\fR \\fIPATH\\fR] [\\fB\\-\\-json\\fR]",
        ".br",
        f".B {_escaped(NAME)}",
        "\\fB\\-\\-version\\fR",
        ".SH DESCRIPTION",
        "One daemon per charging station, and the commands that speak to it. All but",
        "\\fBcompletion\\fR and \\fBmanual\\fR take these, after their name:",
        *_entries(common_arguments(commands)),
        ".SH COMMANDS",
    ]
    for command in commands:
        lines += _command(command)
    for heading, rows in (
        ("EXIT STATUS", _EXIT),
        ("FILES", _FILES),
        ("ENVIRONMENT", _ENVIRONMENT),
    ):
        lines += [f".SH {heading}", *_rows(rows)]
    return "\n".join(lines) + "\n"


def _command(command: CliCommand) -> Iterator[str]:
    if command.inner:
        return
    yield f".SS {_quoted(command.usage)}"
    yield _escaped(command.help[:1].upper() + command.help[1:]).rstrip(".") + "."
    yield from _entries(a for a in command.arguments if not a.flags or a.flags[0] not in COMMON)


def _entries(arguments: Iterator[Argument] | list[Argument]) -> Iterator[str]:
    for argument in arguments:
        yield ".TP"
        flags = ", ".join(f"\\fB{_escaped(flag)}\\fR" for flag in argument.flags)
        value = f"\\fI{_escaped(argument.value)}\\fR" if argument.value else ""
        yield " ".join(part for part in (flags, value) if part)
        yield _line(argument.help)


def _rows(rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for name, words in rows:
        yield from (".TP", f"\\fB{_escaped(name)}\\fR", _line(words))


def _line(words: str) -> str:
    """A line of text: a dot or a quotation mark at its beginning would be an order."""
    text = _escaped(words)
    return f"\\&{text}" if text[:1] in (".", "'") else text


def _escaped(words: str) -> str:
    return words.replace("\\", "\\e").replace("-", "\\-")


def _quoted(words: str) -> str:
    return '"' + _escaped(words).replace('"', '""') + '"'
