"""The local control socket: how commands on the same machine talk to the running agent.

One JSON object a line in, one a line out: ``{"do": "status"}`` gives ``{"ok": true, "result":
...}`` or ``{"ok": false, "error": "a sentence"}``. The mode of the file decides who may connect.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from agent.platform.bounded_json import read_json
from agent.platform.errors import AgentError, ControlError, NoAgent
from agent.platform.file_problems import why
from agent.platform.ownership import rights_of_owner

logger = logging.getLogger(__name__)

LINE_MAX = 65_536
CLIENTS_MAX = 16
IDLE_S = 10.0
ANSWER_S = 30.0
_PATH_MAX = 107  # sun_path of Linux, with its closing zero

Action = Callable[[Mapping[str, Any]], Awaitable[Any]]


def socket_path(storage: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the socket is: in the runtime directory of the service, else beside the database."""
    installed = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return (Path(installed) if installed else storage.parent) / "control.sock"


class ControlServer:
    """Serves ``actions`` by name on a unix socket."""

    def __init__(self, path: Path, actions: Mapping[str, Action]) -> None:
        self._path = path
        self._actions = actions
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Raises ControlError naming the path when that is not possible."""
        if len(os.fsencode(self._path)) > _PATH_MAX:
            raise ControlError(
                f"the path of the control socket is too long ({_PATH_MAX} bytes fit): {self._path}"
            )
        try:
            # The socket of a process that died is replaced; the database's lock says that it did.
            self._server = await asyncio.start_unix_server(
                self._serve, str(self._path), limit=LINE_MAX
            )
        except OSError as error:
            is_taken = error.errno == errno.EADDRINUSE
            words = "it is no socket: remove it" if is_taken else why(error, self._path)
            raise ControlError(f"cannot open the control socket {self._path}: {words}") from error
        self._path.chmod(0o660)

    async def close(self) -> None:
        """Stop listening and remove the socket. Safe to repeat."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._server is None or len(self._clients) >= CLIENTS_MAX:
            writer.close()
            return
        self._clients.add(task)
        try:
            while (line := await self._next_line(reader)) is not None:
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                async with asyncio.timeout(IDLE_S):
                    await writer.drain()
        except (TimeoutError, ConnectionError):
            pass
        finally:
            self._clients.discard(task)
            writer.close()

    async def _next_line(self, reader: asyncio.StreamReader) -> bytes | None:
        try:
            async with asyncio.timeout(IDLE_S):
                line = await reader.readline()
        except (TimeoutError, ValueError, ConnectionError):  # ValueError: longer than the limit
            return None
        return line if line.endswith(b"\n") else None

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = read_json(line.decode("utf-8"))
            if not isinstance(request, dict) or not isinstance(request.get("do"), str):
                raise ControlError('a request is an object with "do"')
            action = self._actions.get(request["do"])
            if action is None:
                raise ControlError(f"the running agent does not know {request['do']!r}")
            async with asyncio.timeout(ANSWER_S):
                return {"ok": True, "result": await action(request)}
        except (AgentError, ValueError) as problem:
            return {"ok": False, "error": str(problem) or "the request cannot be read"}
        except TimeoutError:
            return {"ok": False, "error": f"no answer within {ANSWER_S:g} s"}
        except Exception:
            logger.exception("a command on the control socket failed")
            return {"ok": False, "error": "the agent failed at this; see its log"}


def ask(path: Path, request: Mapping[str, Any], timeout_s: float = ANSWER_S + 5) -> Any:
    """Send one request to the running agent and return its result.

    Raises NoAgent when no process listens there, ControlError with a sentence when it refuses.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
            channel.settimeout(timeout_s)
            with rights_of_owner(path.parent):
                channel.connect(str(path))
            channel.sendall(json.dumps(request).encode() + b"\n")
            with channel.makefile("rb") as answers:
                line = answers.readline()
    except (FileNotFoundError, ConnectionRefusedError):
        raise NoAgent(f"no agent is running (nothing answers at {path})") from None
    except PermissionError:
        raise ControlError(
            f"no right to use {path}: run this as root, or join the agent's group"
        ) from None
    except OSError as error:
        raise ControlError(f"the agent at {path} does not answer: {error}") from None
    if not line:
        raise ControlError("the agent closed the connection without an answer")
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ControlError(f"what answers at {path} cannot be read: is it a chargepoint-agent?")
    if not answer.get("ok"):
        raise ControlError(str(answer.get("error", "refused without a reason")))
    return answer.get("result")
