"""Every configuration key: access, default, what it takes, what it refuses, and that it is kept."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from agent.core import events as ev
from agent.core.commands import ApplyConfiguration, Reply, SaveConfigurationKey
from agent.core.configuration import KEYS, start_values
from agent.core.connection_profile import APPROACH_KEYS
from tests.core.story import Story, a_charge_point, of

BOOLEAN = (("true", "false"), ("1", "yes", "", "truefalse"))
NUMBER = (("0", "1", "10"), ("-1", "1.5", "", "x", "²", "1e3", "99999999999"))
POSITIVE = (("1", "10"), ("0", "-1", "x", ""))
MEASURANDS = (
    ("", "Voltage", "Energy.Active.Import.Register,Current.Import", "Voltage.L1"),
    ("SoC", "Voltage.L9", "Energy", ",".join(["Voltage"] * 11)),
)
NAME = (("Operator", "Stadtwerke München", "x" * 64), ("", " ", "x" * 65, "ü" * 33, "a\nb"))
ROTATION = (
    ("0.RST,1.RST", "NotApplicable", "0.Unknown"),
    ("RST", "1", "9.RST", "1.XYZ", "1.RST,1.RST"),
)


@dataclass(frozen=True)
class Wanted:
    """What a key must be. ``good`` and ``bad`` are values to change it to."""

    default: str
    good: tuple[str, ...] = ()  # none: it is read-only
    bad: tuple[str, ...] = ()


def rw(default: str, values: tuple[tuple[str, ...], tuple[str, ...]]) -> Wanted:
    return Wanted(default, *values)


REGISTER_AND_POWER = "Energy.Active.Import.Register,Power.Active.Import"
WANTED = {
    "AdditionalRootCertificateCheck": Wanted("false"),
    "AllowOfflineTxForUnknownId": rw("false", BOOLEAN),
    "AuthorizationCacheEnabled": rw("true", BOOLEAN),
    "AuthorizeRemoteTxRequests": rw("false", BOOLEAN),
    "CentralContractValidationAllowed": rw("false", BOOLEAN),
    "CertificateStoreMaxLength": Wanted("10"),
    "CertificateSignedMaxChainSize": Wanted("10000"),
    "ChargeProfileMaxStackLevel": Wanted("20"),
    "ChargingScheduleAllowedChargingRateUnit": Wanted("Current,Power"),
    "ChargingScheduleMaxPeriods": Wanted("100"),
    "ClockAlignedDataInterval": rw("0", NUMBER),
    "ConnectionTimeOut": rw("60", NUMBER),
    "ConnectorPhaseRotation": rw("NotApplicable", ROTATION),
    "ConnectorPhaseRotationMaxLength": Wanted("2"),
    "ConnectorSwitch3to1PhaseSupported": Wanted("false"),
    "ContractValidationOffline": rw("false", BOOLEAN),
    "CpoName": rw("", NAME),
    "DisableSecurityEventNotifications": rw("false", BOOLEAN),
    "GetConfigurationMaxKeys": Wanted("100"),
    "HeartbeatInterval": rw("300", NUMBER),
    "ISO15118PnCEnabled": rw("false", BOOLEAN),
    "LocalAuthListEnabled": rw("true", BOOLEAN),
    "LocalAuthListMaxLength": Wanted("100000"),
    "LocalAuthorizeOffline": rw("true", BOOLEAN),
    "LocalPreAuthorize": rw("true", BOOLEAN),
    "MaxChargingProfilesInstalled": Wanted("40"),
    "MaxEnergyOnInvalidId": rw("0", NUMBER),
    "MessageTimeout": rw("30", POSITIVE),
    "MeterValuesAlignedData": rw(REGISTER_AND_POWER, MEASURANDS),
    "MeterValuesAlignedDataMaxLength": Wanted("10"),
    "MeterValuesSampledData": rw(REGISTER_AND_POWER, MEASURANDS),
    "MeterValuesSampledDataMaxLength": Wanted("10"),
    "MeterValueSampleInterval": rw("60", NUMBER),
    "MinimumStatusDuration": rw("0", NUMBER),
    "NumberOfConnectors": Wanted("1"),
    "ReserveConnectorZeroSupported": Wanted("true"),
    "ResetRetries": rw("0", NUMBER),
    "SendLocalListMaxLength": Wanted("10000"),
    "StopTransactionMaxMeterValues": Wanted("60"),
    "StopTransactionOnEVSideDisconnect": rw("true", BOOLEAN),
    "StopTransactionOnInvalidId": rw("true", BOOLEAN),
    "StopTxnAlignedData": rw("", MEASURANDS),
    "StopTxnAlignedDataMaxLength": Wanted("10"),
    "StopTxnSampledData": rw("", MEASURANDS),
    "StopTxnSampledDataMaxLength": Wanted("10"),
    "TransactionMessageAttempts": rw("3", NUMBER),
    "TransactionMessageRetryInterval": rw("60", NUMBER),
    "UnlockConnectorOnEVSideDisconnect": rw("true", BOOLEAN),
    "WebSocketPingInterval": rw("30", NUMBER),
}
# Its default grows with what the agent can; see docs/ocpp.md.
GROWING = {"SupportedFeatureProfiles", "SupportedFileTransferProtocols"}
CHANGEABLE = [name for name, wanted in WANTED.items() if wanted.good]
READ_ONLY = [name for name, wanted in WANTED.items() if not wanted.good]
TAKEN = [(name, value) for name in CHANGEABLE for value in WANTED[name].good]
REFUSED = [(name, value) for name in CHANGEABLE for value in WANTED[name].bad]


def change(story: Story, key: str, value: str) -> list[object]:
    return list(story.tell(ev.ConfigurationChangeRequested("r1", key, value)))


def test_no_key_is_forgotten_here():
    # Those of the connection have a test file of their own.
    assert {key.name for key in KEYS} - GROWING - {*APPROACH_KEYS} == WANTED.keys()


@pytest.mark.parametrize("name", WANTED)
def test_a_key_has_its_default_and_its_access(name):
    found = a_charge_point().configuration.find(name)
    assert found is not None
    key, value = found
    assert (value, key.readonly) == (WANTED[name].default, not WANTED[name].good)


@pytest.mark.parametrize(("name", "value"), TAKEN)
def test_a_good_value_is_kept_before_it_is_answered_and_acts_without_a_restart(name, value):
    story = Story(a_charge_point())
    commands = change(story, name.lower(), value)
    assert of(Reply, commands) == [Reply("r1", "Accepted")]
    assert of(SaveConfigurationKey, commands) == [SaveConfigurationKey(name, value)]
    assert of(ApplyConfiguration, commands) == [ApplyConfiguration(name, value)]
    assert story.state.configuration.text(name) == value


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_a_bad_value_is_rejected_and_changes_nothing(name, value):
    story = Story(a_charge_point())
    commands = change(story, name, value)
    assert of(Reply, commands) == [Reply("r1", "Rejected")]
    assert of(SaveConfigurationKey, commands) == []
    assert story.state.configuration.text(name) == WANTED[name].default


@pytest.mark.parametrize("name", [*READ_ONLY, *sorted(GROWING & {key.name for key in KEYS})])
def test_a_read_only_key_is_rejected_but_the_file_may_set_it(name):
    story = Story(a_charge_point())
    text = story.state.configuration.text(name)
    assert of(Reply, change(story, name, text)) == [Reply("r1", "Rejected")]
    assert start_values({name: text}) == {name: text}
