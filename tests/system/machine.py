"""A Debian with a systemd of its own, in a container: made once, copied for each run.

Needs root, debootstrap and systemd-container. It shares the network of this machine: what listens
on loopback here is reached from inside, and the other way round.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
CACHE = (
    Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "chargepoint-agent-tests"
)
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "udev",
    "ca-certificates",
    "git",
    "make",
    "python3",
    "python3-venv",
)
BOOT_S = 60.0
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# The memory controller is read-only in a container unless somebody opens it before systemd looks:
# then MemoryMax= would silently do nothing.
INIT = (
    "for c in memory pids devices; do mount -o remount,bind,rw /sys/fs/cgroup/$c || true; done;"
    " exec /lib/systemd/systemd"
)
_numbers = itertools.count(1)


class SystemTestError(Exception):
    """The machine under test did not do what it was told."""


class NotToBeHadError(SystemTestError):
    """Something that a test needs cannot be fetched from here; the text names it."""


def why_not() -> str | None:
    """What is missing for such a machine; None when everything is there."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [
        name for name in ("debootstrap", "systemd-nspawn", "nsenter") if not shutil.which(name)
    ]
    return f"not installed: {', '.join(missing)}" if missing else None


def wait_until(claim: Callable[[], bool], within_s: float, what: str) -> float:
    """Wait for something that another machine does; returns the seconds that it took."""
    begin = time.monotonic()
    while not claim():
        if time.monotonic() - begin > within_s:
            raise SystemTestError(f"not within {within_s:g} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - begin


def base_system(
    cache: Path,
    suite: str,
    packages: tuple[str, ...],
    name: str,
    prepare: Callable[[Path], None] = lambda root: None,
    foreign: str = "",
) -> Path:
    """A folder with a minimal Debian; made by debootstrap the first time (one or two minutes).

    Nobody may change it: who needs one takes a copy. ``name`` tells it from others of that suite;
    ``prepare`` adds to it once what Debian does not have. ``foreign`` is another architecture,
    whose code does not run here: its packages are fetched, and only the base is unpacked.
    """
    root = cache / f"{suite}-{name}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{root.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs may want it at the same time
        if not root.exists():
            unfinished = cache / f"{root.name}-unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            include = f"--include={','.join(packages)}"
            other = [f"--arch={foreign}", "--foreign"] if foreign else []
            command = ("debootstrap", "--variant=minbase", *other, include, suite, str(unfinished))
            try:
                run_here(*command)
            except SystemTestError as problem:
                raise NotToBeHadError(f"Debian {suite}: {problem}") from problem
            prepare(unfinished)
            unfinished.rename(root)
    return root


@contextlib.contextmanager
def copy_of(base: Path, scratch: Path) -> Iterator[Path]:
    """A copy of a base system that reaches what this machine reaches; gone at the end."""
    root = scratch / "root"
    try:
        run_here("cp", "--archive", "--reflink=auto", str(base), str(root))
        if Path(CERTIFICATES).exists():  # the registries' certificates may be this machine's own
            shutil.copy(CERTIFICATES, root / CERTIFICATES.lstrip("/"))
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        # An installer writes it, debootstrap does not.
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def copy_project(target: Path) -> None:
    """Copy the files that git knows, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        source = REPOSITORY / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)


def run_here(*command: str) -> None:
    """Run a command on this machine. Raises SystemTestError with what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemTestError(f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


@dataclass
class Machine:
    """One throw-away copy of the base system, with its power switch."""

    root: Path
    name: str = field(default_factory=lambda: f"charge-point-{os.getpid()}-{next(_numbers)}")
    _container: subprocess.Popen[bytes] | None = None
    _leader: int | None = None

    def boot(self) -> None:
        """Switch on; returns when systemd has started everything."""
        self._container = subprocess.Popen(
            [
                "systemd-nspawn",
                f"--directory={self.root}",
                f"--machine={self.name}",
                "--register=no",
                "--keep-unit",
                "--quiet",
                "/bin/sh",
                "-c",
                INIT,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._has_leader, BOOT_S, "the container starts")
        wait_until(self._has_booted, BOOT_S, "systemd has started everything")

    def _has_leader(self) -> bool:
        assert self._container is not None
        if self._container.poll() is not None:
            raise SystemTestError(f"systemd-nspawn ended with {self._container.returncode}")
        children = Path(f"/proc/{self._container.pid}/task/{self._container.pid}/children")
        with contextlib.suppress(IndexError, OSError):
            self._leader = int(children.read_text().split()[0])
            return Path(f"/proc/{self._leader}/comm").read_text().strip() == "systemd"
        return False

    def _has_booted(self) -> bool:
        state = self.attempt("systemctl is-system-running").stdout.strip()
        return state in ("running", "degraded")

    def attempt(self, script: str, within_s: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a shell script inside, as root; whatever its exit status is."""
        assert self._leader is not None, "not booted"
        return subprocess.run(
            [
                "nsenter",
                f"--target={self._leader}",
                *("--mount", "--uts", "--ipc", "--net", "--pid"),
                "env",
                "-i",
                *environment(),
                "/bin/sh",
                "-e",
                "-c",
                f"cd /root; {script}",
            ],
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )

    def run(self, script: str, within_s: float = 600) -> str:
        """Run a shell script inside, as root. Raises SystemTestError unless it succeeds."""
        done = self.attempt(script, within_s)
        if done.returncode != 0:
            said = done.stdout[-3000:] + done.stderr[-3000:]
            raise SystemTestError(f"{script!r} ended with {done.returncode}: {said}")
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """Write a file inside."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def pull_the_plug(self) -> None:
        """Off at once, without goodbye; what was not synced may survive: the disk is ours."""
        if self._leader is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._leader, signal.SIGKILL)
        if self._container is not None:
            self._container.wait(BOOT_S)
        self._container = self._leader = None


def environment(home: str = "/root") -> Iterator[str]:
    """What a command inside has to know, the way to the package index included."""
    yield "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    yield f"HOME={home}"
    yield "LC_ALL=C.UTF-8"
    yield f"PIP_CERT={CERTIFICATES}"
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "https_proxy", "http_proxy", "no_proxy"):
        if name in os.environ:
            yield f"{name}={os.environ[name]}"


@contextlib.contextmanager
def machine(cache: Path, scratch: Path, suite: str) -> Iterator[Machine]:
    """A booted copy of the base system; gone at the end."""
    with copy_of(base_system(cache, suite, PACKAGES, "1"), scratch) as root:
        computer = Machine(root)
        try:
            computer.boot()
            yield computer
        finally:
            computer.pull_the_plug()
