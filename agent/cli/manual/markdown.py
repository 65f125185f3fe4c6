"""The reference of all commands as Markdown: ``docs/commands.md``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from agent.cli.manual.tree import COMMON, Argument, CliCommand, commands_of, common_arguments

INTRODUCTION = """\
# Commands

Made from the command line itself by `chargepoint-agent manual markdown`; do not edit.

`chargepoint-agent --version` shows the version. `chargepoint-agent` alone prints the commands, one
that has others below it prints those; the exit status is 2, for nothing was done.

`chargepoint-agent COMMAND`. All but `completion` and `manual` take these, after their name:

"""
AFTER_COMMON = """
Exit status: 0 good, 1 failed, 2 wrong usage, 65 the database holds a damaged value, 78 the
configuration has mistakes. Colour is for terminals only, and never where `NO_COLOR` is set. Lines
are folded for the terminal's width; a pipe gets them whole.
"""


def markdown(parser: argparse.ArgumentParser) -> str:
    """The whole document."""
    commands = [command for command in commands_of(parser) if command.words]
    text = INTRODUCTION + "\n".join(_table(common_arguments(commands))) + "\n" + AFTER_COMMON
    return text + "".join(_section(command) for command in commands)


def _section(command: CliCommand) -> str:
    depth = "#" * (1 + len(command.words))
    lines = ["", f"{depth} {' '.join(command.words)}", "", _sentence(command.help), ""]
    if not command.inner:
        lines += ["```text", f"chargepoint-agent {command.usage}", "```"]
        own = [a for a in command.arguments if not a.flags or a.flags[0] not in COMMON]
        if own:
            lines += ["", *_table(own)]
    return "\n".join(lines).rstrip() + "\n"


def _table(arguments: Sequence[Argument]) -> Iterator[str]:
    yield "| argument | meaning |"
    yield "|---|---|"
    for argument in arguments:
        name = argument.name.replace("|", "\\|")
        yield f"| `{name}` | {argument.help.replace('|', chr(92) + '|')} |"


def _sentence(words: str) -> str:
    text = words[:1].upper() + words[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
