"""How the connectors share what the charge point as a whole may draw.

Whoever began first is served first with the least that charging needs; what is left goes to all who
are served in equal parts. A session for which not enough is left waits (SuspendedEVSE).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.charging_limits import rounded_down


@dataclass(frozen=True, slots=True)
class Claim:
    """What one session could use. Amperes per phase."""

    connector_id: int
    least_a: float  # with less it does not charge
    most_a: float


def share(total_a: float, claims: Sequence[Claim]) -> dict[int, float]:
    """The share of each connector; their sum is never above the total. The oldest claim first."""
    shares = {claim.connector_id: 0.0 for claim in claims}
    left_a = total_a
    served = []
    for claim in claims:
        if claim.least_a <= claim.most_a and claim.least_a <= left_a:
            served.append(claim)
            shares[claim.connector_id] = claim.least_a
            left_a -= claim.least_a
    # Who can use least is given first, so that the others divide what he leaves.
    served.sort(key=lambda claim: claim.most_a - claim.least_a)
    for number, claim in enumerate(served):
        extra_a = min(left_a / (len(served) - number), claim.most_a - claim.least_a)
        shares[claim.connector_id] += extra_a
        left_a -= extra_a
    return {connector_id: rounded_down(given_a) for connector_id, given_a in shares.items()}
