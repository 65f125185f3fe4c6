"""Certificates whose end matters: those of the central system, of this box, and those installed."""

from __future__ import annotations

from collections.abc import Iterator

from agent.core.certificates import Certificate
from agent.core.own_certificates import next_to_end
from agent.core.state import ChargePoint
from agent.core.values import Instant

OWN = "this box's own"


def watched(state: ChargePoint) -> Iterator[tuple[str, Certificate]]:
    """Each of them once, and what it is in words."""
    seen = set()
    for number, certificate in enumerate(state.certificates.chain):
        seen.add(certificate.fingerprint)
        what = "authority of the central system" if number else "the central system's own"
        yield what, certificate
    own = _own(state)
    if own is not None:
        yield OWN, own
    for root in state.certificates.installed:
        if root.certificate.fingerprint not in seen:
            seen.add(root.certificate.fingerprint)
            yield f"installed {root.use.value}", root.certificate


def ending(state: ChargePoint, now: Instant) -> tuple[tuple[str, Certificate], ...]:
    """Those that end soon, or have ended. Only a trusted clock says so."""
    if not now.is_trusted:
        return ()
    return tuple(found for found in watched(state) if now.utc >= found[1].warned_of_from)


def next_warning_s(state: ChargePoint, now: Instant) -> float | None:
    """Monotonic time at which the next one comes near its end; None: none is known."""
    if not now.is_trusted:
        return None
    ahead = [c.warned_of_from for _, c in watched(state) if c.warned_of_from > now.utc]
    return now.monotonic_s_at(min(ahead)) if ahead else None


def _own(state: ChargePoint) -> Certificate | None:
    """What is shown in profile 3; before that one that was signed for it, and not the file's."""
    own = state.own_certificates
    is_unused = own.has_file and state.approaches.wanted.profile != 3
    return None if is_unused else next_to_end(own)
