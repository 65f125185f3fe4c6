"""The commands. Each imports what it needs when it runs: ``status`` must not load the drivers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from agent.cli import paths, status_view
from agent.cli.api_token import add_token_command
from agent.cli.commissioning.acceptance import add_acceptance_command
from agent.cli.commissioning.init import add_init_command
from agent.cli.console import (
    GREEN,
    WRONG_USAGE,
    Console,
    StyledLine,
    add_command,
    as_json,
    note,
)
from agent.cli.doctor import add_doctor_command
from agent.cli.grid_limits import add_grid_limits_command
from agent.cli.local_list import add_list_command
from agent.cli.manual.command import add_manual_commands
from agent.cli.manual.tree import offered
from agent.cli.security_log import add_security_log_command
from agent.cli.self_test import add_self_test_commands
from agent.cli.sessions import add_sessions_command
from agent.cli.support_bundle import add_support_command
from agent.platform.errors import ConfigError, ControlError
from hw.ports import FAULT_NAMES


def run_command(arguments: list[str]) -> int:
    """Parse the command line, run the command, return the exit status."""
    options = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    return command(options)


def parser() -> argparse.ArgumentParser:
    """The command line of ``chargepoint-agent``."""
    main = _CommandLine(
        prog="chargepoint-agent", description="The agent of one charge point (OCPP 1.6-J)."
    )
    main.add_argument("--version", nargs=0, action=_ShowVersion, help="show the version and end")
    common = _common_options()
    commands = main.add_subparsers(title="commands", required=True, metavar="COMMAND")

    add = partial(add_command, commands, common)
    run = add("run", "run the daemon", _run)
    run.add_argument("--simulate", action="store_true", help="replace every driver by a simulation")
    add("demo", "run a simulated charger with a small demonstration central system", _demo)
    add("check-config", "read the configuration file and name every mistake", _check_config)
    add("status", "show connectors, link, queue, faults, and why it is not charging", _status)
    why = add("why", "show the last card decisions with their reasons", _why)
    why.add_argument("id_tag", nargs="?", metavar="TAG", help="only of this card")
    why.add_argument("--limit", type=int, default=10, metavar="N", help="how many (10)")
    add_grid_limits_command(commands, common)
    add_sessions_command(commands, common)
    add_security_log_command(commands, common)
    add_list_command(commands, common)
    add_init_command(commands, common)
    add_acceptance_command(commands, common)
    queue = add("queue", "show what waits; send a parked message again, or discard it", _queue)
    queue.add_argument("order", choices=("show", "retry", "discard"), help="what to do")
    queue.add_argument("ref", type=int, nargs="?", metavar="NUMBER", help="as show tells it")
    skip = add("skip-delay", "let a session begin now, and not after the random delay", _skip)
    skip.add_argument("--connector", type=int, default=1, metavar="N", help="connector (1)")
    add_token_command(commands, common)
    add_support_command(commands, common)
    add_doctor_command(commands, common)
    add_self_test_commands(commands, common)
    add("safe-state", "open every output and exit", _safe_state)
    sim = commands.add_parser("sim", help="play driver and car on simulated hardware")
    sim.set_defaults(command=_sim)
    _add_levers(sim, common)
    add_manual_commands(commands, main)
    return main


def _common_options() -> _CommandLine:
    common = _CommandLine(add_help=False)
    common.add_argument(
        "--config", type=Path, metavar="PATH", help=f"configuration file ({paths.DEFAULT_CONFIG})"
    )
    common.add_argument("--json", action="store_true", help="answer as JSON, for scripts")
    return common


def _add_levers(sim: _CommandLine, common: _CommandLine) -> None:
    where = _CommandLine(add_help=False)
    where.add_argument("--connector", type=int, default=1, metavar="N", help="connector (1)")
    levers = sim.add_subparsers(title="what happens", required=True, dest="lever", metavar="WHAT")

    def add(name: str, help: str) -> argparse.ArgumentParser:
        return levers.add_parser(name, help=help, parents=[common, where])

    add("plug", "the car is plugged in")
    unplug = add("unplug", "the plug is pulled")
    unplug.add_argument("--at-car", action="store_true", help="at the car, which no lock holds")
    network = add("network", "the way to the central system is cut, or mended")
    network.add_argument("wanted", choices=("on", "off"), help="whether it works")
    grid = add("grid-limit", "the grid operator limits the box by its contact, or no longer")
    grid.add_argument("wanted", choices=("on", "off"), help="whether it is limited")
    tap = add("tap", "a card is held to the reader")
    tap.add_argument("card", metavar="UID", help="hex of its UID (8, 14 or 20 digits), or a tag")
    energy = add("energy", "the car asks for energy, or ceases to")
    energy.add_argument("wanted", choices=("on", "off"), help="whether it asks")
    fault = add("fault", "something breaks")
    offered(fault.add_argument("name", metavar="NAME", help=", ".join(FAULT_NAMES)), FAULT_NAMES)
    add("clear", "everything that broke is mended")


# --- the daemon ----------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> int:
    from agent.app.daemon import read_settings, run_daemon

    config = options.config or paths.DEFAULT_CONFIG
    settings = read_settings(config)
    _give_up_roots_rights(settings.storage_path.parent)
    return run_daemon(settings, config, simulate=options.simulate)


def _demo(options: argparse.Namespace) -> int:
    from agent.app.demo import run_demo

    _give_up_roots_rights(paths.demo_directory())
    return run_demo(paths.demo_directory())


def _give_up_roots_rights(folder: Path) -> None:
    """Where the state is another user's, the agent has that user's rights: it stays there."""
    from agent.maintenance.agent_user import SERVICE_GROUPS
    from agent.platform.ownership import become_owner

    user = become_owner(folder, SERVICE_GROUPS)
    if user:
        words = f"{folder} belongs to {user}: the agent goes on with the rights of {user}"
        Console(sys.stderr).tell([note(words)])


def _safe_state(options: argparse.Namespace) -> int:
    """As ``agent.__main__`` does it before anything here is imported."""
    from agent.app.last_defence import open_and_tell

    return open_and_tell(str(options.config or paths.DEFAULT_CONFIG), options.json)


# --- configuration -----------------------------------------------------------------------------


def _check_config(options: argparse.Namespace) -> int:
    from agent.config.advice import missing_files, warnings_for
    from agent.config.config_file import read_config
    from agent.config.pins import pin_table
    from agent.ocppj.connect import read_authorization_key

    path = options.config or paths.DEFAULT_CONFIG
    try:
        settings = read_config(path)
        if missing := missing_files(settings, read_authorization_key):
            raise ConfigError(missing)
    except ConfigError as error:
        if options.json:
            print(as_json({"ok": False, "mistakes": error.mistakes}))
            return 78
        raise
    pins = pin_table(settings)
    warnings = warnings_for(settings)
    if options.json:
        print(as_json({"ok": True, "warnings": warnings, "pins": dict(pins)}))
        return 0
    console = Console(sys.stdout)
    console.tell(map(note, warnings))
    console.tell(
        f"{pin}  {use}" if isinstance(pin, str) else f"GPIO {pin:2}  {use}" for pin, use in pins
    )
    console.tell([StyledLine(f"{path} is in order", "is in order", GREEN)])
    return 0


# --- talking to the running agent ----------------------------------------------------------------


def _status(options: argparse.Namespace) -> int:
    status = paths.asker(options.config)(do="status")
    if options.json:
        print(as_json(status))
    else:
        Console(sys.stdout).tell(status_view.status_lines(status))
    return 0


def _why(options: argparse.Namespace) -> int:
    ask = paths.asker(options.config)
    decisions = ask(do="why", id_tag=options.id_tag, limit=options.limit)
    if options.json:
        print(as_json(decisions))
    elif not decisions:
        print("no card has been decided on yet" if options.id_tag is None else "never seen here")
    else:
        Console(sys.stdout).tell(
            line for decision in decisions for line in status_view.decision_lines(decision)
        )
    return 0


def _queue(options: argparse.Namespace) -> int:
    if (options.ref is None) != (options.order == "show"):
        print("retry and discard need the NUMBER of a message, show needs none", file=sys.stderr)
        return WRONG_USAGE
    answer = paths.asker(options.config)(do="queue", order=options.order, ref=options.ref)
    if options.json:
        print(as_json(answer))
    elif options.order == "show":
        Console(sys.stdout).tell(status_view.queue_lines(answer))
    elif options.order == "retry":
        print(f"{answer['retried']} messages of that session are sent once more")
    else:
        print("forgotten")
    return 0


def _skip(options: argparse.Namespace) -> int:
    answer = paths.asker(options.config)(do="skip-delay", connector=options.connector)
    words = f"connector {options.connector}: no random delay any more"
    print(as_json(answer) if options.json else words)
    return 0


def _sim(options: argparse.Namespace) -> int:
    request = {"lever": options.lever, "connector": options.connector}
    match options.lever:
        case "tap":
            request["card"] = options.card
        case "unplug":
            request["at_car"] = options.at_car
        case "energy" | "network" | "grid-limit":
            request["wanted"] = options.wanted == "on"
        case "fault":
            request["name"] = options.name
    answer = paths.asker(options.config)(do="sim", **request)
    if options.json:
        print(as_json(answer))
    elif options.lever == "tap":
        decision = answer.get("decision")
        if decision is None:
            raise ControlError("nothing was decided about the card; see chargepoint-agent status")
        Console(sys.stdout).tell([status_view.decision_line(decision)])
    else:
        when = " (some faults show at the next move)" if options.lever == "fault" else ""
        print(f"done{when}; see: chargepoint-agent status")
    return 0


# --- the parser ----------------------------------------------------------------------------------


class _CommandLine(argparse.ArgumentParser):
    """Prints its commands where one is needed and none was typed; exit status 2.

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


class _ShowVersion(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from agent.maintenance.machine import own_version

        print(f"{parser.prog} {own_version()}")
        parser.exit()
