"""What should be done: all commands of the core. Imperative, frozen, units in the names.

Three families, by when they may happen:

* ``Row``: written to the journal; all rows of one turn are committed in one transaction.
* ``AfterCommit``: carried out only after every row decided before it is committed. Closing is one.
* ``Immediate``: carried out at once, whatever the disk does. Opening is one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from agent.core.commands_rows import ActivateList as ActivateList
from agent.core.commands_rows import BeginGridLimit as BeginGridLimit
from agent.core.commands_rows import CacheTag as CacheTag
from agent.core.commands_rows import ClearCache as ClearCache
from agent.core.commands_rows import CorrectTimes as CorrectTimes
from agent.core.commands_rows import DiscardMessage as DiscardMessage
from agent.core.commands_rows import DropSample as DropSample
from agent.core.commands_rows import EndGridLimit as EndGridLimit
from agent.core.commands_rows import EndTransaction as EndTransaction
from agent.core.commands_rows import KeepSample as KeepSample
from agent.core.commands_rows import LogSession as LogSession
from agent.core.commands_rows import NoteBoot as NoteBoot
from agent.core.commands_rows import NoteEnding as NoteEnding
from agent.core.commands_rows import ParkMessage as ParkMessage
from agent.core.commands_rows import QueueMessage as QueueMessage
from agent.core.commands_rows import RecordAttempt as RecordAttempt
from agent.core.commands_rows import RecordDecision as RecordDecision
from agent.core.commands_rows import RemoveChargingProfile as RemoveChargingProfile
from agent.core.commands_rows import RemoveMessage as RemoveMessage
from agent.core.commands_rows import RequeueMessage as RequeueMessage
from agent.core.commands_rows import Row as Row
from agent.core.commands_rows import SaveAvailability as SaveAvailability
from agent.core.commands_rows import SaveChargingProfile as SaveChargingProfile
from agent.core.commands_rows import SaveConfigurationKey as SaveConfigurationKey
from agent.core.commands_rows import SaveContactor as SaveContactor
from agent.core.commands_rows import SaveRegister as SaveRegister
from agent.core.commands_rows import SaveReservations as SaveReservations
from agent.core.commands_rows import SaveTransaction as SaveTransaction
from agent.core.commands_rows import SetTransactionId as SetTransactionId
from agent.core.contract import Contract
from agent.core.firmware_values import FirmwareOrder
from agent.core.key_enum import KeyEnum
from agent.core.own_certificates import MakeCertificateRequest as MakeCertificateRequest
from agent.core.own_certificates import SendCertificateRequest as SendCertificateRequest
from agent.core.security_event_values import TellSecurityEvent
from agent.core.tag_sources import Source
from agent.core.values import (
    DecisionRecord,
    IdTagInfo,
    StatusReport,
)

# --- patient orders: after the journal -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OfferCurrent:
    """Offer this current per phase on the pilot."""

    connector_id: int
    current_a: float


@dataclass(frozen=True, slots=True)
class CloseContactor:
    """Arm and close, for at most ``for_s`` seconds. ``trips_seen``: trips the core knows of."""

    connector_id: int
    transaction_ref: int
    trips_seen: int
    for_s: float


@dataclass(frozen=True, slots=True)
class DeliverNext:
    """Send the oldest row of the outbox to the central system; ``up_to`` is the newest row.

    ``passed_over`` are samples that have been answered and are still to be removed.
    """

    up_to: int
    passed_over: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer a request that came with this id, once.

    ``detail`` explains a refusal to a person; ``info`` is what the central system said about a tag.
    """

    request_id: str
    status: str
    detail: str = ""
    info: IdTagInfo | None = None


@dataclass(frozen=True, slots=True)
class ApplyConfiguration:
    """A configuration key has a new value: timers that live outside the core follow it."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Everything is stopped: leave the process. ``again`` False: it was asked to end."""

    again: bool


AfterCommit = (
    OfferCurrent
    | CloseContactor
    | DeliverNext
    | Reply
    | ApplyConfiguration
    | Restart
    | FirmwareOrder
    | MakeCertificateRequest
    | SendCertificateRequest
    | TellSecurityEvent
)

# --- prompt orders: at once ----------------------------------------------------------------------


class Signal(KeyEnum):
    """What the indicator shows; the names are those of hw.ports.Signal."""

    FREE = "free"
    FREE_OFFLINE = "free, offline"  # usable; the central system cannot be reached
    RESERVED = "reserved"
    CARD_READ = "card read"
    CHECKING = "checking"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    REFUSED_UNANSWERED = "refused, nobody to ask"
    WAITING_FOR_PLUG = "waiting for plug"
    CHARGING = "charging"
    PAUSED = "paused"
    READER_FAULT = "reader out of order"
    NOT_ACCEPTED = "not accepted yet"  # by the central system, at boot
    UNAVAILABLE = "unavailable"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class OpenContactor:
    """Open now. Safe to repeat."""

    connector_id: int


@dataclass(frozen=True, slots=True)
class RenewContactor:
    """Stay closed for at most ``for_s`` seconds from now. Never closes."""

    connector_id: int
    for_s: float


@dataclass(frozen=True, slots=True)
class LowerOffer:
    """Offer no more than this from now on. Never raises an offer, never begins one."""

    connector_id: int
    current_a: float


@dataclass(frozen=True, slots=True)
class WithdrawOffer:
    """Offer no current any more."""

    connector_id: int


@dataclass(frozen=True, slots=True)
class LockConnector:
    """Begin to lock the plug in."""

    connector_id: int


@dataclass(frozen=True, slots=True)
class UnlockConnector:
    """Begin to release the plug. Ordered only when the contactor is confirmed open."""

    connector_id: int


@dataclass(frozen=True, slots=True)
class ReadMeter:
    """Read the meter now; MeterRead or MeterFailed follows."""

    connector_id: int


@dataclass(frozen=True, slots=True)
class Authorize:
    """Ask the central system about this tag; AuthorizeAnswered or AuthorizeFailed follows."""

    id_tag: str
    timeout_s: float
    contract: Contract | None = None  # to be asked about as well (ISO 15118 Plug & Charge)
    source: Source = Source.READER


@dataclass(frozen=True, slots=True)
class NotifyStatus:
    """Report a status to the central system; lost when the link is lost, by design.

    ``changed_at`` None: now, since it has been sent before.
    """

    report: StatusReport
    changed_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class TagReply:
    """What became of the tag that was presented with this request id: exactly one each.

    At once, as the light is: a refusal because the journal fails must not wait for the journal.
    """

    request_id: str
    is_accepted: bool
    decision: DecisionRecord | None = None  # None: it changed nothing, and no reason is kept
    certificate_status: str = ""  # of its contract, in the words of OCPP 2.0.1


@dataclass(frozen=True, slots=True)
class ShowSignal:
    """Tell the person at the box. ``flashes``: which fault, for Signal.FAULT."""

    signal: Signal
    flashes: int = 0


Immediate = (
    OpenContactor
    | RenewContactor
    | LowerOffer
    | WithdrawOffer
    | LockConnector
    | UnlockConnector
    | ReadMeter
    | Authorize
    | NotifyStatus
    | TagReply
    | ShowSignal
)

Command = Row | AfterCommit | Immediate
