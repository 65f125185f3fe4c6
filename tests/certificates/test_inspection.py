"""A root certificate, read: what OpenSSL says of it, and what nobody can read."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from agent.certificates.inspection import hash_data, inspect, is_meant
from agent.core.certificates import unfit
from agent.core.values import Instant
from agent.platform.errors import CertificateUnusable
from tests.emulators.authorities import BEGIN, END, Made, made
from tests.emulators.certificates import openssl

NOW = Instant(0.0, BEGIN.replace(month=6))
ROOT = made("CPO Root")
RSA_ROOT = made("RSA Root", key=rsa.generate_private_key(65537, 2048), serial=0x037A93)
V1_ROOT = made("Old Root").version_1()
NO_WORD = made("no basicConstraints", is_authority=None)
ED_ROOT = made("Ed Root", key=ed25519.Ed25519PrivateKey.generate())
MIDDLE = ROOT.signs("Sub-CA", serial=2**159 - 1)
LEAF = MIDDLE.signs("cs.example", is_authority=False)

_SIGNED_WITH = bytes.fromhex("2a864886f70d0101")  # RSA; then the number of the hash


def signed_with(number: bytes) -> Made:
    """The RSA root as if it were signed with an old hash: no library makes such any more."""
    der = RSA_ROOT.der.replace(_SIGNED_WITH + b"\x0b", _SIGNED_WITH + number)
    return Made(x509.load_der_x509_certificate(der), RSA_ROOT.key)


def with_a_name_of_no_kind(it: Made) -> str:
    """Its names are of a type that DER has not for them, instead of text."""
    return ssl.DER_cert_to_PEM_cert(it.der.replace(b"\x0c\x08CPO Root", b"\x0d\x08CPO Root"))


def valid_from_the_year_0() -> str:
    """As a text: the library reads all of it but its begin."""
    later = made(
        "Root", begin=datetime(2060, 1, 1, tzinfo=UTC), end=datetime(2070, 1, 1, tzinfo=UTC)
    )
    return ssl.DER_cert_to_PEM_cert(later.der.replace(b"20600101", b"00000101"))


of_every_kind = pytest.mark.parametrize(
    ("it", "issuer"),
    [
        (ROOT, ROOT),
        (RSA_ROOT, RSA_ROOT),
        (V1_ROOT, V1_ROOT),
        (NO_WORD, NO_WORD),
        (ED_ROOT, ED_ROOT),
        (MIDDLE, ROOT),
        (LEAF, MIDDLE),
    ],
    ids=lambda it: it.certificate.subject.rfc4514_string(),
)


@of_every_kind
@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
def test_its_hash_data_is_what_openssl_asks_an_ocsp_responder_for(
    it: Made, issuer: Made, algorithm: str, tmp_path: Path
):
    for name, pem in (("it", it.pem), ("issuer", issuer.pem)):
        (tmp_path / name).write_text(pem)
    files = ("-issuer", "issuer", "-cert", "it")
    text = openssl(tmp_path, "ocsp", f"-{algorithm.lower()}", *files, "-req_text", "-no_nonce")
    text = text.replace("\\\n", "")  # it breaks long lines
    said = dict(re.findall(r"(Issuer Name Hash|Issuer Key Hash|Serial Number): ([0-9A-F]+)", text))

    found = inspect(it.pem, [inspect(issuer.pem).certificate]).certificate

    assert hash_data(found, algorithm) == {
        "hashAlgorithm": algorithm,
        "issuerNameHash": said["Issuer Name Hash"].lower(),
        "issuerKeyHash": said["Issuer Key Hash"].lower(),
        "serialNumber": said["Serial Number"].lower().lstrip("0"),
    }


def test_what_was_listed_is_meant_in_whatever_case_and_with_zeros_before_the_number():
    found = inspect(RSA_ROOT.pem).certificate
    asked = {name: value.upper() for name, value in hash_data(found).items()}
    assert asked["serialNumber"] == "37A93"
    assert is_meant(found, asked)
    assert is_meant(found, asked | {"serialNumber": "0037a93"})
    assert not is_meant(found, asked | {"serialNumber": "37a94"})
    assert not is_meant(found, asked | {"issuerKeyHash": "00"})


def test_certificates_with_the_same_number_are_told_apart():
    one, other = inspect(ROOT.pem).certificate, inspect(NO_WORD.pem).certificate
    assert one.serial == other.serial == "1"
    assert not is_meant(one, hash_data(other))


@of_every_kind
def test_who_has_signed_it_is_found_among_those_installed(it: Made, issuer: Made):
    installed = [inspect(one.pem).certificate for one in (issuer, RSA_ROOT, made("CPO Root"))]
    found = inspect(it.pem, installed)
    assert found.signed_by == {inspect(issuer.pem).certificate.fingerprint}


def test_the_file_of_the_installer_may_have_signed_it(tmp_path: Path):
    file = tmp_path / "ca.pem"
    file.write_text(RSA_ROOT.pem + ROOT.pem)
    assert inspect(MIDDLE.pem, ca_file=str(file)).is_signed_by_file
    assert not inspect(LEAF.pem, ca_file=str(file)).is_signed_by_file
    assert not inspect(MIDDLE.pem, ca_file=str(tmp_path / "none")).is_signed_by_file
    assert inspect(LEAF.pem).is_signed_by_file, "there is no file"


@of_every_kind
def test_what_it_says_of_itself_is_read(it: Made, issuer: Made):
    found = inspect(it.pem).certificate
    assert (found.not_before, found.not_after) == (BEGIN, END)
    assert found.subject.startswith("CN=")
    assert found.pem == it.pem
    assert openssl_fingerprint(it) == found.fingerprint


def openssl_fingerprint(it: Made) -> str:
    return it.certificate.fingerprint(hashes.SHA256()).hex()


@pytest.mark.parametrize(
    ("it", "words"),
    [
        (ROOT, ""),
        (RSA_ROOT, ""),
        (V1_ROOT, ""),
        (NO_WORD, ""),
        (ED_ROOT, ""),
        (MIDDLE, ""),
        (LEAF, "CA:FALSE"),
        (made("weak", key=rsa.generate_private_key(65537, 1024)), "1024 bits"),
        (made("weak", key=ec.generate_private_key(ec.SECP192R1())), "192 bits"),
        (made("weak", key=dsa.generate_private_key(1024)), "1024 bits"),
        (signed_with(b"\x05"), "SHA1"),
        (signed_with(b"\x04"), "MD5"),
    ],
    ids=lambda it: it if isinstance(it, str) else it.certificate.subject.rfc4514_string(),
)
def test_what_can_be_no_root_is_named(it: Made, words: str):
    problem = unfit(inspect(it.pem), NOW)
    assert words in problem
    assert bool(problem) == bool(words)


def test_the_text_around_it_is_not_kept():
    key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    found = inspect(f"my root\r\n{key}{ROOT.pem}".replace("\n", "\r\n")).certificate
    assert found.pem == ROOT.pem


def test_a_text_on_one_line_is_read():
    assert inspect(ROOT.pem.replace("\n", " ")).certificate.pem == ROOT.pem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a certificate in PEM form"),
        ("junk", "not a certificate in PEM form"),
        (ROOT.pem.replace("-----END", "-----AND"), "not a certificate in PEM form"),
        (ROOT.pem.replace("M", "?", 1), "not a certificate in PEM form"),
        ("-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----", "base64"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "cannot be read"),
        (ROOT.pem[:200] + "A" + ROOT.pem[200:], "certificate"),
        (with_a_name_of_no_kind(ROOT), "cannot be read"),
        (valid_from_the_year_0(), "cannot be read"),
        (ROOT.pem + MIDDLE.pem, "2 certificates"),
        (ROOT.pem.replace("M", "A" * 100_000 + "M", 1), "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, words: str):
    with pytest.raises(CertificateUnusable, match=words):
        inspect(text)


# The library will refuse them by itself one day.
@pytest.mark.filterwarnings("ignore:Parsed a")
@pytest.mark.parametrize("at", range(0, 420, 7))
def test_one_damaged_byte_never_raises_anything_else(at: int):
    der = bytearray(ROOT.der)
    der[at % len(der)] ^= 0xFF
    with suppress(CertificateUnusable):
        inspect(ssl.DER_cert_to_PEM_cert(bytes(der)))


def test_the_library_is_loaded_only_when_a_certificate_is_read():
    code = (
        "import sys, agent.app.daemon, agent.cli.main, agent.certificates.inspection as i\n"
        "assert not any(name.startswith('cryptography') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


def test_a_box_without_the_library_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(CertificateUnusable, match="lacks the library for certificates"):
        inspect(ROOT.pem)
