"""A manufacturer that signs firmware: keys, certificates and signatures of every kind.

Made with the ``cryptography`` package. What OpenSSL's own command makes is in the tests beside.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from tests.emulators.authorities import Made, made

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_SHA256 = hashes.SHA256()


@cache
def key_of(kind: str) -> Any:
    """A key: "rsa", "rsa weak", "ec", "ec weak", "ed25519", "ed448"; the same one each time."""
    match kind.split():
        case ["rsa"]:
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        case ["rsa", "weak"]:
            return rsa.generate_private_key(public_exponent=65537, key_size=1024)
        case ["ec", "weak"]:
            return ec.generate_private_key(ec.SECP192R1())
        case ["ed25519"]:
            return ed25519.Ed25519PrivateKey.generate()
        case ["ed448"]:
            from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey

            return Ed448PrivateKey.generate()
        case ["ec", *_]:
            # The same in every process: the simulated world must repeat itself.
            return ec.derive_private_key(sum(kind.encode()) + 10**9, ec.SECP256R1())
        case _:
            raise ValueError(kind)


@dataclass(frozen=True)
class Signer:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def signs(
        self,
        name: str,
        kind: str = "ec leaf",
        valid_from: datetime = NOON - timedelta(days=1),
        days: int = 10,
        *extensions: x509.ExtensionType,
    ) -> Signer:
        """Another certificate, for this name."""
        signer = Made(self.certificate, self.key)
        return _signer(name, kind, valid_from, days, extensions, signer)

    def sign(self, content: bytes, how: str = "") -> str:
        """The signature in base64, with line breaks; ``how``: see ``_RSA_WAYS``."""
        match self.key:
            case rsa.RSAPrivateKey():
                signature = self.key.sign(content, _RSA_WAYS[how or "v1.5"](), _SHA256)
            case ec.EllipticCurvePrivateKey():
                signature = self.key.sign(content, ec.ECDSA(_SHA256))
            case _:
                signature = self.key.sign(content)
        return base64.encodebytes(signature).decode()


def _pss(salt: Any) -> padding.AsymmetricPadding:
    return padding.PSS(padding.MGF1(_SHA256), salt)


_RSA_WAYS: dict[str, Callable[[], padding.AsymmetricPadding]] = {
    "v1.5": padding.PKCS1v15,
    "pss": lambda: _pss(padding.PSS.DIGEST_LENGTH),
    "pss without salt": lambda: _pss(0),
    "pss with much salt": lambda: _pss(padding.PSS.MAX_LENGTH),
}
RSA_WAYS = tuple(_RSA_WAYS)


def manufacturer(
    name: str = "Manufacturer", kind: str = "ec root", *extensions: x509.ExtensionType
) -> Signer:
    """A root of its own."""
    return _signer(name, kind, NOON - timedelta(days=1000), 20_000, extensions)


def _signer(
    name: str,
    kind: str,
    valid_from: datetime,
    days: int,
    extensions: tuple[x509.ExtensionType, ...],
    signer: Made | None = None,
) -> Signer:
    it = made(
        name,
        signer=signer,
        key=key_of(kind),
        begin=valid_from,
        end=valid_from + timedelta(days=days),
        is_authority=None,
        extensions=extensions,
    )
    return Signer(it.certificate, it.key)
