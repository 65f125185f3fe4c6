"""A firmware update: its steps, what happens to it, what it orders.

OCPP 1.6, 5.19 and 7.25; security white paper, L01: the same update, asked for with a signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.core.certificates import InspectedRoot
from agent.core.key_enum import KeyEnum


class FirmwareStep(KeyEnum):
    """Where an update is. The value is what is stored."""

    SCHEDULED = "scheduled"  # asked for; the answer goes first
    DOWNLOAD_SCHEDULED = "download scheduled"
    DOWNLOADING = "downloading"
    RETRYING = "retrying"  # the next attempt comes after a while
    DOWNLOADED = "downloaded"  # waits for the check of its signature, or the end of sessions
    SIGNATURE_VERIFIED = "signature verified"  # waits for its time, then for the end of sessions
    INSTALL_SCHEDULED = "install scheduled"  # the same, when it has to wait for its time
    INSTALLING = "installing"
    RESTARTING = "restarting"  # installed by its command; the new version has to come up
    INSTALLED = "installed"
    DOWNLOAD_FAILED = "download failed"
    INVALID_SIGNATURE = "invalid signature"
    INSTALL_VERIFICATION_FAILED = "install verification failed"
    INSTALLATION_FAILED = "installation failed"


PLAIN_STATUSES = {
    FirmwareStep.DOWNLOADING: "Downloading",
    FirmwareStep.RETRYING: "Downloading",
    FirmwareStep.DOWNLOADED: "Downloaded",
    FirmwareStep.INSTALLING: "Installing",
    FirmwareStep.RESTARTING: "Installing",
    FirmwareStep.INSTALLED: "Installed",
    FirmwareStep.DOWNLOAD_FAILED: "DownloadFailed",
    FirmwareStep.INSTALL_VERIFICATION_FAILED: "InstallationFailed",
    FirmwareStep.INSTALLATION_FAILED: "InstallationFailed",
}
"""What the central system is told of a step (7.25); two with one status are one to it."""
SIGNED_STATUSES = {
    **PLAIN_STATUSES,
    FirmwareStep.DOWNLOAD_SCHEDULED: "DownloadScheduled",
    FirmwareStep.RETRYING: "DownloadFailed",
    FirmwareStep.SIGNATURE_VERIFIED: "SignatureVerified",
    FirmwareStep.INSTALL_SCHEDULED: "InstallScheduled",
    FirmwareStep.RESTARTING: "InstallRebooting",
    FirmwareStep.INVALID_SIGNATURE: "InvalidSignature",
    FirmwareStep.INSTALL_VERIFICATION_FAILED: "InstallVerificationFailed",
}
"""The same of a signed update."""

ENDED = (
    FirmwareStep.INSTALLED,
    FirmwareStep.DOWNLOAD_FAILED,
    FirmwareStep.INVALID_SIGNATURE,
    FirmwareStep.INSTALL_VERIFICATION_FAILED,
    FirmwareStep.INSTALLATION_FAILED,
)
_BEING_INSTALLED = (FirmwareStep.INSTALLING, FirmwareStep.RESTARTING)
VERIFIED = (FirmwareStep.SIGNATURE_VERIFIED, FirmwareStep.INSTALL_SCHEDULED)


@dataclass(frozen=True, slots=True)
class Signing:
    """What a signed update is asked for with, beyond a plain one."""

    request_id: int  # of the central system, told with each status
    certificate: str  # of who signed, PEM; its root was checked before the answer
    signature: str  # base64, over the whole file


@dataclass(frozen=True, slots=True)
class FirmwareNotice:
    """A status, as the central system is told it."""

    status: str
    request_id: int | None = None  # None: of a plain update


@dataclass(frozen=True, slots=True)
class FirmwareUpdate:
    """One update, from its request to its end. It outlives the process."""

    location: str  # may hold a password
    retrieve_at: datetime
    retries_left: int
    retry_interval_s: int
    step: FirmwareStep = FirmwareStep.SCHEDULED
    version_before: str = ""  # what ran when it was installed
    sha256: str = ""  # of the file
    install_at: datetime | None = None  # None: as soon as nobody charges
    signing: Signing | None = None  # None: a plain one
    untold: tuple[FirmwareNotice, ...] = ()  # what the central system has not taken yet
    # Of this process only:
    is_resumed: bool = True  # False: an earlier process has left it here
    not_before_s: float | None = None  # monotonic: of what comes next
    give_up_s: float | None = None  # monotonic: the new version should have come up by then

    @property
    def notice(self) -> FirmwareNotice | None:
        """What the central system is told of its step; None: nothing."""
        statuses = PLAIN_STATUSES if self.signing is None else SIGNED_STATUSES
        if self.step not in statuses:
            return None
        request_id = None if self.signing is None else self.signing.request_id
        return FirmwareNotice(statuses[self.step], request_id)

    @property
    def may_be_installed(self) -> bool:
        """True while it waits for nothing but the end of sessions."""
        if self.signing is None:
            return self.step is FirmwareStep.DOWNLOADED
        return self.step in VERIFIED and self.install_at is None

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
    takes_unsigned: bool | None = None  # None: until a root of the manufacturer is installed
    restarts_itself: bool = True  # after that command; False: another program restarts the agent
    wait_s: float = 900.0  # for the new version to come up
    update: FirmwareUpdate | None = None

    @property
    def holds_connectors(self) -> bool:
        """True while no session may begin, because an image waits or is being installed."""
        is_waiting = self.update is not None and self.update.may_be_installed
        return is_waiting or self.is_being_installed

    @property
    def is_being_installed(self) -> bool:
        """True while the agent must not be restarted for another reason."""
        return self.update is not None and self.update.is_being_installed

    @property
    def notice(self) -> FirmwareNotice:
        """What TriggerMessage tells: Idle unless a plain update is going on."""
        update = self.update
        if update is None or update.is_over or update.signing is not None:
            return IDLE
        return update.notice or IDLE

    @property
    def signed_notice(self) -> FirmwareNotice:
        """What ExtendedTriggerMessage tells: the last status of a signed update.

        Idle after Installed, and when there is none (security white paper, L01.FR.25 to 28).
        """
        update = self.update
        if update is None or update.signing is None or update.step is FirmwareStep.INSTALLED:
            return IDLE
        return update.notice or IDLE


IDLE = FirmwareNotice("Idle")
NO_FIRMWARE = Firmware()

# --- what happens --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UpdateAsked:
    """An update is wanted, signed or plain.

    Answered Accepted, AcceptedCanceled when it takes the place of another one, Rejected, a signed
    one InvalidCertificate, a plain one NotSupported. The central system sees of the answer to a
    plain one only this last.
    """

    request_id: str
    location: str
    retrieve_at: datetime
    retries: int
    retry_interval_s: int
    install_at: datetime | None = None
    signing: Signing | None = None
    signer: InspectedRoot | None = None  # its certificate; None: it cannot be read
    problem: str = ""  # and why not
    location_problem: str = ""  # why nothing can be fetched from there, in words


@dataclass(frozen=True, slots=True)
class FirmwareFetched:
    """The file lies on the disk, whole."""

    sha256: str


@dataclass(frozen=True, slots=True)
class FirmwareNotFetched:
    """The file could not be fetched."""

    problem: str


@dataclass(frozen=True, slots=True)
class SignatureChecked:
    """Whether the file is what its signature says; an empty ``problem`` means that it is."""

    sha256: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class InstallEnded:
    """The install command has come to its end; an empty ``problem`` means that all is well.

    ``is_verified`` False: it was not begun, because the file is not the one that was verified; or
    it says that the signature of the file is wrong.
    """

    problem: str = ""
    is_verified: bool = True


@dataclass(frozen=True, slots=True)
class FirmwareTold:
    """The central system has taken this status."""

    notice: FirmwareNotice


FirmwareEvent = (
    UpdateAsked
    | FirmwareFetched
    | FirmwareNotFetched
    | SignatureChecked
    | InstallEnded
    | FirmwareTold
)

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
class CheckSignature:
    """Check the signature of the file that was fetched; SignatureChecked follows."""

    sha256: str
    signing: Signing


@dataclass(frozen=True, slots=True)
class InstallFirmware:
    """Run the install command on the file that was fetched, if it still is what was verified.

    InstallEnded follows.
    """

    sha256: str
    signing: Signing | None = None


@dataclass(frozen=True, slots=True)
class TellFirmware:
    """Let the central system know a status; FirmwareTold follows. ``why`` is for the log."""

    notice: FirmwareNotice
    why: str = ""


@dataclass(frozen=True, slots=True)
class DropFirmware:
    """Call off what is being fetched, and remove what was."""


FirmwareOrder = FetchFirmware | CheckSignature | InstallFirmware | TellFirmware | DropFirmware
