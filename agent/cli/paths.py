"""Where things are on this machine: the configuration, the control socket, the demonstration."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

DEFAULT_CONFIG = Path("/etc/chargepoint-agent/config.toml")
SERVICE_SOCKET = Path("/run/chargepoint-agent/control.sock")


def demo_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the demonstration keeps its state."""
    state = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    return Path(state) / "chargepoint-agent/demo"


def find_socket(config: Path | None) -> Path:
    """The control socket of the running agent.

    The one of the given configuration; without one, of the installed service, else of the
    demonstration. Raises ConfigError where the file does not tell.
    """
    from agent.control.server import socket_path

    if (config or config_in_use()) == DEFAULT_CONFIG and _is_there(SERVICE_SOCKET):
        return SERVICE_SOCKET
    return socket_path(find_storage(config), {})


def asker(config: Path | None) -> Callable[..., Any]:
    """What asks the running agent; see ``agent.control.server.ask``. Raises ConfigError."""
    from agent.control.server import ask

    path = find_socket(config)
    return lambda **request: ask(path, request)


def find_storage(config: Path | None) -> Path:
    """The database of the same agent: everything that it keeps lies beside it.

    Mistakes elsewhere in the file do not matter: a token must be revocable while there is one.
    Raises ConfigError where the file cannot be read, or does not tell.
    """
    from agent.config.toml_text import storage_path_in

    found = config or config_in_use()
    return demo_directory() / "agent.db" if found is None else storage_path_in(found)


def config_in_use() -> Path | None:
    """The configuration of the installed service; None: the demonstration is meant."""
    if _is_there(SERVICE_SOCKET):
        return DEFAULT_CONFIG
    is_demo = _is_there(demo_directory() / "control.sock") or not _is_there(DEFAULT_CONFIG)
    return None if is_demo else DEFAULT_CONFIG


def _is_there(path: Path) -> bool:
    """Whether there is such a file; one without access is there, and using it says why."""
    try:
        path.lstat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True
