"""A manufacturer's firmware: what is asked of the box, served to it and installed in it.

Each request names the number of a version. Some signatures are those of another file, some files
are not what was signed, some certificates come from somebody else: none of that may be installed.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from agent.maintenance.transfer.file_transfer import Fetched
from agent.maintenance.transfer.location import Location
from agent.platform.errors import TransferError
from tests.emulators.signers import Signer, manufacturer
from tests.simulation.central_system import CentralSystem
from tests.simulation.clocks import true_time
from tests.simulation.run_log import RunLog

GOOD = "good"
OTHER_SIGNATURE = "the signature of another file"
OTHER_FILE = "another file than the signed one"
OTHER_SIGNER = "a signer of somebody else"
_KINDS = (GOOD, GOOD, GOOD, OTHER_SIGNATURE, OTHER_FILE, OTHER_SIGNER)
_RETRY_S = 20

ROOT = manufacturer()
SIGNER = ROOT.signs("Firmware", days=10_000)
STRANGER = manufacturer("Stranger", "ec stranger").signs("Firmware", days=10_000)


class Rollout:
    """What outlives the processes: the version that runs, the file on the disk, what was asked."""

    def __init__(
        self,
        random: Random,
        central: CentralSystem,
        run_log: RunLog,
        count: Callable[[str], None],
        begins_installing: Callable[[bytes], None],
    ) -> None:
        """``begins_installing`` hears of each file that the install command is run on."""
        self.version = "1"
        self.accepted: int | None = None  # the last request that was
        self.is_healed = False
        self._random = random
        self._central = central
        self._run_log = run_log
        self._count = count
        self._begins_installing = begins_installing
        self._asked = 1
        self._kinds: dict[int, str] = {}
        self._image: bytes | None = None

    # --- the central system ---

    async def live(self, gap_h: float) -> None:
        """Ask for an update now and then, for ever."""
        while True:
            await asyncio.sleep(self._random.expovariate(1 / (gap_h * 3600)))
            self._central.call(
                "InstallCertificate",
                {"certificateType": "ManufacturerRootCertificate", "certificate": ROOT.pem},
                self._root_answered,
            )

    def _root_answered(self, frame: Any) -> None:
        if frame[0] == 3 and frame[2] == {"status": "Accepted"}:
            self._ask()

    def _ask(self) -> None:
        self._asked += 1
        number, kind = self._asked, self._random.choice(_KINDS)
        self._kinds[number] = kind
        signer = STRANGER if kind == OTHER_SIGNER else SIGNER
        firmware = {
            "location": f"https://files.example.com/{number}",
            "retrieveDateTime": self._soon(),
            "signingCertificate": signer.pem,
            "signature": _signature(signer, number + (kind == OTHER_SIGNATURE)),
        }
        if self._random.random() < 0.3:
            firmware["installDateTime"] = self._soon()
        payload = {"requestId": number, "retries": 1, "retryInterval": _RETRY_S}
        self._run_log.note("operator", f"SignedUpdateFirmware {number}: {kind}")
        self._central.call(
            "SignedUpdateFirmware",
            {**payload, "firmware": firmware},
            lambda frame: self._answered(number, frame),
        )

    def _soon(self) -> str:
        ahead = timedelta(seconds=self._random.choice((-60, -60, 30, 300)))
        return (true_time() + ahead).isoformat(timespec="seconds").replace("+00:00", "Z")

    def _answered(self, number: int, frame: Any) -> None:
        self._run_log.note("operator", f"SignedUpdateFirmware {number}: {frame[2]}")
        status = frame[2]["status"] if frame[0] == 3 else ""
        if status:
            self._count(f"firmware: {status}")
        if status in ("Accepted", "AcceptedCanceled"):
            self.accepted = number

    def is_signed(self, content: bytes) -> bool:
        """True of a file that came with a signature of it, by who may sign."""
        good = (number for number, kind in self._kinds.items() if kind == GOOD)
        return any(content == _content(number, is_other=False) for number in good)

    # --- the server ---

    async def upload(self, folder: Location, name: str, content: bytes, within_s: float) -> None:
        """Nobody asks for one."""
        raise TransferError("there is no such folder")

    async def download(
        self, location: Location, path: Path, bytes_max: int, within_s: float
    ) -> Fetched:
        """Give the file, or another one, or none."""
        await asyncio.sleep(self._random.uniform(1, 60))
        if not self.is_healed and self._random.random() < 0.3:
            raise TransferError("the server is busy")
        number = int(location.path.rpartition("/")[2])
        return _put(path, _content(number, self._kinds[number] == OTHER_FILE))

    # --- the box's machine ---

    async def install(
        self, command: list[str], environment: Mapping[str, str], folder: Path, within_s: float
    ) -> str:
        """What the install command does; it has its effect at its end."""
        content = (folder / "image").read_bytes()
        self._begins_installing(content)
        await asyncio.sleep(self._random.uniform(1, 60))
        if self._random.random() < 0.2:
            return "it ended with the status 1"
        self._count("firmware: installed")
        self.version = content.decode().split()[1]
        return ""

    def process_begins(self, folder: Path) -> None:
        """The file lies where the last process has left it, if it has."""
        if self._image is not None:
            (folder / "firmware").mkdir(exist_ok=True)
            (folder / "firmware/image").write_bytes(self._image)

    def process_ended(self, folder: Path) -> None:
        """Nothing that this process still does counts."""
        image = folder / "firmware/image"
        self._image = image.read_bytes() if image.exists() else None

    def lost_power(self) -> None:
        """A file that nobody had in hand may be damaged, as the cards of such boxes are."""
        if self._image is not None and self._random.random() < 0.2:
            self._count("firmware: the file was damaged")
            self._image = b"firmware 0"


def _put(path: Path, content: bytes) -> Fetched:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Fetched(path, len(content), hashlib.sha256(content).hexdigest())


def _content(number: int, is_other: bool) -> bytes:
    who = "somebody else" if is_other else "the manufacturer"
    return f"firmware {number} by {who}".encode()


def _signature(signer: Signer, number: int) -> str:
    return signer.sign(_content(number, is_other=False))
