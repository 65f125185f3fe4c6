"""Certificates in PEM form, read: what any use of them needs to know of one."""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agent.core.visible import visible
from agent.platform.edited_files import read_certificates
from agent.platform.errors import CertificateUnusable, EditedFileError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Loaded

_BEGIN = "-----BEGIN CERTIFICATE-----"
_PEM = re.compile(_BEGIN + r"([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_SUBJECT_MAX = 100


def ders(text: str) -> list[bytes]:
    """The certificates of a text, at least one. Raises CertificateUnusable with a sentence."""
    bodies = _PEM.findall(text)
    if not bodies:
        raise CertificateUnusable("it is not a certificate in PEM form")
    if len(bodies) < text.count(_BEGIN):
        raise CertificateUnusable("not every certificate in it is in PEM form")
    try:
        return [base64.b64decode("".join(body.split()), validate=True) for body in bodies]
    except ValueError:
        raise CertificateUnusable("it is not a certificate in PEM form (base64)") from None


def loaded(der: bytes) -> Loaded:
    """What both libraries can read: one of them makes the TLS connections.

    Raises CertificateUnusable with a sentence.
    """
    if problem := library_problem():
        raise CertificateUnusable(problem)
    from cryptography import x509

    try:
        certificate = x509.load_der_x509_certificate(der)
        for read in (key_of, signature_hash, says_no_authority, subject, begin_and_end):
            read(certificate)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
    except _problems() as problem:
        kind = type(problem).__name__
        raise CertificateUnusable(f"it cannot be read as a certificate ({kind})") from None
    return certificate


def library_problem() -> str:
    """Why this box can read no certificate; "" when it can."""
    try:
        from cryptography import x509

        _ = x509.Certificate.not_valid_before_utc
    except (ImportError, AttributeError):
        return "this box lacks the library for certificates, cryptography 42 or newer"
    return ""


def readable(text: str) -> dict[str, Loaded]:
    """Those certificates of a text that can be read, by fingerprint."""
    found = {}
    with suppress(CertificateUnusable):
        for der in ders(text):
            with suppress(CertificateUnusable):
                certificate = loaded(der)
                found[fingerprint(certificate)] = certificate
    return found


def of_file(ca_file: str) -> dict[str, Loaded]:
    """Those of the installer's file; none where it cannot be read, which others report."""
    try:
        return readable(read_certificates(ca_file)) if ca_file else {}
    except EditedFileError:
        return {}


def _problems() -> tuple[type[Exception], ...]:
    """What reading a certificate that somebody else has made may raise."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.x509 import DuplicateExtension, InvalidVersion

    own = (InvalidSignature, UnsupportedAlgorithm, DuplicateExtension, InvalidVersion)
    # KeyError: so cryptography 44 and older meets a name whose type it does not know.
    return (*own, ValueError, TypeError, KeyError, ssl.SSLError)


# --- what it says --------------------------------------------------------------------------------


def der_of(certificate: Loaded) -> bytes:
    """Its DER form."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)


def fingerprint(certificate: Loaded) -> str:
    """SHA-256 of its DER form, hex digits."""
    return hashlib.sha256(der_of(certificate)).hexdigest()


def subject(certificate: Loaded) -> str:
    """Its subject for a person to read."""
    return visible(certificate.subject.rfc4514_string() or "(no name)")[:_SUBJECT_MAX]


def begin_and_end(certificate: Loaded) -> tuple[datetime, datetime]:
    """The time in which it is valid."""
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def key_of(certificate: Loaded) -> tuple[str, int]:
    """Kind and bits of its key; no bits for a kind that comes in one size only."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    key = certificate.public_key()
    match key:
        case rsa.RSAPublicKey():
            return "RSA", key.key_size
        case ec.EllipticCurvePublicKey():
            return "EC", key.key_size
        case dsa.DSAPublicKey():
            return "DSA", key.key_size
        case _:
            return type(key).__name__, 0


def key_name(public_key: Any) -> str:
    """SHA-256 of a key's SubjectPublicKeyInfo in DER form, hex digits."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    form = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(form).hexdigest()


def signature_hash(certificate: Loaded) -> str:
    """The hash that its signature is over, as md5 or sha256; "" where it needs none."""
    algorithm = certificate.signature_hash_algorithm
    return "" if algorithm is None else algorithm.name


def says_no_authority(certificate: Loaded) -> bool:
    """True when it says CA:FALSE, not when it says nothing."""
    from cryptography.x509 import BasicConstraints, ExtensionNotFound

    try:
        return not certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
    except ExtensionNotFound:
        return False


def is_signed(certificate: Loaded, issuer: Loaded) -> bool:
    """True when the issuer has the name that the certificate gives, and its key made the signature.

    Whether the issuer may sign is not asked.
    """
    try:
        certificate.verify_directly_issued_by(issuer)
    except _problems():
        return False
    return True
