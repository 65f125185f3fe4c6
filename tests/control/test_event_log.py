"""The diary tells a charging day in sentences, and no whole idTag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from agent.control.event_log import WarningLine, decision_line, sentences
from agent.core import charge_point
from agent.core import events as ev
from agent.core.authorization_reasons import Rule
from agent.core.charging_profiles import Criteria
from agent.core.commands import ParkMessage, QueueMessage
from agent.core.connection_profile import ConnectionProfile, ConnectionProfiles
from agent.core.events import Event
from agent.core.external_limits import ExternalSource
from agent.core.faults import RULES, SAFETY_INPUTS, Fault
from agent.core.state import ChargePoint, Outbox, Rules
from agent.core.values import (
    Boot,
    ConnectorMeasured,
    DecisionRecord,
    LockState,
    PilotState,
    SampledValue,
    StopReason,
    TransactionEnded,
    Verdict,
)
from tests.core.charging import MAX, a_profile
from tests.core.story import (
    BLOCKED,
    BOOT_S,
    CARD,
    NOON,
    Story,
    a_charge_point,
    a_started_story,
    a_transaction,
    at,
    charging,
    listed,
    reading,
    ready,
    tap,
)


def told(state: ChargePoint, event: Event | ev.LookedUp, seconds: float = 59.0) -> list[str]:
    """What the log says about one turn."""
    after, commands = charge_point.handle(state, ready(event), at(seconds))
    posted = event.event if isinstance(event, ev.LookedUp) else event
    return sentences(state, posted, after, commands)


def free() -> ChargePoint:
    return a_charge_point()


def offline() -> ChargePoint:
    return a_charge_point(online=False)


def plugged() -> ChargePoint:
    story = Story(a_charge_point())
    story.tell(ev.CablePluggedIn(1))
    return story.state


def starting() -> ChargePoint:
    return a_started_story().state


def in_session() -> ChargePoint:
    return charging().state


def stopping() -> ChargePoint:
    story = charging()
    story.tell(tap())
    story.tell(ev.PilotChanged(1, PilotState.B))
    story.tell(ev.ContactorOpened(1))
    return story.state


def sampling() -> ChargePoint:
    story = charging()
    story.wait(50)
    return story.state


@pytest.mark.parametrize(
    ("state", "event", "expected"),
    [
        (free, tap(), ["card 04..C4 presented", "asking the central system about card 04..C4"]),
        (free, ev.CardNotTaken("two cards"), ["card not taken: two cards"]),
        (
            free,
            ev.ReaderFailed("it is silent"),
            ["card reader: it is silent", "fault: card reader does not work"],
        ),
        (free, ev.CablePluggedIn(1), ["connector 1: plug in"]),
        (plugged, ev.CableUnplugged(1), ["connector 1: plug out"]),
        (starting, ev.LockChanged(1, LockState.LOCKED), ["connector 1: locked"]),
        (
            starting,
            ev.CableUnplugged(1),
            [
                "connector 1: plug out",
                "card 04..C4 refused at connector 1 (start): the start was given up: plug, lock, "
                "meter or a fault (by the charge point); next: see what the log says of plug, lock "
                "and meter just before; then start again",
            ],
        ),
        (
            in_session,
            ev.ContactorTripped(1, "lease expired", 1),
            ["connector 1: contactor opened by itself: lease expired"],
        ),
        (in_session, ev.ContactorTripped(1, "reflex", 1), []),
        (in_session, ev.ContactorOpened(1), ["connector 1: contactor open, no energy"]),
        (
            in_session,
            ev.MeterFailed(1, "no answer"),
            ["connector 1: meter: no answer", "connector 1: fault: energy meter does not answer"],
        ),
        (in_session, ev.SafetyInputTripped("door"), ["fault: cabinet door open"]),
        (
            in_session,
            ev.LinkLost("gone"),
            ["the link to the central system is lost; the box carries on by itself"],
        ),
        (offline, ev.LinkAccepted(), ["the central system has accepted this charge point"]),
        (
            offline,
            ev.LinkPending("Pending"),
            ["the central system answered the boot with Pending: waiting"],
        ),
        (free, ev.JournalFailed("full"), ["fault: the journal cannot be written"]),
        (free, ev.TimePassed(), []),
        (in_session, ev.MeterRead(1, reading(1100)), []),
        (sampling, ev.MeterRead(1, reading(1100)), ["connector 1: meter: 1100 Wh"]),
        (
            stopping,
            ev.MeterRead(1, reading(1100)),
            ["connector 1: session 1 ends (Local) at 1100 Wh: 100 Wh"],
        ),
        (
            free,
            ev.Started((a_transaction(),)),
            [
                "connector 1: session 1 was open when the last process ended",
            ],
        ),
        (
            free,
            ev.Started((a_transaction(connector_id=9),)),
            [
                "connector 9: session 1 was open when the last process ended",
                "session 1 ends (PowerLoss) at 1000 Wh",
            ],
        ),
        (
            free,
            ev.Started((), "set aside"),
            ["fault: database was corrupt: moved aside, a new one begun"],
        ),
        (
            free,
            ev.ShutdownRequested(),
            [
                "asked to shut down: sessions end, all outputs open",
                "all outputs are open; goodbye",
            ],
        ),
        (free, ev.ResetRequested("r1", hard=True), ["restarting"]),
        (
            in_session,
            ev.LockJammed(1, LockState.UNLOCKED),
            [
                "connector 1: the lock did not become unlocked",
                "connector 1: fault: connector lock does not move",
            ],
        ),
    ],
    ids=lambda value: type(value).__name__ if not callable(value) else value.__name__,
)
def test_a_turn_is_told_in_sentences(state: Callable[[], ChargePoint], event, expected):
    assert told(state(), event) == expected


def test_a_start_is_told_with_the_register():
    story = a_started_story()
    story.tell(ev.LockChanged(1, LockState.LOCKED))
    lines = told(story.state, ev.MeterRead(1, reading(1234)))
    assert lines == ["connector 1: session 1 begins at 1234 Wh"]


def test_energy_that_begins_to_flow_is_told():
    story = a_started_story()
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1)))
    story.tell(ev.PilotChanged(1, PilotState.C))
    assert told(story.state, ev.ContactorClosed(1)) == [
        "connector 1: contactor closed, energy flows"
    ]


def test_a_fault_that_is_gone_is_told():
    story = Story(a_charge_point())
    story.tell(ev.SafetyInputTripped("emergency_stop"))
    assert told(story.state, ev.SafetyInputCleared("emergency_stop")) == [
        "fault cleared: emergency stop pressed"
    ]


def test_a_meter_that_counts_anew_is_a_concern():
    story = charging()
    before, shifted = story.state, replace(reading(1100), offset_wh=900)
    event = ev.MeterRead(1, shifted)
    commands = story.tell(event)
    (line,) = sentences(before, event, story.state, commands)
    assert isinstance(line, WarningLine)
    assert "connector 1: the meter counts from a new value" in line
    assert "900 Wh are added" in line


def test_what_flows_through_a_weld_is_told_at_first_at_each_kwh_and_when_it_is_mended():
    story = Story(a_charge_point())
    story.tell(ev.ContactorClosed(1), ev.ContactorTripped(1, "welded", 1))
    story.tell(ev.MeterRead(1, reading(5000)))
    lines = []
    for event in (
        *(ev.MeterRead(1, reading(register_wh)) for register_wh in (5010, 5900, 6000, 6100)),
        ev.ContactorOpened(1),
        ev.ContactorMended(1),
    ):
        before = story.state
        commands = story.tell(event)
        lines += [
            line for line in sentences(before, event, story.state, commands) if "weld" in line
        ]
    lines = [line for line in lines if "Wh" in line]
    assert [line.split(" Wh")[0] for line in lines] == [
        "connector 1: 10",
        "connector 1: 1000",
        "connector 1: 1100",
    ]
    assert [isinstance(line, WarningLine) for line in lines] == [True, True, False]


def test_a_message_that_is_set_aside_is_told():
    state = a_charge_point()
    lines = sentences(state, ev.MessageFailed(7, "InternalError"), state, [ParkMessage(7, "it")])
    assert lines == [
        "message 7 not delivered: InternalError",
        "message 7 is parked after its last attempt: it",
    ]


def test_values_are_told_with_unit_and_phase():
    state = a_charge_point()
    values = (
        SampledValue("1000", "Energy.Active.Import.Register", "Wh"),
        SampledValue("230.0", "Voltage", "V", "L1-N"),
        SampledValue("0.98", "Power.Factor"),
    )
    message = QueueMessage(1, 1, ConnectorMeasured(2, NOON, values))
    assert sentences(state, ev.TimePassed(), state, [message]) == [
        "connector 2: meter: 1000 Wh, 230.0 V L1-N, 0.98"
    ]


def test_a_stop_of_a_session_that_nobody_knows_any_more_is_told_with_its_register():
    state = a_charge_point()
    stop = QueueMessage(1, 5, TransactionEnded(77, NOON, StopReason.POWER_LOSS))
    assert sentences(state, ev.TimePassed(), state, [stop]) == [
        "session 5 ends (PowerLoss) at 77 Wh"
    ]


def test_every_safety_input_and_every_fault_has_words():
    for name in SAFETY_INPUTS:
        (line,) = told(a_charge_point(), ev.SafetyInputTripped(name))
        assert line.startswith("fault: ")
    assert all(rule.words for rule in RULES.values())


# --- decisions -----------------------------------------------------------------------------------

RECORD = DecisionRecord(
    decided_at=NOON,
    purpose="start",
    connector_id=1,
    id_tag=CARD,
    verdict=Verdict.ACCEPTED,
    rule="LISTED",
    source="local list",
    status="Accepted",
    list_version=7,
)


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (
            RECORD,
            "card 04..C4 accepted at connector 1 (start): the local list accepts this card "
            "(by the local list, Accepted, list version 7)",
        ),
        (
            replace(
                RECORD,
                connector_id=None,
                verdict=Verdict.REFUSED,
                rule="UNKNOWN_REFUSED",
                source="offline rule",
                status=None,
                list_version=None,
                detail="there is no link",
            ),
            "card 04..C4 refused (start): offline: this card is neither in the local list nor "
            "remembered (by the offline rule, there is no link); next: restore the link (see "
            "status), or put the card on the local list",
        ),
        *(
            (
                replace(
                    RECORD, rule="CACHED", source="cache", list_version=None, cache_age_s=seconds
                ),
                "card 04..C4 accepted at connector 1 (start): the central system accepted this "
                "card before, and that answer is still valid (by the cache, Accepted, heard "
                f"{age} ago)",
            )
            for seconds, age in [(59, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")]
        ),
    ],
)
def test_a_decision_is_one_line_with_reason_and_what_to_do(record, line):
    assert decision_line(record) == line


@pytest.mark.parametrize("rule", list(Rule))
def test_every_rule_makes_a_line_without_the_whole_tag(rule):
    line = decision_line(replace(RECORD, rule=rule.name, verdict=Verdict.REFUSED))
    assert rule.says in line
    assert CARD not in line


def test_a_card_that_is_refused_is_told_with_its_reason():
    story = Story(a_charge_point(online=False))
    lines = told(story.state, tap(facts=listed(BLOCKED)))
    assert lines[0] == "card 04..C4 presented"
    assert lines[1].startswith("card 04..C4 refused")
    assert "Blocked" in lines[1]


@pytest.mark.parametrize(
    ("state", "event", "is_concern"),
    [
        (in_session, ev.MeterFailed(1, "no answer"), True),
        (in_session, ev.SafetyInputTripped("door"), True),
        (in_session, ev.ContactorTripped(1, "lease expired", 1), True),
        (free, ev.ReaderFailed("it is silent"), True),
        (free, ev.CablePluggedIn(1), False),
        (free, tap(), False),
        (in_session, ev.LinkLost("gone"), False),
    ],
)
def test_what_wants_a_look_is_told_from_an_ordinary_day(state, event, is_concern):
    lines = told(state(), event)
    assert lines
    assert all(isinstance(line, WarningLine) is is_concern for line in lines)


# --- after a power loss ---------------------------------------------------------------------------


def found_open(**rules: bool) -> Story:
    """A session was found open; its plug is in."""
    story = Story(a_charge_point(rules=Rules(**rules)))
    story.tell(ev.CablePluggedIn(1), ev.LockChanged(1, LockState.LOCKED))
    story.tell(ev.Started((a_transaction(),)))
    return story


def test_energy_that_cannot_be_of_the_session_is_told_as_a_concern():
    lines = told(found_open().state, ev.MeterRead(1, reading(900_000)), seconds=1)
    concern = lines[0]
    assert isinstance(concern, WarningLine)
    assert concern == (
        "connector 1: the meter stands at 900000 Wh, more than the session can have drawn since "
        "its last sample; it is closed with that sample"
    )
    assert "connector 1: session 1 ends (PowerLoss) at 1000 Wh: 0 Wh" in lines


def test_energy_that_can_be_of_the_session_is_no_concern():
    lines = told(found_open().state, ev.MeterRead(1, reading(1100)), seconds=1)
    assert lines[0] == "connector 1: session 1 ends (PowerLoss) at 1100 Wh: 100 Wh"


def test_a_session_that_goes_on_is_told():
    story = found_open(resume_after_power_loss=True)
    lines = told(story.state, ev.MeterRead(1, reading(1100)), seconds=1)
    assert lines == ["connector 1: the session goes on"]


@pytest.mark.parametrize(
    ("is_time_known", "expected"),
    [
        (False, ["the time is known: this boot began at 2026-03-01T11:43:20+00:00"]),
        (True, []),  # rows of an earlier process are corrected in silence
    ],
)
def test_the_moment_when_the_time_becomes_known_is_told_once(is_time_known, expected):
    boot = Boot(1, "boot", NOON - timedelta(seconds=BOOT_S), is_time_known)
    state = replace(a_charge_point(), boot=boot, owes_correction=True)
    assert told(state, ev.TimePassed(), seconds=0) == expected


def test_samples_that_are_dropped_for_want_of_room_are_told_as_a_fault():
    state = replace(free(), outbox=Outbox(next_sequence=9))
    (line,) = told(replace(state, online=False), ev.SamplesThinned(100))
    assert line == "fault: too much waits: meter values are thinned"


def test_charging_profiles_and_what_they_allow_are_told():
    story = charging()
    profile = a_profile(7, 10, level=2)
    assert told(story.state, ev.SetProfileRequested("p", 1, profile), 10) == [
        "connector 1: it may draw 10 A",
        "connector 1: charging profile 7 (TxDefaultProfile, level 2) is installed",
    ]
    story.tell(ev.SetProfileRequested("p", 1, profile))
    assert told(story.state, ev.ClearProfilesRequested("c", Criteria()), 10) == [
        "connector 1: it is no longer limited",
        "charging profile 7 is removed",
    ]


def test_a_charging_profile_for_the_whole_box_is_told_as_such():
    assert told(free(), ev.SetProfileRequested("p", 0, a_profile(7, 10, purpose=MAX))) == [
        "the whole box: charging profile 7 (ChargePointMaxProfile, level 0) is installed"
    ]


def test_a_charging_profile_that_is_rejected_is_a_concern_with_its_reason():
    (line,) = told(free(), ev.SetProfileRequested("p", 1, a_profile(7, -1)))
    assert line == (
        "a request refused at connector 1 (charging profile): the charging profile cannot be used "
        "(by the charge point, a limit is below 0); next: correct what the detail names in the "
        "central system"
    )
    assert isinstance(line, WarningLine)


def test_a_request_that_is_rejected_is_a_concern_whoever_made_it():
    state = free()
    stuck = replace(
        state.connectors[0],
        contactor_closed=True,
        faults=frozenset({Fault.CONTACTOR_WELDED}),
    )
    (line,) = told(replace(state, connectors=(stuck,)), ev.ContactorMended(1, "at the page"))
    assert line == "a request is rejected: its contacts are still closed"
    assert isinstance(line, WarningLine)


# --- the way to the central system ---------------------------------------------------------------

HERE = ConnectionProfile("ws://here.example", 1)
THERE = ConnectionProfile("ws://there.example", 1)
PASSWORD = ConnectionProfile("ws://here.example", 1, "sixteen chars ok")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            ConnectionProfiles(HERE),
            ConnectionProfiles(HERE, THERE, is_held=True),
            [
                "new connection settings to try: ws://there.example, security profile 1",
                "tried once no session is running and the present connection "
                "has delivered everything",
            ],
        ),
        (
            ConnectionProfiles(HERE, PASSWORD),
            ConnectionProfiles(PASSWORD),
            [
                "new connection settings in use: "
                "ws://here.example, security profile 1, another password"
            ],
        ),
        (
            ConnectionProfiles(HERE, THERE),
            ConnectionProfiles(HERE),
            [
                "the previous connection stays in use; given up: "
                "ws://there.example, security profile 1"
            ],
        ),
        (
            ConnectionProfiles(HERE, PASSWORD),
            ConnectionProfiles(HERE, PASSWORD, is_doubted=True),
            [
                "the previous connection stays in use; not working yet: "
                "ws://here.example, security profile 1, another password"
            ],
        ),
        (ConnectionProfiles(HERE, THERE), ConnectionProfiles(HERE, THERE, in_use=THERE), []),
    ],
)
def test_a_change_of_the_way_to_the_central_system_is_told_without_the_password(old, new, words):
    before, after = (replace(a_charge_point(), approaches=known) for known in (old, new))
    assert sentences(before, ev.TimePassed(), after, []) == words


def test_a_limit_from_outside_is_told_when_it_changes_and_not_when_it_only_lasts_longer():
    story = Story(a_charge_point(2))

    def told(place: int, limit: float | None, valid_for_s: float | None = 60) -> list[str]:
        event = ev.ExternalLimitSet(ExternalSource.HOUSE, place, limit, valid_for_s=valid_for_s)
        before = story.state
        commands = story.tell(event)
        return sentences(before, event, story.state, commands)

    who = "the house's energy management limits"
    assert told(0, 10) == [f"{who} all connectors to 10 A"]
    story.wait(10)
    assert told(0, 10) == []
    assert told(2, 6) == [f"{who} connector 2 to 6 A"]
    assert told(2, None) == [f"{who} connector 2 no longer"]
