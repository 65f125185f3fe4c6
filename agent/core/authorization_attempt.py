"""What is asked for: by which tag, for what, where, and how far the answer to it has come."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.core.authorization_rules import Decision
from agent.core.charging_profiles import ChargingProfile
from agent.core.contract import Contract
from agent.core.id_tag import same_tag
from agent.core.key_enum import KeyEnum
from agent.core.tag_sources import Source
from agent.core.values import IdTagInfo, TagRecord


class Purpose(KeyEnum):
    """What a tag was presented for, or what was asked for without one."""

    START = "start"
    STOP = "stop"
    REMOTE_START = "remote start"
    REMOTE_STOP = "remote stop"
    OPERATOR_START = "operator start"
    OPERATOR_STOP = "operator stop"
    AUTHORIZE_ONLY = "question"
    UNLOCK = "unlock"
    LIMIT = "limit"
    AVAILABILITY = "availability"
    RESERVATION = "reservation"
    PROFILE = "charging profile"


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """When a session ends by itself, counted from its StartTransaction."""

    duration_s: int | None = None
    energy_wh: int | None = None


NO_LIMITS = SessionLimits()


@dataclass(frozen=True, slots=True)
class GrantedAuthorization:
    """An accepted idTag that has not become a transaction yet."""

    id_tag: str
    parent_id_tag: str | None
    connectors: tuple[int, ...]  # where it may start
    granted_at_s: float
    until_s: float | None  # ConnectionTimeOut; None: for ever
    rule: str  # name of the rule that granted it
    source: str = ""  # who knew it, as in a Decision
    purpose: Purpose = Purpose.START
    request_id: str | None = None  # of the operator who waits for the outcome
    limits: SessionLimits = NO_LIMITS
    profile: ChargingProfile | None = None  # came with the remote start


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, by which tag, and where: what a decision is about."""

    purpose: Purpose
    id_tag: str = ""  # empty: the request names none
    connectors: tuple[int, ...] = ()  # START: where it may start; STOP: whose transaction
    request_id: str | None = None  # answered with a Reply
    # Each answered with a TagReply, when it is decided on. Several: the same tag was presented
    # again meanwhile. What is asked for does not depend on who waits for the answer.
    tag_requests: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class AuthorizationAttempt(Asked):
    """A tag that must be decided on."""

    facts: TagRecord = field(kw_only=True)
    limits: SessionLimits = NO_LIMITS
    profile: ChargingProfile | None = None  # came with the remote start
    contract: Contract | None = None  # the vehicle has shown one
    source: Source = Source.READER


@dataclass(frozen=True, slots=True)
class PendingAuthorization:
    """An attempt that waits for an answer: of the central system, or of the station's logic."""

    attempt: AuthorizationAttempt
    by_s: float  # after this the offline rules decide
    accepted: Decision | None = None  # has been: now the station's own logic is asked, until by_s

    def asks_about(self, id_tag: str) -> bool:
        """True while the central system is being asked about this tag."""
        return self.accepted is None and same_tag(self.attempt.id_tag, id_tag)

    @property
    def gives_way(self) -> bool:
        """A start that a token of the station bus asks for, and that is not accepted yet."""
        is_start = self.attempt.purpose is Purpose.START
        return is_start and self.attempt.source is Source.STATION and self.accepted is None


@dataclass(frozen=True, slots=True)
class UnansweredAuthorization:
    """A tag refused only because the central system was silent, with its plug in already."""

    attempt: AuthorizationAttempt
    plugged_at_s: float  # another plug is another person
    until_s: float


@dataclass(frozen=True, slots=True)
class PreauthorizedTag:
    """A tag that the operator asked about and that the central system accepted."""

    id_tag: str
    info: IdTagInfo
    until_s: float
