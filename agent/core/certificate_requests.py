"""InstallCertificate and DeleteCertificate, decided; and what a connection says about the roots.

OCPP 1.6 security white paper, M04 and M05. The values and rules stand in
``agent.core.certificates``; here they meet the charge point.
"""

from __future__ import annotations

from agent.core.certificate_ends import ending
from agent.core.certificates import (
    Certificate,
    InspectedRoot,
    InstalledRoot,
    RemoveRoot,
    RootUse,
    SaveRoot,
    unfit,
)
from agent.core.commands import Reply
from agent.core.events import DeleteRootRequested, InstallRootRequested
from agent.core.faults import Fault
from agent.core.replace import replace
from agent.core.security_event_values import SecurityEventType
from agent.core.security_events import record, record_reconfiguration
from agent.core.turn import Turn

ADDITIONAL_CHECK = "AdditionalRootCertificateCheck"


def install_requested(turn: Turn, event: InstallRootRequested) -> None:
    """Keep a root certificate, or say why not."""
    if event.found is None:
        _reject(turn, event, event.problem)
        return
    if problem := _why_rejected(turn, event.use, event.found):
        _reject(turn, event, problem)
        return
    if Fault.JOURNAL in turn.state.faults:
        _answer(turn, event.request_id, "Failed", "InstallCertificate: the disk takes nothing")
        return
    _install(turn, InstalledRoot(event.use, event.found.certificate), event.found)
    _answer(turn, event.request_id, "Accepted")


def delete_requested(turn: Turn, event: DeleteRootRequested) -> None:
    """Forget a root certificate, unless that would cut the box off."""
    known = turn.state.certificates
    found = [r for r in known.installed if r.certificate.fingerprint == event.fingerprint]
    if not found:
        _answer(turn, event.request_id, "NotFound")
    elif problem := _why_kept(turn, found):
        _answer(turn, event.request_id, "Failed", f"DeleteCertificate: {problem}")
    else:
        for root in found:
            _remove(turn, root)
            record_reconfiguration(turn, root.use.value, "was deleted")
        _let_fallback_be_present(turn)
        _answer(turn, event.request_id, "Accepted")


def connected(turn: Turn, chain: tuple[Certificate, ...]) -> None:
    """A TLS connection was verified by these, the server's own first; none without TLS."""
    turn.state = replace(turn.state, certificates=replace(turn.state.certificates, chain=chain))
    root = turn.state.certificates.in_use
    if root is None:
        return
    if not root.has_worked:
        _put(turn, replace(root, has_worked=True))
    if not root.is_fallback:  # M05.FR.12: the first good connection with the new one
        for other in turn.state.certificates.installed:
            if other.is_fallback:
                _remove(turn, other)


def update(turn: Turn) -> None:
    """Let the box say when a certificate comes near its end."""
    is_ending = bool(ending(turn.state, turn.now))
    faults = turn.state.faults - {Fault.CERTIFICATE}
    if is_ending:
        faults |= {Fault.CERTIFICATE}
    if faults != turn.state.faults:
        turn.state = replace(turn.state, faults=faults)


def _reject(turn: Turn, event: InstallRootRequested, problem: str) -> None:
    if event.use is RootUse.CENTRAL_SYSTEM:
        kind = SecurityEventType.INVALID_CENTRAL_SYSTEM_CERTIFICATE
        record(turn, kind, f"not installed: {problem}", must_be_told=True)
    _answer(turn, event.request_id, "Rejected", f"InstallCertificate: {problem}")


def _why_rejected(turn: Turn, use: RootUse, found: InspectedRoot) -> str:
    known = turn.state.certificates
    if problem := unfit(found, turn.now):
        return problem
    if _is_installed(turn, use, found.certificate):
        return ""
    if not _has_tls(turn) and (_has_used_tls(turn) or known.of(RootUse.CENTRAL_SYSTEM)):
        return "without TLS anybody on the way could send it"
    is_checked = use is RootUse.CENTRAL_SYSTEM and _is_checked(turn)
    if is_checked and (problem := _why_no_successor(turn, found)):
        return problem
    # The fallback of a successor takes the place of the fallback before.
    leaves = sum(root.is_fallback for root in known.installed) if is_checked else 0
    if len(known.installed) - leaves >= turn.state.configuration.integer(
        "CertificateStoreMaxLength"
    ):
        return "the store is full (CertificateStoreMaxLength): delete one first"
    return ""


def _why_no_successor(turn: Turn, found: InspectedRoot) -> str:
    """M05.FR.09: with AdditionalRootCertificateCheck the present root must have signed it."""
    roots = turn.state.certificates.of(RootUse.CENTRAL_SYSTEM)
    in_use = turn.state.certificates.in_use
    if in_use is not None and in_use.is_fallback:
        return "the present root has not led to a central system yet: its fallback is in use"
    present = [root.certificate.fingerprint for root in roots if not root.is_fallback]
    is_signed = not found.signed_by.isdisjoint(present) if present else found.is_signed_by_file
    return "" if is_signed else f"the present root has not signed it ({ADDITIONAL_CHECK})"


def _why_kept(turn: Turn, found: list[InstalledRoot]) -> str:
    known = turn.state.certificates
    if not _has_tls(turn) and _has_used_tls(turn):
        return "without TLS anybody on the way could ask for it"
    if known.in_use in found:
        return "the present connection was verified by it"
    others = [root for root in known.of(RootUse.CENTRAL_SYSTEM) if root not in found]
    is_central = any(root.use is RootUse.CENTRAL_SYSTEM for root in found)
    needs_one = turn.state.approaches.settled.profile >= 2 and turn.state.rules.only_installed_roots
    if is_central and needs_one and not others:
        return "it is the last one that counts"
    if Fault.JOURNAL in turn.state.faults:
        return "the disk takes nothing"
    return ""


def _let_fallback_be_present(turn: Turn) -> None:
    roots = turn.state.certificates.of(RootUse.CENTRAL_SYSTEM)
    if all(root.is_fallback for root in roots):
        for root in roots:
            _put(turn, replace(root, is_fallback=False))


def _install(turn: Turn, root: InstalledRoot, found: InspectedRoot) -> None:
    if _is_installed(turn, root.use, root.certificate):
        return
    if root.use is RootUse.CENTRAL_SYSTEM and _is_checked(turn):
        for other in turn.state.certificates.of(RootUse.CENTRAL_SYSTEM):
            if other.is_fallback:
                _remove(turn, other)
            elif other.certificate.fingerprint in found.signed_by:
                _put(turn, replace(other, is_fallback=True))
    _put(turn, root)
    record_reconfiguration(turn, root.use.value, "was installed")


def _is_installed(turn: Turn, use: RootUse, certificate: Certificate) -> bool:
    roots = turn.state.certificates.of(use)
    return any(root.certificate.fingerprint == certificate.fingerprint for root in roots)


def _put(turn: Turn, root: InstalledRoot) -> None:
    """Keep it, in its place if it is there already."""
    known = turn.state.certificates
    place = (root.use, root.certificate.fingerprint)
    installed = [
        root if (other.use, other.certificate.fingerprint) == place else other
        for other in known.installed
    ]
    if root not in installed:
        installed.append(root)
    _keep(turn, tuple(installed))
    turn.emit(SaveRoot(root))


def _remove(turn: Turn, root: InstalledRoot) -> None:
    kept = tuple(other for other in turn.state.certificates.installed if other != root)
    _keep(turn, kept)
    turn.emit(RemoveRoot(root))


def _keep(turn: Turn, installed: tuple[InstalledRoot, ...]) -> None:
    known = replace(turn.state.certificates, installed=installed)
    turn.state = replace(turn.state, certificates=known)


def _answer(turn: Turn, request_id: str, status: str, detail: str = "") -> None:
    turn.emit(Reply(request_id, status, detail))


def _is_checked(turn: Turn) -> bool:
    return turn.state.configuration.boolean(ADDITIONAL_CHECK)


def _has_tls(turn: Turn) -> bool:
    in_use = turn.state.approaches.in_use
    return in_use is not None and in_use.has_tls


def _has_used_tls(turn: Turn) -> bool:
    return turn.state.approaches.has_used_tls
