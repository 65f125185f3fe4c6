"""Every exception this agent raises on purpose, in one tree.

AgentError
    ConfigError         the configuration file cannot be used as written (exit status 78)
    StoreError          the database failed
        StoreBusy       another process holds it
        StoreFull       the disk is full, or the file cannot grow
        StoreDamaged    a stored value cannot be read (exit status 65)
    LinkError           the connection to the central system failed; the link tries again
    CallFailed          one call got no usable answer
        AnswerUnusable  it was answered in time, but not with what cannot be done without
    ControlError        a command on the local control socket cannot be done
        NoAgent         no agent listens on the control socket
    CertificateFileError    a file with the certificates to trust cannot be used
    CertificateUnusable     a certificate that somebody sent cannot be read or used
    OwnCertificateError     no key or file of this box's own certificate could be made
    TransferError       a file could not be sent or fetched; the message holds no secret
    ListFileError       a file with a local list cannot be used as written
    EditedFileError     a file that a person edits is not there, or is no text
"""

from __future__ import annotations

from enum import Enum, auto


class AgentError(Exception):
    """Base class for everything this agent raises on purpose."""


class ConfigError(AgentError, ValueError):
    """The configuration file cannot be used as written; ``mistakes`` holds one sentence each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class StoreError(AgentError):
    """The database failed; nothing of that commit was kept."""


class StoreBusy(StoreError):
    """Another process holds the database."""

    @classmethod
    def held(cls, path: object) -> StoreBusy:
        """Another agent has the lock beside this file."""
        return cls(f"The database {path} is in use: is another chargepoint-agent running?")


class StoreFull(StoreError):
    """The disk is full, or the database may not grow."""


class StoreDamaged(StoreError):
    """A stored value cannot be read; trying again does not help, a person must put it right."""


class LinkError(AgentError):
    """The connection to the central system failed; the message is a sentence for a person."""


class CallFailed(AgentError):
    """A call to the central system got no usable answer: time-out, CALLERROR or nonsense."""


class AnswerUnusable(CallFailed):
    """The central system answered a call, but not with what cannot be done without."""


class ControlError(AgentError):
    """A command on the local control socket cannot be done; the message says why."""


class NoAgent(ControlError):
    """No agent listens on the control socket."""


class ListFileError(AgentError, ValueError):
    """A file with a local list cannot be used as written; ``mistakes`` holds one sentence each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class CertificateFileError(AgentError):
    """A file with the certificates to trust cannot be used; the message names it."""


class CertificateUnusable(AgentError):
    """A certificate that somebody sent cannot be read; the message is a sentence."""


class OwnCertificateError(AgentError):
    """No key or file of this box's own certificate could be made; the message holds no secret."""


class TransferProblem(Enum):
    """What kind of refusal a server gave, as far as it can be told."""

    OTHER = auto()
    NONSENSE = auto()  # one side does not understand the other
    NO_PERMISSION = auto()
    NOT_SUPPORTED = auto()


class TransferError(AgentError):
    """A file could not be sent or fetched; the message is a sentence, and holds no secret."""

    def __init__(self, message: str, kind: TransferProblem = TransferProblem.OTHER) -> None:
        super().__init__(message)
        self.kind = kind


class EditedFileError(AgentError, ValueError):
    """A file that a person edits is not there, or is no text; the message holds nothing of it."""
