"""Whatever editor wrote a file: its text is the same, or the sentence says what is wrong."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.api.tokens import digest_of, token_from_file
from agent.cli.local_list_csv import read_list_csv
from agent.config.config_file import parse_config, read_config
from agent.config.settings import ApiTokenSettings, MqttSettings
from agent.maintenance.scrub import scrubber_for
from agent.mqtt.broker import _password
from agent.ocppj.connect import read_authorization_key
from agent.platform.edited_files import decoded, one_line, read_certificates, read_secret, read_text
from agent.platform.errors import AgentError, EditedFileError
from agent.platform.tls import client_context
from agent.store.offline_view import Look
from tests.box_config import config_text
from tests.emulators.certificates import certificate_for

SECRET = "q7Zr-2kPw_5vXb9T"
EDITORS = {
    "plain": lambda text: text.encode(),
    "a mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "utf-16 little": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "utf-16 big": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "utf-32": lambda text: codecs.BOM_UTF32_LE + text.encode("utf-32-le"),
    "windows": lambda text: text.replace("\n", "\r\n").encode(),
    "an old mac": lambda text: text.replace("\n", "\r").encode(),
}
editors = pytest.mark.parametrize("write", EDITORS.values(), ids=EDITORS.keys())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


@editors
def test_a_text_is_the_same_from_every_editor(file: Path, write):
    file.write_bytes(write("a = 1\n# ü\nb = 2\n"))
    assert read_text(file, 1000) == "a = 1\n# ü\nb = 2\n"


@editors
def test_every_file_that_is_edited_is_read_so(file: Path, write):
    config = config_text(file.parent)
    file.write_bytes(write(config))
    assert read_config(file) == parse_config(config)
    file.write_bytes(write(f"{SECRET}\n"))
    assert read_authorization_key(str(file)) == SECRET.encode()
    assert _password(MqttSettings(password_file=str(file))) == SECRET
    token = token_from_file(ApiTokenSettings(name="me", secret_file=str(file), scopes=("read",)))
    assert token.digest == digest_of(SECRET)
    (entry,) = read_list_csv(write("id_tag,parent_id_tag\n04A2B3C4,FAMILY\n"), 10)
    assert entry.info is not None
    assert (entry.id_tag, entry.info.parent_id_tag) == ("04A2B3C4", "FAMILY")


@editors
def test_the_scrubber_knows_the_secret_as_it_is_used(file: Path, write):
    secret = "blauer elefant 7"  # nothing that looks like a secret
    file.write_bytes(write(f" {secret}\n"))
    settings = parse_config(
        config_text(file.parent, "ws://x") + f'[mqtt]\npassword_file = "{file}"\nusername = "u"\n'
    )
    assert scrubber_for(settings, Look()).text(f"x {secret} y") == "x *** y"


@editors
def test_a_password_for_init_is_read_so(tmp_path: Path, file: Path, write, capsys):
    file.write_bytes(write(f"{SECRET}\n"))
    config = tmp_path / "box" / "config.toml"
    config.parent.mkdir()
    words = ["init", "--yes", "--identity", "CP-1", "--url", "ws://a.example/x"]
    assert main([*words, "--config", str(config), "--password-from", str(file)]) == 0
    assert (config.parent / "secrets/authorization_key").read_text().strip() == SECRET


@editors
def test_certificates_are_found_behind_a_mark_and_among_words(file: Path, write):
    pem = certificate_for("a.example", file.parent).path.read_text()
    file.write_bytes(write(f"Unsere Wurzel, gültig:\n{pem}\nsubject=/CN=ü\n{pem}"))
    assert read_certificates(file) == f"{pem}{pem}"
    assert len(client_context(str(file)).get_ca_certs()) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("one\ntwo ü\n".encode("latin-1"), "line 2 is not UTF-8: save the file as UTF-8 text"),
        (b"one\x00", "zero bytes are in it: save the file as UTF-8 text"),
        ("text".encode("utf-16-le"), "zero bytes are in it"),
        (codecs.BOM_UTF16_LE + b"o\0n\0\n\0x", "line 2 is not UTF-16-LE"),
    ],
)
def test_what_is_no_text_is_told_with_its_line(file: Path, content: bytes, words: str):
    with pytest.raises(EditedFileError, match=words):
        decoded(content)
    file.write_bytes(content)
    with pytest.raises(EditedFileError, match=str(file)):
        read_text(file, 1000)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("\ufeff \u200b\n\n", "the file is empty"),
        (f"{SECRET}\n{SECRET}\n", "the file has 2 lines: one is wanted"),
        (f"{SECRET[:5]}\u200b{SECRET[5:]}", r"an invisible character \(U\+200B\) is in it"),
        (f"{SECRET[:5]}\t{SECRET[5:]}", r"an invisible character \(U\+0009\) is in it"),
    ],
)
def test_what_is_no_secret_is_told_without_it(file: Path, text: str, words: str):
    with pytest.raises(EditedFileError, match=words):
        one_line(text)
    file.write_text(text)
    for read in (
        lambda: read_secret(file),
        lambda: read_authorization_key(str(file)),
        lambda: _password(MqttSettings(password_file=str(file))),
        lambda: token_from_file(ApiTokenSettings(name="me", secret_file=str(file), scopes=())),
    ):
        with pytest.raises(AgentError, match=words) as told:
            read()
        assert str(file) in str(told.value)
        assert SECRET not in str(told.value)
        assert isinstance(told.value, AgentError)


@pytest.mark.parametrize("unseen", [" ", "\t", "\u00a0", "\u200b", "\ufeff", "\u2060", "\u3000"])
def test_what_is_not_seen_at_the_ends_does_not_belong_to_a_secret(unseen: str):
    assert one_line(f"\n{unseen}{SECRET}{unseen}\n{unseen}\n") == SECRET
    assert one_line("two words") == "two words"


def test_a_file_that_is_none_or_too_large_is_told(tmp_path: Path):
    for path, words in ((tmp_path / "none", "there is no such file"), (tmp_path, "it is a folder")):
        with pytest.raises(EditedFileError, match=f"{path}: {words}"):
            read_text(path, 10)
    (tmp_path / "large").write_text("x" * 5000)
    with pytest.raises(EditedFileError, match="the file is larger than 4 KiB"):
        read_secret(tmp_path / "large")
    with pytest.raises(EditedFileError, match="is not a file name"):
        read_text("a\0b", 10)
    with pytest.raises(EditedFileError, match="holds no certificate in PEM form"):
        read_certificates(tmp_path / "large")
