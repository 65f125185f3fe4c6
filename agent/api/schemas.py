"""The bodies of requests, named and shaped as the OCPPLab Gateway API has them.

Types are strict: a text is no number. Unknown members are ignored.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    ValidationError,
    create_model,
    model_validator,
)

from agent.core import date_time
from agent.core.id_tag import is_valid_id_tag

_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)
CONNECTOR_MAX = 1_000_000  # a number that no box has; which ones it has is checked later
POWER_W_MAX = 1_000_000_000
DURATION_S_MAX = 1_000_000_000
ENERGY_KWH_MAX = 1_000_000.0
UID_PATTERN = "^([0-9A-Fa-f]{8}|[0-9A-Fa-f]{14}|[0-9A-Fa-f]{20})$"


class Model(BaseModel):
    """Base of every body."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


def _printable(id_tag: str) -> str:
    if not is_valid_id_tag(id_tag):
        raise ValueError("must be 1 to 20 printable ASCII characters")
    return id_tag


def read_date_time(text: str) -> datetime:
    """An instant; without offset it is UTC. Raises ValueError for what is no such thing."""
    if not _DATE_TIME.fullmatch(text):
        raise ValueError("must be a date and a time, as 2026-12-31T23:59:59Z")
    try:
        return date_time.read_date_time(text)
    except ValueError:
        raise ValueError("must be a date and a time that exist") from None


def _date_time_text(text: str) -> str:
    read_date_time(text)
    return text


IdTag = Annotated[
    str,
    Field(min_length=1, max_length=20, json_schema_extra={"pattern": "^[ -~]{1,20}$"}),
    AfterValidator(_printable),
]
DateTimeText = Annotated[
    str, Field(json_schema_extra={"format": "date-time"}), AfterValidator(_date_time_text)
]
ConnectorId = Annotated[int, Field(ge=1, le=CONNECTOR_MAX)]
EvseId = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]

# --- targets -------------------------------------------------------------------------------------


class ChargerCommandTarget(Model):
    """Single-charger target for command endpoints that do not support locations."""

    charger_id: Annotated[str, Field(description="The charger's id, or its OCPP identity.")]


class CommandTarget(Model):
    """Target for a unified command: exactly one of charger_id and location_id."""

    charger_id: str | None = None
    location_id: str | None = None
    charger_ids: Annotated[
        list[str] | None, Field(max_length=1000, description="Only together with location_id.")
    ] = None

    @model_validator(mode="after")
    def _is_one_of_two(self) -> CommandTarget:
        if (self.charger_id is None) == (self.location_id is None):
            raise ValueError("exactly one of charger_id and location_id must be given")
        if self.charger_ids is not None and self.location_id is None:
            raise ValueError("charger_ids is only valid with location_id")
        return self


class PayloadTarget(Model):
    """Target below /evcharger: exactly one of deployment_id, identity and location_id."""

    deployment_id: str | None = None
    identity: str | None = None
    location_id: str | None = None
    charger_ids: Annotated[
        list[str] | None, Field(max_length=1000, description="Only together with location_id.")
    ] = None

    @model_validator(mode="after")
    def _is_one_of_three(self) -> PayloadTarget:
        if (self.deployment_id, self.identity, self.location_id).count(None) != 2:
            raise ValueError("exactly one of deployment_id, identity, location_id must be given")
        if self.charger_ids is not None and self.location_id is None:
            raise ValueError("charger_ids is only valid with location_id")
        return self

    def as_command_target(self) -> CommandTarget:
        """The same target as the older routes name it."""
        return CommandTarget(
            charger_id=self.deployment_id if self.identity is None else self.identity,
            location_id=self.location_id,
            charger_ids=self.charger_ids,
        )


# --- events --------------------------------------------------------------------------------------


class EmptyEvent(Model):
    """Empty event payload for commands that only need a target."""


class ConnectorCommandEvent(Model):
    """Which connector; omitted or null: connector 1. evse_id is for OCPP 2.x and ignored."""

    evse_id: EvseId | None = None
    connector_id: ConnectorId | None = None


class ProxyMessageEvent(Model):
    """One message from the charger to the central system."""

    action: Annotated[str, Field(min_length=1, max_length=60)]
    ocpp_version: Literal["ocpp1.6", "ocpp2.0.1"]
    payload: dict[str, Any]


class ConfigurationUpdateEvent(Model):
    """OCPP configuration keys and the values they shall have."""

    configuration: dict[str, str]


class LocalAuthListEntry(Model):
    """One local authorization list entry."""

    id_tag: str
    expiry_date: DateTimeText | None = None
    parent_id_tag: str | None = None

    @model_validator(mode="after")
    def _let_others_run(self) -> LocalAuthListEntry:
        """Between two entries other threads get their turn: the validator itself is no Python."""
        return self


class LocalAuthListEvent(Model):
    """Command payload for local authorization list upload."""

    list_version: int
    entries: Annotated[list[LocalAuthListEntry], FailFast()]  # the first error is enough
    update_type: Literal["Full", "Differential"] = "Full"


class InjectFaultEvent(ConnectorCommandEvent):
    """An OCPP 1.6 error code, a name such as OverCurrent, or any other text."""

    fault_type: Annotated[str, Field(min_length=1, max_length=50)]


class ClearFaultEvent(ConnectorCommandEvent):
    """Which connector."""


class StartTransactionCommandEvent(ConnectorCommandEvent):
    """Command payload for start-transaction."""

    id_tag: IdTag


class StopTransactionCommandEvent(Model):
    """The transaction's id, or the agent's own number of it (``ref:3``); null: the only one."""

    transaction_id: Annotated[str, Field(max_length=100)] | None = None


class StartSessionCommandEvent(Model):
    """Command payload for start-session."""

    id_tag: IdTag
    connector_id: ConnectorId | None = None
    duration_seconds: Annotated[int, Field(ge=1, le=DURATION_S_MAX)] | None = None
    target_energy_kwh: (
        Annotated[float, Field(gt=0, le=ENERGY_KWH_MAX, allow_inf_nan=False)] | None
    ) = None


class StopSessionCommandEvent(Model):
    """Command payload for stop-session."""

    connector_id: ConnectorId | None = None


class AuthorizeIdTagCommandEvent(Model):
    """Command payload for authorize-id-tag."""

    id_tag: IdTag


class PowerUpdateCommandEvent(ConnectorCommandEvent):
    """Command payload for power-update."""

    power_w: Annotated[int, Field(ge=0, le=POWER_W_MAX)]


class PresentCardCommandEvent(Model):
    """What the simulated reader sees: a UID in hex, or a ready-made tag."""

    uid: Annotated[str, Field(pattern=UID_PATTERN)] | None = None
    id_tag: IdTag | None = None
    connector_id: ConnectorId | None = None

    @model_validator(mode="after")
    def _is_one_of_two(self) -> PresentCardCommandEvent:
        if (self.uid is None) == (self.id_tag is None):
            raise ValueError("exactly one of uid and id_tag must be given")
        return self


# --- payloads below /evcharger, where they differ from the event ----------------------------------


class ProxyMessagePayload(Model):
    """One message from the charger to the central system, named as OCPP does: BootNotification."""

    action: Annotated[str, Field(min_length=1, max_length=60)]
    payload: dict[str, Any] | None = None

    def as_event(self) -> ProxyMessageEvent:
        """The same message as the older route names it."""
        action = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.action).lower()
        return ProxyMessageEvent(action=action, ocpp_version="ocpp1.6", payload=self.payload or {})


class ConfigurationChangePayload(Model):
    """One OCPP configuration key and the value it shall have."""

    key: str
    value: str

    def as_event(self) -> ConfigurationUpdateEvent:
        """The same change as the older route has it."""
        return ConfigurationUpdateEvent(configuration={self.key: self.value})


class LocalAuthListPayload(LocalAuthListEvent):
    """Command payload for local authorization list upload; no entries: an empty list."""

    entries: Annotated[
        list[LocalAuthListEntry], FailFast(), BeforeValidator(lambda given: given or [])
    ] = Field(default_factory=list)

    def as_event(self) -> LocalAuthListEvent:
        """The same update as the older route has it."""
        return self


# --- requests ------------------------------------------------------------------------------------


@cache
def request_body(
    name: str, target: type[Model], content: type[Model], member: str = "event"
) -> type[Model]:
    """The body of a request: whom it is for, and what; that may be missing if its members may."""
    default: Any = ...
    with suppress(ValidationError):
        default = content()
    fields: dict[str, Any] = {"target": (target, ...), member: (content, default)}
    return create_model(name, __base__=Model, __doc__="The body of a request.", **fields)
