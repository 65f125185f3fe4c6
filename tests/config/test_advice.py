"""What is allowed in the file, but worth a look."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.config.advice import missing_files, warnings_for
from agent.config.config_file import parse_config
from tests.emulators.authorities import made
from tests.rights import modes_count

QUIET = """\
[charge_point]
identity = "CP-1"
phases = {phases}
[central_system]
{central}
[storage]
path = "{storage}"
[reader]
{reader}
[[connectors]]
id = 1
[connectors.contactor]
{contactor}
[connectors.lock]
{lock}
[connectors.plug]
{plug}
[connectors.meter]
{meter}
{more}
"""
DEFAULTS = {
    "phases": "1",
    "central": 'url = "ws://cs"',
    "storage": "/var/lib/agent.db",
    "reader": 'driver = "mfrc522"',
    "contactor": 'driver = "gpio"\npin = 17\nfeedback_pin = 5',
    "lock": 'driver = "solenoid"\npin = 22\nfeedback_pin = 6',
    "plug": 'driver = "gpio"\npin = 4',
    "meter": 'driver = "modbus_sdm120"\nport = "/dev/ttyUSB0"',
    "more": "",
}


def warnings_of(**changes: str) -> list[str]:
    return warnings_for(parse_config(QUIET.format(**DEFAULTS | changes)))


def test_a_sound_box_gives_no_warning():
    assert warnings_of() == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"central": ""}, "central_system.url is empty: this box works without a central system"),
        ({"central": 'url = "ws://cs"\nca_file = "/etc/passwd"'}, "ca_file is not used"),
        ({"storage": "agent.db"}, "storage.path = agent.db is relative"),
        ({"reader": ""}, 'reader.driver = "none": no card can start a session here'),
        ({"contactor": 'driver = "gpio"\npin = 17'}, "feedback_pin is missing: a welded contactor"),
        (
            {"contactor": 'driver = "gpio"\npin = 17\nfeedback_pin = 5\nactive_high = false'},
            "connectors[id=1].contactor.active_high = false: the output goes low for a moment",
        ),
        (
            {"contactor": 'driver = "gpio"\npin = 3\nfeedback_pin = 5'},
            "connectors[id=1].contactor.pin = 3: BCM 0 to 8 are high at power-on",
        ),
        (
            {"lock": 'driver = "motor"\nlock_pin = 16\nunlock_pin = 2\nfeedback_pin = 6'},
            "connectors[id=1].lock.unlock_pin = 2: BCM 0 to 8 are high at power-on",
        ),
        ({"plug": 'driver = "gpio"\npin = 28'}, "plug.pin = 28: the 40-pin header ends at BCM 27"),
        (
            {"plug": 'driver = "gpio"\npin = 7'},
            "plug.pin = 7: the kernel takes BCM 7 and 8 for SPI",
        ),
        ({"lock": ""}, 'connectors[id=1].lock.driver = "none": nothing holds the plug'),
        ({"plug": ""}, 'connectors[id=1].plug.driver = "none": a card alone starts'),
        ({"meter": ""}, 'connectors[id=1].meter.driver = "none": energy is not counted'),
        ({"phases": "3"}, 'driver = "modbus_sdm120" counts one phase, charge_point.phases is 3'),
        ({"meter": 'driver = "simulated"'}, "connectors[id=1]: meter only simulated, next to real"),
    ],
)
def test_each_thing_worth_a_look_is_told(changes, told):
    (sentence,) = warnings_of(**changes)
    assert told in sentence


def test_what_feeds_several_sockets_is_asked_for():
    more = "[[connectors]]\nid = 2\n[connectors.contactor]\ndriver = 'gpio'\npin = 27"
    told = "charge_point.supply_current_a is missing: 2 sockets may draw 64 A together"
    assert told in warnings_of(more=more)
    known = parse_config(
        QUIET.format(**DEFAULTS | {"phases": "1\nsupply_current_a = 32", "more": more})
    )
    assert told not in warnings_for(known)


def test_a_pin_of_the_header_serial_port_is_told_while_the_port_is_in_use():
    meter = 'driver = "modbus_sdm120"\nport = "/dev/serial0"'
    (sentence,) = warnings_of(plug='driver = "gpio"\npin = 15', meter=meter)
    assert sentence.endswith(
        "BCM 14 and 15 belong to the serial port /dev/serial0, which is in use"
    )
    assert warnings_of(plug='driver = "gpio"\npin = 15') == []


def test_an_identity_that_ends_in_a_space_is_told():
    text = QUIET.format(**DEFAULTS).replace('"CP-1"', '"CP-1 "')
    assert warnings_for(parse_config(text)) == ["charge_point.identity begins or ends with a space"]


@pytest.mark.parametrize("url", ["ws://cs/ocpp/CP-1", "ws://cs/CP-1/", "ws://cs/CP%2D1"])
def test_an_identity_that_the_address_repeats_is_told(url: str):
    (sentence,) = warnings_of(central=f'url = "{url}"')
    assert sentence.startswith("central_system.url ends with CP-1: the agent appends the identity")


def test_tls_without_a_password_is_told():
    (sentence,) = warnings_of(central='url = "wss://cs"')
    assert "no password is sent over wss://" in sentence


# --- files that are needed -----------------------------------------------------------------------

NEEDS = {
    "central_system.authorization_key_file": (
        'url = "ws://cs"\nsecurity_profile = 1\nauthorization_key_file = "{file}"',
        "",
    ),
    "central_system.ca_file": ('url = "wss://cs"\nca_file = "{file}"', ""),
    "mqtt.password_file": (
        "",
        "evse_id = 'E1'\n[mqtt]\nenabled = true\nusername = 'u'\npassword_file = '{file}'",
    ),
    "mqtt.ca_file": ("", "evse_id = 'E1'\n[mqtt]\nenabled = true\nca_file = '{file}'"),
    "api.tokens[1].secret_file": (
        "",
        "[api]\nenabled = true\n[[api.tokens]]\nname = 'me'\nsecret_file = '{file}'\n"
        "scopes = ['read']",
    ),
}


def missing_of(file: Path, central: str, more: str) -> list[str]:
    text = QUIET.format(**DEFAULTS | {"central": central.format(file=file)})
    mqtt = more.format(file=file).replace("evse_id = 'E1'\n", "")
    text = text.replace("id = 1\n", "id = 1\nevse_id = 'E1'\n") + mqtt
    return missing_files(parse_config(text))


@pytest.mark.parametrize("key", NEEDS)
def test_a_file_that_is_needed_and_missing_is_a_mistake(tmp_path, key):
    file = tmp_path / "file"
    assert missing_of(file, *NEEDS[key]) == [f"{key}: there is no file {file}"]
    file.write_text("\n")
    (mistake,) = missing_of(file, *NEEDS[key])
    assert mistake.startswith(f"{key}: {file}: ")
    file.chmod(0)
    with modes_count():  # not for this user to see; the daemon's user may
        assert missing_of(file, *NEEDS[key]) == []
    file.chmod(0o600)
    file.write_text("sixteen letters.")
    is_certificate = key.endswith("ca_file")
    assert bool(missing_of(file, *NEEDS[key])) == is_certificate


def test_a_file_that_is_named_and_not_needed_is_no_mistake(tmp_path):
    central = 'url = "ws://cs"\nauthorization_key_file = "{file}"\nca_file = "{file}"'
    assert missing_of(tmp_path / "file", central, "[mqtt]\nca_file = '{file}'") == []


def test_check_config_ends_with_the_mistake(tmp_path, capsys):
    config = tmp_path / "config.toml"
    central, _ = NEEDS["central_system.authorization_key_file"]
    key = tmp_path / "key"
    config.write_text(QUIET.format(**DEFAULTS | {"central": central.format(file=key)}))
    assert main(["check-config", "--config", str(config)]) == 78
    told = f"central_system.authorization_key_file: there is no file {key}"
    assert capsys.readouterr().err == f"configuration: {told}\n"
    assert main(["check-config", "--json", "--config", str(config)]) == 78
    assert json.loads(capsys.readouterr().out) == {"ok": False, "mistakes": [told]}
    key.write_text("sixteen letters.")
    assert main(["check-config", "--config", str(config)]) == 0
    capsys.readouterr()
    key.write_text("too short")  # the doctor, and the log of a link that fails, send here
    assert main(["check-config", "--config", str(config)]) == 78
    assert capsys.readouterr().err.endswith(
        "16 to 20 bytes of text (a letter like ä has two); it holds 9 bytes\n"
    )


def with_key_file(path: object, profile: int, url: str = "wss://cs") -> list[str]:
    key = f'authorization_key_file = "{path}"'
    return warnings_of(central=f'url = "{url}"\nsecurity_profile = {profile}\n{key}')


def test_the_file_with_the_password_is_looked_at_but_not_opened(tmp_path):
    key = tmp_path / "authorization.key"
    name = "central_system.authorization_key_file"
    assert with_key_file(key, 2) == [f"{name}: there is no file {key}"]
    key.write_text("secret")
    key.chmod(0o600)
    assert with_key_file(key, 2) == []
    key.chmod(0o640)
    assert with_key_file(key, 2) == []
    key.chmod(0o604)
    (sentence,) = with_key_file(key, 2)
    assert sentence.startswith(f"{name}: everybody on this machine can read or change {key}")
    assert with_key_file(tmp_path, 2) == [f"{name}: {tmp_path} is not a plain file"]


def test_the_certificate_of_the_box_is_looked_at_with_its_key(tmp_path):
    own = made("CP-1", is_authority=False)
    files = {name: tmp_path / name for name in ("certificate_file", "certificate_key_file")}
    lines = "".join(f'{name} = "{path}"\n' for name, path in files.items())
    central = f'url = "wss://cs"\nsecurity_profile = {{}}\n{lines}'
    of_box = parse_config(QUIET.format(**DEFAULTS | {"central": central.format(3)}))
    assert len(missing_files(of_box)) == 2
    files["certificate_file"].write_text(own.pem)
    files["certificate_key_file"].write_text(made("other").key_pem())
    (sentence,) = missing_files(of_box)
    assert "the key is not that of the certificate" in sentence
    files["certificate_key_file"].write_text(own.key_pem())
    assert missing_files(of_box) == []
    files["certificate_key_file"].chmod(0o604)
    assert any("everybody on this machine can read" in one for one in warnings_for(of_box))
    unused = warnings_of(central=central.format(0))
    (line,) = [line for line in unused if "certificate_file" in line]
    assert "in security profile 3 only: security_profile is 0, until" in line


def test_a_password_that_is_not_used_or_sent_readably_is_told(tmp_path):
    key = tmp_path / "authorization.key"
    key.touch(mode=0o600)
    assert with_key_file(key, 0) == [
        "central_system.authorization_key_file is not used: security_profile is 0"
    ]
    assert with_key_file(key, 1) == []
    assert with_key_file(key, 1, "ws://cs") == [
        "central_system.security_profile = 1 sends the password readably: only within a VPN"
    ]
