"""The OCPP configuration keys."""

from __future__ import annotations

import pytest

from agent.core.configuration import (
    KEYS,
    ChangeStatus,
    configuration,
    problems_together,
    start_values,
    unfit_values,
)
from agent.core.key_meanings import MEANINGS
from agent.core.key_values import MEASURANDS, measurands

BASE = configuration(2, {}, {})


NOT_SET = ("CpoName",)  # empty by default: once it is set, only another name takes its place


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_key_accepts_its_own_default_as_it_is(key):
    if key.name in NOT_SET:
        with pytest.raises(ValueError, match="1 to 64 bytes"):
            key.normalize(key.default)
    else:
        assert key.normalize(key.default) == key.default


def test_the_keys_with_two_values_are_those_whose_default_is_one_of_them():
    for key in KEYS:
        assert key.is_boolean == (key.default in ("true", "false")), key.name


def test_no_key_stands_there_twice():
    names = [key.name.lower() for key in KEYS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("LocalPreAuthorize", " TRUE ", "true"),
        ("localpreauthorize", "False", "false"),
        ("HEARTBEATINTERVAL", " 0060 ", "60"),
        ("MeterValuesSampledData", "Voltage.L1 , Current.Import,", "Voltage.L1,Current.Import"),
        ("MeterValuesSampledData", "", ""),
        ("ConnectionTimeOut", "0", "0"),
    ],
)
def test_a_good_value_is_accepted_in_any_case_and_kept_in_one_spelling(key, value, kept):
    changed, status, answer = BASE.change(key, value)
    assert status is ChangeStatus.ACCEPTED
    assert answer == kept
    found = changed.find(key)
    assert found is not None
    assert found[1] == kept


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("MeterValueSampleInterval", "-1"),
        ("MeterValueSampleInterval", "1.5"),
        ("MeterValueSampleInterval", "²"),
        ("MeterValueSampleInterval", ""),
        ("MeterValueSampleInterval", "86401"),
        ("MeterValueSampleInterval", "1" * 11),
        ("Agent.CentralSystemUrl", "ws://" + "x" * 496),
        ("LocalPreAuthorize", "yes"),
        ("MeterValuesSampledData", "Energy.Active.Import.Register,Temperature"),
        ("MeterValuesSampledData", "Voltage.L4"),
        ("MeterValuesSampledData", "Frequency.L1"),
        ("MeterValuesSampledData", ",".join(["Voltage"] * 11)),
        ("NumberOfConnectors", "3"),  # read only
        ("SupportedFeatureProfiles", "Core,Reservation"),  # read only
    ],
)
def test_a_bad_value_or_a_read_only_key_is_rejected_and_changes_nothing(key, value):
    assert BASE.change(key, value) == (BASE, ChangeStatus.REJECTED, "")


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("ConnectorPhaseRotation", "0.RST, 1.rts ,2.Unknown", "0.RST,1.RTS,2.Unknown"),
        ("ConnectorPhaseRotation", "2.TSR,0.STR", "0.STR,2.TSR"),
        ("ConnectorPhaseRotation", "notapplicable", "NotApplicable"),
        ("ClockAlignedDataInterval", "900", "900"),
        ("MeterValuesAlignedData", "Voltage", "Voltage"),
        ("StopTxnSampledData", "Energy.Active.Import.Register", "Energy.Active.Import.Register"),
        ("StopTxnAlignedData", "Power.Active.Import.L3", "Power.Active.Import.L3"),
        ("StopTransactionOnEVSideDisconnect", "False", "false"),
        ("UnlockConnectorOnEVSideDisconnect", "False", "false"),
        ("MinimumStatusDuration", "5", "5"),
        ("ResetRetries", "3", "3"),
    ],
)
def test_a_key_that_acts_may_be_changed(key, value, kept):
    changed, status, _ = BASE.change(key, value)
    assert status is ChangeStatus.ACCEPTED
    assert changed.text(key) == kept


@pytest.mark.parametrize(
    "value",
    [
        "3.RST",
        "1.RST,1.RTS",
        "1.R",
        "RST",
        "1",
        "1.",
        ".RST",
        "-1.RST",
        "",
        ",",
        "100.RST",
        "²1.RST",
    ],
)
def test_a_phase_rotation_names_connectors_that_there_are_once(value):
    assert BASE.change("ConnectorPhaseRotation", value) == (BASE, ChangeStatus.REJECTED, "")


def test_a_list_is_no_longer_than_its_length_key_says():
    short = configuration(1, {"StopTxnSampledDataMaxLength": "2"}, {})
    assert short.change("StopTxnSampledData", "Voltage,Frequency")[1] is ChangeStatus.ACCEPTED
    three = "Voltage,Frequency,Power.Factor"
    assert short.change("StopTxnSampledData", three)[1] is ChangeStatus.REJECTED
    assert short.change("StopTxnAlignedData", three)[1] is ChangeStatus.ACCEPTED


@pytest.mark.parametrize("key", [key.name for key in KEYS if key.normalize is measurands])
def test_every_list_of_measurands_publishes_its_length(key):
    assert BASE.integer(f"{key}MaxLength") == 10


def test_the_rotations_are_as_many_as_the_connectors_and_the_main_meter():
    assert BASE.integer("ConnectorPhaseRotationMaxLength") == 3
    short = configuration(2, {"ConnectorPhaseRotationMaxLength": "1"}, {})
    assert short.integer("ConnectorPhaseRotationMaxLength") == 1


def test_without_a_lock_nothing_can_be_unlocked_and_nobody_can_change_that():
    fixed = configuration(1, {}, {"UnlockConnectorOnEVSideDisconnect": "true"}, has_lock=False)
    found = fixed.find("unlockconnectoronevsidedisconnect")
    assert found is not None
    assert (found[0].readonly, found[1]) == (True, "false")
    change = fixed.change("UnlockConnectorOnEVSideDisconnect", "true")
    assert change == (fixed, ChangeStatus.REJECTED, "")


def test_start_values_are_checked_beside_each_other():
    given = {
        "StopTxnSampledDataMaxLength": "1",
        "StopTxnSampledData": "Voltage,Frequency",
        "ConnectorPhaseRotation": "2.RST",
    }
    assert problems_together(given, connectors=1) == [
        ("StopTxnSampledData", "must name at most 1"),
        ("ConnectorPhaseRotation", "must name connectors from 0 to 1"),
    ]
    assert problems_together({"ConnectorPhaseRotation": "2.RST"}, connectors=2) == []


def test_why_a_value_is_not_taken_is_said_in_words():
    assert BASE.problem_with("HeartbeatInterval", "soon").startswith("must be a whole number")
    assert BASE.problem_with("HeartbeatInterval", "60") == ""
    assert BASE.problem_with("NumberOfConnectors", "1") == "is read-only"
    assert BASE.problem_with("MadeUpKey", "1") == ""


def test_every_key_has_a_meaning():
    for key in KEYS:
        assert MEANINGS[key.name].says.endswith("."), key.name


def test_an_unknown_key_is_not_supported():
    assert BASE.change("MadeUpKey", "1") == (BASE, ChangeStatus.NOT_SUPPORTED, "")
    assert BASE.find("MadeUpKey") is None


def test_a_key_is_found_in_any_case_under_its_standard_spelling():
    found = BASE.find("connectiontimeout")
    assert found is not None
    key, value = found
    assert (key.name, value) == ("ConnectionTimeOut", "60")


def test_values_are_read_as_what_they_are():
    assert BASE.text("MeterValuesSampledData") == (
        "Energy.Active.Import.Register,Power.Active.Import"
    )
    assert BASE.measurands("MeterValuesSampledData") == MEASURANDS[:2]
    assert BASE.measurands("StopTxnSampledData") == ()
    assert BASE.integer("HeartbeatInterval") == 300
    assert BASE.boolean("AllowOfflineTxForUnknownId") is False


@pytest.mark.parametrize(
    ("key", "shipped"),
    [
        ("LocalAuthListEnabled", "true"),
        ("AuthorizationCacheEnabled", "true"),
        ("LocalPreAuthorize", "true"),
        ("LocalAuthorizeOffline", "true"),
        ("AllowOfflineTxForUnknownId", "false"),
        ("StopTransactionOnInvalidId", "true"),
        ("AuthorizeRemoteTxRequests", "false"),
    ],
)
def test_the_keys_that_decide_who_may_charge_are_shipped_as_promised(key, shipped):
    assert BASE.text(key) == shipped


def test_what_was_stored_wins_over_the_file_and_the_file_over_the_default():
    merged = configuration(
        2,
        {"heartbeatinterval": "100", "ConnectionTimeOut": "30"},
        {"HeartbeatInterval": "200", "GoneInThisVersion": "1", "NumberOfConnectors": "9"},
    )
    assert merged.integer("HeartbeatInterval") == 200
    assert merged.integer("ConnectionTimeOut") == 30
    assert merged.integer("MeterValueSampleInterval") == 60
    assert merged.integer("NumberOfConnectors") == 2


def test_the_file_may_set_read_only_keys_too():
    assert start_values({"connectorphaserotation": "1.RST"}) == {"ConnectorPhaseRotation": "1.RST"}
    fewer = start_values({"SupportedFileTransferProtocols": "https, ftps,"})
    assert fewer == {"SupportedFileTransferProtocols": "FTPS,HTTPS"}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"MadeUpKey": "1"}, "MadeUpKey is not a configuration key of this agent"),
        (
            {"heartbeatinterval": "-1"},
            "HeartbeatInterval must be a whole number from 0 to 604800, got '-1'",
        ),
        (
            {"ChargingScheduleAllowedChargingRateUnit": "Current,A"},
            "ChargingScheduleAllowedChargingRateUnit A is not one of Current, Power",
        ),
        ({"ChargingScheduleAllowedChargingRateUnit": ","}, "nothing is not one of Current, Power"),
        ({"LocalPreAuthorize": "1"}, "LocalPreAuthorize must be true or false, got '1'"),
        ({"StopTxnSampledData": "SoC"}, "StopTxnSampledData SoC is not one of Energy"),
        (
            {"SupportedFeatureProfiles": "Core,Bogus"},
            "SupportedFeatureProfiles Bogus is not one of",
        ),
        (
            {"SupportedFeatureProfiles": "SmartCharging"},
            "SupportedFeatureProfiles must have Core in",
        ),
        ({"SupportedFeatureProfiles": ""}, "SupportedFeatureProfiles nothing is not one of"),
        (
            {"SupportedFileTransferProtocols": "FTP,SFTP"},
            "SupportedFileTransferProtocols must be a list of FTP, FTPS, HTTP, HTTPS, got",
        ),
        ({"ConnectorPhaseRotation": "1.RXT"}, "must be a list like 0.RST,1.RST; each is one of"),
        ({"ConnectorPhaseRotation": ""}, "ConnectorPhaseRotation must not be empty, got ''"),
        (
            {"StopTxnSampledData": ",".join(["Voltage"] * 11)},
            "StopTxnSampledData must name at most 10 measurands",
        ),
    ],
)
def test_a_bad_start_value_is_an_error_that_names_key_and_limits(given, complaint):
    with pytest.raises(ValueError, match=complaint):
        start_values(given)


def test_what_was_stored_of_a_profile_that_is_off_does_not_count_for_nobody_could_change_it():
    stored = {"LocalAuthListEnabled": "false", "LocalPreAuthorize": "false"}
    without = configuration(1, {}, stored, without="LocalAuthListManagement")
    assert without.boolean("LocalAuthListEnabled")
    assert not without.boolean("LocalPreAuthorize")
    assert "LocalAuthListManagement" not in without.profiles
    assert without.change("LocalAuthListEnabled", "false")[1] is ChangeStatus.NOT_SUPPORTED
    assert not configuration(1, {}, stored).boolean("LocalAuthListEnabled")


def test_what_was_stored_and_cannot_be_a_value_does_not_count_and_is_named():
    stored = {"heartbeatinterval": "3\x110", "LocalPreAuthorize": "x" * 99, "OfTomorrow": "?"}
    kept = configuration(1, {"HeartbeatInterval": "100"}, {**stored, "ConnectionTimeOut": "9"})
    assert kept.integer("HeartbeatInterval") == 100
    assert kept.boolean("LocalPreAuthorize")
    assert kept.integer("ConnectionTimeOut") == 9
    assert unfit_values(stored) == [
        r"HeartbeatInterval must be a whole number from 0 to 604800, got '3\x110'",
        f"LocalPreAuthorize must be true or false, got '{50 * 'x'}'",
    ]
    assert unfit_values({"AuthorizationKey": "a secret", "NumberOfConnectors": "x"}) == []


def test_get_configuration_names_the_keys_it_finds_and_those_it_does_not():
    known, unknown = BASE.look_up(["heartbeatinterval", "NoSuchKey", "AuthorizationKey"])
    assert [key.name for key, _ in known] == ["HeartbeatInterval"]
    assert unknown == ["NoSuchKey", "AuthorizationKey"]  # the password is never read


def test_without_a_name_get_configuration_gives_every_readable_key():
    known, unknown = BASE.look_up([])
    assert len(known) == len({key.name for key, _ in known}) > 40
    assert all(BASE.find(key.name) for key, _ in known)
    assert unknown == []
