"""A central system that is slow, refusing, forgetful, garbage-speaking, and sometimes well."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Any

from agent.core.values import IdTagInfo
from tests.simulation.account import Account
from tests.simulation.cards import ACCEPTED, INVALID, Wallet
from tests.simulation.central_behaviour import Behaviour
from tests.simulation.clocks import true_time
from tests.simulation.network import Connection
from tests.simulation.run_log import RunLog

TRANSACTION_MESSAGES = ("StartTransaction", "MeterValues", "StopTransaction")
SECURITY_EVENT = "SecurityEventNotification"
_ERRORS = ("InternalError", "GenericError", "ProtocolError", "NotImplemented", "")
_GARBAGE = (
    "nonsense",
    "[3]",
    "{}",
    '[3, "nobody-asked", {}]',
    "[" * 50,
    '[2, "x"]',
    '[7, "{id}", {}]',
    '[3, "{id}"',
    "",
)

Answered = Callable[[Any], None]


class CentralSystem:
    """One charge point's server. ``behaviour`` is a lever; ``account`` remembers what came."""

    def __init__(
        self, random: Random, wallet: Wallet, run_log: RunLog, count: Callable[[str], None]
    ) -> None:
        self.behaviour = Behaviour()
        self.is_down = False
        self.account = Account()
        self.accepted_at: dict[str, float] = {}  # tag: when it was last said to be accepted
        self.firmware_told: dict[int, str] = {}  # requestId: the last status that has come
        self.running: dict[int, str] = {}  # transactionId: tag, as far as it knows
        self.accepts_boot = False  # has accepted a BootNotification, and remembers
        self.boot_interval_s = 300
        self.sign: Callable[[str], str] = lambda csr: "Rejected"  # SignCertificate: the answer
        self._random = random
        self._wallet = wallet
        self._run_log = run_log
        self._count = count
        self._connection: Connection | None = None
        self._asked: dict[str, Answered] = {}
        self._asked_count = 0

    # --- the line ---

    def connected(self, connection: Connection) -> None:
        """See ``network.Server``. An old connection is replaced."""
        self._connection = connection
        self._asked.clear()

    def closed(self, connection: Connection) -> None:
        """See ``network.Server``."""
        if connection is self._connection:
            self._connection = None

    def heard(self, connection: Connection, frame: Any) -> None:
        """See ``network.Server``."""
        if frame[0] == 2:
            self._called(connection, frame[1], frame[2], frame[3])
        else:
            answered = self._asked.pop(frame[1], None)
            if answered is not None:
                answered(frame)

    # --- its own calls ---

    def call(self, action: str, payload: Any, answered: Answered | None = None) -> bool:
        """Ask the box for something; False when there is no connection."""
        if self._connection is None or not self._connection.is_open:
            return False
        self._asked_count += 1
        unique_id = f"central-{self._asked_count}"
        if answered is not None:
            self._asked[unique_id] = answered
        self._connection.say(json.dumps([2, unique_id, action, payload]))
        return True

    def babble(self) -> None:
        """Say something that means nothing."""
        if self._connection is not None:
            self._count("central system: speaks garbage unasked")
            self._connection.say(self._random.choice(_GARBAGE))

    def restart(self) -> None:
        """The process of the central system starts again: connections go, and open questions."""
        self._count("central system: starts again")
        self._asked.clear()
        if self._connection is not None:
            self._connection.hang_up()

    # --- the box's calls ---

    def _called(self, connection: Connection, unique_id: str, action: str, payload: Any) -> None:
        if action == "SignedFirmwareStatusNotification":
            self.firmware_told[payload["requestId"]] = payload["status"]
        reaction = self.behaviour.pick(self._random)
        # What is due to be said about it: the worst that this call can meet.
        if reaction != "well":
            self._count(f"central system: {reaction}")
            self._run_log.note("central system", f"{reaction} about {action}")
        if reaction == "deaf":
            return
        if reaction == "refusing":
            self._refuse(connection, unique_id, self._random.choice(_ERRORS))
            return
        if reaction == "not_registered" and action != "BootNotification":
            self.accepts_boot = False
            self._refuse(connection, unique_id, "SecurityError")
            return
        if action in (*TRANSACTION_MESSAGES, SECURITY_EVENT):
            now_s = asyncio.get_running_loop().time()
            self.account.receive(unique_id, action, payload, now_s)
        answer = self._answer(unique_id, action, payload)
        self._react(reaction, connection, unique_id, action, answer)

    def _react(
        self,
        reaction: str,
        connection: Connection,
        unique_id: str,
        action: str,
        answer: dict[str, Any],
    ) -> None:
        loop = asyncio.get_running_loop()
        text = json.dumps([3, unique_id, answer])
        match reaction:
            case "slow":
                loop.call_later(self._random.uniform(0.5, 20), connection.say, text)
            case "late":
                loop.call_later(self._random.uniform(31, 120), connection.say, text)
            case "silent":
                pass
            case "hanging_up":
                connection.hang_up()
            case "odd":
                connection.say(json.dumps([3, unique_id, _odd(answer, action, self._random)]))
            case "useless":
                connection.say(self._useless(unique_id, action, answer))
                return
            case "twice":
                connection.say(text)
                loop.call_later(self._random.uniform(0, 60), connection.say, text)
            case _:
                connection.say(text)
        self.account.answered.add(unique_id)

    def _refuse(self, connection: Connection, unique_id: str, code: str) -> None:
        connection.say(json.dumps([4, unique_id, code, "not today", {}]))

    def _useless(self, unique_id: str, action: str, answer: dict[str, Any]) -> str:
        """What cannot be used; a garbage text, or an answer without what matters."""
        if self._random.random() < 0.5:
            return self._random.choice(_GARBAGE).replace("{id}", unique_id)
        broken = {**answer, "transactionId": "none", "idTagInfo": 5, "status": None}
        return json.dumps([3, unique_id, broken if action == "StartTransaction" else "what?"])

    def _answer(self, unique_id: str, action: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        match action:
            case "BootNotification":
                return self._boot()
            case "SignCertificate":
                return {"status": self.sign(payload["csr"])}
            case "Heartbeat":
                return {"currentTime": _text(timedelta())}
            case "Authorize":
                return {"idTagInfo": self._info(payload["idTag"])}
            case "StartTransaction":
                return self._start(unique_id, payload)
            case "StopTransaction":
                self.running.pop(payload["transactionId"], None)
                return {}
            case _:
                return {}

    def _boot(self) -> dict[str, Any]:
        status, interval_s = "Accepted", self.boot_interval_s
        if self._random.random() < self.behaviour.not_accepting:
            self._count("central system: not_accepting")
            status, interval_s = self._random.choice(("Pending", "Rejected")), 30
        self.accepts_boot = status == "Accepted"
        return {"status": status, "interval": interval_s, "currentTime": _text(timedelta())}

    def _start(self, unique_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        forgets = self._random.random() < self.behaviour.forgetful
        is_repeat = unique_id in self.account.given
        number = self.account.transaction_id(unique_id, forgets)
        if is_repeat and forgets:
            self._count("central system: forgetful")
        self.running[number] = payload["idTag"]
        return {"transactionId": number, "idTagInfo": self._info(payload["idTag"])}

    def _info(self, tag: str) -> dict[str, Any]:
        card = self._wallet.find(tag)
        info = IdTagInfo(INVALID) if card is None else card.truth(true_time())
        if info.status is ACCEPTED:
            self.accepted_at[tag] = asyncio.get_running_loop().time()
        return info_payload(info)


def info_payload(info: IdTagInfo) -> dict[str, Any]:
    """An idTagInfo as OCPP writes it."""
    payload: dict[str, Any] = {"status": info.status.value}
    if info.expires_at is not None:
        payload["expiryDate"] = info.expires_at.isoformat().replace("+00:00", "Z")
    if info.parent_id_tag is not None:
        payload["parentIdTag"] = info.parent_id_tag
    return payload


def _odd(answer: dict[str, Any], action: str, random: Random) -> dict[str, Any]:
    """What no schema allows, and what still can be understood."""
    odd = {**answer, "unheardOf": [1, 2], "nothing": None}
    if "transactionId" in odd:
        odd["transactionId"] = random.choice((str, float))(odd["transactionId"])
    if "idTagInfo" in odd:
        info = {"parentIdTag": None, "expiryDate": None, **odd["idTagInfo"]}
        odd["idTagInfo"] = {**info, "status": info["status"].upper()}
    return odd


def _text(off: timedelta) -> str:
    return (true_time() + off).isoformat(timespec="milliseconds").replace("+00:00", "Z")
