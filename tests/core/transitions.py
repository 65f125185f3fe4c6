"""The transition matrix of OCPP 1.6 section 4.9 (with errata 3.20: B6), as data.

Rows: from; columns: to, in the order Available, Preparing, Charging, SuspendedEV, SuspendedEVSE,
Finishing, Reserved, Unavailable, Faulted.
"""

from __future__ import annotations

from agent.core.values import Status

_COLUMNS = list(Status)
_MATRIX = {
    Status.AVAILABLE: "-- A2 A3 A4 A5 -- A7 A8 A9",
    Status.PREPARING: "B1 -- B3 B4 B5 B6 -- -- B9",
    Status.CHARGING: "C1 -- -- C4 C5 C6 -- C8 C9",
    Status.SUSPENDED_EV: "D1 -- D3 -- D5 D6 -- D8 D9",
    Status.SUSPENDED_EVSE: "E1 -- E3 E4 -- E6 -- E8 E9",
    Status.FINISHING: "F1 F2 -- -- -- -- -- F8 F9",
    Status.RESERVED: "G1 G2 -- -- -- -- -- G8 G9",
    Status.UNAVAILABLE: "H1 H2 H3 H4 H5 -- -- -- H9",
    Status.FAULTED: "I1 I2 I3 I4 I5 I6 I7 I8 --",
}

LEGAL = frozenset(
    (before, after)
    for before, row in _MATRIX.items()
    for after, name in zip(_COLUMNS, row.split(), strict=True)
    if name != "--"
)


def is_legal(before: Status, after: Status) -> bool:
    """True if a connector may be reported as ``after`` when ``before`` was reported last."""
    return before is after or (before, after) in LEGAL
