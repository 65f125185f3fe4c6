"""Every row of docs/drivers.md names a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ROWS = [
    line
    for line in (ROOT / "docs/drivers.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| the part ")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_each_row_has_its_test(row: str):
    found = re.search(r"`(tests/\S+\.py)::(test_\w+)` \|$", row)
    assert found is not None
    assert re.search(rf"^(async )?def {found[2]}\(", (ROOT / found[1]).read_text(), re.M)


def test_there_are_rows_for_every_kind_of_part():
    assert len(ROWS) > 40
