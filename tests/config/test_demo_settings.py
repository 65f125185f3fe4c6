"""The settings of the demonstration."""

from __future__ import annotations

from pathlib import Path

from agent.config.advice import warnings_for
from agent.config.demo_settings import demo_settings
from agent.config.mistakes import Mistakes
from agent.config.pins import pin_table
from agent.config.rules import check_rules


def test_the_demonstration_is_a_fully_simulated_box_that_keeps_all_rules():
    settings = demo_settings(Path("/tmp/demo"), "ws://127.0.0.1:9000/ocpp")
    mistakes = Mistakes()
    assert check_rules(settings, mistakes) == settings.ocpp.configuration
    assert not mistakes
    assert settings.charge_point.identity == "DEMO-1"
    assert settings.storage_path == Path("/tmp/demo/agent.db")
    assert settings.ocpp.configuration["MeterValueSampleInterval"] == "5"
    (only,) = settings.connectors
    drivers = [
        getattr(only, part).driver for part in ("contactor", "lock", "plug", "pilot", "meter")
    ]
    assert [*drivers, settings.reader.driver] == ["simulated"] * 6
    assert pin_table(settings) == []
    assert warnings_for(settings) == []
