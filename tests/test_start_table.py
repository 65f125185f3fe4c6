"""docs/starts.md tells where a session begins in each state, and certain things are true of it."""

from __future__ import annotations

import pytest

from tests import start_table

# A person at the box ends a session, or gets a cable back; who asks from afar wants a session.
OWN = {
    "Charging or suspended: the tag's own session",
    "Finishing: the tag's own session is being ended",
    "Finishing: refused afterwards, the tag's cable is kept",
}
# The tag's own vehicle stands at connector 1.
STANDS = {
    *OWN,
    "Finishing: the tag's own session is over, the plug is in",
    "Faulted, the tag's own session is over, the plug is in",
    "Finishing, the tag's own, to be Unavailable then",
}
OTHERS_SESSION = "Charging or suspended: another's session"


def test_the_page_says_what_the_core_does():
    text = start_table.DOCUMENT.read_text(encoding="utf-8")
    shown = text.split(start_table.BEGIN)[1].split(start_table.END)[0]
    assert shown == start_table.table(), "python -m tests.start_table"


@pytest.mark.parametrize("state", start_table.STATES)
def test_one_state_has_one_answer_by_every_door(state):
    card, remote, unnamed, operator = (
        start_table.one(state, start_table.DOORS[door])
        for door in ("card", "remote", "remote, none named", "operator")
    )
    assert remote == unnamed == operator
    if state == OTHERS_SESSION:
        assert card.startswith("refused")
        assert remote.startswith("refused")
    elif state not in OWN:
        assert card == remote


@pytest.mark.parametrize("door", ["card", "remote", "operator"])
@pytest.mark.parametrize("state", start_table.STATES)
def test_a_door_that_names_a_connector_gets_the_same_answer_beside_others(state, door):
    wanted = start_table.one(state, start_table.DOORS[door])
    for beside in (start_table.beside_empty, start_table.beside_newer, start_table.beside_older):
        assert beside(state, start_table.DOORS[door]) == wanted, beside.__name__


@pytest.mark.parametrize("state", [*sorted(STANDS), "by its card"])
@pytest.mark.parametrize("beside", [start_table.beside_empty, start_table.beside_older])
def test_a_tap_is_worth_nothing_to_a_neighbour_while_the_own_vehicle_stands_there(
    state, beside, monkeypatch
):
    monkeypatch.setitem(start_table.STATES, "by its card", start_table.over_by_its_card)
    answer = beside(state, start_table.SHARED_CARD)
    assert "2" not in answer
    assert answer == start_table.one(state, start_table.DOORS["card"])
