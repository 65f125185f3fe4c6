"""The daemon: safe outputs first, then everything else; signals, logging, starting again."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from agent.app.other_instance import refuse_beside_another
from agent.config.config_file import read_config
from agent.config.settings import Settings
from agent.platform.errors import ConfigError
from agent.platform.garbage_collector import resting_while_importing
from agent.platform.log_lines import LineFormatter, RepetitionHandler
from agent.runtime.clock import SystemClock
from hw.board import open_board
from hw.ports import Board
from hw.safe_state import Opened, open_everything, open_recorded, write_down

if TYPE_CHECKING:
    from agent.app.application import Application
    from agent.core.ports import Clock

logger = logging.getLogger(__name__)

TELL_S = 60.0  # what was counted in the log is told at most so late
SWITCH_S = 0.001  # a thread that computes gives way so soon to one that waits; Python's own: 0.005


class JournalFormatter(LineFormatter):
    """Lines for journald, which adds the time itself and takes the level from a prefix.

    Source: sd-daemon(3), "<N>" with the levels of syslog(3); every line of a traceback has its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        if record.levelno >= logging.ERROR:
            prefix = "<3>"
        elif record.levelno >= logging.WARNING:
            prefix = "<4>"
        else:
            prefix = "<6>" if record.levelno >= logging.INFO else "<7>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


def set_up_logging() -> None:
    """Sentences on standard error; under systemd in the form that journald reads.

    The first call counts.
    """
    if logging.getLogger().handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    if "JOURNAL_STREAM" in os.environ:
        handler.setFormatter(JournalFormatter())
    else:
        handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(message)s"))
    write_to(handler)
    logging.getLogger("websockets").setLevel(logging.WARNING)


def write_to(handler: logging.Handler) -> None:
    """Let the log of this process go there, within bounds (``agent.platform.log_lines``)."""
    outlet = RepetitionHandler(handler, SystemClock().monotonic_s)
    logging.basicConfig(level=logging.INFO, handlers=[outlet])
    thread = threading.Thread(target=_tell_what_is_due, args=(outlet,), name="log", daemon=True)
    thread.start()


def _tell_what_is_due(outlet: RepetitionHandler) -> None:
    never = threading.Event()
    while not never.wait(TELL_S):
        outlet.tell_due()


def read_settings(config: Path) -> Settings:
    """Read the configuration file for ``run_daemon``.

    Raises ConfigError; every output that is known is open then: after its exit status nobody
    starts the service again.
    """
    set_up_logging()
    try:
        return read_config(config)
    except ConfigError:
        tell(open_everything(str(config)))
        raise


def run_daemon(settings: Settings, config: Path, simulate: bool = False) -> int:
    """Run until SIGTERM or SIGINT; after a Reset the program is started again in its place.

    However it ends, every output that is known is open then, as far as it can be opened. Raises
    StoreBusy before anything is touched, BoardError, AgentError.
    """
    refuse_beside_another(settings.storage_path)
    clock, database = SystemClock(), str(settings.storage_path)
    with ExitStack() as last:
        last.callback(lambda: tell(open_recorded(database=database)))
        tell(open_recorded(database=database) if simulate else open_everything(str(config)))
        board = open_board(settings.board, clock.monotonic_s, simulate=simulate)
        last.callback(board.shut_down)
        if not simulate:
            for problem in write_down(asdict(settings.board), database=database):
                logger.warning("what must be off after a crash is not written down: %s", problem)
        must_start_again = _run_on(board, settings, clock)
    if must_start_again:
        start_again()
    return 0


def tell(opened: Opened) -> None:
    """Say what the last defence could not switch off."""
    for problem in opened.problems:
        logger.warning("%s", problem)


def _run_on(board: Board, settings: Settings, clock: Clock) -> bool:
    sys.setswitchinterval(SWITCH_S)  # several compute while the reflex wants to look
    # Imported here: on a small board this takes seconds, and the outputs are safe by now.
    with resting_while_importing("agent.app.application"):
        import asyncio

        from agent.app.application import Application
        from agent.app.environment import Environment

    return asyncio.run(serve(Application(settings, world=Environment(clock=clock, board=board))))


async def serve(application: Application) -> bool:
    """Run an application, and end it in order when a signal says so; True: start again (Reset)."""
    import asyncio

    loop = asyncio.get_running_loop()
    is_told_to_end = False  # by a signal; also when it is about to start again

    def end() -> None:
        nonlocal is_told_to_end
        is_told_to_end = True
        application.shut_down()

    # A terminal that goes away (SIGHUP) must not leave a contactor as it is; nohup may keep it.
    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, end)
    try:
        return await application.run() and not is_told_to_end
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def start_again() -> None:
    """Replace this process by a fresh one with the same arguments (OCPP Reset)."""
    logger.info("starting again")
    logging.shutdown()
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "agent", *sys.argv[1:]])
