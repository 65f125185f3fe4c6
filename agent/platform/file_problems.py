"""What the system says about a file, as a sentence: the thing, the place, and what helps."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from pathlib import Path

_NO_RIGHT = (errno.EACCES, errno.EPERM)
_OF_GROUP = {"r": stat.S_IRGRP, "w": stat.S_IWGRP, "x": stat.S_IXGRP}
_REASONS = {
    errno.EROFS: "it is on a disk that cannot be written",
    errno.ENOSPC: "no room on the disk",
    errno.EDQUOT: "no room on the disk for this user",
    errno.EISDIR: "it is a folder",
    errno.ELOOP: "its links lead in a circle",
    errno.ENAMETOOLONG: "its name is too long",
}


def in_words(problem: OSError, doing: str = "use", path: Path | str = "") -> str:
    """``cannot read /etc/x: the user x has no right to it; run this as root``.

    ``doing`` is the verb that follows "cannot"; to "write" a file another place is as good. Without
    ``path`` the one that the system names.
    """
    place = os.fsdecode(path or problem.filename or "")
    if not place:
        return why(problem)
    is_elsewhere_as_good = doing == "write" and problem.errno in _NO_RIGHT
    other = ", or name another place" if is_elsewhere_as_good else ""
    return f"cannot {doing} {place}: {why(problem, place)}{other}"


def why(problem: OSError, path: Path | str = "") -> str:
    """Why, and what helps: for a sentence that names the place."""
    place = os.fsdecode(path or problem.filename or "")
    words = reason(problem, place)
    return f"{words}; {_who_may(Path(place))}" if place and problem.errno in _NO_RIGHT else words


def reason(problem: OSError, path: Path | str = "") -> str:
    """Why, without advice: for a sentence that has its own."""
    if problem.errno in _NO_RIGHT:
        return f"the user {_name_of_user(os.geteuid())} has no right to it"
    if problem.errno in (errno.ENOENT, errno.ENOTDIR):
        return _what_is_missing(Path(path)) if path else "there is no such file"
    return _REASONS.get(problem.errno or 0, problem.strerror or str(problem))


def _what_is_missing(path: Path) -> str:
    for folder in reversed(path.absolute().parents):
        if not os.path.lexists(folder):
            return f"there is no folder {folder}"
        if not os.path.isdir(folder):
            return f"{folder} is no folder"
    return "there is no such file"


def _who_may(path: Path) -> str:
    for place in (path, *path.parents):
        try:
            found = place.stat()
        except OSError:
            continue
        missing = _missing_right(place, is_on_the_way=place != path)
        if found.st_uid == os.geteuid():
            return f"chmod u+{missing} {place}"
        if found.st_mode & _OF_GROUP[missing] and found.st_gid not in (
            0,
            os.getegid(),
            *os.getgroups(),
        ):
            return f"run this as root, or join the group {_name_of_group(found.st_gid)}"
        break
    return "run this as root"


def _missing_right(place: Path, *, is_on_the_way: bool) -> str:
    first, right = (os.X_OK, "x") if is_on_the_way else (os.R_OK, "r")
    return "w" if os.access(place, first, effective_ids=True) else right


def _name_of_user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _name_of_group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
