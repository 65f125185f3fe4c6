"""The promises, one class each, written down from outside: by what happens in the world."""

from tests.simulation.invariants.base import Invariant
from tests.simulation.invariants.bounds import ComesToRest, NothingGrowsWithoutEnd, TheAgentLives
from tests.simulation.invariants.cards import (
    EveryCardGetsItsReason,
    KnownBadCardsDoNotCharge,
    ListIsWhole,
)
from tests.simulation.invariants.charge_log import ChargeLogIsWhole
from tests.simulation.invariants.firmware import (
    EachUpdateIsToldToItsEnd,
    NothingUnverifiedIsInstalled,
)
from tests.simulation.invariants.limits import (
    ALimitThatRanOutLimitsNothing,
    ExternalLimitsHold,
)
from tests.simulation.invariants.own_certificate import NoKeyLeaves, OnlyItsOwnCertificate
from tests.simulation.invariants.safety import (
    ClosedOnlyForAJournalledSession,
    NeverMoreThanMayFlow,
    OpenWhenTheAgentHangs,
    OpenWithinASecond,
)
from tests.simulation.invariants.security_events import CriticalEventsArrive, SecurityLogIsWhole
from tests.simulation.invariants.sessions import (
    CentralSystemSeesEachSessionWhole,
    EnergyIsRight,
    NothingCommittedGetsLost,
    StoppedExactlyOnce,
)
from tests.simulation.invariants.talking import (
    FindsItsCentralSystem,
    LegalStatuses,
    NoStorm,
    OneCallAtATime,
    WellFormed,
)
from tests.simulation.invariants.times import TimesAreTrue

# In the order in which they look: the ledger of what is committed is right before others ask it.
ALL: tuple[type[Invariant], ...] = (
    NothingCommittedGetsLost,
    OpenWhenTheAgentHangs,
    TheAgentLives,
    EachUpdateIsToldToItsEnd,
    ComesToRest,
    NothingUnverifiedIsInstalled,
    ClosedOnlyForAJournalledSession,
    OpenWithinASecond,
    NeverMoreThanMayFlow,
    ExternalLimitsHold,
    ALimitThatRanOutLimitsNothing,
    KnownBadCardsDoNotCharge,
    EveryCardGetsItsReason,
    ListIsWhole,
    StoppedExactlyOnce,
    CentralSystemSeesEachSessionWhole,
    EnergyIsRight,
    ChargeLogIsWhole,
    CriticalEventsArrive,
    SecurityLogIsWhole,
    TimesAreTrue,
    OneCallAtATime,
    LegalStatuses,
    WellFormed,
    FindsItsCentralSystem,
    OnlyItsOwnCertificate,
    NoKeyLeaves,
    NoStorm,
    NothingGrowsWithoutEnd,
)
