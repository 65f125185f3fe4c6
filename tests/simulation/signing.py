"""The authority that signs the certificate of the box, and who is let in with which one.

It signs late, for another key, for another name, for a time that is over or has not begun, and by
an authority that the server does not trust yet. It lets in who shows a certificate of an authority
that it trusts, in its time; and an older one where the box has no other that it could show.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.emulators.authorities import Made, a_key
from tests.simulation.central_system import CentralSystem
from tests.simulation.clocks import true_time
from tests.simulation.run_log import RunLog

GOOD = "good"
OTHER_KEY = "for another key"
OTHER_NAME = "for another name"
ENDED = "for a time that is over"
AHEAD = "for a time that has not begun"
REFUSED = "refused"
_KINDS = (GOOD, GOOD, GOOD, OTHER_KEY, OTHER_NAME, ENDED, AHEAD, REFUSED)
_LATE_S = (0.1, 0.1, 30.0, 1800.0, 100_000.0)
_LIVES_H = (2.0, 12.0, 24.0 * 60)
_AGAIN_S = 300.0


@dataclass(frozen=True)
class Issued:
    """A certificate that was signed."""

    number: int
    kind: str
    csr: str
    issuer: int  # of the two authorities
    begin: datetime
    end: datetime

    @property
    def is_in_time(self) -> bool:
        """By the time that it really is."""
        return self.begin <= true_time() <= self.end


class Signing:
    """``shut_out``: how often in a row a box was refused for what it has shown."""

    def __init__(
        self,
        random: Random,
        central: CentralSystem,
        root: Made,
        run_log: RunLog,
        count: Callable[[str], None],
        taken: Callable[[Issued], None],
    ) -> None:
        """``taken`` hears of each certificate that the box says it takes."""
        self.shut_out = 0
        self.is_healed = False
        self._authorities = _authorities(root)
        self._trusted = {0}
        self._requests = 0
        self._issued: dict[str, Issued] = {}  # by fingerprint
        self._seen: list[Issued] = []  # that have let the box in
        self._random = random
        self._central = central
        self._run_log = run_log
        self._count = count
        self._taken = taken
        central.sign = self._asked

    async def live(self, gap_h: float) -> None:
        """Want a new certificate now and then, and the profile that shows it, for ever."""
        deeds = (*[self._trigger] * 7, *[self._profile_3] * 4, self._trust_both)
        while True:
            await asyncio.sleep(self._random.expovariate(1 / (gap_h * 3600)))
            self._random.choice(deeds)()

    def _trigger(self) -> None:
        self._ask("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})

    def _profile_3(self) -> None:
        self._ask("ChangeConfiguration", {"key": "SecurityProfile", "value": "3"})

    def _trust_both(self) -> None:
        self._trusted.add(1)

    # --- certificates ---

    def _asked(self, csr: str) -> str:
        """SignCertificate: its answer; the certificate follows."""
        kind = self._random.choice(_KINDS)
        issuer = self._random.randrange(2)
        late_s, lives_h = self._random.choice(_LATE_S), self._random.choice(_LIVES_H)
        self._requests += 1
        self._count(f"certificate: {kind}")
        if kind == REFUSED:
            return "Rejected"
        begin = true_time().replace(microsecond=0)
        begin += timedelta(hours={ENDED: -lives_h - 1, AHEAD: 1}.get(kind, 0))
        issued = Issued(self._requests, kind, csr, issuer, begin, begin + timedelta(hours=lives_h))
        self._run_log.note("central system", f"certificate {issued.number} in {late_s:g} s: {kind}")
        asyncio.get_running_loop().call_later(late_s, self._send, issued)
        return "Accepted"

    def _send(self, issued: Issued) -> None:
        made = self._authorities[issued.issuer]
        chain = made.answers(
            issued.csr,
            name="DEMO-2" if issued.kind == OTHER_NAME else None,
            key=a_key() if issued.kind == OTHER_KEY else None,
            begin=issued.begin,
            end=issued.end,
        )
        self._issued[_fingerprint(ssl.PEM_cert_to_DER_cert(chain))] = issued
        if issued.issuer:
            chain += made.pem
        if not self._ask("CertificateSigned", {"certificateChain": chain}, issued):
            asyncio.get_running_loop().call_later(_AGAIN_S, self._send, issued)

    # --- who is let in ---

    def lets_in(self, shown: bytes | None) -> bool:
        """True for who shows this certificate (DER), or none."""
        if shown is None:
            self.shut_out = 0
            return True
        issued = self._issued[_fingerprint(shown)]
        is_let_in = self.is_healed or (
            issued.issuer in self._trusted and (issued.is_in_time or not self._has_another())
        )
        self._count(f"certificate: shown, and {'let in' if is_let_in else 'refused'}")
        self.shut_out = 0 if is_let_in else self.shut_out + 1
        if is_let_in and issued not in self._seen:
            self._run_log.note("central system", f"lets in certificate {issued.number}")
            self._seen.append(issued)
        return is_let_in

    def _has_another(self) -> bool:
        """True while the box has one in its time: it keeps the newest that has let it in."""
        newest = max(self._seen, key=lambda issued: issued.begin, default=None)
        return newest is not None and newest.is_in_time

    def _ask(self, action: str, payload: dict[str, Any], issued: Issued | None = None) -> bool:
        def answered(frame: Any) -> None:
            self._run_log.note("central system", f"{action}: {frame[2]}")
            if issued is not None and frame[0] == 3 and frame[2] == {"status": "Accepted"}:
                self._taken(issued)

        return self._central.call(action, payload, answered)


@cache
def _authorities(root: Made) -> tuple[Made, Made]:
    """The one whose root the box has, and one below it."""
    return root, root.signs("Authority of boxes")


def client_authorities(root: Made) -> str:
    """What a server verifies the certificates of boxes by."""
    return "".join(made.pem for made in _authorities(root))


def key_of(csr: str) -> str:
    """The name of the key pair that a request was made with, as the box names it."""
    public = x509.load_pem_x509_csr(csr.encode()).public_key()
    return _fingerprint(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _fingerprint(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()
