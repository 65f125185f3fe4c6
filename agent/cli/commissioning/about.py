"""Which box was tested, with which program and which configuration. No secrets."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.runtime.clock import this_boot_id

_MODEL = Path("/proc/device-tree/model")
_DEMO = "DEMO-1"


def about_this_box(
    config: Path | None, connector_id: int, status: Mapping[str, Any]
) -> dict[str, Any]:
    """Plain data; ``config`` None: the demonstration. Raises ConfigError."""
    return {
        "identity": _identity(config),
        "connector": connector_id,
        "hardware": "simulated" if status["simulated"] else "real",
        "central_system": status["link"]["url"] or "none",
        "agent": _version("chargepoint-agent"),
        "ocpp_library": _version("ocpp"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": _machine(),
        "boot_id": this_boot_id(),
        "configuration": "the demonstration" if config is None else str(config),
        "configuration_sha256": "" if config is None else _fingerprint(config),
    }


def _identity(config: Path | None) -> str:
    if config is None:
        return _DEMO
    from agent.config.config_file import read_config

    return read_config(config).charge_point.identity


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _machine() -> str:
    try:
        return _MODEL.read_text("utf-8").strip("\0\n ")
    except (OSError, UnicodeDecodeError):
        return platform.machine()


def _fingerprint(config: Path) -> str:
    """So that a later look can tell whether the file was changed."""
    return hashlib.sha256(config.read_bytes()).hexdigest()
