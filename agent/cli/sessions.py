"""``chargepoint-agent sessions``: the charge log, for people, spreadsheets and scripts.

It asks the running agent. When none is running it reads the database, and changes nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

from agent.cli import paths
from agent.cli.console import WRONG_USAGE, Console, add_command, as_json, note
from agent.cli.pages import Ask, add_csv_option, count, first_moment, last_moment, newest
from agent.platform.errors import ConfigError, NoAgent

Data = Mapping[str, Any]

_SHOWN = 50


def add_sessions_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``sessions``."""
    words = "show the sessions that are over: who charged what; sums by card and month"
    add = add_command(commands, common, "sessions", words, _sessions)
    moment = partial(add.add_argument, metavar="DATE")
    moment("--from", dest="since", type=first_moment, help="2026-11-01: ended then or later")
    moment("--to", dest="until", type=last_moment, help="2026-11-30: to its end")
    add.add_argument("--tag", metavar="TAG", help="only of this card")
    add.add_argument(
        "--limit", type=count, metavar="N", help=f"how many ({_SHOWN}; as CSV and JSON all)"
    )
    add_csv_option(add)


def _sessions(options: argparse.Namespace) -> int:
    if _is_empty(options.since, options.until):
        print("--from is later than --to: no session can be between", file=sys.stderr)
        return WRONG_USAGE
    limit = options.limit or (None if options.csv or options.json else _SHOWN)
    wanted = {"since": options.since, "until": options.until, "id_tag": options.tag}
    with _access(options) as ask:
        ask = partial(ask, **{name: value for name, value in wanted.items() if value is not None})
        sessions = list(newest(ask, "session", limit))
        sums = [] if options.csv else ask(sums=True)
    if options.csv:
        from agent.control.charge_log_csv import sessions_as_csv

        sys.stdout.write(sessions_as_csv(sessions, options.csv))
    elif options.json:
        print(as_json({"sessions": sessions, "sums": sums}))
    else:
        Console(sys.stdout).tell(_lines(sessions, sums))
    return 0


def _is_empty(since: str | None, until: str | None) -> bool:
    if since is None or until is None:
        return False
    return datetime.fromisoformat(since) >= datetime.fromisoformat(until)


# --- for a person --------------------------------------------------------------------------------


def _lines(sessions: Sequence[Data], sums: Sequence[Data]) -> Iterator[str]:
    if not sessions:
        yield "no session is in the charge log, or none that was asked for"
        return
    yield from map(_session_line, sessions)
    older = sum(found["sessions"] for found in sums) - len(sessions)
    if older > 0:
        yield f"... {older} older ones: --limit, --from, --to"
    yield ""
    zone = _zone(sessions[0])
    yield f"by month and card; a session counts in the month in which it ended, {zone}"
    for month in dict.fromkeys(found["month"] for found in sums):
        of_month = [found for found in sums if found["month"] == month]
        yield from (_sum_line(month, _who(found), [found]) for found in of_month)
        yield _sum_line(month, "all", of_month)


def _session_line(session: Data) -> str:
    assumed = "" if session["is_time_known"] else "  (times assumed)"
    told = session["central_system"]
    is_told = told == "delivered"
    return (
        f"{_local(session['begun_at'])} to {_local(session['ended_at'])}"
        f"  connector {session['connector_id']}  {_kwh(session['energy_wh']):>9} kWh"
        f"  {_who(session)}  {session['reason']}{'' if is_told else f', {told}'}{assumed}"
    )


def _sum_line(month: str, of: str, sums: Sequence[Data]) -> str:
    number = sum(found["sessions"] for found in sums)
    energy_wh = sum(found["energy_wh"] for found in sums)
    words = "session" if number == 1 else "sessions"
    return f"{month}  {_kwh(energy_wh):>10} kWh  {number:>5} {words:8}  {of}"


def _who(data: Data) -> str:
    from agent.control.charge_log import who

    return who(data)


def _kwh(energy_wh: int) -> str:
    from agent.control.charge_log import kwh

    return kwh(energy_wh)


def _local(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")


def _zone(session: Data) -> str:
    return datetime.fromisoformat(session["ended_at"]).astimezone().strftime("local time (%Z)")


# --- the running agent, or its database ----------------------------------------------------------


@contextmanager
def _access(options: argparse.Namespace) -> Iterator[Ask]:
    ask = partial(paths.asker(options.config), do="sessions")
    try:
        ask(limit=1)
    except NoAgent:
        from agent.control.charge_log import answer
        from agent.store.offline_view import charge_log_of

        path = paths.find_storage(options.config)
        with charge_log_of(path) as log:
            Console(sys.stderr).tell([note(f"no agent is running: reading the database {path}")])
            form = _form_of_cards(options)
            yield lambda **request: answer(log, form, request)
    else:
        yield ask


def _form_of_cards(options: argparse.Namespace) -> str:
    """How the reader of this box tells a card; where the file does not say it, as most do."""
    from agent.config.config_file import read_config

    path = options.config or paths.config_in_use()
    try:
        return "hex" if path is None else read_config(path).reader.uid_format
    except ConfigError:
        return "hex"
