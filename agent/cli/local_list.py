"""``chargepoint-agent list``: the local authorization list, for people and scripts.

It asks the running agent. When none is running it opens the database itself, alone, and says so.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli import paths
from agent.cli.console import Console, add_actions, as_json, note
from agent.platform.errors import AgentError, ConfigError, NoAgent
from agent.platform.file_problems import in_words
from agent.platform.whole_file import write_private

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from agent.core.values import ListEntry

Ask = Callable[..., Any]

_SHOWN = 50


def add_list_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``list`` with what it can do."""
    words = "show and change the local authorization list"
    add = add_actions(commands, common, "list", words, run_list_command)
    show = add("show", "show version and entries")
    show.add_argument(
        "--limit", type=_count, default=_SHOWN, metavar="N", help=f"how many ({_SHOWN})"
    )
    show.add_argument("--offset", type=_count, default=0, metavar="N", help="begin there (0)")
    entry = add("add", "put a card on the list, or change what the list says about it")
    entry.add_argument("id_tag", metavar="TAG", help="1 to 20 characters")
    entry.add_argument("--expires", metavar="DATE", help="2027-12-31: to its end, UTC")
    entry.add_argument("--parent", default="", metavar="TAG", help="the group of the card")
    entry.add_argument("--name", metavar="NAME", help="for people at this box")
    named = add("name", "give a card a name, also one that is not on the list")
    named.add_argument("id_tag", metavar="TAG", help="1 to 20 characters")
    named.add_argument("name", metavar="NAME", help='for people at this box; "": none')
    off = add("remove", "take a card off the list")
    off.add_argument("id_tag", metavar="TAG", help="as list show tells it")
    read = add("import", "read a CSV file: all of it, or nothing when a line is wrong")
    read.add_argument(
        "file", metavar="FILE.csv", help="id_tag,expires_at,parent_id_tag,status,name"
    )
    read.add_argument("--replace", action="store_true", help="forget what was on the list before")
    write = add("export", "write the whole list as CSV")
    write.add_argument("file", metavar="FILE.csv", help='"-" for standard output')


def run_list_command(options: argparse.Namespace) -> int:
    """Run one of the actions; raises AgentError with a sentence when it cannot be done."""
    with _access(options) as ask:
        _ACTIONS[options.what](options, ask)
    return 0


# --- the actions ---------------------------------------------------------------------------------


def _show(options: argparse.Namespace, ask: Ask) -> None:
    from agent.control.requests import PAGE_MAX

    shown: list[Mapping[str, str]] = []
    while True:
        limit = max(1, min(options.limit - len(shown), PAGE_MAX))
        page = ask("show", offset=options.offset + len(shown), limit=limit)
        shown += page["shown"][: options.limit - len(shown)]
        if len(shown) >= options.limit or len(page["shown"]) < limit:
            break
    if options.json:
        print(as_json({**page, "shown": shown}))
        return
    state = "" if page["is_enabled"] else ", switched off (LocalAuthListEnabled is false)"
    console = Console(sys.stdout)
    console.tell(
        [f"version {page['version']}, {_entries(page['entries'])}, owner {page['owner']}{state}"]
    )
    console.tell(map(_entry_line, shown))
    left = page["entries"] - options.offset - len(shown)
    if left > 0:
        console.tell([f"... {left} more: --offset {options.offset + len(shown)}"])


def _entry_line(entry: Mapping[str, str]) -> str:
    until = f"until {entry['expires_at']}" if "expires_at" in entry else ""
    group = f"group {entry['parent_id_tag']}" if "parent_id_tag" in entry else ""
    shown = f"{entry['id_tag']:20}  {entry['status']:12}  {until:28}  {group}".rstrip()
    return f"{shown}  {entry['name']}" if "name" in entry else shown


def _add(options: argparse.Namespace, ask: Ask) -> None:
    now = ask("show", limit=1)
    id_tag = _tag_of(options, now)
    request = {"id_tag": id_tag, "parent_id_tag": options.parent, "name": options.name}
    result = ask("add", **request, expires_at=options.expires)
    _tell_of_others([id_tag], now)
    _tell(options, result, "added" if id_tag == options.id_tag else f"added as {id_tag}")


def _tag_of(options: argparse.Namespace, now: Mapping[str, Any]) -> str:
    """The tag that was typed, in the form in which the reader of this box tells it."""
    from agent.core.id_tag import tag_as_told

    try:
        return tag_as_told(options.id_tag.strip(), _reader_of(now)["form"])
    except ValueError as problem:
        raise AgentError(str(problem)) from None


def _name(options: argparse.Namespace, ask: Ask) -> None:
    id_tag = _tag_of(options, ask("show", limit=1))
    result = ask("name", id_tag=id_tag, name=options.name)
    done = f"{id_tag} is {result['name']}" if result["name"] else f"{id_tag} has no name"
    print(as_json(result) if options.json else done)


def _reader_of(now: Mapping[str, Any]) -> Mapping[str, str]:
    """Driver and form of the box's reader; an agent of an older version does not tell them."""
    reader: Mapping[str, str] = now.get("reader", {"driver": "none", "form": "hex"})
    return reader


def _tell_of_others(id_tags: Sequence[str], now: Mapping[str, Any]) -> None:
    from agent.core.id_tag import about_others

    if words := about_others(id_tags, **_reader_of(now)):
        Console(sys.stderr).tell([note(words)])


def _remove(options: argparse.Namespace, ask: Ask) -> None:
    _tell(options, ask("remove", id_tag=options.id_tag), "removed")


def _import(options: argparse.Namespace, ask: Ask) -> None:
    from agent.cli.local_list_csv import read_list_csv
    from agent.control.local_list import PIECE_MAX, entry_as_data

    content = _content_of(options.file)
    now = ask("show", limit=1)
    form = _reader_of(now)["form"]
    entries = read_list_csv(content, now["entries_max"], form)
    if not entries and not options.replace:
        raise AgentError(f"{options.file} has no entries: the list stays as it is")
    token = os.urandom(8).hex()
    with Console(sys.stderr).progress("handing over", len(entries)) as bar:
        for start in range(0, max(1, len(entries)), PIECE_MAX):
            piece = [entry_as_data(entry) for entry in entries[start : start + PIECE_MAX]]
            ask("upload", token=token, is_first=start == 0, entries=piece)
            bar.at(start + len(piece))
        result = ask("import", token=token, replace=options.replace)
        while not result["is_done"]:
            result = ask("import", token=token)
    _tell_of_others([entry.id_tag for entry in entries], now)
    _tell(options, result, f"imported {_entries(result['received'])}")


def _export(options: argparse.Namespace, ask: Ask) -> None:
    from agent.cli.local_list_csv import list_as_csv

    entries = list(_every_entry(ask))
    text = list_as_csv(entries, _reader_of(ask("show", limit=1))["form"])
    if options.file == "-":
        sys.stdout.write(text)
        return
    write_private(Path(options.file), text.encode())
    if options.json:
        print(as_json({"exported": len(entries)}))
    else:
        print(f"exported {_entries(len(entries))} to {options.file}")


def _every_entry(ask: Ask) -> Iterator[ListEntry]:
    from agent.control.local_list import entry_of
    from agent.control.requests import PAGE_MAX

    after, first = "", None
    while True:
        page = ask("show", after=after, limit=PAGE_MAX)
        version = (page["version"], page["entries"])
        first = first or version
        if version != first:
            raise AgentError("the list was changed while it was read: try again")
        for data in page["shown"]:
            yield entry_of(data)
        if len(page["shown"]) < PAGE_MAX:
            return
        after = page["shown"][-1]["id_tag"]


_ONLY_READ = ("show", "export")
_ACTIONS: Mapping[str, Callable[[argparse.Namespace, Ask], None]] = {
    "show": _show,
    "add": _add,
    "name": _name,
    "remove": _remove,
    "import": _import,
    "export": _export,
}


def _tell(options: argparse.Namespace, result: Mapping[str, Any], done: str) -> None:
    if options.json:
        print(as_json({key: value for key, value in result.items() if key != "is_done"}))
    else:
        words = f"the list has version {result['version']} and {_entries(result['entries'])}"
        Console(sys.stdout).tell([f"{done}; {words}"])


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise argparse.ArgumentTypeError("must be a whole number, 0 or more")
    return int(text)


# --- files ---------------------------------------------------------------------------------------


def _content_of(name: str) -> bytes:
    from agent.cli.local_list_csv import FILE_BYTES_MAX

    try:
        if name == "-":
            return sys.stdin.buffer.read(FILE_BYTES_MAX + 1)
        with open(name, "rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except OSError as problem:
        raise AgentError(in_words(problem, "read", name)) from None


# --- the running agent, or the database alone ----------------------------------------------------


@contextmanager
def _access(options: argparse.Namespace) -> Iterator[Ask]:
    ask = paths.asker(options.config)

    def ask_agent(what: str, **request: Any) -> Any:
        return ask(do="list", what=what, **request)

    try:
        ask_agent("show", limit=1)
    except NoAgent:
        with _alone(_settings_of(options)) as ask_store:
            yield ask_store
    else:
        yield ask_agent


@contextmanager
def _alone(settings: Settings) -> Iterator[Ask]:
    import asyncio

    from agent.cli.local_list_offline import open_alone

    with asyncio.Runner() as runner, open_alone(settings) as do:
        words = f"no agent is running: working on the database {settings.storage.path} alone"
        Console(sys.stderr).tell([note(words)])
        yield lambda what, **request: runner.run(do({"what": what, **request}))


def _settings_of(options: argparse.Namespace) -> Settings:
    from agent.config.config_file import read_config
    from agent.config.demo_settings import demo_settings

    path = options.config or paths.config_in_use()
    if path is None:
        return demo_settings(paths.demo_directory(), "")
    try:
        return read_config(path)
    except ConfigError:
        if options.what not in _ONLY_READ:  # who may change the list stands in the file
            raise
        storage = paths.find_storage(options.config)
    words = f"{path} has mistakes, so owner and limits of the list are not known: check-config"
    Console(sys.stderr).tell([note(words)])
    box = demo_settings(storage.parent, "")
    return replace(box, storage=replace(box.storage, path=str(storage)))
