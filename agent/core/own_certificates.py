"""The certificate of this box for security profile 3: its values, and which one counts.

OCPP 1.6 security white paper, A02 and A03. The central system's authority signs it on request; the
private key is made here and never leaves the box.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.certificates import Certificate
from agent.core.key_enum import KeyEnum


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
