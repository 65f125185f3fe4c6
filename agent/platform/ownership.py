"""Folders of other users: what root does in one, it does with the rights of its owner.

Who owns a folder can put a symbolic link in the place of any name in it, at any moment. So root
trusts no such name, and checks none either: it works there with rights that reach nothing else.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.platform.errors import AgentError

ROOT = 0
_LINKS_MAX = 40  # as the kernel has it


@dataclass(frozen=True, slots=True)
class _Rights:
    uid: int
    gid: int
    groups: tuple[int, ...]


@contextmanager
def rights_of_owner(folder: Path) -> Iterator[None]:
    """Do what is inside with the rights of the user whose folder it is, where root asks for it.

    Other users, and root in a folder of its own, keep their rights. Rights are
    those of the whole process: only for commands, which have one thread. Raises AgentError.
    """
    wanted = _rights_wanted(folder)
    if wanted is None:
        yield
        return
    with ExitStack() as back:
        try:
            groups, gid = os.getgroups(), os.getegid()
            os.setgroups(wanted.groups)
            back.callback(os.setgroups, groups)
            os.setegid(wanted.gid)
            back.callback(os.setegid, gid)
            os.seteuid(wanted.uid)
            back.callback(os.seteuid, ROOT)
        except OSError as problem:
            raise AgentError(
                f"cannot take the rights of the owner of {folder}: {problem.strerror}; "
                f"run this as {_name_of(wanted.uid)}"
            ) from None
        yield


def become_owner(folder: Path, more_groups: Iterable[str] = ()) -> str:
    """The same for a process that stays, and for good. Returns the user's name, "" if it stays.

    ``more_groups`` are given besides the user's own, where they exist. Raises AgentError.
    """
    wanted = _rights_wanted(folder)
    if wanted is None:
        return ""
    more = [gid for name in more_groups if (gid := _group(name)) is not None]
    try:
        os.setgroups([*wanted.groups, *more])
        os.setgid(wanted.gid)
        os.setuid(wanted.uid)
    except OSError as problem:
        raise AgentError(
            f"cannot go on as the owner of {folder}: {problem.strerror}; "
            f"run this as {_name_of(wanted.uid)}"
        ) from None
    return _name_of(wanted.uid)


def require_own_folder(folder: Path) -> None:
    """Raises AgentError where root is about to work in a folder in which others can change names.

    For what stays open longer than one block of ``rights_of_owner``, so that none is forgotten.
    """
    if os.geteuid() != ROOT:
        return
    uid = _first_owner(folder)
    if uid is not None:
        raise AgentError(f"{folder} belongs to {_name_of(uid)}: root does not work in it as root")
    try:
        found = os.stat(folder)
    except OSError:
        return  # the caller that needs the folder reports that
    is_shared = found.st_mode & stat.S_IWGRP and found.st_gid != ROOT
    if is_shared or found.st_mode & stat.S_IWOTH:
        raise AgentError(
            f"{folder} belongs to root, but others may write in it: "
            f"give it to the agent's user (chown), or take that right away (chmod go-w {folder})"
        )


# --- whose it is ---------------------------------------------------------------------------------


def _rights_wanted(folder: Path) -> _Rights | None:
    uid = _first_owner(folder) if os.geteuid() == ROOT else None
    if uid is None:
        return None
    try:
        account = pwd.getpwuid(uid)
    except KeyError:  # a number without a name has no groups either
        return _Rights(uid, uid, (uid,))
    groups = os.getgrouplist(account.pw_name, account.pw_gid)
    return _Rights(uid, account.pw_gid, tuple(groups))


def _first_owner(folder: Path) -> int | None:
    """The first user but root on the way to a folder, which may change all that follows.

    None: all of it is root's, as far as it is there. Raises AgentError where every user could.
    """
    here, parts = Path("/"), list(folder.absolute().parts[1:])
    links = 0
    while parts:
        part = parts.pop(0)
        if part == "..":
            here = here.parent
            continue
        step = here / part
        try:
            found = os.lstat(step)
            if found.st_uid != ROOT:
                return found.st_uid
            if not stat.S_ISLNK(found.st_mode):
                here = step
                _require_settled(here, found)
                continue
            target = Path(os.readlink(step))
        except OSError:
            return None
        links += 1
        if links > _LINKS_MAX:
            raise AgentError(f"{folder} has too many symbolic links on its way")
        here = Path("/") if target.is_absolute() else here
        parts = [part for part in target.parts if part != "/"] + parts
    return None


def _require_settled(folder: Path, found: os.stat_result) -> None:
    """Where all may write, only the sticky bit keeps them from changing what others put there."""
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise AgentError(
            f"everybody may write in {folder}: root does nothing in it or below; "
            f"take that right away (chmod o-w {folder})"
        )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the user {uid}"


def _group(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None
