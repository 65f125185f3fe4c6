"""A file is written whole, content before name, whatever lies beside it."""

from __future__ import annotations

import os
import stat

from agent.platform.whole_file import write_whole


def test_a_file_and_its_name_are_synced_in_this_order(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_mode))
    target = tmp_path / "out"
    leftover = target.with_name(f".out.{os.getpid()}")
    leftover.write_bytes(b"of a process that a power cut has ended")
    write_whole(target, b"content")
    assert [stat.S_ISREG(mode) for mode in synced] == [True, False]
    assert stat.S_ISDIR(synced[1])
    assert target.read_bytes() == b"content"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_written_in_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    opened = os.open

    def refuse(path, flags, *mode):
        if flags & os.O_DIRECTORY:
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", refuse)
    write_whole(tmp_path / "out", b"content")
    assert (tmp_path / "out").read_bytes() == b"content"
