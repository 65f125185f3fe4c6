"""A certificate for this box: asked for, taken or refused, renewed, and shown by the link.

OCPP 1.6 security white paper, A02 and A03. The values and rules stand in
``agent.core.own_certificates``; here they meet the charge point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from agent.core.certificates import RootUse
from agent.core.commands import ApplyConfiguration, Reply
from agent.core.connection_profile import PROFILE, LinkOpened
from agent.core.events import Event
from agent.core.faults import Fault
from agent.core.own_certificates import (
    CertificateRequestAnswered,
    CertificateRequestMade,
    CertificateWanted,
    ChainSigned,
    InspectedChain,
    MakeCertificateRequest,
    OwnCertificates,
    SaveOwnCertificates,
    SendCertificateRequest,
    SigningRequest,
    SigningTriggered,
    has_worked,
    key_to_ask_with,
    old_goes_at,
    renewal_at,
    to_show,
    unfit,
    with_certificate,
)
from agent.core.replace import replace
from agent.core.security_event_values import SecurityEventType
from agent.core.security_events import record, record_reconfiguration
from agent.core.state import ChargePoint
from agent.core.turn import Turn
from agent.core.values import Instant

ORGANIZATION = "CpoName"
_NO_NAME = f"{ORGANIZATION} is not set: it is the organization in a request for a certificate"


# --- asking --------------------------------------------------------------------------------------


def _triggered(turn: Turn, event: SigningTriggered) -> None:
    if not _organization(turn.state):
        record(turn, SecurityEventType.CSR_GENERATION_FAILED, _NO_NAME)
        _answer(turn, event.request_id, "Rejected", f"SignChargePointCertificate: {_NO_NAME}")
        return
    _answer(turn, event.request_id, "Accepted")


def _wanted(turn: Turn, event: CertificateWanted) -> None:
    """A02: with a new pair each time."""
    _ask(turn, "")


def _ask(turn: Turn, key: str) -> None:
    own = turn.state.own_certificates
    if not own.is_asking:  # the pair that is being made is as new as another would be
        _put(turn, replace(own, is_asking=True))
        name = turn.state.rules.common_name
        turn.emit(MakeCertificateRequest(_organization(turn.state), name, key))


def _made(turn: Turn, event: CertificateRequestMade) -> None:
    own = replace(turn.state.own_certificates, is_asking=False)
    if event.request is None:
        record(turn, SecurityEventType.CSR_GENERATION_FAILED, event.problem)
        waits_for = "" if own.request is None else own.request.key
        _keep(turn, replace(own, request=SigningRequest(waits_for, turn.now.utc, event.problem)))
        return
    _keep(turn, replace(own, request=SigningRequest(event.request.key, turn.now.utc)))
    turn.emit(SendCertificateRequest(event.request))


def _answered(turn: Turn, event: CertificateRequestAnswered) -> None:
    """What was refused is not sent again (A02); a certificate that comes all the same is taken."""
    own = turn.state.own_certificates
    request = own.request
    if request is not None and request.key == event.key and request.problem != event.problem:
        _keep(turn, replace(own, request=replace(request, problem=event.problem)))


# --- CertificateSigned ---------------------------------------------------------------------------


def _signed(turn: Turn, event: ChainSigned) -> None:
    problem = event.problem if event.found is None else _why_rejected(turn, event.found)
    if event.found is None or problem:
        kind = SecurityEventType.INVALID_CHARGE_POINT_CERTIFICATE
        record(turn, kind, f"not taken: {problem}", must_be_told=True)
        _answer(turn, event.request_id, "Rejected", f"CertificateSigned: {problem}")
        return
    after = with_certificate(turn.state.own_certificates, event.found.certificate)
    if after != turn.state.own_certificates:
        _keep(turn, after)
        what = f"a certificate for this box{_noted(turn, event.found)}"
        record_reconfiguration(turn, what, "was taken")
    _answer(turn, event.request_id, "Accepted")


def _why_rejected(turn: Turn, found: InspectedChain) -> str:
    state = turn.state
    if problem := unfit(found, state.own_certificates, state.rules.common_name, turn.now):
        return problem
    use = RootUse.CENTRAL_SYSTEM
    if state.certificates.of(use) and not found.ends_in:
        return f"it leads to no installed {use.value}, and to none in ca_file"
    return "the disk takes nothing" if Fault.JOURNAL in state.faults else ""


def _noted(turn: Turn, found: InspectedChain) -> str:
    """What is strange about a certificate that was taken all the same."""
    notes = []
    if not found.ends_in:
        notes.append("no authority that this box knows has signed it")
    if found.organization != _organization(turn.state):
        notes.append(f"its organization (O) is {found.organization or '(none)'}")
    return f" ({', '.join(notes)})" if notes else ""


# --- the link ------------------------------------------------------------------------------------


def shown(turn: Turn, event: LinkOpened) -> None:
    """The central system has let the box in, with one of these or without."""
    own = has_worked(turn.state.own_certificates, event.shown, turn.now)
    if event.refusal and event.refusal != own.refusal:
        record(turn, SecurityEventType.FAILED_TO_AUTHENTICATE, event.refusal)
    _keep(turn, replace(own, refusal=event.refusal))


# --- after every event ---------------------------------------------------------------------------


def update(turn: Turn) -> None:
    """Let old certificates go, renew, and have the link show the right one."""
    own = turn.state.own_certificates
    if own.request is None and not own.kept:
        return
    if turn.now.is_trusted:
        _correct_request(turn)
        _forget_old(turn)
        _renew(turn)
    _show_best(turn)


def deadlines_s(state: ChargePoint, now: Instant) -> Iterator[float | None]:
    """Monotonic times at which ``update`` wants a turn."""
    own = state.own_certificates
    if not now.is_trusted:
        return
    moments = [*(one.certificate.not_before for one in own.kept), old_goes_at(own), renewal_at(own)]
    for moment in moments:
        if moment is not None and moment > now.utc:
            yield now.monotonic_s_at(moment)


def _correct_request(turn: Turn) -> None:
    """A clock that ran ahead has noted it: no renewal would come for so long."""
    own = turn.state.own_certificates
    request, now = own.request, turn.now.utc
    if request is not None and now < request.asked_at:
        _keep(turn, replace(own, request=replace(request, asked_at=now)))


def _forget_old(turn: Turn) -> None:
    own = turn.state.own_certificates
    goes_at = old_goes_at(own)
    if goes_at is not None and turn.now.utc >= goes_at:
        _keep(turn, replace(own, kept=own.kept[:1]))


def _renew(turn: Turn) -> None:
    """A03. Only over a link: what cannot be sent would be a day's request for nothing."""
    own = turn.state.own_certificates
    due = renewal_at(own)
    if due is not None and due <= turn.now.utc and turn.state.online and _organization(turn.state):
        _ask(turn, key_to_ask_with(own))


def _show_best(turn: Turn) -> None:
    own = turn.state.own_certificates
    first = to_show(own, turn.now)[:1]
    best = first[0].fingerprint if first else ""
    if best == own.best:
        return
    _put(turn, replace(own, best=best))
    in_use = turn.state.approaches.in_use
    if in_use is not None and in_use.profile == 3:
        turn.emit(ApplyConfiguration(PROFILE, ""))  # after the answer: the link is made anew


def _answer(turn: Turn, request_id: str, status: str, detail: str = "") -> None:
    turn.emit(Reply(request_id, status, detail))


def _organization(state: ChargePoint) -> str:
    return state.configuration.text(ORGANIZATION)


def _keep(turn: Turn, own: OwnCertificates) -> None:
    before = turn.state.own_certificates
    _put(turn, own)
    if (own.kept, own.request) != (before.kept, before.request):
        turn.emit(SaveOwnCertificates(own))


def _put(turn: Turn, own: OwnCertificates) -> None:
    turn.state = replace(turn.state, own_certificates=own)


ROUTES: dict[type[Event], Callable[[Turn, Any], None]] = {
    SigningTriggered: _triggered,
    CertificateWanted: _wanted,
    CertificateRequestMade: _made,
    CertificateRequestAnswered: _answered,
    ChainSigned: _signed,
}
