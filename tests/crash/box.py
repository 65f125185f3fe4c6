"""A simulated box whose process is started, killed, and started again on the same database."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.core.values import AuthorizationStatus, IdTagInfo
from agent.platform.errors import ControlError
from agent.store import Store
from tests.agent_process import Agent, ProcessEnded, start_python
from tests.box_config import TWO_CONNECTORS, config_text
from tests.crash.accounts import Journal, JournalMessage, JournalSession
from tests.crash.event_accounts import EventJournal, WaitingEvent
from tests.emulators.virtual_clock import NOON
from tests.store.builders import replace_list

CARDS = {1: "044943121F1A80", 2: "04A2B3C4D5E680"}  # by the connector that they are used at
POWER_W = 55_000
# A sample a second, a look at the meter each half second, and a machine that is busy.
SAMPLE_WH = POWER_W * (1.0 + 0.5 + 0.5) / 3600


class CrashBox:
    """One box: a directory with its database, and at most one process."""

    def __init__(self, directory: Path, url: str, more_keys: Mapping[str, int] | None = None):
        self.directory = directory
        self.url = url
        self.agent: Agent | None = None
        self.starts = 0
        self.meter_start_wh = 0  # what every meter shows when the next process begins
        self.journal = Journal()
        self.events = EventJournal()
        self._more_keys = more_keys or {}
        _put_on_list(self._database)

    @property
    def _database(self) -> Path:
        return self.directory / "agent.db"

    @property
    def log(self) -> Path:
        """Everything that the processes have said."""
        return self.directory / "agent.log"

    async def start(self) -> Agent:
        """Start the process; does not wait for it."""
        config = self.directory / "config.toml"
        text = config_text(
            self.directory,
            self.url,
            TWO_CONNECTORS,
            keys={"MeterValueSampleInterval": 1, **self._more_keys},
            charge_point={"identity": "CP-1", "max_current_a": 80, "phases": 3},
            authorization={"tap_guard_s": 0, "authorize_timeout_s": 1},
            simulation={"meter_start_wh": self.meter_start_wh, "car_power_w": POWER_W},
        )
        config.write_text(text, encoding="utf-8")
        self.starts += 1
        with self.log.open("ab") as log:
            process = await start_python(
                *("-m", "agent", "run", "--config", str(config)),
                output=log,
                environment={"NOTIFY_SOCKET": ""},
            )
        self.agent = Agent(process, self.directory / "control.sock")
        return self.agent

    async def kill(self) -> None:
        """SIGKILL, and gone."""
        assert self.agent is not None
        await self.agent.kill()
        self.agent = None

    async def end(self) -> int | None:
        """SIGTERM; returns the exit status."""
        assert self.agent is not None
        agent, self.agent = self.agent, None
        status, _ = await agent.ends(signal.SIGTERM)
        return status

    def read_journal(self) -> list[JournalSession]:
        """Add what the journal of the dead process says; returns the sessions that are open.

        A copy is read, so that the next process finds the files as the last one left them.
        """
        with tempfile.TemporaryDirectory(dir=self.directory) as name:
            for source in self.directory.glob("agent.db*"):
                if source.name in ("agent.db", "agent.db-wal"):
                    shutil.copy(source, name)
            with contextlib.closing(sqlite3.connect(Path(name) / "agent.db")) as connection:
                sessions = [_session(row) for row in connection.execute(_SESSIONS)]
                messages = [JournalMessage(*row) for row in connection.execute(_MESSAGES)]
                self.events.lines = [kind for (kind,) in connection.execute(_LINES)]
                self.events.waiting = [WaitingEvent(*row) for row in connection.execute(_EVENTS)]
        self.events.seen_waiting.update({one.unique_id: one for one in self.events.waiting})
        self.journal.sessions.update({session.ref: session for session in sessions})
        self.journal.messages.update({message.unique_id: message for message in messages})
        self.journal.waiting = len(messages)
        return [session for session in sessions if not session.is_ended]

    def was_damaged(self) -> bool:
        """True when a database was ever set aside."""
        return any(self.directory.glob("agent.db.corrupt-*"))


_SESSIONS = (
    "SELECT ref, connector_id, begun_at, meter_start_wh, last_wh, transaction_id, ended_at"
    " FROM transactions ORDER BY ref"
)
_LINES = "SELECT type FROM security_log ORDER BY number"
_EVENTS = "SELECT unique_id, number, type FROM security_queue ORDER BY number"
_MESSAGES = "SELECT unique_id, sequence, transaction_ref, action FROM outbox ORDER BY sequence"


def _session(row: tuple[Any, ...]) -> JournalSession:
    ref, connector_id, begun_at, meter_start_wh, last_wh, transaction_id, ended_at = row
    return JournalSession(
        ref=ref,
        connector_id=connector_id,
        begun_at=datetime.fromisoformat(begun_at),
        meter_start_wh=meter_start_wh,
        last_wh=last_wh,
        transaction_id=transaction_id,
        is_ended=ended_at is not None,
    )


def _put_on_list(database: Path) -> None:
    store = Store.open(database, now=NOON, make_id=lambda: "unused")
    accepted = IdTagInfo(AuthorizationStatus.ACCEPTED)
    replace_list(store, 1, [(tag, accepted) for tag in CARDS.values()])
    store.close()


async def do(agent: Agent, action: str, **request: Any) -> Any:
    """What the control socket answers. Raises ProcessEnded, ControlError for a refusal."""
    try:
        return await agent.do(action, **request)
    except (ControlError, json.JSONDecodeError):
        if await _is_dead_soon(agent):
            raise ProcessEnded from None
        raise


async def _is_dead_soon(agent: Agent) -> bool:
    """A killed process ceases to answer a little before it is known to be dead."""
    try:
        async with asyncio.timeout(1.0):
            await agent.process.wait()
    except TimeoutError:
        return False
    return True
