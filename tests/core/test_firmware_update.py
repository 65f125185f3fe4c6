"""A firmware update: fetched, installed when nobody charges, and told honestly over the restart."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.core import events as ev
from agent.core import followers
from agent.core.commands import Command, NotifyStatus, Reply, Restart
from agent.core.firmware_update import UNTOLD_MAX
from agent.core.firmware_values import (
    PLAIN_STATUSES,
    DropFirmware,
    FetchFirmware,
    Firmware,
    FirmwareFetched,
    FirmwareNotFetched,
    FirmwareNotice,
    FirmwareStep,
    FirmwareTold,
    FirmwareUpdate,
    InstallEnded,
    InstallFirmware,
    SaveFirmware,
    TellFirmware,
    UpdateAsked,
)
from agent.core.state import ChargePoint, Charging, Idle, Starting
from agent.core.status_notification import status_of
from agent.core.values import LockState, Status
from tests.core.story import CARD, NOON, Story, a_charge_point, at, listed, of, reading, tap

WHERE = "http://files.example.com/image"
ASKED = UpdateAsked("r1", WHERE, NOON, 2, 60)
FETCHED = FirmwareFetched("abcd")
HERE = Firmware(version="1.0", can_install=True, restarts_itself=True, wait_s=900.0)


def a_story(connectors: int = 1, firmware: Firmware = HERE, **keys: str) -> Story:
    return Story(replace(a_charge_point(connectors, **keys), firmware=firmware))


def a_story_at(step: FirmwareStep, **fields: Any) -> Story:
    """The first story of a new process, which finds an update at this step."""
    found: dict[str, Any] = {"step": step, "version_before": "1.0", "is_resumed": False, **fields}
    firmware = found.pop("firmware", HERE)
    update = FirmwareUpdate(WHERE, NOON, 2, 60, **found)
    state = replace(a_charge_point(), firmware=replace(firmware, update=update), is_begun=False)
    return Story(state)


def told(commands: list[Command]) -> list[str]:
    return [command.notice.status for command in of(TellFirmware, commands)]


def notices(*statuses: str) -> tuple[FirmwareNotice, ...]:
    return tuple(FirmwareNotice(status) for status in statuses)


def step(story: Story) -> FirmwareStep:
    update = story.state.firmware.update
    assert update is not None
    return update.step


def untold(story: Story) -> tuple[str, ...]:
    update = story.state.firmware.update
    assert update is not None
    return tuple(notice.status for notice in update.untold)


# --- fetching ------------------------------------------------------------------------------------


def test_the_answer_comes_before_anything_is_told_or_fetched():
    story = a_story()
    first = story.tell(ASKED)
    assert of(Reply, first) == [Reply("r1", "Accepted")]
    assert told(first) == []
    then = story.wait(1)
    assert told(then) == ["Downloading"]
    assert of(FetchFirmware, then) == [FetchFirmware(WHERE)]
    assert story.state.firmware.notice.status == "Downloading"


def test_the_date_permits_and_is_waited_for():
    story = a_story()
    story.tell(replace(ASKED, retrieve_at=NOON + timedelta(hours=2)))
    assert told(story.wait(2 * 3600 - 1)) == []
    assert story.state.firmware.notice.status == "Idle"
    assert told(story.wait(1)) == ["Downloading"]


def test_every_step_is_stored_before_it_is_told():
    story = a_story()
    story.tell(ASKED)
    story.wait(1)
    story.tell(FETCHED)
    saved = [command.update.step for command in of(SaveFirmware, story.commands)]
    assert saved == [
        FirmwareStep.SCHEDULED,
        FirmwareStep.DOWNLOADING,
        FirmwareStep.DOWNLOADED,
        FirmwareStep.INSTALLING,
    ]
    for place, command in enumerate(story.commands):
        if isinstance(command, TellFirmware):
            assert any(
                isinstance(before, SaveFirmware) and before.update.notice == command.notice
                for before in story.commands[:place]
            )


def test_a_failed_download_is_tried_again_and_told_once():
    story = a_story()
    story.tell(ASKED)
    story.wait(1)
    for _ in range(2):
        assert told(story.tell(FirmwareNotFetched("busy"))) == []
        assert of(FetchFirmware, story.wait(59)) == []
        assert of(FetchFirmware, story.wait(2)) == [FetchFirmware(WHERE)]
        assert story.state.firmware.notice.status == "Downloading"
    last = story.tell(FirmwareNotFetched("busy still"))
    assert of(TellFirmware, last) == [TellFirmware(FirmwareNotice("DownloadFailed"), "busy still")]
    assert of(DropFirmware, last) == [DropFirmware()]
    assert story.state.firmware.notice.status == "Idle"
    assert told(story.wait(10_000)) == []


def test_without_a_command_nothing_is_fetched_and_the_installation_has_failed():
    story = a_story(firmware=replace(HERE, can_install=False))
    story.tell(ASKED)
    then = story.wait(1)
    assert of(TellFirmware, then) == [
        TellFirmware(
            FirmwareNotice("InstallationFailed"), "this box has no firmware.install_command"
        )
    ]
    assert of(FetchFirmware, then) == []
    assert story.state.firmware.notice.status == "Idle"


def test_a_new_request_takes_the_place_of_one_that_is_not_being_installed():
    story = a_story()
    story.tell(ASKED)
    story.wait(1)
    again = story.tell(replace(ASKED, request_id="r2", location="http://other.example/x"))
    assert of(DropFirmware, again) == [DropFirmware()]
    assert of(Reply, again) == [Reply("r2", "AcceptedCanceled")]
    assert untold(story) == ("Downloading",)  # each step must be told, of the first one too
    assert of(FetchFirmware, story.wait(1)) == [FetchFirmware("http://other.example/x")]


def test_of_statuses_that_nobody_takes_the_newest_are_kept():
    story = a_story_at(FirmwareStep.DOWNLOADING, untold=notices("Installed", *["Downloading"] * 49))
    story.tell(ev.Started())
    story.tell(FETCHED)
    assert untold(story)[:1] == ("Downloading",)
    assert untold(story)[-2:] == ("Downloaded", "Installing")
    assert len(untold(story)) == UNTOLD_MAX


def test_what_was_called_off_may_still_report_and_changes_nothing():
    story = a_story()
    for late in (
        FETCHED,
        FirmwareNotFetched("late"),
        InstallEnded(),
        FirmwareTold(FirmwareNotice("Installed")),
    ):
        assert of(SaveFirmware, story.tell(late)) == []
    story.tell(replace(ASKED, retrieve_at=NOON + timedelta(hours=1)))
    for late in (FETCHED, FirmwareNotFetched("late"), InstallEnded("late")):
        story.tell(late)
        assert step(story) is FirmwareStep.SCHEDULED


# --- waiting for sessions ------------------------------------------------------------------------


def charging(story: Story) -> None:
    story.tell(ev.CablePluggedIn(1), tap(facts=listed(), connectors=(1,)))
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1000)))
    assert isinstance(story.connector.phase, Charging)


def statuses(story: Story) -> list[Status]:
    now = at(story.seconds)
    return [status_of(story.state, connector, now) for connector in story.state.connectors]


def test_sessions_are_waited_for_and_free_connectors_are_unavailable_meanwhile():
    story = a_story(connectors=2)
    charging(story)
    story.tell(ASKED)
    story.wait(1)
    assert statuses(story)[1] is Status.AVAILABLE  # while it is fetched, anybody may charge
    fetched = story.tell(FETCHED)
    assert told(fetched) == ["Downloaded"]
    assert of(InstallFirmware, fetched) == []
    assert statuses(story)[1] is Status.UNAVAILABLE
    assert story.state.inoperative == frozenset()  # it is our own, and outlives nothing
    story.wait(100)
    assert isinstance(story.connector.phase, Charging)
    story.tell(ev.CableUnplugged(1), ev.ContactorOpened(1), ev.MeterRead(1, reading(2000)))
    story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    installed = of(InstallFirmware, story.commands)
    assert installed == [InstallFirmware("abcd")]
    assert told(story.commands)[-1] == "Installing"


def test_a_card_is_refused_while_an_image_waits():
    story = a_story(connectors=2)
    charging(story)
    story.tell(ASKED)
    story.wait(1)
    story.tell(FETCHED)
    story.tell(ev.CablePluggedIn(2), tap("OTHER", facts=listed(), connectors=(2,)))
    assert isinstance(story.state.connector(2).phase, Idle)
    assert story.state.waiting == ()


def test_whoever_was_told_to_plug_in_is_waited_for():
    story = a_story()
    story.tell(ASKED)
    story.wait(1)
    story.tell(tap(facts=listed(), connectors=(1,)))
    assert of(InstallFirmware, story.tell(FETCHED)) == []
    assert statuses(story) == [Status.PREPARING]
    assert of(InstallFirmware, story.wait(61)) == [InstallFirmware("abcd")]


def test_a_plug_without_a_session_holds_up_nothing():
    story = a_story()
    story.tell(ev.CablePluggedIn(1), ASKED)
    story.wait(1)
    assert of(InstallFirmware, story.tell(FETCHED)) == [InstallFirmware("abcd")]
    assert statuses(story) == [Status.UNAVAILABLE]


def test_after_a_failure_the_connectors_are_back_as_the_central_system_wants_them():
    story = a_story(connectors=2)
    story.tell(ev.AvailabilityChangeRequested("r9", 2, operative=False), ASKED)
    story.wait(1)
    story.tell(FETCHED)
    assert statuses(story) == [Status.UNAVAILABLE] * 2
    failed = story.tell(InstallEnded("no good"))
    assert of(TellFirmware, failed) == [
        TellFirmware(FirmwareNotice("InstallationFailed"), "no good")
    ]
    assert statuses(story) == [Status.AVAILABLE, Status.UNAVAILABLE]
    reports = [command.report for command in of(NotifyStatus, failed)]
    assert [(report.connector_id, report.status) for report in reports] == [(1, Status.AVAILABLE)]


# --- installing ----------------------------------------------------------------------------------


def installing(firmware: Firmware = HERE) -> Story:
    story = a_story(firmware=firmware)
    story.tell(ASKED)
    story.wait(1)
    story.tell(FETCHED)
    assert step(story) is FirmwareStep.INSTALLING
    story.commands.clear()
    return story


def test_while_it_is_installed_neither_reset_nor_another_update_comes_between():
    story = installing()
    answers = story.tell(
        ev.ResetRequested("r2", hard=True), replace(ASKED, request_id="r3", location="http://x/")
    )
    assert [(reply.request_id, reply.status) for reply in of(Reply, answers)] == [
        ("r2", "Rejected"),
        ("r3", "Rejected"),
    ]
    assert story.state.restart is None
    assert step(story) is FirmwareStep.INSTALLING
    assert story.state.firmware.notice.status == "Installing"


def test_when_the_command_is_content_the_agent_restarts_itself():
    story = installing()
    assert of(Restart, story.tell(InstallEnded())) == [Restart(again=True)]
    assert step(story) is FirmwareStep.RESTARTING
    assert untold(story) == ("Downloading", "Downloaded", "Installing")


def test_an_agent_that_is_ending_already_is_not_told_to_restart():
    story = installing()
    story.tell(ev.ShutdownRequested(), InstallEnded())
    assert story.state.restart is not None
    assert not story.state.restart.again


def test_a_restart_that_never_comes_is_a_failure():
    story = installing()
    story.tell(InstallEnded())
    failed = of(TellFirmware, story.wait(901))
    assert failed == [TellFirmware(FirmwareNotice("InstallationFailed"), "version 1.0 still runs")]


def test_who_waits_to_be_restarted_does_not_wait_for_ever():
    story = installing(replace(HERE, restarts_itself=False))
    assert of(Restart, story.tell(InstallEnded())) == []
    assert told(story.wait(899)) == []
    assert told(story.wait(2)) == ["InstallationFailed"]
    assert story.state.firmware.notice.status == "Idle"


def test_a_status_that_was_taken_is_not_kept_nor_one_before_it_that_was_given_up():
    story = installing()
    saved = of(SaveFirmware, story.tell(FirmwareTold(FirmwareNotice("Downloaded"))))
    assert len(saved) == 1
    assert untold(story) == ("Installing",)
    assert of(SaveFirmware, story.tell(FirmwareTold(FirmwareNotice("Downloaded")))) == []


# --- the next process ----------------------------------------------------------------------------

NEW = replace(HERE, version="2.0")
PATIENT = replace(HERE, restarts_itself=False)


def test_nothing_is_decided_before_the_process_has_begun():
    story = a_story_at(FirmwareStep.RESTARTING, firmware=NEW)
    assert told(story.tell(ev.TimePassed())) == []


@pytest.mark.parametrize("found", [FirmwareStep.INSTALLING, FirmwareStep.RESTARTING])
def test_a_new_version_that_has_come_up_is_installed(found: FirmwareStep):
    story = a_story_at(found, firmware=NEW, untold=notices("Installing"))
    commands = story.tell(ev.Started())
    assert told(commands) == ["Installing", "Installed"]
    assert "2.0" in of(TellFirmware, commands)[1].why
    assert untold(story) == ("Installing", "Installed")
    assert of(DropFirmware, commands) == [DropFirmware()]


def test_the_old_version_after_the_restart_is_told_as_it_is():
    story = a_story_at(FirmwareStep.RESTARTING)
    (failed,) = of(TellFirmware, story.tell(ev.Started()))
    assert failed.notice.status == "InstallationFailed"
    assert "version 1.0 still runs: rolled back" in failed.why


def test_an_agent_that_died_while_it_was_installed_tells_so():
    story = a_story_at(FirmwareStep.INSTALLING)
    (failed,) = of(TellFirmware, story.tell(ev.Started()))
    assert failed.why == "the agent was ended while it was being installed"


def test_whoever_installs_elsewhere_may_still_be_at_it_after_a_restart():
    story = a_story_at(FirmwareStep.INSTALLING, firmware=PATIENT)
    assert told(story.tell(ev.Started())) == []
    assert statuses(story) == [Status.UNAVAILABLE]
    assert told(story.wait(899)) == []
    assert told(story.wait(2)) == ["InstallationFailed"]
    assert statuses(story) == [Status.AVAILABLE]


@pytest.mark.parametrize("found", [FirmwareStep.SCHEDULED, FirmwareStep.DOWNLOADING])
def test_a_download_that_was_cut_off_is_begun_again(found: FirmwareStep):
    story = a_story_at(found)
    story.tell(ev.Started())
    assert of(FetchFirmware, story.wait(1)) == [FetchFirmware(WHERE)]


def test_an_image_that_waited_is_installed():
    story = a_story_at(FirmwareStep.DOWNLOADED, sha256="abcd")
    assert of(InstallFirmware, story.tell(ev.Started())) == [InstallFirmware("abcd")]


@pytest.mark.parametrize(
    "found",
    [
        FirmwareStep.INSTALLED,
        FirmwareStep.DOWNLOAD_FAILED,
        FirmwareStep.INSTALLATION_FAILED,
    ],
)
def test_of_an_update_that_is_over_only_what_was_not_taken_is_told_again(found: FirmwareStep):
    story = a_story_at(found, firmware=NEW, untold=notices("Installing", PLAIN_STATUSES[found]))
    assert told(story.tell(ev.Started())) == ["Installing", PLAIN_STATUSES[found]]
    assert told(story.wait(10_000)) == []
    assert story.state.firmware.notice.status == "Idle"


def test_a_version_that_has_gone_again_after_it_had_come_up_is_told_once():
    story = a_story_at(FirmwareStep.INSTALLED)
    (failed,) = of(TellFirmware, story.tell(ev.Started()))
    assert failed.notice.status == "InstallationFailed"
    assert failed.why == "version 1.0 runs again: rolled back"
    assert step(story) is FirmwareStep.INSTALLATION_FAILED
    assert told(story.wait(10_000)) == []


def test_the_box_wakes_up_for_the_update_and_for_nothing_after_it():
    story = a_story()
    assert deadline(story.state) is None
    story.tell(replace(ASKED, retrieve_at=NOON + timedelta(seconds=90)))
    assert deadline(story.state) == pytest.approx(1000.2)
    story.wait(1)
    assert deadline(story.state) == pytest.approx(1090)
    story.wait(99)
    assert deadline(story.state) is None
    story.tell(FirmwareNotFetched("busy"))
    assert deadline(story.state) == pytest.approx(1160)
    story.wait(61)
    story.tell(FETCHED, InstallEnded("no good"))
    assert deadline(story.state) is None


def deadline(state: ChargePoint) -> float | None:
    return followers.next_deadline_s(state, at(0.0))


def test_a_card_may_charge_again_after_the_update():
    story = installing()
    story.tell(InstallEnded("no good"), ev.CablePluggedIn(1), tap(CARD, facts=listed()))
    assert isinstance(story.connector.phase, Starting)
