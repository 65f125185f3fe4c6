"""The OCPP configuration keys."""

from __future__ import annotations

import pytest

from agent.core.configuration import (
    KEYS,
    MEASURANDS,
    ChangeStatus,
    configuration,
    start_values,
)

BASE = configuration(2, {}, {})


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_key_accepts_its_own_default_as_it_is(key):
    assert key.normalize(key.default) == key.default


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


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"MadeUpKey": "1"}, "MadeUpKey is not a configuration key of this agent"),
        (
            {"heartbeatinterval": "-1"},
            "HeartbeatInterval must be a whole number from 0 to 604800, got '-1'",
        ),
        ({"LocalPreAuthorize": "1"}, "LocalPreAuthorize must be true or false, got '1'"),
        ({"StopTxnSampledData": "SoC"}, "StopTxnSampledData SoC is not one of Energy"),
        ({"ConnectorPhaseRotation": "x" * 501}, "ConnectorPhaseRotation must have at most 500"),
        (
            {"StopTxnSampledData": ",".join(["Voltage"] * 11)},
            "StopTxnSampledData must name at most 10 measurands",
        ),
    ],
)
def test_a_bad_start_value_is_an_error_that_names_key_and_limits(given, complaint):
    with pytest.raises(ValueError, match=complaint):
        start_values(given)
