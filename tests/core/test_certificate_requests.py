"""Roots that are installed and deleted: what is kept, and what would cut the box off."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.core import events as ev
from agent.core.certificates import (
    Certificate,
    Certificates,
    InspectedRoot,
    InstalledRoot,
    RemoveRoot,
    SaveRoot,
)
from agent.core.commands import Command, Reply
from agent.core.connection_profile import (
    ConnectionProfile,
    ConnectionProfiles,
    LinkOpened,
    SaveConnectionProfiles,
    at_start,
)
from agent.core.faults import Fault
from agent.core.security_event_values import RecordSecurityEvent, TellSecurityEvent
from agent.core.state import Rules
from tests.core.story import NOON, Story, a_charge_point, of
from tests.core.test_certificates import (
    BEGIN,
    CENTRAL,
    END,
    MANUFACTURER,
    A,
    B,
    a_certificate,
    a_root,
)

PLAIN = ConnectionProfile("ws://cs.example/ocpp", 1)
TLS = ConnectionProfile("wss://cs.example/ocpp", 2)
LEAF = Certificate("leaf", "cs", BEGIN, END)
C = a_root("C")


def a_story(
    *installed: InstalledRoot,
    way: ConnectionProfile = TLS,
    by: InstalledRoot | None = None,
    rules: Rules | None = None,
    **keys: str,
) -> Story:
    """Connected this way, verified ``by`` one of those installed."""
    state = a_charge_point(rules=rules, **keys)
    known = ConnectionProfiles(way, has_password_file=True)
    story = Story(replace(state, approaches=known, certificates=Certificates(installed)))
    chain = () if by is None else (LEAF, by.certificate)
    story.tell(ev.TimePassed(), LinkOpened(way, chain=chain))
    return story


def checked(*installed: InstalledRoot, by: InstalledRoot | None = None) -> Story:
    return a_story(*installed, by=by, AdditionalRootCertificateCheck="true")


def install(
    story: Story, root: InstalledRoot, *, signed_by: tuple[InstalledRoot, ...] = (), **facts: Any
) -> list[object]:
    names = frozenset(other.certificate.fingerprint for other in signed_by)
    found = InspectedRoot(root.certificate, "EC", 256, "sha256", signed_by=names)
    found = replace(found, **facts)
    return without_events(story.tell(ev.InstallRootRequested("r1", root.use, found)))


def without_events(commands: list[Command]) -> list[object]:
    """What is done besides noting it in the security log."""
    noting = RecordSecurityEvent | TellSecurityEvent
    return [command for command in commands if not isinstance(command, noting)]


def delete(story: Story, fingerprint: str) -> list[object]:
    return without_events(story.tell(ev.DeleteRootRequested("r1", fingerprint)))


def status(commands: list[object]) -> str:
    (reply,) = [command for command in commands if isinstance(command, Reply)]
    assert bool(reply.detail) == (reply.status in ("Rejected", "Failed"))
    return reply.status


def installed(story: Story) -> tuple[InstalledRoot, ...]:
    return story.state.certificates.installed


# --- InstallCertificate --------------------------------------------------------------------------


@pytest.mark.parametrize("use", [CENTRAL, MANUFACTURER])
def test_a_root_is_kept_in_the_commit_of_its_answer(use):
    story, root = a_story(), a_root("A", use)
    assert install(story, root) == [SaveRoot(root), Reply("r1", "Accepted")]
    assert installed(story) == (root,)


def test_what_cannot_be_read_is_rejected_with_its_reason():
    story = a_story()
    commands = story.tell(ev.InstallRootRequested("r1", CENTRAL, None, "it is junk"))
    assert without_events(commands) == [Reply("r1", "Rejected", "InstallCertificate: it is junk")]


@pytest.mark.parametrize(("use", "is_noted"), [(CENTRAL, True), (MANUFACTURER, False)])
def test_a_rejected_root_of_the_central_system_is_told_as_a_security_event(use, is_noted):
    commands = a_story().tell(ev.InstallRootRequested("r1", use, None, "it is junk"))
    events = of(RecordSecurityEvent, commands)
    assert [row.event.type.value for row in events] == [
        "InvalidCentralSystemCertificate"
    ] * is_noted
    assert all(row.is_queued and "it is junk" in row.event.tech_info for row in events)


@pytest.mark.parametrize("use", [CENTRAL, MANUFACTURER])
def test_what_is_installed_and_deleted_is_noted_once_and_in_these_words(use):
    story, found = a_story(), InspectedRoot(A.certificate, "EC", 256, "sha256")
    wish = ev.InstallRootRequested("r1", use, found)
    rows = of(RecordSecurityEvent, story.tell(wish, wish, ev.DeleteRootRequested("r2", "a")))
    assert [row.event.type.value for row in rows] == ["ReconfigurationOfSecurityParameters"] * 2
    words = [f"{use.value} was installed", f"{use.value} was deleted"]
    assert [row.event.tech_info for row in rows] == words


def test_what_can_be_no_root_is_rejected_and_changes_nothing():
    story = a_story(A)
    assert status(install(story, B, says_no_authority=True)) == "Rejected"
    assert installed(story) == (A,)


def test_the_same_one_twice_is_accepted_and_stays_one():
    story = a_story(A, B)
    assert install(story, A) == [Reply("r1", "Accepted")]
    assert installed(story) == (A, B)


def test_the_same_one_for_the_other_use_is_another():
    story = a_story(A)
    other = replace(A, use=MANUFACTURER)
    assert status(install(story, other)) == "Accepted"
    assert installed(story) == (A, other)


def test_a_full_store_takes_no_more_of_either_use():
    story = a_story(A, a_root("M", MANUFACTURER), CertificateStoreMaxLength="2")
    assert status(install(story, B)) == "Rejected"
    assert status(install(story, A)) == "Accepted"
    assert status(delete(story, "m")) == "Accepted"
    assert status(install(story, B)) == "Accepted"


def test_what_cannot_be_written_has_failed():
    story = a_story()
    story.tell(ev.JournalFailed("the disk is full"))
    assert status(install(story, A)) == "Failed"
    assert installed(story) == ()


def test_without_tls_the_first_root_is_taken_and_no_other():
    story = a_story(way=PLAIN)
    assert status(install(story, a_root("M", MANUFACTURER))) == "Accepted"
    assert status(install(story, A)) == "Accepted"
    assert status(install(story, B)) == "Rejected"
    assert status(install(story, a_root("N", MANUFACTURER))) == "Rejected"


def test_a_box_that_has_used_tls_takes_and_loses_no_root_without_it():
    story = a_story(a_root("M", MANUFACTURER))
    commands = story.tell(LinkOpened(PLAIN))
    assert of(SaveConnectionProfiles, commands) == []
    assert status(install(story, A)) == "Rejected"
    assert status(delete(story, "m")) == "Failed"


def test_that_tls_was_used_is_kept_once_and_outlives_another_file():
    story = a_story(way=PLAIN)
    (row,) = of(SaveConnectionProfiles, story.tell(LinkOpened(TLS)))
    assert row.approaches.has_used_tls
    assert of(SaveConnectionProfiles, story.tell(LinkOpened(TLS))) == []
    edited = at_start(row.approaches, PLAIN, has_password_file=True)
    assert (edited.settled, edited.has_used_tls) == (PLAIN, True)


# --- AdditionalRootCertificateCheck --------------------------------------------------------------


def test_the_present_root_must_have_signed_its_successor_and_becomes_its_fallback():
    story = checked(A, by=A)
    assert status(install(story, B)) == "Rejected"
    assert status(install(story, B, signed_by=(A,))) == "Accepted"
    assert [(r.certificate.subject, r.is_fallback) for r in installed(story)] == [
        ("A", True),
        ("B", False),
    ]


@pytest.mark.parametrize("is_signed", [True, False])
def test_the_first_one_must_be_signed_by_the_file(is_signed):
    answer = status(install(checked(), A, is_signed_by_file=is_signed))
    assert answer == ("Accepted" if is_signed else "Rejected")


def test_the_first_good_connection_with_the_new_one_ends_the_fallback():
    story = checked(A, by=A)
    install(story, B, signed_by=(A,))
    # Both are in the chain: the new one is the nearer to the server.
    story.tell(LinkOpened(TLS, chain=(LEAF, B.certificate, A.certificate)))
    assert installed(story) == (replace(B, has_worked=True),)


def test_a_fallback_in_use_stays_and_takes_no_third_one():
    story = checked(A, by=A)
    install(story, B, signed_by=(A,))
    story.tell(LinkOpened(TLS, chain=(LEAF, A.certificate)))
    assert status(install(story, C, signed_by=(A, B))) == "Rejected"
    assert [r.certificate for r in installed(story)] == [A.certificate, B.certificate]


def test_a_successor_takes_the_place_of_the_fallback_before_even_in_a_full_store():
    fallback = replace(A, is_fallback=True)
    story = checked(fallback, B)
    story.state = replace(
        story.state,
        configuration=story.state.configuration.with_value("CertificateStoreMaxLength", "2"),
    )
    assert status(install(story, C, signed_by=(B,))) == "Accepted"
    assert installed(story) == (replace(B, is_fallback=True), C)


def test_a_fallback_that_is_left_alone_is_the_present_one_again():
    story = checked(A, by=A)
    install(story, B, signed_by=(A,))
    commands = delete(story, "b")
    left = replace(A, has_worked=True)
    assert installed(story) == (left,)
    assert of(SaveRoot, commands) == [SaveRoot(left)]


def test_of_several_present_roots_only_the_signer_becomes_the_fallback():
    story = checked(A, B)  # from before the check was switched on
    install(story, C, signed_by=(B,))
    assert installed(story) == (A, replace(B, is_fallback=True), C)


def test_a_manufacturers_root_needs_no_signature_of_the_present_root():
    assert status(install(checked(A, by=A), a_root("M", MANUFACTURER))) == "Accepted"


# --- DeleteCertificate ---------------------------------------------------------------------------


def test_a_root_is_deleted_for_both_uses_and_then_not_found():
    other = replace(B, use=MANUFACTURER)
    story = a_story(A, B, other, by=A)
    commands = delete(story, "b")
    assert of(RemoveRoot, commands) == [RemoveRoot(B), RemoveRoot(other)]
    assert status(commands) == "Accepted"
    assert status(delete(story, "b")) == "NotFound"
    assert status(delete(story, "")) == "NotFound"


def test_the_root_of_the_present_connection_is_not_deleted():
    story = a_story(A, B, by=A)
    assert status(delete(story, "a")) == "Failed"
    story.tell(LinkOpened(TLS, chain=(LEAF, B.certificate)))
    assert status(delete(story, "a")) == "Accepted"


@pytest.mark.parametrize(
    ("only_installed", "profile", "answer"),
    [(True, 2, "Failed"), (True, 1, "Accepted"), (False, 2, "Accepted")],
)
def test_the_last_one_stays_where_nothing_else_counts(only_installed, profile, answer):
    way = TLS if profile == 2 else PLAIN
    story = a_story(A, way=way, rules=Rules(only_installed_roots=only_installed))
    assert status(delete(story, "a")) == answer


def test_another_one_or_a_manufacturers_may_go_where_only_installed_ones_count():
    rules = Rules(only_installed_roots=True)
    assert status(delete(a_story(A, B, rules=rules), "a")) == "Accepted"
    only = a_story(a_root("M", MANUFACTURER), rules=rules)
    assert status(delete(only, "m")) == "Accepted"


def test_a_deletion_that_cannot_be_written_has_failed():
    story = a_story(A)
    story.tell(ev.JournalFailed("the disk is full"))
    assert status(delete(story, "a")) == "Failed"
    assert installed(story) == (A,)


# --- what a connection says ----------------------------------------------------------------------


def test_that_a_root_has_worked_is_written_once():
    story = a_story(A)
    (row,) = of(SaveRoot, story.tell(LinkOpened(TLS, chain=(LEAF, A.certificate))))
    assert row == SaveRoot(replace(A, has_worked=True))
    assert of(SaveRoot, story.tell(LinkOpened(TLS, chain=(LEAF, A.certificate)))) == []


def test_a_certificate_near_its_end_is_a_fault_that_stops_nothing():
    story = a_story(InstalledRoot(CENTRAL, a_certificate("A", NOON + timedelta(days=31))))
    assert story.state.faults == frozenset()
    story.wait(22 * 86_400)  # 9 days before the end of a life of 90
    assert story.state.faults == {Fault.CERTIFICATE}
    story.tell(ev.DeleteRootRequested("r1", "a"))
    assert story.state.faults == frozenset()
