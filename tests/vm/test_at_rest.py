"""What the service takes while nobody charges, as its control group counts it (``-s`` shows it)."""

from __future__ import annotations

import pytest

from tests.vm.box import SERVICE, Box

pytestmark = pytest.mark.vm

GROUP = f"/sys/fs/cgroup/system.slice/{SERVICE}.service"
REST_S = 60
# Half of MemoryMax= of the unit. A process that grows has far to go before it is killed.
MEMORY_MIB = 75


def test_what_it_takes_at_rest(box: Box) -> None:
    box.at_rest()
    used = f"grep -h usage_usec {GROUP}/cpu.stat; cat /proc/uptime"
    report = box.guest.run(f"{used}; sleep {REST_S}; {used}; cat {GROUP}/memory.stat").split()
    before_us, before_s, after_us, after_s = (float(report[n]) for n in (1, 2, 5, 6))
    memory = dict(zip(report[8::2], map(int, report[9::2]), strict=True))
    held = (memory["anon"] + memory["kernel"]) / 2**20
    share = (after_us - before_us) / (after_s - before_s) / 1e4
    files = memory["file"] / 2**20
    print(f"\nat rest: {held:.1f} MiB, files {files:.1f} MiB, {share:.2f} % of an emulated core")
    assert held < MEMORY_MIB
