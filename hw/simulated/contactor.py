"""A simulated contactor: real supervision over simulated coil and contacts."""

from __future__ import annotations

from collections.abc import Callable

from hw.contactor import LeasedContactor
from hw.ports import ContactorEvent
from hw.settings import ContactorSettings
from hw.simulated.part import DelayedPosition, SimulatedFault, SimulatedPart, earliest


class SimulatedContacts(SimulatedPart):
    """Main contacts, moved by a coil; they obey at once unless a delay is set or a fault stands.

    ``welded``: closed contacts stay closed. ``does_not_close``: open contacts stay open.
    ``opens_by_itself``: they fall open, and stay open, whatever the coil does.
    """

    can_fail = frozenset(
        {SimulatedFault.WELDED, SimulatedFault.DOES_NOT_CLOSE, SimulatedFault.OPENS_BY_ITSELF}
    )

    def __init__(
        self, clock: Callable[[], float], before_change: Callable[[float], None] | None = None
    ) -> None:
        super().__init__(clock)
        self.close_delay_s = 0.0
        self.open_delay_s = 0.0
        self.is_coil_on = False
        self.position = DelayedPosition(clock, before_change)

    @property
    def is_closed(self) -> bool:
        """Where the contacts are."""
        return self.position.is_on

    def set_coil(self, is_on: bool) -> None:
        """Energise the coil or not."""
        if is_on != self.is_coil_on:
            self.is_coil_on = is_on
            self.note("coil on" if is_on else "coil off")
            self._follow()

    def _follow(self) -> None:
        was_closed, to = self.position.is_on, self._where_they_go()
        self.position.move(to, self.close_delay_s if to else self.open_delay_s)
        if self.position.is_on != was_closed:
            self.note("contacts closed" if to else "contacts open")

    def _where_they_go(self) -> bool:
        if SimulatedFault.OPENS_BY_ITSELF in self.faults:
            return False
        if self.is_closed:
            return self.is_coil_on or SimulatedFault.WELDED in self.faults
        return self.is_coil_on and SimulatedFault.DOES_NOT_CLOSE not in self.faults


class SimulatedContactor(LeasedContactor):
    """A contactor without mains. Its levers and its memory are those of ``contacts``."""

    def __init__(
        self,
        name: str,
        settings: ContactorSettings,
        clock: Callable[[], float],
        before_change: Callable[[float], None] | None = None,
    ) -> None:
        self.contacts = SimulatedContacts(clock, before_change)
        super().__init__(
            name,
            settings,
            clock,
            set_coil=self.contacts.set_coil,
            read_feedback=lambda: self.contacts.is_closed,
        )

    def step(self, now_s: float) -> list[ContactorEvent]:
        """See ``LeasedContactor.step``."""
        events = super().step(now_s)
        self.contacts.position.seen()
        return events

    def due_at(self) -> float | None:
        """See ``LeasedContactor.due_at``; also when the contacts move by themselves."""
        return earliest(super().due_at(), self.contacts.position.due_at())
