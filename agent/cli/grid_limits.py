"""``grid-limits``: when the grid operator's contact limited the box (in Germany: § 14a EnWG)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from agent.cli import paths
from agent.cli.console import Console, add_command, as_json
from agent.cli.pages import add_csv_option, count, newest
from agent.platform.local_time import local_time

_COLUMNS = (
    "begin",
    "end",
    "begin_utc",
    "end_utc",
    "limit",
    "unit",
    "end_is_found",
    "time_is_known",
)


def add_grid_limits_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command to the command line."""
    help = "show when the grid operator's contact limited the box, for its proof"
    command = add_command(commands, common, "grid-limits", help, _show)
    command.add_argument("--limit", type=count, metavar="N", help="how many (all that are kept)")
    add_csv_option(command)


def _show(options: argparse.Namespace) -> int:
    ask = partial(paths.asker(options.config), do="grid-limits")
    found = list(newest(ask, "number", options.limit))
    if options.json:
        print(as_json(found))
    elif options.csv:
        sys.stdout.write(_as_csv(found, options.csv))
    elif not found:
        print("the grid operator's contact has never limited this box")
    else:
        Console(sys.stdout).tell(lines(found))
    return 0


def _as_csv(found: Sequence[Mapping[str, Any]], separator: str) -> str:
    from agent.control.csv_table import csv_table, decimal_sign, yes_or_no

    decimal = decimal_sign(separator)
    rows = (
        [
            local_time(one["begun_at"]),
            local_time(one["ended_at"]) if one["ended_at"] else "",
            one["begun_at"],
            one["ended_at"] or "",
            f"{one['limit']:g}".replace(".", decimal),
            one["unit"],
            yes_or_no(one["is_end_found"]),
            yes_or_no(one["is_time_known"]),
        ]
        for one in found
    )
    return csv_table(_COLUMNS, rows, separator)


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
