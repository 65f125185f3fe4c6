"""The certificate of the box: only its own is taken, and its private key stays where it is."""

from __future__ import annotations

import sqlite3
from typing import Any

from agent.store import Store
from tests.simulation.invariants.base import Invariant
from tests.simulation.signing import OTHER_KEY, OTHER_NAME, Issued, key_of

_REQUEST = '"SignCertificate"'


class OnlyItsOwnCertificate(Invariant):
    """Looked at when the box answers, by the files that it has then."""

    promise = "The box takes a certificate only for a key that it has, and for its own name"

    def taken(self, issued: Issued) -> None:
        """The box says that it takes this one."""
        self.look()
        if issued.kind in (OTHER_KEY, OTHER_NAME):
            self.broken(f"certificate {issued.number} is {issued.kind}")
        if key_of(issued.csr) not in self.world.disk.private.private_keys():
            self.broken(f"the key of certificate {issued.number} is not there")


class NoKeyLeaves(Invariant):
    """Every frame that is sent, against every key that is on the disk."""

    promise = "No private key leaves the box"

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._secrets: set[str] = set()  # the lines of their files

    def opened(self, reader: sqlite3.Connection, store: Store) -> None:
        self._read()

    def written(self, text: str) -> None:
        if _REQUEST in text:  # that of a new key
            self._read()
        if self._secrets:
            self.look()
        for secret in self._secrets:
            if secret in text:
                self.broken(f"it is in {text[:40]} ...")

    def _read(self) -> None:
        for text in self.world.disk.private.private_keys().values():
            self._secrets.update(text.splitlines()[1:-1])
