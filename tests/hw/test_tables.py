"""What can be read of a configuration file that nobody else can use."""

import os
import time

import pytest

from hw.outputs import outputs_of
from hw.tables import BYTES_MAX, read_tables, tables_of

GOOD = """
[charge_point]
identity = "CP-1"

[[connectors]]
id = 1
[connectors.contactor]
driver = "gpio"
pin = 17   # the coil
active_high = false
[connectors.lock]
driver = "solenoid"
pin = 22

[[connectors]]
id = 2
contactor = { driver = "gpio", pin = 27, heartbeat_pin = "gpiochip1:4" }
lock.driver = "motor"
lock.lock_pin = 5
lock.unlock_pin = 6

[api]
enabled = true
"""
ALL = {17: True, 22: False, 27: False, "gpiochip1:4": False, 5: False, 6: False}


def levels(text):
    content = text if isinstance(text, bytes) else text.encode()
    found, _ = outputs_of(tables_of(content))
    return {output.pin: output.off_level for output in found}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text,
        lambda text: text.replace("enabled = true", "enabeld = ture"),
        lambda text: text.replace('"CP-1"', '"CP-1'),
        lambda text: text.replace('"CP-1"', "“CP-1”"),
        lambda text: text.replace('"CP-1"', "0,5"),
        lambda text: text.replace("[api]", "[api"),
        lambda text: text.replace("[api]", '[api]\nlisten = """never closed'),
        lambda text: text.replace("[connectors.contactor]", "[connectors.contactor"),
        lambda text: text.replace("[[connectors]]\nid = 2", "[[connectors]\nid = 2"),
        lambda text: text.replace("[[connectors]]\nid = 2", "id = 2"),
        lambda text: text.replace("connectors", "conectors"),
        lambda text: text.replace("[charge_point]", "<<<<<<< HEAD\n[charge_point]\n======="),
        lambda text: text.replace("\n", "\r\n").replace("[api]", "]"),
        lambda text: text.replace("pin = 17", "pin = '17'"),
        lambda text: text + "\n[api]\nenabled = true\n",
        lambda text: text.encode().replace(b"CP-1", b"CP-\xff\x00"),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text + "x = " + "[" * 100_000,
        lambda text: text + "a" + ".a" * 200_000 + " = 1\n",
        lambda text: text + "n = " + "1" * 10_000,
    ],
)
def test_a_mistake_anywhere_else_leaves_every_output_known(spoil):
    assert levels(spoil(GOOD)) == ALL


def test_a_line_that_says_two_things_means_both():
    assert levels(GOOD.replace("pin = 22", "pin = 22\npin = 23")) == {**ALL, 23: False}


def test_a_header_that_cannot_be_read_lends_its_keys_to_nobody():
    assert levels(GOOD.replace("[connectors.lock]", "[connectors.lo[ck]")) == {
        pin: level for pin, level in ALL.items() if pin != 22
    }


@pytest.mark.parametrize(
    ("contactor", "words"),
    [
        ('driver = "gpio", pin = 17, active_high = "yes"', "active_high is neither true nor"),
        ('driver = "gpio", pin = 99', "its pin must be a whole number from 0 to 53"),
        ('driver = "gpio", pin = [1]', "its pin must be"),
    ],
)
def test_an_output_that_can_only_be_guessed_is_named_and_not_driven(contactor, words):
    text = f"[[connectors]]\nid = 1\ncontactor = {{ {contactor} }}\n"
    found, [problem] = outputs_of(tables_of(text.encode()))
    assert found == []
    assert problem.startswith("connector 1 contactor: not switched off: ")
    assert words in problem


def test_a_driver_that_nobody_knows_is_taken_for_a_real_one():
    assert levels('[[connectors]]\ncontactor = { driver = "gipo", pin = 17 }') == {17: False}
    assert levels('[[connectors]]\nlock = { driver = "moter", lock_pin = 5 }') == {5: False}
    assert levels('[[connectors]]\ncontactor = { driver = "simulated", pin = 17 }') == {}


@pytest.mark.parametrize("odd", ["connectors = 1", "connectors = [1]", "indicator = 1", "[x"])
def test_tables_of_the_wrong_kind_hold_nothing(odd):
    assert levels(odd) == {}


def test_a_file_of_a_mebibyte_of_anything_takes_no_long_time():
    """Measured in the processor time of this thread, which a busy machine does not change."""
    for line in ("a=" * 100, "[" * 299, "a." * 149, " " * 200 + "=", "x = {" + "a=1," * 70, "\n"):
        begun_s = time.thread_time()
        tables_of(b"= broken\n" + (line + "\n").encode() * (BYTES_MAX // (len(line) + 1)))
        assert time.thread_time() - begun_s < 20


def test_only_a_plain_file_is_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, words in (
        (pipe, "not a plain file"),
        (tmp_path, "not a plain file"),
        (tmp_path / "none", "No such file"),
        ("a\0b", "not a file name"),
        ("/dev/full", "not a plain file"),
    ):
        with pytest.raises(OSError, match=words):
            read_tables(str(path))
