"""What a lock file names: versions, and the SHA-256 of every wheel that may be installed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = Path(__file__).parent / "lock"
RUN = LOCKS / "run.txt"
DEV = LOCKS / "dev.txt"


@dataclass(frozen=True)
class Pin:
    """One package of a lock file."""

    requirement: Requirement
    hashes: frozenset[str]

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        (exactly,) = self.requirement.specifier
        assert exactly.operator == "=="
        return exactly.version

    def is_for(self, python: str, machine: str) -> bool:
        """Whether that Python on that processor (as ``uname -m`` says) gets it."""
        marker = self.requirement.marker
        return marker is None or marker.evaluate(
            {
                "python_version": python,
                "python_full_version": f"{python}.0",
                "platform_machine": machine,
                "sys_platform": "linux",
                "platform_python_implementation": "CPython",
            }
        )


def pins(lock: Path) -> list[Pin]:
    """Every package of that lock file. Raises ValueError for a line that is no pin with hashes."""
    text = lock.read_text().replace("\\\n", " ")
    return [_pin(line) for line in text.splitlines() if line.strip()]


def _pin(line: str) -> Pin:
    wanted, *options = re.split(r"\s+--", line.strip())
    hashes = [re.fullmatch(r"hash=sha256:([0-9a-f]{64})", option) for option in options]
    requirement = Requirement(wanted)
    if requirement.url or not re.fullmatch(r"==[\w.]+", str(requirement.specifier)):
        raise ValueError(f"not one version: {wanted}")
    if not hashes or None in hashes:
        raise ValueError(f"not only hashes: {line.strip()}")
    return Pin(requirement, frozenset(found.group(1) for found in hashes if found))


def requirements_file(lock: Path, python: str, machine: str) -> str:
    """The part of the lock for one Python and processor, as pip reads it, without markers."""
    return "".join(
        f"{pin.name}=={pin.version}"
        + "".join(f" --hash=sha256:{one}" for one in sorted(pin.hashes))
        + "\n"
        for pin in pins(lock)
        if pin.is_for(python, machine)
    )
