"""One charging session from start to stop, as a record and its messages (OCPP 1.6 chapter 4)."""

from __future__ import annotations

from datetime import datetime

from agent.core import (
    charge_log,
    charging_profiles_applied,
    charging_profiles_installed,
    clock_trust,
    meter_values,
    meter_values_stop,
    outbox,
    random_delay,
    replies,
    reservations,
    transaction_answer,
)
from agent.core.charging_profiles import InstalledProfile
from agent.core.commands import EndTransaction, SaveTransaction
from agent.core.configuration import UNLOCKS
from agent.core.faults import Fault
from agent.core.figures import Figures
from agent.core.id_tag import same_tag
from agent.core.replace import replace
from agent.core.state import (
    NO_LIMITS,
    Charging,
    Connector,
    Finished,
    GrantedAuthorization,
    Running,
    StopOrder,
    Stopping,
)
from agent.core.turn import Turn
from agent.core.values import (
    ConnectorMeasured,
    MeterSample,
    Reading,
    SampledValue,
    StopReason,
    Transaction,
    TransactionBegan,
    TransactionEnded,
)


def begin(turn: Turn, connector: Connector, grant: GrantedAuthorization) -> None:
    """Open a transaction: its record and StartTransaction go into the same commit."""
    transaction = _record(turn, connector, grant)
    transaction = meter_values_stop.begun(turn, transaction, connector.reading)
    start_sequence = turn.state.outbox.next_sequence
    reservation_id = reservations.use(
        turn, connector.connector_id, grant.id_tag, grant.parent_id_tag
    )
    turn.state = replace(turn.state, next_transaction_ref=transaction.ref + 1)
    turn.put_phase(
        connector.connector_id,
        Charging(
            transaction,
            start_sequence,
            grant.request_id,
            grant.limits,
            settling_until_s=turn.now.monotonic_s + turn.state.rules.settling_s,
            delay=random_delay.of_start(turn, transaction.ref),
            next_sample_s=first_sample_s(turn, connector),
        ),
    )
    turn.emit(SaveTransaction(transaction))
    outbox.queue(
        turn,
        transaction.ref,
        TransactionBegan(
            connector.connector_id,
            grant.id_tag,
            transaction.meter_start_wh,
            transaction.begun_at,
            reservation_id,
        ),
    )
    if grant.profile is not None:
        new = InstalledProfile(grant.profile, connector.connector_id, transaction.ref)
        charging_profiles_installed.install(turn, new)
    charging_profiles_applied.update(turn)  # before anything is offered
    if not turn.state.online:
        transaction_answer.start_stored(turn, connector.connector_id)


def _record(turn: Turn, connector: Connector, grant: GrantedAuthorization) -> Transaction:
    register_wh = 0 if connector.reading is None else connector.reading.import_wh
    return Transaction(
        ref=turn.state.next_transaction_ref,
        connector_id=connector.connector_id,
        id_tag=grant.id_tag,
        begun_at=turn.now.utc,
        begun_monotonic_s=turn.now.monotonic_s,
        meter_start_wh=register_wh,
        last_wh=register_wh,
        last_at=turn.now.utc,
        parent_id_tag=grant.parent_id_tag,
        boot=turn.time_mark,
        is_limited=grant.limits != NO_LIMITS,
        figures=Figures(grant.rule, grant.source, open_since_s=turn.now.monotonic_s),
        begun_boot=turn.time_mark,
    )


def first_sample_s(turn: Turn, connector: Connector) -> float | None:
    """Monotonic time of the first sample of a grid that begins now; None without a meter."""
    if not connector.traits.has_meter:
        return None
    interval_s = turn.state.configuration.integer("MeterValueSampleInterval")
    return meter_values.first_sample_s(turn.now.monotonic_s, interval_s)


def sample(turn: Turn, connector_id: int, reading: Reading) -> None:
    """Queue the sample that was asked for, and keep what StopTransaction will carry of it."""
    charging = turn.connector(connector_id).phase
    if not isinstance(charging, Charging) or not charging.sample_asked:
        return
    keys = turn.state.configuration
    sampled_at = clock_trust.not_before_last(turn, charging.transaction, reading.read_at)
    keep_values(
        turn,
        connector_id,
        replace(charging, sample_asked=False),
        reading,
        MeterSample(
            sampled_at,
            meter_values.sampled_values(reading, keys.measurands("MeterValuesSampledData")),
        ),
        meter_values.values_of(
            reading, keys.measurands(meter_values_stop.SAMPLED), meter_values.PERIODIC
        ),
    )


def keep_values(
    turn: Turn,
    connector_id: int,
    session: Running,
    reading: Reading,
    sample: MeterSample,
    for_stop: tuple[SampledValue, ...],
) -> None:
    """Queue one MeterValues, and keep the register for the case that power is lost."""
    transaction = session.transaction
    transaction = replace(
        transaction,
        last_wh=max(transaction.last_wh, reading.import_wh),
        last_at=clock_trust.not_before_last(turn, transaction, turn.now.utc),
        boot=turn.time_mark,
        figures=transaction.figures.until(turn.now.monotonic_s),
    )
    turn.emit(SaveTransaction(transaction))
    transaction = meter_values_stop.keep(turn, transaction, sample.sampled_at, for_stop)
    turn.put_phase(connector_id, replace(session, transaction=transaction))
    if sample.values:
        message = ConnectorMeasured(connector_id, sample.sampled_at, sample.values)
        outbox.queue(turn, transaction.ref, message)


def order_stop(
    turn: Turn,
    connector_id: int,
    reason: StopReason,
    id_tag: str | None = None,
    at_once: bool = False,
) -> None:
    """Begin to end the transaction of this connector; a second order changes nothing.

    The contactor opens when the vehicle has stopped drawing, after 3 s at the latest, or at once.
    """
    charging = turn.connector(connector_id).phase
    if not isinstance(charging, Charging):
        return
    now_s = turn.now.monotonic_s
    rules = turn.state.rules
    open_by_s = now_s if at_once else now_s + rules.graceful_open_s
    stop = StopOrder(
        reason=reason,
        id_tag=id_tag,
        open_by_s=open_by_s,
        give_up_s=open_by_s + rules.contactor_s + rules.meter_s,
    )
    turn.put_phase(
        connector_id,
        Stopping(
            charging.transaction,
            charging.start_sequence,
            charging.request_id,
            charging.limits,
            charging.limit_a,
            charging.grace_until_wh,
            charging.vehicle_seen,
            charging.is_disconnected,
            stop=stop,
        ),
    )


def end(turn: Turn, connector: Connector, ending: Stopping, register_wh: int) -> None:
    """Close the transaction: StopTransaction and the end of the record in the same commit."""
    transaction, stop = ending.transaction, ending.stop
    held = connector.traits.has_lock and _keeps_cable(turn, connector, stop.reason)
    turn.put(
        replace(
            turn.connector(connector.connector_id),
            phase=Finished(
                held_for=transaction if held else None,
                vehicle_seen=ending.vehicle_seen,
                is_disconnected=ending.is_disconnected,
            ),
            used_by=transaction.id_tag,
            ended_wh=max(transaction.meter_start_wh, register_wh),
            weld_told_wh=0,
            ended_by=stop.id_tag,
            ended_at_s=turn.now.monotonic_s,
        )
    )
    is_fresh = stop.meter_done and not stop.is_found and Fault.METER not in connector.faults
    reading = connector.reading if is_fresh else None
    has_meter = connector.traits.has_meter
    ended_at = stop.ended_at or turn.now.utc
    queue_stop(turn, transaction, register_wh, ended_at, stop, reading, has_meter)
    replies.agree(turn, stop.request_id, "applied")
    detail = "over before the central system answered StartTransaction"
    replies.agree(turn, ending.request_id, "applied", detail)


def _keeps_cable(turn: Turn, connector: Connector, reason: StopReason) -> bool:
    """True if the cable stays locked until the same card or group is presented, or UnlockConnector.

    After DeAuthorized (errata 3.5), and when it was pulled off the vehicle (section 4.10).
    """
    if connector.unlock_request is not None:
        return False
    if reason is StopReason.EV_DISCONNECTED:
        return not turn.state.configuration.boolean(UNLOCKS)
    return reason is StopReason.DE_AUTHORIZED


def queue_stop(
    turn: Turn,
    transaction: Transaction,
    register_wh: int,
    ended_at: datetime,
    stop: StopOrder,
    reading: Reading | None = None,
    has_meter: bool = True,
) -> None:
    """Queue StopTransaction and end the record. The register never ends below its start.

    ``reading`` is the meter at the end, if it was read then.
    """
    is_time_of_record = stop.is_found and stop.ended_at is not None
    mark = transaction.boot if is_time_of_record else turn.time_mark
    if not is_time_of_record:
        ended_at = clock_trust.not_before_last(turn, transaction, ended_at)
    register_wh = max(transaction.meter_start_wh, register_wh)
    samples: tuple[MeterSample, ...] = ()
    if has_meter:
        samples = meter_values_stop.at_end(turn, transaction, register_wh, ended_at, reading, mark)
    ended = TransactionEnded(
        meter_stop_wh=register_wh,
        ended_at=ended_at,
        reason=stop.reason,
        id_tag=stop.id_tag,
        samples=samples,
    )
    charge_log.log(turn, transaction, ended, mark)
    turn.emit(EndTransaction(transaction.ref, register_wh))
    outbox.queue(turn, transaction.ref, ended, boot=mark)


def reason_to_end(turn: Turn, connector: Connector, charging: Charging) -> StopReason | None:
    """Why a session that works well ends by itself now; None: it goes on."""
    if connector.is_deauthorized and turn.state.configuration.boolean("StopTransactionOnInvalidId"):
        return StopReason.DE_AUTHORIZED
    ends_s = limit_s(charging)
    if ends_s is not None and turn.now.monotonic_s >= ends_s:
        return StopReason.LOCAL
    if charging.limits.energy_wh is not None:
        register, start_wh = connector.reading, charging.transaction.meter_start_wh
        used_wh = 0 if register is None else register.import_wh - start_wh
        if used_wh >= charging.limits.energy_wh:
            return StopReason.LOCAL
    return None


def limit_s(charging: Charging) -> float | None:
    """Monotonic time at which the session ends by itself; None: no such limit."""
    if charging.limits.duration_s is None:
        return None
    return charging.transaction.begun_monotonic_s + charging.limits.duration_s


def belongs_to(transaction: Transaction, id_tag: str, parent_id_tag: str | None) -> bool:
    """True if the tag started this transaction, or is of its group."""
    return same_tag(id_tag, transaction.id_tag) or same_tag(
        parent_id_tag, transaction.parent_id_tag
    )
