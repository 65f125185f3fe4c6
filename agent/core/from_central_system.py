"""What the central system says, and what it asks for. Requests are answered with ``Reply``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.core import (
    authorization_request,
    availability,
    certificate_requests,
    connection_profile_change,
    local_list,
    outbox,
    own_certificate_requests,
    replies,
    security_events,
    transaction,
    transaction_answer,
)
from agent.core import connector as connectors
from agent.core import events as ev
from agent.core.authorization_reasons import Rule
from agent.core.commands import ApplyConfiguration, ClearCache, Reply, SaveConfigurationKey
from agent.core.configuration import ChangeStatus
from agent.core.events import Event
from agent.core.faults import Fault
from agent.core.replace import replace
from agent.core.replies import because
from agent.core.state import (
    Asked,
    Charging,
    Connector,
    Finished,
    Idle,
    Purpose,
    Starting,
    UnlockRequest,
)
from agent.core.turn import Turn
from agent.core.values import LockState, StopReason, TagRecord


def _link_opened(turn: Turn, event: ev.LinkOpened) -> None:
    connection_profile_change.opened(turn, event)
    certificate_requests.connected(turn, event.chain)
    own_certificate_requests.shown(turn, event)


def _link_accepted(turn: Turn, event: ev.LinkAccepted) -> None:
    outbox.interrupted(turn)
    security_events.link_changed(turn)
    # Errata 3.22: after the boot every connector is reported; after a reconnect we do the same.
    turn.state = replace(turn.state, online=True, registration="Accepted", reported=())
    connection_profile_change.accepted(turn)
    interval_s = event.heartbeat_interval_s
    if interval_s is None or interval_s <= 0:
        return
    changed, status, kept = turn.state.configuration.change("HeartbeatInterval", str(interval_s))
    if status is ChangeStatus.ACCEPTED and changed != turn.state.configuration:
        turn.state = replace(turn.state, configuration=changed)
        turn.emit(
            SaveConfigurationKey("HeartbeatInterval", kept),
            ApplyConfiguration("HeartbeatInterval", kept),
        )


def _link_pending(turn: Turn, event: ev.LinkPending) -> None:
    transaction_answer.starts_stored(turn)
    outbox.interrupted(turn)
    security_events.link_changed(turn)
    turn.state = replace(turn.state, online=False, registration=event.status)


def _link_lost(turn: Turn, event: ev.LinkLost) -> None:
    transaction_answer.starts_stored(turn)
    outbox.interrupted(turn)
    security_events.link_changed(turn)
    turn.state = replace(turn.state, online=False, registration="offline")


def message_answered(turn: Turn, event: ev.MessageAnswered, facts: TagRecord | None) -> None:
    """A message of the outbox was answered; what it says about a tag is remembered."""
    outbox.answered(turn, event)
    if event.info is not None and event.id_tag is not None:
        authorization_request.remember(turn, event.id_tag, event.info)
        local_list.note_conflict(turn, event.id_tag, event.info, facts)
    if event.transaction_id is not None:
        transaction_answer.start_answered(
            turn, event.transaction_ref, event.transaction_id, event.info
        )


def _message_failed(turn: Turn, event: ev.MessageFailed) -> None:
    outbox.failed(turn, event)
    transaction_answer.starts_given_up(turn, event.problem)


def _delivery_interrupted(turn: Turn, event: ev.DeliveryInterrupted) -> None:
    if outbox.is_waiting(turn, event.sequence):
        outbox.interrupted(turn)


def _delivery_held_back(turn: Turn, event: ev.DeliveryHeldBack) -> None:
    outbox.remove_answered(turn)
    outbox.interrupted(turn)


def _outbox_was_empty(turn: Turn, event: ev.OutboxWasEmpty) -> None:
    outbox.was_empty(turn, event)
    transaction_answer.starts_given_up(turn, "it is not in the outbox any more")


def _remote_stop_requested(turn: Turn, event: ev.RemoteStopRequested) -> None:
    named = [
        connector
        for connector in turn.state.connectors
        if connector.transaction is not None
        and connector.transaction.transaction_id == event.transaction_id
    ]
    if not named:
        asked = Asked(Purpose.REMOTE_STOP, request_id=event.request_id)
        detail = f"transactionId {event.transaction_id}"
        replies.refuse(turn, asked, because(Rule.NO_SESSION, detail))
        return
    replies.agree(turn, event.request_id)
    # Some central systems give an id twice: asked again, the next one of that id ends.
    goes_on = [connector for connector in named if isinstance(connector.phase, Charging)]
    for connector in goes_on[:1]:
        transaction.order_stop(turn, connector.connector_id, StopReason.REMOTE)


def _unlock_requested(turn: Turn, event: ev.UnlockRequested) -> None:
    """Errata 3.87: NotSupported for an unknown connector and for one without lock."""
    known = turn.state.has_connector(event.connector_id)
    if not known or not turn.connector(event.connector_id).traits.has_lock:
        asked = Asked(Purpose.UNLOCK, "", (event.connector_id,), event.request_id)
        rule = Rule.NO_LOCK if known else Rule.UNKNOWN_CONNECTOR
        replies.refuse(turn, asked, because(rule), "NotSupported")
        return
    connectors.answer_unlock(turn, event.connector_id, is_unlocked=False)  # one that waits still
    connector = turn.connector(event.connector_id)
    if _is_at_rest_unlocked(connector):
        replies.agree(turn, event.request_id, "Unlocked")
        return
    by_s = turn.now.monotonic_s + turn.state.rules.unlock_s
    _call_off(turn, connector)
    phase = connector.phase
    if isinstance(phase, Starting):
        phase = Idle()  # a start is called off
    elif isinstance(phase, Finished):
        phase = replace(phase, held_for=None)
    turn.put(
        replace(
            turn.connector(event.connector_id),
            phase=phase,
            lock_ordered=None,  # a lock that has jammed is tried again
            unlock_request=UnlockRequest(event.request_id, by_s),
        )
    )
    transaction.order_stop(turn, event.connector_id, StopReason.UNLOCK_COMMAND)


def _call_off(turn: Turn, connector: Connector) -> None:
    """Nobody begins with the plug that is to be let go: neither now nor when a session is over."""
    only_here = (connector.connector_id,)
    begins = [g for g in turn.state.waiting if connector.is_plugged and g.connectors == only_here]
    turn.state = replace(
        turn.state, waiting=tuple(grant for grant in turn.state.waiting if grant not in begins)
    )
    for grant in (*begins, *filter(None, [connector.grant])):
        connectors.give_back(turn, grant, because(Rule.UNLOCKED))


def _is_at_rest_unlocked(connector: Connector) -> bool:
    return (
        isinstance(connector.phase, Idle | Finished)
        and connector.lock is LockState.UNLOCKED
        and connector.lock_ordered is None
        and Fault.LOCK_FAILED not in connector.faults
    )


def _configuration_change_requested(turn: Turn, event: ev.ConfigurationChangeRequested) -> None:
    if connection_profile_change.is_about(event.key):
        connection_profile_change.change_requested(turn, event)
        return
    changed, status, kept = turn.state.configuration.change(event.key, event.value)
    if status is ChangeStatus.ACCEPTED:
        found = changed.find(event.key)
        assert found is not None
        name = found[0].name
        if name in security_events.KEYS and changed != turn.state.configuration:
            security_events.record_reconfiguration(turn, name)
        turn.state = replace(turn.state, configuration=changed)
        turn.emit(SaveConfigurationKey(name, kept), ApplyConfiguration(name, kept))
        if name == "MeterValueSampleInterval":
            _restart_sampling(turn)
    turn.emit(Reply(event.request_id, status.value))


def _restart_sampling(turn: Turn) -> None:
    for connector in turn.state.connectors:
        if isinstance(connector.phase, Charging):
            due_s = transaction.first_sample_s(turn, connector)
            turn.put_phase(connector.connector_id, replace(connector.phase, next_sample_s=due_s))


def _cache_clear_requested(turn: Turn, event: ev.CacheClearRequested) -> None:
    is_enabled = turn.state.configuration.boolean("AuthorizationCacheEnabled")
    if not is_enabled and not event.by_operator:
        turn.emit(Reply(event.request_id, "Rejected"))  # errata 3.23
        return
    turn.emit(ClearCache(), Reply(event.request_id, "Accepted"))


ROUTES: dict[type[Event], Callable[[Turn, Any], None]] = {
    ev.LinkOpened: _link_opened,
    ev.LinkAccepted: _link_accepted,
    ev.LinkPending: _link_pending,
    ev.LinkLost: _link_lost,
    ev.AuthorizeFailed: authorization_request.authorize_failed,
    ev.MessageFailed: _message_failed,
    ev.DeliveryInterrupted: _delivery_interrupted,
    ev.DeliveryHeldBack: _delivery_held_back,
    ev.OutboxWasEmpty: _outbox_was_empty,
    ev.RemoteStopRequested: _remote_stop_requested,
    ev.UnlockRequested: _unlock_requested,
    ev.AvailabilityChangeRequested: availability.change_requested,
    ev.ConfigurationChangeRequested: _configuration_change_requested,
    ev.CacheClearRequested: _cache_clear_requested,
    ev.InstallRootRequested: certificate_requests.install_requested,
    ev.DeleteRootRequested: certificate_requests.delete_requested,
}
