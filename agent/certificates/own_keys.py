"""Key pairs of this box, made here, and the files that TLS wants: key and certificate.

OCPP 1.6 security white paper, A02. ``<key>.key`` and ``<fingerprint>.pem`` lie in a folder that
only the agent may open; which of them count stands in the database. Call it on a worker thread: an
RSA key takes seconds, and every file waits for the medium.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agent.certificates import reading
from agent.core.own_certificates import CertificateRequest, KeyKind, OwnCertificate
from agent.platform.errors import OwnCertificateError
from agent.platform.file_problems import in_words
from agent.platform.whole_file import write_whole

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509 import KeyUsage

    PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_NAME_BYTES_MAX = 64  # RFC 5280, ub-organization-name and ub-common-name
_OURS = re.compile(r"\.?[0-9a-f]{64}\.(key|pem)(\.[0-9]+)?")  # the number: half-written
_RSA_BITS = 3072
_RSA_TIMEOUT_S = 300.0  # a small board needs up to a minute


def make_request(
    folder: Path, kind: KeyKind, organization: str, common_name: str, key: str = ""
) -> CertificateRequest:
    """A key pair, kept in the folder, and the request to sign it. Raises OwnCertificateError.

    ``organization`` and ``common_name``: O and CN of the subject, 1 to 64 bytes each. ``key`` names
    the pair; a new one is made where none is named, and where it is gone or of another kind.
    """
    if problem := reading.library_problem():
        raise OwnCertificateError(problem)
    names = (_checked("the organization", organization), _checked("the common name", common_name))
    pair = _pair_of(folder / f"{key}.key", kind) if key else None
    if pair is None:
        pair = _new_rsa() if kind is KeyKind.RSA_3072 else _new_ec()
    request = CertificateRequest(reading.key_name(pair.public_key()), _signed_request(pair, *names))
    _keep(folder / f"{request.key}.key", _form(pair))
    return request


def keep_chain(folder: Path, certificate: OwnCertificate) -> tuple[str, str]:
    """The file of a certificate with those above it, and its key's: their names.

    It is written if it is not there yet. Raises OwnCertificateError.
    """
    _keep(folder / f"{certificate.fingerprint}.pem", certificate.pem.encode())
    return file_names(folder, certificate)


def file_names(folder: Path, certificate: OwnCertificate) -> tuple[str, str]:
    """The names of the file of a certificate and of its key's, whether they are there or not."""
    names = (f"{certificate.fingerprint}.pem", f"{certificate.key}.key")
    return str(folder / names[0]), str(folder / names[1])


def forget_all_but(folder: Path, names: Collection[str]) -> None:
    """Remove the files of all other keys and certificates than these, half-written ones too.

    ``names``: keys and fingerprints. What cannot be removed stays until the next time; what is not
    called as files are here is somebody else's.
    """
    kept = {f"{name}{suffix}" for name in names for suffix in (".key", ".pem")}
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if _OURS.fullmatch(path.name) and path.name not in kept:
                with suppress(OSError):
                    path.unlink()


def _checked(what: str, name: str) -> str:
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        raise OwnCertificateError(f"{what} is no text that a certificate can hold") from None
    if not 1 <= length <= _NAME_BYTES_MAX:
        raise OwnCertificateError(
            f"{what} in a certificate has 1 to {_NAME_BYTES_MAX} bytes; {length} are given"
        )
    return name


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _keep(path: Path, content: bytes) -> None:
    if _holds(path, content):
        return
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(path, content)
    except OSError as problem:
        raise OwnCertificateError(in_words(problem, "keep", path)) from None


# --- keys and requests ---------------------------------------------------------------------------


def _pair_of(path: Path, kind: KeyKind) -> PrivateKey | None:
    """What a file holds, if that is of this kind."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        pair = load_pem_private_key(path.read_bytes(), None, unsafe_skip_rsa_key_validation=True)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    wanted = rsa.RSAPrivateKey if kind is KeyKind.RSA_3072 else ec.EllipticCurvePrivateKey
    return pair if isinstance(pair, wanted) else None


def _new_ec() -> ec.EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _new_rsa() -> rsa.RSAPrivateKey:
    """Made in a process of its own: cryptography 46 and older lets no thread run meanwhile.

    The supervision of contactors is one of them.
    """
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    command = (sys.executable, "-m", __name__)
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=_RSA_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError) as problem:
        kind = type(problem).__name__
        raise OwnCertificateError(f"no RSA key could be made ({kind})") from None
    # Its numbers are not tried again, which takes as long as a tenth of making them.
    key = load_pem_private_key(done.stdout, None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, rsa.RSAPrivateKey), "the process makes no other"
    return key


def _signed_request(key: PrivateKey, organization: str, common_name: str) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    subject = [
        x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization),
        x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name),
    ]
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name(subject))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(key), critical=True)
        .sign(key, SHA256())
    )
    return request.public_bytes(Encoding.PEM).decode()


def _usage(key: PrivateKey) -> KeyUsage:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509 import KeyUsage

    is_rsa = isinstance(key, rsa.RSAPrivateKey)
    return KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=is_rsa,
        data_encipherment=False,
        key_agreement=not is_rsa,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _form(key: PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _print_rsa() -> None:
    """That process: a new key on its output."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    sys.stdout.buffer.write(_form(rsa.generate_private_key(65537, _RSA_BITS)))


if __name__ == "__main__":
    _print_rsa()
