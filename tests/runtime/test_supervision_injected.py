"""Faults that a simulated connector reports: opened first, reported with their own words."""

from __future__ import annotations

from agent.core import events as ev
from agent.core.events import Event
from agent.core.values import PartFault
from agent.runtime.supervision import Supervisor
from hw.board import open_board
from hw.ports import InjectedFault
from hw.settings import BoardSettings, ConnectorSettings, ContactorSettings

HOT = InjectedFault("HighTemperature", "92 degrees")


def box() -> tuple[Supervisor, list[Event], object]:
    connector = ConnectorSettings(
        id=1, contactor=ContactorSettings(driver="simulated", min_off_s=0)
    )
    board = open_board(BoardSettings(connectors=(connector,)), lambda: 0.0, simulate=True)
    events: list[Event] = []
    return Supervisor(board, events.append), events, board


def faults(events: list[Event]) -> list[PartFault | None]:
    return [event.fault for event in events if isinstance(event, ev.PartFaultChanged)]


def test_an_injected_fault_opens_at_once_and_is_told_before_the_trip():
    supervisor, events, board = box()
    parts = board.connectors[0]
    supervisor.first_look(0.0)
    board.simulation.plug(1)
    parts.pilot.offer(16.0)
    parts.contactor.arm(0)
    parts.contactor.close(60.0)
    supervisor.step(0.1)
    assert parts.contactor.is_closed
    events.clear()
    board.simulation.inject(1, HOT)
    supervisor.step(0.2)
    assert not parts.contactor.is_closed
    assert faults(events) == [PartFault("HighTemperature", "92 degrees")]
    kinds = [type(event) for event in events]
    assert kinds.index(ev.PartFaultChanged) < kinds.index(ev.ContactorTripped)


def test_it_is_told_once_replaced_and_taken_back():
    supervisor, events, board = box()
    supervisor.first_look(0.0)
    board.simulation.inject(1, HOT)
    supervisor.step(0.1)
    supervisor.step(0.2)
    board.simulation.inject(1, InjectedFault("OtherError", is_emergency_stop=True))
    supervisor.step(0.3)
    board.simulation.clear(1)
    supervisor.step(0.4)
    supervisor.step(0.5)
    assert faults(events) == [
        PartFault("HighTemperature", "92 degrees"),
        PartFault("OtherError", "", is_emergency_stop=True),
        None,
    ]


def test_an_open_contactor_latches_too():
    supervisor, _, board = box()
    supervisor.first_look(0.0)
    board.simulation.inject(1, HOT)
    supervisor.step(0.1)
    assert board.connectors[0].contactor.trip_count == 1
