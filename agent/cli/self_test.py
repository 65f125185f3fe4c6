"""``chargepoint-agent self-test`` and ``acknowledge``: a technician alone with the box."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TextIO

from agent.cli import paths
from agent.cli.console import Console, add_command, as_json, chosen
from agent.cli.status_view import finding_line
from agent.maintenance.findings import (
    Finding,
    FindingVerdict,
    failed,
    is_healthy,
    skipped,
)
from agent.platform.errors import AgentError, ControlError, NoAgent

Ask = Callable[..., Any]
Step = Mapping[str, str]

WORDS = "try each device without a car; ask before anything moves"


def add_self_test_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``self-test`` and ``acknowledge``."""
    test = add_command(commands, common, "self-test", WORDS, run_self_test_command)
    test.add_argument("--yes", action="store_true", help="move parts without asking anybody")
    test.add_argument("--only", default="", metavar="STEP,...", help="these steps (see --list)")
    test.add_argument("--list", action="store_true", help="name the steps, try nothing")
    test.add_argument("--last", action="store_true", help="show what the last one found")
    words = "say that a contactor with a fault has been mended, so that sessions may begin again"
    mended = add_command(commands, common, "acknowledge", words, run_acknowledge_command)
    mended.add_argument("--connector", type=int, default=1, metavar="N", help="connector (1)")


def run_acknowledge_command(options: argparse.Namespace) -> int:
    """Tell the agent; ControlError when the contacts are still closed."""
    answer = _asker(options)(do="acknowledge", connector=options.connector)
    if options.json:
        print(json.dumps(answer))
    else:
        detail = answer.get("detail", "sessions may begin again")
        Console(sys.stdout).tell([f"connector {options.connector}: {detail}"])
    return 0


def run_self_test_command(options: argparse.Namespace) -> int:
    """Walk through the steps; 1 when one failed. Raises AgentError when it cannot be done now."""

    ask = _asker(options)
    if options.last:
        return _show_last(options, ask)
    steps = ask(do="self_test", what="steps")
    names = chosen([step["name"] for step in steps], options.only)
    steps = [step for step in steps if step["name"] in names]
    if options.list:
        return _show_steps(options, steps)
    ask(do="self_test", what="begin")
    findings = []
    console = Console(sys.stdout)
    person = _person(options)
    for finding in _walk(steps, ask, person):
        findings.append(finding)
        if not options.json:
            console.tell([finding_line(finding)])
    data = [finding.as_data() for finding in findings]
    path = ask(do="self_test", what="store", findings=data)["path"]
    healthy = is_healthy(findings)
    if options.json:
        print(as_json({"ok": healthy, "findings": data}))
    else:
        console.tell(["", f"{_summary(findings)}; kept in {path}"])
    return 0 if healthy else 1


def _walk(steps: list[Step], ask: Ask, person: Person | None) -> Iterator[Finding]:

    for step in steps:
        name = step["name"]
        if step["wants"] and (person is None or not person.agrees(f"{step['wants']} Ready?")):
            yield skipped(name, "left out: it needs a person")
            continue
        if step["moves"] and person is not None and not person.agrees(f"{step['moves']} Go on?"):
            yield skipped(name, "left out")
            continue
        try:
            finding = Finding.of(ask(do="self_test", what="try", step=name))
        except ControlError as problem:
            finding = failed(name, str(problem), "then try again")
        if finding.verdict is FindingVerdict.PASS and step["confirm"]:
            finding = _confirmed(finding, step["confirm"], person)
        yield finding


def _confirmed(finding: Finding, question: str, person: Person | None) -> Finding:

    if person is None:
        words = f"{finding.words}; no one was asked: {question}"
        return replace(finding, verdict=FindingVerdict.NOTE, words=words)
    if person.agrees(question):
        return replace(finding, words=f"{finding.words}, and a person has noticed")
    words, then = "nothing was noticed", "its wires, its supply, its pins"
    return replace(finding, verdict=FindingVerdict.FAIL, words=words, then=then)


class Person:
    """A person at a keyboard."""

    def __init__(self, answers: TextIO, questions: TextIO) -> None:
        self._answers = answers
        self._questions = questions

    def agrees(self, question: str) -> bool:
        """Ask; only a clear yes is one. ControlError at the end of the input."""
        self._questions.write(f"{question} [y/N] ")
        self._questions.flush()
        line = self._answers.readline()
        if not line:
            raise ControlError("the self-test was ended: no one answers")
        return line.strip().lower() in ("y", "yes")


def _person(options: argparse.Namespace) -> Person | None:
    """The person to ask; None with --yes. AgentError without a terminal."""
    if options.yes:
        return None
    if not sys.stdin.isatty():
        raise AgentError("parts will move, and no one can be asked here: use --yes or a terminal")
    return Person(sys.stdin, sys.stderr)


def _show_steps(options: argparse.Namespace, steps: list[Step]) -> int:
    if options.json:
        print(as_json(steps))
    else:
        width = max((len(step["name"]) for step in steps), default=0)
        Console(sys.stdout).tell(
            f"{step['name']:{width}}  {step['moves'] or step['wants']}".rstrip() for step in steps
        )
    return 0


def _show_last(options: argparse.Namespace, ask: Ask) -> int:

    record = ask(do="self_test", what="last")
    if options.json:
        print(as_json(record))
    else:
        findings = [Finding.of(data) for data in record["findings"]]
        console = Console(sys.stdout)
        console.tell(map(finding_line, findings))
        console.tell(["", f"{_summary(findings)}; done at {record['time']}"])
    return 0 if record["ok"] else 1


def _summary(findings: list[Finding]) -> str:

    counts = {v: sum(finding.verdict is v for finding in findings) for v in FindingVerdict}
    return ", ".join(f"{count} {v.value}" for v, count in counts.items() if count) or "nothing"


def _asker(options: argparse.Namespace) -> Ask:
    ask = paths.asker(options.config)

    def ask_agent(**request: Any) -> Any:
        try:
            return ask(**request)
        except NoAgent as problem:
            raise NoAgent(f"{problem}; the running agent does this: start it first") from None

    return ask_agent
