"""An agent with real drivers on emulated wires, in a process of its own, with levers.

    python -m tests.soak.wired_agent CONFIG LEVERS

Real: gpiozero, the supervising thread, the event loop, the threads and the database of the daemon.
LEVERS is a unix socket, served by a thread that needs neither loop nor disk: one JSON object a
line. What must never happen is written down where it happens, at the pins.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.app.application import Application
from agent.app.daemon import SWITCH_S, serve, set_up_logging
from agent.app.environment import Environment
from agent.config.config_file import read_config
from agent.runtime.clock import SystemClock
from agent.store import Store
from hw.board import open_board
from hw.ports import Board, Signal
from hw.simulated.front_panel import SimulatedIndicator
from tests.bench.gaps import Gaps
from tests.box_config import LIVELY_METER, SIMULATED, config_text
from tests.emulators.wired_box import (
    AUXILIARY,
    BOLT,
    COIL,
    CONTACTOR,
    LOCK,
    PLUG,
    PLUG_CONTACT,
    SOLENOID,
    OutputPin,
    WiredBox,
)

STOP_PIN, DOOR_PIN = 5, 6
LOOK_S = 0.2  # what has just changed may not have been looked at
ANSWER_WITHIN_S = 3.0
OPEN_WITHIN_S = 1.0  # looked for so long; what it took is told
_VERDICTS = {Signal.ACCEPTED.value, Signal.REFUSED.value, Signal.REFUSED_UNANSWERED.value}


def wired_config(directory: Path, url: str) -> str:
    """The text of a configuration with one connector on real pins."""
    wired = {"contactor": CONTACTOR, "lock": {**LOCK, "tries": 1}, "plug": PLUG_CONTACT}
    return config_text(
        directory,
        url,
        [{**wired, **LIVELY_METER}],
        keys={
            "MeterValueSampleInterval": 5,
            "WebSocketPingInterval": 1,
            "TransactionMessageAttempts": 20,
            "TransactionMessageRetryInterval": 1,
        },
        charge_point={"identity": "SOAK-1"},
        indicator=SIMULATED,
        inputs={
            name: {"driver": "gpio", "pin": pin}
            for name, pin in (("emergency_stop", STOP_PIN), ("door", DOOR_PIN))
        },
        authorization={"tap_guard_s": 0, "authorize_timeout_s": 1, "local_list_owner": "shared"},
    )


class Levers:
    """What can happen to the box, and what has been seen at its pins."""

    def __init__(self, wires: WiredBox) -> None:
        self._wires = wires
        self._inputs = {"emergency_stop": STOP_PIN, "door": DOOR_PIN}
        self._against: dict[str, float] = {"no plug": 0.0}  # what forbids energy, and since when
        self._stalled_until_s = 0.0
        self._slow_s = 0.0  # each commit takes so long
        self._coil_changed = threading.Condition()
        self._coil_off_at_s = 0.0
        self.board: Board | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.broken: list[str] = []  # promises
        self.operations = 0
        self._gaps: Gaps | None = None
        self._listen_at(COIL, self._coil)
        self._listen_at(SOLENOID, self._solenoid)

    def _listen_at(self, number: int, heard: Callable[[bool], None]) -> None:
        pin = self._wires.factory.pin(number)
        assert isinstance(pin, OutputPin)
        follow = pin.follower

        def both(level: bool) -> None:
            follow(level)
            heard(level)

        pin.follower = both

    def _coil(self, is_on: bool) -> None:
        with self._coil_changed:
            if is_on:
                self.operations += 1
                long_ago_s = time.monotonic() - LOOK_S
                reasons = [name for name, since_s in self._against.items() if since_s < long_ago_s]
                self.broken += [f"closed over: {reason}" for reason in reasons]
                if not self._wires.is_locked:
                    self.broken.append("closed without the lock")
            else:
                self._coil_off_at_s = time.monotonic()
                self._coil_changed.notify_all()

    def _solenoid(self, is_on: bool) -> None:
        if not is_on and self._wires.energy_flows:
            self.broken.append("unlocked under load")

    def hold_up(self, store: Store) -> None:
        """Let commits wait while the disk is stalled."""
        commit = store.commit

        def stalled(*arguments: Any) -> None:
            while time.monotonic() < self._stalled_until_s:
                time.sleep(0.02)
            time.sleep(self._slow_s)
            commit(*arguments)

        store.commit = stalled  # type: ignore[method-assign]

    # --- by name -------------------------------------------------------------------------------

    def do(self, request: dict[str, Any]) -> Any:
        """Pull one lever; what comes of it."""
        match request:
            case {"do": "plug", "in": True}:
                self._against.pop("no plug", None)
                self._wires.plug_in()
                return None
            case {"do": "plug", "at_s": at_s}:
                return self._opened_after(at_s, self._unplug)
            case {"do": "trip", "name": name, "at_s": at_s}:
                return self._opened_after(at_s, lambda: self._trip(name))
            case {"do": "release"}:
                self._release()
                return None
            case {"do": "weld", "is": is_welded}:
                self._wires.is_welded = is_welded
                if not is_welded and not self._wires.energy_flows:
                    self._wires.factory.pin(AUXILIARY).drive_high()
                return None
            case {"do": "jam", "is": is_jammed}:
                self._wires.is_jammed = is_jammed
                if not is_jammed and not self._wires.factory.pin(SOLENOID).state:
                    self._wires.factory.pin(BOLT).drive_high()  # the spring has its way
                return None
            case {"do": "block", "s": seconds}:
                assert self.loop is not None
                self.loop.call_soon_threadsafe(time.sleep, seconds)
                return None
            case {"do": "stall", "s": seconds}:
                self._stalled_until_s = time.monotonic() + seconds
                return None
            case {"do": "slow", "s": seconds}:
                self._slow_s = seconds
                return None
            case {"do": "tap", "card": card}:
                return self._answered_after(card)
            case {"do": "look"}:
                self._gaps = Gaps()
                return None
            case {"do": "looked"}:
                assert self._gaps is not None
                gap = self._gaps.stop()
                return [gap.processor_s, gap.wall_s]
        return self._facts()

    def _unplug(self) -> None:
        self._against["no plug"] = time.monotonic()
        self._wires.unplug()

    def _trip(self, name: str) -> None:
        self._against.setdefault(name, time.monotonic())
        self._wires.factory.pin(self._inputs[name]).drive_high()  # a broken wire does the same

    def _release(self) -> None:
        for name, number in self._inputs.items():
            self._wires.factory.pin(number).drive_low()
            self._against.pop(name, None)

    def _opened_after(self, at_s: float, happen: Callable[[], None]) -> float | None:
        """Seconds from the pull of the lever to the open output; None: it was open.

        ``at_s`` is by the clock of the process that pulled it, which is this machine's: this thread
        waits for the interpreter as all others do, and would not notice that it is late.
        """
        with self._coil_changed:
            was_on = self._wires.energy_flows
            happen()
            if not was_on:
                return None
            if not self._coil_changed.wait_for(lambda: not self._wires.energy_flows, OPEN_WITHIN_S):
                self.broken.append("not opened")
                return OPEN_WITHIN_S
            return self._coil_off_at_s - at_s

    def _answered_after(self, card: str) -> list[float | None]:
        """Seconds from a tap to the light that says "read", and to the one that says yes or no."""
        assert self.board is not None
        assert self.board.simulation is not None
        light = self.board.indicator
        assert isinstance(light, SimulatedIndicator)
        tapped_at_s = time.monotonic()
        self.board.simulation.tap(card)
        while True:
            shown = [(at_s, what) for at_s, what in tuple(light.history) if at_s >= tapped_at_s]
            read = [at_s - tapped_at_s for at_s, what in shown if what == Signal.CARD_READ.value]
            said = [at_s - tapped_at_s for at_s, what in shown if what in _VERDICTS]
            if said or time.monotonic() > tapped_at_s + ANSWER_WITHIN_S:
                return [read[0] if read else None, said[0] if said else None]
            time.sleep(0.005)

    def _facts(self) -> dict[str, Any]:
        for number in (COIL, AUXILIARY, SOLENOID, BOLT, PLUG, STOP_PIN, DOOR_PIN):
            self._wires.factory.pin(number).clear_states()  # the pins' own memory grows
        return {
            "coil": self._wires.energy_flows,
            "locked": self._wires.is_locked,
            "broken": list(self.broken),
            "operations": self.operations,
            "threads": sorted(thread.name for thread in threading.enumerate()),
            "files": len(os.listdir("/proc/self/fd")),
        }


def _serve_levers(path: Path, levers: Levers) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    while True:
        client, _ = server.accept()
        with client, client.makefile("rw") as lines:
            for line in lines:
                lines.write(json.dumps(levers.do(json.loads(line))) + "\n")
                lines.flush()


class _WiredApplication(Application):
    """Its store can be held up."""

    def __init__(self, *arguments: Any, levers: Levers, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._levers = levers

    async def run(self) -> bool:
        self._levers.loop = asyncio.get_running_loop()
        return await super().run()

    def _make_runtime(self, board: Any, store: Store, *more: Any) -> Any:
        self._levers.hold_up(store)
        return super()._make_runtime(board, store, *more)


def main() -> None:
    """Run until SIGTERM."""
    set_up_logging()
    gc.freeze()  # as the daemon does
    sys.setswitchinterval(SWITCH_S)
    settings, clock, wires = read_config(Path(sys.argv[1])), SystemClock(), WiredBox()
    levers = Levers(wires)
    board = open_board(settings.board, lambda: clock.now().monotonic_s, pin_factory=wires.factory)
    levers.board = board
    levers.do({"do": "release"})  # closed contacts
    thread = threading.Thread(
        target=_serve_levers, args=(Path(sys.argv[2]), levers), name="levers", daemon=True
    )
    thread.start()
    application = _WiredApplication(
        settings, world=Environment(clock=clock, board=board), levers=levers
    )
    asyncio.run(serve(application))


if __name__ == "__main__":
    main()
