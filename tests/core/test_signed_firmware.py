"""A signed update: the same machine as a plain one, told with a request id and in more words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.core import events as ev
from agent.core import firmware_update
from agent.core.certificates import (
    Certificates,
    InspectedRoot,
    InstalledRoot,
    RootCertificate,
    RootUse,
    unfit_to_sign,
)
from agent.core.commands import Command, Reply, Restart
from agent.core.firmware_values import (
    SIGNED_STATUSES,
    CheckSignature,
    DropFirmware,
    FetchFirmware,
    Firmware,
    FirmwareNotFetched,
    FirmwareNotice,
    FirmwareStep,
    InstallEnded,
    InstallFirmware,
    SaveFirmware,
    SignatureChecked,
    Signing,
    TellFirmware,
)
from agent.core.security_event_values import RecordSecurityEvent, SecurityEventType
from agent.core.values import LockState, Status
from tests.core.story import NOON, Story, at, of, reading
from tests.core.test_firmware_update import (
    ASKED,
    FETCHED,
    HERE,
    NEW,
    PATIENT,
    WHERE,
    a_story_at,
    charging,
    deadline,
    statuses,
    step,
)
from tests.core.test_firmware_update import a_story as a_plain_story

SIGNING = Signing(7, "PEM", "c2lnbmF0dXJl")
ROOT = RootCertificate(
    "root", "CN=Root", NOON - timedelta(days=1), NOON + timedelta(days=1), "PEM", "1", b"", b""
)
LEAF = replace(ROOT, fingerprint="leaf", subject="CN=Leaf")
SIGNER = InspectedRoot(LEAF, "EC", 256, "sha256", signed_by=frozenset({"root", "another"}))
SIGNED = replace(ASKED, signing=SIGNING, signer=SIGNER)
GOOD = SignatureChecked("abcd")
BAD = SignatureChecked("abcd", "the signature is not that of the file")


def a_story(connectors: int = 1, firmware: Firmware = HERE) -> Story:
    """Where a root of the manufacturer is installed."""
    story = a_plain_story(connectors, firmware)
    known = Certificates((InstalledRoot(RootUse.MANUFACTURER, ROOT),))
    story.state = replace(story.state, certificates=known)
    return story


def told(commands: list[Command]) -> list[str]:
    """Every one with the request id."""
    notices = [command.notice for command in of(TellFirmware, commands)]
    assert all(notice.request_id == 7 for notice in notices)
    return [notice.status for notice in notices]


def events(commands: list[Command]) -> list[tuple[SecurityEventType, str]]:
    """What is written into the security log; all of it is told to the central system too."""
    rows = of(RecordSecurityEvent, commands)
    assert all(row.is_queued for row in rows)
    return [(row.event.type, row.event.tech_info) for row in rows]


def downloaded(connectors: int = 1, **fields: Any) -> Story:
    """Up to the check of the signature."""
    story = a_story(connectors)
    story.tell(replace(SIGNED, **fields))
    story.wait(1)
    story.tell(FETCHED)
    assert told(story.commands) == ["Downloading", "Downloaded"]
    return story


# --- the answer ----------------------------------------------------------------------------------


FOREIGN = "no installed ManufacturerRootCertificate has signed it"


@pytest.mark.parametrize(
    ("signer", "problem"),
    [
        (None, "it is not a certificate"),
        (replace(SIGNER, signed_by=frozenset({"another"})), FOREIGN),
        (replace(SIGNER, speaks_against_signing="keyUsage"), "it is for another use (keyUsage)"),
        (replace(SIGNER, key="DSA"), "its key (DSA) is neither RSA nor EC nor Ed25519"),
        (replace(SIGNER, key_bits=192), "its key of 192 bits is too weak (EC)"),
        (replace(SIGNER, signature_hash="sha1"), "it is signed with SHA1, which is broken"),
        (
            replace(SIGNER, certificate=replace(LEAF, not_after=NOON - timedelta(days=1))),
            "it has expired on 2026-02-28",
        ),
    ],
)
def test_a_certificate_that_may_not_sign_begins_nothing_and_calls_nothing_off(
    signer: InspectedRoot | None, problem: str
):
    story = a_story()
    story.tell(SIGNED)
    bad = replace(SIGNED, request_id="r2", signer=signer, problem="it is not a certificate")
    answer = story.tell(bad)
    assert of(Reply, answer) == [Reply("r2", "InvalidCertificate", problem)]
    assert of(DropFirmware, answer) == []
    assert events(answer) == [(SecurityEventType.INVALID_FIRMWARE_SIGNING_CERTIFICATE, problem)]
    assert of(FetchFirmware, story.wait(1)) == [FetchFirmware(WHERE)]


def test_the_root_itself_may_sign_whatever_it_says_of_its_use():
    signer = InspectedRoot(
        ROOT, "RSA", 2048, "sha256", speaks_against_signing="keyUsage", signed_by=frozenset()
    )
    story = a_story()
    assert of(Reply, story.tell(replace(SIGNED, signer=signer))) == [Reply("r1", "Accepted")]


def test_a_root_of_the_central_system_has_signed_no_firmware():
    known = Certificates((InstalledRoot(RootUse.CENTRAL_SYSTEM, ROOT),))
    assert unfit_to_sign(SIGNER, known, at(0)) == FOREIGN
    assert unfit_to_sign(replace(SIGNER, certificate=ROOT), known, at(0)) != ""


@pytest.mark.parametrize(
    ("takes_unsigned", "has_root", "status"),
    [
        (None, False, "Accepted"),
        (None, True, "NotSupported"),
        (True, True, "Accepted"),
        (False, False, "NotSupported"),
    ],
)
def test_unsigned_firmware_is_refused_as_configured_or_once_a_root_is_installed(
    takes_unsigned: bool | None, has_root: bool, status: str
):
    firmware = replace(HERE, takes_unsigned=takes_unsigned)
    story = a_story(firmware=firmware) if has_root else a_plain_story(firmware=firmware)
    (answer,) = of(Reply, story.tell(ASKED))
    assert answer.status == status
    assert bool(of(FetchFirmware, story.wait(1))) is (status == "Accepted")


def test_without_a_command_that_installs_it_is_refused_at_once():
    story = a_story(firmware=replace(HERE, can_install=False))
    (answer,) = of(Reply, story.tell(SIGNED))
    assert answer == Reply("r1", "Rejected", "this box has no firmware.install_command")
    assert told(story.wait(10)) == []


def test_an_address_that_leads_nowhere_is_refused_and_cancels_nothing():
    story = a_story(firmware=replace(HERE, takes_unsigned=True))
    story.tell(SIGNED)
    commands = story.tell(replace(SIGNED, request_id="r2", location_problem="it has a space"))
    why = "the firmware cannot be fetched: it has a space"
    assert commands == [Reply("r2", "Rejected", why)]
    assert of(FetchFirmware, story.wait(1)) == [FetchFirmware(SIGNED.location)]
    plain = story.tell(replace(ASKED, request_id="r3", location_problem="it has a space"))
    assert of(Reply, plain) == [Reply("r3", "AcceptedCanceled")]  # told by DownloadFailed


@pytest.mark.parametrize("first", [ASKED, SIGNED])
def test_a_second_request_cancels_the_first_whatever_kind_it_is_of(first: ev.Event):
    story = a_story(firmware=replace(HERE, takes_unsigned=True))
    story.tell(first)
    story.wait(1)
    again = story.tell(replace(SIGNED, request_id="r2", location="http://other.example/x"))
    assert of(DropFirmware, again) == [DropFirmware()]
    assert of(Reply, again) == [Reply("r2", "AcceptedCanceled")]
    assert of(FetchFirmware, story.wait(1)) == [FetchFirmware("http://other.example/x")]


def test_what_is_being_installed_is_not_cancelled():
    story = downloaded()
    story.tell(GOOD)
    (answer,) = of(Reply, story.tell(replace(SIGNED, request_id="r2")))
    assert answer == Reply("r2", "Rejected", "another one is being installed")


def test_the_statuses_of_the_one_before_keep_their_request_id():
    story = a_story()
    story.tell(SIGNED)
    story.wait(1)
    story.tell(replace(SIGNED, request_id="r2", signing=replace(SIGNING, request_id=8)))
    story.wait(1)
    update = story.state.firmware.update
    assert update is not None
    assert update.untold == (FirmwareNotice("Downloading", 7), FirmwareNotice("Downloading", 8))


# --- fetching ------------------------------------------------------------------------------------


def test_a_date_ahead_is_told_after_the_answer_and_waited_for():
    story = a_story()
    assert told(story.tell(replace(SIGNED, retrieve_at=NOON + timedelta(hours=2)))) == []
    assert told(story.wait(1)) == ["DownloadScheduled"]
    assert told(story.wait(2 * 3600 - 2)) == []
    assert told(story.wait(1)) == ["Downloading"]


def test_each_round_of_a_download_is_told_and_then_nothing_any_more():
    story = a_story()
    story.tell(SIGNED)
    rounds = [told(story.wait(1))]
    for _ in range(2):
        rounds.append(told(story.tell(FirmwareNotFetched("busy"))))
        assert told(story.wait(59)) == []
        rounds.append(told(story.wait(1)))
    rounds.append(told(story.tell(FirmwareNotFetched("busy still"))))
    assert rounds == [["Downloading"], ["DownloadFailed"]] * 3
    assert step(story) is FirmwareStep.DOWNLOAD_FAILED
    assert told(story.wait(10_000)) == []


# --- the signature -------------------------------------------------------------------------------


def test_nothing_is_installed_before_its_signature_is_verified():
    story = downloaded()
    assert of(CheckSignature, story.commands) == [CheckSignature("abcd", SIGNING)]
    story.wait(10_000)
    assert of(InstallFirmware, story.commands) == []
    assert statuses(story) == [Status.AVAILABLE]  # anybody may charge meanwhile
    verified = story.tell(GOOD)
    assert told(verified) == ["SignatureVerified", "Installing"]
    assert of(InstallFirmware, verified) == [InstallFirmware("abcd", SIGNING)]
    assert statuses(story) == [Status.UNAVAILABLE]


def test_a_wrong_signature_is_the_end_and_the_file_goes():
    story = downloaded()
    end = story.tell(BAD)
    assert told(end) == ["InvalidSignature"]
    assert of(DropFirmware, end) == [DropFirmware()]
    assert events(end) == [(SecurityEventType.INVALID_FIRMWARE_SIGNATURE, BAD.problem)]
    assert statuses(story) == [Status.AVAILABLE]
    story.tell(GOOD)
    story.wait(10_000)
    assert of(InstallFirmware, story.commands) == []


def test_the_check_of_another_file_counts_for_nothing():
    story = downloaded()
    for late in (SignatureChecked("other"), SignatureChecked("other", "bad")):
        assert of(SaveFirmware, story.tell(late)) == []
    assert step(story) is FirmwareStep.DOWNLOADED


def test_a_file_that_has_changed_since_is_not_installed_and_the_connectors_are_back():
    story = downloaded()
    story.tell(GOOD)
    end = story.tell(InstallEnded("the file is not the one that was fetched", is_verified=False))
    assert told(end) == ["InstallVerificationFailed"]
    assert [kind for kind, _ in events(end)] == [SecurityEventType.INVALID_FIRMWARE_SIGNATURE]
    assert of(DropFirmware, end) == [DropFirmware()]
    assert statuses(story) == [Status.AVAILABLE]


def test_of_a_plain_update_a_file_that_has_changed_is_an_installation_that_failed():
    story = a_plain_story()
    story.tell(ASKED)
    story.wait(1)
    story.tell(FETCHED)
    end = story.tell(InstallEnded("changed", is_verified=False))
    (failed,) = of(TellFirmware, end)
    assert failed.notice == FirmwareNotice("InstallationFailed")
    assert events(end) == [(SecurityEventType.INVALID_FIRMWARE_SIGNATURE, "changed")]


# --- when it is installed ------------------------------------------------------------------------


def test_connectors_become_unavailable_one_after_the_other_as_they_become_free():
    story = downloaded(connectors=2)
    charging(story)
    assert told(story.tell(GOOD)) == ["SignatureVerified"]
    assert statuses(story)[1] is Status.UNAVAILABLE
    assert statuses(story)[0] is not Status.UNAVAILABLE
    story.wait(10)
    story.tell(ev.CableUnplugged(1), ev.ContactorOpened(1), ev.MeterRead(1, reading(2000)))
    story.tell(ev.LockChanged(1, LockState.UNLOCKED))
    assert told(story.commands)[-1] == "Installing"
    assert statuses(story) == [Status.UNAVAILABLE] * 2
    story.tell(InstallEnded("no good"))
    assert Status.UNAVAILABLE not in statuses(story)


def test_a_time_ahead_is_told_and_charging_goes_on_until_then():
    story = downloaded(install_at=NOON + timedelta(hours=2))
    assert told(story.tell(GOOD)) == ["SignatureVerified", "InstallScheduled"]
    assert statuses(story) == [Status.AVAILABLE]
    assert deadline(story.state) == pytest.approx(1000 + 7200)
    assert told(story.wait(7100)) == []
    assert told(story.wait(100)) == ["Installing"]
    assert of(InstallFirmware, story.commands) == [InstallFirmware("abcd", SIGNING)]


def test_when_the_time_comes_a_session_is_waited_for_and_nobody_else_begins():
    story = downloaded(connectors=2, install_at=NOON + timedelta(seconds=60))
    story.tell(GOOD)
    charging(story)
    assert told(story.wait(100)) == []
    assert statuses(story)[1] is Status.UNAVAILABLE
    assert firmware_update.deadline_s(story.state, at(story.seconds)) is None
    assert told(story.wait(10_000)) == []


def test_a_time_that_has_passed_is_no_time():
    story = downloaded(install_at=NOON - timedelta(days=1))
    assert told(story.tell(GOOD)) == ["SignatureVerified", "Installing"]


def test_an_agent_that_restarts_itself_tells_so_before():
    story = downloaded()
    story.tell(GOOD)
    ended = story.tell(InstallEnded())
    assert told(ended) == ["InstallRebooting"]
    assert of(Restart, ended) == [Restart(again=True)]


# --- the next process ----------------------------------------------------------------------------


def found(left_at: FirmwareStep, **fields: Any) -> Story:
    story = a_story_at(left_at, signing=SIGNING, sha256="abcd", **fields)
    story.tell(ev.Started())
    return story


def test_a_check_that_was_cut_off_is_made_again():
    story = found(FirmwareStep.DOWNLOADED)
    assert of(CheckSignature, story.commands) == [CheckSignature("abcd", SIGNING)]
    assert of(InstallFirmware, story.commands) == []
    assert told(story.tell(GOOD)) == ["SignatureVerified", "Installing"]


def test_what_waits_to_be_installed_is_installed_with_the_signature_it_is_checked_by_once_more():
    story = found(FirmwareStep.SIGNATURE_VERIFIED)
    assert of(InstallFirmware, story.commands) == [InstallFirmware("abcd", SIGNING)]


def test_what_is_scheduled_stays_scheduled_and_is_not_told_again():
    story = found(FirmwareStep.INSTALL_SCHEDULED, install_at=NOON + timedelta(hours=1))
    assert told(story.commands) == []
    assert told(story.wait(3601)) == ["Installing"]


@pytest.mark.parametrize("left_at", [FirmwareStep.DOWNLOAD_SCHEDULED, FirmwareStep.RETRYING])
def test_a_download_that_was_waited_for_is_begun_by_the_next_process(left_at: FirmwareStep):
    story = found(left_at)
    assert told(story.wait(1)) == ["Downloading"]
    assert of(FetchFirmware, story.commands) == [FetchFirmware(WHERE)]


def test_a_new_version_that_has_come_up_is_installed_for_its_request():
    story = found(FirmwareStep.RESTARTING, firmware=NEW)
    assert told(story.commands) == ["Installed"]


def test_who_installs_elsewhere_and_was_cut_off_may_still_succeed():
    story = found(FirmwareStep.INSTALLING, firmware=PATIENT)
    assert told(story.commands) == []
    assert told(story.wait(901)) == ["InstallationFailed"]


# --- what a trigger tells ------------------------------------------------------------------------


@pytest.mark.parametrize("place", FirmwareStep)
def test_a_trigger_tells_the_last_status_and_after_installed_idle(place: FirmwareStep):
    firmware = a_story_at(place, signing=SIGNING).state.firmware
    status = SIGNED_STATUSES.get(place, "Idle")
    if status in ("Idle", "Installed"):
        assert firmware.signed_notice == FirmwareNotice("Idle")
    else:
        assert firmware.signed_notice == FirmwareNotice(status, 7)
    assert firmware.notice == FirmwareNotice("Idle")  # of a plain one there is none


@pytest.mark.parametrize("place", FirmwareStep)
def test_of_a_plain_update_the_trigger_of_the_signed_ones_tells_nothing(place: FirmwareStep):
    assert a_story_at(place).state.firmware.signed_notice == FirmwareNotice("Idle")
    assert HERE.signed_notice == FirmwareNotice("Idle")
