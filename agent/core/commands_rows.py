"""What is written to the journal: rows. All rows of one turn are committed in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.core.certificates import RemoveRoot, SaveRoot
from agent.core.charging_profiles import InstalledProfile, RateUnit
from agent.core.connection_profile import SaveConnectionProfiles
from agent.core.firmware_values import SaveFirmware
from agent.core.own_certificates import SaveOwnCertificates
from agent.core.security_event_values import RecordSecurityEvent, SecurityRow
from agent.core.values import (
    Boot,
    DecisionRecord,
    IdTagInfo,
    MeterSample,
    Reservation,
    StopReason,
    Transaction,
    TransactionEnded,
    TransactionMessage,
)


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
    """The central system has answered this row: take it out of the outbox."""

    sequence: int


@dataclass(frozen=True, slots=True)
class RecordAttempt:
    """This row has failed ``attempts`` times so far."""

    sequence: int
    attempts: int


@dataclass(frozen=True, slots=True)
class ParkMessage:
    """This row has used all its attempts: take it out of the queue, visible."""

    sequence: int
    problem: str


@dataclass(frozen=True, slots=True)
class RequeueMessage:
    """Let a row that was parked take its old place in the queue, with no attempts counted.

    Its unique id stays: for the central system it is the same message (OCPP-J 1.6 section 4.1.4).
    ``by`` is who asked for it; the store notes it down.
    """

    sequence: int
    by: str = "a person"


@dataclass(frozen=True, slots=True)
class DiscardMessage:
    """Forget a row that was parked. A row in the queue is never forgotten."""

    sequence: int
    by: str = "a person"


@dataclass(frozen=True, slots=True)
class SaveTransaction:
    """Insert or update a transaction that is open."""

    transaction: Transaction


@dataclass(frozen=True, slots=True)
class KeepSample:
    """Insert or update a sample that waits for the StopTransaction of its session."""

    ref: int
    sample: MeterSample


@dataclass(frozen=True, slots=True)
class DropSample:
    """Forget one of these samples: there are too many."""

    ref: int
    number: int


@dataclass(frozen=True, slots=True)
class EndTransaction:
    """Mark a transaction as ended; it is kept for as long as its messages need it, and a while.

    The samples that were kept for its StopTransaction go.
    """

    ref: int
    register_wh: int = 0  # it closed with; one that is below its last sample changes nothing


@dataclass(frozen=True, slots=True)
class LogSession:
    """Keep the record of a session that is over in the charge log, for people.

    ``boot`` is the number of the boot whose untrusted clock gave the time of its end; 0: it is
    true.
    """

    transaction: Transaction
    ended: TransactionEnded
    boot: int = 0


@dataclass(frozen=True, slots=True)
class SetTransactionId:
    """The central system named this transaction; -1 when StartTransaction was given up."""

    ref: int
    transaction_id: int


@dataclass(frozen=True, slots=True)
class CacheTag:
    """Put into the authorization cache, unless the tag is in the local list.

    ``info`` None: forget what was known of the tag, which no longer counts.
    """

    id_tag: str
    info: IdTagInfo | None


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
class SaveContactor:
    """Keep how often a contactor has closed, and whether a person must look at it first."""

    connector_id: int
    operations: int
    is_locked_out: bool


@dataclass(frozen=True, slots=True)
class SaveRegister:
    """Keep what is added to the meter of a connector: it was replaced or reset."""

    connector_id: int
    register_wh: int  # as reported, with the offset
    offset_wh: int


@dataclass(frozen=True, slots=True)
class SaveReservations:
    """Keep the reservations that hold, and forget all others."""

    reservations: tuple[Reservation, ...]


@dataclass(frozen=True, slots=True)
class SaveConfigurationKey:
    """Keep the value of a configuration key."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class SaveChargingProfile:
    """Keep a charging profile, in the place of any with the same id."""

    installed: InstalledProfile


@dataclass(frozen=True, slots=True)
class RemoveChargingProfile:
    """Forget a charging profile."""

    profile_id: int


@dataclass(frozen=True, slots=True)
class BeginGridLimit:
    """The grid operator's contact limits the box from now on: kept as a proof.

    One that an earlier process left open ended with it.
    """

    begun_at: datetime
    limit: float
    unit: RateUnit
    boot: int = 0  # whose untrusted clock gave the time; 0: it is true


@dataclass(frozen=True, slots=True)
class EndGridLimit:
    """The grid operator's contact no longer limits the box."""

    ended_at: datetime
    boot: int = 0  # as above
    is_found: bool = False  # left open by an earlier process, and found so at the start


@dataclass(frozen=True, slots=True)
class NoteBoot:
    """Remember that the agent runs in this boot; how an earlier process ended is forgotten."""

    boot: Boot


@dataclass(frozen=True, slots=True)
class NoteEnding:
    """Remember why this process ends: the next one says so, and closes by it what is left open."""

    reason: StopReason


@dataclass(frozen=True, slots=True)
class CorrectTimes:
    """It is known now when this boot began: correct what waits with believed times.

    Rows of this boot move with it. Rows of earlier boots, whose clock will never be known, keep
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
    | KeepSample
    | DropSample
    | EndTransaction
    | LogSession
    | SetTransactionId
    | CacheTag
    | ClearCache
    | ActivateList
    | SaveAvailability
    | SaveReservations
    | SaveContactor
    | SaveRegister
    | SaveConfigurationKey
    | SaveChargingProfile
    | RemoveChargingProfile
    | BeginGridLimit
    | EndGridLimit
    | NoteBoot
    | NoteEnding
    | CorrectTimes
    | RecordDecision
    | SaveFirmware
    | SaveConnectionProfiles
    | SaveRoot
    | RemoveRoot
    | SaveOwnCertificates
    | SecurityRow
)

DECISION_WAITS_S = 0.5
EVENT_WAITS_S = 60.0  # about as often as a session writes a sample


def may_wait_s(row: Row) -> float:
    """How long a row may wait for a commit that comes anyway. Seconds.

    The reason of a decision waits for the session that follows from it, a security event that is
    only logged for whatever is written next.
    """
    match row:
        case RecordDecision():
            return DECISION_WAITS_S
        case RecordSecurityEvent(is_queued=False):
            return EVENT_WAITS_S
        case _:
            return 0.0
