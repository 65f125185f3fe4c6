"""The bodies of answers, named and shaped as the OCPPLab Gateway API has them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from agent.api.schemas import DateTimeText, LocalAuthListEntry, Model


class HttpErrorResponse(Model):
    """Standard HTTP error payload returned by the API."""

    detail: Annotated[str, Field(description="For people.")]
    code: Annotated[str, Field(description="Stable: what clients branch on.")]


class QueuedCommandResponse(Model):
    """A command that was taken over."""

    id: str
    event_type: str
    ocpp_version: str
    payload: dict[str, Any]


class LocationQueuedCommandResult(Model):
    """A charger that has taken a command over."""

    charger_id: str
    identity: str
    command: QueuedCommandResponse


class LocationCommandFailure(Model):
    """A charger that has not."""

    identity: str | None
    error: str


class LocationCommandResponse(Model):
    """The receipt of a unified command."""

    targeted_count: int
    queued_count: int
    failed_count: int
    results: list[LocationQueuedCommandResult]
    failed: list[LocationCommandFailure]


class ConfigurationChangeResponse(Model):
    """The worst verdict, the keys that took effect, and the verdict of each."""

    status: str
    configured: list[str]
    msg: str
    results: dict[str, str]


class QueueResponse(Model):
    """How many messages that were parked it concerned."""

    msg: str
    messages: int


class CacheResetResponse(Model):
    """How many entries there were."""

    msg: str
    cleared_entries: int


class LocalListMutationResponse(Model):
    """Response body returned by local-auth mutation endpoints."""

    status: str | None = None
    list_version: int | None = None
    entries_received: int | None = None
    msg: str | None = None
    entries_deleted: int | None = None


class FaultOperationResponse(Model):
    """Response body returned by fault injection and clearing endpoints."""

    msg: str
    fault_type: str | None = None
    evse_id: int | None = None
    connector_id: int | None = None
    status: str | None = None


class CommandResultResponse(Model):
    """What became of a command."""

    command_id: str
    event_type: str
    identity: str
    deployment_id: str
    status: Literal["received", "deferred", "applied", "rejected", "expired", "failed"]
    detail: str | None
    result: dict[str, Any] | None
    enqueued_at: DateTimeText | None
    received_at: DateTimeText
    updated_at: DateTimeText


class CommandListResponse(Model):
    """The last commands, newest first."""

    data: list[CommandResultResponse]


class HealthResponse(Model):
    """Liveness."""

    status: str


class ConnectorResponse(Model):
    """One connector; the id tag is masked."""

    connector_id: int
    evse_id: str
    status: str
    error_code: str
    in_words: str
    plugged: bool | None
    transaction_id: int | None
    transaction_ref: int | None
    id_tag: str | None
    power_w: float | None
    energy_wh: int | None
    session_energy_wh: int | None
    limit_a: float
    limit_source: str
    limit_in_words: str
    hardware: dict[str, str]


class LinkResponse(Model):
    """The link to the central system; ``boot`` is empty until it has answered."""

    connected_since: DateTimeText | None
    boot: str
    last_pong_at: DateTimeText | None
    last_pong_took_s: float | None
    in_flight: str | None
    messages_waiting: int


class ChargerResponse(Model):
    """The charger, and its connectors."""

    id: str
    identity: str
    name: str
    vendor_name: str
    model: str
    ocpp_version: str
    number_of_connectors: int
    max_charging_power: int
    connector_type: str | None
    location_id: str | None
    firmware_version: str
    online: bool
    link: LinkResponse
    time_is_known: bool
    connectors: list[ConnectorResponse]


class ChargerLogEntry(Model):
    """One OCPP frame; idTags masked, secrets removed."""

    direction: Literal["cp_to_csms", "csms_to_cp"]
    action: str
    message: str
    timestamp: DateTimeText


class ChargerLogListResponse(Model):
    """Frames, newest first."""

    data: list[ChargerLogEntry]
    total: int
    limit: int
    offset: int


class ConfigurationEntry(Model):
    """One OCPP configuration key."""

    key: str
    value: str
    readonly: bool


class ConfigurationResponse(Model):
    """OCPP configuration keys."""

    configuration: list[ConfigurationEntry]
    unknown_keys: list[str]


class LocalAuthListItem(LocalAuthListEntry):
    """One entry of the list in use."""

    status: str


class LocalAuthListResponse(Model):
    """A page of the list in use."""

    data: list[LocalAuthListItem]
    total: int
    page: int
    limit: int
    list_version: int


class StepResponse(Model):
    """One step on the way of a card at the reader, and how long after its reading it was taken."""

    step: str
    after_s: float
    says: str
    is_refusal: bool


class DecisionResponse(Model):
    """Why a tag was accepted or refused; the tag is masked."""

    decided_at: DateTimeText
    purpose: str
    connector_id: int | None
    id_tag: str
    verdict: str
    rule: str
    source: str
    status: str | None
    list_version: int | None
    cache_age_s: int | None
    detail: str
    reason: str
    next: str
    steps: list[StepResponse]  # of one of the last taps since the start; of others none


class DecisionListResponse(Model):
    """The last decisions, newest first."""

    data: list[DecisionResponse]


class SessionResponse(Model):
    """A session that is over; its tag is masked, readings are registers of the meter."""

    session: int
    connector_id: int
    id_tag: str
    name: str
    begun_at: DateTimeText
    ended_at: DateTimeText
    is_time_known: bool
    energy_wh: int
    meter_start_wh: int
    meter_stop_wh: int
    highest_w: int | None
    longest_pause_s: int
    reason: str
    accepted_by: str
    accepted_because: str
    transaction_id: int | None
    central_system: str


class GridLimitResponse(Model):
    """A time in which the grid operator limited the box; ``ended_at`` null: it still does."""

    number: int
    begun_at: DateTimeText
    ended_at: DateTimeText | None
    limit: float
    unit: str  # W: all phases together; A: per phase
    is_end_found: bool
    is_time_known: bool


class GridLimitListResponse(Model):
    """Limits, newest first. ``next_before`` asks for the next page; null: this was the last."""

    data: list[GridLimitResponse]
    next_before: int | None


class SessionListResponse(Model):
    """Sessions, newest first. ``next_before`` asks for the next page; null: this was the last."""

    data: list[SessionResponse]
    next_before: int | None


class SecurityLogLineResponse(Model):
    """A line as it was recorded: whoever has these fields can compute the chain."""

    number: int
    timestamp: str  # not a time any more, if somebody has changed the line
    type: str
    tech_info: str
    boot: int  # whose untrusted clock gave the time; 0: it is true
    chain: str


class SecurityLogResponse(Model):
    """Lines, newest first. ``next_before`` asks for the next page; null: this was the last.

    ``problem`` says where the whole log was changed; empty: nowhere.
    """

    data: list[SecurityLogLineResponse]
    next_before: int | None
    problem: str
