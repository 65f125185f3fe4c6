"""What the central system or the operator asks of the charge point.

Requests are events. Each carries a ``request_id`` and is answered with one ``Reply``.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.certificates import InspectedRoot, RootUse
from agent.core.charging_profiles import ChargingProfile, Criteria, RateUnit
from agent.core.external_limits import ExternalSource
from agent.core.values import ListUpdate, Reservation

# --- asked by the central system; each is answered with Reply(request_id, ...) -------------------


@dataclass(frozen=True, slots=True)
class RemoteStartRequested:
    """RemoteStartTransaction.req; answered Accepted or Rejected."""

    request_id: str
    id_tag: str
    connector_id: int | None = None
    profile: ChargingProfile | None = None  # for the transaction to come


@dataclass(frozen=True, slots=True)
class RemoteStopRequested:
    """RemoteStopTransaction.req; answered Accepted or Rejected."""

    request_id: str
    transaction_id: int


@dataclass(frozen=True, slots=True)
class UnlockRequested:
    """UnlockConnector.req; answered Unlocked, UnlockFailed or NotSupported."""

    request_id: str
    connector_id: int


@dataclass(frozen=True, slots=True)
class ResetRequested:
    """Reset.req, ``hard`` or soft; answered Accepted, then the process restarts."""

    request_id: str
    hard: bool


@dataclass(frozen=True, slots=True)
class AvailabilityChangeRequested:
    """ChangeAvailability.req, 0: the charge point and all its connectors.

    Answered Accepted, Scheduled or Rejected.
    """

    request_id: str
    connector_id: int
    operative: bool


@dataclass(frozen=True, slots=True)
class ReservationRequested:
    """ReserveNow.req; answered Accepted, Faulted, Occupied, Rejected or Unavailable."""

    request_id: str
    reservation: Reservation


@dataclass(frozen=True, slots=True)
class ReservationCancelRequested:
    """CancelReservation.req; answered Accepted or Rejected."""

    request_id: str
    reservation_id: int


@dataclass(frozen=True, slots=True)
class ConfigurationChangeRequested:
    """ChangeConfiguration.req; answered Accepted, Rejected, RebootRequired or NotSupported."""

    request_id: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class InstallRootRequested:
    """InstallCertificate.req; answered Accepted, Rejected or Failed."""

    request_id: str
    use: RootUse
    found: InspectedRoot | None  # None: it cannot be read, and ``problem`` says why
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DeleteRootRequested:
    """DeleteCertificate.req; answered Accepted, NotFound or Failed. An empty fingerprint: unknown.

    One certificate may be installed for both uses: its hash data does not tell which.
    """

    request_id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class SetProfileRequested:
    """SetChargingProfile.req; answered Accepted, Rejected or UnknownConnector."""

    request_id: str
    connector_id: int
    profile: ChargingProfile


@dataclass(frozen=True, slots=True)
class ClearProfilesRequested:
    """ClearChargingProfile.req; answered Accepted, or Unknown when nothing fits."""

    request_id: str
    criteria: Criteria


@dataclass(frozen=True, slots=True)
class CacheClearRequested:
    """ClearCache.req; answered Accepted, or Rejected when the cache is switched off.

    An operator's is always accepted: what is left in a cache that is switched off goes too.
    """

    request_id: str
    by_operator: bool = False


# --- from the local authorization list -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListStaged:
    """An update of the list is checked and in the store; answered with a ListStatus.

    It counts only when it is activated. ``entries``: how many the list would have then.
    """

    request_id: str
    update: ListUpdate
    base: int  # which rows of the store the list would be made of
    generation: int
    entries: int


# --- asked by the operator (control API); each is answered with Reply(request_id, ...) -----------


@dataclass(frozen=True, slots=True)
class StartRequested:
    """The operator asks for a session, as a card would.

    Answered when the outcome is known: ``applied`` (StartTransaction accepted; offline: stored),
    ``rejected`` (``info`` or ``detail`` says why), ``expired`` (no plug within ConnectionTimeOut),
    or at once with a refusal: ``not_plugged``, ``transaction_active``, ``connector_faulted``.
    """

    request_id: str
    connector_id: int
    id_tag: str
    must_be_plugged: bool = False  # True: no waiting for a plug
    is_trusted: bool = False  # True: no authorization (simulated hardware only)
    duration_s: int | None = None  # the session ends by itself after this time
    energy_wh: int | None = None  # or after this energy


@dataclass(frozen=True, slots=True)
class StopRequested:
    """End the transaction with our reference; answered ``applied`` when StopTransaction is stored.

    ``no_transaction`` when there is none with that reference.
    """

    request_id: str
    transaction_ref: int


@dataclass(frozen=True, slots=True)
class AuthorizeRequested:
    """Ask the central system about a tag, and start nothing.

    Answered ``applied`` or ``rejected`` with ``info``, ``not_connected``, or ``failed``.
    An accepted answer counts as a decision for StartRequested for ConnectionTimeOut seconds.
    """

    request_id: str
    id_tag: str


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """Send parked messages once more, before everything else that waits.

    ``sequences`` are those of one session, oldest first; ``by`` is who asks. Answered ``applied``.
    """

    request_id: str
    sequences: tuple[int, ...]
    by: str = "a person"


@dataclass(frozen=True, slots=True)
class DiscardRequested:
    """Discard a parked message; nothing else is ever discarded. Answered ``applied``."""

    request_id: str
    sequence: int
    by: str = "a person"


@dataclass(frozen=True, slots=True)
class LimitRequested:
    """A local current limit for the running transaction; None lifts it.

    Answered ``applied``, ``no_transaction``.
    """

    request_id: str
    connector_id: int
    current_a: float | None


# --- said from outside; not answered --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExternalLimitSet:
    """The house or the grid operator's contact limits a connector, or (0) all of them together.

    It takes the place of what this source has set there before, and ends no session: below 6 A
    (per phase) a session pauses. ``limit`` None takes the limit back.
    """

    source: ExternalSource
    connector_id: int
    limit: float | None  # not below 0
    unit: RateUnit = RateUnit.AMPERE
    valid_for_s: float | None = None  # from now, whatever the wall clock does; None: no end


@dataclass(frozen=True, slots=True)
class RandomDelaySkipped:
    """A person wants energy now, and not after the random delay; answered ``applied``."""

    request_id: str
    connector_id: int
