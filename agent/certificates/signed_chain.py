"""A certificate that was signed for this box, with those above it: what they say, where they lead.

OCPP 1.6 security white paper, A02: the chain of CertificateSigned.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from agent.certificates import reading
from agent.core.certificates import RootCertificate, weakness
from agent.core.own_certificates import InspectedChain, OwnCertificate
from agent.platform.errors import CertificateUnusable

if TYPE_CHECKING:
    from cryptography.x509 import Certificate as Loaded
    from cryptography.x509 import ObjectIdentifier


def inspected_chain(
    text: str, roots: Sequence[RootCertificate], ca_file: str = ""
) -> tuple[InspectedChain | None, str]:
    """What stands in a chain, the box's own certificate first; or why it cannot be read.

    The authorities to which it may lead are ``roots`` and those of ``ca_file``. Nothing is said of
    dates, nor of whose key it is for.
    """
    try:
        return _inspected(_loaded(reading.ders(text)), roots, ca_file), ""
    except CertificateUnusable as problem:
        return None, str(problem)


def _loaded(ders: list[bytes]) -> list[Loaded]:
    chain = []
    for number, der in enumerate(ders, 1):
        try:
            chain.append(reading.loaded(der))
        except CertificateUnusable as problem:
            raise CertificateUnusable(f"certificate {number} of {len(ders)}: {problem}") from None
    return chain


def _inspected(
    chain: Sequence[Loaded], roots: Sequence[RootCertificate], ca_file: str
) -> InspectedChain:
    from cryptography.x509 import NameOID

    own = chain[0]
    not_before, not_after = reading.begin_and_end(own)
    authorities = reading.readable("".join(root.pem for root in roots)) | reading.of_file(ca_file)
    return InspectedChain(
        certificate=OwnCertificate(
            fingerprint=reading.fingerprint(own),
            subject=reading.subject(own),
            not_before=not_before,
            not_after=not_after,
            pem="".join(ssl.DER_cert_to_PEM_cert(reading.der_of(each)) for each in chain),
            key=reading.key_name(own.public_key()),
            common_name=_named(own, NameOID.COMMON_NAME),
        ),
        organization=_named(own, NameOID.ORGANIZATION_NAME),
        is_consistent=all(_is_under(below, above) for below, above in pairwise(chain)),
        ends_in=frozenset(name for name, by in authorities.items() if _leads_to(chain, by)),
        weak=next(filter(None, map(_weakness, chain)), ""),
    )


def _named(certificate: Loaded, kind: ObjectIdentifier) -> str:
    found = certificate.subject.get_attributes_for_oid(kind)
    return str(found[0].value) if found else ""


def _is_under(certificate: Loaded, authority: Loaded) -> bool:
    return not reading.says_no_authority(authority) and reading.is_signed(certificate, authority)


def _leads_to(chain: Sequence[Loaded], authority: Loaded) -> bool:
    """It may be one of the chain: then the one before it is under it."""
    return any(_is_under(each, authority) for each in chain)


def _weakness(certificate: Loaded) -> str:
    return weakness(*reading.key_of(certificate), reading.signature_hash(certificate))
