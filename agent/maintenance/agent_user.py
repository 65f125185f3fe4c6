"""What the agent's own user may do with a file: the doctor itself is often run as root."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

SERVICE_USER = "chargepoint"
# What the unit gives to the service besides the user's own groups.
SERVICE_GROUPS = ("gpio", "spi", "dialout")


@dataclass(frozen=True, slots=True)
class User:
    """Who runs the agent."""

    name: str
    uid: int
    gids: frozenset[int]

    def may_read(self, path: Path) -> bool:
        """True when the mode of the file allows it. Raises OSError when it cannot be looked at."""
        return self._may(path.stat(), stat.S_IRUSR, stat.S_IRGRP, stat.S_IROTH)

    def may_write(self, path: Path) -> bool:
        """True when the mode of the file allows it. Raises OSError when it cannot be looked at."""
        return self._may(path.stat(), stat.S_IWUSR, stat.S_IWGRP, stat.S_IWOTH)

    def _may(self, found: os.stat_result, owner: int, group: int, others: int) -> bool:
        if self.uid == 0:
            return True
        if found.st_uid == self.uid:
            return bool(found.st_mode & owner)
        if found.st_gid in self.gids:
            return bool(found.st_mode & group)
        return bool(found.st_mode & others)


def agents_user(storage: Path) -> User:
    """Who runs the agent of this database: the owner of its directory.

    Where there is none yet: the service's user, else the user who runs the command.
    """
    try:
        uid = storage.parent.stat().st_uid
    except OSError:
        uid = _uid_of(SERVICE_USER)
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return User(str(uid), uid, frozenset())
    groups = frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid))
    if entry.pw_name == SERVICE_USER:
        groups |= {gid for name in SERVICE_GROUPS if (gid := _gid_of(name)) is not None}
    return User(entry.pw_name, uid, groups)


def _uid_of(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return os.geteuid()


def _gid_of(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None
