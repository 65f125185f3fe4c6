"""The configuration file -> checked, frozen settings; or every mistake in it at once.

``read_config`` and ``parse_config`` raise ConfigError and nothing else, whatever the file holds.
The work is done in ``reading`` (one table), ``rules`` (between tables), ``mistakes`` (where it
stands), ``advice`` (allowed, but worth a look).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from agent.config.mistakes import Mistakes, connector_ids_of, find_lines
from agent.config.reading import read_table
from agent.config.rules import check_rules
from agent.config.settings import OcppSettings, Settings
from agent.config.toml_text import content_of, parsed
from agent.platform.errors import ConfigError


def read_config(path: Path) -> Settings:
    """Read and check the configuration file.

    Raises ConfigError with one sentence for every mistake in it, or one that says why the file
    cannot be read.
    """
    return parse_config(content_of(path))


def parse_config(text: str) -> Settings:
    """Check the text of a configuration file. Raises ConfigError as ``read_config`` does."""
    data = parsed(text)
    mistakes = Mistakes(connector_ids_of(data))
    settings = read_table(Settings, data, (), mistakes)
    start_values = check_rules(settings, mistakes)
    if mistakes:
        raise ConfigError(mistakes.sentences(find_lines(text, data)))
    return replace(
        settings,
        connectors=tuple(sorted(settings.connectors, key=lambda connector: connector.id)),
        ocpp=OcppSettings(configuration=start_values),
    )


def settings_as_data(settings: Settings) -> dict[str, Any]:
    """Settings as plain tables, as a file would hold them."""
    data: dict[str, Any] = _without_none(asdict(settings))
    return data


def settings_from_data(data: Mapping[str, Any]) -> Settings:
    """Settings that ``settings_as_data`` made plain. Raises ConfigError as ``read_config`` does."""
    mistakes = Mistakes()
    settings = read_table(Settings, data, (), mistakes)
    if mistakes:
        raise ConfigError(mistakes.sentences(find_lines("", {})))
    return settings


def _without_none(data: Any) -> Any:
    match data:
        case dict():
            return {key: _without_none(value) for key, value in data.items() if value is not None}
        case list() | tuple():
            return [_without_none(value) for value in data]
        case _:
            return data
