"""Where things are on this machine: the configuration, the control socket, the demonstration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

DEFAULT_CONFIG = Path("/etc/chargepoint-agent/config.toml")
SERVICE_SOCKET = Path("/run/chargepoint-agent/control.sock")


def demo_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the demonstration keeps its state."""
    state = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    return Path(state) / "chargepoint-agent/demo"


def find_socket(config: Path | None) -> Path:
    """The control socket of the running agent.

    The one of the given configuration; without one, of the installed service, else of the
    demonstration.
    """
    found = config or config_in_use()
    return demo_directory() / "control.sock" if found is None else _socket_of(found)


def config_in_use() -> Path | None:
    """The configuration of the installed service; None: the demonstration is meant."""
    if SERVICE_SOCKET.exists():
        return DEFAULT_CONFIG
    demo = demo_directory() / "control.sock"
    return None if demo.exists() or not DEFAULT_CONFIG.exists() else DEFAULT_CONFIG


def _socket_of(config: Path) -> Path:
    from agent.config import read_config
    from agent.control import socket_path

    if config == DEFAULT_CONFIG and SERVICE_SOCKET.exists():
        return SERVICE_SOCKET
    return socket_path(read_config(config).storage_path, {})
