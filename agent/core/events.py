"""What happened: everything the core can be told. Past tense, frozen, units in the names."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.reasons import Rule
from agent.core.requests import (
    AvailabilityChangeRequested as AvailabilityChangeRequested,
)
from agent.core.requests import (
    CacheClearRequested as CacheClearRequested,
)
from agent.core.requests import (
    ConfigurationChangeRequested as ConfigurationChangeRequested,
)
from agent.core.requests import (
    DiscardAsked as DiscardAsked,
)
from agent.core.requests import (
    LimitAsked as LimitAsked,
)
from agent.core.requests import (
    ListStaged as ListStaged,
)
from agent.core.requests import (
    RemoteStartRequested as RemoteStartRequested,
)
from agent.core.requests import (
    RemoteStopRequested as RemoteStopRequested,
)
from agent.core.requests import (
    ResetRequested as ResetRequested,
)
from agent.core.requests import (
    RetryAsked as RetryAsked,
)
from agent.core.requests import (
    SessionAsked as SessionAsked,
)
from agent.core.requests import (
    StopAsked as StopAsked,
)
from agent.core.requests import (
    TagQuestioned as TagQuestioned,
)
from agent.core.requests import (
    UnlockRequested as UnlockRequested,
)
from agent.core.values import (
    NO_FACTS,
    Claim,
    IdTagInfo,
    LockState,
    PartFault,
    PilotState,
    Reading,
    StopReason,
    TagFacts,
    Transaction,
)

# --- from the devices ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CardPresented:
    """A card or code was presented at a reader that serves ``connectors``."""

    id_tag: str
    connectors: tuple[int, ...]
    facts: TagFacts = NO_FACTS  # filled in by the runtime before the core sees it
    is_random: bool = False  # from a UID that changes at every activation (4 bytes, first 08)
    claim: Claim = Claim.CARD


@dataclass(frozen=True, slots=True)
class TokenNotTaken:
    """A token from another part of the station was refused before anybody had to decide.

    ``rule`` is one of ``reasons.STATION_RULES``.
    """

    id_tag: str
    connectors: tuple[int, ...]
    rule: Rule


@dataclass(frozen=True, slots=True)
class CardNotTaken:
    """Something was presented that cannot be used: two cards, or an incomplete read."""

    problem: str


@dataclass(frozen=True, slots=True)
class ReaderFailed:
    """The card reader does not work."""

    problem: str


@dataclass(frozen=True, slots=True)
class ReaderRecovered:
    """The card reader works again."""


@dataclass(frozen=True, slots=True)
class CablePluggedIn:
    """A plug is in the socket."""

    connector_id: int


@dataclass(frozen=True, slots=True)
class CableUnplugged:
    """No plug is in the socket any more."""

    connector_id: int


@dataclass(frozen=True, slots=True)
class PilotChanged:
    """The vehicle shows another pilot state."""

    connector_id: int
    state: PilotState


@dataclass(frozen=True, slots=True)
class LockChanged:
    """The lock reached a state, confirmed by its feedback."""

    connector_id: int
    state: LockState


@dataclass(frozen=True, slots=True)
class LockJammed:
    """The lock did not reach ``wanted`` after all its tries."""

    connector_id: int
    wanted: LockState


@dataclass(frozen=True, slots=True)
class ContactorClosed:
    """The feedback of the contactor says closed."""

    connector_id: int


@dataclass(frozen=True, slots=True)
class ContactorOpened:
    """The feedback of the contactor says open."""

    connector_id: int


@dataclass(frozen=True, slots=True)
class ContactorTripped:
    """The contactor opened by itself or refuses to close; ``reason`` names a hw.ports.Trip."""

    connector_id: int
    reason: str
    trip_count: int


@dataclass(frozen=True, slots=True)
class SafetyInputTripped:
    """A contact that means "open now" tripped: emergency_stop, residual_current, door."""

    name: str


@dataclass(frozen=True, slots=True)
class SafetyInputCleared:
    """That contact is in order again."""

    name: str


@dataclass(frozen=True, slots=True)
class PartFaultChanged:
    """A part of the connector reports another fault by itself; None: that is mended."""

    connector_id: int
    fault: PartFault | None


@dataclass(frozen=True, slots=True)
class MeterRead:
    """The meter of a connector was read."""

    connector_id: int
    reading: Reading


@dataclass(frozen=True, slots=True)
class MeterFailed:
    """The meter of a connector could not be read, several times in a row or when asked."""

    connector_id: int
    problem: str


# --- from time, journal and process --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """The process has started; these transactions were open when the last one ended."""

    open_transactions: tuple[Transaction, ...] = ()
    quarantined: str = ""  # a sentence, when the database was corrupt and a fresh one was begun
    ending: StopReason = StopReason.POWER_LOSS  # how the last process ended


@dataclass(frozen=True, slots=True)
class TimePassed:
    """A deadline that the core asked for has come."""


@dataclass(frozen=True, slots=True)
class JournalFailed:
    """A commit failed; its rows are kept and tried again."""

    problem: str


@dataclass(frozen=True, slots=True)
class JournalRecovered:
    """Everything that waited has been committed."""


@dataclass(frozen=True, slots=True)
class SamplesThinned:
    """The messages that wait had outgrown their share of the disk: so many samples were dropped."""

    count: int


@dataclass(frozen=True, slots=True)
class ShutdownRequested:
    """The process is told to end: stop what runs (reason Reboot); Restart(again=False) follows."""


# --- from the link to the central system ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LinkAccepted:
    """Connected, and BootNotification accepted (now, or earlier in this boot)."""

    heartbeat_interval_s: int | None = None  # from BootNotification.conf, when it came with one


@dataclass(frozen=True, slots=True)
class LinkPending:
    """Connected, BootNotification answered Pending or Rejected."""

    status: str


@dataclass(frozen=True, slots=True)
class LinkLost:
    """Not connected any more (or not yet), or not accepted any more."""

    problem: str


@dataclass(frozen=True, slots=True)
class AuthorizeAnswered:
    """Authorize.conf came, in time or late."""

    id_tag: str
    info: IdTagInfo
    facts: TagFacts = NO_FACTS  # filled in by the runtime before the core sees it


@dataclass(frozen=True, slots=True)
class AuthorizeFailed:
    """Authorize.req got no usable answer: time-out, CALLERROR, link lost."""

    id_tag: str
    problem: str


@dataclass(frozen=True, slots=True)
class MessageAnswered:
    """The outbox row ``sequence`` was answered by the central system, in time or late."""

    sequence: int
    transaction_ref: int
    action: str  # StartTransaction, MeterValues, StopTransaction
    transaction_id: int | None = None  # only StartTransaction.conf
    info: IdTagInfo | None = None
    id_tag: str | None = None  # the tag that ``info`` is about
    facts: TagFacts = NO_FACTS  # about that tag; filled in by the runtime


@dataclass(frozen=True, slots=True)
class MessageFailed:
    """The outbox row was refused (CALLERROR) or not answered on a live link: counts an attempt."""

    sequence: int
    problem: str
    attempts: int | None = None  # before this one, as the row says; None: as the core remembers


@dataclass(frozen=True, slots=True)
class DeliveryInterrupted:
    """The link went away while the row was in flight: no attempt counted."""

    sequence: int


@dataclass(frozen=True, slots=True)
class OutboxWasEmpty:
    """DeliverNext found no row at all up to this sequence: the core is corrected."""

    up_to: int


# Requests are events too; ``events.X`` names them all.
Event = (
    CardPresented
    | CardNotTaken
    | TokenNotTaken
    | ReaderFailed
    | ReaderRecovered
    | CablePluggedIn
    | CableUnplugged
    | PilotChanged
    | LockChanged
    | LockJammed
    | ContactorClosed
    | ContactorOpened
    | ContactorTripped
    | SafetyInputTripped
    | SafetyInputCleared
    | PartFaultChanged
    | MeterRead
    | MeterFailed
    | Started
    | TimePassed
    | JournalFailed
    | JournalRecovered
    | SamplesThinned
    | ShutdownRequested
    | LinkAccepted
    | LinkPending
    | LinkLost
    | AuthorizeAnswered
    | AuthorizeFailed
    | MessageAnswered
    | MessageFailed
    | DeliveryInterrupted
    | OutboxWasEmpty
    | RemoteStartRequested
    | RemoteStopRequested
    | UnlockRequested
    | ResetRequested
    | ConfigurationChangeRequested
    | AvailabilityChangeRequested
    | CacheClearRequested
    | SessionAsked
    | StopAsked
    | TagQuestioned
    | LimitAsked
    | RetryAsked
    | DiscardAsked
    | ListStaged
)
