"""People and programs behind the central system: they start, stop, unlock, change and reset."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from tests.simulation.cards import Card
from tests.simulation.central_system import CentralSystem
from tests.simulation.local_lists import LocalLists
from tests.simulation.run_log import RunLog

SAMPLE_INTERVALS_S = (20, 60, 300, 900)
_KEYS = (
    ("LocalPreAuthorize", ("true", "false")),
    ("AllowOfflineTxForUnknownId", ("true", "false")),
    ("LocalAuthorizeOffline", ("true", "true", "false")),
    ("StopTransactionOnInvalidId", ("true", "true", "false")),
    ("MaxEnergyOnInvalidId", ("0", "0", "500")),
    ("WebSocketPingInterval", ("0", "30", "300")),
    ("MeterValueSampleInterval", tuple(str(each) for each in SAMPLE_INTERVALS_S)),
    ("NoSuchKey", ("1",)),
    ("ConnectionTimeOut", ("-5", "30", "120")),
)


class Operators:
    """``gap_h``: hours between two deeds, on average."""

    def __init__(
        self,
        random: Random,
        central: CentralSystem,
        lists: LocalLists,
        run_log: RunLog,
        connectors: int,
        may_reset: bool,
    ) -> None:
        self._random = random
        self._central = central
        self._lists = lists
        self._run_log = run_log
        self._connectors = connectors
        self._may_reset = may_reset

    async def live(self, gap_h: float) -> None:
        """Do something now and then, for ever."""
        while True:
            await asyncio.sleep(self._random.expovariate(1 / (gap_h * 3600)))
            self._do_something()

    def start(self, connector_id: int, card: Card) -> None:
        """RemoteStartTransaction, in the name of a card that is good."""
        self._central.accepted_at[card.tag] = asyncio.get_running_loop().time()
        self._ask("RemoteStartTransaction", {"idTag": card.tag, "connectorId": connector_id})

    def stop(self) -> None:
        """RemoteStopTransaction of something that runs, as far as is known."""
        running = sorted(self._central.running)
        number = self._random.choice(running) if running else 77
        self._ask("RemoteStopTransaction", {"transactionId": number})

    def _do_something(self) -> None:
        connector_id = self._random.randint(1, self._connectors)
        match self._random.randrange(10):
            case 0:
                self.stop()
            case 1:
                self._ask("UnlockConnector", {"connectorId": connector_id})
            case 2 | 3:
                key, values = self._random.choice(_KEYS)
                value = self._random.choice(values)
                self._ask("ChangeConfiguration", {"key": key, "value": value})
            case 4:
                self._ask("ClearCache", {})
            case 5:
                self._ask("GetConfiguration", {})
            case 6 | 9:
                self._lists.send()
            case 7:
                self._central.babble()
            case 8 if self._may_reset:
                kind = self._random.choice(("Soft", "Hard"))
                self._ask("Reset", {"type": kind})

    def _ask(self, action: str, payload: dict[str, Any]) -> None:
        self._run_log.note("operator", f"{action} {payload}")
        self._central.call(
            action, payload, lambda frame: self._run_log.note("operator", f"{action}: {frame[2]}")
        )
