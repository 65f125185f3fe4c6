"""What the service manager hears, on a real datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from agent.platform.systemd import ServiceManager


class Listener:
    """The service manager's end."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def heard(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(1000).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def listener(request, tmp_path) -> Iterator[Listener]:
    path = str(tmp_path / "notify")
    made = Listener(path if request.param == "path" else f"@chargepoint-test-{os.getpid()}")
    yield made
    made.close()


class Stopwatch:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def manager(listener: Listener | None, watch: Stopwatch | None = None, **more: str):
    environment = dict(more)
    if listener is not None:
        environment["NOTIFY_SOCKET"] = listener.address
    return ServiceManager(watch or Stopwatch(), environment)


def test_it_is_told_that_we_are_ready_and_that_we_stop(listener):
    service = manager(listener)
    service.ready()
    service.ending(again=False)
    assert listener.heard() == ["READY=1", "STOPPING=1"]


def test_who_starts_again_does_not_stop_and_has_time_until_it_is_ready(listener):
    """After STOPPING=1 systemd kills whoever is still there when TimeoutStopSec is over."""
    told = {"WATCHDOG_USEC": "5000000"}
    manager(listener, **told).ending(again=True)
    manager(listener, **told).ready()
    assert listener.heard() == [
        "WATCHDOG=1\nWATCHDOG_USEC=90000000",
        "READY=1\nWATCHDOG_USEC=5000000",
    ]


def test_who_starts_again_unwatched_has_nothing_to_say(listener):
    manager(listener).ending(again=True)
    assert listener.heard() == []


def test_it_is_fed_at_half_its_interval_however_often_we_turn(listener):
    watch = Stopwatch()
    service = manager(listener, watch, WATCHDOG_USEC="20000000")
    assert service.period_s == 10.0
    for _ in range(200):  # 20 s, a turn each 0.1 s
        service.alive()
        watch.now_s += 0.1
    heard = listener.heard()
    assert set(heard) == {"WATCHDOG=1"}
    assert 3 <= len(heard) <= 5  # at least each 10 s, not at each turn


def test_turning_only_as_often_as_it_must_feeds_it_in_time(listener):
    watch = Stopwatch()
    service = manager(listener, watch, WATCHDOG_USEC="20000000")
    for _ in range(6):
        service.alive()
        assert listener.heard() == ["WATCHDOG=1"]
        watch.now_s += 10.0


def test_nobody_watches_when_no_interval_is_given(listener):
    service = manager(listener)
    assert service.period_s is None
    service.alive()
    assert listener.heard() == []


@pytest.mark.parametrize("usec", ["0", "", "soon", "-5"])
def test_an_interval_that_makes_no_sense_is_none(listener, usec):
    service = manager(listener, WATCHDOG_USEC=usec)
    assert service.period_s is None


def test_a_watchdog_that_is_meant_for_another_process_is_not_fed(listener):
    service = manager(listener, WATCHDOG_USEC="20000000", WATCHDOG_PID="1")
    service.alive()
    assert service.period_s is None
    assert listener.heard() == []


def test_a_watchdog_that_is_meant_for_us_is_fed(listener):
    service = manager(listener, WATCHDOG_USEC="20000000", WATCHDOG_PID=str(os.getpid()))
    service.alive()
    assert listener.heard() == ["WATCHDOG=1"]


def test_without_a_service_manager_nothing_is_sent():
    service = manager(None, WATCHDOG_USEC="20000000")
    service.ready()
    service.alive()
    for again in (True, False):
        service.ending(again)


def test_a_service_manager_that_is_gone_disturbs_nobody(tmp_path):
    gone = Listener(str(tmp_path / "notify"))
    gone.close()
    os.unlink(gone.address)
    manager(gone, WATCHDOG_USEC="20000000").alive()
