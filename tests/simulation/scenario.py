"""Which faults exist in this run, and how often: drawn from one seed.

Some runs have none of a kind: rare combinations need room.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from hw.simulated.part import SimulatedFault
from tests.simulation.central_behaviour import KINDS
from tests.simulation.disk import Trouble
from tests.simulation.event_ledger import USUAL_BOUNDS, Bounds
from tests.simulation.network import Reach
from tests.simulation.operators import SAMPLE_INTERVALS_S

_GAPS_H = (0.4, 1.5, 5.0)


@dataclass(frozen=True)
class Scenario:
    """Hours between two faults of a kind, on average; a kind that is missing does not happen."""

    connectors: int
    gap_h: float  # between two visits
    request_gap_h: float  # between two requests of the operators
    keys: dict[str, str]
    resumes: bool
    incidents: dict[str, float]
    behaviours: frozenset[str]
    parts: tuple[SimulatedFault, ...]
    disk: tuple[Trouble, ...]
    reaches: tuple[Reach, ...]
    update_gap_h: float | None = None  # between two updates of the firmware; None: there are none
    limit_gap_h: float | None = None  # between two limits from outside; None: there are none
    security_bounds: Bounds = USUAL_BOUNDS
    random_delay_max_s: int = 0  # of a start
    signs: bool = False  # the central system signs certificates for the box

    def describe(self) -> str:
        """One line for the log of the run."""
        incidents = ", ".join(f"{kind} every {gap_h:g} h" for kind, gap_h in self.incidents.items())
        return (
            f"{self.connectors} connectors; {incidents or 'nothing goes wrong'}; "
            f"central system {sorted(self.behaviours)}; keys {self.keys}"
        )


INCIDENTS = (
    "kill",
    "power cut",
    "kill at a step",
    "power cut at a step",
    "part",
    "disk",
    "slow disk",
    "reach",
    "cut",
    "half open",
    "latency",
    "mood",
    "central restart",
    "hang",
    "clock",
)


# The strings that chance is made of ("swarm", "weather", "mood") belong to the seeds: they stay.
def draw_scenario(random: Random, hurry: float = 1.0) -> Scenario:
    """Draw a run. ``hurry``: so many times more happens in the same time."""
    calm = random.random() < 0.05
    share = 0.0 if calm else random.choice((0.25, 0.5, 0.8))
    return Scenario(
        connectors=random.choice((1, 1, 2)),
        gap_h=random.choice((0.4, 1.0, 3.0)) / hurry,
        request_gap_h=1.0 / hurry,
        keys=_draw_keys(random),
        resumes=random.random() < 0.3,
        incidents={
            kind: random.choice(_GAPS_H) / hurry for kind in INCIDENTS if random.random() < share
        },
        behaviours=frozenset(kind for kind in KINDS if random.random() < 0.4),
        parts=_some(random, tuple(SimulatedFault)),
        disk=_some(random, tuple(Trouble)),
        reaches=_some(random, tuple(reach for reach in Reach if reach is not Reach.UP)),
        update_gap_h=random.choice((None, 1.0 / hurry, 4.0 / hurry)),
        limit_gap_h=random.choice((None, 0.5 / hurry, 2.0 / hurry)),
        security_bounds=random.choice((USUAL_BOUNDS, Bounds(lines=40, queued=10))),
        random_delay_max_s=random.choice((0, 0, 0, 30, 120)),
        signs=random.random() < 0.5,
    )


def _draw_keys(random: Random) -> dict[str, str]:
    def one_of(*values: int | str) -> str:
        return str(random.choice(values))

    return {
        "MeterValueSampleInterval": one_of(*SAMPLE_INTERVALS_S),
        "MeterValuesSampledData": "Energy.Active.Import.Register",
        "MessageTimeout": one_of(10, 30),
        "TransactionMessageAttempts": one_of(1, 3, 5),
        "TransactionMessageRetryInterval": one_of(0, 5, 60),
        "WebSocketPingInterval": one_of(30, 120, 300),
        "AllowOfflineTxForUnknownId": one_of("false", "false", "true"),
        "LocalPreAuthorize": one_of("true", "true", "false"),
        "StopTransactionOnInvalidId": one_of("true", "false"),
        "MaxEnergyOnInvalidId": one_of(0, 0, 400),
    }


def _some(random: Random, kinds: tuple[object, ...]) -> tuple:  # type: ignore[type-arg]
    """At least one of them."""
    chosen = tuple(kind for kind in kinds if random.random() < 0.4)
    return chosen or (random.choice(kinds),)
