"""The certificate of this box for security profile 3: its values, and which one counts.

OCPP 1.6 security white paper, A02 and A03. The central system's authority signs it on request; the
private key is made here and never leaves the box.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.core.certificates import Certificate
from agent.core.key_enum import KeyEnum
from agent.core.replace import replace
from agent.core.values import Instant

_ASKS_AGAIN = timedelta(days=1)  # after the last request a renewal asks once more
_AHEAD_MAX = timedelta(days=366)  # a certificate that begins later is a mistake, and no plan
_FALLBACK = timedelta(days=30)  # so long the one before is kept once its successor has worked
_TICK = timedelta(seconds=1)  # of the times in a certificate: within its last one it is still valid


class KeyKind(KeyEnum):
    """What kind of key pair is made. The value is that of the configuration file."""

    EC_P256 = "ec-p256"
    RSA_3072 = "rsa-3072"


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A certificate signing request (PKCS #10, PEM) of a key pair that was made for it.

    ``key``: SHA-256 of the public key's SubjectPublicKeyInfo in DER form, hex digits. It names the
    file of the private key, too.
    """

    key: str
    csr: str  # at most 5500 characters


@dataclass(frozen=True, slots=True)
class OwnCertificate(Certificate):
    """A certificate that was signed for this box."""

    pem: str  # with those above it that came along, its own first
    key: str  # as in CertificateRequest
    common_name: str  # CN of its subject; empty: it has none


@dataclass(frozen=True, slots=True)
class InspectedChain:
    """A certificate with those above it, just read, with all that decides whether it is taken."""

    certificate: OwnCertificate
    organization: str  # O of its subject; empty: it has none
    is_consistent: bool  # each certificate is signed by the next
    ends_in: frozenset[str]  # fingerprints of the authorities, installed or in ca_file, it leads to
    weak: str = ""  # which key or signature in it is too weak (see ``weakness``), in words


@dataclass(frozen=True, slots=True)
class KeptCertificate:
    """One that was taken. ``worked_at``: when a central system let the box in with it first."""

    certificate: OwnCertificate
    worked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """The last request for a certificate.

    ``key``: of the pair whose certificate is waited for, however long its authority takes; empty:
    it has come, or no pair could be made. A pair that could not be made leaves the one before it
    waiting.
    """

    key: str
    asked_at: datetime
    problem: str = ""  # why it has brought none yet, in words


@dataclass(frozen=True, slots=True)
class OwnCertificates:
    """Those of this box, the last that was taken first, and what is asked for."""

    kept: tuple[KeptCertificate, ...] = ()  # at most two: the last, and one that has worked
    request: SigningRequest | None = None
    # Of this process only:
    has_file: bool = False  # the configuration file names one: it is shown, and no other
    file: Certificate | None = None  # that one; None: there is none, or it could not be read
    best: str = ""  # fingerprint of the one to show first, when that was looked at last
    is_asking: bool = False  # a key pair is being made
    refusal: str = ""  # why the central system did not accept the newest one, in words

    def __repr__(self) -> str:
        names = [one.certificate.fingerprint[:8] for one in self.kept]
        return f"OwnCertificates({names}, {self.request})"


NO_OWN_CERTIFICATES = OwnCertificates()

# --- what happens, and what is ordered -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SigningTriggered:
    """ExtendedTriggerMessage for SignChargePointCertificate; answered Accepted or Rejected."""

    request_id: str


@dataclass(frozen=True, slots=True)
class CertificateWanted:
    """That answer is out: ask for a certificate."""


@dataclass(frozen=True, slots=True)
class CertificateRequestMade:
    """A key pair and its request were made; None: they could not be, and ``problem`` says why."""

    request: CertificateRequest | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CertificateRequestAnswered:
    """What became of SignCertificate; an empty ``problem``: Accepted."""

    key: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ChainSigned:
    """CertificateSigned.req; answered Accepted or Rejected."""

    request_id: str
    found: InspectedChain | None  # None: it cannot be read, and ``problem`` says why
    problem: str = ""


OwnCertificateEvent = (
    SigningTriggered
    | CertificateWanted
    | CertificateRequestMade
    | CertificateRequestAnswered
    | ChainSigned
)


@dataclass(frozen=True, slots=True)
class SaveOwnCertificates:
    """Row: keep these, and what is asked for."""

    own: OwnCertificates


@dataclass(frozen=True, slots=True)
class MakeCertificateRequest:
    """Make a key pair and a request with this subject; CertificateRequestMade follows.

    ``key``: of the pair to ask with once more, if it is there and of the right kind.
    """

    organization: str
    common_name: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class SendCertificateRequest:
    """SignCertificate.req, also while registration is pending.

    CertificateRequestAnswered follows, unless the link ends first.
    """

    request: CertificateRequest


# --- which one counts ----------------------------------------------------------------------------


def to_show(own: OwnCertificates, now: Instant) -> tuple[OwnCertificate, ...]:
    """Those to show the central system, one after the other until it lets the box in.

    White paper A02.FR.09: the newest by its begin. Only a trusted clock says that one is not in its
    time; where none is, the central system shall decide. None beside that of the file.
    """
    if own.has_file:
        return ()
    taken = (one.certificate for one in own.kept)
    certificates = tuple(sorted(taken, key=lambda c: c.not_before, reverse=True))
    return tuple(c for c in certificates if is_in_time(c, now)) or certificates


def is_in_time(certificate: Certificate, now: Instant) -> bool:
    """False where a trusted clock says that it has ended, or has not begun."""
    return not now.is_trusted or certificate.not_before <= now.utc <= certificate.not_after


def may_show(own: OwnCertificates, common_name: str, now: Instant) -> bool:
    """True with a certificate that a central system may be shown. The file's has any name."""
    if own.has_file:
        return own.file is not None and is_in_time(own.file, now)
    return any(
        one.certificate.common_name == common_name and is_in_time(one.certificate, now)
        for one in own.kept
    )


def unfit(found: InspectedChain, own: OwnCertificates, common_name: str, now: Instant) -> str:
    """Why a chain is not that of this box, in words; empty: it is.

    Its begin may lie a year ahead: it is shown from then on (white paper, A02.FR.08).
    """
    certificate = found.certificate
    keys = {one.certificate.key for one in own.kept}
    if own.request is not None:
        keys.add(own.request.key)
    if certificate.key not in keys:
        return "it is for another key than the one that this box has asked with"
    if not found.is_consistent:
        return "each certificate must be signed by the next one: these are not"
    if now.is_trusted and now.utc > certificate.not_after:
        return f"it has expired on {certificate.not_after.date()}"
    if now.is_trusted and certificate.not_before - now.utc > _AHEAD_MAX:
        begin = certificate.not_before.date()
        return f"it begins only on {begin}, more than {_AHEAD_MAX.days} days ahead"
    if certificate.common_name != common_name:
        name = certificate.common_name or "(none)"
        return f"its name (CN) is {name}, and not {common_name}"
    return found.weak


def with_certificate(own: OwnCertificates, certificate: OwnCertificate) -> OwnCertificates:
    """What is known when this one was taken: its request is answered."""
    request = own.request
    if request is not None and request.key == certificate.key:
        own = replace(own, request=replace(request, key="", problem=""))
    if any(one.certificate == certificate for one in own.kept):
        return own
    worked = [one for one in own.kept if one.worked_at is not None]
    kept = [KeptCertificate(certificate), *worked[:1]]
    return replace(own, kept=tuple(kept))


def has_worked(own: OwnCertificates, fingerprint: str, now: Instant) -> OwnCertificates:
    """What is known when a central system has let the box in with this one."""
    kept = tuple(
        replace(one, worked_at=now.utc)
        if one.certificate.fingerprint == fingerprint and one.worked_at is None
        else one
        for one in own.kept
    )
    return replace(own, kept=kept)


def with_true_times(
    own: OwnCertificates, since: datetime, until: datetime, shift: timedelta
) -> OwnCertificates:
    """What is known when what a clock noted between these two turns out to be wrong by ``shift``.

    No other clock noted anything between them: it is the time that this boot believed in.
    """

    def true(noted: datetime) -> datetime:
        return noted + shift if since <= noted <= until else noted

    kept = tuple(
        one if one.worked_at is None else replace(one, worked_at=true(one.worked_at))
        for one in own.kept
    )
    request = own.request
    if request is not None:
        request = replace(request, asked_at=true(request.asked_at))
    return replace(own, kept=kept, request=request)


def old_goes_at(own: OwnCertificates) -> datetime | None:
    """When the one before has ended, or its successor has worked for a month; None: not yet."""
    if len(own.kept) < 2:
        return None
    last, before = own.kept
    ends_at = before.certificate.not_after
    return ends_at if last.worked_at is None else min(ends_at, last.worked_at + _FALLBACK)


def next_to_end(own: OwnCertificates) -> Certificate | None:
    """The one at whose end a new one must be there; None: none, or that of the file is unreadable.

    It is the last that was taken, or the one before where that ends before the last begins.
    """
    if own.has_file or not own.kept:
        return own.file
    last, *before = (one.certificate for one in own.kept)
    return next((c for c in before if last.not_before - c.not_after > _TICK), last)


def key_to_ask_with(own: OwnCertificates) -> str:
    """Of the pair that still waits for its certificate, and was not refused; empty: of none.

    An authority may take days: it has the first of the requests before it, and not the last.
    """
    request = own.request
    return "" if request is None or request.problem else request.key


def renewal_at(own: OwnCertificates) -> datetime | None:
    """When a new one is to be asked for (A03), at most once a day; None: never.

    Not while the one of the configuration file is shown: that is the installer's.
    """
    certificate = next_to_end(own)
    if own.has_file or certificate is None:
        return None
    due = certificate.warned_of_from
    return due if own.request is None else max(due, own.request.asked_at + _ASKS_AGAIN)
