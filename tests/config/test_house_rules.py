"""The rules of the section [house]."""

from __future__ import annotations

import pytest

from agent.config.advice import missing_files, warnings_for
from agent.config.config_file import parse_config
from agent.platform.errors import ConfigError

BASE = """
[charge_point]
identity = "BOX"
[[connectors]]
id = 1
[connectors.contactor]
driver = "simulated"
[connectors.meter]
driver = "simulated"
"""


def mistakes_in(lines: str) -> list[str]:
    try:
        parse_config(f"{BASE}\n[house]\n{lines}")
    except ConfigError as problem:
        return problem.mistakes
    return []


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("enabled = true", "house.host must be the name or the address of a machine"),
        ('enabled = true\nhost = "a b"', "house.host must be the name"),
        ('topic_prefix = "a/#/"', "house.topic_prefix must be at most 200 plain characters"),
        ('topic_prefix = "a"', "and end with a slash"),
        ('box_name = "a/+"', "house.box_name must be letters, digits, - and _"),
        ('discovery_prefix = "a/#"', "house.discovery_prefix must be one to four names"),
        ('discovery_prefix = ""', "house.discovery_prefix must be one to four names"),
        ('password_file = "/x"', "house.password_file needs house.username"),
        ("openwb_charge_points = [1, 2]", "as many different numbers as there are connectors (1)"),
        ("limit_valid_s = 5", "house.limit_valid_s must be a whole number from 10"),
        ("measured_every_s = 0", "house.measured_every_s must be a number from 1"),
    ],
)
def test_a_wrong_key_is_named_with_what_it_must_be(lines, words):
    (mistake,) = mistakes_in(lines)
    assert words in mistake


def test_off_needs_no_host_and_on_needs_no_more_than_one():
    assert mistakes_in("") == []
    assert mistakes_in('enabled = true\nhost = "broker.local"\nopenwb_charge_points = [7]') == []


def test_what_is_open_to_others_is_worth_a_warning():
    settings = parse_config(f'{BASE}\n[house]\nenabled = true\nhost = "broker.local"')
    assert any("house.username is empty" in words for words in warnings_for(settings))
    named = 'username = "box"\npassword_file = "/missing/password"'
    settings = parse_config(f'{BASE}\n[house]\nenabled = true\nhost = "broker.local"\n{named}')
    assert any("the password crosses the network readably" in w for w in warnings_for(settings))
    assert any("house.password_file" in words for words in missing_files(settings))
