"""From which status a connector may go to which: the matrix A2 to I8 of OCPP 1.6 section 4.9.

Row: from; column: to. With B6 of errata 3.20. What is not in it is never told as one change.
"""

from __future__ import annotations

from agent.core.values import Status

_COLUMNS = (
    Status.AVAILABLE,
    Status.PREPARING,
    Status.CHARGING,
    Status.SUSPENDED_EV,
    Status.SUSPENDED_EVSE,
    Status.FINISHING,
    Status.RESERVED,
    Status.UNAVAILABLE,
    Status.FAULTED,
)
_ROWS = {
    Status.AVAILABLE: ".XXXX.XXX",
    Status.PREPARING: "X.XXXX..X",
    Status.CHARGING: "X..XXX.XX",
    Status.SUSPENDED_EV: "X.X.XX.XX",
    Status.SUSPENDED_EVSE: "X.XX.X.XX",
    Status.FINISHING: "XX.....XX",
    Status.RESERVED: "XX.....XX",
    Status.UNAVAILABLE: "XXXXX...X",
    Status.FAULTED: "XXXXXXXX.",
}


def is_way(before: Status, after: Status) -> bool:
    """True if a connector may be told as ``after`` when ``before`` was told last."""
    return before is after or _ROWS[before][_COLUMNS.index(after)] == "X"
