"""The contract of an ISO 15118 vehicle (Plug & Charge), as far as an authorization needs it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CertificateHash:
    """Names one certificate of a contract to the service that knows whether it is good (OCSP)."""

    algorithm: str  # SHA256, SHA384, SHA512
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str
    responder_url: str


@dataclass(frozen=True, slots=True)
class Contract:
    """What an ISO 15118 vehicle shows with its contract (Plug & Charge)."""

    hashes: tuple[CertificateHash, ...]
    certificate_chain: str = ""  # PEM; not empty: nobody in the station could check it
