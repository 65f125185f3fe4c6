"""The bridge between the API's thread and the agent's: snapshots come out, requests go in.

The state is an immutable value, so it is read where it is. Everything else is handed to the agent's
loop and awaited from ours.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from agent.control.actions import present_card
from agent.control.security_log import chain_problem
from agent.control.services import Services
from agent.control.snapshot import outbox_now
from agent.core.commands import Command, ParkMessage, QueueMessage, RecordDecision, Reply
from agent.core.events import Event, RequestNotTaken
from agent.core.id_tag import SoughtTag
from agent.core.security_event_values import (
    RecordSecurityEvent,
    SecurityEventSeen,
    SecurityEventType,
)
from agent.core.state import ChargePoint, Connector
from agent.core.status_notification import reports
from agent.core.values import (
    DecisionRecord,
    Instant,
    StatusReport,
    TransactionBegan,
    TransactionEnded,
)
from agent.ocpp16.link import LinkSnapshot
from agent.ocpp16.triggered_messages import TriggeredMessages
from agent.ocppj.frames import Payload
from agent.platform.errors import AgentError
from agent.runtime.local_list_updates import ListUpdates
from agent.store import CachedTag, OutboxSummary
from agent.store.charge_log import ALL_SESSIONS, LoggedSession, SessionFilter, SessionSum
from agent.store.grid_limits import GridLimit
from agent.store.security_log import SecurityLogLine

if TYPE_CHECKING:
    from hw.ports import SimulationControls

PARTS = ("pilot", "plug", "contactor", "lock", "meter")
ALIVE_S = 2.0

T = TypeVar("T")


class AgentIsGone(AgentError):
    """The agent is ending: nothing can be asked of it any more."""


class AgentBridge:
    """The charge point, as the API's loop sees it. Made on the agent's loop."""

    def __init__(
        self,
        services: Services,
        own_account: TriggeredMessages,
        brokers: Mapping[str, Callable[[], Mapping[str, Any]]],
    ) -> None:
        """``own_account``: what the charge point has to say about itself.

        ``brokers``: how each MQTT broker is reached, as ``status`` has it.
        """
        self._services = services
        self.brokers = brokers
        self.own_account = own_account
        self._loop = asyncio.get_running_loop()
        self._parts = {parts.connector_id: parts for parts in services.board.connectors}
        self._is_gone = False
        self.settings = services.settings
        self.lists = services.lists
        self.store = services.store
        self.frame_log = services.frame_log
        self.taps = services.taps
        self.make_id = services.make_id
        self.counters = Counters()
        services.observers.append(self.counters.observe)

    def shut_down(self) -> None:
        """Nothing is asked of the agent from now on; called on the agent's loop."""
        self._is_gone = True
        self._services.observers.remove(self.counters.observe)

    # --- what can be seen at once --------------------------------------------------------------

    @property
    def state(self) -> ChargePoint:
        """The whole state, as of the last turn."""
        return self._services.runtime.state

    def now(self) -> Instant:
        """Both clocks."""
        return self._services.clock.now()

    def connector(self, connector_id: int) -> Connector:
        """A connector that is known to exist."""
        return self.state.connector(connector_id)

    def reports(self) -> tuple[StatusReport, ...]:
        """The status of the charge point and of every connector, as OCPP would tell it."""
        return reports(self.state, self.now())

    def report(self, connector_id: int) -> StatusReport:
        """The status of one connector."""
        return next(found for found in self.reports() if found.connector_id == connector_id)

    def hardware(self, connector_id: int) -> dict[str, str]:
        """Every part that the connector has: real or simulated."""
        simulated = self._simulated(connector_id)
        return {
            name: "simulated" if name in simulated else "real"
            for name in PARTS
            if getattr(self._parts[connector_id], name) is not None
        }

    def is_simulated(self, connector_id: int) -> bool:
        """True when nothing of the connector is real."""
        return "real" not in self.hardware(connector_id).values()

    @property
    def is_all_simulated(self) -> bool:
        """True when no connector has anything real."""
        return all(self.is_simulated(connector_id) for connector_id in self._parts)

    @property
    def has_simulated_reader(self) -> bool:
        """True when cards can be presented by command."""
        return any("reader" in self._simulated(connector_id) for connector_id in self._parts)

    def is_broken(self, connector_id: int) -> bool:
        """True while a simulated fault stands that can be cleared."""
        simulation = self._services.board.simulation
        return simulation is not None and simulation.is_broken(connector_id)

    def _simulated(self, connector_id: int) -> frozenset[str]:
        simulation = self._services.board.simulation
        return frozenset() if simulation is None else simulation.simulated_parts(connector_id)

    @property
    def fault_names(self) -> tuple[str, ...]:
        """What can be broken on simulated hardware."""
        simulation = self._services.board.simulation
        return () if simulation is None else simulation.fault_names

    @property
    def has_grid_contact(self) -> bool:
        """Whether the grid operator can limit this box by a contact."""
        return self._services.board.grid_contact is not None

    @property
    def is_grid_limited(self) -> bool | None:
        """True while the grid operator limits the box; None: its contact is not simulated."""
        simulation = self._services.board.simulation
        return None if simulation is None else simulation.is_grid_limited

    @property
    def is_network_cut(self) -> bool:
        """True while the simulated network is cut."""
        return self._services.network is not None and self._services.network.is_cut

    def on_turn(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` on the agent's loop after each turn, until the result is called."""

        def observe(event: Event, commands: Sequence[Command]) -> None:
            listener()

        self._services.observers.append(observe)
        return lambda: self._services.observers.remove(observe)

    # --- what the agent's loop does for us -------------------------------------------------------

    async def ask(self, make_event: Callable[[str], Event], within_s: float | None = 60.0) -> Reply:
        """Ask the core. Raises TimeoutError when it does not reply in time."""
        return await self._there(self._services.runtime.ask(make_event, within_s))

    def note_refusal(self, refusal: RequestNotTaken) -> None:
        """Keep why something was refused here."""
        self._services.runtime.post(refusal)

    def note_failed_login(self, address: str) -> None:
        """Keep that a token came which is not known."""
        text = f"page or control API: an unknown token from {address or 'nowhere'}"
        self._services.runtime.post(
            SecurityEventSeen(SecurityEventType.MAINTENANCE_LOGIN_FAILED, text)
        )

    async def pull(self, lever: Callable[[SimulationControls], None]) -> None:
        """Pull a lever of the simulated world. Raises ValueError as the lever does."""
        simulation = self._services.board.simulation
        if simulation is None:
            raise ValueError("nothing on this charge point is simulated")
        await self._call(lever, simulation)

    async def until(self, claim: Callable[[ChargePoint], bool], within_s: float) -> bool:
        """Wait until the claim holds after some turn; False when it does not in time."""
        return await self._there(self._until(claim, within_s))

    async def tap(
        self, card: str, is_code: bool, connector_id: int | None = None
    ) -> DecisionRecord | None:
        """Hold a card to the simulated reader; the decision about it, or None when none came."""
        return await self._there(present_card(self._services, card, is_code, connector_id))

    async def call(self, action: str, payload: Payload) -> Any:
        """Send a message to the central system. Raises CallFailed."""
        return await self._there(self._services.link.call(action, payload))

    async def decisions(self, tag: SoughtTag | None, limit: int) -> list[DecisionRecord]:
        """The last decisions about cards, newest first. Raises StoreError."""
        return await self._report(self.store.decisions, tag, limit)

    async def cached_tags(self, limit: int) -> list[CachedTag]:
        """The tags of the authorization cache that were heard last. Raises StoreError."""
        return await self._report(self.store.cache_page, limit)

    async def cache_count(self) -> int:
        """How many tags the authorization cache has. Raises StoreError."""
        return await self._report(self.store.cache_count)

    async def sessions(
        self, limit: int, before: int | None = None, wanted: SessionFilter = ALL_SESSIONS
    ) -> list[LoggedSession]:
        """Sessions of the charge log, newest first. Raises StoreError."""
        return await self._report(self.store.sessions, limit, before, wanted)

    async def session_sums(self) -> list[SessionSum]:
        """What each tag has charged in each month. Raises StoreError."""
        return await self._report(self.store.session_sums)

    async def grid_limits(self, limit: int, before: int | None = None) -> list[GridLimit]:
        """When the grid operator limited the box, newest first. Raises StoreError."""
        return await self._report(self.store.grid_limits, limit, before)

    async def security_log(
        self,
        limit: int,
        before: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[SecurityLogLine]:
        """Lines of the security log, newest first. Raises StoreError."""
        return await self._report(self.store.security_log, since, until, limit, before)

    async def security_log_problem(self) -> str:
        """Where the security log was changed, in words; "" when it is whole. Raises StoreError."""
        return await self._there(chain_problem(self._services))

    async def cut_network(self, is_cut: bool) -> None:
        """Cut the simulated network, or mend it. Raises ValueError when it is a real one."""
        network = self._services.network
        if network is None:
            raise ValueError("the network is a real one")
        await self._call(network.cut if is_cut else network.mend)

    async def retry(self, ref: int) -> int:
        """Send a parked message once more. Raises NotParked, StoreError."""
        return await self._there(self._services.parked.retry(ref, "the control API"))

    async def discard(self, ref: int) -> None:
        """Discard a parked message. Raises NotParked, StoreError."""
        await self._there(self._services.parked.discard(ref, "the control API"))

    async def outbox(self) -> OutboxSummary:
        """The outbox at a glance. Raises StoreError."""
        services = self._services
        summary = await self._there(services.threads.report(services.store.outbox_summary))
        return outbox_now(summary, services.runtime.state)

    async def list_do(self, work: Callable[[ListUpdates], Coroutine[Any, Any, T]]) -> T:
        """Do something with the local list, on the agent's loop."""
        return await self._there(work(self.lists))

    async def link(self) -> LinkSnapshot:
        """How the link is doing."""
        return await self._call(self._services.link.snapshot)

    async def is_alive(self) -> bool:
        """True when the agent's loop answers within two seconds."""
        try:
            async with asyncio.timeout(ALIVE_S):
                return await self._call(lambda: True)
        except (TimeoutError, AgentIsGone):
            return False

    async def read(self, function: Callable[..., T], *arguments: Any) -> T:
        """Read from the store, on its thread. Raises StoreError."""
        found: T = await self._there(self._services.threads.read(function, *arguments))
        return found

    async def _report(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a report of the store, with what the journal was given so far, too."""
        found: T = await self._there(self._services.report(function, *arguments))
        return found

    async def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        async def call() -> T:
            return function(*arguments)

        return await self._there(call())

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        if self._is_gone:
            work.close()
            raise AgentIsGone("the agent is ending")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    # --- on the agent's loop ---------------------------------------------------------------------

    async def _until(self, claim: Callable[[ChargePoint], bool], within_s: float) -> bool:
        turned = asyncio.Event()
        forget = self.on_turn(turned.set)
        try:
            async with asyncio.timeout(within_s):
                while not claim(self.state):
                    turned.clear()
                    await turned.wait()
            return True
        except TimeoutError:
            return False
        finally:
            forget()


class Counters:
    """Counters since the start of the process; read from any thread."""

    def __init__(self) -> None:
        self.decisions: Counter[tuple[str, str]] = Counter()  # by verdict and source
        self.begun = 0
        self.ended: Counter[str] = Counter()  # by reason
        self.parked = 0
        self.security_events: Counter[str] = Counter()  # by type

    def observe(self, event: Event, commands: Sequence[Command]) -> None:
        """Count what one turn has ordered."""
        for command in commands:
            match command:
                case RecordDecision(record):
                    self.decisions[record.verdict.value, record.source] += 1
                case QueueMessage(message=TransactionBegan()):
                    self.begun += 1
                case QueueMessage(message=TransactionEnded(reason=reason)):
                    self.ended[reason.value] += 1
                case ParkMessage():
                    self.parked += 1
                case RecordSecurityEvent(recorded):
                    self.security_events[recorded.type.value] += 1
