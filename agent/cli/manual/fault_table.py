"""docs/faults.md, made from the table of faults.

``python -m agent.cli.manual.fault_table docs/faults.md`` writes it anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from agent.core.faults import RULES, FaultRule

_HEAD = """# Faults

Made from the table in the program (`agent/core/faults.py`), which decides all of this: do not edit.
`python -m agent.cli.manual.fault_table docs/faults.md` writes it anew.

**In words** is what `status`, the page and StatusNotification say. **Reflex** is what the
supervising thread does before anybody has decided anything. **Light** is the number of red flashes
between two pauses ([indicator.md](indicator.md)). Where several faults stand, the first in this
table is reported.

"""
_COLUMNS: tuple[tuple[str, Callable[[FaultRule], str]], ...] = (
    ("in words", lambda rule: rule.words),
    ("look at", lambda rule: rule.check),
    ("goes away", lambda rule: rule.clears),
    ("light", lambda rule: str(rule.flashes) if rule.shows_faulted else "-"),
    ("reflex", lambda rule: rule.reflex.value),
    ("a running session", lambda rule: _session(rule)),
    ("a new session", lambda rule: "no" if rule.forbids_start else "may begin"),
    ("OCPP status", lambda rule: "Faulted" if rule.shows_faulted else "unchanged"),
    ("OCPP error code", lambda rule: f"`{rule.error_code}`"),
)


def fault_document() -> str:
    """The whole document, as Markdown."""
    lines = [
        f"| {' | '.join(name for name, _ in _COLUMNS)} |",
        "|" + "---|" * len(_COLUMNS),
        *(f"| {' | '.join(tell(rule) for _, tell in _COLUMNS)} |" for rule in RULES.values()),
    ]
    return _HEAD + "\n".join(lines) + "\n"


def _session(rule: FaultRule) -> str:
    if rule.stop_reason is not None:
        return f"ends (`{rule.stop_reason.value}`)"
    return "goes on" if rule.reflex.name == "NONE" else "waits without energy"


def main(arguments: list[str]) -> int:
    """Write the document to the file that is named."""
    if len(arguments) != 1:
        print("usage: python -m agent.cli.manual.fault_table docs/faults.md", file=sys.stderr)
        return 2
    Path(arguments[0]).write_text(fault_document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
