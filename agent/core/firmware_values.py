"""A firmware update: its steps, what happens to it, what it orders (OCPP 1.6, 5.19 and 7.25)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.core.key_enum import KeyEnum


class FirmwareStep(KeyEnum):
    """Where an update is. The value is what is stored."""

    SCHEDULED = "scheduled"
    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"  # waits for the end of sessions
    INSTALLING = "installing"
    RESTARTING = "restarting"  # installed by its command; the new version has to come up
    INSTALLED = "installed"
    DOWNLOAD_FAILED = "download failed"
    INSTALLATION_FAILED = "installation failed"


STATUSES = {
    FirmwareStep.DOWNLOADING: "Downloading",
    FirmwareStep.DOWNLOADED: "Downloaded",
    FirmwareStep.INSTALLING: "Installing",
    FirmwareStep.RESTARTING: "Installing",
    FirmwareStep.INSTALLED: "Installed",
    FirmwareStep.DOWNLOAD_FAILED: "DownloadFailed",
    FirmwareStep.INSTALLATION_FAILED: "InstallationFailed",
}
"""What the central system is told of a step."""

ENDED = (
    FirmwareStep.INSTALLED,
    FirmwareStep.DOWNLOAD_FAILED,
    FirmwareStep.INSTALLATION_FAILED,
)
_BEING_INSTALLED = (FirmwareStep.INSTALLING, FirmwareStep.RESTARTING)


@dataclass(frozen=True, slots=True)
class FirmwareUpdate:
    """One update, from UpdateFirmware.req to its end. It outlives the process."""

    location: str  # may hold a password
    retrieve_at: datetime
    retries_left: int
    retry_interval_s: int
    step: FirmwareStep = FirmwareStep.SCHEDULED
    version_before: str = ""  # what ran when it was installed
    sha256: str = ""  # of the file
    untold: tuple[str, ...] = ()  # statuses that the central system has not taken yet
    # Of this process only:
    is_resumed: bool = True  # False: an earlier process has left it here
    not_before_s: float | None = None  # monotonic: of the (next) download
    give_up_s: float | None = None  # monotonic: the new version should have come up by then

    @property
    def is_over(self) -> bool:
        """True when nothing will happen to it any more."""
        return self.step in ENDED

    @property
    def is_being_installed(self) -> bool:
        """True from the begin of the installation to its end."""
        return self.step in _BEING_INSTALLED


@dataclass(frozen=True, slots=True)
class Firmware:
    """What runs here, how it can be replaced, and the last update."""

    version: str = ""
    can_install: bool = False  # there is a command that installs
    restarts_itself: bool = True  # after that command; False: another program restarts the agent
    wait_s: float = 900.0  # for the new version to come up
    update: FirmwareUpdate | None = None

    @property
    def holds_connectors(self) -> bool:
        """True while no session may begin, because an image waits or is being installed."""
        update = self.update
        is_waiting = update is not None and update.step is FirmwareStep.DOWNLOADED
        return is_waiting or self.is_being_installed

    @property
    def is_being_installed(self) -> bool:
        """True while the agent must not be restarted for another reason."""
        return self.update is not None and self.update.is_being_installed

    @property
    def status(self) -> str:
        """What TriggerMessage tells: Idle unless an update is going on."""
        if self.update is None or self.update.is_over:
            return "Idle"
        return STATUSES.get(self.update.step, "Idle")


NO_FIRMWARE = Firmware()

# --- what happens --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UpdateAsked:
    """UpdateFirmware.req; answered Accepted, or Rejected while another one is being installed.

    The central system sees neither: UpdateFirmware.conf is empty.
    """

    request_id: str
    location: str
    retrieve_at: datetime
    retries: int
    retry_interval_s: int


@dataclass(frozen=True, slots=True)
class FirmwareFetched:
    """The file lies on the disk, whole."""

    sha256: str


@dataclass(frozen=True, slots=True)
class FirmwareNotFetched:
    """The file could not be fetched."""

    problem: str


@dataclass(frozen=True, slots=True)
class InstallEnded:
    """The install command has come to its end; an empty ``problem`` means that all is well."""

    problem: str = ""


@dataclass(frozen=True, slots=True)
class FirmwareTold:
    """The central system has taken this status."""

    status: str


FirmwareEvent = UpdateAsked | FirmwareFetched | FirmwareNotFetched | InstallEnded | FirmwareTold

# --- what is ordered -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SaveFirmware:
    """Row: keep the update as it stands."""

    update: FirmwareUpdate


@dataclass(frozen=True, slots=True)
class FetchFirmware:
    """Fetch the file; FirmwareFetched or FirmwareNotFetched follows."""

    location: str


@dataclass(frozen=True, slots=True)
class InstallFirmware:
    """Run the install command on the file that was fetched; InstallEnded follows."""

    sha256: str


@dataclass(frozen=True, slots=True)
class TellFirmware:
    """Let the central system know a status; FirmwareTold follows. ``why`` is for the log."""

    status: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class DropFirmware:
    """Call off what is being fetched, and remove what was."""


FirmwareOrder = FetchFirmware | InstallFirmware | TellFirmware | DropFirmware
