"""Key pairs of this box, and the requests to sign them: openssl is the second opinion."""

from __future__ import annotations

import base64
import errno
import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from agent.certificates.own_keys import forget_all_but, keep_chain, make_request
from agent.certificates.signed_chain import inspected_chain
from agent.core.own_certificates import CertificateRequest, KeyKind, OwnCertificate
from agent.platform.errors import OwnCertificateError
from agent.platform.tls import check_certificate
from tests.emulators.authorities import made
from tests.emulators.certificates import openssl

ROOT = made("CPO Root")


@dataclass(frozen=True)
class Kept:
    """A request, and the folder with its key."""

    folder: Path
    kind: KeyKind
    request: CertificateRequest


@pytest.fixture(scope="module", params=KeyKind)
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Made once for each kind: an RSA key takes seconds."""
    folder = tmp_path_factory.mktemp("box") / "keys"
    return Kept(folder, request.param, a_request(folder, request.param))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def a_request(folder: Path, kind: KeyKind = KeyKind.EC_P256) -> CertificateRequest:
    return make_request(folder, kind, "Strom & Söhne", "CP-0001")


def ed25519() -> bytes:
    """Another kind of private key."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def key_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.key"))


def openssl_on(folder: Path, words: str, text: str) -> str:
    (folder / "in").write_text(text)
    return openssl(folder, *words.split(), "-in", "in")


def test_openssl_reads_the_request_and_finds_its_signature_good(kept, tmp_path):
    assert len(kept.request.csr) <= 5500
    signed(kept.folder, kept.request)  # which openssl does only to a request with a good signature
    text = openssl_on(tmp_path, "req -text -noout -nameopt utf8,sep_comma_plus", kept.request.csr)
    assert "Subject: O=Strom & Söhne,CN=CP-0001" in text
    use = {KeyKind.EC_P256: "Key Agreement", KeyKind.RSA_3072: "Key Encipherment"}
    assert f"Digital Signature, {use[kept.kind]}\n" in text
    assert "CA:FALSE" in text
    assert "Alternative Name" not in text
    sizes = {KeyKind.EC_P256: "prime256v1", KeyKind.RSA_3072: "(3072 bit)"}
    assert sizes[kept.kind] in text
    hashes = {KeyKind.EC_P256: "ecdsa-with-SHA256", KeyKind.RSA_3072: "sha256WithRSAEncryption"}
    assert hashes[kept.kind] in text


def test_the_key_in_the_file_is_that_of_the_request(kept, tmp_path):
    public = openssl_on(tmp_path, "req -pubkey -noout", kept.request.csr)
    (private,) = key_files(kept.folder)
    assert openssl(kept.folder, "pkey", "-pubout", "-in", private.name) == public
    openssl(
        kept.folder,
        "pkey",
        "-in",
        private.name,
        *f"-pubout -outform DER -out {tmp_path}/der".split(),
    )
    said = openssl(tmp_path, "dgst", "-sha256", "-r", "der").split()[0]
    assert kept.request.key == private.stem == said


def test_each_request_has_a_key_of_its_own(folder):
    assert a_request(folder).key != a_request(folder).key
    assert len(key_files(folder)) == 2


def test_a_pair_that_is_named_is_asked_with_once_more_and_not_written_again(kept, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: pytest.fail("it is written again"))
    again = make_request(kept.folder, kept.kind, "Another", "CP-0001", kept.request.key)
    assert again.key == kept.request.key
    text = openssl_on(
        kept.folder.parent, "req -verify -subject -noout -nameopt sep_comma_plus", again.csr
    )
    assert "O=Another,CN=CP-0001" in text
    assert key_files(kept.folder) == [kept.folder / f"{kept.request.key}.key"]


@pytest.mark.parametrize("content", [None, b"", b"nonsense", ed25519()])
def test_for_a_pair_that_is_gone_damaged_or_of_another_kind_a_new_one_is_made(folder, content):
    folder.mkdir()
    file = folder / f"{'a' * 64}.key"
    if content is not None:
        file.write_bytes(content)
    request = make_request(folder, KeyKind.EC_P256, "Operator", "CP-0001", file.stem)
    assert folder / f"{request.key}.key" in key_files(folder)
    assert request.key != file.stem


def test_only_the_owner_can_read_what_is_kept_whatever_the_umask_is(folder):
    umask = os.umask(0)
    try:
        certificate, key = keep_chain(folder, signed(folder, a_request(folder)))
    finally:
        os.umask(umask)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(Path(file).stat().st_mode) for file in (certificate, key)} == {0o600}


def signed(folder: Path, request: CertificateRequest) -> OwnCertificate:
    """The authority signs the request with openssl, as central systems do."""
    place = folder.parent
    for name, text in (("ca", ROOT.pem), ("ca.key", ROOT.key_pem()), ("csr", request.csr)):
        (place / name).write_text(text)
    ca = ("-CA", "ca", "-CAkey", "ca.key", "-set_serial", "1", "-days", "2")
    leaf = openssl(place, "x509", "-req", "-in", "csr", *ca)
    found, why = inspected_chain(leaf, [])
    assert found is not None, why
    assert found.certificate.key == request.key
    return found.certificate


def test_what_an_authority_signed_can_be_shown_in_tls(kept):
    check_certificate(*keep_chain(kept.folder, signed(kept.folder, kept.request)))


def test_no_private_key_is_in_what_is_handed_on(kept, caplog):
    certificate = signed(kept.folder, kept.request)
    (file,) = key_files(kept.folder)
    secret = load_pem_private_key(file.read_bytes(), None)
    match secret:
        case rsa.RSAPrivateKey():
            number = secret.private_numbers().d
        case ec.EllipticCurvePrivateKey():
            number = secret.private_numbers().private_value
    content = number.to_bytes(secret.key_size // 8, "big")
    for pem in (kept.request.csr, certificate.pem):
        assert content not in base64.b64decode("".join(pem.splitlines()[1:-1]))
    assert "PRIVATE" not in f"{kept.request} {certificate} {caplog.text}"


def test_a_certificate_is_written_once_and_again_where_it_is_gone_or_damaged(folder, monkeypatch):
    certificate = signed(folder, a_request(folder))
    file = Path(keep_chain(folder, certificate)[0])
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda descriptor: pytest.fail("it is written again"))
        assert keep_chain(folder, certificate)[0] == str(file)
    for damage in (file.unlink, lambda: file.write_text("")):
        damage()
        keep_chain(folder, certificate)
        assert file.read_text() == certificate.pem


def test_files_of_no_row_are_removed_half_written_ones_too(folder):
    one, other = a_request(folder), a_request(folder)
    certificate = signed(folder, one)
    keep_chain(folder, certificate)
    (folder / f".{other.key}.key.4711").write_text("left by a power cut")
    (folder / "lost+found").mkdir()
    forget_all_but(folder, [one.key, certificate.fingerprint])
    names = {path.name for path in folder.iterdir()}
    assert names == {f"{one.key}.key", f"{certificate.fingerprint}.pem", "lost+found"}


@pytest.mark.parametrize("name", ["box.key", "box.pem", "ca.pem", f"{'a' * 64}.key.old"])
def test_a_file_that_somebody_else_has_put_there_stays(folder, name):
    folder.mkdir()
    (folder / name).touch()
    forget_all_but(folder, [])
    assert (folder / name).exists()


def test_where_there_is_no_folder_nothing_is_to_be_removed(folder):
    forget_all_but(folder, [])
    assert not folder.exists()


# --- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "words"),
    [(errno.ENOSPC, "no room on the disk"), (errno.EROFS, "a disk that cannot be written")],
)
def test_a_disk_that_takes_nothing_is_said_with_the_file(folder, monkeypatch, problem, words):
    certificate = signed(folder, a_request(folder))
    before = sorted(folder.iterdir())

    def refuse(descriptor: int) -> None:
        raise OSError(problem, os.strerror(problem))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OwnCertificateError, match=rf"cannot keep {folder}/\w+\.key: .*{words}"):
        a_request(folder)
    with pytest.raises(OwnCertificateError, match=rf"cannot keep {folder}/\w+\.pem: .*{words}"):
        keep_chain(folder, certificate)
    assert sorted(folder.iterdir()) == before


def test_a_state_folder_that_is_missing_is_said(tmp_path):
    with pytest.raises(OwnCertificateError, match=f"there is no folder {tmp_path}/gone"):
        a_request(tmp_path / "gone" / "keys")


KILLED = """
import os, sys
from pathlib import Path
from agent.certificates.own_keys import make_request
from agent.core.own_certificates import KeyKind

Path.replace = lambda *_: os._exit(9)
make_request(Path(sys.argv[1]), KeyKind.EC_P256, "O", "CN")
"""


def test_a_kill_before_the_file_has_its_name_leaves_no_key(folder):
    done = subprocess.run([sys.executable, "-c", KILLED, folder], check=False)
    assert done.returncode == 9
    (half,) = folder.iterdir()
    assert stat.S_IMODE(half.stat().st_mode) == 0o600
    forget_all_but(folder, [half.name.split(".")[1]])
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("organization", "common_name", "words"),
    [
        ("", "CP", "the organization in a certificate has 1 to 64 bytes; 0 are given"),
        ("O" * 65, "CP", "the organization in a certificate has 1 to 64 bytes; 65 are given"),
        ("O", "ü" * 33, "the common name in a certificate has 1 to 64 bytes; 66 are given"),
        ("O", "\udce4", "the common name is no text"),
    ],
)
def test_a_name_that_no_certificate_can_hold_makes_no_key(folder, organization, common_name, words):
    with pytest.raises(OwnCertificateError, match=words):
        make_request(folder, KeyKind.EC_P256, organization, common_name)
    assert not folder.exists()


def test_the_process_that_makes_an_rsa_key_must_end_well(folder, monkeypatch):
    for executable, kind in (("/bin/false", "CalledProcessError"), ("/none", "FileNotFoundError")):
        monkeypatch.setattr(sys, "executable", executable)
        with pytest.raises(OwnCertificateError, match=rf"no RSA key could be made \({kind}\)"):
            a_request(folder, KeyKind.RSA_3072)


def test_a_box_without_the_library_says_so(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(OwnCertificateError, match="lacks the library for certificates"):
        a_request(folder)
