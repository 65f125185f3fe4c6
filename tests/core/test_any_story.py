"""Any sequence of events, in any order: nothing raises, and no promise is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.core import events as ev
from agent.core.certificates import InspectedRoot, RootCertificate, RootUse
from agent.core.charging_profiles import (
    Criteria,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    Recurrency,
)
from agent.core.configuration import KEYS
from agent.core.connection_profile import ConnectionProfile
from agent.core.events import Event
from agent.core.external_limits import ExternalSource
from agent.core.faults import SAFETY_INPUTS
from agent.core.own_certificates import (
    CertificateRequest,
    CertificateRequestAnswered,
    CertificateRequestMade,
    CertificateWanted,
    ChainSigned,
    SigningTriggered,
)
from agent.core.security_event_values import (
    ClearSecurityLogRequested,
    RemoveSecurityEvents,
    SecurityEventSeen,
    SecurityEventType,
    StorageMeasured,
)
from agent.core.state import ChargePoint, Rules, Traits
from agent.core.tag_sources import Source
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    LockState,
    PartFault,
    PilotState,
    Reservation,
    TagRecord,
    TokenKind,
)
from tests.core.anything import Anything
from tests.core.charging import a_profile
from tests.core.own_certificates import chain, own
from tests.core.story import (
    NOON,
    a_charge_point,
    a_transaction,
    cached,
    listed,
    reading,
    tap,
)
from tests.core.test_certificates import a_certificate

TAGS = ("ANNA", "anna", "BERT", "CLEO", "08DDDDDD", "", "X" * 21, "\u00c4NNA")
INFOS = tuple(
    IdTagInfo(status, parent_id_tag=parent)
    for status in AuthorizationStatus
    for parent in (None, "FLEET")
)
HOSTILE_ID = 77  # a transactionId that nobody gave


Step = Callable[[Anything], None]

connector_ids = st.integers(1, 2)
tags = st.sampled_from(TAGS)
infos = st.sampled_from(INFOS)
facts = (
    st.one_of(  # None: the store cannot be read
        st.builds(listed, infos), st.builds(cached, infos), st.just(TagRecord()), st.builds(listed)
    )
    | st.none()
)
part_faults = st.builds(PartFault, st.just("OtherError"), st.just("made up"), st.booleans())
lock_states = st.sampled_from(LockState)
profiles = st.builds(
    lambda number, first, later, **fields: a_profile(number, first, (70, later), **fields),
    st.integers(1, 5),
    st.sampled_from([0, 5.9, 6, 10.5, 40]),
    st.sampled_from([0, 16]),
    level=st.integers(0, 2),
    purpose=st.sampled_from(ProfilePurpose),
    kind=st.sampled_from(ProfileKind),
    recurrency=st.just(Recurrency.DAILY),
    duration_s=st.sampled_from([None, 100]),
)
inputs = st.sampled_from(sorted(SAFETY_INPUTS))
reservations = st.builds(
    Reservation,
    st.integers(1, 3),
    st.integers(0, 3),
    tags,
    st.sampled_from([-1, 5, 60, 600]).map(lambda seconds: NOON + timedelta(seconds=seconds)),
    st.sampled_from([None, "FLEET", "fleet", "OTHERS"]),
)
trips = st.sampled_from(["lease expired", "did not close", "opened by itself", "welded", "reflex"])


def told(events: st.SearchStrategy[Event]) -> st.SearchStrategy[Step]:
    return events.map(lambda event: lambda story: story.tell(event))


def asked(event_type: type[Event], *fields: st.SearchStrategy[object]) -> st.SearchStrategy[Step]:
    return st.tuples(*fields).map(
        lambda values: lambda story: story.ask(lambda rid: event_type(rid, *values))
    )


def asked_of_a_tag(
    event_type: type[ev.Presented], *fields: st.SearchStrategy[object]
) -> st.SearchStrategy[Step]:
    return st.tuples(facts, *fields).map(
        lambda values: (
            lambda story: story.ask(
                lambda rid: ev.LookedUp(event_type(rid, *values[1:]), values[0], "dead")
            )
        )
    )


def tripped(story: Anything, connector_id: int, reason: str) -> None:
    if not story.state.has_connector(connector_id):
        return
    count = story.state.connector(connector_id).trips_seen + 1
    story.tell(ev.ContactorTripped(connector_id, reason, count))


FROM_PARTS = st.one_of(
    told(st.builds(ev.CablePluggedIn, connector_ids)),
    told(st.builds(ev.CableUnplugged, connector_ids)),
    told(st.builds(ev.PilotChanged, connector_ids, st.sampled_from(PilotState))),
    told(st.builds(ev.PilotChanged, connector_ids, st.just(PilotState.C))),
    told(st.builds(ev.OfferConfirmed, connector_ids, st.sampled_from([0.0, 6.0, 16.0, 32.0]))),
    told(st.builds(ev.LockChanged, connector_ids, lock_states)),
    told(
        st.builds(
            ev.LockJammed, connector_ids, st.sampled_from([LockState.LOCKED, LockState.UNLOCKED])
        )
    ),
    told(st.builds(ev.ContactorOpened, connector_ids)),
    st.builds(lambda c, r: lambda story: tripped(story, c, r), connector_ids, trips),
    told(st.builds(ev.PartFaultChanged, connector_ids, st.none() | part_faults)),
    told(st.builds(ev.SafetyInputTripped, inputs)),
    told(st.builds(ev.SafetyInputCleared, inputs)),
    told(st.builds(ev.GridContactChanged, st.booleans())),
    told(st.builds(ev.MeterRead, connector_ids, st.builds(reading, st.integers(0, 5000)))),
    told(st.builds(ev.MeterFailed, connector_ids, st.just("silent"))),
    told(st.sampled_from([ev.ReaderFailed("dead"), ev.ReaderRecovered()])),
    st.just(lambda story: story.ask(lambda rid: ev.CardNotTaken("two", rid))),
)
FROM_PEOPLE = st.builds(
    lambda found, **presented: (
        lambda story: story.ask(
            lambda rid: ev.LookedUp(ev.TagPresented(**presented, request_id=rid), found, "dead")
        )
    ),
    facts,
    id_tag=tags,
    connectors=st.sampled_from([(1,), (2,), (1, 2)]),
    is_random=st.booleans(),
    claim=st.sampled_from([TokenKind.CARD, *TokenKind]),
    source=st.sampled_from([Source.READER, Source.STATION]),
)
certificates = {name: a_certificate(name) for name in "ABC"}
ways = st.builds(
    ConnectionProfile, st.sampled_from(["wss://a.example", "ws://a.example"]), st.integers(0, 2)
)
chains = st.lists(st.sampled_from(list(certificates.values())), max_size=3).map(tuple)
opened = st.builds(
    lambda way, chain: ev.LinkOpened(way, chain=chain if way.has_tls else ()), ways, chains
)
names = st.sampled_from(["a", "b"])
signed = st.none() | st.builds(
    chain,
    st.builds(own, names, names, name=st.sampled_from(["", "b"])),
)
FROM_LINK = st.one_of(
    told(st.sampled_from([ev.LinkAccepted(), ev.LinkAccepted(120)])),
    told(st.sampled_from([ev.LinkPending("Pending"), ev.LinkPending("Rejected")])),
    told(st.builds(ev.LinkLost, st.just("gone"))),
    told(st.builds(ev.AuthorizeAnswered, tags, infos)),
    told(st.builds(ev.AuthorizeFailed, tags, st.just("no answer"))),
    st.booleans().map(lambda interrupted: lambda story: story.fail(interrupted)),
    st.just(lambda story: story.drop_samples()),
    told(st.just(CertificateWanted())),
    told(
        st.builds(CertificateRequestMade, st.none() | st.builds(CertificateRequest, names, names))
    ),
    told(st.builds(CertificateRequestAnswered, names, st.sampled_from(["", "refused"]))),
    told(st.just(ev.OutboxWasEmpty(0))),
    told(st.sampled_from([ev.JournalFailed("full"), ev.JournalRecovered()])),
)
roots = st.sampled_from(
    [None, *(InspectedRoot(found, "EC", 256, "") for found in certificates.values())]
)


def install_and_use(story: Anything, found: RootCertificate) -> None:
    """The central system brings its root, and is reached with it."""
    root = InspectedRoot(found, "EC", 256, "")
    story.ask(lambda rid: ev.InstallRootRequested(rid, RootUse.CENTRAL_SYSTEM, root))
    story.tell(ev.LinkOpened(ConnectionProfile("wss://a.example"), chain=(found,)))


OF_CERTIFICATES = st.one_of(
    st.sampled_from(list(certificates.values())).map(
        lambda found: lambda story: install_and_use(story, found)
    ),
    told(opened),
    asked(ev.InstallRootRequested, st.sampled_from(RootUse), roots),
    asked(ev.DeleteRootRequested, st.sampled_from(["a", "b", "c", "none"])),
)
FROM_CENTRAL_SYSTEM = st.one_of(
    asked_of_a_tag(ev.RemoteStartRequested, tags, st.sampled_from([None, 0, 1, 2, 3])),
    asked(ev.RemoteStopRequested, st.sampled_from([101, 102, 103, HOSTILE_ID, -1])),
    asked(ev.UnlockRequested, st.integers(0, 3)),
    asked(
        ev.ConfigurationChangeRequested,
        st.sampled_from([key.name for key in KEYS]),
        st.sampled_from(["true", "false", "0", "1", "30", "-1", ""]),
    ),
    asked(ev.CacheClearRequested),
    asked(SigningTriggered),
    asked(ChainSigned, signed),
    asked(ev.SetProfileRequested, st.integers(0, 3), profiles),
    asked(ev.SetProfileRequested, st.integers(0, 2), profiles),
    asked(ev.ClearProfilesRequested, st.builds(Criteria, st.none() | st.integers(1, 5))),
    asked_of_a_tag(
        ev.RemoteStartRequested, tags, st.sampled_from([None, 1, 2]), st.none() | profiles
    ),
    asked(ev.AvailabilityChangeRequested, st.integers(0, 3), st.booleans()),
    asked(ev.ReservationRequested, reservations),
    asked(ev.ReservationRequested, reservations),
    asked(ev.ReservationCancelRequested, st.integers(1, 3)),
)
external_limits = st.builds(
    ev.ExternalLimitSet,
    st.sampled_from(ExternalSource),
    st.integers(0, 3),
    st.sampled_from([None, 0.0, 5.9, 6.0, 13.0, 99.0]),
    st.just(RateUnit.AMPERE),
    st.sampled_from([None, 0.0, 10.0, 100.0]),
)
FROM_OPERATOR = st.one_of(
    asked_of_a_tag(
        ev.StartRequested,
        st.integers(0, 3),
        tags,
        st.booleans(),  # only when plugged
        st.sampled_from([False, False, True]),  # trusted
        st.sampled_from([None, 0, 1, 45]),
        st.sampled_from([None, 1, 10, 500]),
    ),
    asked(ev.StopRequested, st.sampled_from([1, 2, 3, 11, HOSTILE_ID])),
    asked_of_a_tag(ev.AuthorizeRequested, tags),
    st.just(lambda story: story.retry()),
    asked(ev.RetryRequested, st.tuples(st.integers(1, 9))),  # perhaps parked, perhaps not
    asked(ev.DiscardRequested, st.integers(1, 9)),
    told(external_limits),
    told(external_limits),
    asked(ev.LimitRequested, st.integers(0, 3), st.sampled_from([None, 0.0, 5.9, 6.0, 16.0, 99.0])),
)
seen = st.builds(
    SecurityEventSeen,
    st.sampled_from(SecurityEventType),
    st.sampled_from(["", "from 192.0.2.7", "a\nb\ud800", "x" * 300]),
    st.booleans(),
)
OF_SECURITY = st.one_of(
    told(seen),
    st.builds(lambda event, count: lambda story: story.tell_often(event, count), seen, st.just(50)),
    told(st.builds(StorageMeasured, st.sampled_from([0, 19_000_000, 30_000_000, 50_000_000]))),
    asked(ClearSecurityLogRequested, st.just("a person")),
    st.booleans().map(lambda unwanted: lambda story: story.refuse_security_event(unwanted)),
    st.just(lambda story: story.tell_late()),
)
IS_DISABLED = asked(
    ev.ConfigurationChangeRequested,
    st.just("DisableSecurityEventNotifications"),
    st.sampled_from(["true", "false", "false"]),
)
TIME = st.sampled_from([0.5, 1.0, 3.0, 6.0, 60.0, 400.0]).map(
    lambda seconds: lambda story: story.wait(seconds)
)
OBEY = infos.map(lambda info: lambda story: story.obey(info))
OBEY_WELL = st.just(lambda story: story.obey(INFOS[0]))
END = st.one_of(told(st.just(ev.ShutdownRequested())), asked(ev.ResetRequested, st.booleans()))

step = st.one_of(
    *(FROM_PARTS, FROM_PEOPLE, FROM_LINK, FROM_CENTRAL_SYSTEM, FROM_OPERATOR),
    *(OF_CERTIFICATES, OF_SECURITY, TIME, OBEY, OBEY_WELL),
)
all_traits = st.builds(Traits, st.booleans(), st.booleans(), st.booleans(), st.booleans())
all_rules = st.builds(
    Rules,
    tap_guard_s=st.sampled_from([0.0, 5.0]),
    stop_by_second_tap=st.booleans(),
    remote_start_takes_first=st.booleans(),
    allow_random_uid=st.booleans(),
    free_charging_id_tag=st.sampled_from(["", "", "FREE", "F" * 21]),
    resume_after_power_loss=st.booleans(),
    random_delay_max_s=st.sampled_from([0, 0, 60]),
)
keys = st.fixed_dictionaries(
    {},
    optional={
        "LocalPreAuthorize": st.sampled_from(["true", "false"]),
        "LocalAuthorizeOffline": st.sampled_from(["true", "false"]),
        "AllowOfflineTxForUnknownId": st.sampled_from(["true", "false"]),
        "AuthorizeRemoteTxRequests": st.sampled_from(["true", "false"]),
        "MaxEnergyOnInvalidId": st.sampled_from(["0", "25", "500"]),
        "StopTransactionOnInvalidId": st.sampled_from(["true", "false"]),
        "ConnectionTimeOut": st.sampled_from(["0", "30"]),
        "MeterValueSampleInterval": st.sampled_from(["0", "10"]),
        "TransactionMessageAttempts": st.sampled_from(["0", "1", "3"]),
        "MaxChargingProfilesInstalled": st.sampled_from(["1", "3"]),
    },
)

MANY = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def any_charge_point(connectors: int, traits: Traits, rules: Rules, given: dict) -> ChargePoint:
    return a_charge_point(connectors, traits, rules, **given)


@MANY
@given(
    state=st.builds(any_charge_point, connector_ids, all_traits, all_rules, keys),
    steps=st.lists(step, max_size=60),
    end=st.none() | END,
)
def test_no_story_breaks_a_promise(state, steps, end):
    story = Anything(state)
    story.tell(ev.Started())
    for one in steps:
        one(story)
    if end is not None:
        end(story)
    story.settle_down()


def by_card(story: Anything) -> None:
    story.tell(tap("ANNA", listed(INFOS[1]), connectors=(1,)))


def by_operator(story: Anything) -> None:
    story.ask(lambda rid: ev.StartRequested(rid, 1, "ANNA", True, True, 300, 60))


def a_good_session(story: Anything, begin: Step = by_card) -> None:
    """What usually happens first, so that a story begins in the middle of a session."""
    story.tell(ev.CablePluggedIn(1))
    story.tell(ev.PilotChanged(1, PilotState.B))
    begin(story)
    for _ in range(5):
        story.obey(INFOS[1])
    story.tell(ev.PilotChanged(1, PilotState.C))
    for _ in range(4):
        story.obey(INFOS[1])


@MANY
@given(
    state=st.builds(any_charge_point, connector_ids, all_traits, all_rules, keys),
    begin=st.sampled_from([by_card, by_operator]),
    steps=st.lists(step, max_size=40),
    end=st.none() | END,
)
def test_no_story_that_begins_in_a_session_breaks_a_promise(state, begin, steps, end):
    story = Anything(state)
    a_good_session(story, begin)
    assert story.state.connectors[0].transaction is not None
    for one in steps:
        one(story)
    if end is not None:
        end(story)
    story.settle_down()


@MANY
@given(
    state=st.builds(any_charge_point, connector_ids, all_traits, all_rules, keys),
    left_open=st.lists(st.integers(1, 3), max_size=3),
    steps=st.lists(step, max_size=20),
)
def test_no_story_after_a_power_loss_breaks_a_promise(state, left_open, steps):
    state = replace(state, next_transaction_ref=11)
    found = tuple(
        a_transaction(ref=number, connector_id=connector_id, last_at=NOON)
        for number, connector_id in enumerate(left_open, 1)
    )
    story = Anything(state)
    story.tell(ev.Started(found))
    for one in steps:
        one(story)
    story.settle_down()
    assert story.witness.stopped >= {transaction.ref for transaction in found}


@MANY
@given(
    keys=st.fixed_dictionaries(
        {"CertificateStoreMaxLength": st.sampled_from(["1", "2", "10"])},
        optional={
            "AdditionalRootCertificateCheck": st.just("true"),
            "DisableSecurityEventNotifications": st.just("true"),
        },
    ),
    steps=st.lists(
        st.one_of(*[OF_CERTIFICATES] * 3, OF_SECURITY, IS_DISABLED, FROM_LINK, TIME, OBEY_WELL),
        min_size=20,  # else most are too short for a root to be used and deleted
        max_size=60,
    ),
)
def test_no_story_about_certificates_and_security_events_breaks_a_promise(keys, steps):
    story = Anything(a_charge_point(**keys))
    story.tell(ev.Started())
    for one in steps:
        one(story)
    story.settle_down()


def test_the_witness_of_security_is_awake():
    story = Anything(a_charge_point(online=False))
    story.tell(ev.Started())
    assert len(story.security.queue) == 1
    with pytest.raises(AssertionError, match="nobody has taken it"):
        story.security.watch(ev.TimePassed(), story.state, [RemoveSecurityEvents(1)], 0.0)


def test_the_witness_is_awake():
    story = Anything(a_charge_point())
    a_good_session(story)
    connector = replace(story.state.connectors[0], lock=LockState.UNLOCKED)
    with pytest.raises(AssertionError, match="the lock is not confirmed"):
        story.witness.watch(
            ev.TimePassed(), replace(story.state, connectors=(connector,)), commands=[]
        )
