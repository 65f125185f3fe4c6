"""What happened: the events that the core takes. Past tense, frozen, units in the names."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.core.authorization_attempt import Purpose
from agent.core.authorization_reasons import Rule
from agent.core.connection_profile import LinkOpened as LinkOpened
from agent.core.contract import Contract
from agent.core.events_devices import CableMeasured as CableMeasured
from agent.core.events_devices import CablePluggedIn as CablePluggedIn
from agent.core.events_devices import CableUnplugged as CableUnplugged
from agent.core.events_devices import ContactorClosed as ContactorClosed
from agent.core.events_devices import ContactorMended as ContactorMended
from agent.core.events_devices import ContactorOpened as ContactorOpened
from agent.core.events_devices import ContactorTripped as ContactorTripped
from agent.core.events_devices import GridContactChanged as GridContactChanged
from agent.core.events_devices import LockChanged as LockChanged
from agent.core.events_devices import LockJammed as LockJammed
from agent.core.events_devices import MeterFailed as MeterFailed
from agent.core.events_devices import MeterRead as MeterRead
from agent.core.events_devices import OfferConfirmed as OfferConfirmed
from agent.core.events_devices import PartFaultChanged as PartFaultChanged
from agent.core.events_devices import PilotChanged as PilotChanged
from agent.core.events_devices import PilotComplained as PilotComplained
from agent.core.events_devices import SafetyInputCleared as SafetyInputCleared
from agent.core.events_devices import SafetyInputTripped as SafetyInputTripped
from agent.core.events_devices import SelfTestBegan as SelfTestBegan
from agent.core.events_devices import SelfTestEnded as SelfTestEnded
from agent.core.events_requests import AuthorizeRequested as AuthorizeRequested
from agent.core.events_requests import AvailabilityChangeRequested as AvailabilityChangeRequested
from agent.core.events_requests import CacheClearRequested as CacheClearRequested
from agent.core.events_requests import ClearProfilesRequested as ClearProfilesRequested
from agent.core.events_requests import ConfigurationChangeRequested as ConfigurationChangeRequested
from agent.core.events_requests import DeleteRootRequested as DeleteRootRequested
from agent.core.events_requests import DiscardRequested as DiscardRequested
from agent.core.events_requests import ExternalLimitSet as ExternalLimitSet
from agent.core.events_requests import InstallRootRequested as InstallRootRequested
from agent.core.events_requests import LimitRequested as LimitRequested
from agent.core.events_requests import ListStaged as ListStaged
from agent.core.events_requests import RandomDelaySkipped as RandomDelaySkipped
from agent.core.events_requests import RemoteStartRequested as RemoteStartRequested
from agent.core.events_requests import RemoteStopRequested as RemoteStopRequested
from agent.core.events_requests import ReservationCancelRequested as ReservationCancelRequested
from agent.core.events_requests import ReservationRequested as ReservationRequested
from agent.core.events_requests import ResetRequested as ResetRequested
from agent.core.events_requests import RetryRequested as RetryRequested
from agent.core.events_requests import SetProfileRequested as SetProfileRequested
from agent.core.events_requests import StartRequested as StartRequested
from agent.core.events_requests import StopRequested as StopRequested
from agent.core.events_requests import UnlockRequested as UnlockRequested
from agent.core.firmware_values import FirmwareEvent
from agent.core.own_certificates import OwnCertificateEvent
from agent.core.security_event_values import SecurityReport
from agent.core.tag_sources import Source
from agent.core.values import (
    IdTagInfo,
    StopReason,
    TagRecord,
    TokenKind,
    Transaction,
)

# --- from the devices ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TagPresented:
    """A card, code or token was presented for one of ``connectors``."""

    id_tag: str
    connectors: tuple[int, ...]
    is_random: bool = False  # from a UID that changes at every activation (4 bytes, first 08)
    claim: TokenKind = TokenKind.CARD
    contract: Contract | None = None  # of an ISO 15118 vehicle
    source: Source = Source.READER
    request_id: str | None = None  # a TagReply with this id says what became of it
    read_s: float | None = field(default=None, compare=False)  # monotonic, at the own reader


@dataclass(frozen=True, slots=True)
class StationAnswered:
    """The station's own logic has said whether it wants a tag that was accepted."""

    id_tag: str
    is_wanted: bool


@dataclass(frozen=True, slots=True)
class RequestNotTaken:
    """A request about charging was refused at its entry, before the core had to decide.

    A token of the station bus (``rule`` is one of ``reasons.STATION_RULES``), or a command of the
    control API. ``id_tag`` is empty where the request names none.
    """

    id_tag: str
    connectors: tuple[int, ...]
    rule: Rule
    purpose: Purpose = Purpose.START
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CardNotTaken:
    """Something was presented that cannot be used: two cards, or an incomplete read."""

    problem: str
    request_id: str | None = None  # as in TagPresented


@dataclass(frozen=True, slots=True)
class ReaderFailed:
    """The card reader does not work."""

    problem: str


@dataclass(frozen=True, slots=True)
class ReaderRecovered:
    """The card reader works again."""


# --- from time, journal and process --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """The process has started; these transactions were open when the last one ended."""

    open_transactions: tuple[Transaction, ...] = ()
    quarantined: str = ""  # a sentence, when the database was corrupt and a fresh one was begun
    ending: StopReason | None = StopReason.POWER_LOSS  # of the last process; None: not known


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
    """The process is to end: stop what runs (reason Reboot); Restart(again=False) follows."""


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
    certificate_status: str = ""  # what it says about a contract, in the words of OCPP 2.0.1


@dataclass(frozen=True, slots=True)
class AuthorizeFailed:
    """Authorize.req got no usable answer: time-out, CALLERROR, link lost."""

    id_tag: str
    problem: str
    is_answer: bool = False  # the central system did answer, but not what it makes of the tag


@dataclass(frozen=True, slots=True)
class MessageAnswered:
    """The outbox row ``sequence`` was answered by the central system, in time or late."""

    sequence: int
    transaction_ref: int
    transaction_id: int | None = None  # what the transaction that began is called
    info: IdTagInfo | None = None
    id_tag: str | None = None  # the tag that ``info`` is about
    is_sample: bool = False


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
class DeliveryHeldBack:
    """DeliverNext found a start or a stop behind samples that are still to be removed."""


@dataclass(frozen=True, slots=True)
class OutboxWasEmpty:
    """DeliverNext found no row at all up to this sequence: the core is corrected."""

    up_to: int


# --- about a tag: looked up before the core sees them --------------------------------------------

# A session is asked for, or an answer about a tag: the core decides about the tag.
Presented = TagPresented | RemoteStartRequested | StartRequested | AuthorizeRequested
# The central system has said something about the tag.
Heard = AuthorizeAnswered | MessageAnswered


@dataclass(frozen=True, slots=True)
class LookedUp:
    """An event about a tag, with what list and cache know about that tag now.

    The core takes events about tags in no other form: at whichever entry a tag comes, it is
    decided on with the same facts. ``facts`` None: the store could not be read (``problem`` says
    why), or the event names no tag. Nothing is decided on a guess then.
    """

    event: Presented | Heard
    facts: TagRecord | None
    problem: str = ""


# Requests are events too; ``events.X`` names them all.
_Other = (
    CardNotTaken
    | RequestNotTaken
    | StationAnswered
    | ReaderFailed
    | ReaderRecovered
    | CablePluggedIn
    | CableUnplugged
    | OfferConfirmed
    | PilotChanged
    | PilotComplained
    | CableMeasured
    | LockChanged
    | LockJammed
    | ContactorClosed
    | ContactorOpened
    | ContactorTripped
    | ContactorMended
    | SelfTestBegan
    | SelfTestEnded
    | SafetyInputTripped
    | SafetyInputCleared
    | GridContactChanged
    | PartFaultChanged
    | MeterRead
    | MeterFailed
    | Started
    | TimePassed
    | JournalFailed
    | JournalRecovered
    | SamplesThinned
    | ShutdownRequested
    | LinkOpened
    | LinkAccepted
    | LinkPending
    | LinkLost
    | AuthorizeFailed
    | MessageFailed
    | DeliveryInterrupted
    | DeliveryHeldBack
    | OutboxWasEmpty
    | RemoteStopRequested
    | UnlockRequested
    | ResetRequested
    | ConfigurationChangeRequested
    | AvailabilityChangeRequested
    | ReservationRequested
    | ReservationCancelRequested
    | CacheClearRequested
    | InstallRootRequested
    | DeleteRootRequested
    | SetProfileRequested
    | ClearProfilesRequested
    | StopRequested
    | LimitRequested
    | ExternalLimitSet
    | RandomDelaySkipped
    | RetryRequested
    | DiscardRequested
    | ListStaged
    | FirmwareEvent
    | OwnCertificateEvent
    | SecurityReport
)
Event = _Other | Presented | Heard  # as it is posted
Ready = _Other | LookedUp  # as the core takes it
