"""Small values that the whole core shares: instants, idTags' information, meter readings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.core.figures import NO_FIGURES, Figures
from agent.core.key_enum import KeyEnum


@dataclass(frozen=True, slots=True)
class Instant:
    """Now, on both clocks. Waiting uses ``monotonic_s``; only ``utc`` is written down.

    While ``is_trusted`` is False, ``utc`` is a belief; still it runs exactly as ``monotonic_s``.
    """

    monotonic_s: float
    utc: datetime
    is_trusted: bool = True

    def monotonic_s_at(self, utc: datetime) -> float:
        """``monotonic_s`` when it will be, or was, this time, as far as is known now."""
        return self.monotonic_s + (utc - self.utc).total_seconds()


class TokenKind(KeyEnum):
    """What a presented token says about itself."""

    CARD = "card"  # a person has it: a card, a code
    FREE = "free"  # nobody has to have anything
    AUTOCHARGE = "autocharge"  # the vehicle shows its address
    CONTRACT = "contract"  # the vehicle shows its contract
    STATION = "station"  # another part of the station has decided already


@dataclass(frozen=True, slots=True)
class Boot:
    """One life of the machine, from power-on to power-off; a process may start several times."""

    number: int  # given by the store, from 1; grows
    boot_id: str  # the kernel's
    booted_at: datetime  # when its monotonic clock stood at 0, as known or believed
    is_time_known: bool


class AuthorizationStatus(KeyEnum):
    """Status of an idTag, as named by OCPP 1.6 section 7.2."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    CONCURRENT_TX = "ConcurrentTx"


@dataclass(frozen=True, slots=True)
class IdTagInfo:
    """What is said about an idTag (OCPP 1.6 section 7.27). No expiry = no end."""

    status: AuthorizationStatus
    expires_at: datetime | None = None
    parent_id_tag: str | None = None
    is_end_unreadable: bool = False  # an expiryDate came that is no date: nobody knows the end


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """An authorization cache entry, and when it was last heard."""

    info: IdTagInfo
    heard_at: datetime


@dataclass(frozen=True, slots=True)
class TagRecord:
    """What the store knows about one idTag at the moment it was presented."""

    list_entry: IdTagInfo | None = None
    list_version: int = 0
    cache_entry: CacheEntry | None = None


class ListOwner(KeyEnum):
    """Who may change the local authorization list."""

    CSMS = "csms"  # the central system alone
    SHARED = "shared"  # both: the later one wins
    LOCAL = "local"  # the operator alone


class ListUpdateKind(KeyEnum):
    """How an update changes the list; the first two as named by OCPP 1.6 section 7.46."""

    FULL = "Full"
    DIFFERENTIAL = "Differential"
    CLEAR = "Clear"  # only by operators: all entries go, and the version becomes 0


class ListOrigin(KeyEnum):
    """Who sent an update of the list."""

    CENTRAL_SYSTEM = "the central system"
    CONTROL_API = "the control API"
    COMMAND_LINE = "the command line"


class ListStatus(KeyEnum):
    """What became of an update; the first four as named by OCPP 1.6 section 7.47."""

    ACCEPTED = "Accepted"
    FAILED = "Failed"
    NOT_SUPPORTED = "NotSupported"  # the list is switched off, or is not the sender's business
    VERSION_MISMATCH = "VersionMismatch"
    INVALID = "Invalid"  # an operator sent what no list may hold
    MANAGED = "Managed"  # an operator may not change the list of the central system


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One entry of an update. ``info`` None: the idTag leaves the list.

    ``name`` is for people at this box; None: it stays as it is, empty: there is none any more.
    """

    id_tag: str
    info: IdTagInfo | None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ListUpdate:
    """An update without its entries."""

    kind: ListUpdateKind
    version: int  # of the list after it; 0 for CLEAR
    origin: ListOrigin
    received: int  # how many entries came with it


@dataclass(frozen=True, slots=True)
class LocalList:
    """The local authorization list without its entries, which only the store has."""

    version: int = 0  # the last one that was set, also while the list is empty
    entries: int = 0
    generation: int = 0  # the store's own number; grows with every update

    @property
    def reported_version(self) -> int:
        """The version as OCPP tells it: 0 for an empty list (section 5.10)."""
        return self.version if self.entries else 0


NO_LIST = LocalList()


@dataclass(frozen=True, slots=True)
class Reservation:
    """For whom a connector is kept, and until when (OCPP 1.6 section 6.35)."""

    reservation_id: int
    connector_id: int  # 0: any one
    id_tag: str
    expires_at: datetime
    parent_id_tag: str | None = None  # None: for the tag alone


@dataclass(frozen=True, slots=True)
class Reading:
    """One consistent set of meter values. Tuples are per phase, L1 first; may be empty."""

    import_wh: int  # register: running total, whole Wh rounded down, never decreases
    read_at: datetime
    power_w: float | None = None
    voltage_v: tuple[float, ...] = ()
    current_a: tuple[float, ...] = ()
    power_phase_w: tuple[float, ...] = ()
    frequency_hz: float | None = None
    power_factor: float | None = None
    offered_a: float | None = None  # per phase: what the vehicle may draw; not from the meter
    offered_w: float | None = None  # on all phases together, at the nominal voltage
    offset_wh: int = 0  # of import_wh: what was added to the meter's own register


class PilotState(KeyEnum):
    """Control pilot states of IEC 61851-1."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    F = "F"


class LockState(KeyEnum):
    """Where the bolt of the connector lock is, by its feedback."""

    LOCKED = "locked"
    UNLOCKED = "unlocked"
    MOVING = "moving"


class Status(KeyEnum):
    """Connector status, as named by OCPP 1.6 section 7.7."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


class StopReason(KeyEnum):
    """Why a transaction ended, as named by OCPP 1.6 section 7.36."""

    DE_AUTHORIZED = "DeAuthorized"
    EMERGENCY_STOP = "EmergencyStop"
    EV_DISCONNECTED = "EVDisconnected"
    HARD_RESET = "HardReset"
    LOCAL = "Local"
    OTHER = "Other"
    POWER_LOSS = "PowerLoss"
    REBOOT = "Reboot"
    REMOTE = "Remote"
    SOFT_RESET = "SoftReset"
    UNLOCK_COMMAND = "UnlockCommand"


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What a StatusNotification says about one connector (0 = the charge point itself)."""

    connector_id: int
    status: Status
    error_code: str = "NoError"
    info: str = ""  # at most 50 characters
    vendor_error_code: str = ""  # at most 50 characters


# ChargePointErrorCode of OCPP 1.6, without NoError.
ERROR_CODES = (
    "ConnectorLockFailure",
    "EVCommunicationError",
    "GroundFailure",
    "HighTemperature",
    "InternalError",
    "LocalListConflict",
    "OtherError",
    "OverCurrentFailure",
    "OverVoltage",
    "PowerMeterFailure",
    "PowerSwitchFailure",
    "ReaderFailure",
    "ResetFailure",
    "UnderVoltage",
    "WeakSignal",
)


@dataclass(frozen=True, slots=True)
class PartFault:
    """A fault that a part of a connector reports by itself, in words of its own."""

    error_code: str  # OCPP 1.6 section 7.6
    text: str = ""  # becomes vendorErrorCode
    is_emergency_stop: bool = False


@dataclass(frozen=True, slots=True)
class SampledValue:
    """One value of a meter value, as OCPP 1.6 section 7.43 wants it."""

    value: str
    measurand: str
    unit: str | None = None
    phase: str | None = None
    context: str = "Sample.Periodic"


@dataclass(frozen=True, slots=True)
class TransactionBegan:
    """A session has begun; OCPP 1.6 section 4.8."""

    connector_id: int
    id_tag: str
    meter_start_wh: int
    begun_at: datetime
    reservation_id: int | None = None


@dataclass(frozen=True, slots=True)
class ConnectorMeasured:
    """One sample of a connector, most of them of a session; OCPP 1.6 section 4.7."""

    connector_id: int
    sampled_at: datetime
    values: tuple[SampledValue, ...]


@dataclass(frozen=True, slots=True)
class MeterSample:
    """Values of one moment, kept for the StopTransaction of their session (section 3.16.5)."""

    sampled_at: datetime
    values: tuple[SampledValue, ...]
    number: int = 0  # within its session, from 1; 0: it is not stored
    boot: int = 0  # whose untrusted clock gave ``sampled_at``; 0: it is true


@dataclass(frozen=True, slots=True)
class TransactionEnded:
    """A session has ended, by ``id_tag`` if one was presented; OCPP 1.6 section 4.10."""

    meter_stop_wh: int
    ended_at: datetime
    reason: StopReason
    id_tag: str | None = None
    samples: tuple[MeterSample, ...] = ()  # transactionData


TransactionMessage = TransactionBegan | ConnectorMeasured | TransactionEnded
NO_TRANSACTION = 0  # in the place of a transaction's ref; real ones begin at 1


@dataclass(frozen=True, slots=True)
class Transaction:
    """One charging session while it runs; stored whole whenever it changes."""

    ref: int  # our own name for it, from the first moment
    connector_id: int
    id_tag: str
    begun_at: datetime
    begun_monotonic_s: float  # of this boot; not stored
    meter_start_wh: int
    last_wh: int  # register at the last stored sample
    last_at: datetime
    parent_id_tag: str | None = None
    transaction_id: int | None = None  # given by the central system; None while unknown
    deauthorized: bool = False  # StartTransaction.conf was not Accepted
    boot: int = 0  # whose untrusted clock gave ``last_at``; 0: it is true
    is_limited: bool = False  # by the operator, for this process: not to be resumed by another
    samples: tuple[MeterSample, ...] = ()  # for its StopTransaction; stored one by one
    figures: Figures = NO_FIGURES  # for the charge log
    begun_boot: int = 0  # whose untrusted clock gave ``begun_at``; 0: it is true


class Verdict(KeyEnum):
    """The outcome of a card decision."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """Why a tag was accepted or refused, as it is stored and shown."""

    decided_at: datetime
    purpose: str  # "start", "stop", "remote start"
    connector_id: int | None  # None: not known yet, or concerns none
    id_tag: str
    verdict: Verdict
    rule: str  # name of a core.reasons.Rule
    source: str  # "local list", "cache", "central system", "offline rule", "charge point"
    status: str | None = None  # authorization status that was seen, if any
    list_version: int | None = None
    cache_age_s: int | None = None
    detail: str = ""
