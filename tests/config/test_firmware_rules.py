"""The section [firmware]: a command that can be run, or none."""

from __future__ import annotations

import pytest

from agent.config.config_file import parse_config
from agent.platform.errors import ConfigError

BOX = '[charge_point]\nidentity = "CP-1"\n[[connectors]]\nid = 1\ncontactor.driver = "simulated"\n'


def firmware(command: str) -> str:
    return f"{BOX}[firmware]\ninstall_command = {command}\n"


@pytest.mark.parametrize(
    "command", ["[]", '["/usr/bin/rauc", "install", "{file}"]', '["/x/y", "--image={file}"]']
)
def test_a_full_path_with_the_file_behind_it_is_taken(command: str):
    assert isinstance(parse_config(firmware(command)).firmware.install_command, tuple)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ('["rauc", "install", "{file}"]', "must begin with the full path of a program"),
        ('["/usr/bin/rauc", "install"]', "must name the file"),
        ('["{file}"]', "must begin with the full path"),
        ('["/{file}"]', "must name the file"),
        ('"/usr/bin/rauc {file}"', "must be a list"),
        ("[5]", "must be a text"),
    ],
)
def test_what_cannot_be_run_is_told(command: str, words: str):
    with pytest.raises(ConfigError) as refused:
        parse_config(firmware(command))
    (mistake,) = refused.value.mistakes
    assert "firmware.install_command" in mistake
    assert words in mistake


def test_without_the_section_there_are_no_updates():
    settings = parse_config(BOX).firmware
    assert settings.install_command == ()
    assert (settings.after_install, settings.install_timeout_s, settings.max_mb) == (
        "restart",
        900,
        512,
    )
