"""``python -m agent`` and the command ``chargepoint-agent``."""

from __future__ import annotations

import sys

from agent.cli import run_command
from agent.errors import AgentError, ConfigError, ControlError
from hw.ports import HardwareError

EXIT_FAILED = 1
EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h: systemd does not restart after it


def main(arguments: list[str] | None = None) -> int:
    """Run one command; every mistake that is expected ends in a sentence, not in a traceback."""
    try:
        return run_command(sys.argv[1:] if arguments is None else arguments)
    except ConfigError as error:
        for mistake in error.mistakes:
            print(f"configuration: {mistake}", file=sys.stderr)
        return EXIT_CONFIG
    except (ControlError, AgentError, HardwareError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe went away: nobody is left to tell
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
