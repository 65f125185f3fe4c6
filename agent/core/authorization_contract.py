"""Contracts of ISO 15118 vehicles (Plug & Charge): who must be asked, and who may decide alone.

OCPP 1.6 knows no contracts. The keys and the message are those of the Open Charge Alliance's
application note "ISO 15118 Plug & Charge with OCPP 1.6"; while ``ISO15118PnCEnabled`` is false the
id of a contract is an idTag like any other.
"""

from __future__ import annotations

from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import Decision
from agent.core.contract import Contract
from agent.core.state import AuthorizationAttempt, ChargePoint
from agent.core.values import Verdict


def to_ask_about(state: ChargePoint, attempt: AuthorizationAttempt) -> Contract | None:
    """The contract that the central system is asked about; None: only about the idTag.

    A certificate chain goes out only with ``CentralContractValidationAllowed``.
    """
    contract = _shown(state, attempt)
    if contract is None or state.configuration.boolean("CentralContractValidationAllowed"):
        return contract
    return Contract(contract.hashes)


def must_be_asked_about(state: ChargePoint, attempt: AuthorizationAttempt) -> bool:
    """True for a contract that could not be checked in the station, while there is a link.

    List and cache know the id of a contract; they do not know whether this is it.
    """
    contract = _shown(state, attempt)
    return state.online and contract is not None and bool(contract.certificate_chain)


def decide_start(state: ChargePoint, attempt: AuthorizationAttempt) -> Decision | None:
    """Decide on a contract that cannot be asked about now; None: as on any other tag."""
    if state.online:
        return None
    return decide_offline(state, attempt, state.registration)


def decide_offline(
    state: ChargePoint, attempt: AuthorizationAttempt, detail: str
) -> Decision | None:
    """Refuse a contract that could not be checked; None: the offline rules decide on its id."""
    contract = _shown(state, attempt)
    if contract is None:
        return None
    is_checked_here = not contract.certificate_chain
    if is_checked_here and state.configuration.boolean("ContractValidationOffline"):
        return None
    rule = Rule.CONTRACT_UNCHECKED
    return Decision(Verdict.REFUSED, rule, "offline rule", detail=detail)


def _shown(state: ChargePoint, attempt: AuthorizationAttempt) -> Contract | None:
    return attempt.contract if state.configuration.boolean("ISO15118PnCEnabled") else None
