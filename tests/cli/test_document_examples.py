"""The lines that the documents show are run as they stand, beside a running agent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.__main__ import main
from tests.agent_process import running_agent
from tests.box_config import write_config
from tests.test_docs import ROOT, calls_of, code_blocks

DOCUMENTS = ("local-list", "commissioning", "troubleshooting", "control-api", "page")
# Minutes with a person at the box; tests/cli/commissioning/test_acceptance_for_real.py walks it.
TOO_LONG = {"acceptance"}
# Its status judges the machine that it runs on: a /tmp in memory is a fault of a box.
JUDGES = {"doctor"}


def examples() -> Iterator[list[str]]:
    for name in DOCUMENTS:
        text = (ROOT / f"docs/{name}.md").read_text()
        blocks = "\n".join(f"```\n{block}```" for block in code_blocks(text, "", "sh", "console"))
        yield from calls_of("chargepoint-agent", blocks)


def needed_files(directory: Path) -> None:
    """What the lines read: the list of its own document, and a password."""
    text = (ROOT / "docs/local-list.md").read_text()
    (csv,) = [block for block in code_blocks(text) if block.startswith("id_tag,")]
    (directory / "cards.csv").write_text(csv)
    (directory / "password.txt").write_text("000102030405060708090A0B0C0D0E0F10111213\n")


@pytest.mark.real_time
async def test_every_line_of_the_documents_can_be_run_as_it_stands(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    needed_files(tmp_path)
    config = write_config(tmp_path)
    lines = [line for line in examples() if line[0] not in TOO_LONG]
    assert {line[0] for line in lines} == {"list", "init", "status", "why", "token", "doctor"}
    arguments = ("run", "--simulate", "--config", str(config))
    async with running_agent(tmp_path / "control.sock", *arguments):
        for line in lines:
            place = tmp_path / "new.toml" if line[0] == "init" else config
            status = await asyncio.to_thread(main, [*line, "--config", str(place)])
            told = capfd.readouterr()
            assert told.err == "", (line, told)
            assert status == 0 or (status == 1 and line[0] in JUDGES and "FAIL" in told.out), told
    exported = (tmp_path / "cards.csv").read_text()
    assert "04A2B3C4D5E6F7,2027-12-31" in exported
    assert "DEADBEEF" in exported
