"""The section [api]: where it listens, and whose tokens it takes from files."""

from __future__ import annotations

import pytest

from agent.config.advice import warnings_for
from agent.config.config_file import parse_config
from agent.platform.errors import ConfigError

BOX = """
[charge_point]
identity = "CP-1"

[[connectors]]
id = 1
contactor = { driver = "simulated" }
"""
TOKEN = """
[[api.tokens]]
name = "dashboard"
secret_file = "/etc/token"
scopes = ["read"]
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse_config(BOX + text)
    return error.value.mistakes


def test_it_is_off_and_on_the_machine_alone_unless_told_otherwise():
    settings = parse_config(BOX)
    assert (settings.api.enabled, settings.api.listen, settings.api.tokens) == (
        False,
        "127.0.0.1:8080",
        (),
    )
    assert settings.charger_id == "CP-1"


def test_a_token_from_a_file_is_read():
    (token,) = parse_config(f"{BOX}[api]\nenabled = true\n{TOKEN}").api.tokens
    assert (token.name, token.secret_file, token.scopes) == ("dashboard", "/etc/token", ("read",))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[api]\nlisten = "example.org:80"', "api.listen must be an address and a port"),
        ("[api]\nlisten = 8080", "api.listen must be a text"),
        ('[api]\nhosts = ["https://a.example"]', "api.hosts[1] must be a name alone"),
        ('[api]\nhosts = ["b.example", "a.example:80"]', "api.hosts[2] must be a name alone"),
        ("[api]\nport = 8080", "api.port is not a known key"),
        (TOKEN.replace('"dashboard"', '"two words"'), "api.tokens[1].name must have 1 to 40"),
        (TOKEN.replace('["read"]', "[]"), "api.tokens[1].scopes must not be empty"),
        (TOKEN.replace('["read"]', '["root"]'), "api.tokens[1].scopes[1] must be one of"),
        (TOKEN.replace('"/etc/token"', '""'), "api.tokens[1].secret_file must not be empty"),
        (TOKEN + TOKEN, "api.tokens[1].name and api.tokens[2].name are the same"),
        ('[[api.tokens]]\nname = "a"', "api.tokens[1].secret_file is missing"),
    ],
)
def test_a_mistake_is_named_with_its_key(text: str, told: str):
    assert any(mistake.startswith(told) for mistake in mistakes(text)), mistakes(text)


def test_an_open_address_and_unused_tokens_are_worth_a_look(tmp_path):
    secret = tmp_path / "token"
    secret.write_text("x")
    secret.chmod(0o644)
    text = TOKEN.replace("/etc/token", str(secret))
    told = warnings_for(parse_config(f'{BOX}[api]\nenabled = true\nlisten = "0.0.0.0:80"\n{text}'))
    assert any("tokens cross the network unencrypted" in sentence for sentence in told)
    assert any("api.tokens[1].secret_file: everybody" in sentence for sentence in told)
    assert "api.tokens are not used: api.enabled is false" in warnings_for(parse_config(BOX + text))
