"""A root certificate in PEM form, read: what it says, what OCPP calls it, who has signed it."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from agent.certificates import reading
from agent.core.certificates import Certificate, InspectedRoot, RootCertificate
from agent.platform.edited_files import read_certificates
from agent.platform.errors import CertificateUnusable, EditedFileError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Loaded

_CONTEXT = 0xA0  # of DER: a field with the number 0, as the version has it
_PARTS_BEFORE_ISSUER = 2  # serial number, algorithm of the signature


def inspect(
    text: str, installed: Sequence[RootCertificate] = (), ca_file: str = ""
) -> InspectedRoot:
    """Read the one certificate in this text. Raises CertificateUnusable with a sentence.

    ``installed`` and those of ``ca_file`` are asked whether they have signed it. Nothing is said of
    its dates or its strength: see ``agent.core.certificates.unfit``.
    """
    certificate = reading.loaded(_only(reading.ders(text)))
    signers = reading.readable("".join(known.pem for known in installed))
    signed_by = [name for name, by in signers.items() if reading.is_signed(certificate, by)]
    of_file = reading.of_file(ca_file).values()
    key, key_bits = reading.key_of(certificate)
    return InspectedRoot(
        certificate=_root(certificate, signers[signed_by[0]] if signed_by else certificate),
        key=key,
        key_bits=key_bits,
        signature_hash=reading.signature_hash(certificate),
        says_no_authority=reading.says_no_authority(certificate),
        speaks_against_signing=_speaks_against_signing(certificate),
        signed_by=frozenset(signed_by),
        is_signed_by_file=not ca_file or any(reading.is_signed(certificate, by) for by in of_file),
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
        first = reading.loaded(reading.ders(read_certificates(path))[0])
    except (EditedFileError, CertificateUnusable):
        return None
    return _root(first, first)


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


def _only(ders: list[bytes]) -> bytes:
    if len(ders) > 1:
        raise CertificateUnusable(f"{len(ders)} certificates are in it: one is wanted")
    return ders[0]


def _root(certificate: Loaded, issuer: Loaded) -> RootCertificate:
    """``issuer``: itself where that is unknown."""
    issuer_name, _own_key = _fields(certificate)
    _its_own_issuer, issuer_key = _fields(issuer)
    not_before, not_after = reading.begin_and_end(certificate)
    return RootCertificate(
        fingerprint=reading.fingerprint(certificate),
        subject=reading.subject(certificate),
        not_before=not_before,
        not_after=not_after,
        pem=ssl.DER_cert_to_PEM_cert(reading.der_of(certificate)),
        serial=f"{certificate.serial_number:x}",
        issuer_name=issuer_name,
        issuer_key=issuer_key,
    )


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


# --- as it stands in DER -------------------------------------------------------------------------


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
