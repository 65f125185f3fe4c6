"""The demonstration: a simulated charger and a small central system in one terminal."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from agent.application import Application
from agent.config.demo_settings import demo_settings
from agent.daemon import serve, start_again

_GREETING = """\
A simulated charger and a small demonstration central system are running.
In a second terminal, in this directory, try:

    {command} sim plug
    {command} sim tap 044943121F1A80
    {command} status
    {command} sim tap 044943121F1A80        (after 5 seconds: ends the session)
    {command} sim unplug

Other cards: DEADBEEF is blocked, everything else is unknown. Then: {command} why
Something breaks: {command} sim fault welded; mended again: {command} sim clear
Ctrl-C ends everything, with every output open.
"""


def run_demo(directory: Path) -> int:
    """Run the demonstration until Ctrl-C; its state is kept in ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", datefmt="%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("websockets").setLevel(logging.WARNING)
    if asyncio.run(_demo(directory)):
        start_again()
    return 0


async def _demo(directory: Path) -> bool:
    from agent.ocpp16.demo_central_system import DemoCentralSystem

    central_logger = logging.getLogger("central system")

    def say(sentence: str) -> None:
        central_logger.info("    central system: %s", sentence)

    async with DemoCentralSystem(port=0, say=say) as central_system:
        print(_GREETING.format(command=_command()), flush=True)
        return await serve(Application(demo_settings(directory, central_system.url)))


def _command() -> str:
    """How this program is called from here."""
    program = Path(sys.argv[0])
    if not program.is_absolute():
        return str(program)
    try:
        return str(program.relative_to(Path.cwd()))
    except ValueError:
        return "chargepoint-agent" if program.name == "chargepoint-agent" else str(program)
