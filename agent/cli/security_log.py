"""``security-log``: what happened to the security of this box, and whether the log is whole."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

from agent.cli import paths
from agent.cli.console import Console, add_command, as_json
from agent.cli.pages import first_moment, newest
from agent.platform.local_time import local_time

NOT_WHOLE = 1  # exit status of --verify


def add_security_log_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command to the command line."""
    help = "show the security events of this box, and whether their log was changed"
    command = add_command(commands, common, "security-log", help, _security_log)
    words = "only from then on: 2026-03-01"
    command.add_argument("--since", type=first_moment, metavar="DATE", help=words)
    does = command.add_mutually_exclusive_group()
    does.add_argument("--verify", action="store_true", help="look for lines changed or taken out")
    does.add_argument("--clear", action="store_true", help="empty the log; who did is recorded")


def _security_log(options: argparse.Namespace) -> int:
    ask = paths.asker(options.config)
    if options.verify:
        return _verify(ask(do="security-log", order="verify"), options.json)
    if options.clear:
        answer = ask(do="security-log", order="clear")
        done = "the security log is empty, but for the line that says so"
        print(as_json(answer) if options.json else done)
        return 0
    wanted = {} if options.since is None else {"since": options.since}
    show = partial(ask, do="security-log", order="show", **wanted)
    lines = list(newest(show, "number", None))[::-1]
    if options.json:
        print(as_json(lines))
    elif not lines:
        since = "" if options.since is None else " since then"
        print(f"nothing has been recorded{since}")
    else:
        Console(sys.stdout).tell(_line(one) for one in lines)
    return 0


def _verify(answer: Mapping[str, Any], is_json: bool) -> int:
    problem = answer["problem"]
    if is_json:
        print(as_json(answer))
    elif problem:
        print(f"the security log was changed: {problem}", file=sys.stderr)
    else:
        print("the security log is whole")
    return NOT_WHOLE if problem else 0


def _line(one: Mapping[str, Any]) -> str:
    doubt = " (the clock was not set yet)" if one["boot"] else ""
    what = ": ".join(filter(None, [one["type"], one["techInfo"]]))
    return f"{_time(one['timestamp'])}  {what}{doubt}"


def _time(text: str) -> str:
    try:
        return local_time(text)
    except ValueError:  # somebody has changed the line
        return text
