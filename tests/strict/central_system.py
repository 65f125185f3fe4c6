"""The process of central_system.mjs from outside."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from tests.emulators.central_system import ReceivedCall

HERE = Path(__file__).parent
PATIENCE_S = 20.0


class StrictCentralSystem:
    """What it is told to do, and what it tells."""

    def __init__(self, node: str, certificates: Path | None = None) -> None:
        """With a folder of certificates it speaks TLS: see central_system.mjs."""
        folder = [] if certificates is None else [str(certificates)]
        self._process = subprocess.Popen(
            [node, str(HERE / "central_system.mjs"), *folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        port = json.loads(self._process.stdout.readline())["port"]
        self.url = f"{'wss' if folder else 'ws'}://127.0.0.1:{port}"
        self._ids = itertools.count(1)
        self._orders: dict[int, Future[dict[str, Any]]] = {}
        self._reader = threading.Thread(target=self._read)
        self.forget()
        self._reader.start()

    def forget(self) -> None:
        """Begin anew."""
        self.calls: list[ReceivedCall] = []
        self.invalid: list[str] = []  # messages, of either side, that break a schema
        self.bad: list[str] = []  # frames that it could not read
        self.callers: list[dict[str, Any]] = []  # who came over TLS: by a certificate, a password
        self.closed: list[int] = []  # codes of connections that ended
        self.asked: set[str] = set()

    def flush(self) -> None:
        """Wait until all that it has told so far is known here."""
        self._obeyed({"order": "nothing"}).result(PATIENCE_S)

    def objects_to_nothing(self) -> None:
        """Every message that it has seen was as the schemas want it."""
        self.flush()
        assert self.invalid == []
        assert self.bad == []

    def end(self) -> None:
        """Its input ends, and so does the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait(PATIENCE_S) == 0
        self._reader.join(PATIENCE_S)
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._take(json.loads(line))

    def _take(self, told: dict[str, Any]) -> None:
        match told:
            case {"frame": text}:
                kind, unique_id, action, *rest = json.loads(text)
                if kind == 2:
                    self.calls.append(ReceivedCall(action, rest[0], unique_id, 0.0))
            case {"invalid": text}:
                self.invalid.append(text)
            case {"bad": text}:
                self.bad.append(text)
            case {"caller": who}:
                self.callers.append(who)
            case {"closed": code}:
                self.closed.append(code)
            case {"id": order_id}:
                self._orders.pop(order_id).set_result(told)

    # --- what it can do ---

    async def ask(self, action: str, **payload: Any) -> Any:
        """Call the charge point: its status, or its whole answer where it has none."""
        answer = await self.answer(action, **payload)
        return answer.get("status", answer)

    async def answer(self, action: str, **payload: Any) -> dict[str, Any]:
        """Call the charge point: its whole answer."""
        self.asked.add(action)
        answer = await self._order(order="call", method=action, params=payload)
        assert "result" in answer, (action, answer)
        result: dict[str, Any] = answer["result"]
        return result

    async def ask_wrongly(self, action: str, payload: Any) -> tuple[str, str]:
        """Call with anything at all: the library's class of the CALLERROR, and its code."""
        answer = await self._order(order="callUnchecked", method=action, params=payload)
        return answer["error"], answer["code"]

    async def send(self, text: str) -> None:
        """Send any text as a frame."""
        await self._order(order="send", text=text)

    async def show_anew(self) -> None:
        """From the next handshake on it shows what is in its folder now."""
        await self._order(order="show")

    async def drop(self) -> None:
        """End the connection."""
        await self._order(order="drop")

    async def _order(self, **words: Any) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.wrap_future(self._obeyed(words))

    def _obeyed(self, words: dict[str, Any]) -> Future[dict[str, Any]]:
        order_id = next(self._ids)
        obeyed: Future[dict[str, Any]] = Future()
        self._orders[order_id] = obeyed
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": order_id, **words}) + "\n")
        self._process.stdin.flush()
        return obeyed

    # --- what it heard ---

    def of(self, action: str) -> list[dict[str, Any]]:
        """The payloads of the calls of this action so far."""
        return [dict(call.payload) for call in self.calls if call.action == action]

    async def received(self, action: str, count: int = 1) -> dict[str, Any]:
        """Wait for the ``count``-th call of this action."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.of(action)) < count:
                await asyncio.sleep(0.005)
        return self.of(action)[count - 1]
