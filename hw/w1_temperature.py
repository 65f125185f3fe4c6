"""A DS18B20 on the 1-wire bus as a safety input: too hot, or silent, means "open now".

The kernel needs 750 ms for one reading, so a thread of its own asks.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from pathlib import Path

from hw.settings import TemperatureSettings

logger = logging.getLogger(__name__)

DEVICES = Path("/sys/bus/w1/devices")
PERIOD_S = 5.0
SILENT_S = 30.0
"""A sensor that has given nothing believable for so long counts as too hot."""

HYSTERESIS_C = 10.0
LOWEST_C, HIGHEST_C = -40.0, 125.0
POWER_ON_C = 85.0
"""What the chip says after power-on, before it has measured: believed only when it stays so."""

_ALL_ZERO = "00 00 00 00 00 00 00 00 00"
"""What is read from a data line that lies on ground: 0 C, and a checksum that fits."""

STOP_S = 2.0


class W1Temperature:
    """Implements ``SafetyInput``."""

    def __init__(
        self,
        settings: TemperatureSettings,
        clock: Callable[[], float],
        devices: Path = DEVICES,
    ) -> None:
        """Reads once. A sensor that is not there counts as silent, at once, until it comes."""
        self._path = devices / settings.sensor / "w1_slave"
        self._max_c = settings.max_c
        self._clock = clock
        self._heard_at_s = clock() - SILENT_S
        self._before_c: float | None = None
        self._is_hot = False
        self._problem = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="temperature", daemon=True)
        self.step()

    def start(self) -> None:
        """Begin to measure."""
        self._thread.start()

    @property
    def is_tripped(self) -> bool:
        """True while it is too hot, or the temperature is unknown."""
        return self._is_hot or self._clock() - self._heard_at_s >= SILENT_S

    def step(self) -> None:
        """Measure once. Never raises."""
        try:
            now_c = self._measure()
        except (OSError, ValueError) as problem:
            if not self._problem:
                logger.warning("temperature: %s", problem)
            self._problem = str(problem)
            return
        if self._problem:
            logger.info("temperature: the sensor answers")
            self._problem = ""
        self._heard_at_s = self._clock()
        limit_c = self._max_c - HYSTERESIS_C if self._is_hot else self._max_c
        self._is_hot = now_c >= limit_c

    def _measure(self) -> float:
        """Degrees Celsius; OSError or ValueError, with a sentence, when there is no good value."""
        text = self._path.read_text("ascii", errors="replace")
        found = re.search(r"crc=\w\w (YES|NO)\n.*\bt=(-?\d{1,7})\b", text)
        if found is None or found[1] == "NO" or text.startswith(_ALL_ZERO):
            raise ValueError(f"{self._path} gives {text[:80]!r}: a loose wire, or a long one")
        now_c = int(found[2]) / 1000
        before_c, self._before_c = self._before_c, now_c
        if not LOWEST_C <= now_c <= HIGHEST_C:
            raise ValueError(f"{self._path} says {now_c:g} C, which cannot be")
        if now_c == POWER_ON_C and before_c != POWER_ON_C:
            raise ValueError(f"{self._path} says 85 C, as after power-on: measured again")
        return now_c

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD_S):
            self.step()

    def shut_down(self) -> None:
        """End the thread. Safe to repeat."""
        self._stopping.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(STOP_S)
