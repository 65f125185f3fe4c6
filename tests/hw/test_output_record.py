"""The record of what was claimed: written whole, read as far as it can be."""

import os

import pytest

from hw.output_record import BYTES_MAX, NAME, OUTPUTS_MAX, boot_id, forget, places, read, write
from hw.outputs import Output

COIL = Output("contactor", 17, False, "connector 1 contactor")
LINE = Output("lock", "gpiochip1:4", True, "connector 1 lock")
BOOT = boot_id()


def test_what_is_written_is_read(tmp_path):
    assert write(str(tmp_path), [COIL, LINE], BOOT) is None
    record = read(str(tmp_path), BOOT)
    assert (record.outputs, record.problems) == ((COIL, LINE), ())
    assert os.listdir(tmp_path) == [NAME]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace(b"\nlock", b"\n\xff\x00lock", 1),
        lambda text: text.replace(b"\n", b"\n\n\x00\n"),
        lambda text: text + b"\xde\xad\xbe\xef" * 100,
        lambda text: text + b"contactor 99 low nobody\ncontactor 5 middle x\nx\n\n",
        lambda text: text.partition(b"\n")[2],
        lambda text: b"boot \xff\xff\n" + text.partition(b"\n")[2],
        lambda text: text + b"x" * 2 * BYTES_MAX,
    ],
)
def test_what_can_be_read_of_a_damaged_record_counts(tmp_path, spoil):
    write(str(tmp_path), [COIL, LINE], BOOT)
    path = tmp_path / NAME
    path.write_bytes(spoil(path.read_bytes()))
    found = read(str(tmp_path), BOOT).outputs
    assert [(output.pin, output.off_level) for output in found] == [(17, False), (LINE.pin, True)]


def test_a_damaged_record_stays_for_a_person_and_is_replaced_by_the_next_process(tmp_path):
    (tmp_path / NAME).write_bytes(b"contactor 17 low x\ngarbage\n")
    record = read(str(tmp_path), BOOT)
    assert record.problems == (f"{tmp_path}/{NAME}: entry 2 cannot be read",)
    forget(str(tmp_path), record, (), BOOT)
    assert (tmp_path / NAME).exists()
    assert write(str(tmp_path), [COIL], BOOT) is None
    assert read(str(tmp_path), BOOT).outputs == (COIL,)


def test_nothing_but_a_plain_file_is_read_and_nothing_is_waited_for(tmp_path):
    path = tmp_path / NAME
    target = tmp_path / "target"
    target.write_text("contactor 17 low x\n")
    for make in (
        lambda: path.symlink_to(target),
        lambda: os.mkfifo(path),
        path.mkdir,
    ):
        make()
        record = read(str(tmp_path), BOOT)
        assert (record.outputs, len(record.problems)) == ((), 1)
        path.rmdir() if path.is_dir() else path.unlink()


def test_a_link_in_the_place_of_the_record_is_replaced_and_not_followed(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("as it was")
    for name in (NAME, f"{NAME}.new"):
        (tmp_path / name).symlink_to(precious)
        assert write(str(tmp_path), [COIL], BOOT) is None
    assert precious.read_text() == "as it was"
    assert read(str(tmp_path), BOOT).outputs == (COIL,)


def test_a_disk_without_room_leaves_the_record_as_it_was(tmp_path, monkeypatch):
    write(str(tmp_path), [COIL], BOOT)

    def no_room(descriptor, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", no_room)
    problem = write(str(tmp_path), [LINE], BOOT)
    assert problem == f"{tmp_path}/{NAME} cannot be written: No space left on device"
    assert read(str(tmp_path), BOOT).outputs == (COIL,)
    assert os.listdir(tmp_path) == [NAME]


def test_a_record_has_a_limit(tmp_path):
    many = [Output("lock", f"gpiochip0:{n}", False, "x" * 60) for n in range(3 * OUTPUTS_MAX)]
    write(str(tmp_path), many, BOOT)
    assert len(read(str(tmp_path), BOOT).outputs) == OUTPUTS_MAX
    assert (tmp_path / NAME).stat().st_size < BYTES_MAX
    (tmp_path / NAME).write_text("lock 5 low x\n" * 1000)
    record = read(str(tmp_path), BOOT)
    assert len(record.outputs) == OUTPUTS_MAX
    assert "the rest is not read" in record.problems[-1]


def test_the_places_are_those_of_the_service_and_the_folder_of_the_database(tmp_path):
    told = {"RUNTIME_DIRECTORY": "/run/a:/run/b", "STATE_DIRECTORY": "/var/lib/a"}
    assert places(told) == ("/run/a", "/var/lib/a")
    assert places(told, "/var/lib/a/agent.db") == ("/run/a", "/var/lib/a")
    assert places(told, f"{tmp_path}/agent.db") == ("/run/a", "/var/lib/a", str(tmp_path))
    assert places({}, "agent.db")[-1] == "."


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could")
def test_root_writes_nothing_into_the_folder_of_another_user(tmp_path):
    os.chown(tmp_path, 65534, -1)
    assert write(str(tmp_path), [COIL], BOOT) == (
        f"{tmp_path} belongs to another user: root writes nothing there"
    )
    assert os.listdir(tmp_path) == []
