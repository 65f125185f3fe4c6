"""Carries out firmware updates: fetches the file, checks it, runs the install command, tells.

``agent.core.firmware_update`` decides. The command is run without a shell; what it may do under
systemd's rules is in docs/firmware.md.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from agent.certificates.firmware_signature import file_problem
from agent.config.settings import FirmwareSettings
from agent.core.commands import Command
from agent.core.events import Event
from agent.core.firmware_values import (
    CheckSignature,
    DropFirmware,
    FetchFirmware,
    FirmwareFetched,
    FirmwareNotFetched,
    FirmwareTold,
    InstallEnded,
    InstallFirmware,
    SignatureChecked,
    Signing,
    TellFirmware,
)
from agent.maintenance.transfer.file_transfer import Transfers
from agent.maintenance.transfer.location import Location, location_of
from agent.ocpp16.requests import firmware_status
from agent.ocpp16.retried_notifications import Notices
from agent.platform.errors import AgentError, TransferError
from agent.platform.redaction import one_line
from agent.runtime.executors import OffLoop

ACTION = "FirmwareStatusNotification"
SIGNED_ACTION = "SignedFirmwareStatusNotification"
FILE = "{file}"
NOT_SIGNED = 77  # exit status of the install command: the file's signature is wrong
DOWNLOAD_S = 4 * 3600.0  # for one attempt: large images over bad links
_LINES_KEPT = 20
_LINE_MAX = 300
_ENVIRONMENT = ("PATH", "LANG", "TZ", "HOME", "USER")

logger = logging.getLogger(__name__)

Post = Callable[[Event], None]


class NotSigned(AgentError):
    """The install command says that the signature of the file is wrong."""


class RunCommand(Protocol):
    """Runs a program to its end."""

    async def __call__(
        self, command: list[str], environment: Mapping[str, str], folder: Path, within_s: float
    ) -> str:
        """Returns "" when it ended with 0, else a sentence. Raises NotSigned."""


class FirmwareWorker:
    """Performs the orders of the core about firmware; each returns at once."""

    def __init__(
        self,
        settings: FirmwareSettings,
        folder: Path,
        transfers: Transfers,
        notices: Notices,
        post: Post,
        work: OffLoop,
        protocols: Callable[[], frozenset[str]],
        run_command: RunCommand | None = None,
    ) -> None:
        """``folder`` is where the file goes; ``work`` runs a slow function elsewhere."""
        self._settings = settings
        self._file = folder / "image"
        self._transfers = transfers
        self._notices = notices
        self._post = post
        self._work = work
        self._protocols = protocols
        self._run_command = run_command or run_program
        self._preparing: asyncio.Task[None] | None = None  # fetches the file, or checks it
        self._others: set[asyncio.Task[None]] = set()
        self._removals: set[asyncio.Task[None]] = set()

    def performers(self) -> Mapping[type[Command], Callable[[Any], None]]:
        """Who performs which order."""
        return {
            FetchFirmware: self._fetch,
            CheckSignature: self._check,
            InstallFirmware: self._install,
            TellFirmware: self._tell,
            DropFirmware: self._drop,
        }

    def location_problem(self, text: str) -> str:
        """Why nothing can be fetched from this address, in words; "" when it may be tried."""
        try:
            self._location(text)
        except TransferError as problem:
            return str(problem)
        return ""

    def close(self) -> None:
        """The process ends: what is being fetched is called off, what is installed is let go on."""
        if self._preparing is not None:
            self._preparing.cancel()

    # --- the orders ----------------------------------------------------------------------------

    def _tell(self, order: TellFirmware) -> None:
        notice = order.notice
        is_bad = notice.status.endswith("Failed") or notice.status == "InvalidSignature"
        words = f": {order.why}" if order.why else ""
        logger.log(
            logging.WARNING if is_bad else logging.INFO,
            "Firmware update: %s%s",
            notice.status,
            words,
        )
        action = ACTION if notice.request_id is None else SIGNED_ACTION
        told = FirmwareTold(notice)
        self._notices.send(action, firmware_status(notice), lambda: self._post(told))

    def _fetch(self, order: FetchFirmware) -> None:
        self._prepare(self._do_fetch(order.location))

    def _check(self, order: CheckSignature) -> None:
        self._prepare(self._do_check(order.sha256, order.signing))

    def _prepare(self, work: Coroutine[Any, Any, None]) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
        self._preparing = asyncio.create_task(work, name="firmware")

    def _install(self, order: InstallFirmware) -> None:
        self._keep(self._do_install(order.sha256, order.signing), self._others)

    def _drop(self, order: DropFirmware) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
        self._keep(self._remove_file(), self._removals)

    @staticmethod
    def _keep(work: Any, tasks: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work, name="firmware")
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    # --- the work ------------------------------------------------------------------------------

    async def _do_fetch(self, text: str) -> None:
        if self._removals:  # they must not meet the new file
            await asyncio.wait(self._removals)
        try:
            location = self._location(text)
            bytes_max = self._settings.max_mb * 1_000_000
            found = await self._transfers.download(location, self._file, bytes_max, DOWNLOAD_S)
        except AgentError as problem:
            logger.warning("The firmware could not be fetched: %s", problem)
            self._post(FirmwareNotFetched(str(problem)))
            return
        except Exception as problem:
            logger.exception("The firmware could not be fetched")
            self._post(FirmwareNotFetched(f"a mistake of the agent ({type(problem).__name__})"))
            return
        logger.info(
            "Firmware fetched from %s: %.1f MB, SHA-256 %s",
            location,
            found.size / 1e6,
            found.sha256,
        )
        self._post(FirmwareFetched(found.sha256))

    def _location(self, text: str) -> Location:
        location = location_of(text)
        if location.scheme not in self._protocols():
            raise TransferError(f"{location.scheme} is switched off here")
        return location

    async def _do_check(self, sha256: str, signing: Signing) -> None:
        self._post(SignatureChecked(sha256, await self._file_problem(sha256, signing)))

    async def _do_install(self, sha256: str, signing: Signing | None) -> None:
        if problem := await self._file_problem(sha256, signing):
            self._post(InstallEnded(problem, is_verified=False))
            return
        try:
            end = InstallEnded(await self._installed(sha256))
        except NotSigned as refusal:
            end = InstallEnded(str(refusal), is_verified=False)
        except Exception as mistake:
            logger.exception("The firmware could not be installed")
            end = InstallEnded(f"a mistake of the agent ({type(mistake).__name__})")
        self._post(end)

    async def _file_problem(self, sha256: str, signing: Signing | None) -> str:
        """Why the file is not the one that was fetched and signed; "" when it is."""
        signed = () if signing is None else (signing.certificate, signing.signature)
        try:
            problem: str = await self._work(file_problem, self._file, sha256, *signed)
        except Exception as mistake:
            logger.exception("The firmware could not be verified")
            return f"a mistake of the agent ({type(mistake).__name__})"
        return problem

    async def _installed(self, sha256: str) -> str:
        """Run the install command on the file; why it did not work, "" when it did."""
        command = [part.replace(FILE, str(self._file)) for part in self._settings.install_command]
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment["FIRMWARE_FILE"] = str(self._file)
        environment["FIRMWARE_SHA256"] = sha256
        logger.info("Firmware is installed by %s", " ".join(command))
        return await self._run_command(
            command, environment, self._file.parent, self._settings.install_timeout_s
        )

    async def _remove_file(self) -> None:
        try:
            await self._work(self._file.unlink, True)
        except OSError as problem:
            logger.warning("The firmware file cannot be removed: %s", problem.strerror)


async def run_program(
    command: list[str], environment: Mapping[str, str], folder: Path, within_s: float
) -> str:
    """Run the program without a shell; its last lines go to the log. "" means that all is well.

    It and everything that it has started is killed when it takes longer than ``within_s``.
    Raises NotSigned.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
    except OSError as problem:
        return f"the install command cannot be run: {problem.strerror}"
    last: deque[str] = deque(maxlen=_LINES_KEPT)
    try:
        async with asyncio.timeout(within_s):
            await _read_lines(process, last)
            status = await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):  # what holds the output may be in a group of its own
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        status = None
    for line in last:
        logger.info("install command: %s", line)
    if status is None:
        return f"the install command took longer than {within_s:g} s and was killed"
    if status == 0:
        return ""
    ending = f"the status {status}" if status > 0 else f"the signal {-status}"
    said = f": {last[-1]}" if last else ""
    words = f"the install command ended with {ending}{said}"
    if status == NOT_SIGNED:
        raise NotSigned(words)
    return words


async def _read_lines(process: asyncio.subprocess.Process, last: deque[str]) -> None:
    """Keep the last lines, whatever their length."""
    assert process.stdout is not None
    rest = b""
    while block := await process.stdout.read(8192):
        *lines, rest = (rest + block).split(b"\n")
        last.extend(_shown(line) for line in lines)
        rest = rest[-8192:]
    if rest:
        last.append(_shown(rest))


def _shown(line: bytes) -> str:
    return one_line(line.decode("utf-8", "replace").rstrip("\r"), _LINE_MAX)
