"""The OCPP configuration keys: type, default, access, validation (OCPP 1.6 chapter 9).

A key stands here only if this agent acts on it, or if the standard demands that it exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

MEASURANDS = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Voltage",
    "Frequency",
    "Power.Factor",
)
PHASED_MEASURANDS = ("Power.Active.Import", "Current.Import", "Voltage")
MEASURANDS_MAX = 10
LIST_ENTRIES_MAX = 100_000  # of the local list
SEND_ENTRIES_MAX = 10_000  # of one SendLocalList.req: about 1.3 MB; the wire takes 2 MiB


class ChangeStatus(Enum):
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


def _boolean(value: str) -> str:
    text = value.strip().lower()
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text


def _integer(low: int, high: int) -> Callable[[str], str]:
    def normalize(value: str) -> str:
        text = value.strip()
        if not (text.isascii() and text.isdigit()) or len(text) > 10:
            raise ValueError(f"must be a whole number from {low} to {high}")
        number = int(text)
        if not low <= number <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return str(number)

    return normalize


def _measurands(value: str) -> str:
    names = [name.strip() for name in value.split(",") if name.strip()]
    if len(names) > MEASURANDS_MAX:
        raise ValueError(f"must name at most {MEASURANDS_MAX} measurands")
    return ",".join(_measurand(name) for name in names)


def _measurand(name: str) -> str:
    base, _, phase = name.rpartition(".")
    if name in MEASURANDS or (base in PHASED_MEASURANDS and phase in ("L1", "L2", "L3")):
        return name
    raise ValueError(f"{name} is not one of {', '.join(MEASURANDS)}")


def _any_text(value: str) -> str:
    if len(value) > 500:
        raise ValueError("must have at most 500 characters")
    return value


_DAY_S = 86_400

KEYS: tuple[Key, ...] = (
    Key("AllowOfflineTxForUnknownId", "false", _boolean),
    Key("AuthorizationCacheEnabled", "true", _boolean),
    Key("AuthorizeRemoteTxRequests", "false", _boolean),
    Key("ClockAlignedDataInterval", "0", _integer(0, 0), readonly=True),
    Key("ConnectionTimeOut", "60", _integer(0, _DAY_S)),
    Key("ConnectorPhaseRotation", "NotApplicable", _any_text, readonly=True),
    Key("GetConfigurationMaxKeys", "100", _integer(1, 1000), readonly=True),
    Key("HeartbeatInterval", "300", _integer(0, 7 * _DAY_S)),
    Key("LocalAuthListEnabled", "true", _boolean),
    Key("LocalAuthListMaxLength", str(LIST_ENTRIES_MAX), _integer(1, 1_000_000), readonly=True),
    Key("LocalAuthorizeOffline", "true", _boolean),
    Key("LocalPreAuthorize", "true", _boolean),
    Key("MaxEnergyOnInvalidId", "0", _integer(0, 1_000_000)),
    Key("MessageTimeout", "30", _integer(1, 600)),
    Key("MeterValuesAlignedData", "", _measurands, readonly=True),
    Key(
        "MeterValuesSampledData",
        "Energy.Active.Import.Register,Power.Active.Import",
        _measurands,
    ),
    Key("MeterValuesSampledDataMaxLength", str(MEASURANDS_MAX), _integer(1, 50), readonly=True),
    Key("MeterValueSampleInterval", "60", _integer(0, _DAY_S)),
    Key("NumberOfConnectors", "1", _integer(1, 16), readonly=True),
    Key("ResetRetries", "0", _integer(0, 0), readonly=True),
    Key("SendLocalListMaxLength", str(SEND_ENTRIES_MAX), _integer(1, SEND_ENTRIES_MAX), True),
    Key("StopTransactionOnEVSideDisconnect", "true", _boolean, readonly=True),
    Key("StopTransactionOnInvalidId", "true", _boolean),
    Key("StopTxnAlignedData", "", _measurands, readonly=True),
    Key("StopTxnSampledData", "", _measurands, readonly=True),
    Key(
        "SupportedFeatureProfiles",
        "Core,LocalAuthListManagement,RemoteTrigger",
        _any_text,
        readonly=True,
    ),
    Key("TransactionMessageAttempts", "3", _integer(0, 100)),
    Key("TransactionMessageRetryInterval", "60", _integer(0, _DAY_S)),
    Key("UnlockConnectorOnEVSideDisconnect", "true", _boolean, readonly=True),
    Key("WebSocketPingInterval", "30", _integer(0, _DAY_S)),
)
_BY_NAME: Mapping[str, Key] = {key.name.lower(): key for key in KEYS}


@dataclass(frozen=True, slots=True)
class Configuration:
    """The values of all keys. Immutable: a change gives a new one."""

    values: Mapping[str, str]

    def text(self, name: str) -> str:
        """The value as OCPP writes it."""
        return self.values[name]

    def integer(self, name: str) -> int:
        """The value of an integer key."""
        return int(self.values[name])

    def boolean(self, name: str) -> bool:
        """The value of a boolean key."""
        return self.values[name] == "true"

    def measurands(self, name: str) -> tuple[str, ...]:
        """The measurands of a list key."""
        return tuple(part for part in self.values[name].split(",") if part)

    def find(self, name: str) -> tuple[Key, str] | None:
        """The key of that name, in any case, and its value; None if there is no such key."""
        key = _BY_NAME.get(name.lower())
        return None if key is None else (key, self.values[key.name])

    def change(self, name: str, value: str) -> tuple[Configuration, ChangeStatus, str]:
        """Change a key as the central system may (OCPP 1.6 section 5.3).

        Returns the configuration after it, the status to answer, and the value that is kept.
        """
        key = _BY_NAME.get(name.lower())
        if key is None:
            return self, ChangeStatus.NOT_SUPPORTED, ""
        if key.readonly:
            return self, ChangeStatus.REJECTED, ""
        try:
            kept = key.normalize(value)
        except ValueError:
            return self, ChangeStatus.REJECTED, ""
        return self.with_value(key.name, kept), ChangeStatus.ACCEPTED, kept

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
        try:
            checked[key.name] = key.normalize(value)
        except ValueError as problem:
            raise ValueError(f"{key.name} {problem}, got {value!r}") from None
    return checked


def configuration(
    connectors: int, given: Mapping[str, str], stored: Mapping[str, str]
) -> Configuration:
    """Defaults, then the file's start values, then what was changed and stored; the last wins."""
    values = {key.name: key.default for key in KEYS}
    values.update(start_values(given))
    for name, value in stored.items():
        key = _BY_NAME.get(name.lower())
        if key is not None and not key.readonly:
            values[key.name] = value
    values["NumberOfConnectors"] = str(connectors)
    return Configuration(values)
