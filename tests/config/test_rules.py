"""The rules between keys, but for those about pins."""

from __future__ import annotations

import pytest

from agent.config.config_file import parse_config
from agent.platform.errors import ConfigError

BOX = '[charge_point]\nidentity = "CP-1"\n'
SIMULATED = 'contactor.driver = "simulated"\n'
ONE = f"[[connectors]]\nid = 1\n{SIMULATED}"
TWO = f"{ONE}[[connectors]]\nid = 2\n{SIMULATED}"


def connector(number: int, keys: str, contactor: str = SIMULATED) -> str:
    return f"[[connectors]]\nid = {number}\n{contactor}{keys}\n"


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    return caught.value.mistakes


def meter(number: int, keys: str) -> str:
    return connector(number, f"[connectors.meter]\ndriver = 'modbus_sdm120'\n{keys}")


# --- one key, with a rule of its own -------------------------------------------------------------


@pytest.mark.parametrize("identity", ["A", "x" * 48, "Garage 7/B", "a%b@c"])
def test_an_identity_of_printable_ascii_is_accepted(identity):
    settings = parse_config(f'[charge_point]\nidentity = "{identity}"\n{ONE}')
    assert settings.charge_point.identity == identity


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('identity = ""', "charge_point.identity must have 1 to 48 characters, plain ASCII"),
        (f'identity = "{"x" * 49}"', "charge_point.identity must have 1 to 48 characters"),
        ('identity = "Köln"', "charge_point.identity must have 1 to 48 characters, plain ASCII"),
        ('identity = "a:b"', 'charge_point.identity must not have a colon in it, got "a:b"'),
        (f'identity = "A"\nvendor = "{"x" * 21}"', "charge_point.vendor must have 1 to 20"),
        ('identity = "A"\nmodel = ""', "charge_point.model must have 1 to 20 characters"),
        (f'identity = "A"\nserial_number = "{"x" * 26}"', "serial_number must have 0 to 25"),
        (f'identity = "A"\nfirmware_version = "{"x" * 51}"', "firmware_version must have 0 to 50"),
    ],
)
def test_the_names_of_the_box_have_the_lengths_of_ocpp(line, told):
    (sentence,) = mistakes_of(f"[charge_point]\n{line}\n{ONE}")
    assert told in sentence


def test_what_feeds_the_box_carries_at_least_one_socket():
    text = BOX + "max_current_a = 32\nsupply_current_a = {}\n" + ONE
    assert parse_config(text.format(32)).charge_point.supply_current_a == 32
    assert mistakes_of(text.format(20)) == [
        "charge_point.supply_current_a must not be less than max_current_a (32): one socket alone"
        " may take that; got 20 (line 4)"
    ]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ws://cs",
        "wss://cs.example.com:443/ocpp/",
        "ws://192.0.2.1:9000/a%20b",
        "ws://[::1]:80/x",
    ],
)
def test_an_address_of_a_central_system_is_accepted(url):
    settings = parse_config(f'{BOX}[central_system]\nurl = "{url}"\n{ONE}')
    assert settings.central_system.url == url


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://cs.example.com", "must begin with ws:// or wss://"),
        ("cs.example.com/ocpp", "must begin with ws:// or wss://"),
        ("ws://", "must be ws://host or wss://host"),
        ("ws:///path", "must be ws://host or wss://host"),
        ("ws://two words/", "must be ws://host or wss://host"),
        ("ws://<host>/", "must be ws://host or wss://host"),
        ("ws://höst/", "must be ws://host or wss://host"),
        ("ws://cs:0/", "must be ws://host or wss://host"),
        ("ws://cs:99999/", "host or port is malformed"),
        ("ws://cs:port/", "host or port is malformed"),
        ("ws://[::1/", "host or port is malformed"),
        ("ws://cs/ocpp?station=", 'must not have "?" or "#" in it: the identity is appended'),
        ("ws://cs/#x", 'must not have "?" or "#" in it'),
        ("ws://me:hunter2@cs/", "must not have a user name or password in it"),
        ("http://me:hunter2@cs/", "must begin with ws:// or wss://"),
    ],
)
def test_a_wrong_address_is_explained_and_a_password_in_it_not_repeated(url, told):
    (sentence,) = mistakes_of(f'{BOX}[central_system]\nurl = "{url}"\n{ONE}')
    assert sentence.startswith("central_system.url ")
    assert told in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('security_profile = 1\nurl = "ws://cs"', ["authorization_key_file is missing; secu"]),
        (
            'security_profile = 2\nurl = "ws://cs"\nauthorization_key_file = "/k"',
            ["central_system.security_profile = 2 needs a wss:// address in central_system.url"],
        ),
        ('security_profile = 2\nauthorization_key_file = "/k"', ["needs a wss:// address"]),
        ('security_profile = 1\nauthorization_key_file = "/k"', ["needs a ws:// or wss:// addre"]),
        (
            'security_profile = 2\nurl = "ws://cs"',
            ["needs a wss:// address", "authorization_key_file is missing"],
        ),
        ('security_profile = 1\nurl = "http://cs"\nauthorization_key_file = "/k"', ["must begin"]),
        ('security_profile = 4\nurl = "ws://cs"', ["must be a whole number from 0 to 3, got 4"]),
        (
            'security_profile = 3\nurl = "ws://cs"\ncertificate_file = "/c"',
            ["needs a wss:// address", "certificate_key_file is missing; security_profile = 3"],
        ),
    ],
)
def test_a_security_profile_needs_its_address_and_its_key(lines, told):
    sentences = mistakes_of(f"{BOX}[central_system]\n{lines}\n{ONE}")
    assert len(sentences) == len(told)
    assert all(any(part in sentence for sentence in sentences) for part in told)


@pytest.mark.parametrize("path", ["", "/var/lib/"])
def test_the_database_is_a_file(path):
    (sentence,) = mistakes_of(f'{BOX}[storage]\npath = "{path}"\n{ONE}')
    assert sentence == f'storage.path must name a file, got "{path}" (line 4)'


# --- connectors and reader -----------------------------------------------------------------------


def test_connector_ids_are_without_gaps():
    (sentence,) = mistakes_of(BOX + ONE + connector(3, ""))
    assert sentence == "connectors must have the ids 1 to 2 without gaps, got 1, 3 (line 7)"


def test_a_connector_id_stands_once_and_is_then_named_by_its_place():
    (sentence,) = mistakes_of(BOX + ONE + ONE)
    assert sentence == "connectors[1].id and connectors[2].id have the same id 1 (lines 4 and 7)"


def test_a_wrong_connector_id_is_not_taken_for_a_gap_as_well():
    (sentence,) = mistakes_of(BOX + ONE + TWO.replace("id = 1", 'id = "x"').replace("= 2", "= 3"))
    assert sentence.startswith('connectors[2].id must be a whole number from 1 to 16, got "x"')


def test_a_simulated_fault_stands_at_a_connector_that_exists():
    faults = '{ connector = 1, error_code = "welded" }, { connector = 3, error_code = "welded" }'
    found = mistakes_of(f"{BOX}[simulation]\nfaults = [{faults}]\n{TWO}")
    assert found == ["simulation.faults[2].connector is 3, but no connector has that id (line 4)"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ('error_code = "GroundFailur"', '"GroundFailur"; did you mean GroundFailure?'),
        ('error_code = "NoError"', '"NoError"; did you mean'),
        ('error_code = "\u00b2"', "known: welded, does_not_close"),
    ],
)
def test_a_simulated_fault_is_one_that_the_agent_knows(fault, told):
    text = f"{BOX}[simulation]\nfaults = [{{ connector = 1, {fault} }}]\n{TWO}"
    (sentence,) = mistakes_of(text)
    assert sentence.startswith("simulation.faults[1].error_code must be a fault, got")
    assert told in sentence


@pytest.mark.parametrize(
    ("served", "told"),
    [
        ("[1, 3]", "reader.connectors names 3, but no connector has that id (line 4)"),
        ("[1, 1]", "reader.connectors names a connector twice, got [1, 1] (line 4)"),
    ],
)
def test_the_reader_serves_connectors_that_exist(served, told):
    assert mistakes_of(f"{BOX}[reader]\nconnectors = {served}\n{TWO}") == [told]


def test_a_wrong_connector_id_does_not_make_the_reader_wrong_as_well():
    text = f"{BOX}[reader]\nconnectors = [1, 2]\n{TWO.replace('id = 2', 'id = 20')}"
    (sentence,) = mistakes_of(text)
    assert sentence.startswith("connectors[id=20].id must be a whole number from 1 to 16, got 20")


def test_a_serial_reader_needs_its_port():
    (sentence,) = mistakes_of(f'{BOX}[reader]\ndriver = "serial"\n{ONE}')
    assert sentence.startswith('reader.port is missing; driver = "serial" needs it')


# --- serial ports --------------------------------------------------------------------------------


def test_a_reader_and_a_meter_cannot_share_a_port():
    text = f'{BOX}[reader]\ndriver = "serial"\nport = "/dev/./ttyUSB0"\n'
    assert mistakes_of(text + meter(1, 'port = "/dev//ttyUSB0"')) == [
        'reader.port and connectors[id=1].meter.port are both "/dev/ttyUSB0";'
        " a card reader and a meter cannot share a port (lines 5 and 11)"
    ]


def test_a_reader_that_is_not_serial_has_no_port_to_share():
    text = f'{BOX}[reader]\nport = "/dev/ttyUSB0"\n' + meter(1, 'port = "/dev/ttyUSB0"')
    assert parse_config(text).connectors[0].meter.port == "/dev/ttyUSB0"


def test_meters_with_their_own_addresses_share_a_port():
    text = BOX + meter(1, 'port = "/dev/a"') + meter(2, 'port = "/dev/a"\nunit_id = 2')
    assert len(parse_config(text).connectors) == 2


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            "",
            "connectors[id=1].meter.unit_id and connectors[id=2].meter.unit_id must differ on one",
        ),
        (
            "unit_id = 2\nbaud = 2400",
            "meter.baud must be the same on one port (/dev/a), got 9600 an",
        ),
        (
            'unit_id = 2\nparity = "E"',
            'meter.parity must be the same on one port (/dev/a), got "N"',
        ),
    ],
)
def test_meters_on_one_port_agree_in_speed_and_differ_in_address(keys, told):
    text = BOX + meter(1, 'port = "/dev/a"') + meter(2, f'port = "/dev/a"\n{keys}')
    (sentence,) = mistakes_of(text)
    assert told in sentence


def test_a_wrong_speed_is_not_taken_for_a_disagreement_as_well():
    text = BOX + meter(1, 'port = "/dev/a"\nbaud = 19200')
    (sentence,) = mistakes_of(text + meter(2, 'port = "/dev/a"\nunit_id = 2\nbaud = "19200"'))
    assert sentence.startswith("connectors[id=2].meter.baud must be a whole number")


def test_meters_on_two_ports_need_not_agree():
    text = BOX + meter(1, 'port = "/dev/a"') + meter(2, 'port = "/dev/b"\nbaud = 2400')
    assert len(parse_config(text).connectors) == 2


# --- OCPP start values ---------------------------------------------------------------------------


def test_start_values_become_ocpp_strings_under_their_standard_names():
    settings = parse_config(f"""{BOX}{TWO}[ocpp.configuration]
LocalPreAuthorize = false
AuthorizationCacheEnabled = "TRUE"
heartbeatinterval = 60
MeterValueSampleInterval = "5"
MeterValuesSampledData = ["Voltage.L1", "Current.Import"]
SupportedFeatureProfiles = ["Core", "RemoteTrigger"]
StopTxnSampledData = []
NumberOfConnectors = 2
""")
    assert settings.ocpp.configuration == {
        "LocalPreAuthorize": "false",
        "AuthorizationCacheEnabled": "true",
        "HeartbeatInterval": "60",
        "MeterValueSampleInterval": "5",
        "MeterValuesSampledData": "Voltage.L1,Current.Import",
        "SupportedFeatureProfiles": "Core,RemoteTrigger",
        "StopTxnSampledData": "",
        "NumberOfConnectors": "2",
    }


def test_start_values_that_do_not_go_together_are_told():
    assert mistakes_of(f"""{BOX}{ONE}[ocpp.configuration]
connectorphaserotation = "2.RST"
StopTxnSampledDataMaxLength = 1
StopTxnSampledData = ["Voltage", "Frequency"]
""") == [
        "ocpp.configuration.connectorphaserotation must name connectors from 0 to 1,"
        ' got "2.RST" (line 7)',
        'ocpp.configuration.StopTxnSampledData must name at most 1, got "Voltage,Frequency"'
        " (line 9)",
    ]


def test_every_wrong_start_value_is_told():
    assert mistakes_of(f"""{BOX}{ONE}[ocpp.configuration]
HeartbeatIntervall = 60
ConnectionTimeOut = -1
LocalPreAuthorize = 1
MeterValuesSampledData = ["Voltage", "Watts"]
MessageTimeout = {{ a = 1 }}
AuthorizeRemoteTxRequests = true
authorizeremotetxrequests = true
TransactionMessageAttempts = nan
ResetRetries = 12345678901234567890
NumberOfConnectors = 2
""") == [
        "ocpp.configuration.HeartbeatIntervall is not an OCPP configuration key of this agent;"
        " did you mean HeartbeatInterval? (line 7)",
        "ocpp.configuration.ConnectionTimeOut must be a whole number from 0 to 86400,"
        " got '-1' (line 8)",
        "ocpp.configuration.LocalPreAuthorize must be true or false, got '1' (line 9)",
        "ocpp.configuration.MeterValuesSampledData is wrong: Watts is not one of"
        " Energy.Active.Import.Register, Power.Active.Import, Current.Import, Voltage, Frequency,"
        " Power.Factor, Current.Offered, Power.Offered, got 'Voltage,Watts' (line 10)",
        "ocpp.configuration.MessageTimeout must be true, false, a number, a text or a list of"
        " texts, got a table (line 11)",
        "ocpp.configuration.authorizeremotetxrequests stands twice: AuthorizeRemoteTxRequests is"
        " the same key (line 13)",
        "ocpp.configuration.TransactionMessageAttempts must be true, false, a number, a text or a"
        " list of texts, got nan (line 14)",
        "ocpp.configuration.ResetRetries must be true, false, a number, a text or a list of"
        " texts, got 12345678901234567890 (line 15)",
        "ocpp.configuration.NumberOfConnectors is counted from the tables [[connectors]]: 1,"
        ' got "2" (line 16)',
    ]
