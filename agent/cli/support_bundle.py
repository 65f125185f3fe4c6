"""``chargepoint-agent support-bundle``: one archive for the help desk, without secrets.

It asks the running agent, which knows most. When none runs, or it does not answer, what the disk
and this machine know goes into the archive all the same.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli import paths
from agent.cli.console import Console, add_command, note
from agent.platform.errors import ConfigError, ControlError, NoAgent
from agent.platform.file_problems import why
from agent.platform.ownership import rights_of_owner
from agent.platform.whole_file import write_private

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from agent.maintenance.support_bundle import BundlePart, Sources

CONFIG_SHOWN_MAX = 256 * 1024
_NOWHERE = Path("/var/lib/chargepoint-agent/agent.db")


def add_support_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``support-bundle``."""
    words = "one archive for the help desk, without secrets and whole card numbers"
    command = add_command(commands, common, "support-bundle", words, run_support_command)
    command.add_argument(
        "file", nargs="?", metavar="FILE", help='where to; "-" for standard output (a name is made)'
    )


def run_support_command(options: argparse.Namespace) -> int:
    """Make the archive and write it, readable for its owner only. Raises AgentError."""
    from agent.maintenance.support_bundle import collect, file_name, pack
    from agent.runtime.clock import SystemClock

    console = Console(sys.stderr)
    now = SystemClock().now()
    live, missing = _from_the_agent(options, console)
    sources = _sources(options, missing, now.utc)
    with console.progress("looking around", 1) as bar:
        parts = collect(sources, lambda what, done, total: bar.at(0))
    packed = pack(_joined(live, parts, sources), now.utc)
    identity = "box" if sources.settings is None else sources.settings.charge_point.identity
    name = options.file or file_name(identity, now.utc)
    if name == "-":
        sys.stdout.buffer.write(packed)
        return 0
    write_private(Path(name), packed)
    if options.json:
        print(json.dumps({"file": name, "bytes": len(packed), "parts": [p.name for p in parts]}))
    else:
        size = f"{len(packed) / 1000:.0f} kB"
        Console(sys.stdout).tell([f"{name} ({size}): secrets and whole card numbers are left out"])
    return 0


# --- the running agent ---------------------------------------------------------------------------


def _from_the_agent(options: argparse.Namespace, console: Console) -> tuple[list[BundlePart], str]:
    from agent.maintenance.support_bundle import unpack

    try:
        return unpack(_asked(paths.asker(options.config), console)), ""
    except ConfigError:
        missing = "the configuration does not tell where an agent would answer"
    except NoAgent:
        missing = "no agent is running: status, log and messages are those of journald at best"
    except (ControlError, ValueError) as problem:
        missing = f"the running agent gives no bundle: {problem}"
    console.tell([note(missing)])
    return [], missing


def _asked(ask: Callable[..., Any], console: Console) -> bytes:
    order = partial(ask, do="bundle")
    order(order="begin")
    size = None
    with console.progress("the agent collects", 100) as bar:
        while size is None:
            seen = order(order="look")
            size = seen["size"]
            bar.at(100 * seen["done"] // max(1, seen["total"]))
    packed = b""
    with console.progress("fetching", size) as bar:
        while len(packed) < size:
            packed += base64.b64decode(order(order="read", offset=len(packed))["piece"])
            bar.at(len(packed))
    return packed


# --- this machine --------------------------------------------------------------------------------


def _sources(options: argparse.Namespace, missing: str, now: Any) -> Sources:
    from agent.maintenance.machine import journal_excerpt
    from agent.maintenance.scrub import unreadable_secrets
    from agent.maintenance.support_bundle import Sources

    config = options.config or paths.config_in_use()
    settings, mistakes = _settings_of(config)
    storage = _NOWHERE
    with suppress(ConfigError):  # reported as a mistake
        storage = paths.find_storage(options.config)
    unread = () if settings is None else tuple(unreadable_secrets(settings))
    return Sources(
        settings=settings,
        storage=storage,
        made_at=now,
        made_by="the command support-bundle" + (" alone" if missing else " and the running agent"),
        config_text=None if config is None else _text_of(config),
        notes=tuple(text for text in (missing, *mistakes, *unread) if text),
        journal=journal_excerpt,
    )


def _settings_of(config: Path | None) -> tuple[Settings | None, tuple[str, ...]]:
    from agent.config.config_file import read_config
    from agent.config.demo_settings import demo_settings

    if config is None:
        return demo_settings(paths.demo_directory(), ""), ()
    try:
        return read_config(config), ()
    except ConfigError as error:
        return None, tuple(error.mistakes)


def _text_of(config: Path) -> str:
    try:
        with rights_of_owner(config.absolute().parent), config.open("rb") as file:
            return file.read(CONFIG_SHOWN_MAX).decode("utf-8", "replace")
    except OSError as problem:
        return f"(cannot be read: {why(problem, config)})"


def _joined(live: list[BundlePart], own: list[BundlePart], sources: Sources) -> list[BundlePart]:
    from agent.maintenance.support_bundle import readme

    from_agent = [part for part in live if part.name != "README.txt"]
    known = {part.name for part in from_agent if not _is_empty_journal(part)}
    added = [part for part in own if part.name not in known and part.name != "README.txt"]
    kept = [part for part in from_agent if part.name in known]
    if not kept:
        return own
    parts = [*kept, *added]
    return [readme(parts, sources), *parts]


def _is_empty_journal(part: BundlePart) -> bool:
    """The agent's own user may not read journald everywhere; who runs this command often may."""
    return part.name == "journal.txt" and part.text.startswith("(journald")
