"""``init`` writes configurations that are in order, and never overwrites unasked."""

from __future__ import annotations

import io
import itertools
import json
import os
import pty
import re
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.__main__ import main
from agent.cli.commissioning import init as init_command
from agent.cli.commissioning.config_text import config_text
from agent.cli.commissioning.config_values import file_values
from agent.cli.commissioning.questions import PASSWORD, QUESTIONS, complaints, completed
from agent.config.advice import warnings_for
from agent.config.config_file import parse_config, read_config
from agent.config.reading import every_setting
from agent.ocppj.connect import check_profile, read_authorization_key
from agent.platform.edited_files import read_secret
from agent.platform.errors import AgentError, LinkError
from hw.settings import GridLimitSettings

LIMIT_S = 30.0
PASSWORD_TEXT = "k0123456789abcdef"
HOUSE_PASSWORD = "grüner Tee"
URLS = ("", "ws://10.0.0.1:8080/ocpp", "wss://ocpp.example.com/ocpp16")


def text_of(answers: dict[str, str]) -> str:
    return config_text(*file_values(answers, "/var/lib/x/agent.db", "/etc/x/secrets"))


def possible_answers() -> st.SearchStrategy[dict[str, str]]:
    """Any way through the questions, one after the other as a person would go."""

    @st.composite
    def answers(draw: Any) -> dict[str, str]:
        given: dict[str, str] = {}
        for question in QUESTIONS:
            if not question.is_asked(given):
                continue
            choices = question.choices(given)
            if question.name == "identity":
                answer = draw(st.text(st.characters(codec="ascii"), min_size=1, max_size=48))
            elif question.name == "url":
                answer = draw(st.sampled_from(URLS))
            elif question.name == "house_host":
                answer = draw(st.sampled_from(["", "homeassistant.local", "fe80::1"]))
            elif question.name == "house_username":
                answer = draw(st.sampled_from(["", "garage box"]))
            elif question.is_secret:
                answer = draw(st.sampled_from(["", PASSWORD_TEXT]))
            elif choices:
                answer = draw(st.sampled_from(choices))
            else:
                answer = question.default(given)
            if question.problem(answer, given):
                answer = "CP-1"  # only names may be refused here
                assert question.name == "identity"
            given[question.name] = answer
        return given

    return answers()


# --- the text ------------------------------------------------------------------------------------


@settings(deadline=None)
@given(possible_answers())
def test_whatever_is_answered_the_file_is_in_order(answers):
    assert complaints(answers) == []
    settings = parse_config(text_of(answers))
    assert settings.charge_point.identity == answers["identity"]
    assert len(settings.connectors) == int(answers["connectors"])
    assert settings.reader.driver == answers["reader"]
    if settings.central_system.url:
        check_profile(settings.central_system)
    assert settings.house.enabled == bool(answers["house_host"])
    assert (settings.inputs.grid_limit is not None) == (answers.get("grid_limit") == "yes")


@settings(deadline=None)
@given(possible_answers())
def test_no_output_is_on_a_pin_that_is_high_at_power_on(answers):
    assert [w for w in warnings_for(parse_config(text_of(answers))) if "at power-on" in w] == []


def test_every_key_there_is_stands_in_the_file_unless_it_is_another_drivers():
    answers = completed({"identity": "CP-1", "reader": "mfrc522", "meter": "modbus_sdm630"})
    told = set(re.findall(r"^#?(\w+) = ", text_of(answers), flags=re.M))
    keys = {
        field.name
        for section, field, _ in every_setting()
        if not re.match(r"\w+: ", field.metadata["help"]) and section != ("ocpp",)
    }
    assert len(keys) > 50
    assert keys - told == set()
    assert "lock_pin" not in told


def test_every_key_has_its_explanation():
    lines = text_of(completed({"identity": "CP-1"})).splitlines()
    for above, line in itertools.pairwise(lines):
        if re.match(r"#?[a-z_]+ = ", line):
            assert above.startswith("# "), line


def test_two_sockets_share_what_feeds_the_box():
    answers = completed({"identity": "C", "connectors": "2", "max_current_a": "32"})
    assert parse_config(text_of(answers)).charge_point.supply_current_a == 32
    alone = completed({"identity": "C"})
    assert parse_config(text_of(alone)).charge_point.supply_current_a is None


def test_the_second_connector_is_told_without_explanations():
    one = text_of(completed({"identity": "CP-1", "connectors": "1"}))
    two = text_of(completed({"identity": "CP-1", "connectors": "2"}))
    assert len(two.splitlines()) - len(one.splitlines()) < 35


def test_the_text_fits_into_the_width_of_the_example():
    for line in text_of(completed({"identity": "CP-1", "connectors": "2"})).splitlines():
        assert len(line) <= 100, line


# --- the questions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "--identity is missing"),
        ({"identity": "A:B"}, "--identity must not have a colon in it"),
        ({"identity": "C", "board": "toaster"}, "--board must be one of raspberry-pi, simulated"),
        ({"identity": "C", "reader": "rc632"}, "--reader must be one of mfrc522"),
        ({"identity": "C", "connectors": "3"}, "--connectors must be one of 1, 2"),
        ({"identity": "C", "connectors": "0"}, "--connectors must be one of"),
        ({"identity": "C", "max_current_a": "320"}, "--max-current-a must be a number from 6"),
        ({"identity": "C", "max_current_a": "lots"}, "--max-current-a "),
        (
            {"identity": "C", "connectors": "2", "supply_current_a": "10"},
            "--supply-current-a must not be less than max_current_a (16)",
        ),
        ({"identity": "C", "supply_current_a": "32"}, "--supply-current-a has no meaning beside"),
        ({"identity": "C", "phases": "2"}, "--phases must be one of 1, 3"),
        ({"identity": "C", "url": "http://x"}, "--url must begin with ws:// or wss://"),
        ({"identity": "C", "url": "ws://x", "password": "short"}, "--password must be 32 to 40"),
        ({"identity": "C", "reader_port": "/dev/x"}, "--reader-port has no meaning beside"),
        ({"identity": "C", "reader": "serial", "reader_port": "COM1"}, "--reader-port must be a"),
        ({"identity": "C", "board": "simulated", "lock": "none"}, "--lock has no meaning"),
        ({"identity": "C", "page": "perhaps"}, "--page must be one of yes, no"),
        ({"identity": "C", "grid_limit": "open"}, "--grid-limit must be one of yes, no"),
        ({"identity": "C", "board": "simulated", "grid_limit": "yes"}, "--grid-limit has no"),
        ({"identity": "C", "house_host": "mqtt://x"}, "--house-host must be the name or the"),
        ({"identity": "C", "house_username": "box"}, "--house-username has no meaning beside"),
        ({"identity": "C", "max_current_a": "16\n#x"}, "--max-current-a must "),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_answer_is_told_with_its_option(given, complaint):
    (told,) = complaints(given)
    assert told.startswith(complaint)


@pytest.mark.parametrize(
    "password",
    ["", "x" * 15, "x" * 16, "x" * 20, "x" * 21, "ab" * 16, "ab" * 20, "ab" * 21, "a" * 33],
)
def test_a_password_is_taken_exactly_if_the_link_can_use_it(tmp_path, password):
    file = tmp_path / "key"
    file.write_text(password)
    try:
        read_authorization_key(str(file))
    except LinkError:
        assert not PASSWORD.fullmatch(password)
    else:
        assert PASSWORD.fullmatch(password)


# --- the command without questions ---------------------------------------------------------------


def init(directory: Path, *words: str) -> int:
    return main(["init", "--yes", "--config", str(directory / "config.toml"), *words])


def test_one_command_writes_a_file_that_check_config_accepts(tmp_path, capsys):
    assert init(tmp_path, "--identity", "CP-7", "--meter", "modbus_sdm630") == 0
    config = tmp_path / "config.toml"
    assert stat.S_IMODE(config.stat().st_mode) == 0o644
    assert main(["check-config", "--config", str(config)]) == 0
    assert "is in order" in capsys.readouterr().out
    assert read_config(config).storage.path == str(tmp_path / "agent.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml"]


def test_the_password_stands_in_a_file_of_its_own_and_nowhere_else(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(PASSWORD_TEXT.encode() + b"\n")))
    url = "wss://ocpp.example.com"
    assert init(tmp_path, "--identity", "C", "--url", url, "--password-from", "-", "--json") == 0
    secret = tmp_path / "secrets/authorization_key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert read_authorization_key(str(secret)) == PASSWORD_TEXT.encode()
    text = (tmp_path / "config.toml").read_text()
    captured = capsys.readouterr()
    assert PASSWORD_TEXT not in text + captured.out + captured.err
    told = json.loads(captured.out)
    assert told["secrets"] == [str(secret)]
    settings = read_config(tmp_path / "config.toml")
    assert settings.central_system.security_profile == 2
    assert settings.central_system.authorization_key_file == str(secret)


def test_a_password_without_tls_is_profile_1_and_worth_a_note(tmp_path, capsys):
    (tmp_path / "pw").write_text(PASSWORD_TEXT)
    words = ["--url", "ws://10.0.0.1", "--password-from", str(tmp_path / "pw")]
    assert init(tmp_path, "--identity", "C", *words) == 0
    assert "only within a VPN" in capsys.readouterr().out


def test_the_house_and_the_grid_operators_contact_are_told_by_options(tmp_path, capsys):
    (tmp_path / "pw").write_text("a\n")
    words = ["--house-host", "10.0.0.2", "--house-username", "box", "--grid-limit", "yes"]
    words += ["--house-password-from", str(tmp_path / "pw"), "--json"]
    assert init(tmp_path, "--identity", "C", "--connectors", "2", *words) == 0
    secret = tmp_path / "secrets/house-password"
    assert json.loads(capsys.readouterr().out)["secrets"] == [str(secret)]
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    settings = read_config(tmp_path / "config.toml")
    assert (settings.house.host, settings.house.username) == ("10.0.0.2", "box")
    assert settings.house.password_file == str(secret)
    assert settings.inputs.grid_limit == GridLimitSettings(driver="gpio", pin=13)


def test_a_file_that_is_there_stays_untouched(tmp_path, capsys):
    config = tmp_path / "config.toml"
    config.write_text("precious")
    assert init(tmp_path, "--identity", "C") == 1
    assert config.read_text() == "precious"
    assert "--force replaces it" in capsys.readouterr().err


def test_the_example_of_the_package_is_replaced_without_a_question(tmp_path, monkeypatch):
    example, config = tmp_path / "example.toml", tmp_path / "config.toml"
    monkeypatch.setattr(init_command, "SHIPPED_EXAMPLE", example)
    example.write_text("shipped")
    config.write_text("shipped, and edited")
    assert init(tmp_path, "--identity", "C") == 1
    config.write_text("shipped")
    assert init(tmp_path, "--identity", "C") == 0
    assert read_config(config).charge_point.identity == "C"


def test_a_password_that_is_there_stays_untouched_and_so_does_everything_else(tmp_path, capsys):
    (tmp_path / "secrets").mkdir()
    secret = tmp_path / "secrets/authorization_key"
    secret.write_text("precious")
    (tmp_path / "pw").write_text(PASSWORD_TEXT)
    words = ["--url", "ws://10.0.0.1", "--password-from", str(tmp_path / "pw")]
    assert init(tmp_path, "--identity", "C", *words) == 1
    assert secret.read_text() == "precious"
    assert not (tmp_path / "config.toml").exists()


def test_what_is_replaced_when_told_so_is_kept(tmp_path, capsys):
    config = tmp_path / "config.toml"
    config.write_text("precious")
    assert init(tmp_path, "--identity", "C", "--force") == 0
    assert (tmp_path / "config.toml.old").read_text() == "precious"
    assert read_config(config).charge_point.identity == "C"
    assert "keeps what was there" in capsys.readouterr().out


def test_wrong_answers_are_told_all_at_once_and_nothing_is_written(tmp_path, capsys):
    assert init(tmp_path, "--board", "toaster", "--phases", "2") == 2
    errors = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in errors] == ["--identity", "--board", "--phases"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--password-from", "{}/none"], "the password cannot be taken"),
        (["--config", "{}/none/config.toml"], "there is no folder"),
    ],
)
def test_what_the_disk_does_not_let_us_is_one_sentence(tmp_path, capsys, words, sentence):
    words = [word.format(tmp_path) for word in words]
    assert init(tmp_path, "--identity", "C", *words) == 1
    assert sentence in capsys.readouterr().err


def test_a_file_that_somebody_else_writes_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("theirs")
    with pytest.raises(AgentError, match="exists already"):
        init_command.write_file(path, "ours", 0o644, may_replace=False)
    assert path.read_text() == "theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["config.toml"]


def test_a_disk_that_is_full_leaves_the_old_file_and_nothing_half_written(tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "no room on the disk on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AgentError, match="no room on the disk"):
        init_command.write_file(path, "new", 0o644, may_replace=True)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["config.toml"]


# --- the conversation ----------------------------------------------------------------------------


class Conversation:
    """``init`` on a real terminal of its own."""

    def __init__(self, *words: str) -> None:
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(COLUMNS="80", TERM="xterm")
            os.execv(sys.executable, [sys.executable, "-m", "agent", "init", *words])
        self.seen = ""

    def until(self, text: str) -> None:
        """Read what is shown until this comes."""
        while text not in self.seen:
            readable, _, _ = select.select([self._terminal], [], [], LIMIT_S)
            assert readable, f"{text!r} does not come: {self.seen}"
            self.seen += os.read(self._terminal, 4096).decode()

    def answer(self, question: str, text: str = "") -> None:
        """Wait for the question, then type."""
        self.until(question)
        self.until("> ")
        self.shown = self.seen
        self.seen = ""
        os.write(self._terminal, f"{text}\n".encode())

    def end(self) -> int:
        """Read to the end; returns the exit status."""
        try:
            while piece := os.read(self._terminal, 4096).decode():
                self.seen += piece
        except OSError:  # the other side has closed: what a terminal says at its end
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(status)


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    return tmp_path / "config.toml"


def test_a_person_answers_is_asked_again_when_wrong_and_never_sees_the_password(config):
    talk = Conversation("--config", str(config))
    talk.answer("Name under which", "CP:1")
    talk.answer("must not have a colon", "CP-1")
    talk.answer("What is it")
    talk.answer("Card reader", "serial")
    talk.answer("Serial port of the card reader", "COM1")
    talk.answer("must be a device file", "/dev/ttyUSB0")
    talk.answer("How many")
    talk.answer("What holds the plug", "motor")
    talk.answer("Controller of the control pilot")
    talk.answer("What tells whether")
    talk.answer("Energy meter", "modbus_sdm120")
    talk.answer("Serial port of the meter", "/dev/ttyUSB1")
    talk.answer("emergency stop", "yes")
    talk.answer("residual current")
    talk.answer("grid operator", "yes")
    talk.answer("ampere per phase", "32")
    talk.answer("Phases wired")
    talk.answer("Address of the central system", "wss://ocpp.example.com/ocpp16")
    talk.answer("Password", PASSWORD_TEXT)
    talk.answer("page to browsers")
    talk.answer("broker of the house", "mqtt://ha")
    talk.answer("must be the name or the address of a machine", "homeassistant.local")
    talk.answer("User name", "garage")
    talk.answer("Password of this user", HOUSE_PASSWORD)
    assert PASSWORD_TEXT not in talk.shown
    assert talk.end() == 0
    assert "is in order" in talk.seen
    assert PASSWORD_TEXT not in talk.seen
    assert HOUSE_PASSWORD not in talk.seen
    settings = read_config(config)
    assert settings.reader.port == "/dev/ttyUSB0"
    assert settings.connectors[0].meter.baud == 2400
    assert settings.charge_point.max_current_a == 32
    assert settings.inputs.emergency_stop is not None
    assert settings.inputs.grid_limit is not None
    secret = config.parent / "secrets/authorization_key"
    assert read_authorization_key(str(secret)) == PASSWORD_TEXT.encode()
    house = settings.house
    assert (house.enabled, house.host, house.username) == (True, "homeassistant.local", "garage")
    assert read_secret(house.password_file) == HOUSE_PASSWORD


def test_ctrl_c_writes_nothing(config):
    talk = Conversation("--config", str(config))
    talk.answer("Name under which", "CP-1")
    talk.until("What is it")
    os.kill(talk.pid, signal.SIGINT)
    assert talk.end() == 130
    assert not config.exists()


def test_an_old_file_is_replaced_only_when_a_person_says_yes(config):
    config.write_text("precious")
    talk = Conversation("--config", str(config))
    talk.answer("Replace it")
    assert talk.end() == 1
    assert config.read_text() == "precious"

    talk = Conversation("--config", str(config), "--identity", "C", "--board", "simulated")
    talk.answer("Replace it", "yes")
    talk.answer("Card reader")
    talk.answer("How many")
    talk.answer("ampere per phase")
    talk.answer("Phases wired")
    talk.answer("Address of the central system")
    talk.answer("page to browsers", "yes")
    talk.answer("broker of the house")
    assert talk.end() == 0
    assert "token new phone" in talk.seen
    assert (config.parent / "config.toml.old").read_text() == "precious"


def test_no_line_of_the_conversation_is_wider_than_80_columns(config):
    talk = Conversation("--config", str(config), "--identity", "C", "--board", "simulated")
    whole = ""
    for question in (
        "Card reader",
        "How many",
        "ampere",
        "Phases",
        "Address",
        "page to",
        "broker of",
    ):
        talk.answer(question)
        whole += talk.shown
    assert talk.end() == 0
    text = re.sub(r"\x1b\[\d*m", "", whole + talk.seen)
    path = str(config)
    wide = [line for line in text.splitlines() if len(line) > 80 and path not in line]
    assert wide == []


def test_answers_that_end_too_early_write_nothing(config):
    done = subprocess.run(
        [sys.executable, "-m", "agent", "init", "--config", str(config)],
        input="CP-1\nsimulated\n",
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 1
    assert "the answers have ended" in done.stderr
    assert done.stdout == ""
    assert not config.exists()
