"""What needs only the running agent, or only its folder, needs no faultless file."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.app.application import Application
from agent.config.config_file import read_config, settings_as_data, settings_from_data
from agent.config.toml_text import storage_path_in
from agent.platform.errors import ConfigError
from tests.agent_process import LIMIT_S
from tests.app.box import CARD, put_on_list
from tests.box_config import write_config

ROOT = Path(__file__).parents[2]
MISTAKES = {
    "an unknown key": 'colour = "red"\n[charge_point]\nidentity = 5\n',
    "no TOML at all": "this = = is no TOML\n",
    "a key twice": "[api]\nenabled = true\nenabled = false\n",
    "a bracket that is open": "[ocpp\n",
}


def faulty(directory: Path, mistake: str) -> Path:
    path = directory / "faulty.toml"
    path.write_text(f'{mistake}\n[storage]\npath = "{directory}/agent.db"\n[reader]\ndriver = 5\n')
    with pytest.raises(ConfigError):
        read_config(path)
    return path


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_leaked_token_is_revoked_whatever_is_wrong_with_the_file(tmp_path, mistake, capsys):
    good, bad = str(write_config(tmp_path)), str(faulty(tmp_path, mistake))
    assert main(["token", "new", "leaked", "--scopes", "read", "--config", good]) == 0
    capsys.readouterr()
    assert main(["token", "list", "--config", bad]) == 0
    assert capsys.readouterr().out.startswith("leaked ")
    assert main(["token", "revoke", "leaked", "--config", bad]) == 0
    assert capsys.readouterr().out == "leaked is revoked\n"
    assert main(["token", "list", "--config", good]) == 0
    assert capsys.readouterr().out == "there is no token yet\n"


@pytest.mark.real_time
@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
async def test_the_running_agent_is_asked_whatever_is_wrong_with_the_file(
    tmp_path, mistake, capsys
):
    application = Application(read_config(write_config(tmp_path)), simulate=True)
    run = asyncio.create_task(application.run())
    bad = ["--config", str(faulty(tmp_path, mistake))]
    try:
        async with asyncio.timeout(LIMIT_S):
            while not (tmp_path / "control.sock").exists():
                await asyncio.sleep(0.01)
            for words, told in (
                (["status"], "connector 1  Available"),
                (["why"], "no card has been decided on yet"),
                (["list", "show"], "version 0, 0 entries"),
                (["list", "add", "AB"], "added; "),
                (["queue", "show"], "queue        empty"),
                (["sim", "plug"], "done"),
                (["self-test", "--list"], "meter-1"),
                (["doctor"], "it runs, with simulated hardware"),
            ):
                await asyncio.to_thread(main, [*words, *bad])
                assert told in capsys.readouterr().out, words
    finally:
        application.shut_down()
        await run


def test_without_an_agent_the_list_is_shown_and_not_changed(tmp_path, capsys):
    put_on_list(read_config(write_config(tmp_path)), CARD)
    bad = ["--config", str(faulty(tmp_path, MISTAKES["an unknown key"]))]
    assert main(["list", "show", *bad]) == 0
    told = capsys.readouterr()
    assert CARD in told.out
    assert "has mistakes, so owner and limits of the list are not known" in told.err
    assert main(["list", "export", "-", *bad]) == 0
    assert CARD in capsys.readouterr().out
    assert main(["list", "remove", CARD, *bad]) == 78


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", "/var/lib/chargepoint-agent/agent.db"),
        ("[storage]\npath = '/x/a.db'", "/x/a.db"),
        ("[storage]\nqueue_max_mb = [\n[api]\npath = '/y/b.db'", None),
        ("a = = b\nstorage.path = '/x/a.db'", "/x/a.db"),
        ("a = = b\nstorage = { path = '/x/a.db' }", "/x/a.db"),
        ("a = = b\n[ storage ] # here\n  path='/x/a.db' # it is", "/x/a.db"),
        ("a = = b\n[api]\npath = '/y/b.db'", "/var/lib/chargepoint-agent/agent.db"),
        ("a = = b\n[storage]\npath = '/x/a.db'\n[[connectors]]\npath = '/y'", "/x/a.db"),
    ],
)
def test_the_place_of_the_database_is_found_among_mistakes(tmp_path, text, path):
    (tmp_path / "config.toml").write_text(text)
    wanted = path or "/var/lib/chargepoint-agent/agent.db"
    assert storage_path_in(tmp_path / "config.toml") == Path(wanted)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[storage]\npath = /x/a.db", "line 2"),
        ("[storage]\npath = ''", "storage.path must name a file"),
        ("[storage]\npath = 5", "storage.path must name a file"),
        ("storage = 5", "storage.path must name a file"),
    ],
)
def test_a_place_that_is_itself_the_mistake_is_not_guessed(tmp_path, text, words, capsys):
    (tmp_path / "config.toml").write_text(text)
    config = ["--config", str(tmp_path / "config.toml")]
    assert main(["token", "revoke", "leaked", *config]) == 78
    assert words in capsys.readouterr().err.lower()
    assert main(["doctor", *config]) == 1
    told = capsys.readouterr().out
    assert "FAIL  configuration" in told
    assert not [line for line in told.splitlines() if line[6:].startswith("database")]


def test_settings_survive_being_told_over_the_socket():
    settings = read_config(ROOT / "config.example.toml")
    told = json.loads(json.dumps(settings_as_data(settings)))
    assert settings_from_data(told) == settings
