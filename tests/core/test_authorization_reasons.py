"""Every reason is reached by a story, and says something to a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from agent.core import events as ev
from agent.core.authorization_outcome import CHECKS_MAX
from agent.core.authorization_reasons import STATION_RULES, Rule, next_step_of, reason_of, whose
from agent.core.commands import Command
from agent.core.contract import Contract
from agent.core.events import Event
from agent.core.firmware_values import Firmware, FirmwareStep, FirmwareUpdate
from agent.core.state import GrantedAuthorization, Rules, Traits
from agent.core.tag_sources import Source
from agent.core.values import Reservation, TagRecord, TokenKind, Verdict
from tests.core.charging import a_profile
from tests.core.reservation_builders import reserved
from tests.core.story import (
    ACCEPTED,
    BLOCKED,
    CARD,
    NOON,
    OTHER_CARD,
    Story,
    a_charge_point,
    cached,
    charging,
    decisions,
    finish,
    listed,
    looked_up,
    of_group,
    tap,
)


def tapped(facts: TagRecord, online: bool, **keys: str) -> list[Command]:
    return Story(a_charge_point(online=online, **keys)).tell(tap(facts=facts))


def online(facts: TagRecord, **keys: str) -> Callable[[], list[Command]]:
    return lambda: tapped(facts, True, **keys)


def offline(facts: TagRecord, **keys: str) -> Callable[[], list[Command]]:
    return lambda: tapped(facts, False, **keys)


def answered(info) -> Callable[[], list[Command]]:
    return lambda: Story(a_charge_point()).tell(tap(), ev.AuthorizeAnswered(CARD, info))


def while_charging(
    *events: ev.Event, facts: TagRecord | None = None, **given
) -> Callable[[], list[Command]]:
    return lambda: charging(facts=facts, **given).tell(*events)


def group_stop(other: TagRecord, online: bool = True) -> Callable[[], list[Command]]:
    return while_charging(tap(OTHER_CARD, other), facts=listed(of_group("FLEET")), online=online)


def the_session_is_over_before_the_answer() -> list[Command]:
    story = charging(facts=listed(of_group("FLEET")))
    story.tell(tap(OTHER_CARD))
    story.tell(ev.CableUnplugged(1))
    return story.tell(ev.AuthorizeAnswered(OTHER_CARD, of_group("FLEET")))


def the_same_card_too_soon() -> list[Command]:
    return charging(rules=Rules(tap_guard_s=30.0)).tell(tap())


def the_same_card_right_after_the_end() -> list[Command]:
    story = charging()
    story.tell(tap())
    finish(story)
    return story.tell(tap(facts=listed()))


def the_same_card_before_a_plug_came() -> list[Command]:
    story = Story(a_charge_point())
    story.tell(tap(facts=listed()))
    story.wait(6)
    return story.tell(tap(facts=listed()))


def the_same_card_during_the_random_delay():
    story = charging(rules=Rules(random_delay_max_s=600, random_seed=7))
    return story.tell(tap())


def the_card_comes_for_its_cable() -> list[Command]:
    story = charging()
    story.tell(ev.MessageAnswered(1, 1, 55, BLOCKED, CARD))
    finish(story)
    return story.tell(tap())


def a_fault_stands() -> list[Command]:
    return Story(a_charge_point()).tell(ev.SafetyInputTripped("door"), tap(facts=listed()))


def the_journal_is_dead() -> list[Command]:
    return Story(a_charge_point()).tell(ev.JournalFailed("disk full"), tap(facts=listed()))


def too_many_cards_are_being_checked() -> list[Command]:
    story = Story(a_charge_point(connectors=CHECKS_MAX + 1))
    served = tuple(range(1, CHECKS_MAX + 2))
    commands = []
    for number in range(CHECKS_MAX + 1):
        commands = story.tell(tap(f"CARD-{number}", connectors=served))
    return commands


def the_box_restarts() -> list[Command]:
    return Story(a_charge_point()).tell(ev.ShutdownRequested(), tap(facts=listed()))


def a_remote_start() -> list[Command]:
    return Story(a_charge_point()).tell(ev.RemoteStartRequested("r1", CARD, 1))


def a_card_that_is_another_each_time() -> list[Command]:
    return Story(a_charge_point()).tell(tap("08A2B3C4", listed(), is_random=True))


def answered_with_nonsense() -> list[Command]:
    story = Story(a_charge_point(AllowOfflineTxForUnknownId="true"))
    return story.tell(tap(), ev.AuthorizeFailed(CARD, "no status", is_answer=True))


def a_plug_where_charging_is_free() -> list[Command]:
    rules = Rules(free_charging_id_tag="FREE")
    return Story(a_charge_point(rules=rules)).tell(ev.CablePluggedIn(1))


def a_session_of_a_tag_that_was_just_asked_about() -> list[Command]:
    story = Story(a_charge_point())
    story.tell(ev.AuthorizeRequested("q1", CARD), ev.AuthorizeAnswered(CARD, ACCEPTED))
    return story.tell(ev.StartRequested("s1", 1, CARD))


def a_session_on_simulated_hardware() -> list[Command]:
    return Story(a_charge_point()).tell(ev.StartRequested("s1", 1, CARD, is_trusted=True))


def a_vehicle_shows_its_address() -> list[Command]:
    return Story(a_charge_point()).tell(claimed(TokenKind.AUTOCHARGE))


def claimed(claim: TokenKind) -> ev.LookedUp:
    return looked_up(ev.TagPresented(CARD, (1,), claim=claim), listed())


def a_contract_nobody_can_check() -> list[Command]:
    story = Story(a_charge_point(online=False, ISO15118PnCEnabled="true"))
    return story.tell(looked_up(ev.TagPresented(CARD, (1,), contract=Contract(())), listed()))


def a_card_comes_while_a_token_is_checked():
    story = Story(a_charge_point())
    story.tell(ev.TagPresented(OTHER_CARD, (1,), source=Source.STATION))
    return story.tell(tap())


def the_station_discards_it() -> list[Command]:
    story = Story(a_charge_point(rules=Rules(asks_station=True)))
    story.tell(tap(facts=listed()))
    return story.tell(ev.StationAnswered(CARD, is_wanted=False))


def not_taken(rule: Rule) -> Callable[[], list[Command]]:
    return lambda: Story(a_charge_point()).tell(ev.RequestNotTaken(CARD, (1,), rule))


def the_connector_is_out_of_service() -> list[Command]:
    story = Story(a_charge_point())
    story.tell(ev.AvailabilityChangeRequested("r1", 1, operative=False))
    return story.tell(tap(facts=listed()))


def firmware_waits() -> list[Command]:
    update = FirmwareUpdate("http://files.example.com/x", NOON, 0, 0, FirmwareStep.DOWNLOADED)
    story = Story(replace(a_charge_point(), firmware=Firmware(update=update)))
    story.tell(ev.TimePassed())
    return story.tell(tap(facts=listed()))


def asked(
    event: Event | ev.LookedUp, *before: Event | ev.LookedUp, **given
) -> Callable[[], list[Command]]:
    return lambda: Story(a_charge_point(**given)).tell(*before, event)


def the_store_cannot_be_read() -> list[Command]:
    unread = ev.LookedUp(ev.TagPresented(CARD, (1,)), None, "disk I/O error")
    return Story(a_charge_point()).tell(unread)


def the_session_is_just_being_ended() -> list[Command]:
    return charging(rules=Rules(tap_guard_s=0.0)).tell(tap(), tap(facts=listed()))


def nobody_plugs_in() -> list[Command]:
    story = Story(a_charge_point())
    story.tell(tap(facts=listed()))
    return story.wait(60)


def another_card_is_first() -> list[Command]:
    story = Story(a_charge_point(connectors=2))
    story.tell(looked_up(ev.StartRequested("s1", 1, CARD), listed()))
    first = GrantedAuthorization(OTHER_CARD, None, (1,), 0.0, None, "LISTED")
    story.state = replace(story.state, waiting=(first, *story.state.waiting))
    return story.tell(ev.CablePluggedIn(1))


def the_lock_jams() -> list[Command]:
    story = charging()
    story.tell(ev.UnlockRequested("u1", 1))
    return story.wait(60)


YES, NO = Verdict.ACCEPTED, Verdict.REFUSED
START, PLUG = ev.RemoteStartRequested("r1", CARD, 1), ev.CablePluggedIn(1)
NO_LOCK = Traits(has_lock=False)
PAST = Reservation(1, 1, CARD, NOON)
IN_GROUP, IN_OTHER_GROUP = listed(of_group("FLEET")), listed(of_group("OTHER"))
NOT_OFFLINE = {"LocalAuthorizeOffline": "false"}

STORIES: dict[Rule, tuple[Verdict, Callable[[], list[Command]]]] = {
    Rule.LISTED: (YES, online(listed())),
    Rule.CACHED: (YES, online(cached())),
    Rule.CENTRAL_ACCEPTED: (YES, answered(ACCEPTED)),
    Rule.CENTRAL_REFUSED: (NO, answered(BLOCKED)),
    Rule.ANSWER_UNUSABLE: (NO, answered_with_nonsense),
    Rule.LISTED_OFFLINE: (YES, offline(listed())),
    Rule.LISTED_REFUSED: (NO, offline(listed(BLOCKED))),
    Rule.CACHED_OFFLINE: (YES, offline(cached())),
    Rule.CACHED_REFUSED: (NO, offline(cached(BLOCKED))),
    Rule.UNKNOWN_ALLOWED: (YES, offline(TagRecord(), AllowOfflineTxForUnknownId="true")),
    Rule.UNKNOWN_REFUSED: (NO, offline(TagRecord())),
    Rule.OFFLINE_OFF: (NO, offline(listed(), **NOT_OFFLINE)),
    Rule.REMOTE_TRUSTED: (YES, a_remote_start),
    Rule.SAME_CARD: (YES, while_charging(tap())),
    Rule.SAME_GROUP: (YES, group_stop(IN_GROUP)),
    Rule.OTHER_SESSION: (NO, while_charging(tap(OTHER_CARD, listed()))),
    Rule.OTHER_GROUP: (NO, group_stop(IN_OTHER_GROUP)),
    Rule.GROUP_UNKNOWN: (NO, group_stop(TagRecord(), online=False)),
    Rule.STOP_BY_CARD_OFF: (NO, while_charging(tap(), rules=Rules(stop_by_second_tap=False))),
    Rule.SESSION_OVER: (NO, the_session_is_over_before_the_answer),
    Rule.RANDOM_UID: (NO, a_card_that_is_another_each_time),
    Rule.UNTELLABLE: (NO, lambda: Story(a_charge_point()).tell(tap("", listed()))),
    Rule.FREE: (YES, a_plug_where_charging_is_free),
    Rule.STATION: (YES, lambda: Story(a_charge_point()).tell(claimed(TokenKind.STATION))),
    Rule.FREE_OFF: (NO, lambda: Story(a_charge_point()).tell(claimed(TokenKind.FREE))),
    Rule.AUTOCHARGE_OFF: (NO, a_vehicle_shows_its_address),
    Rule.CONTRACT_UNCHECKED: (NO, a_contract_nobody_can_check),
    Rule.DISCARDED: (NO, the_station_discards_it),
    **{rule: (NO, not_taken(rule)) for rule in STATION_RULES},
    Rule.OWN_READER_FIRST: (NO, a_card_comes_while_a_token_is_checked),
    Rule.VOUCHED: (YES, a_session_of_a_tag_that_was_just_asked_about),
    Rule.TRUSTED: (YES, a_session_on_simulated_hardware),
    Rule.TOO_SOON: (NO, the_same_card_too_soon),
    Rule.JUST_ENDED: (NO, the_same_card_right_after_the_end),
    Rule.CANCELLED: (NO, the_same_card_before_a_plug_came),
    Rule.DELAY_SKIPPED: (YES, the_same_card_during_the_random_delay),
    Rule.CABLE_RELEASED: (YES, the_card_comes_for_its_cable),
    Rule.NO_CONNECTOR: (NO, lambda: Story(a_charge_point()).tell(tap(connectors=()))),
    Rule.RESERVED: (NO, lambda: reserved().tell(tap(OTHER_CARD, listed()))),
    Rule.OUT_OF_SERVICE: (NO, the_connector_is_out_of_service),
    Rule.UPDATING: (NO, firmware_waits),
    Rule.FAULTED: (NO, a_fault_stands),
    Rule.JOURNAL_FAILED: (NO, the_journal_is_dead),
    Rule.TOO_MANY: (NO, too_many_cards_are_being_checked),
    Rule.SHUTTING_DOWN: (NO, the_box_restarts),
    Rule.LOOK_UP_FAILED: (NO, the_store_cannot_be_read),
    Rule.DEAUTHORIZED: (
        NO,
        while_charging(ev.MessageAnswered(1, 1, 55, BLOCKED, CARD)),
    ),
    Rule.NO_ANSWER: (
        NO,
        asked(ev.AuthorizeFailed(CARD, "none"), ev.AuthorizeRequested("q1", CARD)),
    ),
    Rule.NOT_CONNECTED: (NO, asked(ev.AuthorizeRequested("q1", CARD), online=False)),
    Rule.NOT_REGISTERED: (NO, asked(START, ev.LinkPending("Pending"))),
    Rule.ENDING: (NO, the_session_is_just_being_ended),
    Rule.NO_PLUG_CAME: (NO, nobody_plugs_in),
    Rule.GIVEN_UP: (NO, asked(ev.CableUnplugged(1), PLUG, tap(facts=listed()))),
    Rule.OTHER_FIRST: (NO, another_card_is_first),
    Rule.UNLOCKED: (NO, asked(ev.UnlockRequested("u1", 1), PLUG, tap(facts=listed()))),
    Rule.NOT_PLUGGED: (NO, asked(ev.StartRequested("s1", 1, CARD, must_be_plugged=True))),
    Rule.UNKNOWN_CONNECTOR: (NO, asked(ev.RemoteStartRequested("r1", CARD, 9))),
    Rule.NO_CONNECTOR_NAMED: (
        NO,
        asked(ev.RemoteStartRequested("r1", CARD), rules=Rules(remote_start_takes_first=False)),
    ),
    Rule.NO_SESSION: (NO, asked(ev.RemoteStopRequested("r1", 77))),
    Rule.SEVERAL_SESSIONS: (NO, not_taken(Rule.SEVERAL_SESSIONS)),
    Rule.BAD_PROFILE: (NO, asked(ev.RemoteStartRequested("r1", CARD, 1, a_profile(1, 13)))),
    Rule.NO_LOCK: (NO, asked(ev.UnlockRequested("u1", 1), traits=NO_LOCK)),
    Rule.LOCK_STUCK: (NO, the_lock_jams),
    Rule.BAD_RESERVATION: (NO, asked(ev.ReservationRequested("r1", PAST))),
    Rule.NO_RESERVATION: (NO, asked(ev.ReservationCancelRequested("r1", 1))),
    Rule.NOT_DONE: (NO, not_taken(Rule.NOT_DONE)),
}


@pytest.mark.parametrize("rule", list(Rule), ids=lambda rule: rule.name)
def test_every_reason_is_recorded_by_the_story_that_leads_to_it(rule):
    verdict, story = STORIES[rule]
    record = decisions(story())[-1]
    assert (record.rule, record.verdict) == (rule.name, verdict)


@pytest.mark.parametrize("rule", list(Rule), ids=lambda rule: rule.name)
def test_every_reason_says_something_and_every_refusal_that_can_be_mended_says_how(rule):
    verdict, _ = STORIES[rule]
    assert rule.says
    nothing_to_do = {Rule.CANCELLED, Rule.SESSION_OVER}
    assert bool(rule.then) is (verdict is Verdict.REFUSED and rule not in nothing_to_do)


def test_a_record_carries_everything_that_was_known():
    story = Story(a_charge_point(online=False))
    entry = replace(BLOCKED, parent_id_tag="FLEET")
    (record,) = decisions(story.tell(tap(facts=listed(entry, version=42), connectors=(1,))))
    assert record.decided_at == story.now.utc
    assert (record.purpose, record.connector_id, record.id_tag) == ("start", 1, CARD)
    assert (record.source, record.status, record.list_version) == ("local list", "Blocked", 42)
    assert (record.cache_age_s, record.detail) == (None, "offline")


def test_a_stored_rule_of_another_version_is_told_by_its_name():
    assert reason_of("FAULTED") == Rule.FAULTED.says
    assert next_step_of("FAULTED") == Rule.FAULTED.then
    assert reason_of("OF_TOMORROW") == "OF_TOMORROW"
    assert next_step_of("OF_TOMORROW") == ""
    assert reason_of("") == ""  # a session of which none was kept


def test_a_session_is_somebodys_by_the_masked_tag_and_nobodys_where_charging_is_free():
    assert whose("044943121F1A80", "LISTED") == "04..80"
    assert whose("evcc", "LISTED") == whose("evcc", "") == ".."
    assert whose("evcc", "FREE") == "free charging"
