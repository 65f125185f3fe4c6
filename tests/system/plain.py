"""A command of the project on a plain Debian: no systemd runs, and an ordinary user types it.

    python -m tests.system.plain [--as-root] RELEASE [COMMAND ...]

Without a command: ``make test``. ``make debian-test DEBIAN=trixie`` calls this. The Debian is made
by debootstrap (once; needs root) with what the README asks for, and nothing else of what tests
like to have: each of them says why it is skipped, and only for the reasons below.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.system.machine import (
    CACHE,
    SystemTestError,
    base_system,
    copy_of,
    copy_project,
    environment,
    run_here,
    why_not,
)

# systemd: a Debian has it, here it does not run. ca-certificates: the package index may have
# certificates of its own (and openssl comes along).
PACKAGES = ("ca-certificates", "make", "python3", "python3-venv", "systemd")
# A test may be skipped for these reasons, and for no others (tests/conftest.py).
MAY_SKIP = (
    "chromium is not installed",
    "curl is not installed",
    "mosquitto is not installed",
    "node is not installed",
    "ocpp-rpc is not installed",
    "home-assistant cannot be installed",  # of some of its packages only with a compiler
    "fish is missing",
    "groff is missing",
    "zsh is missing",
    "no systemd runs here",
    "the extra 'board' is not installed",  # lgpio has no wheel for Python 3.13
    "needs root",
    "only root",
)
USER = "tester"
LIMIT_S = 1800  # a test that hangs would wait for ever
_TIMED_OUT = 124  # timeout(1)
PROJECT = "chargepoint-agent"


def run(release: str, command: list[str], user: str) -> int:
    """Run the command in a fresh copy of the project on that Debian; returns its exit status.

    Raises SystemTestError when there can be no such Debian here.
    """
    missing = why_not()
    if missing is not None:
        raise SystemTestError(f"a Debian of its own: {missing}")
    base = base_system(CACHE, release, PACKAGES, "plain-1")
    with (
        tempfile.TemporaryDirectory(prefix="plain-debian-") as scratch,
        copy_of(base, Path(scratch)) as root,
    ):
        home = "/root"
        if user != "root":
            home = f"/home/{user}"
            run_here("chroot", str(root), "useradd", "--create-home", user)
        copy_project(root / home.lstrip("/") / PROJECT)
        run_here("chroot", str(root), "chown", "--recursive", f"{user}:", f"{home}/{PROJECT}")
        return _inside(root, user, home, command)


def _inside(root: Path, user: str, home: str, command: list[str]) -> int:
    variables = [*environment(home), f"TESTS_MAY_SKIP={','.join(MAY_SKIP)}"]
    container = [
        "systemd-nspawn",
        f"--directory={root}",
        f"--machine=plain-debian-{os.getpid()}",
        "--register=no",
        "--keep-unit",
        "--quiet",
        "--as-pid2",
        "--console=pipe",
        f"--user={user}",
        f"--chdir={home}/{PROJECT}",
    ]
    # Ctrl-C is ignored, as in the background of a shell: no test may need it.
    script = "trap '' INT; exec timeout --kill-after=10 \"$@\""
    inside = ["env", "-i", *variables, "sh", "-c", script, "sh", str(LIMIT_S), *command]
    status = subprocess.run([*container, *inside], stdin=subprocess.DEVNULL, check=False).returncode
    if status == _TIMED_OUT:
        raise SystemTestError(f"not done within {LIMIT_S} s: {' '.join(command)}")
    return status


def main(arguments: list[str] | None = None) -> int:
    """Read the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.plain")
    parser.add_argument("release", help="bookworm, trixie")
    parser.add_argument("--as-root", action="store_true", help="as root, not as an ordinary user")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="make test, when left out")
    asked = parser.parse_args(arguments)
    command = asked.command or ["make", "test"]
    try:
        return run(asked.release, command, "root" if asked.as_root else USER)
    except SystemTestError as problem:
        print(problem, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
