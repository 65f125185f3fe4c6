"""The way to the central system, changed while the charge point works."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.commands import ApplyConfiguration, Reply, SaveConfigurationKey
from agent.core.configuration import start_values
from agent.core.connection_profile import (
    PASSWORD,
    PROFILE,
    URL,
    ConnectionProfile,
    ConnectionProfiles,
    LinkOpened,
    SaveConnectionProfiles,
    what_is_needed,
)
from agent.core.events import MessageAnswered
from agent.core.values import PilotState
from tests.core.story import Story, a_charge_point, charging, listed, of, reading, tap

HEX = "4F43415F4F4354545F61646D696E5F74657374"
OLD = ConnectionProfile("ws://old.example/ocpp", 1)
NEW = ConnectionProfile("ws://new.example/ocpp", 1)
KNOWN = ConnectionProfiles(OLD, has_password_file=True)


def a_story(known: ConnectionProfiles = KNOWN) -> Story:
    story = Story(replace(a_charge_point(), approaches=known))
    story.tell(ev.TimePassed())  # the statuses are told
    return story


def rejected(key: str) -> Reply:
    """The answer, and for the log what such a change needs."""
    return Reply("r1", "Rejected", what_is_needed(KNOWN, key))


def change(story: Story, key: str, value: str) -> list[object]:
    return list(story.tell(ev.ConfigurationChangeRequested("r1", key, value)))


def moving() -> Story:
    """The link is about to try another central system."""
    story = a_story()
    change(story, URL, NEW.url)
    return story


def test_a_change_is_kept_before_it_is_answered_and_the_link_follows_then():
    story = a_story()
    commands = change(story, "AUTHORIZATIONKEY", HEX)
    known = story.state.approaches
    assert known.trial == replace(OLD, password=HEX)
    assert of(SaveConnectionProfiles, commands) == [SaveConnectionProfiles(known)]
    rest = [command for command in commands if isinstance(command, Reply | ApplyConfiguration)]
    assert rest == [Reply("r1", "Accepted"), ApplyConfiguration(PASSWORD, "")]
    assert of(SaveConfigurationKey, commands) == []
    assert HEX not in repr(commands)


@pytest.mark.parametrize(
    ("key", "value"), [(PASSWORD, "short"), (PROFILE, "0"), (URL, "http://new.example")]
)
def test_what_cannot_be_is_rejected_and_changes_nothing(key, value):
    story = a_story()
    assert change(story, key, value) == [rejected(key)]
    assert story.state.approaches == KNOWN


def test_what_was_rejected_says_what_it_needs_and_no_value():
    story = a_story()
    (reply,) = of(Reply, change(story, PASSWORD, "my secret"))
    assert reply.detail.startswith("AuthorizationKey needs 32 to 40 hex digits")
    assert "my secret" not in reply.detail
    change(story, URL, NEW.url)
    (reply,) = of(Reply, change(story, PROFILE, "2"))
    assert "2 need a password" in reply.detail
    assert reply.detail.endswith("another change is on trial, and one is made at a time")


def test_without_a_central_system_there_is_no_way_to_change():
    story = a_story(ConnectionProfiles())
    assert change(story, URL, NEW.url) == [rejected(URL)]


def test_what_is_in_force_already_is_accepted_and_leaves_the_link_alone():
    assert change(a_story(), URL, OLD.url) == [Reply("r1", "Accepted")]


def test_the_keys_tell_what_was_accepted_but_never_the_password():
    story = moving()
    configuration = story.state.configuration
    assert configuration.find(URL) is not None
    assert configuration.text(URL) == NEW.url
    assert configuration.text(PROFILE) == "1"
    assert configuration.find(PASSWORD) is None
    assert PASSWORD not in configuration.values


@pytest.mark.parametrize("key", [PASSWORD, PROFILE, URL])
def test_the_file_has_a_section_for_them(key):
    with pytest.raises(ValueError, match="central_system"):
        start_values({key: "1"})


@pytest.mark.parametrize("key", [PASSWORD, PROFILE, URL])
def test_nothing_else_can_change_them(key):
    configuration = a_charge_point().configuration
    assert configuration.change(key, "1")[1].value == "Rejected"


def test_a_password_has_worked_once_the_connection_is_open():
    story = a_story()
    change(story, PASSWORD, HEX)
    commands = story.tell(LinkOpened(replace(OLD, password=HEX)))
    known = story.state.approaches
    assert (known.settled, known.trial) == (replace(OLD, password=HEX), None)
    assert of(SaveConnectionProfiles, commands) == [SaveConnectionProfiles(known)]


@pytest.mark.parametrize("profile", [0, 3])
def test_a_password_without_a_use_is_kept_and_leaves_the_link_alone(profile):
    way = ConnectionProfile("wss://old.example/ocpp", profile)
    story = a_story(ConnectionProfiles(way))
    change(story, PASSWORD, HEX)
    known = story.state.approaches
    assert (known.settled.password, known.trial) == (HEX, None)
    assert known.wanted.as_used == way


@pytest.mark.parametrize("value", ["0", "1", "2", "3"])
def test_profile_3_comes_and_goes_by_the_file_only(value):
    story = a_story(ConnectionProfiles(ConnectionProfile("wss://old.example/ocpp", 3)))
    assert change(story, PROFILE, value) == [rejected(PROFILE)]
    lower = a_story(ConnectionProfiles(ConnectionProfile("wss://a.example", 2, HEX)))
    assert change(lower, PROFILE, "3") == [rejected(PROFILE)]


def test_another_central_system_has_to_accept_the_box_first():
    story = moving()
    story.tell(LinkOpened(NEW))
    assert story.state.approaches.trial == NEW
    commands = story.tell(ev.LinkAccepted())
    assert story.state.approaches.settled == NEW
    assert story.state.approaches.trial is None
    assert of(SaveConnectionProfiles, commands) == [SaveConnectionProfiles(story.state.approaches)]


def test_the_old_one_is_taken_back_when_only_that_works():
    story = moving()
    story.tell(LinkOpened(NEW))
    commands = story.tell(ev.LinkLost("not accepted"), LinkOpened(OLD, instead_of=NEW))
    assert story.state.approaches.settled == OLD
    assert story.state.approaches.trial is None
    assert story.state.configuration.text(URL) == OLD.url
    assert of(SaveConnectionProfiles, commands)
    assert of(SaveConnectionProfiles, story.tell(ev.LinkAccepted())) == []


def test_a_connection_by_the_way_that_is_settled_writes_nothing():
    story = a_story()
    assert of(SaveConnectionProfiles, story.tell(LinkOpened(OLD), ev.LinkAccepted())) == []


def test_a_session_ends_where_it_began_before_the_box_goes_elsewhere():
    story = charging()
    story.state = replace(story.state, approaches=KNOWN)
    change(story, URL, NEW.url)
    assert story.state.approaches.is_held
    story.tell(MessageAnswered(1, 1, transaction_id=7))
    story.tell(tap(facts=listed()), ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    story.tell(ev.MeterRead(1, reading(1500)))
    assert story.connector.transaction is None
    assert story.state.approaches.is_held  # its stop has not been delivered yet
    commands = story.tell(MessageAnswered(2, 1))
    assert not story.state.approaches.is_held
    assert of(ApplyConfiguration, commands) == [ApplyConfiguration(URL, "")]


def test_another_way_to_the_same_one_waits_for_nothing():
    story = charging()
    story.state = replace(story.state, approaches=KNOWN)
    change(story, PASSWORD, HEX)
    assert not story.state.approaches.is_held


def test_what_the_file_has_overruled_is_forgotten_for_good():
    story = Story(replace(a_charge_point(), approaches=replace(KNOWN, is_saved=False)))
    assert of(SaveConnectionProfiles, story.tell(ev.TimePassed())) == [
        SaveConnectionProfiles(replace(KNOWN, is_saved=False))
    ]
    assert of(SaveConnectionProfiles, story.tell(ev.TimePassed())) == []
