"""A chain that was signed for this box: openssl verifies the same ones."""

from __future__ import annotations

import shlex
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from agent.certificates.inspection import inspect
from agent.certificates.own_keys import make_request
from agent.certificates.signed_chain import inspected_chain
from agent.core.certificates import unfit
from agent.core.own_certificates import InspectedChain, KeyKind
from agent.core.values import Instant
from tests.emulators.authorities import BEGIN, END, Key, Made, made
from tests.emulators.certificates import openssl
from tests.test_docs import code_blocks

ROOT = made("CPO Root")
V1_ROOT = made("Old Root").version_1()
RSA_ROOT = made("RSA Root", key=rsa.generate_private_key(65537, 2048))
ED_ROOT = made("Ed Root", key=ed25519.Ed25519PrivateKey.generate())
FOREIGN = made("CPO Root")  # the same name, another key
MIDDLE = ROOT.signs("Sub-CA")
ROOTS = (ROOT, V1_ROOT, RSA_ROOT, ED_ROOT)


@pytest.fixture(scope="module")
def by_the_document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the lines of docs/security.md were typed, for the request of a box."""
    folder = tmp_path_factory.mktemp("authority")
    (folder / "box.csr").write_text(
        make_request(folder, KeyKind.EC_P256, "Operator", "CP-0001").csr
    )
    text = (Path(__file__).parents[2] / "docs/security.md").read_text()
    (block,) = (each for each in code_blocks(text, "sh") if each.startswith("openssl "))
    for line in block.replace("\\\n", " ").splitlines():
        openssl(folder, *shlex.split(line)[1:])
    return folder


def test_the_lines_of_the_document_make_what_is_taken(by_the_document: Path):
    read = {name: (by_the_document / f"{name}.pem").read_text() for name in ("root", "box")}
    root = inspect(read["root"])
    now = Instant(0.0, root.certificate.not_before)
    assert unfit(root, now) == ""
    inspected, why = inspected_chain(read["box"], [root.certificate], "")
    assert inspected is not None, why
    assert inspected.ends_in == {root.certificate.fingerprint}
    assert not inspected.weak
    words = ("-verify_hostname", "ocpp.example.com", "-CAfile", "root.pem", "server.pem")
    assert openssl(by_the_document, "verify", *words) == "server.pem: OK\n"


def leaf_of(signer: Made, key: Key | None = None) -> Made:
    return made("CP-0001", signer=signer, key=key, is_authority=False)


def found(*chain: Made, roots: Sequence[Made] = ROOTS, ca_file: str = "") -> InspectedChain:
    known = [inspect(root.pem).certificate for root in roots]
    inspected, why = inspected_chain("".join(each.pem for each in chain), known, ca_file)
    assert inspected is not None, why
    return inspected


def openssl_verifies(folder: Path, chain: Sequence[Made], root: Made) -> bool:
    (folder / "leaf").write_text(chain[0].pem)
    (folder / "above").write_text("".join(each.pem for each in chain))
    (folder / "root").write_text(root.pem)
    words = ("-partial_chain", "-trusted", "root", "-untrusted", "above", "leaf")
    try:
        openssl(folder, "verify", *words)
    except subprocess.CalledProcessError:
        return False
    return True


LEAF, DEEP = leaf_of(ROOT), leaf_of(MIDDLE)
RSA_KEY = rsa.generate_private_key(65537, 3072)
# A certificate of the same authority that may not sign has signed this one.
STOLEN = leaf_of(LEAF)

of_every_chain = pytest.mark.parametrize(
    ("chain", "root"),
    [
        ((LEAF,), ROOT),
        ((LEAF, ROOT), ROOT),
        ((DEEP, MIDDLE), ROOT),
        ((DEEP, MIDDLE, ROOT), ROOT),
        ((leaf_of(ROOT, key=RSA_KEY),), ROOT),
        ((leaf_of(RSA_ROOT, key=RSA_KEY),), RSA_ROOT),
        ((leaf_of(RSA_ROOT), RSA_ROOT), RSA_ROOT),
        ((leaf_of(V1_ROOT),), V1_ROOT),
        ((leaf_of(ED_ROOT),), ED_ROOT),
        ((leaf_of(FOREIGN),), None),
        ((leaf_of(FOREIGN), FOREIGN), None),
        ((leaf_of(FOREIGN), ROOT), None),
        ((DEEP,), None),
        ((STOLEN, LEAF), None),
    ],
    ids=[
        *("one", "root appended", "two steps", "two steps, root appended"),
        *("RSA", "RSA by RSA", "by RSA, root appended", "version 1", "Ed25519"),
        *("foreign", "foreign root appended", "foreign, right root appended"),
        *("a step is missing", "by what may not sign"),
    ],
)


@of_every_chain
def test_a_chain_leads_to_the_root_that_openssl_verifies_it_by(tmp_path, chain, root):
    inspected = found(*chain)
    leads_to = {
        inspect(known.pem).certificate.fingerprint
        for known in ROOTS
        if openssl_verifies(tmp_path, chain, known)
    }
    assert leads_to == ({inspect(root.pem).certificate.fingerprint} if root else set())
    assert (inspected.ends_in if inspected.is_consistent else set()) == leads_to


@pytest.mark.parametrize(
    ("chain", "is_consistent"),
    [
        ((LEAF,), True),
        ((DEEP, MIDDLE, ROOT), True),
        ((leaf_of(FOREIGN), FOREIGN), True),
        ((DEEP, ROOT, MIDDLE), False),
        ((ROOT, MIDDLE, DEEP), False),
        ((LEAF, MIDDLE), False),
        ((leaf_of(FOREIGN), ROOT), False),
        ((STOLEN, LEAF, ROOT), False),
        ((LEAF, LEAF), False),
    ],
    ids=[
        *("one", "two steps, root appended", "foreign root appended"),
        *("root in the middle", "root first", "what signed nothing", "a root of the same name"),
        *("by what may not sign", "twice"),
    ],
)
def test_each_certificate_must_be_signed_by_the_next(chain, is_consistent):
    assert found(*chain, roots=()).is_consistent is is_consistent


def test_a_chain_may_lead_to_an_authority_that_a_root_has_signed():
    for chain in ((DEEP,), (DEEP, MIDDLE), (DEEP, MIDDLE, ROOT)):
        assert found(*chain, roots=[MIDDLE]).ends_in == {
            inspect(MIDDLE.pem).certificate.fingerprint
        }


def test_a_chain_may_lead_to_an_authority_of_the_file(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text(FOREIGN.pem + ROOT.pem)
    assert found(DEEP, MIDDLE, roots=(), ca_file=str(file)).ends_in == {
        inspect(ROOT.pem).certificate.fingerprint
    }
    assert not found(LEAF, roots=(), ca_file=str(tmp_path / "none")).ends_in


def test_one_certificate_of_the_file_that_cannot_be_read_hides_no_other(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + ROOT.pem)
    assert found(LEAF, roots=(), ca_file=str(file)).ends_in


def test_what_the_certificate_says_is_read(tmp_path):
    inspected = found(DEEP, MIDDLE)
    own = inspected.certificate
    (tmp_path / "leaf").write_text(DEEP.pem)
    said = openssl(tmp_path, "x509", "-in", "leaf", "-noout", "-fingerprint", "-sha256")
    assert own.fingerprint == said.split("=")[1].strip().replace(":", "").lower()
    assert (own.subject, own.common_name) == ("CN=CP-0001", "CP-0001")
    assert (own.not_before, own.not_after) == (BEGIN, END)
    assert own.pem == DEEP.pem + MIDDLE.pem
    assert inspected.organization == ""
    assert inspected.weak == ""


def test_names_are_read_as_they_stand():
    names = [
        x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Strom & Söhne"),
        x509.NameAttribute(x509.NameOID.COMMON_NAME, "CP, 1"),
        x509.NameAttribute(x509.NameOID.COMMON_NAME, "another"),
    ]
    inspected = found(with_subject(names))
    assert inspected.organization == "Strom & Söhne"
    assert inspected.certificate.common_name == "CP, 1"


def test_a_certificate_without_names_has_empty_ones():
    inspected = found(with_subject([]))
    assert (inspected.certificate.common_name, inspected.organization) == ("", "")
    assert inspected.certificate.subject == "(no name)"


def with_subject(names: list[x509.NameAttribute]) -> Made:
    return made("CP-0001", signer=ROOT, subject=x509.Name(names), is_authority=False)


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ((leaf_of(ROOT, key=rsa.generate_private_key(65537, 1024)),), "1024 bits"),
        ((leaf_of(ROOT, key=ec.generate_private_key(ec.SECP192R1())),), "192 bits"),
        ((LEAF, made("weak", key=rsa.generate_private_key(65537, 1024))), "1024 bits"),
    ],
    ids=["RSA", "EC", "above"],
)
def test_what_is_too_weak_anywhere_in_it_is_named(chain, words):
    assert words in found(*chain).weak


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a certificate in PEM form"),
        ("x" * 100_000, "not a certificate in PEM form"),
        (LEAF.pem[:-40], "not a certificate in PEM form"),
        ("-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----", "base64"),
        (f"-----BEGIN CERTIFICATE-----\n{'A' * 100_000}\n-----END CERTIFICATE-----", "1 of 1"),
        (
            LEAF.pem + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "certificate 2 of 2: it cannot be read as a certificate",
        ),
        (DEEP.pem + MIDDLE.pem.replace("M", "?", 1), "not every certificate in it is in PEM form"),
        (DEEP.pem + MIDDLE.pem[:-40], "not every certificate in it is in PEM form"),
        ("-----BEGIN CERTIFICATE-----\n" * 4000, "not a certificate in PEM form"),
        ("\udce4\x00", "not a certificate in PEM form"),
    ],
    ids=[
        *("nothing", "100 kB", "cut off", "garbage base64", "100 kB in PEM", "second is none"),
        *("second is damaged", "second is cut off", "100 kB of beginnings", "no text"),
    ],
)
def test_what_is_no_chain_is_said_so(text: str, words: str):
    inspected, why = inspected_chain(text, [])
    assert inspected is None
    assert words in why


def test_a_chain_of_100_kb_is_read_as_any_other():
    chain = [ROOT]
    while sum(len(each.pem) for each in chain) < 100_000:
        chain.append(chain[-1].signs(f"Sub-CA {len(chain)}"))
    inspected = found(*reversed(chain))
    assert inspected.is_consistent
    assert inspected.ends_in == {inspect(ROOT.pem).certificate.fingerprint}


@pytest.mark.filterwarnings("ignore:Parsed a")
@pytest.mark.parametrize("at", range(0, len(DEEP.der), 11))
def test_one_damaged_byte_makes_it_unreadable_or_signed_by_nobody(at: int):
    der = bytearray(DEEP.der)
    der[at] ^= 0xFF
    inspected, why = inspected_chain(ssl.DER_cert_to_PEM_cert(bytes(der)) + MIDDLE.pem, [])
    assert why if inspected is None else not inspected.is_consistent
