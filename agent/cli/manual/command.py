"""``completion SHELL`` and ``manual FORM``: print what is made from the commands."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import Any

SHELLS = ("bash", "zsh", "fish")
FORMS = ("man", "markdown")


def add_manual_commands(commands: Any, main: argparse.ArgumentParser) -> None:
    """Add ``completion`` and ``manual``; ``main`` is the whole command line."""
    words = "print a script that lets a shell complete these commands"
    sub = commands.add_parser("completion", help=words, description=words)
    sub.add_argument("shell", choices=SHELLS, help="which shell")
    sub.set_defaults(command=partial(_completion, main))
    words = "print the manual: the man page, or the reference in docs/commands.md"
    sub = commands.add_parser("manual", help=words, description=words)
    sub.add_argument("form", choices=FORMS, help="for man, or as Markdown")
    sub.set_defaults(command=partial(_manual, main))


def _completion(main: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    from agent.cli.manual.completion import completion

    sys.stdout.write(completion(main, options.shell))
    return 0


def _manual(main: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    if options.form == "markdown":
        from agent.cli.manual.markdown import markdown

        sys.stdout.write(markdown(main))
        return 0
    from agent.cli.manual.man import man_page

    sys.stdout.write(man_page(main))
    return 0
