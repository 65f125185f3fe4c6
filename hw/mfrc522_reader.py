"""Card reader driver for the MFRC522 (RC522) on SPI.

A thread of its own looks for cards, watches the chip and brings it back when it hangs. The agent
starts with or without a reader: an absent chip is reported, and looked for again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from hw.iso14443 import look_into_field
from hw.mfrc522_chip import RESET_LOW_S, Chip, ChipFailure, load_package, open_chip
from hw.ports_reader import ReaderEvent, ReaderFailed, ReaderRecovered
from hw.rpi_gpio_shim import RpiGpioShim
from hw.settings import ReaderSettings
from hw.tap_detector import TapDetector

logger = logging.getLogger(__name__)

WATCH_S = 10.0  # between two looks at the registers
REFRESH_S = 900.0  # between two precautionary restarts, while no card is there
FAILURES_TO_REPORT = 3
RETRY_S = 30.0  # between two tries, once the failure is reported
GOOD_POLLS_TO_FORGET = 10  # a chip that works only now and then keeps climbing the ladder
STOP_S = 0.9


class Mfrc522Reader:
    """Sees cards arrive on an MFRC522. See ``CardReader`` in hw.ports."""

    def __init__(
        self,
        settings: ReaderSettings,
        clock: Callable[[], float],
        pin_factory: Any = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Reserve the RST pin; the chip is opened by the first poll, and may be absent.

        ``clock`` gives monotonic seconds. Raises BoardError when a package is missing or the RST
        pin cannot be had.
        """
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._gpio = RpiGpioShim(pin_factory)
        self._package_class = load_package(self._gpio)
        self._gpio.setup(settings.reset_pin, self._gpio.OUT)  # low: the chip rests in reset
        self._chip: Chip | None = None
        self._detector = TapDetector()
        self._failures = 0
        self._good_polls = 0
        self._is_failure_reported = False
        self._retry_at_s = clock()
        self._watch_at_s = 0.0
        self._refresh_at_s = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, report: Callable[[ReaderEvent], None]) -> None:
        """Begin to look for cards; ``report`` is called from the reader's thread."""
        assert self._thread is None, "the reader was started twice"
        self._thread = threading.Thread(
            target=self._run, args=(report,), name="card reader", daemon=True
        )
        self._thread.start()

    def shut_down(self) -> None:
        """Stop the thread and release SPI and the RST pin. Safe to repeat."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(STOP_S)
            if self._thread.is_alive():
                logger.warning("Card reader: its thread has not ended after %s s", STOP_S)
        self._drop_chip()
        self._gpio.cleanup()

    def _run(self, report: Callable[[ReaderEvent], None]) -> None:
        while not self._stopping.wait(self._settings.poll_ms / 1000):
            try:
                for event in self.poll_once():
                    report(event)
            except Exception:
                logger.exception("Card reader: an event was lost")

    def poll_once(self) -> list[ReaderEvent]:
        """Look into the field once, or take the next step to bring the chip back. Never raises."""
        if self._stopping.is_set() or self._clock() < self._retry_at_s:
            return []
        try:
            chip = self._working_chip()
            seen = look_into_field(chip.exchange)
        except (ChipFailure, OSError) as problem:
            return self._failed(self._sentence(problem))
        except Exception as bug:
            logger.exception("Card reader: unexpected failure")
            return self._failed(f"The card reader failed unexpectedly: {bug}.")
        return [*self._worked(), *self._detector.observe(seen, self._clock())]

    def _working_chip(self) -> Chip:
        if self._chip is None:
            self._gpio.output(self._settings.reset_pin, 0)  # the package drives it high again
            self._sleep(RESET_LOW_S)
            self._chip = open_chip(self._package_class, self._settings, self._gpio, self._sleep)
            self._schedule_checks()
        elif self._good_polls == 0 and self._failures > 0:
            if self._failures > 1:
                self._chip.pulse_reset()
            self._chip.start_up()
            self._schedule_checks()
        elif self._detector.is_idle and self._clock() >= self._refresh_at_s:
            self._chip.start_up()
            self._schedule_checks()
        elif self._clock() >= self._watch_at_s:
            self._chip.check_registers()
            self._watch_at_s = self._clock() + WATCH_S
        return self._chip

    def _schedule_checks(self) -> None:
        now_s = self._clock()
        self._watch_at_s = now_s + WATCH_S
        self._refresh_at_s = now_s + REFRESH_S

    def _failed(self, problem: str) -> list[ReaderEvent]:
        """Climb the ladder: restart, RST pulse, reopen SPI; then report and try now and then."""
        self._failures += 1
        self._good_polls = 0
        level = logging.DEBUG if self._is_failure_reported else logging.INFO
        logger.log(level, "Card reader: failure %d: %s", self._failures, problem)
        if self._failures < FAILURES_TO_REPORT:
            return []
        was_open = self._chip is not None
        self._drop_chip()  # the next try pulls RST and opens the SPI device anew
        if was_open and self._failures == FAILURES_TO_REPORT:
            return []
        self._retry_at_s = self._clock() + RETRY_S
        if self._is_failure_reported:
            return []
        self._is_failure_reported = True
        logger.error("Card reader: out of order: %s", problem)
        return [*self._detector.begin(), ReaderFailed(problem)]

    def _worked(self) -> list[ReaderEvent]:
        self._good_polls += 1
        if self._good_polls >= GOOD_POLLS_TO_FORGET:
            self._failures = 0
        if not self._is_failure_reported:
            return []
        self._is_failure_reported = False
        logger.info("Card reader: works again")
        return [ReaderRecovered()]

    def _drop_chip(self) -> None:
        if self._chip is not None:
            self._chip.close()
        self._chip = None

    def _sentence(self, problem: ChipFailure | OSError) -> str:
        if isinstance(problem, ChipFailure):
            return str(problem)
        device = f"/dev/spidev{self._settings.spi_bus}.{self._settings.spi_device}"
        if isinstance(problem, FileNotFoundError):
            return (
                f"There is no {device}: switch SPI on (dtparam=spi=on in config.txt), restart the "
                "computer, and check reader.spi_bus and reader.spi_device."
            )
        if isinstance(problem, PermissionError):
            return f"No right to open {device}: put the service's user into the group spi."
        return f"{device} failed: {problem}; check dtparam=spi=on and the reader's wiring."
