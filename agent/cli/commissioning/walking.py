"""Walking through the steps: one after the other, each kept as evidence whatever happens."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

from agent.cli.commissioning.acceptance_report import (
    FAILED,
    MARKS,
    PASSED,
    RUNNING,
    SKIPPED,
    Evidence,
    StepRecord,
)
from agent.cli.commissioning.acceptance_run import Means, StepFailed, StepSkipped, Walk
from agent.cli.commissioning.acceptance_steps import Step
from agent.platform.errors import ControlError


def walk_through(
    steps: Iterable[Step], means: Means, evidence: Evidence, may_go_on: bool = False
) -> None:
    """Run every step that has no result yet, and keep what was seen.

    ``may_go_on``: a step that was running when the power went is gone on with.
    """
    for step in steps:
        record = evidence.step(step.name)
        if record is not None and record.result != RUNNING:
            continue
        is_second_half = may_go_on and record is not None and bool(record.kept.get("session"))
        if record is None or not is_second_half:
            record = evidence.begin(StepRecord(step.name, step.title, _now(means)))
        means.save()
        means.guide.tell("", step.title)
        _run(step, Walk(means, record), is_second_half)
        record.ended_at, record.to_do = _now(means), ""
        means.save()
        means.guide.tell(*(f"    {fact}" for fact in record.facts), _ending(record))


def _run(step: Step, walk: Walk, is_second_half: bool) -> None:
    record = walk.record
    try:
        if is_second_half and step.goes_on is not None:
            step.goes_on(walk)
        else:
            step.run(walk)
    except StepSkipped as reason:
        record.result, record.problem = SKIPPED, str(reason)
    except (StepFailed, ControlError) as problem:
        record.result, record.problem = FAILED, str(problem)
    else:
        record.result = PASSED


def _ending(record: StepRecord) -> str:
    mark = MARKS[record.result]
    return f"{mark}  {record.problem}" if record.problem else mark


def _now(means: Means) -> str:
    return means.now().utc.astimezone(UTC).isoformat(timespec="seconds")
