"""Which certificates may sign firmware, and which files are what their signature says."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from agent.certificates.firmware_signature import file_problem
from agent.certificates.inspection import inspected
from agent.core.certificates import Certificates, InstalledRoot, RootUse, unfit_to_sign
from agent.core.values import Instant
from tests.emulators.certificates import openssl
from tests.emulators.signers import NOON, RSA_WAYS, Signer, manufacturer

CONTENT = bytes(range(256)) * 5000
ROOT = manufacturer()
LEAF = ROOT.signs("Firmware")
OTHERS = manufacturer("Another", "ec another")


def problem(text: str, *roots: Signer, is_trusted: bool = True) -> str:
    """Why nothing that this certificate has signed may be installed, where these are the roots."""
    read = [inspected(root.pem, [])[0] for root in roots]
    known = [found.certificate for found in read if found is not None]
    installed = tuple(InstalledRoot(RootUse.MANUFACTURER, certificate) for certificate in known)
    found, why = inspected(text, known)
    if found is None:
        return why
    return unfit_to_sign(found, Certificates(installed), Instant(0.0, NOON, is_trusted))


# --- certificates --------------------------------------------------------------------------------


@pytest.mark.parametrize("root_kind", ["rsa", "ec root", "ed25519"])
@pytest.mark.parametrize("kind", ["rsa", "ec leaf", "ed25519"])
def test_who_was_signed_by_an_installed_root_may_sign(root_kind: str, kind: str):
    root = manufacturer("M", root_kind)
    assert problem(root.signs("F", kind).pem, OTHERS, root) == ""


@pytest.mark.parametrize("kind", ["rsa", "ec root", "ed25519"])
def test_the_root_itself_may_sign(kind: str):
    root = manufacturer("M", kind)
    assert problem(root.pem, OTHERS, root) == ""


def test_a_foreign_certificate_may_not_sign_with_the_same_name_and_number_neither():
    double = manufacturer("Manufacturer", "ec another")  # the name of ROOT, with another key
    wanted = "no installed ManufacturerRootCertificate has signed it"
    assert problem(LEAF.pem, ROOT) == ""
    for signer in (OTHERS.signs("Firmware"), double.signs("Firmware"), double, OTHERS):
        assert problem(signer.pem, ROOT) == wanted
    assert problem(LEAF.pem) == wanted  # no root is installed


def test_a_chain_over_an_intermediate_is_none():
    between = ROOT.signs("Between", "ec between")
    assert "has signed it" in problem(between.signs("Firmware").pem, ROOT)


@pytest.mark.parametrize(
    ("starts_in_days", "words"),
    [(-20, "it has expired on 2026-02-19"), (1, "it is not valid before 2026-03-02")],
)
def test_a_certificate_counts_in_its_time_by_a_clock_that_is_trusted(starts_in_days, words):
    signer = ROOT.signs("Firmware", valid_from=NOON + timedelta(days=starts_in_days))
    assert words in problem(signer.pem, ROOT)
    assert problem(signer.pem, ROOT, is_trusted=False) == ""


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("rsa weak", "its key of 1024 bits is too weak (RSA)"),
        ("ec weak", "its key of 192 bits is too weak (EC)"),
        ("ed448", "its key (Ed448PublicKey) is neither RSA nor EC nor Ed25519"),
    ],
)
def test_a_key_that_is_weak_or_of_another_kind_may_not_sign(kind: str, words: str):
    assert problem(ROOT.signs("Firmware", kind).pem, ROOT) == words


def usage(**named: bool) -> x509.KeyUsage:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: named.get(name, False) for name in names})


@pytest.mark.parametrize(
    ("extension", "words"),
    [
        (usage(digital_signature=True), ""),
        (usage(key_encipherment=True), "it is for another use (keyUsage)"),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), ""),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), ""),
        (
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            "it is for another use (extendedKeyUsage)",
        ),
        (x509.BasicConstraints(ca=False, path_length=None), ""),
    ],
)
def test_what_a_certificate_says_about_its_use_counts(extension, words):
    signer = ROOT.signs("Firmware", "ec leaf", NOON, 10, extension)
    assert problem(signer.pem, ROOT) == words


def test_what_a_root_says_of_its_use_does_not_keep_it_from_signing():
    root = manufacturer("M", "ec root", usage(key_cert_sign=True))
    assert problem(root.pem, root) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a certificate"),
        ("x" * 100_000, "not a certificate"),
        (
            f"-----BEGIN CERTIFICATE-----\n{'A' * 100_000}\n-----END CERTIFICATE-----\n",
            "cannot be read",
        ),
        (LEAF.pem + ROOT.pem, "2 certificates"),
        (LEAF.pem[:-40], "not a certificate"),
        ("\udce4\x00", "not a certificate"),
    ],
    ids=["nothing", "100 kB", "100 kB in PEM", "two", "cut off", "no text"],
)
def test_what_is_no_certificate_is_said_so(text: str, words: str):
    assert words in problem(text, ROOT)


# --- files ---------------------------------------------------------------------------------------


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(CONTENT)
    return path


def found(image: Path, signer: Signer, signature: str) -> str:
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    return file_problem(image, digest, signer.pem, signature)


WAYS = [*(("rsa", way) for way in RSA_WAYS), ("ec leaf", ""), ("ed25519", "")]


@pytest.mark.parametrize(("kind", "way"), WAYS)
def test_a_signature_of_every_kind_is_verified_over_the_whole_file(image, kind: str, way: str):
    signer = ROOT.signs("Firmware", kind)
    signature = signer.sign(CONTENT, way)
    assert "\n" in signature
    assert found(image, signer, signature) == ""
    assert found(image, signer, signature.replace("\n", "")) == ""
    wrong = "the signature is not that of the file"
    assert found(image, signer, signer.sign(CONTENT + b"x", way)) == wrong
    another = ROOT.signs("Another", kind if kind != "ec leaf" else "ec other leaf")
    if kind == "ec leaf":
        assert found(image, another, signature) == wrong
    for damaged in (CONTENT[:-1], CONTENT[:-1] + b"\x00", CONTENT + b"x", CONTENT[:100]):
        image.write_bytes(damaged)
        assert found(image, signer, signature) == wrong


@pytest.mark.parametrize(("kind", "way"), WAYS)
@pytest.mark.parametrize("signature", ["", "AAAA", "A" * 800, base64.b64encode(b"x" * 64).decode()])
def test_what_is_no_signature_of_this_key_is_wrong(image, kind: str, way: str, signature: str):
    signer = ROOT.signs("Firmware", kind)
    assert found(image, signer, signature) == "the signature is not that of the file"


@pytest.mark.parametrize("signature", ["§§§", "A", "A" * 799, "====", "AA=A", "\udce4"])
def test_garbage_is_not_base64(image, signature: str):
    assert found(image, LEAF, signature) == "the signature is not base64"


@pytest.mark.parametrize("kind", ["rsa", "ec leaf", "ed25519"])
def test_an_empty_file_is_none_whoever_has_signed_it(image, kind: str):
    image.write_bytes(b"")
    signer = ROOT.signs("Firmware", kind)
    assert found(image, signer, signer.sign(b"")) == "the file that was fetched is empty"


def test_without_a_signature_the_file_must_still_be_the_one_that_was_fetched(image):
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert file_problem(image, digest) == ""
    image.write_bytes(CONTENT + b"x")
    for more in ((), (LEAF.pem, LEAF.sign(CONTENT + b"x"))):
        assert "the file is not the one that was fetched" in file_problem(image, digest, *more)
    image.unlink()
    assert "not there any more" in file_problem(image, digest)
    image.mkdir()
    assert "cannot be read: Is a directory" in file_problem(image, digest)


def test_the_process_that_looks_at_an_ed25519_signature_must_end_well(image, monkeypatch):
    signer = ROOT.signs("Firmware", "ed25519")
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(subprocess.CalledProcessError):
        found(image, signer, signer.sign(CONTENT))


# --- OpenSSL's own -------------------------------------------------------------------------------


NEW_KEYS = {
    "rsa": ("-newkey", "rsa:2048"),
    "ec": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "ed25519": ("-newkey", "ed25519"),
}
PSS = ("-sigopt", "rsa_padding_mode:pss")
SIGN = {
    "v1.5": ("dgst", "-sha256", "-sign", "key", "-out", "signature"),
    "pss": ("dgst", "-sha256", "-sign", "key", "-out", "signature", *PSS),
    "raw": ("pkeyutl", "-sign", "-rawin", "-inkey", "key", "-out", "signature", "-in"),
}


@pytest.mark.parametrize(
    ("kind", "way"), [("rsa", "v1.5"), ("rsa", "pss"), ("ec", "v1.5"), ("ed25519", "raw")]
)
def test_what_openssl_signs_is_verified(image, tmp_path: Path, kind: str, way: str):
    words = ("-nodes", "-subj", "/CN=Firmware", "-days", "2", "-keyout", "key", "-out", "cert")
    openssl(tmp_path, "req", "-x509", *NEW_KEYS[kind], *words)
    openssl(tmp_path, *SIGN[way], image.name)
    certificate = (tmp_path / "cert").read_text()
    signature = base64.encodebytes((tmp_path / "signature").read_bytes()).decode()
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert file_problem(image, digest, certificate, signature) == ""
    image.write_bytes(CONTENT[:-1] + b"\x00")
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    wrong = "the signature is not that of the file"
    assert file_problem(image, digest, certificate, signature) == wrong
