"""The configuration of a box, as text: what a test does not name is as small as can be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Table = Mapping[str, Any]

SIMULATED: Table = {"driver": "simulated"}
LIVELY_METER: Table = {"meter": {**SIMULATED, "poll_s": 0.5}}


def simulated(*parts: str) -> Table:
    """A connector: a contactor that may close again at once, and these parts beside it."""
    return {"contactor": {**SIMULATED, "min_off_s": 0}, **dict.fromkeys(parts, SIMULATED)}


WITH_EVERY_PART = simulated("lock", "plug", "pilot", "meter")
TWO_CONNECTORS = (
    {**simulated("lock", "plug", "pilot"), **LIVELY_METER},
    {**simulated("plug", "pilot"), **LIVELY_METER},
)


def config_text(
    directory: Path,
    url: str = "",
    connectors: Sequence[Table] = (WITH_EVERY_PART,),
    keys: Table | None = None,
    **sections: Table,
) -> str:
    """A box with these connectors and OCPP keys; ``sections`` are added, or replace their like."""
    tables = {
        "charge_point": {"identity": "CP-1"},
        "central_system": {"url": url},
        "storage": {"path": f"{directory}/agent.db"},
        "reader": SIMULATED,
        "authorization": {"tap_guard_s": 0},
        **sections,
    }
    heads = [(f"[{name}]", table) for name, table in tables.items()]
    heads += [("[[connectors]]", {"id": id, **parts}) for id, parts in enumerate(connectors, 1)]
    heads += [("[ocpp.configuration]", keys)] if keys else []
    return "\n".join(
        "\n".join([head, *(f"{key} = {_value(value)}" for key, value in table.items()), ""])
        for head, table in heads
    )


def write_config(directory: Path, url: str = "") -> Path:
    """A box of two connectors, every part of it simulated, that samples each second."""
    path = directory / "config.toml"
    keys = {"MeterValueSampleInterval": 1}
    path.write_text(config_text(directory, url, TWO_CONNECTORS, keys))
    return path


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_value(each)}' for key, each in value.items())} }}"
    return json.dumps(value)  # what else is needed here is written alike in both
