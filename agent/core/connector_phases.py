"""The phases of a connector, from the plug to the end of a session: each holds what only it needs.

What outlives a phase (what the parts say, what was ordered of them) stands in ``Connector``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from agent.core.authorization_attempt import NO_LIMITS, GrantedAuthorization, SessionLimits
from agent.core.values import StopReason, Transaction


@dataclass(frozen=True, slots=True)
class StopOrder:
    """How a transaction is being ended."""

    reason: StopReason
    id_tag: str | None
    open_by_s: float  # the contactor is opened at the latest then
    give_up_s: float  # feedback and meter are waited for at most until then
    ended_at: datetime | None = None  # known already (found open at start)
    meter_asked: bool = False
    meter_done: bool = False
    request_id: str | None = None  # of the operator who waits for the end
    is_found: bool = False  # it was open when the last process ended
    may_resume: bool = False  # is_found: it goes on if its meter and its vehicle are as they were


@dataclass(frozen=True, slots=True)
class Idle:
    """No session, and none is over."""

    card_by_s: float | None = None  # the plug waits for a card until then; None: it does not


@dataclass(frozen=True, slots=True)
class Starting:
    """Accepted and plugged: lock and first meter reading are waited for."""

    grant: GrantedAuthorization
    give_up_s: float
    meter_asked: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """A transaction is open: what holds until it is closed."""

    transaction: Transaction
    start_sequence: int = 0  # of its StartTransaction in the outbox; 0: of an earlier process
    request_id: str | None = None  # of the operator who waits for its acceptance
    limits: SessionLimits = NO_LIMITS
    limit_a: float | None = None  # asked for by the operator; None: none
    grace_until_wh: int | None = None  # deauthorized: energy up to this register
    vehicle_seen: bool = False  # the pilot has shown it
    is_disconnected: bool = False  # the vehicle was pulled off, until it is back


@dataclass(frozen=True, slots=True)
class RandomDelay:
    """A start, or a step of a charging profile, is felt later by a random time."""

    until_s: float
    current_a: float  # what is allowed meanwhile: as before; 0: nothing yet; infinite: no limit
    is_start: bool


@dataclass(frozen=True, slots=True)
class Charging(Session):
    """The session runs, with energy or without."""

    settling_until_s: float = 0.0  # the vehicle may take until then to ask for energy
    pause_by_s: float = 0.0  # a limit pauses it, and the contactor opens at the latest then
    vehicle_paused: bool = False  # no energy because the vehicle did not ask for any
    next_sample_s: float | None = None
    sample_asked: bool = False
    delay: RandomDelay | None = None  # None: nothing is delayed
    profile_a: float | None = None  # what profiles said last; only noted where steps are delayed


@dataclass(frozen=True, slots=True)
class Stopping(Session):
    """The session is being ended: contactor and last meter reading are waited for."""

    stop: StopOrder = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Finished:
    """The transaction is over, or no card came in time; the plug may still be in."""

    held_for: Transaction | None = None  # the cable waits for this card or group
    is_unclaimed: bool = False  # no card came in time, there was no session
    vehicle_seen: bool = False
    is_disconnected: bool = False


Running = Charging | Stopping
Phase = Idle | Starting | Charging | Stopping | Finished
IDLE = Idle()
