"""A parser that shows what there is to whoever types a command that is not finished."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

WRONG_USAGE = 2


class CommandLine(argparse.ArgumentParser):
    """Prints its commands where one is needed and nothing was typed; exit status 2.

    Not 0: a script whose variable was empty must not believe that something was done.
    """

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """As the class above has it; with nothing typed where commands are, it ends here."""
        if self._subparsers is not None and args is not None and not args:
            self.print_help()
            self.exit(WRONG_USAGE)
        return super().parse_known_args(args, namespace)


class ShowVersion(argparse.Action):
    """``--version``: found out only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it and end."""
        from agent.maintenance.machine import own_version

        print(f"{parser.prog} {own_version()}")
        parser.exit()
