"""The OCPP configuration keys: type, default, access, validation (OCPP 1.6 chapter 9).

A key stands here only if this agent acts on it, or if the standard demands that it exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent.core.certificates import INSTALLED_MAX
from agent.core.connection_profile import APPROACH_KEYS, PASSWORD, PROFILE, PROFILE_MAX, URL
from agent.core.key_enum import KeyEnum
from agent.core.key_values import (
    CONNECTORS_MAX,
    MEASURANDS_MAX,
    boolean,
    file_protocols,
    integer,
    measurands,
    rotation,
    some_of,
    subject_name,
)
from agent.core.replace import replace

STOP_SAMPLES = 60  # in one StopTransaction.req, unless the file says otherwise
STOP_SAMPLES_MAX = 1000
CHAIN_MAX = 10_000  # characters of CertificateSigned.req; its schema takes no more
_SHOWN_MAX = 50  # characters of a value that is none
RATE_UNITS = ("Current", "Power")  # errata 3.88
CORE, LIST, RESERVATION, SMART = "Core", "LocalAuthListManagement", "Reservation", "SmartCharging"
FEATURE_PROFILES = (CORE, "FirmwareManagement", LIST, RESERVATION, SMART, "RemoteTrigger")  # 3.2
LIST_ENTRIES_MAX = 100_000  # of the local list
SEND_ENTRIES_MAX = 10_000  # of one SendLocalList.req: about 1.3 MB; the wire takes 2 MiB


class ChangeStatus(KeyEnum):
    """Answer to ChangeConfiguration.req (OCPP 1.6 section 7.22)."""

    ACCEPTED = "Accepted"
    REJECTED = "Rejected"
    REBOOT_REQUIRED = "RebootRequired"
    NOT_SUPPORTED = "NotSupported"


@dataclass(frozen=True, slots=True)
class Key:
    """One configuration key. ``normalize`` returns the value to keep, or raises ValueError."""

    name: str
    default: str
    normalize: Callable[[str], str]
    readonly: bool = False
    profile: str = CORE  # while this is switched off, nobody outside knows of the key

    @property
    def is_writeonly(self) -> bool:
        """True of a secret: nobody can read it, and it does not stand in Configuration.values."""
        return self.name == PASSWORD

    @property
    def is_boolean(self) -> bool:
        """True of a key that is either ``true`` or ``false``."""
        return self.normalize is boolean


def _length(name: str) -> Key:
    return Key(name, str(MEASURANDS_MAX), integer(1, MEASURANDS_MAX), True)


_DAY_S = 86_400
_REGISTER_AND_POWER = "Energy.Active.Import.Register,Power.Active.Import"
UNLOCKS = "UnlockConnectorOnEVSideDisconnect"

KEYS: tuple[Key, ...] = (
    # These three change the connection: they are checked in agent.core.connection_profile, and
    # start from central_system.
    Key(URL, "", str),
    Key("AdditionalRootCertificateCheck", "false", boolean, readonly=True),
    Key("AllowOfflineTxForUnknownId", "false", boolean),
    Key("AuthorizationCacheEnabled", "true", boolean),
    Key(PASSWORD, "", str),
    Key("AuthorizeRemoteTxRequests", "false", boolean),
    Key("CentralContractValidationAllowed", "false", boolean),
    Key("CertificateStoreMaxLength", str(INSTALLED_MAX), integer(1, INSTALLED_MAX), readonly=True),
    Key("CertificateSignedMaxChainSize", str(CHAIN_MAX), integer(1, CHAIN_MAX), readonly=True),
    Key("ChargeProfileMaxStackLevel", "20", integer(0, 100), readonly=True, profile=SMART),
    Key(
        "ChargingScheduleAllowedChargingRateUnit",
        ",".join(RATE_UNITS),
        some_of(*RATE_UNITS),
        readonly=True,
        profile=SMART,
    ),
    Key("ChargingScheduleMaxPeriods", "100", integer(1, 1000), readonly=True, profile=SMART),
    Key("ClockAlignedDataInterval", "0", integer(0, _DAY_S)),
    Key("ConnectionTimeOut", "60", integer(0, _DAY_S)),
    Key("ConnectorPhaseRotation", "NotApplicable", rotation),
    Key("ConnectorPhaseRotationMaxLength", "2", integer(1, CONNECTORS_MAX + 1), readonly=True),
    Key("ConnectorSwitch3to1PhaseSupported", "false", boolean, readonly=True, profile=SMART),
    Key("ContractValidationOffline", "false", boolean),
    Key("CpoName", "", subject_name),
    Key("DisableSecurityEventNotifications", "false", boolean),
    Key("GetConfigurationMaxKeys", "100", integer(1, 1000), readonly=True),
    Key("HeartbeatInterval", "300", integer(0, 7 * _DAY_S)),
    Key("ISO15118PnCEnabled", "false", boolean),
    Key("LocalAuthListEnabled", "true", boolean, profile=LIST),
    Key("LocalAuthListMaxLength", str(LIST_ENTRIES_MAX), integer(1, 1_000_000), True, LIST),
    Key("LocalAuthorizeOffline", "true", boolean),
    Key("LocalPreAuthorize", "true", boolean),
    Key("MaxChargingProfilesInstalled", "40", integer(1, 200), readonly=True, profile=SMART),
    Key("MaxEnergyOnInvalidId", "0", integer(0, 1_000_000)),
    Key("MessageTimeout", "30", integer(1, 600)),
    Key("MeterValuesAlignedData", _REGISTER_AND_POWER, measurands),
    _length("MeterValuesAlignedDataMaxLength"),
    Key("MeterValuesSampledData", _REGISTER_AND_POWER, measurands),
    _length("MeterValuesSampledDataMaxLength"),
    Key("MeterValueSampleInterval", "60", integer(0, _DAY_S)),
    Key("MinimumStatusDuration", "0", integer(0, 3600)),
    Key("NumberOfConnectors", "1", integer(1, CONNECTORS_MAX), readonly=True),
    Key("ReserveConnectorZeroSupported", "true", boolean, readonly=True, profile=RESERVATION),
    Key("ResetRetries", "0", integer(0, 10)),
    Key(PROFILE, "0", integer(0, PROFILE_MAX)),
    Key("SendLocalListMaxLength", str(SEND_ENTRIES_MAX), integer(1, SEND_ENTRIES_MAX), True, LIST),
    Key("StopTransactionMaxMeterValues", str(STOP_SAMPLES), integer(4, STOP_SAMPLES_MAX), True),
    Key("StopTransactionOnEVSideDisconnect", "true", boolean),
    Key("StopTransactionOnInvalidId", "true", boolean),
    Key("StopTxnAlignedData", "", measurands),
    _length("StopTxnAlignedDataMaxLength"),
    Key("StopTxnSampledData", "", measurands),
    _length("StopTxnSampledDataMaxLength"),
    Key(
        "SupportedFeatureProfiles",
        ",".join(FEATURE_PROFILES),
        some_of(*FEATURE_PROFILES, always="Core"),
        readonly=True,
    ),
    Key("SupportedFileTransferProtocols", "FTP,FTPS,HTTP,HTTPS", file_protocols, readonly=True),
    Key("TransactionMessageAttempts", "3", integer(0, 100)),
    Key("TransactionMessageRetryInterval", "60", integer(0, _DAY_S)),
    Key(UNLOCKS, "true", boolean),
    Key("WebSocketPingInterval", "30", integer(0, _DAY_S)),
)
_BY_NAME: Mapping[str, Key] = {key.name.lower(): key for key in KEYS}


@dataclass(frozen=True, slots=True)
class Configuration:
    """The values of all keys. Immutable: a change gives a new one.

    ``fixed`` names keys that nobody may change on this box, besides those that are read-only.
    """

    values: Mapping[str, str]
    fixed: frozenset[str] = frozenset()

    def text(self, name: str) -> str:
        """The value as OCPP writes it."""
        return self.values[name]

    def integer(self, name: str) -> int:
        """The value of an integer key."""
        return int(self.values[name])

    def boolean(self, name: str) -> bool:
        """The value of a boolean key."""
        return self.values[name] == "true"

    @property
    def profiles(self) -> frozenset[str]:
        """The feature profiles that are advertised: those that work (SupportedFeatureProfiles)."""
        return _profiles(self.values)

    def measurands(self, name: str) -> tuple[str, ...]:
        """The measurands of a list key."""
        return tuple(part for part in self.values[name].split(",") if part)

    def find(self, name: str) -> tuple[Key, str] | None:
        """The key of that name, in any case, and its value; None if nobody can read such a key."""
        key = self._known(name)
        if key is None or key.is_writeonly:
            return None
        if key.name in self.fixed:
            key = replace(key, readonly=True)
        return key, self.values[key.name]

    def look_up(self, names: Sequence[str]) -> tuple[list[tuple[Key, str]], list[str]]:
        """The keys of these names with their values, and those names that no such key has.

        Without a name: every key that can be read.
        """
        asked = [(name, self.find(name)) for name in names or _BY_NAME]
        known = [found for _, found in asked if found is not None]
        return known, [name for name, found in asked if found is None] if names else []

    def _known(self, name: str) -> Key | None:
        key = _BY_NAME.get(name.lower())
        return key if key is not None and key.profile in self.profiles else None

    def change(self, name: str, value: str) -> tuple[Configuration, ChangeStatus, str]:
        """Change a key as the central system may (OCPP 1.6 section 5.3).

        Returns the configuration after it, the status to answer, and the value that is kept.
        """
        key = self._known(name)
        if key is None:
            return self, ChangeStatus.NOT_SUPPORTED, ""
        if key.readonly or key.name in self.fixed or key.name in APPROACH_KEYS:
            return self, ChangeStatus.REJECTED, ""
        try:
            kept = self._checked(key, value)
        except ValueError:
            return self, ChangeStatus.REJECTED, ""
        return self.with_value(key.name, kept), ChangeStatus.ACCEPTED, kept

    def problem_with(self, name: str, value: str) -> str:
        """Why a key cannot have this value, in words; empty when it can, or is not known."""
        key = self._known(name)
        if key is None:
            return ""
        try:
            self._checked(key, value)
        except ValueError as problem:
            return str(problem)
        return "is read-only" if key.readonly or key.name in self.fixed else ""

    def _checked(self, key: Key, value: str) -> str:
        kept = key.normalize(value)
        _check_beside(key.name, kept, self.values)
        return kept

    def with_value(self, name: str, value: str) -> Configuration:
        """The same configuration with one other value, already checked."""
        return replace(self, values={**self.values, name: value})


def start_values(given: Mapping[str, str]) -> dict[str, str]:
    """Check start values from the configuration file; read-only keys may be given too.

    Returns them under their standard spelling. Raises ValueError naming key and allowed values.
    """
    checked = {}
    for name, value in given.items():
        key = _BY_NAME.get(name.lower())
        if key is None:
            raise ValueError(f"{name} is not a configuration key of this agent")
        if key.name in APPROACH_KEYS:
            raise ValueError(f"{key.name} stands in the section [central_system]")
        try:
            checked[key.name] = key.normalize(value)
        except ValueError as problem:
            raise ValueError(f"{key.name} {problem}, got {value!r}") from None
    return checked


def problems_together(checked: Mapping[str, str], connectors: int) -> list[tuple[str, str]]:
    """Start values that are good each, but not beside the others: key and what is wrong."""
    values = {key.name: key.default for key in KEYS} | dict(checked)
    values["NumberOfConnectors"] = str(connectors)
    problems = []
    for name, value in checked.items():
        try:
            _check_beside(name, value, values)
        except ValueError as problem:
            problems.append((name, str(problem)))
    return problems


def _check_beside(name: str, value: str, values: Mapping[str, str]) -> None:
    """Check a value against those of other keys. Raises ValueError."""
    parts = [part for part in value.split(",") if part]
    longest = values.get(f"{name}MaxLength")
    if longest is not None and len(parts) > int(longest):
        raise ValueError(f"must name at most {longest}")
    if name == "ConnectorPhaseRotation":
        numbers = (part.partition(".")[0] for part in parts)
        if any(number.isdigit() and int(number) > _connectors(values) for number in numbers):
            raise ValueError(f"must name connectors from 0 to {_connectors(values)}")


def _profiles(values: Mapping[str, str]) -> frozenset[str]:
    return frozenset(values["SupportedFeatureProfiles"].split(","))


def _connectors(values: Mapping[str, str]) -> int:
    return int(values["NumberOfConnectors"])


def configuration(
    connectors: int,
    given: Mapping[str, str],
    stored: Mapping[str, str],
    has_lock: bool = True,
    without: str = "",
) -> Configuration:
    """Defaults, then the file's start values, then what was changed and stored; the last wins.

    Without any lock nothing can be unlocked, and nobody can change that (errata 3.84). ``without``
    is a feature profile that this box does not have, whatever the file says. What was stored of a
    profile that is switched off does not count: nobody could change it any more. Neither does what
    ``unfit_values`` names.
    """
    values = {key.name: key.default for key in KEYS if not key.is_writeonly}
    values["ConnectorPhaseRotationMaxLength"] = str(connectors + 1)  # 0 is the main meter
    values.update(start_values(given))
    profiles = [name for name in values["SupportedFeatureProfiles"].split(",") if name != without]
    values["SupportedFeatureProfiles"] = ",".join(profiles)
    for name, value in stored.items():
        key = _BY_NAME.get(name.lower())
        if key is None or not _is_kept_here(key) or key.profile not in profiles:
            continue
        if not _problem(key, value):
            values[key.name] = value
    values["NumberOfConnectors"] = str(connectors)
    if has_lock:
        return Configuration(values)
    return Configuration({**values, UNLOCKS: "false"}, fixed=frozenset({UNLOCKS}))


def unfit_values(stored: Mapping[str, str]) -> list[str]:
    """What was stored and cannot be a value: storage has damaged it, or another version wrote it.

    A sentence for each.
    """
    known = ((_BY_NAME[name.lower()], stored[name]) for name in stored if name.lower() in _BY_NAME)
    kept = ((key, value) for key, value in known if _is_kept_here(key))
    return [f"{key.name} {problem}" for key, value in kept if (problem := _problem(key, value))]


def _is_kept_here(key: Key) -> bool:
    """The way to the central system, and with it the password, is kept elsewhere."""
    return not key.readonly and key.name not in APPROACH_KEYS


def _problem(key: Key, value: str) -> str:
    try:
        key.normalize(value)
    except ValueError as problem:
        return f"{problem}, got {value[:_SHOWN_MAX]!r}"
    return ""
