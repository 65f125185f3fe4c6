"""The state before the first event: what the configuration says, and what was stored."""

from __future__ import annotations

import logging

from agent.app.own_certificates import folder_of, tidied, with_file
from agent.config.settings import Settings
from agent.core.certificates import Certificates
from agent.core.charging_profiles import RateUnit
from agent.core.configuration import LIST, SMART, configuration, unfit_values
from agent.core.connection_profile import at_start
from agent.core.connection_profile_change import shown
from agent.core.faults import Fault
from agent.core.firmware_values import Firmware
from agent.core.outbox_row import OutboxRow
from agent.core.ports import Clock
from agent.core.security_event_values import SecurityEvents
from agent.core.state import GRID_LIMIT_W, ChargePoint, Connector, Outbox, Rules, Traits
from agent.core.values import Boot, ListOwner
from agent.ocpp16.requests import package_version
from agent.ocppj.connect import approach_of_file
from agent.runtime.local_list_updates import owner_of
from agent.store import Durable, Store
from hw.ports import Board, ConnectorParts

logger = logging.getLogger(__name__)

_POWER_MARGIN = 1.25  # of what the wiring can carry at the nominal voltage


def initial_state(
    settings: Settings,
    board: Board,
    durable: Durable,
    oldest: OutboxRow | None,
    boot: Boot | None = None,
    random_seed: int = 0,
) -> ChargePoint:
    """The state before the first event: settings, and what was stored."""
    list_owner = owner_of(settings, is_simulated=not board.is_polled)
    keys = configuration(
        len(settings.connectors),
        settings.ocpp.configuration,
        durable.configuration,
        has_lock=any(parts.lock is not None for parts in board.connectors),
        without=LIST if list_owner is ListOwner.LOCAL else "",
    )
    for problem in unfit_values(durable.configuration):
        logger.error("a stored configuration key is unreadable and does not count: %s", problem)
    of_file = approach_of_file(settings.central_system)
    approaches = at_start(durable.approaches, of_file, has_password_file=bool(of_file.password))
    return ChargePoint(
        rules=_rules(settings, list_owner, random_seed),
        configuration=shown(keys, approaches),
        connectors=tuple(_connector(parts, settings, durable) for parts in board.connectors),
        outbox=Outbox(
            next_sequence=durable.next_sequence,
            done=(durable.next_sequence if oldest is None else oldest.sequence) - 1,
            attempts=0 if oldest is None else oldest.attempts,
        ),
        local_list=durable.local_list,
        has_open_grid_limit=durable.has_open_grid_limit,
        inoperative=durable.inoperative,
        # Switched off, nobody could clear them: they wait in the store.
        charging_profiles=durable.charging_profiles if SMART in keys.profiles else (),
        reservations=durable.reservations,
        firmware=_firmware(settings, durable),
        approaches=approaches,
        security=SecurityEvents(queued=1),  # an earlier process may have left some
        certificates=Certificates(durable.certificates),
        own_certificates=with_file(
            tidied(durable.own_certificates, folder_of(settings)),
            settings.central_system.certificate_file,
        ),
        next_transaction_ref=durable.next_transaction_ref,
        boot=boot,
        owes_correction=boot is not None,  # an earlier process may have left some
        is_begun=False,
    )


def resume_registers(board: Board, durable: Durable) -> None:
    """Let each meter's register go on from what was told last. Before the first reading."""
    for parts in board.connectors:
        if parts.meter is not None and parts.connector_id in durable.registers:
            parts.meter.resume(*durable.registers[parts.connector_id])


def agree_on_boot(store: Store, clock: Clock, boot_id: str) -> Boot:
    """Find out which boot this is; a clock that nobody trusts goes on as it was in this boot.

    Raises StoreError.
    """
    now = clock.now()
    boot = store.this_boot(boot_id, now)
    if not now.is_trusted:
        clock.believe(boot.booted_at, boot.is_time_known)
    return boot


def _rules(settings: Settings, list_owner: ListOwner, random_seed: int) -> Rules:
    authorization = settings.authorization
    grid_limit, grid_limit_unit = _grid_limit(settings)
    return Rules(
        authorize_timeout_s=authorization.authorize_timeout_s,
        tap_guard_s=authorization.tap_guard_s,
        allow_random_uid=authorization.allow_random_uid,
        autocharge=authorization.autocharge,
        asks_station=settings.mqtt.enabled and settings.mqtt.process_authorized_token,
        free_charging_id_tag=authorization.free_charging_id_tag,
        supply_a=settings.charge_point.supply_current_a,
        random_delay_max_s=settings.charge_point.random_delay_max_s,
        random_seed=random_seed,
        grid_limit=grid_limit,
        grid_limit_unit=grid_limit_unit,
        expects_link=bool(settings.central_system.url),
        stop_by_second_tap=authorization.stop_by_second_tap,
        remote_start_takes_first=authorization.remote_start_without_connector == "first",
        resume_after_power_loss=authorization.resume_after_power_loss,
        common_name=settings.charge_point.serial_number or settings.charge_point.identity,
        only_installed_roots=settings.central_system.only_installed_roots,
        list_owner=list_owner,
    )


def _grid_limit(settings: Settings) -> tuple[float, RateUnit]:
    contact = settings.inputs.grid_limit
    if contact is None:  # a simulated box has the contact all the same
        return GRID_LIMIT_W, RateUnit.WATT
    if contact.current_a is not None:
        return contact.current_a, RateUnit.AMPERE
    return contact.power_w, RateUnit.WATT


def _firmware(settings: Settings, durable: Durable) -> Firmware:
    told = settings.charge_point.firmware_version
    package = package_version()
    return Firmware(
        # Either of the two may be what an update changes.
        version=f"{told} ({package})" if told else package,
        can_install=bool(settings.firmware.install_command),
        takes_unsigned={"accept": True, "refuse": False}.get(settings.firmware.unsigned),
        restarts_itself=settings.firmware.after_install == "restart",
        wait_s=float(settings.firmware.install_timeout_s),
        update=durable.firmware,
    )


def _connector(parts: ConnectorParts, settings: Settings, durable: Durable) -> Connector:
    operations, is_locked_out = durable.contactors.get(parts.connector_id, (0, False))
    told_wh, offset_wh = durable.registers.get(parts.connector_id, (None, 0))
    return Connector(
        parts.connector_id,
        _traits(parts, settings),
        operations=operations,
        operations_kept=operations,
        offset_kept_wh=offset_wh,
        ended_wh=told_wh,
        faults=frozenset({Fault.CONTACTOR_FAILED} if is_locked_out else ()),
        out_of_service=parts.connector_id in durable.inoperative,
    )


def _traits(parts: ConnectorParts, settings: Settings) -> Traits:
    plugs = {connector.id: connector.plug.driver for connector in settings.connectors}
    return Traits(
        has_lock=parts.lock is not None,
        has_plug=parts.plug is not None,
        has_pilot=parts.pilot is not None,
        has_meter=parts.meter is not None,
        plug_sees_vehicle=plugs.get(parts.connector_id) == "pilot",
        max_current_a=settings.charge_point.max_current_a,
        max_power_w=_POWER_MARGIN
        * settings.charge_point.max_current_a
        * settings.charge_point.nominal_voltage_v
        * settings.charge_point.phases,
        phases=settings.charge_point.phases,
        nominal_voltage_v=settings.charge_point.nominal_voltage_v,
    )
