"""The whole state of the charge point: frozen values, no behaviour beyond looking things up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.core.authorization_attempt import NO_LIMITS as NO_LIMITS
from agent.core.authorization_attempt import Asked as Asked
from agent.core.authorization_attempt import AuthorizationAttempt as AuthorizationAttempt
from agent.core.authorization_attempt import GrantedAuthorization as GrantedAuthorization
from agent.core.authorization_attempt import PendingAuthorization as PendingAuthorization
from agent.core.authorization_attempt import PreauthorizedTag as PreauthorizedTag
from agent.core.authorization_attempt import Purpose as Purpose
from agent.core.authorization_attempt import SessionLimits as SessionLimits
from agent.core.authorization_attempt import UnansweredAuthorization as UnansweredAuthorization
from agent.core.certificates import NO_CERTIFICATES, Certificates
from agent.core.charging_profiles import InstalledProfile, RateUnit
from agent.core.configuration import Configuration
from agent.core.connection_profile import NO_CONNECTION_PROFILES, ConnectionProfiles
from agent.core.connector_phases import IDLE
from agent.core.connector_phases import Charging as Charging
from agent.core.connector_phases import Finished as Finished
from agent.core.connector_phases import Idle as Idle
from agent.core.connector_phases import Phase as Phase
from agent.core.connector_phases import Running as Running
from agent.core.connector_phases import Session as Session
from agent.core.connector_phases import Starting as Starting
from agent.core.connector_phases import StopOrder as StopOrder
from agent.core.connector_phases import Stopping as Stopping
from agent.core.external_limits import ExternalLimit
from agent.core.faults import Fault
from agent.core.firmware_values import NO_FIRMWARE, Firmware
from agent.core.own_certificates import NO_OWN_CERTIFICATES, OwnCertificates
from agent.core.security_event_values import NO_SECURITY_EVENTS, SecurityEvents
from agent.core.values import (
    NO_LIST,
    AuthorizationStatus,
    Boot,
    ListOwner,
    LocalList,
    LockState,
    PartFault,
    PilotState,
    Reading,
    Reservation,
    StatusReport,
    Transaction,
)

GRID_LIMIT_W = 4200.0  # what § 14a EnWG leaves in any case


@dataclass(frozen=True, slots=True)
class Rules:
    """Local rules from the configuration file, and the time limits of this box. Seconds."""

    authorize_timeout_s: float = 5.0
    tap_guard_s: float = 5.0
    expects_link: bool = True  # a central system is configured
    stop_by_second_tap: bool = True
    remote_start_takes_first: bool = True
    allow_random_uid: bool = False
    autocharge: bool = False  # a vehicle may show its address in the place of a card
    asks_station: bool = False  # about each accepted tag (process_authorized_token)
    supply_a: float | None = None  # what feeds all connectors; None: enough for all
    grid_limit: float = GRID_LIMIT_W  # of all, while the grid operator's contact limits them
    grid_limit_unit: RateUnit = RateUnit.WATT
    random_delay_max_s: int = 0  # 0: nothing is delayed
    random_seed: int = 0  # for these delays; drawn anew by each process
    free_charging_id_tag: str = ""  # not empty: every plug-in charges, under this tag
    list_owner: ListOwner = ListOwner.SHARED
    resume_after_power_loss: bool = False
    common_name: str = ""  # of the certificate of this box
    only_installed_roots: bool = False  # those of the file only until one of these has worked
    lease_s: float = 5.0  # a closed contactor opens by itself when not renewed for this long
    settling_s: float = 5.0  # a vehicle may take this long to ask for energy before it counts idle
    station_s: float = 5.0  # its own logic answers by then, or agrees by silence
    start_s: float = 60.0  # lock and first meter reading, with all retries
    graceful_open_s: float = 3.0  # IEC 61851-1: the vehicle stops drawing within 3 s
    contactor_s: float = 2.0  # feedback must have followed by then
    meter_s: float = 3.0  # a last meter reading is waited for at most this long
    unlock_s: float = 10.0  # UnlockConnector is answered by then
    shutdown_s: float = 2.0  # sessions are ended within this time when the process must end
    reset_s: float = 20.0  # a soft reset waits at most this long for the outbox
    restart_s: float = 30.0  # a process that is still there after this time has not restarted


@dataclass(frozen=True, slots=True)
class Traits:
    """Which parts a connector has; does not change while the process lives."""

    has_lock: bool = True
    has_plug: bool = True
    has_pilot: bool = True
    has_meter: bool = True
    plug_sees_vehicle: bool = False  # it is read from the pilot, not from the socket
    max_current_a: float = 32.0
    max_power_w: float = 32.0 * 230.0 * 3  # more than this no vehicle can draw here
    phases: int = 3
    nominal_voltage_v: float = 230.0


@dataclass(frozen=True, slots=True)
class UnlockRequest:
    """UnlockConnector.req that has not been answered yet."""

    request_id: str
    by_s: float


@dataclass(frozen=True, slots=True)
class AlignedDue:
    """The next full multiple of the clock-aligned interval."""

    due_s: float
    boundary: datetime
    interval_s: int


@dataclass(frozen=True, slots=True)
class AlignedAsk:
    """The meter was asked for clock-aligned values."""

    boundary: datetime
    ref: int  # of the session that ran then; NO_TRANSACTION: none


@dataclass(frozen=True, slots=True)
class Connector:
    """One connector: what its parts say, and what is going on."""

    connector_id: int
    traits: Traits = Traits()
    # what the parts say
    plugged: bool = False
    plugged_at_s: float = 0.0
    pilot: PilotState = PilotState.A
    cable_a: float | None = None  # what the plugged cable can carry; None: not known
    lock: LockState = LockState.UNLOCKED
    contactor_closed: bool = False
    trips_seen: int = 0
    operations: int = 0  # how often its contactor has closed
    operations_kept: int = 0  # of these, in the store
    reading: Reading | None = None
    offset_kept_wh: int = 0  # of the register, in the store
    ended_wh: int | None = None  # register at the end of the last session; None: not known
    weld_told_wh: int = 0  # what was told of the energy that a weld let through after that
    weld_told_s: float = 0.0
    faults: frozenset[Fault] = frozenset()
    part_fault: PartFault | None = None  # with Fault.PART
    # what we ordered
    close_ordered: bool = False
    offered_a: float | None = None  # None: nothing is offered
    confirmed_a: float = 0.0  # of that, by the pilot controller
    lock_ordered: LockState | None = None  # MOVING is never ordered
    # what is going on
    phase: Phase = IDLE
    allowed_a: float | None = None  # what profiles, external limits and shares leave a session
    aligned_asked: AlignedAsk | None = None
    used_by: str | None = None  # the tag of the last session here, while its plug may be in
    ended_by: str | None = None  # the tag that ended the last session, if a tag did
    ended_at_s: float = 0.0
    unlock_request: UnlockRequest | None = None
    out_of_service: bool = False  # by ChangeAvailability, in force

    @property
    def grant(self) -> GrantedAuthorization | None:
        """What begins here."""
        return self.phase.grant if isinstance(self.phase, Starting) else None

    @property
    def transaction(self) -> Transaction | None:
        """The open transaction."""
        return self.phase.transaction if isinstance(self.phase, Session) else None

    @property
    def stop(self) -> StopOrder | None:
        """How the open transaction is being ended."""
        return self.phase.stop if isinstance(self.phase, Stopping) else None

    @property
    def held_for(self) -> Transaction | None:
        """The transaction whose card or group gets the cable."""
        return self.phase.held_for if isinstance(self.phase, Finished) else None

    @property
    def limit_a(self) -> float | None:
        """What the operator limits the session to."""
        return self.phase.limit_a if isinstance(self.phase, Session) else None

    @property
    def is_disconnected(self) -> bool:
        """True from when the vehicle was pulled off its session until it is back."""
        return isinstance(self.phase, Session | Finished) and self.phase.is_disconnected

    @property
    def is_plugged(self) -> bool:
        """True while a plug is in; a box without plug sensor cannot tell and says yes."""
        return self.plugged or not self.traits.has_plug

    @property
    def current_a(self) -> float:
        """What may be offered now: the box's own limit, or less."""
        limits = (self.traits.max_current_a, self.cable_a, self.limit_a, self.allowed_a)
        return min(limit for limit in limits if limit is not None)

    @property
    def is_deauthorized(self) -> bool:
        """True when the central system refused the running session and no grace is left."""
        session = self.phase
        if not isinstance(session, Session) or not session.transaction.deauthorized:
            return False
        if session.grace_until_wh is None or self.reading is None or Fault.METER in self.faults:
            return True  # nobody counts what flows
        return self.reading.import_wh >= session.grace_until_wh

    @property
    def asks_for_energy(self) -> bool:
        """True while the vehicle wants energy; without a pilot, a plugged vehicle does."""
        if not self.traits.has_pilot:
            return self.is_plugged
        return self.pilot in (PilotState.C, PilotState.D)

    @property
    def has_confirmed_offer(self) -> bool:
        """True once the pilot controller has said that it offers what it may, and no more.

        One that was silent may still offer what an earlier order said, or what it likes.
        """
        if not self.traits.has_pilot:
            return True
        return self.offered_a is not None and 0 < self.confirmed_a <= self.offered_a

    @property
    def is_locked(self) -> bool:
        """True while the lock is confirmed and was not told to open, or there is none."""
        is_confirmed = self.lock is LockState.LOCKED and self.lock_ordered is None
        return is_confirmed or not self.traits.has_lock


@dataclass(frozen=True, slots=True)
class Outbox:
    """What the core must know about the messages that wait."""

    next_sequence: int = 1
    done: int = 0  # sequence of the last row that left the queue, answered or parked
    in_flight: bool = False
    attempts: int = 0  # of the oldest row
    not_before_s: float | None = None  # the oldest row waits for its retry until then
    retried: tuple[int, ...] = ()  # were parked, and are at the head of the queue again
    doubted: tuple[int, ...] = ()  # of those: the store did not have them when asked last
    answered: tuple[int, ...] = ()  # samples that are still to be removed
    remove_by_s: float | None = None

    @property
    def waiting(self) -> int:
        """How many rows wait, at most."""
        return self.next_sequence - 1 - self.done + len(self.retried)


@dataclass(frozen=True, slots=True)
class ListConflict:
    """The central system contradicted the list about a tag, and was told so."""

    id_tag: str  # folded
    listed: AuthorizationStatus
    heard: AuthorizationStatus
    heard_parent: str  # folded; empty: none


@dataclass(frozen=True, slots=True)
class Shown:
    """A report as it stands, whether the central system has been told or not."""

    report: StatusReport
    since_s: float
    is_told: bool = False  # since then


@dataclass(frozen=True, slots=True)
class RestartOrder:
    """The process is about to end or to start again."""

    again: bool
    by_s: float
    drain: bool = False  # while online, wait for the outbox first
    ordered: bool = False  # ``by_s``: the process should be gone by then
    retries: int = 0


@dataclass(frozen=True, slots=True)
class ChargePoint:
    """Everything the core knows. One owner: the runtime."""

    rules: Rules
    configuration: Configuration
    connectors: tuple[Connector, ...]
    online: bool = False
    registration: str = "offline"  # offline, Pending, Rejected, Accepted
    faults: frozenset[Fault] = frozenset()
    waiting: tuple[GrantedAuthorization, ...] = ()  # accepted, no plug yet
    checking: tuple[PendingAuthorization, ...] = ()
    preauthorized: tuple[PreauthorizedTag, ...] = ()
    unanswered: tuple[UnansweredAuthorization, ...] = ()
    random_tags: tuple[str, ...] = ()  # tags presented lately that nobody may remember
    outbox: Outbox = Outbox()
    local_list: LocalList = NO_LIST
    conflicts: tuple[ListConflict, ...] = ()  # told already
    next_transaction_ref: int = 1
    reported: tuple[StatusReport, ...] = ()  # what the central system was told last
    shown: tuple[Shown, ...] = ()  # what it would have to be told
    restart: RestartOrder | None = None
    boot: Boot | None = None  # None: nothing is remembered of it (tests)
    owes_correction: bool = False  # rows with believed times may wait
    inoperative: frozenset[int] = frozenset()  # what ChangeAvailability wants; 0: all of it
    charging_profiles: tuple[InstalledProfile, ...] = ()
    external_limits: tuple[ExternalLimit, ...] = ()  # those that have not run out
    has_open_grid_limit: bool = False  # an earlier process ended while the contact limited it
    limits_change_s: float | None = None  # monotonic: something else may be allowed then
    reservations: tuple[Reservation, ...] = ()
    firmware: Firmware = NO_FIRMWARE
    approaches: ConnectionProfiles = NO_CONNECTION_PROFILES
    certificates: Certificates = NO_CERTIFICATES
    own_certificates: OwnCertificates = NO_OWN_CERTIFICATES
    security: SecurityEvents = NO_SECURITY_EVENTS
    is_begun: bool = True  # False until Started has told of the sessions that were open
    aligned_due: AlignedDue | None = None  # None: off, or nobody knows what time it is

    def connector(self, connector_id: int) -> Connector:
        """The connector of that id; KeyError if there is none."""
        for connector in self.connectors:
            if connector.connector_id == connector_id:
                return connector
        raise KeyError(connector_id)

    def faults_of(self, connector: Connector) -> frozenset[Fault]:
        """The faults that concern this connector: its own and those of the whole box."""
        return connector.faults | self.faults

    def has_connector(self, connector_id: int) -> bool:
        """True if there is such a connector (0 is none)."""
        return any(connector.connector_id == connector_id for connector in self.connectors)
