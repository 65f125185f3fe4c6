"""A root certificate in PEM form, read: what it says, what OCPP calls it, who has signed it."""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from agent.core.certificates import Certificate, InspectedRoot, RootCertificate
from agent.core.visible import visible
from agent.platform.edited_files import read_certificates
from agent.platform.errors import CertificateUnusable, EditedFileError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Loaded

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_SUBJECT_MAX = 100
_CONTEXT = 0xA0  # of DER: a field with the number 0, as the version has it
_PARTS_BEFORE_ISSUER = 2  # serial number, algorithm of the signature


def inspect(
    text: str, installed: Sequence[RootCertificate] = (), ca_file: str = ""
) -> InspectedRoot:
    """Read the one certificate in this text. Raises CertificateUnusable with a sentence.

    ``installed`` and those of ``ca_file`` are asked whether they have signed it. Nothing is said of
    its dates or its strength: see ``agent.core.certificates.unfit``.
    """
    certificate = _loaded(_only(_ders(text)))
    signers = {known.fingerprint: known.pem for known in installed}
    signed_by = [name for name, pem in signers.items() if _is_signed(certificate, pem)]
    issuer_pem = signers[signed_by[0]] if signed_by else ""
    key, key_bits = _key(certificate)
    return InspectedRoot(
        certificate=_root(certificate, issuer_pem),
        key=key,
        key_bits=key_bits,
        signature_hash=_signature_hash(certificate),
        says_no_authority=_says_no_authority(certificate),
        speaks_against_signing=_speaks_against_signing(certificate),
        signed_by=frozenset(signed_by),
        is_signed_by_file=not ca_file or _is_signed_by_file(certificate, ca_file),
    )


def inspected(
    text: str, known: Sequence[RootCertificate], ca_file: str = ""
) -> tuple[InspectedRoot | None, str]:
    """What ``inspect`` finds, or why it cannot be read."""
    try:
        return inspect(text, known, ca_file), ""
    except CertificateUnusable as problem:
        return None, str(problem)


def first_certificate(path: str) -> Certificate | None:
    """The first certificate of a file; None where it cannot be read: others say why."""
    try:
        return _root(_loaded(_ders(read_certificates(path))[0]), "")
    except (EditedFileError, CertificateUnusable, IndexError):
        return None


def hash_data(certificate: RootCertificate, algorithm: str = "SHA256") -> dict[str, str]:
    """OCPP's CertificateHashData of it; ``algorithm``: SHA256, SHA384 or SHA512."""
    return {
        "hashAlgorithm": algorithm,
        "issuerNameHash": hashlib.new(algorithm, certificate.issuer_name).hexdigest(),
        "issuerKeyHash": hashlib.new(algorithm, certificate.issuer_key).hexdigest(),
        "serialNumber": certificate.serial,
    }


def is_meant(certificate: RootCertificate, asked: Mapping[str, str]) -> bool:
    """True when this hash data, in whatever case, is that of the certificate."""
    mine = hash_data(certificate, asked["hashAlgorithm"])
    names = ("issuerNameHash", "issuerKeyHash")
    is_same_issuer = all(mine[name] == asked[name].lower() for name in names)
    return is_same_issuer and mine["serialNumber"] == (
        asked["serialNumber"].lower().lstrip("0") or "0"
    )


# --- reading -------------------------------------------------------------------------------------


def _ders(text: str) -> list[bytes]:
    try:
        return [
            base64.b64decode("".join(body.split()), validate=True) for body in _PEM.findall(text)
        ]
    except ValueError:
        raise CertificateUnusable("it is not a certificate in PEM form (base64)") from None


def _only(ders: list[bytes]) -> bytes:
    if not ders:
        raise CertificateUnusable("it is not a certificate in PEM form")
    if len(ders) > 1:
        raise CertificateUnusable(f"{len(ders)} certificates are in it: one is wanted")
    return ders[0]


def _loaded(der: bytes) -> Loaded:
    """What both libraries can read: one of them makes the TLS connections."""
    try:
        from cryptography import x509

        _ = x509.Certificate.not_valid_before_utc
    except (ImportError, AttributeError):
        raise CertificateUnusable(
            "this box lacks the library for certificates, cryptography 42 or newer"
        ) from None
    try:
        certificate = x509.load_der_x509_certificate(der)
        for read in (_key, _signature_hash, _says_no_authority, _subject):
            read(certificate)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
    except _problems() as problem:
        kind = type(problem).__name__
        raise CertificateUnusable(f"it cannot be read as a certificate ({kind})") from None
    return certificate


def _problems() -> tuple[type[Exception], ...]:
    """What reading a certificate that somebody else has made may raise."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.x509 import DuplicateExtension, InvalidVersion

    own = (InvalidSignature, UnsupportedAlgorithm, DuplicateExtension, InvalidVersion)
    return (*own, ValueError, TypeError, ssl.SSLError)


def _root(certificate: Loaded, issuer_pem: str) -> RootCertificate:
    """``issuer_pem``: empty where its issuer is unknown, or it is its own."""
    der = _der(certificate)
    issuer, *_ = _fields(certificate)
    *_, issuer_key = _fields(_loaded(*_ders(issuer_pem)) if issuer_pem else certificate)
    return RootCertificate(
        fingerprint=hashlib.sha256(der).hexdigest(),
        subject=visible(_subject(certificate))[:_SUBJECT_MAX],
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        pem=ssl.DER_cert_to_PEM_cert(der),
        serial=f"{certificate.serial_number:x}",
        issuer_name=issuer,
        issuer_key=issuer_key,
    )


def _subject(certificate: Loaded) -> str:
    return certificate.subject.rfc4514_string() or "(no name)"


def _key(certificate: Loaded) -> tuple[str, int]:
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


def _signature_hash(certificate: Loaded) -> str:
    algorithm = certificate.signature_hash_algorithm
    return "" if algorithm is None else algorithm.name


def _says_no_authority(certificate: Loaded) -> bool:
    from cryptography.x509 import BasicConstraints, ExtensionNotFound

    try:
        return not certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
    except ExtensionNotFound:
        return False


def _speaks_against_signing(certificate: Loaded) -> str:
    from cryptography.x509 import ExtendedKeyUsage, KeyUsage
    from cryptography.x509.oid import ExtendedKeyUsageOID

    good = {ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    for extension in certificate.extensions:
        match extension.value:
            case KeyUsage(digital_signature=False):
                return "keyUsage"
            case ExtendedKeyUsage() as uses if good.isdisjoint(uses):
                return "extendedKeyUsage"
    return ""


# --- who has signed it ---------------------------------------------------------------------------


def _is_signed(certificate: Loaded, issuer_pem: str) -> bool:
    try:
        certificate.verify_directly_issued_by(_loaded(*_ders(issuer_pem)))
    except CertificateUnusable:
        return False
    except _problems():
        return False
    return True


def _is_signed_by_file(certificate: Loaded, ca_file: str) -> bool:
    try:
        ders = _ders(read_certificates(ca_file))
    except (EditedFileError, CertificateUnusable):
        return False
    pems = map(ssl.DER_cert_to_PEM_cert, ders)
    return any(_is_signed(certificate, pem) for pem in pems)


# --- as it stands in DER -------------------------------------------------------------------------


def _der(certificate: Loaded) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)


def _fields(certificate: Loaded) -> tuple[bytes, bytes]:
    """Its issuer, and the content of its public key's bit string: as they stand in it.

    RFC 5280, 4.1: version, serialNumber, signature, issuer, validity, subject, publicKeyInfo.
    """
    parts = list(_parts(certificate.tbs_certificate_bytes))
    if parts[0][0] == _CONTEXT:
        parts.pop(0)
    issuer, _validity, _subject, key_info = parts[_PARTS_BEFORE_ISSUER : _PARTS_BEFORE_ISSUER + 4]
    _algorithm, bit_string = _parts(key_info)
    return issuer, _content(bit_string)[1:]  # without the number of unused bits


def _parts(der: bytes) -> Iterator[bytes]:
    """The elements inside an element, each whole. It has been parsed by a library before."""
    content = _content(der)
    while content:
        begin, length = _header(content)
        yield content[: begin + length]
        content = content[begin + length :]


def _content(der: bytes) -> bytes:
    begin, length = _header(der)
    return der[begin : begin + length]


def _header(der: bytes) -> tuple[int, int]:
    """Where the content begins, and its length (X.690, 8.1.3)."""
    if der[1] < 0x80:
        return 2, der[1]
    count = der[1] & 0x7F
    return 2 + count, int.from_bytes(der[2 : 2 + count], "big")
