"""What became of a StartTransaction: answered, kept for later, or given up (OCPP 1.6, 4.8)."""

from __future__ import annotations

from agent.core import replies
from agent.core.authorization_reasons import Rule
from agent.core.authorization_rules import Decision
from agent.core.commands import SaveTransaction
from agent.core.replace import replace
from agent.core.state import Asked, Connector, Purpose, Running, Session
from agent.core.turn import Turn
from agent.core.values import AuthorizationStatus, IdTagInfo, Transaction, Verdict

_STORED = "stored, to be delivered later"


def start_answered(turn: Turn, ref: int, transaction_id: int, info: IdTagInfo | None) -> None:
    """StartTransaction.conf came: take the transactionId, the group, and the verdict.

    OCPP 1.6 section 4.8 and errata 3.17: a status other than Accepted stops the transaction, or
    only its energy, as StopTransactionOnInvalidId says; so also for sessions started offline.
    """
    for connector in turn.state.connectors:
        session = connector.phase
        if not isinstance(session, Session) or session.transaction.ref != ref:
            continue
        transaction = replace(session.transaction, transaction_id=transaction_id)
        if info is not None:
            transaction = _informed(transaction, info)
        session = replace(session, transaction=transaction)
        turn.put_phase(connector.connector_id, session)
        turn.emit(SaveTransaction(transaction))
        if transaction.deauthorized:
            _grant_grace(turn, connector, session)
            _refuse_session(turn, connector.connector_id, transaction, info)
        else:
            _answer(turn, connector.connector_id, info=info)


def starts_stored(turn: Turn) -> None:
    """The link is gone: sessions go on, and their starts wait in the outbox."""
    for connector in turn.state.connectors:
        start_stored(turn, connector.connector_id)


def start_stored(turn: Turn, connector_id: int) -> None:
    """Without a link this session goes on, and its start waits in the outbox."""
    _answer(turn, connector_id, _STORED)


def starts_given_up(turn: Turn, problem: str) -> None:
    """The outbox has moved on: sessions whose StartTransaction was never answered go on."""
    for connector in turn.state.connectors:
        session = connector.phase
        if isinstance(session, Session) and session.start_sequence <= turn.state.outbox.done:
            detail = f"StartTransaction was given up: {problem}"
            _answer(turn, connector.connector_id, detail)


def _informed(transaction: Transaction, info: IdTagInfo) -> Transaction:
    return replace(
        transaction,
        parent_id_tag=info.parent_id_tag or transaction.parent_id_tag,
        deauthorized=info.status is not AuthorizationStatus.ACCEPTED,
    )


def _grant_grace(turn: Turn, connector: Connector, session: Running) -> None:
    """MaxEnergyOnInvalidId: this much may still flow, counted from now (section 9.1.15)."""
    most_wh = turn.state.configuration.integer("MaxEnergyOnInvalidId")
    if most_wh > 0 and connector.reading is not None and session.grace_until_wh is None:
        until_wh = connector.reading.import_wh + most_wh
        turn.put_phase(connector.connector_id, replace(session, grace_until_wh=until_wh))


def _answer(turn: Turn, connector_id: int, detail: str = "", info: IdTagInfo | None = None) -> None:
    """Tell the operator who asked for this session that it has begun, once."""
    replies.agree(turn, _take_request(turn, connector_id), "applied", detail, info)


def _refuse_session(
    turn: Turn, connector_id: int, transaction: Transaction, info: IdTagInfo | None
) -> None:
    """The central system does not want this session: kept, and answered to who asked for it."""
    request_id = _take_request(turn, connector_id)
    asked = Asked(Purpose.START, transaction.id_tag, (connector_id,), request_id)
    source = "central system"
    replies.refuse(
        turn, asked, Decision(Verdict.REFUSED, Rule.DEAUTHORIZED, source, info), "rejected"
    )


def _take_request(turn: Turn, connector_id: int) -> str | None:
    """Who waits for the acceptance of this session; it is answered once."""
    session = turn.connector(connector_id).phase
    if not isinstance(session, Session) or session.request_id is None:
        return None
    turn.put_phase(connector_id, replace(session, request_id=None))
    return session.request_id
