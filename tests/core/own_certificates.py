"""Certificates of this box, for stories of the core."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agent.core.own_certificates import InspectedChain, KeptCertificate, OwnCertificate
from tests.core.test_certificates import BEGIN, END

NAME, KEY = "CP-0001", "key"


def own(
    fingerprint: str = "own",
    key: str = KEY,
    begin: datetime = BEGIN,
    end: datetime = END,
    name: str = NAME,
) -> OwnCertificate:
    """A certificate; its text is its fingerprint."""
    return OwnCertificate(fingerprint, f"CN={name}", begin, end, fingerprint, key, name)


def kept(
    fingerprint: str = "own", worked_at: datetime | None = None, **facts: Any
) -> KeptCertificate:
    """One that was taken."""
    return KeptCertificate(own(fingerprint, **facts), worked_at)


def chain(certificate: OwnCertificate, **facts: Any) -> InspectedChain:
    """A chain as it should be, signed by the installed root ``a``."""
    return InspectedChain(
        **{
            "certificate": certificate,
            "organization": "Operator",
            "is_consistent": True,
            "ends_in": frozenset({"a"}),
            **facts,
        }
    )
