"""A driver and its emulator that share one wrong fact agree with each other: they share none."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PARTS = ("iso14443_cards", "mfrc522_chip", "modbus_meter", "pilot_controllers")


@pytest.mark.parametrize("part", PARTS)
def test_an_emulated_part_takes_nothing_from_its_driver(part: str) -> None:
    tree = ast.parse((HERE / f"{part}.py").read_text(encoding="utf-8"))
    imported = [
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
        )
    ]
    assert [name for name in imported if name.split(".")[0] in ("hw", "agent")] == []
