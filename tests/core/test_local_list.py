"""The local list: which update is made, and what is told when the central system contradicts it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core import events as ev
from agent.core.commands import ActivateList, CacheTag, NotifyStatus, Reply
from agent.core.configuration import configuration
from agent.core.local_list import (
    CONFLICTS_MAX,
    VERSION_MAX,
    decide,
    in_order,
    problem_with,
)
from agent.core.state import ChargePoint, Rules
from agent.core.values import (
    AuthorizationStatus,
    IdTagInfo,
    ListEntry,
    ListOrigin,
    ListOwner,
    ListStatus,
    ListUpdate,
    ListUpdateKind,
    LocalList,
    Status,
    StatusReport,
    TagRecord,
)
from tests.core.story import (
    ACCEPTED,
    BLOCKED,
    CARD,
    NOON,
    OTHER_CARD,
    a_charge_point,
    cached,
    listed,
    looked_up,
    of_group,
    play,
    tap,
)

CSMS, API, CLI = ListOrigin.CENTRAL_SYSTEM, ListOrigin.CONTROL_API, ListOrigin.COMMAND_LINE
FULL, DIFF, CLEAR = ListUpdateKind.FULL, ListUpdateKind.DIFFERENTIAL, ListUpdateKind.CLEAR
STORED = LocalList(version=5, entries=2, generation=9)
KEYS = configuration(1, {"SendLocalListMaxLength": "3", "LocalAuthListMaxLength": "4"}, {})
OFF = KEYS.with_value("LocalAuthListEnabled", "false")


# --- which update is made ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "version", "origin", "received", "entries", "status"),
    [
        # a full list of the central system wins whatever its version (sections 5.15 and 7.47)
        (FULL, 6, CSMS, 2, 2, "Accepted"),
        (FULL, 5, CSMS, 2, 2, "Accepted"),
        (FULL, 1, CSMS, 0, 0, "Accepted"),
        (FULL, VERSION_MAX, CSMS, 2, 2, "Accepted"),
        # a differential one must go forward
        (DIFF, 6, CSMS, 1, 3, "Accepted"),
        (DIFF, 6, CSMS, 0, 2, "Accepted"),
        (DIFF, 5, CSMS, 1, 3, "VersionMismatch"),
        (DIFF, 4, CSMS, 1, 3, "VersionMismatch"),
        # 0 and -1 mean something else (errata 3.52)
        (FULL, 0, CSMS, 2, 2, "Failed"),
        (FULL, -1, CSMS, 2, 2, "Failed"),
        (DIFF, 0, CSMS, 1, 3, "Failed"),
        (DIFF, -7, CSMS, 1, 3, "Failed"),
        (FULL, VERSION_MAX + 1, CSMS, 2, 2, "Failed"),
        (FULL, VERSION_MAX + 1, CSMS, 0, 0, "Failed"),
        (FULL, 0, CSMS, 0, 0, "Accepted"),  # some send it so: the list is emptied
        (FULL, -1, CSMS, 0, 0, "Accepted"),
        (FULL, 0, API, 0, 0, "Invalid"),
        (DIFF, 0, CSMS, 0, 2, "Failed"),
        # too many at once, or in all
        (FULL, 6, CSMS, 3, 3, "Accepted"),
        (FULL, 6, CSMS, 4, 4, "Failed"),
        (DIFF, 6, CSMS, 4, 4, "Failed"),
        (DIFF, 6, CSMS, 2, 4, "Accepted"),
        (DIFF, 6, CSMS, 3, 5, "Failed"),
        # operators: forward with a full list too, and told what is wrong
        (FULL, 6, API, 2, 2, "Accepted"),
        (FULL, 5, API, 2, 2, "VersionMismatch"),
        (DIFF, 5, CLI, 1, 3, "VersionMismatch"),
        (FULL, 0, API, 2, 2, "Invalid"),
        (FULL, 6, API, 4, 4, "Invalid"),
        (DIFF, 6, API, 3, 5, "Invalid"),
        # a file is no message
        (FULL, 6, CLI, 4, 4, "Accepted"),
        (FULL, 6, CLI, 5, 5, "Invalid"),
        (CLEAR, 0, API, 0, 0, "Accepted"),
        (CLEAR, 0, CLI, 0, 0, "Accepted"),
    ],
)
def test_an_update_is_made_or_not_by_its_version_and_size(
    kind, version, origin, received, entries, status
):
    update = ListUpdate(kind, version, origin, received)
    decision = decide(STORED, KEYS, ListOwner.SHARED, update, entries)
    assert decision.status.value == status
    assert bool(decision.detail) == (status != "Accepted")


@pytest.mark.parametrize("origin", ListOrigin)
def test_a_list_that_is_switched_off_takes_nothing(origin):
    for kind in ListUpdateKind:
        update = ListUpdate(kind, 6, origin, 1)
        decision = decide(STORED, OFF, ListOwner.SHARED, update, 1)
        assert decision.status is ListStatus.NOT_SUPPORTED


@pytest.mark.parametrize(
    ("owner", "origin", "status"),
    [
        (ListOwner.CSMS, CSMS, ListStatus.ACCEPTED),
        (ListOwner.CSMS, API, ListStatus.MANAGED),
        (ListOwner.CSMS, CLI, ListStatus.MANAGED),
        (ListOwner.SHARED, CSMS, ListStatus.ACCEPTED),
        (ListOwner.SHARED, API, ListStatus.ACCEPTED),
        (ListOwner.LOCAL, CSMS, ListStatus.NOT_SUPPORTED),
        (ListOwner.LOCAL, CLI, ListStatus.ACCEPTED),
    ],
)
def test_only_who_owns_the_list_may_change_it(owner, origin, status):
    update = ListUpdate(FULL, 6, origin, 1)
    assert decide(STORED, KEYS, owner, update).status is status


@pytest.mark.parametrize(
    ("kind", "received", "status"),
    [
        (FULL, 4, ListStatus.ACCEPTED),
        (FULL, 5, ListStatus.INVALID),
        (DIFF, 5, ListStatus.ACCEPTED),  # how many of them are new is not known yet
    ],
)
def test_before_it_is_staged_only_a_full_list_shows_how_many_there_will_be(kind, received, status):
    update = ListUpdate(kind, 6, CLI, received)
    assert decide(STORED, KEYS, ListOwner.SHARED, update).status is status


def test_an_empty_list_is_reported_as_version_zero_and_compared_by_the_stored_one():
    emptied = LocalList(version=7, entries=0, generation=3)
    assert emptied.reported_version == 0
    assert STORED.reported_version == 5
    differential = ListUpdate(DIFF, 7, CSMS, 1)
    decision = decide(emptied, KEYS, ListOwner.SHARED, differential, 1)
    assert decision.status is ListStatus.VERSION_MISMATCH


# --- which entries may stand in it ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "entries", "words"),
    [
        (FULL, [], ""),
        (FULL, [ListEntry("A", ACCEPTED), ListEntry("B", BLOCKED)], ""),
        (DIFF, [ListEntry("A", ACCEPTED), ListEntry("B", None)], ""),
        (FULL, [ListEntry("04A2B3C4", None)], "the entry for 04..C4 has no idTagInfo"),
        (DIFF, [ListEntry("", ACCEPTED)], "empty"),
        (DIFF, [ListEntry("X" * 21, None)], "longer than 20"),
        (DIFF, [ListEntry("sm\u00f8r", None)], "not printable ASCII"),
        (DIFF, [ListEntry("A\n", None)], "not printable ASCII"),
        (FULL, [ListEntry("04A2B3C4", of_group("X" * 21))], "parentIdTag of 04..C4"),
        (FULL, [ListEntry("04a2b3c4", ACCEPTED), ListEntry("04A2B3C4", BLOCKED)], "comes twice"),
        (DIFF, [ListEntry("04A2B3C4", None), ListEntry("04A2B3C4", ACCEPTED)], "comes twice"),
    ],
)
def test_what_is_wrong_with_entries_is_told_without_a_whole_tag(kind, entries, words):
    problem = problem_with(kind, in_order(entries))
    assert words in problem if words else problem == ""
    assert CARD.lower() not in problem.lower()


def test_entries_are_put_into_the_order_of_the_store():
    mixed = [ListEntry(tag, None) for tag in ("b", "_", "A", "a1", "B2")]
    assert [entry.id_tag for entry in in_order(mixed)] == ["_", "A", "a1", "b", "B2"]


def test_the_same_tag_is_found_twice_wherever_it_stands():
    entries = [ListEntry(f"T{number}", ACCEPTED) for number in range(50)]
    assert "comes twice" in problem_with(FULL, in_order([*entries, ListEntry("t7", ACCEPTED)]))


def quiet(**keys: str) -> ChargePoint:
    """A charge point that has told its statuses already."""
    return play(a_charge_point(**keys), ev.TimePassed())[0]


# --- what the core makes of it -------------------------------------------------------------------


def staged(kind=FULL, version=6, origin=CSMS, received=2, entries=2) -> ev.ListStaged:
    return ev.ListStaged("r1", ListUpdate(kind, version, origin, received), 8, 10, entries)


def with_list(**fields: object) -> ChargePoint:
    return replace(quiet(), local_list=STORED, **fields)


def test_an_update_that_is_accepted_counts_in_the_same_commit_as_its_answer():
    state, commands = play(with_list(), staged())
    assert commands == [ActivateList(6, 8, 10, 2), Reply("r1", "Accepted")]
    assert state.local_list == LocalList(6, 2, 10)


def test_clearing_sets_the_version_back_to_zero():
    state, commands = play(with_list(), staged(CLEAR, 0, API, 0, 0))
    assert commands == [ActivateList(0, 8, 10, 0), Reply("r1", "Accepted")]
    assert state.local_list == LocalList(0, 0, 10)


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (staged(DIFF, version=5), "VersionMismatch"),
        (staged(version=0), "Failed"),
        (staged(DIFF, entries=100_001), "Failed"),
        (staged(DIFF, origin=API, entries=100_001), "Invalid"),
    ],
)
def test_an_update_that_is_not_accepted_changes_nothing(event, status):
    before = with_list()
    state, commands = play(before, event)
    assert commands == [Reply("r1", status)]
    assert state == before


def test_the_owner_of_the_list_is_a_rule_of_the_box():
    state = with_list(rules=Rules(list_owner=ListOwner.CSMS))
    assert play(state, staged(origin=API))[1] == [Reply("r1", "Managed")]
    assert Reply("r1", "Accepted") in play(state, staged())[1]


# --- when the central system contradicts its list ------------------------------------------------

CONCURRENT = IdTagInfo(AuthorizationStatus.CONCURRENT_TX)
RUN_OUT = replace(ACCEPTED, expires_at=NOON)
LATER = replace(ACCEPTED, expires_at=NOON + timedelta(days=1))
EXPIRED = IdTagInfo(AuthorizationStatus.EXPIRED)


def reports(commands: list) -> list[StatusReport]:
    return [
        command.report
        for command in commands
        if isinstance(command, NotifyStatus) and command.report.error_code == "LocalListConflict"
    ]


def answer(info: IdTagInfo, facts: TagRecord, id_tag: str = CARD) -> ev.LookedUp:
    return looked_up(ev.AuthorizeAnswered(id_tag, info), facts)


@pytest.mark.parametrize(
    ("entry", "heard", "words"),
    [
        (ACCEPTED, BLOCKED, "04..C4: list Accepted, answer Blocked"),
        (BLOCKED, ACCEPTED, "04..C4: list Blocked, answer Accepted"),
        (RUN_OUT, ACCEPTED, "04..C4: list Expired, answer Accepted"),
        (BLOCKED, CONCURRENT, "04..C4: list Blocked, answer Accepted"),
        (of_group("A"), of_group("B"), "04..C4: the list has another parentIdTag"),
        (ACCEPTED, of_group("B"), "04..C4: the list has another parentIdTag"),
        (of_group("A"), ACCEPTED, "04..C4: the list has another parentIdTag"),
    ],
)
def test_an_answer_that_contradicts_the_list_is_reported_for_the_charge_point(entry, heard, words):
    _, commands = play(quiet(), answer(heard, listed(entry)))
    expected = StatusReport(0, Status.AVAILABLE, "LocalListConflict", words)
    assert reports(commands) == [expected]
    assert len(words) <= 50


@pytest.mark.parametrize(
    ("entry", "heard"),
    [
        (ACCEPTED, ACCEPTED),
        (ACCEPTED, LATER),  # when it ends is no contradiction
        (ACCEPTED, RUN_OUT),
        (BLOCKED, BLOCKED),
        (ACCEPTED, CONCURRENT),
        (CONCURRENT, ACCEPTED),
        (RUN_OUT, EXPIRED),
        (replace(CONCURRENT, expires_at=NOON), EXPIRED),
        (of_group("fleet"), of_group("FLEET")),
    ],
)
def test_an_answer_that_agrees_with_the_list_is_not_reported(entry, heard):
    assert reports(play(quiet(), answer(heard, listed(entry)))[1]) == []


@pytest.mark.parametrize("facts", [TagRecord(), cached(ACCEPTED), TagRecord(list_version=7)])
def test_a_tag_that_is_not_listed_contradicts_nothing(facts):
    assert reports(play(quiet(), answer(BLOCKED, facts))[1]) == []


def test_a_list_that_is_switched_off_contradicts_nothing():
    state = quiet(LocalAuthListEnabled="false")
    assert reports(play(state, answer(BLOCKED, listed(ACCEPTED)))[1]) == []


def test_a_conflict_is_reported_once_and_again_when_it_has_changed():
    state, first = play(quiet(), answer(BLOCKED, listed()))
    state, again = play(state, answer(BLOCKED, listed(), CARD.lower()), answer(BLOCKED, listed()))
    state, other_card = play(state, answer(BLOCKED, listed(), OTHER_CARD))
    state, changed = play(state, answer(EXPIRED, listed()))
    assert [len(reports(each)) for each in (first, again, other_card, changed)] == [1, 0, 1, 1]
    assert len(state.conflicts) == 2


def test_a_conflict_that_was_settled_is_a_new_one_when_it_comes_back():
    state, _ = play(quiet(), answer(BLOCKED, listed()), answer(ACCEPTED, listed()))
    assert state.conflicts == ()
    assert len(reports(play(state, answer(BLOCKED, listed()))[1])) == 1


def test_a_new_list_makes_every_conflict_a_new_one():
    state, _ = play(quiet(), answer(BLOCKED, listed()), staged())
    assert state.conflicts == ()


def test_a_conflict_that_nobody_could_be_told_of_is_told_later():
    state, commands = play(a_charge_point(online=False), answer(BLOCKED, listed()))
    assert reports(commands) == []
    state, _ = play(state, ev.LinkAccepted())
    assert len(reports(play(state, answer(BLOCKED, listed()))[1])) == 1


def test_answers_about_transactions_are_compared_too():
    def about(transaction_id: int | None, id_tag: str | None) -> ev.MessageAnswered:
        return looked_up(ev.MessageAnswered(1, 1, transaction_id, BLOCKED, id_tag), listed())

    assert len(reports(play(quiet(), about(5, CARD))[1])) == 1
    assert len(reports(play(quiet(), about(None, CARD))[1])) == 1
    assert reports(play(quiet(), about(None, None))[1]) == []


def test_the_report_shows_the_present_status_of_the_charge_point():
    state, _ = play(quiet(), ev.SafetyInputTripped("emergency_stop"))
    _, commands = play(state, answer(BLOCKED, listed()))
    assert [report.status for report in reports(commands)] == [Status.FAULTED]


def test_the_answer_is_still_remembered_for_the_store_to_judge():
    _, commands = play(quiet(), answer(BLOCKED, listed()))
    assert CacheTag(CARD, BLOCKED) in commands  # the store keeps no listed tag


def test_only_so_many_conflicts_are_kept_in_mind():
    state = quiet()
    for number in range(CONFLICTS_MAX + 1):
        state, _ = play(state, answer(BLOCKED, listed(), f"TAG-{number:03}"))
    assert len(state.conflicts) == CONFLICTS_MAX
    assert len(reports(play(state, answer(BLOCKED, listed(), "TAG-000"))[1])) == 1


def test_a_listed_tag_that_counts_as_valid_expires_like_any_other():
    entry = replace(CONCURRENT, expires_at=NOON)
    state, _ = play(a_charge_point(online=False), tap(facts=listed(entry)))
    assert state.waiting == ()
    presented = tap(facts=listed(CONCURRENT))
    state, _ = play(a_charge_point(online=False), presented)
    assert len(state.waiting) == 1
