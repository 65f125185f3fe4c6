"""One run of the acceptance test: asks for an action, waits until the agent shows its effect.

A person acts, or the controls of simulated hardware do. Only that counts as done
which the running agent shows in ``status`` and ``why``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Protocol

from agent.cli.commissioning.acceptance_report import (
    FAILED,
    MARKS,
    PASSED,
    RUNNING,
    SKIPPED,
    Evidence,
    StepRecord,
)
from agent.cli.console import GREEN, RED, YELLOW, StyledLine
from agent.core.values import Instant
from agent.platform.errors import AgentError, ControlError

if TYPE_CHECKING:
    from agent.cli.commissioning.acceptance_steps import AcceptanceStep

Status = Mapping[str, Any]
Claim = Callable[[Status], bool]
POLL_S = 0.3
LONG_S = 400.0  # a link comes back within its longest pause, 5 minutes
SKIP, FAIL = "s", "f"
_COLOURS = {PASSED: GREEN, FAILED: RED, SKIPPED: YELLOW}


class StepFailed(AgentError):
    """A step was not passed; the sentence says why."""


class StepSkipped(AgentError):
    """A step was left out; the sentence says why."""


class Prompter(Protocol):
    """Shows a person what to do."""

    def tell(self, *lines: str) -> None:
        """Say something."""

    def wait(self, for_s: float, words: str, left_s: float) -> str:
        """Show what is waited for, and wait; returns a key that was pressed meanwhile, or ""."""


@dataclass(frozen=True, slots=True)
class AcceptanceContext:
    """What a run works with. ``ask`` is the control socket; ``cut_power`` None: by hand only."""

    ask: Callable[..., Any]
    now: Callable[[], Instant]
    prompter: Prompter
    save: Callable[[], None]
    connector_id: int
    is_automatic: bool
    card: str
    refused_card: str
    charge_s: float
    limit_s: float
    boot_id: str
    cut_power: Callable[[], None] | None = None


class AcceptanceRun:
    """The actions of one step, and what was seen."""

    def __init__(self, context: AcceptanceContext, record: StepRecord) -> None:
        self.context = context
        self.record = record

    # --- looking -----------------------------------------------------------------------------

    def status(self) -> Status:
        """What the agent says now. Raises StepFailed without an answer."""
        status = self.status_if_any()
        if status is None:
            raise StepFailed("the agent does not answer any more")
        return status

    def status_if_any(self) -> Status | None:
        """What the agent says now; None while none is running."""
        try:
            status: Status = self.context.ask(do="status")
        except ControlError:  # none is running, or one that is just ending
            return None
        return status

    def connector(self, status: Status) -> Mapping[str, Any]:
        """The connector under test."""
        found: Mapping[str, Any]
        for found in status["connectors"]:
            if found["id"] == self.context.connector_id:
                return found
        raise StepFailed(f"there is no connector {self.context.connector_id}")

    def decision(self) -> Mapping[str, Any] | None:
        """The newest decision about a card."""
        newest = self.context.ask(do="why", limit=1)
        return newest[0] if newest else None

    def fact(self, words: str) -> None:
        """Keep something that was seen, with its time."""
        self.record.facts.append(f"{self.time()} {words}")

    def time(self) -> str:
        """The time of day in UTC, as evidence shows it."""
        return self.context.now().utc.strftime("%H:%M:%SZ")

    # --- doing -------------------------------------------------------------------------------

    def do(
        self,
        words: str,
        lever: Callable[[], None] | None,
        until: Claim,
        expects: str,
        limit_s: float | None = None,
        trouble: Callable[[], str] = lambda: "",
    ) -> Status:
        """Ask for an action, and wait for its effect. ``lever`` None: only a person can do it."""
        self.record.to_do = words
        self.context.save()
        self.context.prompter.tell(f"  > {words}")
        if self.context.is_automatic and lever is not None:
            lever()
        try:
            return self.wait(until, expects, limit_s, trouble)
        finally:
            self.record.to_do = ""

    def wait(
        self,
        until: Claim,
        expects: str,
        limit_s: float | None = None,
        trouble: Callable[[], str] = lambda: "",
    ) -> Status:
        """Wait until the claim holds. Raises StepFailed with what is seen, or StepSkipped."""
        limit_s = self.context.limit_s if limit_s is None else limit_s
        deadline_s = self.context.now().monotonic_s + limit_s
        while True:
            status = self.status_if_any()
            if status is not None and until(status):
                return status
            if status is not None and (problem := trouble()):
                raise StepFailed(problem)
            left_s = deadline_s - self.context.now().monotonic_s
            if left_s <= 0:
                raise StepFailed(self._not_seen(expects, limit_s, status))
            self.look_at_key(self.context.prompter.wait(min(POLL_S, left_s), expects, left_s))

    def look_at_key(self, key: str) -> None:
        """Raise what the person at the box wants."""
        if key == SKIP:
            raise StepSkipped("left out by the person at the box")
        if key == FAIL:
            raise StepFailed("failed, says the person at the box")

    def _not_seen(self, expects: str, limit_s: float, status: Status | None) -> str:
        if status is None:
            return f"{expects}: not seen within {limit_s:g} s; the agent does not answer"
        words = self.connector(status)["in_words"]
        faults = "".join(f"; fault: {fault}" for fault in status["faults"])
        link = "" if status["link"]["is_accepted"] else "; no central system has accepted it"
        return f"{expects}: not seen within {limit_s:g} s; it says: {words}{faults}{link}"

    # --- the simulation controls -------------------------------------------------------------

    def pull(self, lever: str, **how: Any) -> Callable[[], None]:
        """An action of the simulation controls. Raises StepFailed when the agent refuses it."""

        def act() -> None:
            try:
                self.context.ask(do="sim", lever=lever, connector=self.context.connector_id, **how)
            except ControlError as problem:
                raise StepFailed(str(problem)) from None

        return act


def run_steps(
    steps: Iterable[AcceptanceStep],
    context: AcceptanceContext,
    evidence: Evidence,
    may_go_on: bool = False,
) -> None:
    """Run every step that has no result yet, and keep what was seen.

    ``may_go_on``: a step that was running when the power was cut is resumed.
    """
    for step in steps:
        record = evidence.step(step.name)
        if record is not None and record.result != RUNNING:
            continue
        is_second_half = may_go_on and record is not None and bool(record.kept.get("session"))
        if record is None or not is_second_half:
            record = evidence.begin(StepRecord(step.name, step.title, _now(context)))
        context.save()
        context.prompter.tell("", step.title)
        _run_step(step, AcceptanceRun(context, record), is_second_half)
        record.ended_at, record.to_do = _now(context), ""
        context.save()
        mark = MARKS[record.result]
        line = f"{mark}  {record.problem}" if record.problem else mark
        ending = StyledLine(line, mark, _COLOURS[record.result])
        context.prompter.tell(*(f"    {fact}" for fact in record.facts), ending)


def _run_step(step: AcceptanceStep, run: AcceptanceRun, is_second_half: bool) -> None:
    record = run.record
    try:
        if is_second_half and step.goes_on is not None:
            step.goes_on(run)
        else:
            step.run(run)
    except StepSkipped as reason:
        record.result, record.problem = SKIPPED, str(reason)
    except (StepFailed, ControlError) as problem:
        record.result, record.problem = FAILED, str(problem)
    else:
        record.result = PASSED


def _now(context: AcceptanceContext) -> str:
    return context.now().utc.astimezone(UTC).isoformat(timespec="seconds")
