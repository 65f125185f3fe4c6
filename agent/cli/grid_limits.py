"""``grid-limits``: when the grid operator's contact limited the box (in Germany: § 14a EnWG)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from agent.cli import paths
from agent.cli.console import Console, add_command, as_json
from agent.cli.pages import count, newest
from agent.cli.status_view import local_time

_COLUMNS = ("begun_at", "ended_at", "limit", "unit", "is_end_found", "is_time_known")


def add_grid_limits_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command to the command line."""
    help = "show when the grid operator's contact limited the box, for its proof"
    command = add_command(commands, common, "grid-limits", help, _show)
    command.add_argument("--limit", type=count, metavar="N", help="how many (all that are kept)")
    command.add_argument("--csv", action="store_true", help="as a table for a spreadsheet")


def _show(options: argparse.Namespace) -> int:
    ask = partial(paths.asker(options.config), do="grid-limits")
    found = list(newest(ask, "number", options.limit))
    if options.json:
        print(as_json(found))
    elif options.csv:
        _print_csv(found)
    elif not found:
        print("the grid operator's contact has never limited this box")
    else:
        Console(sys.stdout).tell(lines(found))
    return 0


def _print_csv(found: Sequence[Mapping[str, Any]]) -> None:
    import csv

    table = csv.DictWriter(sys.stdout, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(found)


def lines(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line each: from when to when, and to what the box was limited."""
    for one in found:
        begun = local_time(one["begun_at"])
        ended = "now" if one["ended_at"] is None else local_time(one["ended_at"])
        notes = [f"{one['limit']:g} {one['unit']}"]
        if one["is_end_found"]:
            notes.append("at the latest: the agent had ended, and no energy flowed")
        if not one["is_time_known"]:
            notes.append("the clock was not set yet")
        yield f"{begun} to {ended}  {'; '.join(notes)}"
