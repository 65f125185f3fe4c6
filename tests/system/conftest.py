"""One machine for all tests here: they follow each other as days in the life of an installation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.system.central_system import CentralSystem, serving
from tests.system.machine import CACHE, Machine, copy_project, machine, wait_until, why_not

SERVICE = "chargepoint-agent"


@dataclass
class Station:
    """The machine with the agent on it, and the central system that it calls."""

    machine: Machine
    central_system: CentralSystem
    url: str

    def main_pid(self) -> int:
        """The main process of the service as its machine numbers it; 0: none runs."""
        return int(self.property("MainPID"))

    def property(self, name: str) -> str:
        """A property of the unit, as ``systemctl show`` gives it."""
        return self.machine.run(f"systemctl show --value --property={name} {SERVICE}").strip()

    def stamp(self, what: str) -> float:
        """When systemd saw this last, on this machine's monotonic clock: ``ActiveExit``, ..."""
        return int(self.property(f"{what}TimestampMonotonic")) / 1e6

    def mark(self) -> str:
        """A place in the journal: see ``journal``."""
        shown = self.machine.run("journalctl --lines=0 --show-cursor")
        return shown.split("cursor: ")[-1].strip()

    def journal(self, since: str, output: str = "cat") -> str:
        """What the service and systemd said about it since the mark."""
        return self.machine.run(
            f"journalctl --unit={SERVICE} --after-cursor='{since}' --output={output}"
        )

    def is_up(self) -> bool:
        """Whether systemd has been told that the agent is ready."""
        return self.property("ActiveState") == "active" and self.main_pid() != 0

    def wait_until_up(self, other_than: int = 0, within_s: float = 30) -> float:
        """Wait until it is up, as another process than that; returns the seconds."""
        return wait_until(
            lambda: self.main_pid() not in (0, other_than) and self.is_up(),
            within_s,
            "the service is up",
        )

    def sim(self, *words: str) -> str:
        """Play driver or car."""
        return self.machine.run(f"{SERVICE} sim {' '.join(words)}")


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def fresh(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Station]:
    """A fresh Debian without anything of the project."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"a machine with systemd of its own: {reason}")
    scratch = tmp_path_factory.mktemp(request.param)
    with serving() as (central_system, url), machine(CACHE, scratch, request.param) as new:
        yield Station(new, central_system, url)


@pytest.fixture(scope="module")
def station(fresh: Station) -> Station:
    """A fresh Debian with the project's files in /root, and nothing installed yet."""
    copy_project(fresh.machine.root / "root" / SERVICE)
    return fresh
