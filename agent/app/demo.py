"""The demonstration: a simulated charger and a small central system in one terminal."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import sys
from dataclasses import replace
from pathlib import Path

from agent.app.application import Application
from agent.app.daemon import serve, start_again, write_to
from agent.config.demo_settings import demo_settings
from agent.config.settings import SCOPES, ApiSettings, ApiTokenSettings
from agent.platform.errors import StoreError
from agent.platform.log_lines import LineFormatter
from agent.platform.whole_file import write_whole

API_PORT = 8080

_GREETING = """\
A simulated charger and a small demonstration central system are running.
In a second terminal, in this directory, try:

    {command} sim plug
    {command} sim tap 044943121F1A80
    {command} status
    {command} sim tap 044943121F1A80        (after 5 seconds: ends the session)
    {command} sim unplug

Other cards: DEADBEEF is blocked, everything else is unknown. Then: {command} why
Something breaks: {command} sim fault emergency_stop; mended again: {command} sim clear
In a browser, with a panel to play everything:

    {page}

The control API (docs/control-api.md) answers too:

    {curl}

Ctrl-C ends everything, with every output open.
"""


def run_demo(directory: Path) -> int:
    """Run the demonstration until Ctrl-C; its state is kept in ``directory``.

    Raises StoreError when that directory cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise StoreError(f"Cannot keep the state of the demonstration: {problem}") from problem
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(LineFormatter("%(asctime)s  %(message)s", datefmt="%H:%M:%S"))
    write_to(handler)
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
        api = _api(directory)
        print(_GREETING.format(command=_command(), curl=_curl(api), page=_page(api)), flush=True)
        settings = replace(demo_settings(directory, central_system.url), api=api)
        return await serve(Application(settings))


def _api(directory: Path) -> ApiSettings:
    """The control API with a token of its own, which is kept in a file for its owner only."""
    secret = directory / "api-token"
    if not secret.exists():
        write_whole(secret, f"{secrets.token_urlsafe(32)}\n".encode())
    token = ApiTokenSettings(name="demo", secret_file=str(secret), scopes=SCOPES)
    listen = f"127.0.0.1:{_free_port()}"
    return ApiSettings(enabled=True, page=True, listen=listen, tokens=(token,))


def _free_port() -> int:
    """The usual port, or any other while that one is in use."""
    for port in (API_PORT, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as probe:
                return int(probe.getsockname()[1])
        except OSError:
            continue
    return API_PORT


def _curl(api: ApiSettings) -> str:
    secret = api.tokens[0].secret_file
    url = f"http://{api.listen}/ocpp/chargers/DEMO-1"
    return f'curl -H "Authorization: Bearer $(cat {secret})" {url}'


def _page(api: ApiSettings) -> str:
    """A link that logs in: what stands behind "#" is sent nowhere."""
    token = Path(api.tokens[0].secret_file).read_text(encoding="ascii").strip()
    return f"http://{api.listen}/login#{token}"


def _command() -> str:
    """How this program is called from here."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        return "python -m agent"
    if not program.is_absolute():
        return str(program)
    try:
        return str(program.relative_to(Path.cwd()))
    except ValueError:
        return "chargepoint-agent" if program.name == "chargepoint-agent" else str(program)
