"""What every test can use: ``async def`` tests run in virtual time without a plugin."""

from __future__ import annotations

import inspect
import os
import signal
import time
from collections.abc import Callable, Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.virtual_time import run_test

# A machine that is busy with other tests is slow at times; what is judged is what comes out.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "real_time: an async test that needs sockets or threads, and so the real clock"
    )
    config.addinivalue_line("markers", "system: needs a machine of its own (make system-test)")
    config.addinivalue_line("markers", "vm: needs a kernel of its own, emulated (make vm-test)")
    config.addinivalue_line(
        "markers", "vm_short: those of them that CI runs (make vm-test VM=short)"
    )
    config.addinivalue_line("markers", "crash: takes minutes of real time (make crash)")
    config.addinivalue_line("markers", "long: takes many seconds of a core (make long, make check)")
    # A shell lets what it starts in its background ignore Ctrl-C, and nohup lets it ignore the end
    # of the terminal. Every child inherits that: a test that sends the signal would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def time_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Set the time zone of this machine, until the end of the test."""

    def set_to(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield set_to
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def in_berlin(time_zone: Callable[[str], None]) -> None:
    """The machine's clock shows German time."""
    time_zone("Europe/Berlin")


# Files that take longest, first: who comes last with one of them keeps all others waiting.
LONGEST = (
    "tests/browser/test_page.py",
    "tests/test_pilot_end_to_end.py",
    "tests/bench/test_benches.py",
    "tests/mqtt/test_mosquitto.py",
    "tests/mqtt/house/test_home_assistant.py",
    "tests/cli/commissioning/test_acceptance_for_real.py",
    "tests/api/test_vendor_client.py",
    "tests/app/test_daemon.py",
    "tests/browser/test_parked.py",
    "tests/api/test_real_hardware.py",
    "tests/simulation/test_worlds.py",
    "tests/simulation/test_simulation.py",
    "tests/app/test_application_power.py",
    "tests/crash/test_kill.py",
    "tests/api/test_openapi.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files; needs ``--no-loadscope-reorder``, as the Makefile has it."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.split("::")[0], len(places)))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    real_time = pyfuncitem.get_closest_marker("real_time") is not None
    run_test(pyfuncitem.obj, arguments, real_time=real_time)
    return True


def may_skip(reason: str) -> bool:
    """Whether a test may be skipped for this reason.

    TESTS_MAY_SKIP: ``no``, where all of the tests' own tools are installed (CI), or parts of the
    reasons that count, with commas between. Unset: every reason counts.
    """
    allowed = os.environ.get("TESTS_MAY_SKIP")
    if allowed is None:
        return True
    return allowed != "no" and any(part in reason for part in allowed.split(","))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that skips, and may not, is a test that fails."""
    report = yield
    if report.skipped and not may_skip(str(report.longrepr)):
        report.outcome = "failed"
        report.longrepr = f"skipped, but may not be here: {report.longrepr}"
    return report
