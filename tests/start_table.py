"""docs/starts.md: what a start means, in each state of a connector, by each door, with one or two.

The table is made by asking the core: ``python -m tests.start_table`` writes it. A test compares the
page with the core, and holds the rules that must be true of it whatever the page says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from agent.core import events as ev
from agent.core.authorization_reasons import Rule
from agent.core.commands import Command
from agent.core.state import Charging, Starting, Stopping
from agent.core.values import LockState, PilotState, Verdict
from tests.core.reservation_builders import a_reservation
from tests.core.story import (
    BLOCKED,
    CARD,
    OTHER_CARD,
    Story,
    a_charge_point,
    decisions,
    listed,
    looked_up,
    reading,
    tap,
)

DOCUMENT = Path(__file__).parent.parent / "docs" / "starts.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of the table -->\n"

State = Callable[[Story], None]
Door = ev.Presented

# --- what goes on at connector 1; the tag that comes is CARD, on the list, in no group -----------


def free(story: Story) -> None:
    """Nothing is there."""


def plugged(story: Story) -> None:
    story.tell(ev.CablePluggedIn(1))


def promised(story: Story) -> None:
    story.tell(looked_up(ev.StartRequested("before", 1, OTHER_CARD), listed()))


def starting(story: Story, id_tag: str = OTHER_CARD) -> None:
    plugged(story)
    story.tell(tap(id_tag, listed(), connectors=(1,)))


def running(story: Story, id_tag: str = OTHER_CARD) -> None:
    starting(story, id_tag)
    story.tell(ev.LockChanged(1, LockState.LOCKED), ev.MeterRead(1, reading(1000)))
    story.tell(ev.PilotChanged(1, PilotState.C), ev.ContactorClosed(1))
    story.tell(ev.MessageAnswered(1, 1, 77))
    story.wait(10)


def ending(story: Story, id_tag: str = OTHER_CARD) -> None:
    running(story, id_tag)
    story.tell(ev.RemoteStopRequested("stop", 77))


def over(story: Story, id_tag: str = OTHER_CARD) -> None:
    ending(story, id_tag)
    _come_to_rest(story)


def over_by_its_card(story: Story) -> None:
    running(story, CARD)
    story.tell(tap(CARD, listed()))
    _come_to_rest(story)


def over_and(story: Story, then: State) -> None:
    over(story, CARD)
    then(story)


def unclaimed(story: Story) -> None:
    plugged(story)
    story.wait(60)


def held(story: Story, id_tag: str = OTHER_CARD) -> None:
    running(story, id_tag)
    story.tell(ev.MessageAnswered(1, 1, 77, BLOCKED, id_tag))
    _come_to_rest(story, LockState.LOCKED)


def reserved(story: Story, id_tag: str = OTHER_CARD) -> None:
    story.tell(ev.ReservationRequested("kept", a_reservation(1, id_tag)))


def out_of_service(story: Story) -> None:
    story.tell(ev.AvailabilityChangeRequested("out", 1, operative=False))


def faulted(story: Story) -> None:
    story.tell(ev.MeterFailed(1, "silent"))


def _come_to_rest(story: Story, lock: LockState = LockState.UNLOCKED) -> None:
    """The parts do what ends the session, and the time of the tap guard passes."""
    story.tell(ev.PilotChanged(1, PilotState.B), ev.ContactorOpened(1))
    story.tell(ev.MeterRead(1, reading(1500)), ev.LockChanged(1, lock))
    story.wait(10)


STATES: Mapping[str, State] = {
    "Available": free,
    "Available, promised to another: its plug is waited for": promised,
    "Preparing: a plug waits": plugged,
    "Preparing: another's session is about to begin": starting,
    "Charging or suspended: the tag's own session": lambda story: running(story, CARD),
    "Charging or suspended: another's session": running,
    "Finishing: the tag's own session is being ended": lambda story: ending(story, CARD),
    "Finishing: another's session is being ended": ending,
    "Finishing: the tag's own session is over, the plug is in": lambda story: over(story, CARD),
    "Faulted, the tag's own session is over, the plug is in": lambda s: over_and(s, faulted),
    "Finishing, the tag's own, to be Unavailable then": lambda s: over_and(s, out_of_service),
    "Finishing: another's session is over, the plug is in": over,
    "Finishing: nobody came to the plug in time": unclaimed,
    "Finishing: refused afterwards, the tag's cable is kept": lambda story: held(story, CARD),
    "Finishing: refused afterwards, another's cable is kept": held,
    "Reserved for the tag": lambda story: reserved(story, CARD),
    "Reserved for another": reserved,
    "Unavailable": out_of_service,
    "Faulted": faulted,
}

# --- who comes -----------------------------------------------------------------------------------

SHARED_CARD = ev.TagPresented(CARD, (1, 2))
DOORS: Mapping[str, Door] = {
    "card": ev.TagPresented(CARD, (1,)),
    "remote": ev.RemoteStartRequested("r", CARD, 1),
    "remote, none named": ev.RemoteStartRequested("r", CARD),
    "operator": ev.StartRequested("r", 1, CARD),
}


# --- and what becomes of it ----------------------------------------------------------------------


def one(state: str, door: Door) -> str:
    """With one connector."""
    story = Story(a_charge_point())
    STATES[state](story)
    return _outcome(story, door)


def beside_empty(state: str, door: Door) -> str:
    """With a second connector that is free."""
    story = Story(a_charge_point(connectors=2))
    STATES[state](story)
    return _outcome(story, door)


def beside_newer(state: str, door: Door) -> str:
    """A plug has come to the second one just now."""
    story = Story(a_charge_point(connectors=2))
    STATES[state](story)
    story.wait(1)
    story.tell(ev.CablePluggedIn(2))
    return _outcome(story, door)


def beside_older(state: str, door: Door) -> str:
    """A plug waited there before anything happened at the first."""
    story = Story(a_charge_point(connectors=2, ConnectionTimeOut="600"))
    story.tell(ev.CablePluggedIn(2))
    story.wait(1)
    STATES[state](story)
    return _outcome(story, door)


def _outcome(story: Story, door: Door) -> str:
    before = {c.connector_id: type(c.phase) for c in story.state.connectors}
    commands = story.tell(looked_up(door, listed()))
    for connector in story.state.connectors:
        where = "" if connector.connector_id == 1 else " at 2"
        was, is_now = before[connector.connector_id], type(connector.phase)
        if is_now is Starting and was is not Starting:
            return f"begins{where}"
        if is_now is Stopping and was is Charging:
            return "ends it"
    for grant in story.state.waiting:
        if grant.id_tag == CARD:
            return _waits(story, grant.connectors)
    return _refusal(commands)


def _waits(story: Story, connectors: tuple[int, ...]) -> str:
    if connectors == (1,) and isinstance(story.connector.phase, Stopping):
        return "begins when that has ended"
    where = {(1,): "", (2,): " at 2", (1, 2): " at 1 or 2"}[connectors]
    return f"waits for a plug{where}"


def _refusal(commands: list[Command]) -> str:
    (record,) = decisions(commands)
    if record.verdict is Verdict.ACCEPTED:
        assert record.rule == Rule.CABLE_RELEASED.name
        return "the cable is unlocked"
    return f"refused: `{record.rule}`"


def table() -> str:
    """The table in Markdown."""
    lines = [
        "| connector 1 | card or token for it | remote start or operator, naming it "
        "| card; 2 is free | remote start, none named; 2 is free | card; a plug came to 2 since "
        "| card; a plug waited at 2 before |",
        "|---|---|---|---|---|---|---|",
    ]
    for state in STATES:
        cells = (
            one(state, DOORS["card"]),
            one(state, DOORS["remote"]),
            beside_empty(state, SHARED_CARD),
            beside_empty(state, DOORS["remote, none named"]),
            beside_newer(state, SHARED_CARD),
            beside_older(state, SHARED_CARD),
        )
        lines.append(f"| {' | '.join((state, *cells))} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the table into the page."""
    text = DOCUMENT.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    DOCUMENT.write_text(f"{head}{BEGIN}{table()}{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
