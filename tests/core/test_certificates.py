"""Root certificates: what is trusted when, and when somebody is warned of their end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.core.certificates import (
    Certificate,
    Certificates,
    InspectedRoot,
    InstalledRoot,
    RootCertificate,
    RootUse,
    TrustedRoots,
    trusted_roots,
    unfit,
)
from tests.core.story import NOON, at

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2036, 1, 1, tzinfo=UTC)
BELIEVED = replace(at(0), is_trusted=False)
CENTRAL, MANUFACTURER = RootUse.CENTRAL_SYSTEM, RootUse.MANUFACTURER


def a_root(
    name: str, use: RootUse = CENTRAL, end: datetime = END, *, has_worked: bool = False
) -> InstalledRoot:
    """An installed root; its text is its name."""
    return InstalledRoot(use, a_certificate(name, end), has_worked)


def a_certificate(name: str, end: datetime = END) -> RootCertificate:
    return RootCertificate(name.lower(), name, BEGIN, end, f"{name};", "1", b"issuer", b"key")


def found(**fields: Any) -> InspectedRoot:
    return replace(InspectedRoot(a_certificate("A"), "EC", 256, "sha256"), **fields)


A, B = a_root("A"), a_root("B")
OF_FACTORY = a_root("M", MANUFACTURER)


def test_without_installed_ones_the_file_counts_whatever_is_set():
    for only_installed in (False, True):
        assert trusted_roots(Certificates(), only_installed) == (TrustedRoots(),)
        assert trusted_roots(Certificates((OF_FACTORY,)), only_installed) == (TrustedRoots(),)


def test_installed_ones_count_besides_the_file_and_each_alone_where_all_together_are_refused():
    assert trusted_roots(Certificates((A, OF_FACTORY, B)), only_installed=False) == (
        TrustedRoots("A;B;"),
        TrustedRoots(),
        TrustedRoots("A;", with_file=False),
        TrustedRoots("B;", with_file=False),
    )


def test_only_installed_ones_count_once_one_of_them_has_worked():
    assert TrustedRoots() in trusted_roots(Certificates((A,)), only_installed=True)
    worked = replace(A, has_worked=True)
    alone = TrustedRoots("A;", with_file=False)
    assert trusted_roots(Certificates((worked,)), only_installed=True) == (alone,)
    assert trusted_roots(Certificates((worked, B)), only_installed=True) == (
        TrustedRoots("A;B;", with_file=False),
        alone,
        TrustedRoots("B;", with_file=False),
    )


def test_the_one_in_use_is_the_installed_one_nearest_to_the_server():
    leaf = Certificate("leaf", "cs", BEGIN, END)
    chain = (leaf, B.certificate, A.certificate)
    assert Certificates((A, B), chain).in_use == B
    assert Certificates((A,), chain).in_use == A
    assert Certificates((OF_FACTORY,), (OF_FACTORY.certificate,)).in_use is None
    assert Certificates((A,)).in_use is None


@pytest.mark.parametrize(
    ("it", "words"),
    [
        (found(), ""),
        (found(key="RSA", key_bits=2048), ""),
        (found(key="RSA", key_bits=2047), "2047 bits"),
        (found(key="DSA", key_bits=1024), "1024 bits"),
        (found(key_bits=224), ""),
        (found(key_bits=192), "192 bits"),
        (found(key="Ed25519PublicKey", key_bits=0, signature_hash=""), ""),
        (found(signature_hash="md5"), "MD5"),
        (found(signature_hash="sha1"), "SHA1"),
        (found(says_no_authority=True), "CA:FALSE"),
        (found(certificate=a_certificate("A", end=NOON - timedelta(seconds=1))), "has expired"),
        (found(certificate=a_certificate("A", end=NOON)), ""),
        (found(certificate=replace(a_certificate("A"), not_before=END)), "not valid before"),
    ],
)
def test_what_cannot_be_a_root_is_said_in_words(it: InspectedRoot, words: str):
    problem = unfit(it, at(0))
    assert words in problem
    assert bool(problem) == bool(words)


def test_a_clock_that_nobody_trusts_refuses_no_dates():
    assert unfit(found(certificate=a_certificate("A", end=BEGIN)), BELIEVED) == ""
    assert unfit(found(certificate=replace(a_certificate("A"), not_before=END)), BELIEVED) == ""
