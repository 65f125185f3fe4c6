"""The guest: a computer under QEMU with pins, a serial adapter and a switch for its power."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.system.machine import SystemTestError, run_here

# Not a measure of anything: what has not happened by then never will.
BOOT_S = 600.0
ANSWER_S = 120.0
MEMORY_MB = 1024
THIS_MACHINE = "10.0.2.2"  # its loopback, as the guest sees it
NEEDED = ("qemu-system-x86_64", "qemu-img", "mke2fs")


def why_not() -> str | None:
    """What is missing to run a guest; None when everything is there."""
    missing = [name for name in NEEDED if not shutil.which(name)]
    return f"not installed: {', '.join(missing)}" if missing else None


@dataclass(frozen=True, slots=True)
class Done:
    """A script that has ended in the guest."""

    status: int
    output: str


class Channel:
    """Lines of JSON with QEMU's monitor or with its agent in the guest."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_S)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")

    def send(self, command: str, **arguments: Any) -> None:
        """Send a command without waiting for an answer."""
        text = json.dumps({"execute": command, "arguments": arguments})
        self._socket.sendall(text.encode() + b"\n")

    def call(self, command: str, **arguments: Any) -> Any:
        """Send a command and return what it returned. Raises SystemTestError for a refusal."""
        self.send(command, **arguments)
        while True:
            line = self._lines.readline()
            if not line:
                raise SystemTestError(f"the guest went away while it was asked for {command}")
            answer = json.loads(line.lstrip(b"\xff"))
            if "error" in answer:
                raise SystemTestError(f"{command}: {answer['error']}")
            if "return" in answer:
                return answer["return"]

    def close(self) -> None:
        """End the conversation."""
        self._lines.close()
        self._socket.close()


@dataclass
class Guest:
    """One computer. Its disk keeps what it has written; ``folder`` holds disk and sockets."""

    folder: Path
    disk: Path
    kernel: Path
    initrd: Path
    adapters: tuple[str, ...] = ()  # more of QEMU's arguments
    _qemu: subprocess.Popen[bytes] | None = None
    _agent: Channel | None = None
    _monitor: Channel | None = None

    def boot(self, is_cable_in: bool = True) -> None:
        """Switch on; returns when systemd has started what it starts."""
        for name in ("agent.sock", "monitor.sock"):
            (self.folder / name).unlink(missing_ok=True)
        self._qemu = subprocess.Popen(
            list(self._command()), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        self.wait(lambda: (self.folder / "monitor.sock").exists(), "QEMU starts")
        self._monitor = Channel(self.folder / "monitor.sock")
        self._monitor.call("qmp_capabilities")
        self.cable(is_cable_in)  # the kernel comes to its network card only seconds later
        self._meet_agent()
        self.wait(self._has_booted, "systemd has started everything")

    def _command(self) -> Iterator[str]:
        yield from ("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2")
        yield from ("-m", str(MEMORY_MB), "-display", "none", "-no-reboot")
        yield from ("-serial", f"file:{self.folder}/console.log")
        yield from ("-kernel", str(self.kernel), "-initrd", str(self.initrd))
        yield from ("-append", "root=/dev/vda rw console=ttyS0 mitigations=off")
        # What the guest has flushed is kept, as by a disk, when this process is killed.
        yield from ("-drive", f"file={self.disk},if=virtio,format=qcow2,cache=writeback")
        yield from ("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,id=card")
        yield from ("-device", "virtio-serial", "-device", "qemu-xhci")
        agent = f"socket,id=agent,path={self.folder}/agent.sock,server=on,wait=off"
        yield from ("-chardev", agent)
        yield from ("-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0")
        yield from ("-qmp", f"unix:{self.folder}/monitor.sock,server=on,wait=off")
        yield from self.adapters

    def _meet_agent(self) -> None:
        self.wait(lambda: (self.folder / "agent.sock").exists(), "QEMU starts")
        self._agent = Channel(self.folder / "agent.sock")
        # What is sent before the agent runs in the guest waits there and is answered then.
        deadline = time.monotonic() + BOOT_S
        token = int(time.monotonic() * 1000)
        while True:
            try:
                if self._agent.call("guest-sync-delimited", id=token) == token:
                    return
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise SystemTestError("the guest does not boot: see console.log") from None
                self._agent.close()
                self._agent = Channel(self.folder / "agent.sock")

    def _has_booted(self) -> bool:
        return self.attempt("systemctl is-system-running").output.strip() in ("running", "degraded")

    def attempt(self, script: str, within_s: float = BOOT_S) -> Done:
        """Run a shell script in the guest as root, whatever comes of it."""
        assert self._agent is not None, "not switched on"
        started = self._agent.call(
            "guest-exec",
            **{"path": "/bin/sh", "arg": ["-e", "-c", script], "capture-output": True},
        )
        ended: dict[str, Any] = {}

        def has_ended() -> bool:
            assert self._agent is not None
            ended.update(self._agent.call("guest-exec-status", pid=started["pid"]))
            return bool(ended["exited"])

        self.wait(has_ended, f"{script!r} ends", within_s)
        parts = (base64.b64decode(ended.get(name, "")) for name in ("out-data", "err-data"))
        return Done(ended.get("exitcode", -1), b"".join(parts).decode(errors="replace"))

    def run(self, script: str, within_s: float = BOOT_S) -> str:
        """Run a shell script in the guest as root. Raises SystemTestError unless it succeeds."""
        done = self.attempt(script, within_s)
        if done.status != 0:
            raise SystemTestError(f"{script!r} ended with {done.status}: {done.output[-3000:]}")
        return done.output

    def write(self, path: str, text: str) -> None:
        """Write a file in the guest."""
        self.run(f"mkdir -p $(dirname {path}); echo {_coded(text)} | base64 -d > {path}")

    def until(self, script: str, what: str, within_s: float = BOOT_S) -> None:
        """Wait until the script succeeds in the guest."""
        self.wait(lambda: self.attempt(script).status == 0, what, within_s)

    def cable(self, is_in: bool) -> None:
        """Pull or plug in the network's cable."""
        assert self._monitor is not None
        self._monitor.call("set_link", name="card", up=is_in)

    def shut_down(self) -> None:
        """Switch off in order, as ``poweroff`` does, and as ``reboot`` does before it starts."""
        assert self._agent is not None
        self._agent.send("guest-shutdown", mode="powerdown")
        self._ended()

    def cut_power(self) -> None:
        """Off at once: what the guest has not flushed is lost."""
        if self._qemu is not None:
            self._qemu.kill()
            self._ended()

    def _ended(self) -> None:
        assert self._qemu is not None
        self._qemu.wait(BOOT_S)
        for channel in (self._agent, self._monitor):
            if channel is not None:
                with suppress(OSError):
                    channel.close()
        self._qemu = self._agent = self._monitor = None

    def wait(self, claim: Callable[[], bool], what: str, within_s: float = BOOT_S) -> None:
        """Wait until it is so. Raises SystemTestError when it never will be."""
        begin = time.monotonic()
        while not claim():
            if self._qemu is not None and self._qemu.poll() is not None:
                raise SystemTestError(f"QEMU ended with {self._qemu.returncode} before {what}")
            if time.monotonic() - begin > within_s:
                raise SystemTestError(f"it never came to this: {what}")
            time.sleep(0.1)


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@contextmanager
def switched_on(
    image: Path, boot_files: tuple[Path, Path], folder: Path, adapters: tuple[str, ...] = ()
) -> Iterator[Guest]:
    """A computer with a disk that begins as ``image``, which stays as it is; off at the end."""
    disk = folder / "disk.qcow2"
    run_here("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(image), str(disk))
    guest = Guest(folder, disk, *boot_files, adapters)
    try:
        guest.boot()
        yield guest
    finally:
        guest.cut_power()
