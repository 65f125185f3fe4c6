"""What the acceptance test leaves behind: one file for programs, one for people.

Both are written anew whenever something was seen. Card numbers are masked; no password is in it.
"""

from __future__ import annotations

import hashlib
import json
import platform
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent.maintenance.machine import BOARD, first_text, own_version, version_of
from agent.platform.errors import AgentError
from agent.platform.file_problems import in_words
from agent.platform.ownership import rights_of_owner
from agent.platform.whole_file import write_private
from agent.runtime.clock import this_boot_id

FORMAT = 1
PASSED, FAILED, SKIPPED, RUNNING = "passed", "failed", "skipped", "running"
MARKS = {PASSED: "PASS", FAILED: "FAIL", SKIPPED: "SKIP", RUNNING: "...."}
_WIDTH = 80
_FILE_BYTES_MAX = 1_000_000


@dataclass(slots=True)
class StepRecord:
    """One step: what was seen, and how it ended. Times are UTC, ISO 8601."""

    name: str
    title: str
    began_at: str
    result: str = RUNNING
    ended_at: str = ""
    facts: list[str] = field(default_factory=list)
    problem: str = ""
    to_do: str = ""  # what the person at the box has to do now, while it runs
    kept: dict[str, Any] = field(default_factory=dict)  # what its second half must know


@dataclass(slots=True)
class Evidence:
    """One acceptance test. ``about`` tells which box, which versions, which configuration."""

    about: dict[str, Any]
    began_at: str
    steps: list[StepRecord] = field(default_factory=list)

    @property
    def result(self) -> str:
        """Failed if one step did; passed if every one did; else incomplete."""
        results = {step.result for step in self.steps}
        if FAILED in results:
            return FAILED
        return PASSED if results == {PASSED} else "incomplete"

    def step(self, name: str) -> StepRecord | None:
        """The record of a step, if it has begun."""
        return next((step for step in self.steps if step.name == name), None)

    def begin(self, record: StepRecord) -> StepRecord:
        """Add a step; one that was broken off is begun anew."""
        self.steps = [step for step in self.steps if step.name != record.name] + [record]
        return record

    def as_data(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "format": FORMAT,
            "result": self.result,
            "began_at": self.began_at,
            "about": self.about,
            "steps": [asdict(step) for step in self.steps],
        }

    def as_text(self) -> str:
        """Everything as a page of 80 columns."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield f"Acceptance test of {self.about.get('identity', '?')}: {self.result.upper()}"
        yield f"begun {self.began_at}"
        yield ""
        for name, value in self.about.items():
            yield from _folded(f"{name.replace('_', ' '):18}{value}", 18)
        for step in self.steps:
            yield ""
            yield f"{MARKS[step.result]}  {step.title}"
            yield f"      {step.began_at}" + (f" to {step.ended_at}" if step.ended_at else "")
            for fact in step.facts:
                yield from _folded(f"      - {fact}", 8)
            if step.problem:
                yield from _folded(f"      {step.problem}", 6)


def _folded(line: str, indent: int) -> list[str]:
    return textwrap.wrap(line, _WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False) or [
        line
    ]


def save(evidence: Evidence, base: Path) -> None:
    """Write ``base``.json and ``base``.txt, each whole or not at all. Raises AgentError."""
    data = json.dumps(evidence.as_data(), indent=2, ensure_ascii=False) + "\n"
    for suffix, text in ((".json", data), (".txt", evidence.as_text())):
        write_private(base.with_name(base.name + suffix), text.encode())


def load(path: Path) -> Evidence:
    """Read a file that ``save`` wrote. Raises AgentError with a sentence."""
    try:
        with rights_of_owner(path.absolute().parent), open(path, encoding="utf-8") as file:
            data = json.loads(file.read(_FILE_BYTES_MAX))
        if data["format"] != FORMAT or not isinstance(data["about"], dict):
            raise ValueError
        steps = [StepRecord(**step) for step in data["steps"]]
        return Evidence(data["about"], str(data["began_at"]), steps)
    except OSError as problem:
        raise AgentError(in_words(problem, "read", path)) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise AgentError(f"{path} is no evidence file of an acceptance test") from None


_DEMO = "DEMO-1"


def about_this_box(
    config: Path | None, connector_id: int, status: Mapping[str, Any]
) -> dict[str, Any]:
    """Plain data; ``config`` None: the demonstration. Raises ConfigError."""
    from agent.config.config_file import read_config

    digest = "" if config is None else hashlib.sha256(config.read_bytes()).hexdigest()
    return {
        "identity": _DEMO if config is None else read_config(config).charge_point.identity,
        "connector": connector_id,
        "hardware": "simulated" if status["simulated"] else "real",
        "central_system": status["link"]["url"] or "none",
        "agent": own_version(),
        "ocpp_library": version_of("ocpp") or "unknown",
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": first_text(BOARD) or platform.machine(),
        "boot_id": this_boot_id(),
        "configuration": "the demonstration" if config is None else str(config),
        "configuration_sha256": digest,
    }
