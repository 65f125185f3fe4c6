"""The self-test: each device without a car, tried by the running agent, one step at a time.

The caller goes from step to step; between two steps drivers can use the box again. A
step that moves a part keeps cards out meanwhile, and the core refuses it during a session.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from agent.control.services import Services
from agent.core import events as ev
from agent.maintenance.findings import Finding
from agent.maintenance.self_test_attempts import CARD_S, PRESS_S, SelfTestAttempts
from agent.platform.errors import ControlError
from hw.ports import ConnectorParts

Try = Callable[[str], Awaitable[Finding]]  # with the name of its step
_BUTTONS = {
    "emergency_stop": "Press the emergency stop, then release it.",
    "residual_current": "Press the test button of the residual current device, then reset it.",
    "door": "Open the cabinet door, then close it.",
}
_PATIENCE = f"It waits up to {PRESS_S:g} s for each."
_GRID = "grid_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestStep:
    """One device. The texts are for a person; a step with neither needs no person."""

    name: str
    attempt: Try
    moves: str = ""  # what will move, so that one is asked before
    wants: str = ""  # what the person has to do while it is tried
    confirm: str = ""  # what only a person can tell afterwards
    is_exclusive: bool = False  # no session beside it


class SelfTest:
    """The steps of one box. On the agent's loop."""

    def __init__(self, services: Services, attempts: SelfTestAttempts) -> None:
        self._services = services
        self._attempts = attempts
        self._at_work = asyncio.Lock()
        self.steps = {step.name: step for step in self._make_steps()}

    async def check_that_it_may_begin(self) -> None:
        """ControlError says why the box must not be tested now."""
        async with self._alone():
            pass

    async def try_step(self, name: str) -> Finding:
        """Try one device. ControlError: there is no such step, or not now."""
        step = self.steps.get(name)
        if step is None:
            known = ", ".join(self.steps)
            raise ControlError(f"there is no step {name!r}; the steps are {known}")
        if not step.is_exclusive:
            return await step.attempt(step.name)
        async with self._alone():
            return await step.attempt(step.name)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """No session begins meanwhile. ControlError when one runs."""
        if self._at_work.locked():
            raise ControlError("another self-test is at work")
        runtime = self._services.runtime
        async with self._at_work:
            reply = await runtime.ask(ev.SelfTestBegan)
            if reply.status != "Accepted":
                raise ControlError(f"no self-test now: {reply.detail}")
            try:
                yield
            finally:
                runtime.post(ev.SelfTestEnded())

    # --- the steps -----------------------------------------------------------------------------

    def _make_steps(self) -> Iterator[SelfTestStep]:
        board = self._services.board
        for name in board.safety_inputs:
            yield SelfTestStep(name=name, attempt=partial(self._attempts.input, name))
            if wants := _BUTTONS.get(name):
                yield SelfTestStep(
                    name=f"{name}-try",
                    attempt=partial(self._attempts.press, name),
                    wants=f"{wants} {_PATIENCE}",
                    is_exclusive=True,
                )
        if board.grid_contact is not None:
            yield SelfTestStep(name=_GRID, attempt=partial(self._attempts.grid, board.grid_contact))
            yield SelfTestStep(
                name=f"{_GRID}-try",
                attempt=partial(self._attempts.grid_try, board.grid_contact),
                wants=(
                    "Let the grid operator's contact limit (or open its wire), then end it."
                    f" {_PATIENCE}"
                ),
            )
        for parts in board.connectors:
            yield from self._steps_of(parts)
        if board.reader is not None:
            yield SelfTestStep(name="reader", attempt=self._attempts.reader)
            wants = f"Hold any card to the reader. It waits up to {CARD_S:g} s."
            yield SelfTestStep(
                name="card", attempt=self._attempts.card, wants=wants, is_exclusive=True
            )
        if self._services.settings.board.indicator.driver != "none" or not board.is_polled:
            yield SelfTestStep(
                name="indicator",
                attempt=self._attempts.indicator,
                moves="The light shows five signals; a buzzer sounds.",
                confirm="Did the light change five times?",
                is_exclusive=True,
            )

    def _steps_of(self, parts: ConnectorParts) -> Iterator[SelfTestStep]:
        number = parts.connector_id
        if parts.plug is not None:
            yield SelfTestStep(name=f"plug-{number}", attempt=partial(self._attempts.plug, parts))
        if parts.pilot is not None:
            yield SelfTestStep(name=f"pilot-{number}", attempt=partial(self._attempts.pilot, parts))
        if parts.meter is not None:
            yield SelfTestStep(name=f"meter-{number}", attempt=partial(self._attempts.meter, parts))
        if parts.lock is not None:
            moves = f"The lock of connector {number} closes and opens. Keep fingers out."
            attempt: Try = partial(self._attempts.lock, parts)
            yield SelfTestStep(
                name=f"lock-{number}", attempt=attempt, moves=moves, is_exclusive=True
            )
        yield SelfTestStep(
            name=f"contactor-{number}",
            attempt=partial(self._attempts.contactor, parts),
            moves=f"The contactor of connector {number} clicks: its empty socket is live for 1 s.",
            confirm="" if self._has_feedback(number) else "Did it click twice?",
            is_exclusive=True,
        )

    def _has_feedback(self, connector_id: int) -> bool:
        for settings in self._services.settings.connectors:
            if settings.id == connector_id and settings.contactor.driver == "gpio":
                return settings.contactor.feedback_pin is not None
        return True
