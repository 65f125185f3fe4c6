"""Root certificates that the central system installs: which are taken, and which count.

OCPP 1.6 security white paper, M03 to M05. What stands in the configuration file is the installer's:
nobody lists or deletes it over OCPP.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.core.key_enum import KeyEnum
from agent.core.values import Instant

INSTALLED_MAX = 10  # of both uses together; a handshake may try each of them alone
_SOON = timedelta(days=30)
_SOON_SHARE = 10  # of a short life: its tenth part
_BITS_MIN = {"RSA": 2048, "DSA": 2048, "EC": 224}
_BROKEN_HASHES = ("md5", "sha1")
_SIGNING_KEYS = ("RSA", "EC", "Ed25519PublicKey")


class RootUse(KeyEnum):
    """What a root certificate is for (OCPP's certificateType)."""

    CENTRAL_SYSTEM = "CentralSystemRootCertificate"
    MANUFACTURER = "ManufacturerRootCertificate"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is watched of a certificate. ``fingerprint``: SHA-256 of its DER form, hex digits."""

    fingerprint: str
    subject: str
    not_before: datetime
    not_after: datetime

    @property
    def warned_of_from(self) -> datetime:
        """30 days before its end; in the last tenth of a life that is shorter than 300 days."""
        return self.not_after - min(_SOON, (self.not_after - self.not_before) / _SOON_SHARE)


@dataclass(frozen=True, slots=True)
class RootCertificate(Certificate):
    """A certificate with its text, and what OCPP's CertificateHashData is made of."""

    pem: str
    serial: str  # hex digits, lower case, no leading zeros
    issuer_name: bytes  # DER
    issuer_key: bytes  # what is in the bit string of its subjectPublicKey


@dataclass(frozen=True, slots=True)
class InspectedRoot:
    """A certificate that has just been read, with all that decides whether it may be a root."""

    certificate: RootCertificate
    key: str  # RSA, DSA, EC, or another name
    key_bits: int
    signature_hash: str  # md5, sha1, sha256 ...; empty: its signature needs none
    says_no_authority: bool = False  # version 3, basicConstraints CA:FALSE
    speaks_against_signing: str = ""  # the extension that does not let it sign firmware
    signed_by: frozenset[str] = frozenset()  # fingerprints of the installed ones that signed it
    is_signed_by_file: bool = False  # by one in central_system.ca_file, or that names none


@dataclass(frozen=True, slots=True)
class InstalledRoot:
    """A root certificate that was installed over OCPP."""

    use: RootUse
    certificate: RootCertificate
    has_worked: bool = False  # a central system was reached with it
    is_fallback: bool = False  # AdditionalRootCertificateCheck: the one before the present one


@dataclass(frozen=True, slots=True)
class SaveRoot:
    """Row: keep this root certificate, in place of the same one of the same use."""

    root: InstalledRoot


@dataclass(frozen=True, slots=True)
class RemoveRoot:
    """Row: forget this root certificate."""

    root: InstalledRoot


@dataclass(frozen=True, slots=True)
class Certificates:
    """Those installed, oldest first, and those that the last TLS connection was verified by."""

    installed: tuple[InstalledRoot, ...] = ()
    chain: tuple[Certificate, ...] = ()  # the server's own first; of this process only

    def of(self, use: RootUse) -> tuple[InstalledRoot, ...]:
        """Those of one use."""
        return tuple(root for root in self.installed if root.use is use)

    @property
    def in_use(self) -> InstalledRoot | None:
        """The installed one that the last connection was verified by: the nearest to the server."""
        roots = {root.certificate.fingerprint: root for root in self.of(RootUse.CENTRAL_SYSTEM)}
        return next((roots[c.fingerprint] for c in self.chain if c.fingerprint in roots), None)


NO_CERTIFICATES = Certificates()


@dataclass(frozen=True, slots=True)
class TrustedRoots:
    """What a TLS connection trusts: these, and with ``with_file`` what the installer trusts."""

    pem: str = ""
    with_file: bool = True


def trusted_roots(known: Certificates, only_installed: bool) -> tuple[TrustedRoots, ...]:
    """What to trust: all together; where that is refused, each alone.

    Alone, because of two authorities of the same name OpenSSL tries one: a new one could hide the
    one that works. With ``only_installed`` the file counts until an installed one has worked.
    """
    roots = known.of(RootUse.CENTRAL_SYSTEM)
    with_file = not only_installed or not any(root.has_worked for root in roots)
    together = TrustedRoots("".join(root.certificate.pem for root in roots), with_file)
    alone = [TrustedRoots()] if with_file else []
    alone += [TrustedRoots(root.certificate.pem, with_file=False) for root in roots]
    return (together, *alone) if len(alone) > 1 else (together,)


def unfit(found: InspectedRoot, now: Instant) -> str:
    """Why a certificate cannot be a root, in words; empty: it can.

    No basicConstraints are demanded: roots of X.509 version 1 have none, and central systems
    install a server's own certificate.
    """
    if found.says_no_authority:
        return "it says that it is no authority (CA:FALSE)"
    return _too_weak_or_not_in_time(found, now)


def unfit_to_sign(found: InspectedRoot, known: Certificates, now: Instant) -> str:
    """Why nothing that this certificate has signed may be installed, in words; empty: it may.

    White paper, section 8: without intermediates it is signed by a root of the manufacturer. It
    may be such a root, and what that says of its use does not count then.
    """
    roots = {root.certificate.fingerprint for root in known.of(RootUse.MANUFACTURER)}
    is_root = found.certificate.fingerprint in roots
    if not is_root and roots.isdisjoint(found.signed_by):
        return f"no installed {RootUse.MANUFACTURER.value} has signed it"
    if found.key not in _SIGNING_KEYS:
        return f"its key ({found.key}) is neither RSA nor EC nor Ed25519"
    if found.speaks_against_signing and not is_root:
        return f"it is for another use ({found.speaks_against_signing})"
    return _too_weak_or_not_in_time(found, now)


def _too_weak_or_not_in_time(found: InspectedRoot, now: Instant) -> str:
    certificate = found.certificate
    if now.is_trusted and now.utc > certificate.not_after:
        return f"it has expired on {certificate.not_after.date()}"
    if now.is_trusted and now.utc < certificate.not_before:
        return f"it is not valid before {certificate.not_before.date()}"
    return weakness(found.key, found.key_bits, found.signature_hash)


def weakness(key: str, key_bits: int, signature_hash: str) -> str:
    """Why nobody should rely on a key and a signature like these, in words; empty: they are good.

    The values are those of ``InspectedRoot``.
    """
    if key_bits < _BITS_MIN.get(key, 0):
        return f"its key of {key_bits} bits is too weak ({key})"
    if signature_hash in _BROKEN_HASHES:
        return f"it is signed with {signature_hash.upper()}, which is broken"
    return ""
