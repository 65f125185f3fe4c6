"""``make bench``: every bench, one table.

python -m tests.bench [--idle-s 60] [--only tap,start]
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.bench import (
    bench_api,
    bench_bus,
    bench_chip,
    bench_decision,
    bench_delivery,
    bench_holds,
    bench_house,
    bench_idle,
    bench_imports,
    bench_load,
    bench_local_list,
    bench_opening,
    bench_page,
    bench_present,
    bench_profiles,
    bench_reader,
    bench_sessions,
    bench_start,
    bench_store,
    bench_tap,
    bench_tls,
)

Rows = list[tuple[str, str]]


def main() -> None:
    """Measure and print; nothing else should run on the machine meanwhile."""
    options = _parser().parse_args()
    benches: dict[str, Callable[[], Rows]] = {
        "tap": bench_tap.run,
        "present": bench_present.run,
        "chip": bench_chip.run,
        "opening": bench_opening.run,
        "holds": bench_holds.run,
        "decision": bench_decision.run,
        "start": bench_start.run,
        "idle": partial(bench_idle.run, idle_s=options.idle_s),
        "reader": bench_reader.run,
        "store": bench_store.run,
        "sessions": bench_sessions.run,
        "delivery": bench_delivery.run,
        "load": partial(bench_load.run, seconds=options.load_s),
        "list": bench_local_list.run,
        "profiles": bench_profiles.run,
        "tls": bench_tls.run,
        "api": bench_api.run,
        "page": bench_page.run,
        "bus": bench_bus.run,
        "house": bench_house.run,
        "imports": bench_imports.run,
    }
    wanted = options.only.split(",") if options.only else list(benches)
    unknown = set(wanted) - set(benches)
    if unknown:
        raise SystemExit(f"there is no bench {', '.join(unknown)}; there are {', '.join(benches)}")
    print(_machine())
    for name in wanted:
        print(f"\n{name}", flush=True)
        for label, figure in benches[name]():
            print(f"  {label:<72} {figure:>20}", flush=True)
    print(f"\n{_load()}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--idle-s", type=float, default=20.0, metavar="SECONDS", help="watch it idle so long (20)"
    )
    parser.add_argument(
        "--load-s", type=float, default=60.0, metavar="SECONDS", help="ask it so long (60)"
    )
    parser.add_argument("--only", default="", metavar="NAME,...", help="only these benches")
    return parser


def _machine() -> str:
    cores, python = os.cpu_count(), platform.python_version()
    return f"{_processor()}, {cores} cores; {platform.system()}; Python {python}; {_load()}"


def _load() -> str:
    return f"load of the machine in the last minute {os.getloadavg()[0]:.1f}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):  # x86; Raspberry Pi
            return value.strip()
    return platform.machine()


if __name__ == "__main__":
    main()
