"""``python -m agent`` and the command ``chargepoint-agent``."""

from __future__ import annotations

import errno
import logging
import os
import sys
from typing import TextIO

logger = logging.getLogger(__name__)

EXIT_FAILED = 1
_UNWRITABLE = (errno.ENOSPC, errno.EIO)
# EX_DATAERR and EX_CONFIG of sysexits.h: systemd does not restart after them.
EXIT_DAMAGED = 65
EXIT_CONFIG = 78


def main(arguments: list[str] | None = None) -> int:
    """Run one command; every mistake that is expected ends in a sentence, not in a traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["safe-state"] and not {"-h", "--help"} & set(arguments):
        from agent.app.last_defence import safe_state

        if (status := safe_state(arguments[1:])) is not None:
            return status
    _open_what_is_closed()
    return _run(arguments)


def _run(arguments: list[str]) -> int:
    from agent.cli.console import RED, Console, StyledLine, error
    from agent.cli.main import run_command
    from agent.platform.errors import (
        AgentError,
        ConfigError,
        ControlError,
        ListFileError,
        StoreDamaged,
    )
    from agent.platform.file_problems import in_words
    from hw.ports import HardwareError

    try:
        try:
            return run_command(arguments)
        finally:
            sys.stdout.flush()  # also after --help, which ends by an exception
    except ConfigError as wrong:
        Console(sys.stderr).tell(
            StyledLine(f"configuration: {mistake}", "configuration", RED)
            for mistake in wrong.mistakes
        )
        return EXIT_CONFIG
    except ListFileError as wrong:
        Console(sys.stderr).tell(map(error, wrong.mistakes))
        return EXIT_FAILED
    except (ControlError, AgentError, HardwareError) as failure:
        Console(sys.stderr).tell([error(str(failure))])
        return EXIT_DAMAGED if isinstance(failure, StoreDamaged) else EXIT_FAILED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe went away: nobody is left to tell
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    except OSError as problem:
        if problem.filename is None and problem.errno in _UNWRITABLE:
            _write_no_more()
            words = f"the output cannot be written: {problem.strerror}"
            Console(sys.stderr).tell([error(words)])
        else:
            logger.debug("a file", exc_info=True)
            Console(sys.stderr).tell([error(in_words(problem))])
        return EXIT_FAILED


def _open_what_is_closed() -> None:
    """Started with ``>&-``, Python has no stream at all where something is to be printed."""
    if sys.stdout is None:
        sys.stdout = _nowhere()
    if sys.stderr is None:
        sys.stderr = _nowhere()


def _nowhere() -> TextIO:
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def _write_no_more() -> None:
    """What is still kept for the output would fail once more at the end of the process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
