"""The section [mqtt], and what it needs elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.config.advice import warnings_for
from agent.config.config_file import parse_config
from agent.config.settings import Settings
from agent.platform.errors import ConfigError

CONFIG = """
[charge_point]
identity = "CP-1"
{more}

[[connectors]]
id = 1
{evse}
contactor = {{ driver = "simulated" }}

[authorization]
{rules}

[mqtt]
{mqtt}
"""


def parsed(
    mqtt: str = "enabled = true",
    evse: str = 'evse_id = "DE*ABC*E1"',
    rules: str = "",
    more: str = "",
) -> Settings:
    return parse_config(CONFIG.format(mqtt=mqtt, evse=evse, rules=rules, more=more))


def test_it_is_off_by_default_and_a_good_one_is_taken():
    assert not parsed(mqtt="").mqtt.enabled
    settings = parsed('enabled = true\nhost = "broker.local"\ntopic_prefix = "site/7/"')
    assert (settings.mqtt.host, settings.mqtt.port) == ("broker.local", 1883)


@pytest.mark.parametrize(
    ("mqtt", "words"),
    [
        ('host = ""', "mqtt.host must be the name"),
        ('host = "not a host"', "mqtt.host must be the name"),
        ("port = 0", "mqtt.port"),
        ('topic_prefix = "site"', "mqtt.topic_prefix must be"),
        ('topic_prefix = "site/+/"', "mqtt.topic_prefix must be"),
        ('topic_prefix = "a b/"', "mqtt.topic_prefix must be"),
        ('password_file = "/etc/secret"', "mqtt.password_file needs mqtt.username"),
        ("enabeld = true", "did you mean enabled"),
    ],
)
def test_what_no_broker_can_be_is_named(mqtt, words):
    with pytest.raises(ConfigError, match=words):
        parsed(mqtt)


@pytest.mark.parametrize("name", ["mac_prefix", "key_code_prefix"])
@pytest.mark.parametrize("value", ["VID", "A:", "TOOLONG:", "ä::", "PI N:"])
def test_a_prefix_ends_with_a_colon_so_that_logs_can_leave_out_the_rest(name, value):
    with pytest.raises(ConfigError, match=f"authorization.{name} must be 3 to 5 letters"):
        parsed(rules=f'{name} = "{value}"')


def test_an_address_may_stand_without_a_prefix_and_a_code_may_not():
    assert parsed(rules='mac_prefix = ""').authorization.mac_prefix == ""
    with pytest.raises(ConfigError, match="key_code_prefix"):
        parsed(rules='key_code_prefix = ""')


def test_every_connector_needs_a_name_of_its_own_on_the_bus():
    with pytest.raises(ConfigError, match="evse_id must not be empty"):
        parsed(evse="")
    assert parsed(mqtt="", evse="").connectors[0].evse_id == ""
    second = '[[connectors]]\nid = 2\nevse_id = "DE*ABC*E1"\ncontactor = { driver = "simulated" }'
    with pytest.raises(ConfigError, match="are the same"):
        parse_config(
            CONFIG.format(mqtt="enabled = true", evse='evse_id = "DE*ABC*E1"', rules="", more="")
            + second
        )


def test_what_is_open_is_advised_against(tmp_path: Path):
    settings = parsed(
        'enabled = true\nhost = "10.0.0.7"\naccept_cs_updates = true', rules="autocharge = true"
    )
    told = " ".join(warnings_for(settings))
    for words in ("mqtt.username is empty", "set mqtt.ca_file", "accept_cs_updates", "autocharge"):
        assert words in told
    secret = tmp_path / "password"
    secret.write_text("x")
    secret.chmod(0o644)
    closed = replace(
        settings, mqtt=replace(settings.mqtt, username="agent", password_file=str(secret))
    )
    assert "everybody on this machine can read" in " ".join(warnings_for(closed))


@pytest.mark.parametrize("tag", ["X" * 21, "FR\u00c4I"])
def test_the_tag_of_free_charging_is_one_that_a_central_system_can_be_told_of(tag):
    with pytest.raises(ConfigError, match="free_charging_id_tag must be at most 20 plain"):
        parsed(rules=f'free_charging_id_tag = "{tag}"')
    rules = 'free_charging_id_tag = "FREE"'
    assert parsed(rules=rules).authorization.free_charging_id_tag == "FREE"
