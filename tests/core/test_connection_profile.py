"""Changing password, profile and address: what is refused, tried, settled and rolled back."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.connection_profile import (
    PASSWORD,
    PATIENCE,
    PROFILE,
    TRIES,
    URL,
    ConnectionProfile,
    ConnectionProfiles,
    after_change,
    after_success,
    at_start,
    ways,
)

HEX = "4F43415F4F4354545F61646D696E5F74657374"
OLD = ConnectionProfile("ws://old.example/ocpp", 1)
KNOWN = ConnectionProfiles(OLD, has_password_file=True)
SECURE = ConnectionProfiles(ConnectionProfile("wss://old.example/ocpp", 2), has_password_file=True)
OPEN = ConnectionProfiles(ConnectionProfile("ws://old.example/ocpp", 0))


def changed(known: ConnectionProfiles, key: str, value: str) -> ConnectionProfiles:
    after = after_change(known, key, value)
    assert after is not None
    return after


@pytest.mark.parametrize("password", [HEX, HEX.lower(), "00" * 16, "FF" * 20, "sixteen chars ok"])
def test_a_new_password_is_tried(password: str):
    after = changed(KNOWN, PASSWORD, f" {password} ")
    assert after.settled == OLD
    assert after.trial == ConnectionProfile(OLD.url, 1, password)
    assert after.wanted.password == password


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "0" * 33,
        "0" * 42,
        "x" * 21,
        "x" * 39,
        "sixteen chars \n..",
        "sechzehn Zeichn ä",
    ],
)
def test_what_is_no_password_is_rejected(password: str):
    assert after_change(KNOWN, PASSWORD, password) is None


def test_without_a_profile_a_password_is_stored_and_used_later():
    after = changed(OPEN, PASSWORD, HEX)
    assert after.trial is None
    assert after.settled.password == HEX
    raised = changed(after, PROFILE, "1")
    assert raised.trial == ConnectionProfile("ws://old.example/ocpp", 1, HEX)


@pytest.mark.parametrize(
    ("known", "value", "profile", "url"),
    [
        (KNOWN, "2", 2, "wss://old.example/ocpp"),
        (ConnectionProfiles(OPEN.settled, has_password_file=True), "1", 1, "ws://old.example/ocpp"),
        (
            ConnectionProfiles(OPEN.settled, has_password_file=True),
            " 2 ",
            2,
            "wss://old.example/ocpp",
        ),
        (
            ConnectionProfiles(ConnectionProfile("wss://old.example", 0), has_password_file=True),
            "2",
            2,
            "wss://old.example",
        ),
    ],
)
def test_the_profile_can_be_raised(known: ConnectionProfiles, value: str, profile: int, url: str):
    after = changed(known, PROFILE, value)
    assert after.trial == ConnectionProfile(url, profile)


@pytest.mark.parametrize(
    ("known", "value"),
    [
        (KNOWN, "1"),
        (KNOWN, "0"),
        (KNOWN, "3"),
        (KNOWN, "-1"),
        (KNOWN, "two"),
        (KNOWN, ""),
        (KNOWN, "²"),
        (SECURE, "1"),
        (OPEN, "1"),  # there is no password
        (ConnectionProfiles(has_password_file=True), "1"),  # there is no central system
        (
            ConnectionProfiles(ConnectionProfile("wss://old.example", 0), has_password_file=True),
            "1",
        ),
    ],
)
def test_the_profile_can_never_be_lowered_nor_raised_without_what_it_needs(known, value):
    assert after_change(known, PROFILE, value) is None


@pytest.mark.parametrize(
    "url",
    [
        "ws://new.example",
        "ws://new.example:9000/a/b%20c",
        "ws://[::1]:9000/",
        "ws://10.0.0.1/ocpp/",
        "ws://[2001:db8:1:2:3:4:5:6]/",
        "ws://new.example:65535/",
    ],
)
def test_a_new_address_is_tried(url: str):
    after = changed(KNOWN, URL, url)
    assert after.trial == ConnectionProfile(url, 1)
    assert after.settled == OLD


@pytest.mark.parametrize(
    ("known", "url"),
    [
        (KNOWN, "wss://new.example"),  # profile 1 is without TLS
        (SECURE, "ws://new.example"),
        (ConnectionProfiles(ConnectionProfile("wss://old.example", 0)), "ws://new.example"),
        (KNOWN, "http://new.example"),
        (KNOWN, "ws://"),
        (KNOWN, "ws://me:secret@new.example"),
        (KNOWN, "ws://new.example/?a=b"),
        (KNOWN, "ws://new.example/#a"),
        (KNOWN, "ws://new.example/a b"),
        (KNOWN, "ws://new.example:port"),
        (KNOWN, "ws://new.example:0"),
        (KNOWN, "ws://new.example:65536/"),
        (KNOWN, "ws://new.example:99999/"),
        (KNOWN, "ws://[::::]/a"),
        (KNOWN, "ws://[:]/"),
        (KNOWN, "ws://[1.2.3.4]/"),
        (KNOWN, "ws://[1:2:3:4:5:6:7]/"),
        (KNOWN, "ws://[1:2:3:4:5:6:7:8:9]/"),
        (KNOWN, "ws://[1::2::3]/"),
        (KNOWN, "ws://[1:2:3:4::5:6:7:8]/"),
        (KNOWN, "ws://[12345::]/"),
        (KNOWN, "ws://new.example/ä"),
        (KNOWN, "ws://new.example/" + "x" * 400),
        (KNOWN, ""),
    ],
)
def test_an_address_that_is_none_or_less_secure_is_rejected(known: ConnectionProfiles, url: str):
    assert after_change(known, URL, url) is None


@settings(max_examples=200, deadline=None)
@given(
    ipv6=st.one_of(
        st.text("0aF:", max_size=12),
        st.lists(st.sampled_from(["0", "a1", "FFFF", ""]), max_size=10).map(":".join),
        st.ip_addresses(v=6).map(str).filter(lambda text: "." not in text),
    ),
    port=st.one_of(st.just(""), st.integers(0, 99_999).map(":{}".format)),
)
def test_brackets_and_port_are_judged_as_the_library_does(ipv6: str, port: str):
    url = f"ws://[{ipv6}]{port}/a"
    try:
        IPv6Address(ipv6)
        is_fine = urlsplit(url).hostname == ipv6.lower() and urlsplit(url).port != 0
    except ValueError:
        is_fine = False
    assert (after_change(KNOWN, URL, url) is not None) == is_fine


def test_what_is_in_force_already_changes_nothing():
    assert changed(KNOWN, URL, OLD.url) == KNOWN


def test_one_thing_is_changed_at_a_time():
    """What is rolled back must not take along what the central system knows already."""
    moving = changed(KNOWN, URL, "ws://new.example")
    assert after_change(moving, PASSWORD, HEX) is None
    assert after_change(moving, PROFILE, "2") is None
    assert after_change(changed(KNOWN, PASSWORD, HEX), URL, "ws://new.example") is None


def test_a_change_during_its_trial_takes_the_place_of_it():
    after = changed(changed(KNOWN, URL, "ws://new.example"), URL, "ws://third.example")
    assert after.trial == ConnectionProfile("ws://third.example", 1)
    assert changed(after, URL, OLD.url) == KNOWN


def test_the_first_success_of_the_trial_settles_it():
    tried = changed(KNOWN, URL, "ws://new.example")
    assert tried.trial is not None
    assert after_success(tried, tried.trial) == ConnectionProfiles(
        tried.trial, has_password_file=True
    )


def test_an_address_is_rolled_back_where_the_old_one_works_just_after_it_did_not():
    tried = changed(KNOWN, URL, "ws://new.example")
    assert after_success(tried, OLD, instead_of=tried.trial) == KNOWN
    assert after_success(tried, OLD) == tried


def test_a_password_that_is_late_is_kept_as_a_last_resort():
    tried = changed(KNOWN, PASSWORD, HEX)
    doubted = after_success(tried, OLD, instead_of=tried.trial)
    assert doubted.settled == doubted.wanted == OLD
    assert doubted.is_doubted
    assert doubted.trial == ConnectionProfile(OLD.url, 1, HEX)
    assert ways(doubted, 9, 9) == (OLD, doubted.trial)
    assert after_success(doubted, ConnectionProfile(OLD.url, 1, HEX)).settled.password == HEX
    other = changed(doubted, PASSWORD, "00" * 16)
    assert other.trial == ConnectionProfile(OLD.url, 1, "00" * 16)
    assert not other.is_doubted


def test_a_success_of_something_else_changes_nothing():
    tried = changed(KNOWN, URL, "ws://new.example")
    assert after_success(tried, ConnectionProfile("ws://third.example", 1), tried.trial) == tried
    assert after_success(KNOWN, OLD) == KNOWN


def test_the_settled_way_is_tried_after_the_trial_and_never_in_its_place():
    trial = ConnectionProfile("ws://new.example", 1)
    tried = replace(KNOWN, trial=trial)
    assert ways(KNOWN, 9, 9) == (OLD,)
    assert [ways(tried, failures, 0) for failures in (0, TRIES - 1)] == [(trial,)] * 2
    assert ways(tried, TRIES, 0) == (trial, OLD)


def test_a_trial_that_is_held_waits_but_not_for_a_central_system_that_has_gone():
    trial = ConnectionProfile("ws://new.example", 1)
    held = replace(KNOWN, trial=trial, is_held=True)
    assert ways(held, 0, PATIENCE - 1) == (OLD,)
    assert ways(held, 0, PATIENCE) == (trial,)


@pytest.mark.parametrize(
    ("url", "elsewhere"),
    [
        ("wss://old.example/ocpp", False),
        ("ws://old.example/ocpp/", False),
        ("ws://old.example", True),
        ("ws://old.example:81/ocpp", True),
    ],
)
def test_with_tls_or_without_it_is_the_same_central_system(url: str, elsewhere: bool):
    assert replace(KNOWN, trial=ConnectionProfile(url, 1)).leads_elsewhere is elsewhere
    assert not KNOWN.leads_elsewhere


# --- at the start --------------------------------------------------------------------------------

FILE = ConnectionProfile("ws://old.example/ocpp", 1, "digest")


def test_without_anything_stored_the_file_counts():
    known = at_start(None, FILE, has_password_file=True)
    assert known == ConnectionProfiles(OLD, file=FILE, has_password_file=True)
    assert known.is_saved


@pytest.mark.parametrize("file", [FILE, replace(FILE, password="")])
def test_what_was_changed_is_found_again_with_its_trial(file: ConnectionProfile):
    stored = ConnectionProfiles(OLD, ConnectionProfile("ws://new.example", 1), file=FILE)
    known = at_start(stored, file, has_password_file=True)
    assert (known.settled, known.trial, known.file) == (stored.settled, stored.trial, FILE)


@pytest.mark.parametrize(
    "file",
    [
        replace(FILE, url="ws://third.example"),
        replace(FILE, profile=0),
        replace(FILE, password="other digest"),
    ],
)
def test_whoever_has_edited_the_file_since_meant_it(file: ConnectionProfile):
    stored = ConnectionProfiles(ConnectionProfile("ws://new.example", 1, HEX), file=FILE)
    known = at_start(stored, file, has_password_file=False)
    assert (known.settled, known.trial) == (replace(file, password=""), None)
    assert not known.is_saved  # else the old change would be back with the old file


def test_no_password_is_shown():
    assert HEX not in repr(changed(KNOWN, PASSWORD, HEX))
    assert "that of the file" in repr(OLD)


def test_a_password_counts_only_where_it_is_used():
    assert replace(OLD, profile=0, password=HEX).as_used == replace(OLD, profile=0)
    assert replace(OLD, password=HEX).as_used == replace(OLD, password=HEX)
