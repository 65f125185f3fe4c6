"""Whether a file of firmware is what was fetched, and what its signature says.

OCPP 1.6 security white paper, L01 and section 8. For a worker thread: the file is read whole.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from base64 import b64decode
from hashlib import file_digest
from pathlib import Path
from typing import Any

_NOT_ITS = 3  # exit status: the signature is not that of the file


def file_problem(file: Path, sha256: str, certificate: str = "", signature: str = "") -> str:
    """Why this is not the file that was fetched, or not what was signed; "" when it is.

    ``certificate`` (PEM) is of who has signed it, ``signature`` base64; both empty: nobody has.
    """
    try:
        with file.open("rb") as content:
            digest = file_digest(content, "sha256")
            found = digest.hexdigest()
            if found != sha256:
                problem = f"its SHA-256 is {found}, not {sha256}"
                return f"the file is not the one that was fetched: {problem}"
            if not os.fstat(content.fileno()).st_size:
                return "the file that was fetched is empty"
            if certificate:
                return _signature_problem(content.fileno(), digest.digest(), certificate, signature)
    except FileNotFoundError:
        return "the file that was fetched is not there any more"
    except OSError as mistake:
        return f"the file that was fetched cannot be read: {mistake.strerror}"
    return ""


def _signature_problem(descriptor: int, digest: bytes, certificate: str, text: str) -> str:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        signature = b64decode("".join(text.split()), validate=True)
    except ValueError:
        return "the signature is not base64"
    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    try:
        match key:
            case rsa.RSAPublicKey():
                _check_rsa(key, signature, digest)
            case ec.EllipticCurvePublicKey():
                key.verify(signature, digest, ec.ECDSA(_prehashed()))
            case ed25519.Ed25519PublicKey():
                _check_ed25519(key, signature, descriptor)
            case _:
                raise AssertionError("another key: it was looked at before the answer")
    except InvalidSignature:
        return "the signature is not that of the file"
    return ""


def _check_rsa(key: Any, signature: bytes, digest: bytes) -> None:
    """As the white paper says (PSS, whatever its salt), or as central systems do (PKCS #1 v1.5)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256

    pss = padding.PSS(padding.MGF1(SHA256()), padding.PSS.AUTO)
    try:
        key.verify(signature, digest, pss, _prehashed())
    except InvalidSignature:
        key.verify(signature, digest, padding.PKCS1v15(), _prehashed())


def _check_ed25519(key: Any, signature: bytes, descriptor: int) -> None:
    """It takes no hash, only the whole, and cryptography (46 and older) lets no thread run then.

    So it has a process of its own: seconds without supervision of the contactors are too long.
    """
    from cryptography.exceptions import InvalidSignature

    command = (sys.executable, "-m", __name__, key.public_bytes_raw().hex(), signature.hex())
    done = subprocess.run(command, stdin=descriptor, check=False)
    if done.returncode == _NOT_ITS:
        raise InvalidSignature
    done.check_returncode()


def _prehashed() -> Any:
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    from cryptography.hazmat.primitives.hashes import SHA256

    return Prehashed(SHA256())


def _verify_input(key: bytes, signature: bytes) -> None:
    """That process: its input is the file. Mapped, the kernel can drop what has been read."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    mapped = mmap.mmap(sys.stdin.fileno(), 0, access=mmap.ACCESS_READ)
    with mapped, memoryview(mapped) as content:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
        except InvalidSignature:
            sys.exit(_NOT_ITS)


if __name__ == "__main__":
    _verify_input(*map(bytes.fromhex, sys.argv[1:]))
