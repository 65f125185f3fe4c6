"""Writing files whole or not at all, and never over others unasked."""

from __future__ import annotations

import contextlib
import os
import pwd
from pathlib import Path

from agent.platform.errors import AgentError
from agent.platform.file_problems import in_words
from agent.platform.ownership import rights_of_owner

SERVICE_USER = "chargepoint"


def write_whole(
    path: Path, text: str, mode: int, may_replace: bool, is_for_service: bool = False
) -> Path | None:
    """Write the file with this mode, all of it or nothing, with the rights of the folder's owner.

    ``is_for_service``: it will belong to the service's user, where there is one and root says so.
    Returns where an older one was put (``.old`` beside it), if there was one. Raises AgentError
    when there is one and it may not be replaced, or when the disk does not let us.
    """
    path = path.absolute()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with rights_of_owner(path.parent):
        try:
            _write_and_sync(beside, text, mode, is_for_service)
            kept = _make_room(path) if may_replace else None
            if kept is not None:
                beside.replace(path)
            else:
                os.link(beside, path)  # unlike a rename it fails when somebody was quicker
        except FileExistsError:
            raise AgentError(f"{path} exists already, and stays as it is") from None
        except OSError as problem:
            raise AgentError(in_words(problem, "write", path)) from None
        finally:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
    return kept


def _write_and_sync(path: Path, text: str, mode: int, is_for_service: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fchmod(descriptor, mode)
        if is_for_service and os.geteuid() == 0:
            with contextlib.suppress(KeyError):
                user = pwd.getpwnam(SERVICE_USER)
                os.fchown(descriptor, user.pw_uid, user.pw_gid)
        os.fsync(descriptor)


def _make_room(path: Path) -> Path | None:
    """Keep what is there under another name; its place is never empty meanwhile."""
    if not path.exists():
        return None
    kept = path.with_name(f"{path.name}.old")
    kept.unlink(missing_ok=True)
    os.link(path, kept)
    return kept
