"""The local lists that the central system sends, and which of them the box may hold."""

from __future__ import annotations

from random import Random
from typing import Any

from agent.core.values import IdTagInfo
from tests.simulation.cards import ACCEPTED, Wallet
from tests.simulation.central_system import CentralSystem, info_payload
from tests.simulation.run_log import RunLog

Content = dict[str, IdTagInfo]


class LocalLists:
    """Sends lists, in full or by difference, with versions that only grow."""

    def __init__(
        self, random: Random, wallet: Wallet, central: CentralSystem, run_log: RunLog
    ) -> None:
        self.confirmed = 0  # the newest version that the box has said it has taken
        self._random = random
        self._wallet = wallet
        self._central = central
        self._run_log = run_log
        self._sent: dict[int, list[Content]] = {}
        self._version = 0
        self._is_sure = False  # what the box holds is the newest version

    def possible(self, version: int) -> list[Content]:
        """What the list of this version may hold."""
        return self._sent.get(version, [])

    def send(self) -> None:
        """Send a new version."""
        content = self._new_content()
        kind, entries = "Full", self._in_full(content)
        if self._is_sure and self._random.random() < 0.5:
            kind, entries = "Differential", self._difference(content)
        self._version += 1
        version = self._version
        self._sent[version] = [content]
        self._is_sure = False
        self._run_log.note("central system", f"sends list {version} ({kind}, {len(content)} tags)")
        payload = {
            "listVersion": version,
            "updateType": kind,
            "localAuthorizationList": entries,
        }
        self._central.call("SendLocalList", payload, lambda frame: self._answered(version, frame))

    def _answered(self, version: int, frame: Any) -> None:
        is_accepted = frame[0] == 3 and frame[2].get("status") == "Accepted"
        self._run_log.note("central system", f"list {version}: {frame[2]}")
        if is_accepted:
            self.confirmed = max(self.confirmed, version)
            self._is_sure = version == self._version

    def _new_content(self) -> Content:
        content = {entry.id_tag: entry.info for entry in self._wallet.list_entries()}
        strangers = self._random.choice((0, 5, 40, 1100))
        for number in self._random.sample(range(10_000), strangers):
            content[f"FILLER{number:06}"] = IdTagInfo(ACCEPTED)
        return {tag: info for tag, info in content.items() if info is not None}

    def _in_full(self, content: Content) -> list[dict[str, Any]]:
        return [{"idTag": tag, "idTagInfo": info_payload(info)} for tag, info in content.items()]

    def _difference(self, content: Content) -> list[dict[str, Any]]:
        before = self._sent[self._version][0]
        gone = [{"idTag": tag} for tag in before if tag not in content]
        changed = {tag: info for tag, info in content.items() if before.get(tag) != info}
        return gone + self._in_full(changed)
