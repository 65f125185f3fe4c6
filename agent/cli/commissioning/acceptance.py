"""``chargepoint-agent acceptance``: the acceptance test, step by step, at the box."""

from __future__ import annotations

import argparse
import re
import select
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from agent.cli import paths
from agent.cli.console import Console, add_command, as_json, chosen
from agent.platform.errors import AgentError

if TYPE_CHECKING:
    from agent.cli.commissioning.acceptance_report import Evidence
    from agent.cli.commissioning.acceptance_run import AcceptanceContext
    from agent.core.ports import Clock

WORDS = "walk through the acceptance test at the box and write an evidence file"
DAY_S = 86_400.0
BY_HAND_S, BY_ITSELF_S = 120.0, 20.0
_CUT_S = 60.0


def add_acceptance_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``acceptance``."""
    add = add_command(commands, common, "acceptance", WORDS, run_acceptance_command).add_argument
    add("--connector", type=int, default=1, metavar="N", help="connector under test (1)")
    add("--only", default="", metavar="STEP,...", help="these steps (an unknown one lists all)")
    add("--skip", default="", metavar="STEP,...", help="all but these")
    add("--by-hand", action="store_true", help="a person does it all, on simulated hardware too")
    add("--simulated", action="store_true", help="refuse to run on real hardware")
    add("--card", default="044943121F1A80", metavar="UID", help="simulated card that may charge")
    add("--refused-card", default="DEADBEEF", metavar="UID", help="simulated card that must not")
    add(
        "--charge-s",
        type=_seconds,
        default=10.0,
        metavar="S",
        help="how long to charge (10); at least until a card may end what it began",
    )
    add(
        "--limit-s",
        type=_seconds,
        metavar="S",
        help="longest wait for an action (120; simulated 20)",
    )
    add("--power-cut-command", metavar="CMD", help="ends a simulated box; it must start again")
    add("--evidence", type=Path, metavar="PATH", help="where to write, without .json and .txt")
    add("--resume", type=Path, metavar="FILE", help="go on after the power cut, with that .json")


def run_acceptance_command(options: argparse.Namespace) -> int:
    """Walk through the steps; 0: none failed. Raises AgentError with a sentence."""
    from agent.cli.commissioning.acceptance_run import run_steps
    from agent.runtime.clock import SystemClock

    clock = SystemClock()
    ask = paths.asker(options.config)
    status = ask(do="status")
    is_automatic = bool(status["simulated"]) and not options.by_hand
    if options.simulated and not status["simulated"]:
        raise AgentError("this box has real hardware: leave --simulated out")
    steps = _chosen_steps(options, status)
    evidence, base = _evidence(options, clock, status)
    prompter = TerminalPrompter(sys.stderr if options.json else sys.stdout, sys.stdin)
    context = _context(options, ask, clock, prompter, evidence, base, is_automatic)
    prompter.tell(f"Evidence: {base}.json and {base.name}.txt")
    if not is_automatic:
        prompter.tell("While it waits: s and Enter leaves a step out, f and Enter fails it.")
    run_steps(steps, context, evidence, may_go_on=options.resume is not None)
    if options.json:
        print(as_json(evidence.as_data()))
    else:
        prompter.tell("", f"Acceptance test: {evidence.result}")
    return 1 if evidence.result == "failed" else 0


def _chosen_steps(options: argparse.Namespace, status: Any) -> tuple[Any, ...]:
    from agent.cli.commissioning.acceptance_steps import STEPS

    steps = [step for step in STEPS if step.is_for(status)]
    names = chosen([step.name for step in steps], options.only, options.skip)
    return tuple(step for step in steps if step.name in names)


def _evidence(options: argparse.Namespace, clock: Clock, status: Any) -> tuple[Evidence, Path]:
    from agent.cli.commissioning.acceptance_report import Evidence, about_this_box, load

    if options.resume is not None:
        return load(options.resume), options.resume.absolute().with_suffix("")
    now = clock.now().utc
    about = about_this_box(options.config or paths.config_in_use(), options.connector, status)
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", str(about["identity"]))
    name = f"acceptance-{plain}-{now:%Y%m%d-%H%M%S}"
    base = (options.evidence or Path(name)).absolute()
    return Evidence(about, now.isoformat(timespec="seconds")), base


def _context(
    options: argparse.Namespace,
    ask: Callable[..., Any],
    clock: Clock,
    prompter: TerminalPrompter,
    evidence: Evidence,
    base: Path,
    is_automatic: bool,
) -> AcceptanceContext:
    from agent.cli.commissioning.acceptance_report import save
    from agent.cli.commissioning.acceptance_run import AcceptanceContext
    from agent.runtime.clock import this_boot_id

    limit_s = options.limit_s or (BY_ITSELF_S if is_automatic else BY_HAND_S)
    command = options.power_cut_command
    return AcceptanceContext(
        ask=ask,
        now=clock.now,
        prompter=prompter,
        save=lambda: save(evidence, base),
        connector_id=options.connector,
        is_automatic=is_automatic,
        card=options.card,
        refused_card=options.refused_card,
        charge_s=max(options.charge_s, _tap_guard_s(options.config)),
        limit_s=limit_s,
        boot_id=this_boot_id(),
        cut_power=None if command is None else lambda: _cut_power(command),
    )


def _tap_guard_s(config: Path | None) -> float:
    """Before that a second tap does not end a session."""
    from agent.config.config_file import read_config
    from agent.config.settings import AuthorizationSettings

    config = config or paths.config_in_use()
    rules = AuthorizationSettings() if config is None else read_config(config).authorization
    return rules.tap_guard_s


def _cut_power(command: str) -> None:
    from agent.cli.commissioning.acceptance_run import StepFailed

    try:
        done = subprocess.run(shlex.split(command), timeout=_CUT_S, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired) as problem:
        raise StepFailed(f"--power-cut-command: {problem}") from None
    if done.returncode != 0:
        raise StepFailed(f"--power-cut-command ended with status {done.returncode}")


class TerminalPrompter:
    """Speaks on one stream, and listens to the keyboard where there is one."""

    def __init__(self, stream: TextIO, keyboard: TextIO) -> None:
        self._console = Console(stream)
        self._keyboard: TextIO | None = keyboard if keyboard.isatty() else None
        self._pause = threading.Event()
        self._is_waiting = False

    def tell(self, *lines: str) -> None:
        """Say something."""
        if self._is_waiting:
            self._console.overwrite("")
            self._is_waiting = False
        self._console.tell(lines)

    def wait(self, for_s: float, words: str, left_s: float) -> str:
        """Show what is waited for, and wait; returns what was typed meanwhile, or ""."""
        if self._console.is_terminal:
            self._console.overwrite(f"    waiting for {words}, {left_s:.0f} s left")
            self._is_waiting = True
        if self._keyboard is None:
            self._pause.wait(for_s)
            return ""
        readable, _, _ = select.select([self._keyboard], [], [], for_s)
        if not readable:
            return ""
        line = self._keyboard.readline()
        if not line:  # the end of the input
            self._keyboard = None
        return line.strip().lower()[:1]


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= DAY_S:
        raise argparse.ArgumentTypeError(f"must be a number of seconds up to {DAY_S:g}, got {text}")
    return seconds
