"""Certificates: roots are installed, listed, deleted (OCPP 1.6 security white paper, M03 to M05),
and that of this box comes (A02)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agent.certificates.inspection import hash_data, inspected, is_meant
from agent.certificates.signed_chain import inspected_chain
from agent.core.certificates import InstalledRoot, RootUse
from agent.core.events import DeleteRootRequested, InstallRootRequested
from agent.core.own_certificates import ChainSigned, InspectedChain
from agent.core.ports import Inbox
from agent.core.state import ChargePoint
from agent.ocpp16.dispatch import Handler
from agent.ocpp16.schemas import check_call
from agent.ocppj.frames import Payload
from agent.runtime.executors import OffLoop

CHAIN_MAX = "CertificateSignedMaxChainSize"


def certificate_handlers(
    inbox: Inbox, state: Callable[[], ChargePoint], off_loop: OffLoop, ca_file: str
) -> Mapping[str, Handler]:
    """The handlers by action; ``ca_file`` holds what the installer trusts."""
    certificates = _Certificates(inbox, state, off_loop, ca_file)
    return {
        "CertificateSigned": certificates.certificate_signed,
        "DeleteCertificate": certificates.delete_certificate,
        "GetInstalledCertificateIds": certificates.get_installed_certificate_ids,
        "InstallCertificate": certificates.install_certificate,
    }


class _Certificates:
    def __init__(
        self, inbox: Inbox, state: Callable[[], ChargePoint], off_loop: OffLoop, ca_file: str
    ) -> None:
        self._inbox = inbox
        self._state = state
        self._off_loop = off_loop
        self._ca_file = ca_file

    async def install_certificate(self, payload: Payload) -> Payload:
        use = RootUse(payload["certificateType"])
        known = [root.certificate for root in self._state().certificates.of(use)]
        found, problem = await self._off_loop(
            inspected, payload["certificate"], known, self._ca_file
        )
        status = await self._inbox.request(
            lambda request_id: InstallRootRequested(request_id, use, found, problem)
        )
        return {"status": status}

    async def certificate_signed(self, payload: Payload) -> Payload:
        found, problem = await self._chain(payload)
        status = await self._inbox.request(
            lambda request_id: ChainSigned(request_id, found, problem)
        )
        return {"status": status}

    async def _chain(self, payload: Payload) -> tuple[InspectedChain | None, str]:
        state = self._state()
        longest = state.configuration.integer(CHAIN_MAX)
        text = payload.get("certificateChain") if isinstance(payload, dict) else None
        if isinstance(text, str) and len(text) > longest:
            return None, f"it has {len(text)} characters, and may have {longest} ({CHAIN_MAX})"
        text = check_call("CertificateSigned", payload)["certificateChain"]
        roots = [root.certificate for root in state.certificates.of(RootUse.CENTRAL_SYSTEM)]
        found: tuple[InspectedChain | None, str] = await self._off_loop(
            inspected_chain, text, roots, self._ca_file
        )
        return found

    async def get_installed_certificate_ids(self, payload: Payload) -> Payload:
        roots = self._state().certificates.of(RootUse(payload["certificateType"]))
        if not roots:
            return {"status": "NotFound"}  # without the list: it has one entry at least
        data = [hash_data(root.certificate) for root in roots]
        return {"status": "Accepted", "certificateHashData": data}

    async def delete_certificate(self, payload: Payload) -> Payload:
        installed = self._state().certificates.installed
        fingerprint = _meant(installed, payload["certificateHashData"])
        status = await self._inbox.request(
            lambda request_id: DeleteRootRequested(request_id, fingerprint)
        )
        return {"status": status}


def _meant(installed: Sequence[InstalledRoot], asked: Mapping[str, str]) -> str:
    """The fingerprint of the one that this hash data names; empty: none."""
    found = (r.certificate for r in installed if is_meant(r.certificate, asked))
    return next((certificate.fingerprint for certificate in found), "")
