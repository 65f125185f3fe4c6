"""Certificates of this box: asked for, taken or refused, shown, renewed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.core import events as ev
from agent.core.certificates import Certificate, Certificates
from agent.core.charge_point import handle
from agent.core.commands import ApplyConfiguration, Reply
from agent.core.connection_profile import (
    ConnectionProfile,
    ConnectionProfiles,
    LinkOpened,
    SaveConnectionProfiles,
)
from agent.core.own_certificate_requests import deadlines_s
from agent.core.own_certificates import (
    CertificateRequest,
    CertificateRequestAnswered,
    CertificateRequestMade,
    CertificateWanted,
    ChainSigned,
    MakeCertificateRequest,
    OwnCertificates,
    SaveOwnCertificates,
    SendCertificateRequest,
    SigningRequest,
    SigningTriggered,
    to_show,
)
from agent.core.security_event_values import RecordSecurityEvent
from agent.core.state import Rules
from agent.core.values import Boot, Instant
from tests.core.own_certificates import KEY, NAME, chain, kept, own
from tests.core.story import NOON, Story, a_charge_point, at, of
from tests.core.test_certificates import BEGIN, BELIEVED, END, A

DAY = timedelta(days=1)
FAR_AHEAD = datetime(9998, 1, 1, tzinfo=UTC)
ORGANIZATION = "Operator"
REQUEST = CertificateRequest(KEY, "the request")
WAITING = SigningRequest(KEY, NOON - timedelta(hours=1))
TLS = ConnectionProfile("wss://cs.example/ocpp", 2)
SHOWING = replace(TLS, profile=3)
OF_FILE = Certificate("file", "CN=anything", NOON - DAY, NOON + DAY)


def a_story(
    *certificates: Any,
    request: SigningRequest | None = None,
    way: ConnectionProfile = TLS,
    file: Certificate | None = None,
    roots: tuple[Any, ...] = (),
    organization: str = ORGANIZATION,
    online: bool = True,
) -> Story:
    keys = {"CpoName": organization} if organization else {}
    state = a_charge_point(rules=Rules(common_name=NAME), online=online, **keys)
    story = Story(
        replace(
            state,
            approaches=ConnectionProfiles(way, has_password_file=True),
            certificates=Certificates(roots),
            own_certificates=OwnCertificates(certificates, request, file is not None, file),
        )
    )
    story.tell(ev.TimePassed(), LinkOpened(way))
    return story


def mine(story: Story) -> OwnCertificates:
    return story.state.own_certificates


def fingerprints(story: Story) -> list[str]:
    return [one.certificate.fingerprint for one in mine(story).kept]


def events_of(commands: list[Any]) -> list[tuple[str, bool]]:
    return [(e.event.type.value, e.is_queued) for e in of(RecordSecurityEvent, commands)]


def days(count: float) -> float:
    """Seconds."""
    return count * 86_400


# --- asking --------------------------------------------------------------------------------------


def test_a_trigger_makes_a_new_key_pair_whose_request_is_sent_once_the_pair_is_known():
    story = a_story()
    assert of(Reply, story.tell(SigningTriggered("r1"))) == [Reply("r1", "Accepted")]
    made = MakeCertificateRequest(ORGANIZATION, NAME)
    assert of(MakeCertificateRequest, story.tell(CertificateWanted())) == [made]
    commands = story.tell(CertificateRequestMade(REQUEST))
    asked = SigningRequest(KEY, NOON)
    assert commands[:2] == [
        SaveOwnCertificates(replace(mine(story), request=asked)),
        SendCertificateRequest(REQUEST),
    ]


def test_without_the_operators_name_a_trigger_is_rejected_and_noted():
    commands = a_story(organization="").tell(SigningTriggered("r1"))
    (reply,) = of(Reply, commands)
    assert reply.status == "Rejected"
    assert "CpoName is not set" in reply.detail
    assert events_of(commands) == [("CSRGenerationFailed", False)]


def test_a_second_trigger_while_a_pair_is_being_made_makes_no_other():
    story = a_story()
    commands = story.tell(CertificateWanted(), CertificateWanted())
    assert len(of(MakeCertificateRequest, commands)) == 1
    commands = story.tell(CertificateRequestMade(REQUEST), CertificateWanted())
    assert len(of(MakeCertificateRequest, commands)) == 1


def test_a_newer_request_replaces_the_one_that_waits():
    story = a_story(request=WAITING)
    story.tell(CertificateWanted(), CertificateRequestMade(CertificateRequest("other", "csr")))
    assert mine(story).request == SigningRequest("other", NOON)


def test_a_pair_that_cannot_be_made_is_noted_and_told():
    story = a_story()
    commands = story.tell(CertificateWanted(), CertificateRequestMade(None, "the disk is full"))
    assert events_of(commands) == [("CSRGenerationFailed", False)]
    assert of(SendCertificateRequest, commands) == []
    assert mine(story).request == SigningRequest("", NOON, "the disk is full")
    assert len(of(MakeCertificateRequest, story.tell(CertificateWanted()))) == 1


def test_a_newer_pair_that_cannot_be_made_takes_nothing_from_the_request_that_waits():
    story = a_story(request=WAITING)
    story.tell(CertificateWanted(), CertificateRequestMade(None, "the disk is full"))
    assert mine(story).request == SigningRequest(KEY, NOON, "the disk is full")
    commands = story.tell(ChainSigned("r1", chain(own())))
    assert of(Reply, commands) == [Reply("r1", "Accepted")]


def test_a_refused_request_is_not_repeated_and_a_certificate_that_comes_all_the_same_is_taken():
    story = a_story(request=WAITING)
    commands = story.tell(CertificateRequestAnswered(KEY, "it is refused"))
    assert mine(story).request == replace(WAITING, problem="it is refused")
    assert len(of(SaveOwnCertificates, commands)) == 1
    commands = story.tell(CertificateRequestAnswered(KEY, "it is refused"), ev.TimePassed())
    assert of(SaveOwnCertificates, commands) == of(SendCertificateRequest, commands) == []
    story.tell(ChainSigned("r1", chain(own())))
    assert fingerprints(story) == ["own"]
    assert mine(story).request == SigningRequest("", WAITING.asked_at)


@pytest.mark.parametrize("key", ["other", ""])
def test_the_answer_to_an_older_request_says_nothing_about_this_one(key: str):
    story = a_story(request=WAITING)
    story.tell(CertificateRequestAnswered(key, "it is refused"))
    assert mine(story).request == WAITING
    none = a_story()
    none.tell(CertificateRequestAnswered(KEY, "it is refused"))
    assert mine(none).request is None


def test_a_certificate_is_taken_however_long_its_authority_takes():
    story = a_story(request=SigningRequest(KEY, NOON))
    story.wait(days(99))
    assert of(Reply, story.tell(ChainSigned("r1", chain(own())))) == [Reply("r1", "Accepted")]
    assert mine(story).request == SigningRequest("", NOON)


def test_a_clock_that_nobody_trusts_lets_nothing_go_and_asks_for_nothing():
    state = a_story(kept(), kept("old"), request=WAITING).state
    later = replace(BELIEVED, utc=END + 9 * DAY)
    after, commands = handle(state, ev.TimePassed(), later)
    assert after.own_certificates.kept == (kept(), kept("old"))
    assert of(MakeCertificateRequest, commands) == []
    assert list(deadlines_s(after, later)) == []


def test_what_was_noted_by_a_clock_that_was_wrong_counts_from_the_true_time():
    old = kept("old", NOON - 99 * DAY)
    boot = Boot(2, "this boot", datetime(1970, 1, 1, tzinfo=UTC), is_time_known=False)
    state = replace(a_story(kept("new"), old, way=SHOWING).state, boot=boot)
    wrong = Instant(100.0, boot.booted_at + timedelta(seconds=100), is_trusted=False)
    for event in (
        LinkOpened(SHOWING, shown="new"),
        CertificateWanted(),
        CertificateRequestMade(REQUEST),
    ):
        state, _ = handle(state, event, wrong)
    state, commands = handle(state, ev.TimePassed(), Instant(160.0, NOON))
    known, then = state.own_certificates, NOON - timedelta(seconds=60)
    assert known.kept == (kept("new", then), old)
    assert known.request == SigningRequest(KEY, then)
    assert of(SaveOwnCertificates, commands) == [SaveOwnCertificates(known)]


def test_a_request_of_a_clock_that_ran_ahead_holds_no_renewal_for_years():
    ahead = SigningRequest(KEY, NOON + 9999 * DAY)
    story = a_story(kept(end=NOON + DAY), request=ahead)
    assert mine(story).request == SigningRequest(KEY, NOON)
    assert len(of(MakeCertificateRequest, story.wait(days(1)))) == 1


# --- CertificateSigned ---------------------------------------------------------------------------


def test_a_certificate_is_kept_in_the_commit_of_its_answer():
    story = a_story(request=WAITING, roots=(A,))
    commands = story.tell(ChainSigned("r1", chain(own())))
    assert commands[0] == SaveOwnCertificates(replace(mine(story), best=""))
    assert of(Reply, commands) == [Reply("r1", "Accepted")]
    assert events_of(commands) == [("ReconfigurationOfSecurityParameters", False)]
    assert mine(story).kept == (kept(),)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "it is junk"),
        (chain(own(key="foreign")), "another key"),
        (chain(own(), is_consistent=False), "signed by the next one"),
        (chain(own(end=NOON - timedelta(seconds=1))), "has expired on 2026-03-01"),
        (
            chain(own(begin=FAR_AHEAD, end=FAR_AHEAD + DAY)),
            "begins only on 9998-01-01, more than 366 days",
        ),
        (chain(own(begin=NOON + 367 * DAY, end=NOON + 999 * DAY)), "begins only on 2027-03-03"),
        (chain(own(name="CP-2")), "its name (CN) is CP-2, and not CP-0001"),
        (chain(own(name="")), "its name (CN) is (none)"),
        (chain(own(), weak="its key of 1024 bits is too weak (RSA)"), "1024 bits"),
        (chain(own(), ends_in=frozenset()), "leads to no installed CentralSystemRootCertificate"),
    ],
)
def test_what_is_not_the_certificate_of_this_box_is_rejected_and_changes_nothing(
    found: Any, words: str
):
    story = a_story(request=WAITING, roots=(A,))
    before = mine(story)
    commands = story.tell(ChainSigned("r1", found, "it is junk"))
    (reply,) = of(Reply, commands)
    assert reply.status == "Rejected"
    assert words in reply.detail
    assert events_of(commands) == [("InvalidChargePointCertificate", True)]
    assert mine(story) == before
    assert of(SaveOwnCertificates, commands) == []


def test_without_a_request_only_the_present_key_is_taken():
    again = own("again", begin=NOON - DAY)
    assert of(Reply, a_story().tell(ChainSigned("r1", chain(again))))[0].status == "Rejected"
    story = a_story(kept())
    assert of(Reply, story.tell(ChainSigned("r1", chain(again)))) == [Reply("r1", "Accepted")]
    assert fingerprints(story) == ["again"]


def test_a_certificate_for_the_present_key_leaves_the_request_open():
    other = SigningRequest("other", NOON)
    story = a_story(kept(), request=other)
    story.tell(ChainSigned("r1", chain(own("again", begin=NOON - DAY))))
    assert mine(story).request == other


@pytest.mark.parametrize("begin", [BEGIN - 9999 * DAY, NOON + timedelta(hours=1), NOON + 366 * DAY])
def test_one_that_was_backdated_or_begins_within_a_year_is_taken(begin: datetime):
    signed = ChainSigned("r1", chain(own(begin=begin, end=NOON + 999 * DAY)))
    assert of(Reply, a_story(request=WAITING).tell(signed)) == [Reply("r1", "Accepted")]


@pytest.mark.parametrize("times", [(BEGIN, NOON - DAY), (FAR_AHEAD, FAR_AHEAD + DAY)])
def test_a_clock_that_nobody_trusts_says_nothing_of_the_times_of_one(
    times: tuple[datetime, datetime],
):
    begin, end = times
    signed = ChainSigned("r1", chain(own(begin=begin, end=end)))
    _, commands = handle(a_story(request=WAITING).state, signed, BELIEVED)
    assert of(Reply, commands) == [Reply("r1", "Accepted")]


def test_where_no_root_is_installed_a_consistent_chain_is_taken_and_noted():
    found = chain(own(), ends_in=frozenset(), organization="")
    commands = a_story(request=WAITING).tell(ChainSigned("r1", found))
    assert of(Reply, commands) == [Reply("r1", "Accepted")]
    (row,) = of(RecordSecurityEvent, commands)
    assert row.event.tech_info == (
        "a certificate for this box (no authority that this box knows has signed it, "
        "its organization (O) is (none)) was taken"
    )


def test_a_full_disk_rejects():
    story = a_story(request=WAITING)
    story.tell(ev.JournalFailed("full"))
    (reply,) = of(Reply, story.tell(ChainSigned("r1", chain(own()))))
    assert (reply.status, reply.detail) == (
        "Rejected",
        "CertificateSigned: the disk takes nothing",
    )


def test_the_same_certificate_again_changes_nothing():
    story = a_story(kept(worked_at=NOON - DAY), request=WAITING)
    story.tell(ChainSigned("r1", chain(own())))
    commands = story.tell(ChainSigned("r2", chain(own())))
    assert of(Reply, commands) == [Reply("r2", "Accepted")]
    assert events_of(commands) == of(SaveOwnCertificates, commands) == []
    assert mine(story).kept == (kept(worked_at=NOON - DAY),)


def test_beside_the_new_one_only_one_that_has_worked_is_kept():
    story = a_story(kept("untried", begin=NOON - 2 * DAY), kept("old", NOON - 9 * DAY))
    story.tell(ChainSigned("r1", chain(own("new", begin=NOON - DAY))))
    assert fingerprints(story) == ["new", "old"]


def test_one_that_begins_before_the_present_one_is_kept_shown_after_it_and_renewed():
    """An authority that backdates: what the central system has given last is what it wants."""
    present = kept("present", NOON - 99 * DAY, end=NOON + DAY)
    story = a_story(present, request=WAITING, way=SHOWING)
    showing(story, "present")
    given = own("given", begin=BEGIN - DAY, end=NOON + 90 * DAY)
    commands = story.tell(ChainSigned("r1", chain(given)), ev.TimePassed())
    assert of(Reply, commands) == [Reply("r1", "Accepted")]
    assert fingerprints(story) == ["given", "present"]
    assert [c.fingerprint for c in to_show(mine(story), at(0))] == ["present", "given"]
    assert of(ApplyConfiguration, commands) == of(MakeCertificateRequest, commands) == []
    commands = story.wait(days(1) + 1)
    assert fingerprints(story) == ["given"]
    assert of(ApplyConfiguration, commands) == [ApplyConfiguration("SecurityProfile", "")]
    assert of(MakeCertificateRequest, commands) == []
    showing(story, "given")
    story.tell(ChainSigned("r2", chain(own("next", key=KEY, begin=NOON, end=END))))
    assert fingerprints(story) == ["next", "given"]


# --- which one is shown --------------------------------------------------------------------------


def showing(story: Story, fingerprint: str) -> None:
    story.tell(LinkOpened(SHOWING, shown=fingerprint))


def test_with_profile_3_the_link_is_made_anew_after_the_answer():
    story = a_story(kept("old", NOON - DAY), way=SHOWING)
    showing(story, "old")
    commands = story.tell(ChainSigned("r1", chain(own("new", begin=NOON - DAY))))
    reply, order = of(Reply, commands)[0], of(ApplyConfiguration, commands)
    assert order == [ApplyConfiguration("SecurityProfile", "")]
    assert commands.index(reply) < commands.index(order[0])


@pytest.mark.parametrize("file", [None, OF_FILE])
def test_without_profile_3_or_beside_that_of_the_file_the_link_stays(file: Certificate | None):
    story = a_story(request=WAITING, file=file, way=TLS if file is None else SHOWING)
    assert of(ApplyConfiguration, story.tell(ChainSigned("r1", chain(own())))) == []


def test_one_whose_begin_lies_ahead_is_kept_and_shown_from_then_on():
    story = a_story(kept("old", NOON - DAY), way=SHOWING)
    ahead = own("new", begin=NOON + DAY)
    commands = story.tell(ChainSigned("r1", chain(ahead)))
    assert of(Reply, commands) == [Reply("r1", "Accepted")]
    assert of(ApplyConfiguration, commands) == []
    assert [c.fingerprint for c in to_show(mine(story), at(0))] == ["old"]
    commands = story.wait(days(1))
    assert of(ApplyConfiguration, commands) == [ApplyConfiguration("SecurityProfile", "")]
    assert [c.fingerprint for c in to_show(mine(story), at(days(1)))] == ["new", "old"]


def test_where_none_is_in_its_time_or_the_clock_is_not_trusted_all_are_tried():
    ahead, over = kept("ahead", begin=NOON + DAY), kept("over", end=NOON - DAY)
    known = OwnCertificates((ahead, over))
    for now in (at(0), BELIEVED):
        assert [c.fingerprint for c in to_show(known, now)] == ["ahead", "over"]


def test_when_one_was_let_in_first_is_kept_once():
    story = a_story(kept(), way=SHOWING)
    commands = story.tell(LinkOpened(SHOWING, shown="own"))
    assert len(of(SaveOwnCertificates, commands)) == 1
    assert mine(story).kept == (kept(worked_at=NOON),)
    story.wait(60)
    commands = story.tell(LinkOpened(SHOWING, shown="own"), LinkOpened(SHOWING))
    assert of(SaveOwnCertificates, commands) == []
    assert mine(story).kept == (kept(worked_at=NOON),)


def test_that_the_newest_is_not_accepted_is_noted_once_until_it_is_another_reason():
    story = a_story(kept("new"), kept("old", NOON - DAY), way=SHOWING)
    refused = LinkOpened(SHOWING, shown="old", refusal="it is not accepted")
    assert events_of(story.tell(refused, refused)) == [
        ("FailedToAuthenticateAtCentralSystem", False)
    ]
    assert mine(story).refusal == "it is not accepted"
    assert events_of(story.tell(LinkOpened(SHOWING, shown="new"), refused)) == [
        ("FailedToAuthenticateAtCentralSystem", False)
    ]


def test_no_text_of_the_values_shows_a_whole_certificate():
    long = kept("f" * 64)
    assert "f" * 9 not in repr(OwnCertificates((long,), WAITING))


def test_the_one_before_is_kept_until_its_successor_has_worked_for_a_month():
    story = a_story(kept("new", NOON - 29 * DAY), kept("old", NOON - 99 * DAY))
    assert fingerprints(story) == ["new", "old"]
    commands = story.wait(days(1))
    assert fingerprints(story) == ["new"]
    assert len(of(SaveOwnCertificates, commands)) == 1


@pytest.mark.parametrize(
    ("end", "left"), [(NOON - timedelta(seconds=1), ["new"]), (END, ["new", "old"])]
)
def test_the_one_before_goes_when_it_has_ended(end: datetime, left: list[str]):
    assert fingerprints(a_story(kept("new"), kept("old", NOON - 99 * DAY, end=end))) == left


# --- renewal -------------------------------------------------------------------------------------


def test_a_month_before_its_end_a_new_one_is_asked_for_by_itself_once_a_day():
    story = a_story(kept("own", NOON - DAY, end=NOON + 31 * DAY, begin=NOON - 700 * DAY))
    assert of(MakeCertificateRequest, story.wait(days(1) - 1)) == []
    commands = story.wait(1)
    assert of(MakeCertificateRequest, commands) == [MakeCertificateRequest(ORGANIZATION, NAME)]
    commands = story.tell(CertificateRequestMade(REQUEST), ev.TimePassed())
    assert len(of(SendCertificateRequest, commands)) == 1
    assert of(MakeCertificateRequest, commands) == []
    story.tell(CertificateRequestAnswered(KEY, "it is refused"))
    assert of(MakeCertificateRequest, story.wait(days(1) - 1)) == []
    assert len(of(MakeCertificateRequest, story.wait(1))) == 1


def test_a_renewal_that_waits_for_its_certificate_asks_once_more_with_the_same_key_pair():
    """A person who signs by hand after a weekend signs the first request."""
    story = a_story(kept(end=NOON + 5 * DAY, key="old"))
    for _ in range(2):
        story.tell(CertificateRequestMade(REQUEST), CertificateRequestAnswered(KEY))
        story.wait(days(1))
    orders = of(MakeCertificateRequest, story.commands)
    assert [order.key for order in orders] == ["", KEY, KEY]
    assert of(Reply, story.tell(ChainSigned("r1", chain(own("new"))))) == [Reply("r1", "Accepted")]


def test_a_renewal_that_was_refused_and_a_trigger_ask_with_a_new_key_pair():
    story = a_story(kept(end=NOON + 5 * DAY, key="old"))
    story.tell(CertificateRequestMade(REQUEST), CertificateRequestAnswered(KEY, "it is refused"))
    (order,) = of(MakeCertificateRequest, story.wait(days(1)))
    assert order.key == ""
    story.tell(CertificateRequestMade(REQUEST))
    (order,) = of(MakeCertificateRequest, story.tell(CertificateWanted()))
    assert order.key == ""


def test_where_the_next_one_begins_after_the_end_of_the_present_a_renewal_goes_on():
    present = kept("present", NOON - DAY, end=NOON + 5 * DAY)
    ahead = kept("ahead", begin=NOON + 5 * DAY + timedelta(seconds=2), key="other")
    story = a_story(ahead, present)
    assert len(of(MakeCertificateRequest, story.commands)) == 1
    story.tell(CertificateRequestMade(REQUEST), ChainSigned("r1", chain(own("given"))))
    assert fingerprints(story) == ["given", "present"]


@pytest.mark.parametrize("ticks", [0, 1])
def test_where_the_next_one_begins_at_the_end_of_the_present_nothing_is_asked_for(ticks: int):
    """The last second of a certificate belongs to it; one without an end has that of all times."""
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    ahead = kept("ahead", begin=NOON + 5 * DAY + timedelta(seconds=ticks), end=end)
    story = a_story(ahead, kept("present", NOON - DAY, end=NOON + 5 * DAY))
    assert of(MakeCertificateRequest, story.commands) == []
    endless = a_story(kept("again", end=end), kept("endless", NOON - DAY, end=end))
    assert of(MakeCertificateRequest, endless.commands) == []


@pytest.mark.parametrize(
    "facts", [{"organization": ""}, {"online": False}, {"file": OF_FILE}, {"request": WAITING}]
)
def test_nothing_is_renewed_without_name_and_link_nor_beside_the_file_nor_twice_a_day(
    facts: dict[str, Any],
):
    story = a_story(kept(end=NOON + DAY), **facts)
    assert of(MakeCertificateRequest, story.tell(ev.TimePassed())) == []
    assert not mine(story).is_asking


def test_one_that_comes_near_its_end_already_is_not_asked_for_again_at_once():
    story = a_story(request=SigningRequest(KEY, NOON))
    commands = story.tell(ChainSigned("r1", chain(own(end=NOON + DAY))), ev.TimePassed())
    assert of(MakeCertificateRequest, commands) == []


# --- security profile 3 --------------------------------------------------------------------------


def to_profile_3(story: Story) -> str:
    change = ev.ConfigurationChangeRequested("r1", "SecurityProfile", "3")
    commands = story.tell(change)
    (reply,) = of(Reply, commands)
    is_accepted = reply.status == "Accepted"
    assert bool(of(SaveConnectionProfiles, commands)) == is_accepted
    return str(reply.status)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"name": "CP-2"},
        {"begin": NOON + DAY},
        {"end": NOON - DAY},
    ],
)
def test_profile_3_needs_a_certificate_in_its_time_with_the_name_of_this_box(
    facts: dict[str, Any],
):
    assert to_profile_3(a_story(*[kept(**facts)] if facts else [])) == "Rejected"


@pytest.mark.parametrize("profile", [0, 1, 2])
def test_with_it_profile_3_is_accepted_from_each_other_and_needs_no_password(profile: int):
    url = "wss://cs.example/ocpp" if profile == 2 else "ws://cs.example/ocpp"
    story = a_story(kept(), way=ConnectionProfile(url, profile))
    story.state = replace(
        story.state, approaches=replace(story.state.approaches, has_password_file=False)
    )
    assert to_profile_3(story) == "Accepted"
    assert story.state.approaches.trial == SHOWING


def test_that_of_the_file_counts_for_profile_3_too():
    assert to_profile_3(a_story(file=OF_FILE)) == "Accepted"
    ended = replace(OF_FILE, not_after=NOON - timedelta(seconds=1))
    assert to_profile_3(a_story(file=ended)) == "Rejected"
    # It is shown, and no other, also where it cannot be read.
    story = a_story(kept())
    story.state = replace(story.state, own_certificates=replace(mine(story), has_file=True))
    assert to_profile_3(story) == "Rejected"
    assert to_show(mine(story), at(0)) == ()
    assert to_profile_3(a_story(kept(), file=ended)) == "Rejected"


def test_profile_3_is_never_left_over_ocpp():
    story = a_story(kept(), way=SHOWING)
    for value in ("0", "1", "2", "3", "4"):
        (reply,) = of(
            Reply, story.tell(ev.ConfigurationChangeRequested("r1", "SecurityProfile", value))
        )
        assert reply.status == "Rejected"
