"""Security events: their types, what is reported and recorded (white paper, A04 and its section 8).

The list of types is closed. Whether one is critical, that is pushed to the central system and
queued until it has been taken, stands here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.core.key_enum import KeyEnum

TECH_INFO_MAX = 255  # characters; SecurityEventNotification.req


class SecurityEventType(KeyEnum):
    """What can happen. The value is what the central system is told: at most 50 characters."""

    FIRMWARE_UPDATED = "FirmwareUpdated"
    SETTING_SYSTEM_TIME = "SettingSystemTime"
    STARTUP_OF_THE_DEVICE = "StartupOfTheDevice"
    RESET_OR_REBOOT = "ResetOrReboot"
    SECURITY_LOG_WAS_CLEARED = "SecurityLogWasCleared"
    MEMORY_EXHAUSTION = "MemoryExhaustion"
    TAMPER_DETECTION_ACTIVATED = "TamperDetectionActivated"
    FAILED_TO_AUTHENTICATE = "FailedToAuthenticateAtCentralSystem"
    CENTRAL_SYSTEM_FAILED_TO_AUTHENTICATE = "CentralSystemFailedToAuthenticate"
    RECONFIGURATION = "ReconfigurationOfSecurityParameters"
    INVALID_MESSAGES = "InvalidMessages"
    ATTEMPTED_REPLAY_ATTACKS = "AttemptedReplayAttacks"
    INVALID_FIRMWARE_SIGNATURE = "InvalidFirmwareSignature"
    INVALID_FIRMWARE_SIGNING_CERTIFICATE = "InvalidFirmwareSigningCertificate"
    INVALID_CENTRAL_SYSTEM_CERTIFICATE = "InvalidCentralSystemCertificate"
    INVALID_CHARGE_POINT_CERTIFICATE = "InvalidChargePointCertificate"
    INVALID_TLS_VERSION = "InvalidTLSVersion"
    INVALID_TLS_CIPHER_SUITE = "InvalidTLSCipherSuite"
    # Not of OCPP 1.6. EVerest has this name for a request for a certificate that cannot be made.
    CSR_GENERATION_FAILED = "CSRGenerationFailed"
    # Not of OCPP 1.6: the name that OCPP 2.1 has for it. Page, control API, both MQTT brokers.
    MAINTENANCE_LOGIN_FAILED = "MaintenanceLoginFailed"

    @property
    def is_critical(self) -> bool:
        """True for what the central system is told, however long that takes."""
        return self in _CRITICAL


_CRITICAL = frozenset(
    {
        SecurityEventType.FIRMWARE_UPDATED,
        SecurityEventType.SETTING_SYSTEM_TIME,
        SecurityEventType.STARTUP_OF_THE_DEVICE,
        SecurityEventType.RESET_OR_REBOOT,
        SecurityEventType.SECURITY_LOG_WAS_CLEARED,
        SecurityEventType.MEMORY_EXHAUSTION,
        SecurityEventType.TAMPER_DETECTION_ACTIVATED,
    }
)


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """One event. ``boot``: whose untrusted clock gave the time; 0: it is true."""

    type: SecurityEventType
    at: datetime
    tech_info: str = ""  # one line, never a secret
    boot: int = 0


@dataclass(frozen=True, slots=True)
class QueuedSecurityEvent:
    """A critical event that waits; ``number`` is that of its line in the log."""

    number: int
    unique_id: str
    event: SecurityEvent | None  # None: storage has damaged it


# --- what happens --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SecurityEventSeen:
    """Something outside the core has seen an event: a login, a TLS failure, a bad frame.

    ``must_be_told``: the standard orders a notification although the type is not critical.
    """

    type: SecurityEventType
    tech_info: str = ""
    must_be_told: bool = False


@dataclass(frozen=True, slots=True)
class SecurityEventTold:
    """The central system has taken the queued event ``number``."""

    number: int
    order: int  # of the TellSecurityEvent that this ends


@dataclass(frozen=True, slots=True)
class SecurityEventNotTold:
    """The queued event was refused or not answered. ``is_unwanted``: it knows no such message."""

    order: int
    is_unwanted: bool = False


@dataclass(frozen=True, slots=True)
class SecurityQueueWasEmpty:
    """TellSecurityEvent has found nothing, of all that had been queued until it was ordered."""

    order: int
    up_to: int


@dataclass(frozen=True, slots=True)
class ClearSecurityLogRequested:
    """A person wants the log emptied. What is queued stays."""

    request_id: str
    by: str


@dataclass(frozen=True, slots=True)
class StorageMeasured:
    """So much of the disk that holds the database is free. Bytes."""

    free_bytes: int


SecurityReport = (
    SecurityEventSeen
    | SecurityEventTold
    | SecurityEventNotTold
    | SecurityQueueWasEmpty
    | ClearSecurityLogRequested
    | StorageMeasured
)

# --- what is recorded and ordered ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecordSecurityEvent:
    """Row: append to the security log; with ``is_queued`` also to what the central system gets."""

    event: SecurityEvent
    is_queued: bool


@dataclass(frozen=True, slots=True)
class RemoveSecurityEvents:
    """Row: those up to this number need not be sent any more; None: all that wait."""

    up_to: int | None


@dataclass(frozen=True, slots=True)
class ClearSecurityLog:
    """Row: empty the security log; its chain goes on."""


SecurityRow = RecordSecurityEvent | RemoveSecurityEvents | ClearSecurityLog


@dataclass(frozen=True, slots=True)
class TellSecurityEvent:
    """Send the oldest queued event; one SecurityReport that names ``order`` follows.

    ``up_to``: how many had been queued by then.
    """

    order: int
    up_to: int


# --- what the core keeps in mind -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    """How often a type came since the first one of this hour."""

    type: SecurityEventType
    until_s: float  # monotonic
    count: int
    left_out: int = 0
    must_be_told: bool = False  # one of those that were left out


@dataclass(frozen=True, slots=True)
class SecurityEvents:
    """What is known of the events that wait, and of those that come too often."""

    queued: int = 0  # by this process; 1 at its start stands for what an earlier one has left
    sent_up_to: int = 0  # of these
    orders: int = 0  # TellSecurityEvent so far
    is_in_flight: bool = False  # the last of them
    attempts: int = 0  # of the oldest event, over this link
    not_before_s: float | None = None  # monotonic: of the next attempt
    unwanted_at: str | None = None  # the address whose central system knows no such message
    booted_at: datetime | None = None  # UTC when the monotonic clock stood at 0, as it was last
    is_disk_low: bool = False
    counted: tuple[Counted, ...] = ()

    @property
    def is_waiting(self) -> bool:
        """True while something may be queued."""
        return self.queued > self.sent_up_to


NO_SECURITY_EVENTS = SecurityEvents()
