"""What the agent costs while nothing happens: memory, and processor time.

The link is up, no car is there. Counted is everything in the agent's process, by the kernel's
account; with real drivers that includes the emulated chip and pins, which share the process.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.bench.box import START_LIMIT_S, cpu_seconds, started
from tests.bench.emulated_box import emulated_config
from tests.box_config import config_text
from tests.emulators.central_system import FakeCentralSystem
from tests.emulators.modbus_meter import SdmOnPty

SETTLE_S = 3.0  # after BootNotification and the first status: then nothing is left to do


def run(idle_s: float = 20.0) -> list[tuple[str, str]]:
    """Watch each of the two boxes for ``idle_s`` seconds."""
    return [
        *asyncio.run(_measure("simulated hardware", idle_s, with_real_drivers=False)),
        *asyncio.run(_measure("real drivers, emulated parts", idle_s, with_real_drivers=True)),
    ]


async def _measure(what: str, idle_s: float, with_real_drivers: bool) -> list[tuple[str, str]]:
    central_system = FakeCentralSystem()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = directory / "config.toml"
        async with central_system.serve() as url:
            if with_real_drivers:
                meter = stack.enter_context(SdmOnPty("sdm630"))
                config.write_text(emulated_config(directory, url, meter.path), "utf-8")
                arguments = ["-m", "tests.bench.emulated_box", str(config)]
            else:
                config.write_text(config_text(directory, url), "utf-8")
                arguments = ["-m", "agent", "run", "--config", str(config)]
            async with started(directory, arguments) as moments:
                async with asyncio.timeout(START_LIMIT_S):
                    await central_system.received("StatusNotification", 2)
                return await watch(moments.process.pid, what, idle_s)


async def watch(pid: int, what: str, idle_s: float) -> list[tuple[str, str]]:
    """Memory, processor time and wake-ups of a process that has just been brought to this state."""
    await asyncio.sleep(SETTLE_S)
    cpu_s, switches = cpu_seconds(pid), _wake_ups(pid)
    await asyncio.sleep(idle_s)
    cpu_s, switches = cpu_seconds(pid) - cpu_s, _wake_ups(pid) - switches
    resident_kib = kib(pid, "status", "VmRSS")
    shared_out_kib = kib(pid, "smaps_rollup", "Pss")
    return [
        (f"{what}: resident memory (aim: under 60 MB)", f"{resident_kib / 1024:.1f} MiB"),
        (f"{what}: proportional set size", f"{shared_out_kib / 1024:.1f} MiB"),
        (
            f"{what}: processor, idle {idle_s:.0f} s (aim: under 1 %)",
            f"{cpu_s / idle_s * 100:.2f} % of one core",
        ),
        (f"{what}: wake-ups", f"{switches / idle_s:.1f} /s"),
    ]


def kib(pid: int, file: str, field: str) -> int:
    """A field of /proc/PID/FILE that is counted in KiB."""
    for line in Path(f"/proc/{pid}/{file}").read_text("ascii").splitlines():
        name, _, rest = line.partition(":")
        if name == field:
            return int(rest.split()[0])
    raise ValueError(f"/proc/{pid}/{file} has no {field}")


def _wake_ups(pid: int) -> int:
    """How often its threads went to wait for something, and so how often they came back."""
    return sum(
        int(line.split()[1])
        for thread in Path(f"/proc/{pid}/task").iterdir()
        for line in (thread / "status").read_text("ascii").splitlines()
        if line.startswith("voluntary_ctxt_switches")
    )


if __name__ == "__main__":
    for label, figure in run():
        print(f"{label}: {figure}")
