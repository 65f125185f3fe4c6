"""What should be done: everything the core can order. Imperative, frozen, units in the names.

Three families, by when they may happen:

* ``Row``: written to the journal; all rows of one turn are committed in one transaction.
* ``PatientOrder``: performed only after every row decided before it is committed. Closing is one.
* ``PromptOrder``: performed at once, whatever the disk does. Opening is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from agent.core.values import (
    Boot,
    DecisionRecord,
    IdTagInfo,
    StatusReport,
    StopReason,
    Transaction,
    TransactionMessage,
)

# --- rows ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """Append to the outbox. ``sequence`` is given by the core and only ever grows.

    ``boot`` is the number of the boot whose untrusted clock gave the times in it; 0: they are true.
    """

    sequence: int
    transaction_ref: int
    message: TransactionMessage
    boot: int = 0


@dataclass(frozen=True, slots=True)
class RemoveMessage:
    """The central system has answered this row: take it out of the outbox.

    ``may_wait``: for the next commit, to spare the disk. After a power cut before that the sample
    is sent once more, as the same message.
    """

    sequence: int
    may_wait: bool = False


@dataclass(frozen=True, slots=True)
class RecordAttempt:
    """This row has failed ``attempts`` times so far."""

    sequence: int
    attempts: int


@dataclass(frozen=True, slots=True)
class ParkMessage:
    """This row has used all its attempts: set it aside, visible, out of the queue."""

    sequence: int
    problem: str


@dataclass(frozen=True, slots=True)
class RequeueMessage:
    """Let a row that was set aside take its old place in the queue, with no attempts counted.

    Its unique id stays: for the central system it is the same message (OCPP-J 1.6 section 4.1.4).
    ``by`` is who asked for it; the store notes it down.
    """

    sequence: int
    by: str = "a person"


@dataclass(frozen=True, slots=True)
class DiscardMessage:
    """Forget a row that was set aside. A row in the queue is never forgotten."""

    sequence: int
    by: str = "a person"


@dataclass(frozen=True, slots=True)
class SaveTransaction:
    """Insert or update a transaction that is open."""

    transaction: Transaction


@dataclass(frozen=True, slots=True)
class EndTransaction:
    """Mark a transaction as ended; it is kept for as long as its messages need it, and a while."""

    ref: int


@dataclass(frozen=True, slots=True)
class SetTransactionId:
    """The central system named this transaction; -1 when StartTransaction was given up."""

    ref: int
    transaction_id: int


@dataclass(frozen=True, slots=True)
class CacheTag:
    """Put into the authorization cache, unless the tag is in the local list."""

    id_tag: str
    info: IdTagInfo


@dataclass(frozen=True, slots=True)
class ClearCache:
    """Empty the authorization cache, and nothing else."""


@dataclass(frozen=True, slots=True)
class ActivateList:
    """Let the staged generation be the local list from now on; listed tags leave the cache."""

    version: int
    base: int
    generation: int
    entries: int


@dataclass(frozen=True, slots=True)
class SaveAvailability:
    """Keep which connectors the central system wants out of service; 0: the charge point."""

    inoperative: frozenset[int]


@dataclass(frozen=True, slots=True)
class SaveConfigurationKey:
    """Keep the value of a configuration key."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class NoteBoot:
    """Remember that the agent runs in this boot; how an earlier process ended is forgotten."""

    boot: Boot


@dataclass(frozen=True, slots=True)
class NoteEnding:
    """Remember why this process ends, in case that a session cannot be closed before it does."""

    reason: StopReason


@dataclass(frozen=True, slots=True)
class CorrectTimes:
    """It is known now when this boot began: correct what waits with believed times.

    Rows of this boot move with it. Rows of earlier boots, whose clock nobody will ever know, keep
    their times unless these cannot be: then they move to just before this boot.
    """

    boot: int
    booted_at: datetime


@dataclass(frozen=True, slots=True)
class RecordDecision:
    """Keep why a tag was accepted or refused."""

    record: DecisionRecord


Row = (
    QueueMessage
    | RemoveMessage
    | RecordAttempt
    | ParkMessage
    | RequeueMessage
    | DiscardMessage
    | SaveTransaction
    | EndTransaction
    | SetTransactionId
    | CacheTag
    | ClearCache
    | ActivateList
    | SaveAvailability
    | SaveConfigurationKey
    | NoteBoot
    | NoteEnding
    | CorrectTimes
    | RecordDecision
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
    """Send the oldest row of the outbox to the central system; ``up_to`` is the newest row."""

    up_to: int


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
    """Everything is stopped: leave the process. ``again`` False: it was told to end."""

    again: bool


PatientOrder = OfferCurrent | CloseContactor | DeliverNext | Reply | ApplyConfiguration | Restart

# --- prompt orders: at once ----------------------------------------------------------------------


class Signal(Enum):
    """What the indicator shows; the names are those of hw.ports.Signal."""

    FREE = "free"
    CARD_READ = "card read"
    CHECKING = "checking"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    WAITING_FOR_PLUG = "waiting for plug"
    CHARGING = "charging"
    PAUSED = "paused"
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


@dataclass(frozen=True, slots=True)
class NotifyStatus:
    """Report a status to the central system; lost when the link is lost, by design."""

    report: StatusReport


@dataclass(frozen=True, slots=True)
class ShowSignal:
    """Tell the person at the box."""

    signal: Signal


PromptOrder = (
    OpenContactor
    | RenewContactor
    | WithdrawOffer
    | LockConnector
    | UnlockConnector
    | ReadMeter
    | Authorize
    | NotifyStatus
    | ShowSignal
)

Command = Row | PatientOrder | PromptOrder
