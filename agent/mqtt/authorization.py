"""Authorization requests over MQTT: a token becomes TagPresented, its TagReply the response."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agent.control.services import Services
from agent.core.authorization_reasons import Rule
from agent.core.commands import TagReply
from agent.core.contract import CertificateHash, Contract
from agent.core.events import RequestNotTaken, TagPresented
from agent.core.id_tag import same_tag
from agent.core.state import ChargePoint, Purpose
from agent.core.tag_sources import Source
from agent.core.values import TokenKind, Verdict
from agent.mqtt.evses import Evses
from agent.mqtt.limits import LimitedWarnings
from agent.mqtt.tokens import BAD_TAG, BadToken, StationToken, read_token

ACCEPTED, REJECTED, DEAUTHORIZED = "accepted", "rejected", "deauthorized"
TURN_S = 5.0  # the runtime takes up an event within this time, or the token was dropped
_CERTIFICATE_WORDS = {
    "Accepted": "accepted",
    "SignatureError": "signature_error",
    "CertificateExpired": "certificate_expired",
    "CertificateRevoked": "certificate_revoked",
    "NoCertificateAvailable": "no_certificate_available",
    "CertChainError": "cert_chain_error",
    "ContractCancelled": "contract_cancelled",
}


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """A token that a service presents over MQTT."""

    token_type: str
    id_token: str | None
    evse_id: str | None
    contract: Contract | None = None

    @staticmethod
    def of(data: dict[str, Any]) -> PresentedToken:
        """The token in the data of a request, which its schema has checked."""
        token_data = data.get("token_data")
        contract = None if token_data is None else _contract(token_data)
        return PresentedToken(
            data["token_type"], data.get("id_token"), data.get("evse_id"), contract
        )


@dataclass(frozen=True, slots=True)
class AuthorizationResult:
    """The verdict on a token, and on the certificate of its contract, if there is one."""

    status: str
    certificate_status: str = ""

    def as_data(self) -> dict[str, Any]:
        """The data of the response."""
        if not self.certificate_status:
            return {"status": self.status}
        return {"status": self.status, "certificate_status": self.certificate_status}


class TokenAuthorizer:
    """Presents tokens to the core one after the other, in the order in which they came."""

    def __init__(
        self,
        services: Services,
        evses: Evses,
        note_token: Callable[[StationToken], None],
        warnings: LimitedWarnings,
    ) -> None:
        """``note_token`` is called with each token before it is presented."""
        self._services = services
        self._evses = evses
        self._note_token = note_token
        self._warnings = warnings
        self._settings = services.settings.authorization

    async def present(
        self, presented: PresentedToken, within_s: float
    ) -> Awaitable[AuthorizationResult]:
        """Present a token as a card would be; awaits its turn, and returns an awaitable result.

        Without a decision ``within_s`` it is rejected. Never raises.
        """
        token = self._read(presented)
        if token is None:
            return self._refuse(BAD_TAG, (), Rule.BAD_TOKEN)
        targets, rule = self._evses.targets(self._state, presented.evse_id, token.id_tag)
        if rule is not None:
            return self._refuse(token.id_tag, targets, rule)
        if self._is_busy(token, targets):
            return self._refuse(token.id_tag, targets, Rule.ONE_AT_A_TIME)
        self._note_token(token)
        return await self._presented(token, targets, presented.contract, within_s)

    def start_session(self, presented: PresentedToken) -> None:
        """Begin a session that the station itself has decided on (accept_cs_updates)."""
        token = self._read(presented)
        if token is None:
            self._keep_reason(BAD_TAG, (), Rule.BAD_TOKEN)
            return
        targets, rule = self._evses.targets(self._state, presented.evse_id, token.id_tag)
        if rule is not None:
            self._warnings.warn("an update from the station bus is ignored", rule.says)
            self._keep_reason(token.id_tag, targets, rule)
            return
        self._note_token(token)
        self._services.runtime.post(
            TagPresented(token.id_tag, targets, claim=TokenKind.STATION, source=Source.STATION)
        )

    @property
    def _state(self) -> ChargePoint:
        return self._services.runtime.state

    def _read(self, presented: PresentedToken) -> StationToken | None:
        try:
            return read_token(presented.token_type, presented.id_token, self._settings)
        except BadToken as problem:
            self._warnings.warn("a token from the station bus cannot be used", str(problem))
            return None

    def _refuse(
        self, id_tag: str, targets: tuple[int, ...], rule: Rule
    ) -> Awaitable[AuthorizationResult]:
        self._keep_reason(id_tag, targets, rule)
        return _at_once(AuthorizationResult(REJECTED))

    def _keep_reason(self, id_tag: str, targets: tuple[int, ...], rule: Rule) -> None:
        self._services.runtime.post(RequestNotTaken(id_tag, targets, rule))

    def _is_busy(self, token: StationToken, targets: Sequence[int]) -> bool:
        """Another token is being asked about for the same connector; of the same one both hear."""
        return any(
            check.attempt.purpose is not Purpose.AUTHORIZE_ONLY
            and not same_tag(check.attempt.id_tag, token.id_tag)
            and not set(targets).isdisjoint(check.attempt.connectors)
            for check in self._state.checking
        )

    async def _presented(
        self,
        token: StationToken,
        targets: tuple[int, ...],
        contract: Contract | None,
        within_s: float,
    ) -> Awaitable[AuthorizationResult]:
        """Present it and wait for its turn; the awaitable result waits for the rest."""
        runtime = self._services.runtime

        def present(request_id: str) -> None:
            runtime.post(
                TagPresented(
                    token.id_tag,
                    targets,
                    is_random=token.is_random,
                    claim=token.claim,
                    contract=contract,
                    source=Source.STATION,
                    request_id=request_id,
                )
            )

        turned = asyncio.Event()
        reply = asyncio.ensure_future(runtime.present_tag(present, within_s, turned))
        try:
            async with asyncio.timeout(min(TURN_S, within_s)):
                await turned.wait()
            return _result(reply)
        except TimeoutError:
            reply.cancel()
            self._warnings.drop("tokens that were not taken up in time")
            return _at_once(AuthorizationResult(REJECTED))


async def _result(reply: Awaitable[TagReply | None]) -> AuthorizationResult:
    found = await reply
    if found is None:
        return AuthorizationResult(REJECTED)
    decision = found.decision
    is_accepted = found.is_accepted if decision is None else decision.verdict is Verdict.ACCEPTED
    status = ACCEPTED if is_accepted else REJECTED
    if decision is not None:
        # Shown again too soon to mean anything: it is on its way, or in its session, already.
        status = {Rule.TOO_SOON.name: ACCEPTED, Rule.CANCELLED.name: DEAUTHORIZED}.get(
            decision.rule, status
        )
    return AuthorizationResult(status, _CERTIFICATE_WORDS.get(found.certificate_status, ""))


def _contract(token_data: dict[str, Any]) -> Contract:
    hashes = tuple(
        CertificateHash(
            found["hash_algorithm"],
            found["issuer_name_hash"],
            found["issuer_key_hash"],
            found["serial_number"],
            found["responder_url"],
        )
        for found in token_data["iso15118_hash_data"]
    )
    return Contract(hashes, token_data.get("certificate_chain", ""))


async def _at_once(result: AuthorizationResult) -> AuthorizationResult:
    return result
