"""The daemon: signals, logging, and starting again after a Reset."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from agent.application import Application
from agent.settings import Settings

logger = logging.getLogger(__name__)


def set_up_logging(level: int = logging.INFO) -> None:
    """Sentences on standard error; under systemd without the time, which journald adds itself."""
    has_journal = "JOURNAL_STREAM" in os.environ
    form = "%(levelname)s %(message)s" if has_journal else "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(stream=sys.stderr, level=level, format=form)
    logging.getLogger("websockets").setLevel(logging.WARNING)


def run_daemon(settings: Settings, simulate: bool = False) -> int:
    """Run until SIGTERM or SIGINT; after a Reset the program is started again in its place."""
    set_up_logging()
    if asyncio.run(serve(Application(settings, simulate))):
        start_again()
    return 0


async def serve(application: Application) -> bool:
    """Run an application, and end it in order when a signal says so."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, application.shut_down)
    try:
        return await application.run()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def start_again() -> None:
    """Replace this process by a fresh one with the same arguments (OCPP Reset)."""
    logger.info("starting again")
    logging.shutdown()
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "agent", *sys.argv[1:]])
