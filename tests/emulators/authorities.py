"""Certificates of every kind that central systems are seen to have, made without a command."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | dsa.DSAPrivateKey

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
END = datetime(2049, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    """A certificate, its key, and who signed it."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> str:
        return ssl.DER_cert_to_PEM_cert(self.der)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def signs(
        self,
        name: str,
        *,
        serial: int = 1,
        is_authority: bool | None = True,
        end: datetime = END,
    ) -> Made:
        """Another one, for this name: see ``made``."""
        return made(name, signer=self, serial=serial, is_authority=is_authority, end=end)

    def answers(
        self,
        csr: str,
        *,
        name: str | None = None,
        begin: datetime = BEGIN,
        end: datetime = END,
        key: Key | None = None,
        serial: int = 1,
        extensions: Sequence[x509.ExtensionType] = (),
    ) -> str:
        """The certificate that a request asks for, with one thing or another changed; "": no CN."""
        request = x509.load_pem_x509_csr(csr.encode())
        subject = request.subject
        if name is not None:
            names = [x509.NameAttribute(x509.NameOID.COMMON_NAME, name)] if name else []
            subject = x509.Name(names)
        public = request.public_key() if key is None else key.public_key()
        issuer = self.certificate.subject
        builder = x509.CertificateBuilder(issuer, subject, public, serial, begin, end)
        return _signed(builder, self.key, extensions).public_bytes(Encoding.PEM).decode()

    def version_1(self) -> Made:
        """The same without version and extensions, signed by itself: a home-made root."""
        assert isinstance(self.key, ec.EllipticCurvePrivateKey)
        parts = [part for part in elements(self.certificate.tbs_certificate_bytes)]
        tbs = element(0x30, b"".join(part for part in parts if part[0] not in (0xA0, 0xA3)))
        signature = self.key.sign(tbs, ec.ECDSA(hashes.SHA256()))
        algorithm = elements(self.der)[1]
        whole = element(0x30, tbs + algorithm + element(0x03, b"\0" + signature))
        return Made(x509.load_der_x509_certificate(whole), self.key)

    def is_shown_by(self, server: ssl.SSLContext, folder: Path, *chain: Made) -> None:
        """From the next handshake on the server shows this one; the chain goes along with it."""
        path = folder / "shown.pem"
        path.write_text(self.key_pem() + self.pem + "".join(other.pem for other in chain))
        server.load_cert_chain(path)

    def key_pem(self, passphrase: str = "") -> str:
        """Its private key, encrypted if there is a passphrase."""
        how = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode()


def a_key() -> ec.EllipticCurvePrivateKey:
    """A key that is made quickly."""
    return ec.generate_private_key(ec.SECP256R1())


def made(
    name: str,
    *,
    signer: Made | None = None,
    subject: x509.Name | None = None,
    key: Key | None = None,
    begin: datetime = BEGIN,
    end: datetime = END,
    serial: int = 1,
    is_authority: bool | None = True,
    extensions: Sequence[x509.ExtensionType] = (),
) -> Made:
    """A certificate with this common name; signed by itself without a signer.

    ``is_authority`` None: it says nothing of it. A simple authority numbers all of them 1. With
    ``subject`` the name is in its extension only.
    """
    own = key or a_key()
    if subject is None:
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer = subject if signer is None else signer.certificate.subject
    builder = x509.CertificateBuilder(
        issuer, subject, own.public_key(), serial, begin, end
    ).add_extension(x509.SubjectAlternativeName([_alternative(name)]), False)
    if is_authority is not None:
        builder = builder.add_extension(x509.BasicConstraints(is_authority, None), True)
    return Made(_signed(builder, own if signer is None else signer.key, extensions), own)


def revoking(signer: Made, *serials: int) -> str:
    """The list (PEM) of the certificates that this authority has revoked."""
    builder = x509.CertificateRevocationListBuilder(signer.certificate.subject, BEGIN, END)
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder(serial, BEGIN).build()
        builder = builder.add_revoked_certificate(revoked)
    return builder.sign(signer.key, _hashed(signer.key)).public_bytes(Encoding.PEM).decode()


def _signed(
    builder: x509.CertificateBuilder, key: Key, extensions: Sequence[x509.ExtensionType]
) -> x509.Certificate:
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, _hashed(key))


def _hashed(key: Key) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name.replace(" ", "-"))


def element(tag: int, content: bytes) -> bytes:
    """An element of DER."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def elements(der: bytes) -> list[bytes]:
    """The elements inside one."""
    found, rest = [], der[_head(der) :]
    while rest:
        whole = _head(rest) + _length(rest)
        found.append(rest[:whole])
        rest = rest[whole:]
    return found


def _head(der: bytes) -> int:
    return 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)


def _length(der: bytes) -> int:
    return der[1] if der[1] < 0x80 else int.from_bytes(der[2 : _head(der)], "big")
