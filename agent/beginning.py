"""The state before the first event: what the configuration says, and what was stored."""

from __future__ import annotations

from agent.core.configuration import configuration
from agent.core.state import ChargePoint, Connector, Outbox, Rules, Traits
from agent.core.values import Boot, QueuedMessage
from agent.list_updates import owner_of
from agent.ports import Clock
from agent.settings import Settings
from agent.store import Durable, Store
from hw.ports import Board, ConnectorParts

_POWER_MARGIN = 1.25  # of what the wiring can carry at the nominal voltage


def initial_state(
    settings: Settings,
    board: Board,
    durable: Durable,
    oldest: QueuedMessage | None,
    boot: Boot | None = None,
) -> ChargePoint:
    """The state before the first event: settings, and what was stored."""
    authorization = settings.authorization
    return ChargePoint(
        rules=Rules(
            authorize_timeout_s=authorization.authorize_timeout_s,
            tap_guard_s=authorization.tap_guard_s,
            allow_random_uid=authorization.allow_random_uid,
            autocharge=authorization.autocharge,
            free_charging_id_tag=authorization.free_charging_id_tag,
            stop_by_second_tap=authorization.stop_by_second_tap,
            remote_start_takes_first=authorization.remote_start_without_connector == "first",
            resume_after_power_loss=authorization.resume_after_power_loss,
            list_owner=owner_of(settings, is_simulated=not board.is_polled),
        ),
        configuration=configuration(
            len(settings.connectors), settings.ocpp.configuration, durable.configuration
        ),
        connectors=tuple(
            Connector(
                parts.connector_id,
                _traits(parts, settings),
                out_of_service=parts.connector_id in durable.inoperative,
            )
            for parts in board.connectors
        ),
        outbox=Outbox(
            next_sequence=durable.next_sequence,
            done=(durable.next_sequence if oldest is None else oldest.sequence) - 1,
            attempts=0 if oldest is None else oldest.attempts,
        ),
        local_list=durable.local_list,
        inoperative=durable.inoperative,
        next_transaction_ref=durable.next_transaction_ref,
        boot=boot,
        owes_correction=boot is not None,  # an earlier process may have left some
        is_begun=False,
    )


def agree_on_boot(store: Store, clock: Clock, boot_id: str) -> Boot:
    """Find out which boot this is; a clock that nobody trusts goes on as it was in this boot.

    Raises StoreError.
    """
    now = clock.now()
    boot = store.this_boot(boot_id, now)
    if not now.is_trusted:
        clock.believe(boot.booted_at, boot.is_time_known)
    return boot


def _traits(parts: ConnectorParts, settings: Settings) -> Traits:
    return Traits(
        has_lock=parts.lock is not None,
        has_plug=parts.plug is not None,
        has_pilot=parts.pilot is not None,
        has_meter=parts.meter is not None,
        max_current_a=settings.charge_point.max_current_a,
        max_power_w=_POWER_MARGIN
        * settings.charge_point.max_current_a
        * settings.charge_point.nominal_voltage_v
        * settings.charge_point.phases,
    )
