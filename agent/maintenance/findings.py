"""What the doctor finds: one line for each step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

STEP_WIDTH = 13


class FindingVerdict(Enum):
    """How a step came out."""

    PASS = "pass"
    FAIL = "fail"
    NOTE = "note"  # works, but is worth a look
    SKIP = "skip"  # not needed here, or a step before it failed


@dataclass(frozen=True, slots=True)
class Finding:
    """One step; ``then`` says what a person can do about it."""

    step: str
    verdict: FindingVerdict
    words: str
    then: str = ""

    @classmethod
    def of(cls, data: Mapping[str, str]) -> Finding:
        """What ``as_data`` made plain."""
        return cls(data["step"], FindingVerdict(data["verdict"]), data["words"], data["then"])

    def line(self) -> str:
        """As a person reads it."""
        head = f"{self.verdict.name}  {self.step:{STEP_WIDTH}}  {self.words}"
        return f"{head}; next: {self.then}" if self.then else head

    def as_data(self) -> dict[str, Any]:
        """As a script reads it."""
        return {**asdict(self), "verdict": self.verdict.value}


def passed(step: str, words: str) -> Finding:
    """All is well."""
    return Finding(step, FindingVerdict.PASS, words)


def failed(step: str, words: str, then: str = "") -> Finding:
    """This does not work."""
    return Finding(step, FindingVerdict.FAIL, words, then)


def noted(step: str, words: str, then: str = "") -> Finding:
    """This works, but not as well as it could."""
    return Finding(step, FindingVerdict.NOTE, words, then)


def skipped(step: str, words: str) -> Finding:
    """This was not looked at."""
    return Finding(step, FindingVerdict.SKIP, words)


def is_healthy(findings: Iterable[Finding]) -> bool:
    """True unless something does not work."""
    return all(finding.verdict is not FindingVerdict.FAIL for finding in findings)
