"""A layer between SQLite and the operating system that tells of every write, cut and sync.

The standard library's ``sqlite3`` takes no file system of our own, but the SQLite library under it
does: this registers one with that very library, in this process, through ctypes. It is a copy of
the usual one in which opening a file exchanges three of its functions. Everything else (reading,
locking, shared memory) stays native, so it costs next to nothing.
"""

from __future__ import annotations

import ctypes
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

OK = sqlite3.SQLITE_OK
FULL = sqlite3.SQLITE_FULL
WRITE_FAILED = sqlite3.SQLITE_IOERR | (3 << 8)
SYNC_FAILED = sqlite3.SQLITE_IOERR | (4 << 8)
_NAME = b"simulated-disk"


class Listener(Protocol):
    """Who is told. What ``will_`` returns goes to SQLite; anything but OK: it does not happen."""

    def opened(self, name: str) -> None:
        """SQLite has opened this file of the directory."""

    def will_write(self, name: str, offset: int, data: bytes) -> int:
        """SQLite writes."""

    def will_cut(self, name: str, size: int) -> int:
        """SQLite makes the file shorter."""

    def will_sync(self, name: str) -> int:
        """SQLite wants everything on the medium; the real disk is not asked."""

    def deleted(self, name: str) -> None:
        """SQLite has deleted this file."""


def why_not() -> str | None:
    """Why this cannot be done here; None when it can."""
    return None if _library() is not None else "sqlite3 of this Python has SQLite built in"


@contextmanager
def watching() -> Iterator[Watch]:
    """Every database that is opened meanwhile is seen by the Watch."""
    library = _library()
    assert library is not None, why_not()
    watch = Watch(library)
    library.sqlite3_vfs_register(ctypes.byref(watch.table), 1)
    try:
        yield watch
    finally:
        library.sqlite3_vfs_unregister(ctypes.byref(watch.table))
        _KEPT.append(watch)  # a connection that is closed later still calls its functions


class Watch:
    """Which directory has which listener. Files elsewhere are left alone."""

    def __init__(self, library: Any) -> None:
        found = library.sqlite3_vfs_find(None)
        self._native = ctypes.cast(found, ctypes.POINTER(_Vfs)).contents
        self.table = _Vfs.from_buffer_copy(self._native)
        self.table.zName = _NAME
        self.table.pNext = None
        self._listeners: dict[str, Listener] = {}
        self._open_files: dict[int, tuple[Listener, str]] = {}
        self._methods: dict[int, _IoMethods] = {}  # by the address of the native ones
        self._open_native = _XOPEN(self._native.xOpen)
        self._delete_native = _XDELETE(self._native.xDelete)
        # Kept, because C keeps only the addresses.
        self._callbacks = (
            _XOPEN(self._open),
            _XDELETE(self._delete),
            _XWRITE(self._write),
            _XTRUNCATE(self._truncate),
            _XSYNC(self._sync),
        )
        self.table.xOpen = _address(self._callbacks[0])
        self.table.xDelete = _address(self._callbacks[1])

    def listen(self, directory: Path, listener: Listener) -> None:
        """Tell this listener of the databases in this directory."""
        self._listeners[str(directory)] = listener

    def _listener_of(self, path: int | None) -> tuple[Listener, str] | None:
        if path is None:
            return None
        directory, _, name = ctypes.string_at(path).decode().rpartition("/")
        listener = self._listeners.get(directory)
        return None if listener is None else (listener, name)

    def _open(self, vfs: int, path: int | None, file: int, flags: int, out: int) -> int:
        code: int = self._open_native(vfs, path, file, flags, out)
        found = self._listener_of(path)
        if code != OK or found is None:
            return code
        slot = ctypes.cast(file, ctypes.POINTER(ctypes.c_void_p)).contents
        assert slot.value is not None
        slot.value = ctypes.addressof(self._exchanged(slot.value))
        self._open_files[file] = found
        found[0].opened(found[1])
        return OK

    def _exchanged(self, native: int) -> _IoMethods:
        if native not in self._methods:
            original = ctypes.cast(native, ctypes.POINTER(_IoMethods)).contents
            table = _IoMethods.from_buffer_copy(original)
            self._write_native = _XWRITE(original.xWrite)
            self._truncate_native = _XTRUNCATE(original.xTruncate)
            table.xWrite = _address(self._callbacks[2])
            table.xTruncate = _address(self._callbacks[3])
            table.xSync = _address(self._callbacks[4])
            self._methods[native] = table
        return self._methods[native]

    def _delete(self, vfs: int, path: int | None, sync_directory: int) -> int:
        code: int = self._delete_native(vfs, path, 0)
        found = self._listener_of(path)
        if code == OK and found is not None:
            found[0].deleted(found[1])
        return code

    def _write(self, file: int, buffer: int, amount: int, offset: int) -> int:
        listener, name = self._open_files[file]
        code = listener.will_write(name, offset, ctypes.string_at(buffer, amount))
        return code if code != OK else int(self._write_native(file, buffer, amount, offset))

    def _truncate(self, file: int, size: int) -> int:
        listener, name = self._open_files[file]
        code = listener.will_cut(name, size)
        return code if code != OK else int(self._truncate_native(file, size))

    def _sync(self, file: int, flags: int) -> int:
        listener, name = self._open_files[file]
        return listener.will_sync(name)


_KEPT: list[Watch] = []


def _library() -> Any:
    """The library that this process' sqlite3 uses; None when it has no file of its own."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        place = line.split()[-1]
        if "libsqlite3" in place:
            library = ctypes.CDLL(place)
            library.sqlite3_vfs_find.restype = ctypes.c_void_p
            library.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
            return library
    return None


def _address(function: Any) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return address


# Paths are passed on as the addresses that they are: SQLite keeps them, and reads what is behind.
_XOPEN = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int,
    ctypes.c_void_p,
)
_XDELETE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
_XWRITE = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
)
_XTRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_XSYNC = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


class _Vfs(ctypes.Structure):
    """struct sqlite3_vfs, versions 1 to 3 (https://sqlite.org/c3ref/vfs.html)."""

    _fields_ = (
        ("iVersion", ctypes.c_int),
        ("szOsFile", ctypes.c_int),
        ("mxPathname", ctypes.c_int),
        ("pNext", ctypes.c_void_p),
        ("zName", ctypes.c_char_p),
        ("pAppData", ctypes.c_void_p),
        ("xOpen", ctypes.c_void_p),
        ("xDelete", ctypes.c_void_p),
        *((f"other_{number}", ctypes.c_void_p) for number in range(14)),
    )


class _IoMethods(ctypes.Structure):
    """struct sqlite3_io_methods (https://sqlite.org/c3ref/io_methods.html)."""

    _fields_ = (
        ("iVersion", ctypes.c_int),
        ("xClose", ctypes.c_void_p),
        ("xRead", ctypes.c_void_p),
        ("xWrite", ctypes.c_void_p),
        ("xTruncate", ctypes.c_void_p),
        ("xSync", ctypes.c_void_p),
        *((f"other_{number}", ctypes.c_void_p) for number in range(13)),
    )
