"""The example file and the reference say what the settings say: nothing more, nothing less."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.config.advice import warnings_for
from agent.config.config_file import parse_config, read_config
from agent.config.reading import every_setting, section_name
from agent.config.reference import main, reference, with_reference
from agent.config.settings import Settings
from agent.core.configuration import KEYS
from agent.core.connection_profile import APPROACH_KEYS

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.toml"
DOCUMENT = ROOT / "docs" / "configuration.md"
LINES = EXAMPLE.read_text(encoding="utf-8").splitlines()
HEADER = re.compile(r"#?\[+([a-z_.]+)\]+$")
KEY = re.compile(r"#?([A-Za-z_]+) = ")


def keys_in_the_example() -> list[tuple[str, str]]:
    """Section and name of every key, those behind # too."""
    found = []
    section = ""
    for line in LINES:
        if header := HEADER.match(line):
            section = header.group(1)
        elif key := KEY.match(line):
            found.append((section, key.group(1)))
    return found


def known_keys() -> set[tuple[str, str]]:
    settings = {(".".join(section), field.name) for section, field, _ in every_setting()}
    return settings - {("ocpp", "configuration")}


def test_the_example_is_a_good_configuration_as_it_stands():
    settings = read_config(EXAMPLE)
    assert settings.reader.driver == "mfrc522"
    (connector,) = settings.connectors
    assert connector.contactor.driver == "gpio"
    assert connector.contactor.feedback_pin is not None
    assert connector.lock.driver == "solenoid"
    assert connector.plug.driver == "gpio"
    assert connector.meter.driver == "modbus_sdm630"
    assert settings.central_system.url.startswith("wss://")


def test_the_example_gives_no_warning_but_for_the_file_that_is_not_there():
    told = [
        sentence for sentence in warnings_for(read_config(EXAMPLE)) if "no file" not in sentence
    ]
    assert told == []


def test_every_setting_stands_in_the_example():
    assert known_keys() - set(keys_in_the_example()) == set()


def test_every_key_in_the_example_exists():
    ocpp = {("ocpp.configuration", key.name) for key in KEYS}
    assert set(keys_in_the_example()) - known_keys() - ocpp == set()


def test_no_key_stands_twice_in_the_example():
    found = keys_in_the_example()
    assert len(found) == len(set(found))


def test_a_line_that_looks_like_a_key_behind_a_number_sign_is_one():
    behind = [line for line in LINES if line.startswith("#") and line[1:2] not in (" ", "")]
    assert len(behind) > 25
    assert [line for line in behind if not HEADER.match(line) and not KEY.match(line)] == []


def blocks_behind_number_signs() -> list[range]:
    """Each commented key alone; a commented header together with its keys."""
    blocks = []
    for number, line in enumerate(LINES):
        if not line.startswith("#") or not (HEADER.match(line) or KEY.match(line)):
            continue
        belongs = blocks and blocks[-1].stop == number and LINES[blocks[-1].start][1] == "["
        if belongs:
            blocks[-1] = range(blocks[-1].start, number + 1)
        else:
            blocks.append(range(number, number + 1))
    return blocks


@pytest.mark.parametrize("block", blocks_behind_number_signs(), ids=lambda block: LINES[block[0]])
def test_each_setting_behind_a_number_sign_can_be_switched_on_as_written(block):
    lines = [line[1:] if number in block else line for number, line in enumerate(LINES)]
    assert isinstance(parse_config("\n".join(lines)), Settings)


def test_a_default_behind_a_number_sign_is_the_default():
    examples = {"location_id", "ca_file", "evse_id", "connectors", "port", "lock_pin"}
    examples |= {"install_command", "unlock_pin", "driver", "pin", "name", "secret_file", "scopes"}
    examples |= {"certificate_file", "certificate_key_file"}
    examples |= {"led_pin", "red_pin", "green_pin", "blue_pin", "buzzer_pin"}
    examples |= {"heartbeat_pin", "sensor", "connector", "error_code", "supply_current_a", "hosts"}
    examples |= {"current_a", "openwb_charge_points"}
    defaults = {(".".join(s), field.name): field.default for s, field, _ in every_setting()}
    section = ""
    for line in LINES:
        if header := HEADER.match(line):
            section = header.group(1)
        elif line.startswith("#") and (key := KEY.match(line)) and key.group(1) not in examples:
            written = line.partition(" = ")[2]
            value = {"true": True, "false": False}.get(written, written.strip('"'))
            default = defaults[section, key.group(1)]
            is_number = type(default) in (int, float)
            assert (type(default)(value) if is_number else value) == default, line


def test_the_reference_in_the_document_is_made_from_the_settings():
    document = DOCUMENT.read_text(encoding="utf-8")
    assert with_reference(document) == document, (
        "run: python -m agent.config.reference docs/configuration.md"
    )


def test_the_reference_names_every_section_and_key():
    told = reference()
    for section, field, _ in every_setting():
        if section != ("ocpp",):
            part = told.partition(f"### `{section_name(section)}`\n")[2].partition("\n### ")[0]
            assert f"\n| `{field.name}` | " in part
    assert all(f"\n| `{key.name}` | " in told for key in KEYS if key.name not in APPROACH_KEYS)


def test_the_reference_is_written_between_its_marks(tmp_path, capsys):
    path = tmp_path / "configuration.md"
    document = DOCUMENT.read_text(encoding="utf-8")
    path.write_text(document.replace(reference(), "old\n"), encoding="utf-8")
    assert main([str(path)]) == 0
    assert path.read_text(encoding="utf-8") == document
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_a_document_without_the_marks_is_refused():
    with pytest.raises(ValueError, match="marks of the reference are missing"):
        with_reference("# nothing here\n")
