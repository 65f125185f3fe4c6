"""Settings of the agent itself: frozen, typed, units in the names. ``agent.config`` fills them.

Each field carries its help text and limits (``hw.setting.setting``), so that the checks, the
example file and the documentation come from one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from hw.setting import setting
from hw.settings import (
    BoardSettings,
    ConnectorSettings,
    InputsSettings,
    ReaderSettings,
    SimulationSettings,
)
from hw.settings_indicator import IndicatorSettings

SCOPES = ("read", "operate", "configure", "simulate")  # what a token of the control API may allow


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargePointSettings:
    """Who this box is."""

    identity: str = setting(..., "the name the central system knows this box by (1 to 48 chars)")
    charger_id: str = setting("", "name in the control API; empty = identity")
    location_id: str = setting("", "a label for the site")
    vendor: str = setting("chargepoint-agent", "sent at boot, at most 20 characters")
    model: str = setting("agent", "sent at boot, at most 20 characters")
    serial_number: str = setting("", "sent at boot, at most 25 characters; empty = not sent")
    tells_charge_box: bool = setting(
        True, "tell the serial number as chargeBoxSerialNumber too, which some systems go by"
    )
    firmware_version: str = setting("", "sent at boot; empty = version of this package")
    max_current_a: float = setting(
        32.0, "what wiring and contactor of each socket can carry", low=6, high=80
    )
    supply_current_a: float | None = setting(
        None, "what feeds the box can carry; the sockets share it; none: all at once", low=6
    )
    random_delay_max_s: int = setting(
        0, "starts and steps of charging profiles wait up to so long, at random", low=0, high=1800
    )
    phases: int = setting(1, "phases wired to the sockets", low=1, high=3)
    nominal_voltage_v: float = setting(230.0, "phase to neutral", low=100, high=300)


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralSystemSettings:
    """Where the central system is. An empty url means: there is none."""

    url: str = setting("", "ws:// or wss:// address; the identity is appended to it")
    security_profile: int = setting(
        0,
        "0 none, 1 password, 2 password and TLS, 3 certificate of this box and TLS",
        low=0,
        high=3,
    )
    authorization_key_file: str = setting(
        "", "file with the password: 32 to 40 hex digits, or text of 16 to 20 bytes"
    )
    certificate_file: str = setting(
        "", "PEM file with the certificate of this box, and those that lead to its authority"
    )
    certificate_key_file: str = setting("", "PEM file with its private key, without a passphrase")
    certificate_key_kind: str = setting(
        "ec-p256",
        "the key pair that this box makes for a certificate of the central system's authority",
        choices=("ec-p256", "rsa-3072"),
    )
    ca_file: str = setting("", "PEM file with the certificates to trust for wss://")
    only_installed_roots: bool = setting(
        False,
        "once a root certificate that the central system has installed has led to it, only such "
        "are trusted: no longer ca_file, nor the authorities of the system",
    )
    file_hosts: str = setting(
        "network",
        "where GetDiagnostics, GetLog and firmware updates may aim: public addresses, the whole "
        "network but not this box itself, or any",
        choices=("public", "network", "any"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """Where the database is."""

    path: str = setting(
        "/var/lib/chargepoint-agent/agent.db", "database file; its directory must be writable"
    )
    queue_max_mb: int = setting(
        50,
        "when messages that wait take more, every second meter value goes; never a start or a stop",
        low=1,
        high=10_000,
    )
    sessions_max: int = setting(
        10_000, "sessions that the charge log keeps at most; 0: it keeps none", low=0, high=100_000
    )
    sessions_months: int = setting(
        12, "whole months that the charge log keeps besides the present one", low=1, high=120
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationSettings:
    """Local rules about cards that OCPP has no key for."""

    authorize_timeout_s: float = setting(
        5.0, "how long the central system may take before the offline rules decide", low=1, high=55
    )
    tap_guard_s: float = setting(
        5.0, "a card cannot stop what it started until this time has passed", low=0, high=60
    )
    allow_random_uid: bool = setting(
        False, "take cards that show another number each time (phones); they are never remembered"
    )
    autocharge: bool = setting(
        False, "take the address of a vehicle in the place of a card; anybody can copy an address"
    )
    mac_prefix: str = setting("VID:", "stands before that address in the idTag")
    key_code_prefix: str = setting("PIN:", "stands before a typed code in the idTag")
    free_charging_id_tag: str = setting(
        "", "anyone may plug in and charge, without a card, under this idTag; empty = off"
    )
    resume_after_power_loss: bool = setting(
        False, "a session cut by a power loss goes on if the car is still there; else it is closed"
    )
    stop_by_second_tap: bool = setting(True, "the card that started a session stops it")
    remote_start_without_connector: str = setting(
        "first",
        "RemoteStart without connector: refuse it, or take the first suitable one",
        choices=("reject", "first"),
    )
    local_list_owner: str = setting(
        "auto",
        "who may change the local list: the central system (csms), both (shared), the operator "
        "(local); auto: csms with a central system and a real reader, else shared",
        choices=("auto", "csms", "shared", "local"),
    )
    power_update_as_limit: bool = setting(
        False, "control API: power-update limits the current where the car is real"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiTokenSettings:
    """A token of the control API whose text stands in a file."""

    name: str = setting(..., "shown in the log in the token's place")
    secret_file: str = setting(..., "file with the token: one line, 16 characters or more")
    scopes: tuple[str, ...] = setting(..., "what the token allows", choices=SCOPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """The control API (HTTP). ``chargepoint-agent token new`` makes tokens without a file."""

    enabled: bool = setting(False, "serve the control API")
    listen: str = setting(
        "127.0.0.1:8080", "address and port; there is no encryption, so keep it on the machine"
    )
    page: bool = setting(False, "serve the technician's page as well; needs enabled = true")
    hosts: tuple[str, ...] = setting(
        (), "further names by which browsers reach the page; its own and addresses need not stand"
    )
    tokens: tuple[ApiTokenSettings, ...] = field(default=(), metadata={"help": "tokens from files"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """How an MQTT broker is reached: the same for the station bus and for the house."""

    SECTION: ClassVar[str]

    enabled: bool
    host: str
    port: int = setting(1883, "its port; 8883 is usual with TLS", low=1, high=65535)
    username: str = setting("", "user name at the broker; empty = none")
    password_file: str = setting("", "file with the password: one line")
    ca_file: str = setting("", "CA certificate of the broker; not empty = TLS")
    topic_prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings(BrokerSettings):
    """The station bus: authorization messages over MQTT."""

    SECTION: ClassVar[str] = "mqtt"

    enabled: bool = setting(False, "talk to the other services of the station")
    host: str = setting("127.0.0.1", "where the broker is")
    topic_prefix: str = setting("", "stands before every topic, with its slash")
    accept_cs_updates: bool = setting(
        False, "an update on cs/josev may begin and end sessions without the central system"
    )
    process_authorized_token: bool = setting(
        False, "ask the station's own logic about every tag that was accepted"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseSettings(BrokerSettings):
    """The broker of the house: tells how the box is, and takes limits."""

    SECTION: ClassVar[str] = "house"

    enabled: bool = setting(False, "tell the house how this box is, and take limits from it")
    host: str = setting("", "where the broker of the house is")
    topic_prefix: str = setting("chargepoint/", "stands before every topic, with its slash")
    box_name: str = setting(
        "", "name of this box in topics: letters, digits, - and _; empty = made of its identity"
    )
    discovery: bool = setting(
        True, "tell Home Assistant of this box, so that it shows it by itself"
    )
    discovery_prefix: str = setting("homeassistant", "where Home Assistant looks for devices")
    session_names: bool = setting(
        False, "tell the house the name that was given to the card of a session"
    )
    openwb_charge_points: tuple[int, ...] = setting(
        (),
        "numbers that openWB gave to the connectors of this box, in their order",
        low=0,
        high=999,
    )
    measured_every_s: float = setting(
        10.0,
        "measurements are told at most this often; a change of state at once",
        low=1,
        high=3600,
    )
    limit_valid_s: int = setting(
        900, "a limit that names no end runs out after this time", low=10, high=86_400
    )
    limit_valid_max_s: int = setting(
        86_400, "a limit that names a later end runs out after this time", low=10, high=604_800
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareSettings:
    """What becomes of UpdateFirmware. Without a command it is refused: InstallationFailed."""

    install_command: tuple[str, ...] = setting(
        (), "program and arguments that install {file}, without a shell; empty = no updates"
    )
    after_install: str = setting(
        "restart",
        "the agent restarts itself when the command has ended, or waits to be restarted",
        choices=("restart", "wait"),
    )
    install_timeout_s: int = setting(
        900, "for the command, and for the new version to come up", low=10, high=86_400
    )
    max_mb: int = setting(512, "a larger file is not fetched", low=1, high=100_000)
    unsigned: str = setting(
        "auto",
        "UpdateFirmware, which has no signature; auto: refused once a "
        "ManufacturerRootCertificate is installed",
        choices=("auto", "accept", "refuse"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OcppSettings:
    """Start values of OCPP configuration keys; what the central system changes later wins."""

    configuration: Mapping[str, str] = field(
        default_factory=dict, metadata={"help": "start values of OCPP configuration keys"}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration file, checked."""

    charge_point: ChargePointSettings = field(metadata={"help": "who this box is"})
    connectors: tuple[ConnectorSettings, ...] = field(metadata={"help": "the sockets"})
    central_system: CentralSystemSettings = field(
        default=CentralSystemSettings(), metadata={"help": "where the central system is"}
    )
    storage: StorageSettings = field(
        default=StorageSettings(), metadata={"help": "where the database is"}
    )
    reader: ReaderSettings = field(default=ReaderSettings(), metadata={"help": "the card reader"})
    inputs: InputsSettings = field(
        default=InputsSettings(), metadata={"help": "contacts that mean open now"}
    )
    indicator: IndicatorSettings = field(
        default=IndicatorSettings(), metadata={"help": "light and buzzer"}
    )
    authorization: AuthorizationSettings = field(
        default=AuthorizationSettings(), metadata={"help": "local rules about cards"}
    )
    api: ApiSettings = field(default=ApiSettings(), metadata={"help": "the control API"})
    mqtt: MqttSettings = field(default=MqttSettings(), metadata={"help": "the station bus"})
    house: HouseSettings = field(
        default=HouseSettings(), metadata={"help": "the broker of the house"}
    )
    firmware: FirmwareSettings = field(
        default=FirmwareSettings(), metadata={"help": "firmware updates"}
    )
    simulation: SimulationSettings = field(
        default=SimulationSettings(), metadata={"help": "the simulated charger"}
    )
    ocpp: OcppSettings = field(default=OcppSettings(), metadata={"help": "OCPP start values"})

    @property
    def board(self) -> BoardSettings:
        """What ``hw.board.open_board`` needs."""
        return BoardSettings(
            connectors=self.connectors,
            reader=self.reader,
            inputs=self.inputs,
            indicator=self.indicator,
            simulation=self.simulation,
            max_current_a=self.charge_point.max_current_a,
            phases=self.charge_point.phases,
            nominal_voltage_v=self.charge_point.nominal_voltage_v,
        )

    @property
    def charger_id(self) -> str:
        """The name of this charger in the control API."""
        return self.charge_point.charger_id or self.charge_point.identity

    @property
    def storage_path(self) -> Path:
        """The database file."""
        return Path(self.storage.path)
