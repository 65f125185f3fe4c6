"""What the outside is told: the OCPP status of each connector, and the signal at the box.

The status is computed from what is known, never stored: it cannot stick (OCPP 1.6 section 4.9).
"""

from __future__ import annotations

from agent.core import availability, faults
from agent.core import connector as connectors
from agent.core.commands import NotifyStatus, ShowSignal, Signal
from agent.core.state import ChargePoint, Connector, Phase
from agent.core.turn import Turn
from agent.core.values import Instant, PilotState, Status, StatusReport

CHARGE_POINT = 0  # connectorId of the charge point itself


def report_changes(turn: Turn) -> None:
    """Notify the central system of every report that differs from what it was told last."""
    if not turn.state.online:
        return
    told = {report.connector_id: report for report in turn.state.reported}
    current = reports(turn.state, turn.now)
    news = [report for report in current if told.get(report.connector_id) != report]
    if news:
        turn.order(*(NotifyStatus(report) for report in news))
        turn.change(reported=current)


def reports(state: ChargePoint, now: Instant) -> tuple[StatusReport, ...]:
    """The current report of the charge point and of every connector."""
    return (
        _charge_point_report(state),
        *(_connector_report(state, connector, now) for connector in state.connectors),
    )


def _charge_point_report(state: ChargePoint) -> StatusReport:
    fault = faults.worst(state.faults)
    is_out = availability.is_charge_point_out(state)
    in_service = Status.UNAVAILABLE if is_out else Status.AVAILABLE
    if fault is None:
        return StatusReport(CHARGE_POINT, in_service)
    rule = faults.RULES[fault]
    status = Status.FAULTED if rule.shows_faulted else in_service
    return StatusReport(CHARGE_POINT, status, rule.error_code, rule.words)


def _connector_report(state: ChargePoint, connector: Connector, now: Instant) -> StatusReport:
    status = status_of(state, connector, now)
    fault = faults.worst(
        frozenset(
            f for f in connectors.all_faults(state, connector) if faults.RULES[f].shows_faulted
        )
    )
    if fault is not None:
        rule = faults.rule_of(fault, connector.part_fault)
        return StatusReport(
            connector.connector_id, status, rule.error_code, rule.words, rule.vendor_error_code
        )
    if connector.pilot in (PilotState.E, PilotState.F):
        words = f"control pilot in state {connector.pilot.value}"
        return StatusReport(connector.connector_id, status, "EVCommunicationError", words)
    return StatusReport(connector.connector_id, status)


def status_of(state: ChargePoint, connector: Connector, now: Instant) -> Status:
    """The OCPP status of one connector (sections 4.9 and 7.7).

    Faulted wins, except over a session that goes on in spite of the fault.
    """
    running = connector.phase is Phase.CHARGING
    present = [faults.RULES[f] for f in connectors.all_faults(state, connector)]
    if any(rule.shows_faulted and not (running and not rule.stop_reason) for rule in present):
        return Status.FAULTED
    match connector.phase:
        case Phase.CHARGING:
            return _status_while_charging(state, connector, now)
        case Phase.STOPPING | Phase.FINISHED:
            return Status.FINISHING
        case Phase.STARTING:
            return Status.PREPARING
    if connector.out_of_service:
        return Status.UNAVAILABLE
    in_use = connector.plugged or _is_promised(state, connector)
    return Status.PREPARING if in_use else Status.AVAILABLE


def _status_while_charging(state: ChargePoint, connector: Connector, now: Instant) -> Status:
    if now.monotonic_s < connector.settling_until_s:
        return Status.PREPARING  # the vehicle has just been offered current; ends with the closing
    if not connectors.energy_allowed(state, connector):
        return Status.SUSPENDED_EVSE  # wins over SuspendedEV (section 4.9)
    if connector.asks_for_energy and connector.contactor_closed:
        return Status.CHARGING
    # Asking again after a pause, and the contactor on its way: still what it was in the pause.
    is_coming_back = connector.vehicle_paused and connector.close_ordered
    is_waiting_for_us = connector.asks_for_energy and not is_coming_back
    return Status.SUSPENDED_EVSE if is_waiting_for_us else Status.SUSPENDED_EV


def _is_promised(state: ChargePoint, connector: Connector) -> bool:
    """True if an accepted tag can only mean this connector."""
    only_here = (connector.connector_id,)
    return any(grant.connectors == only_here for grant in state.waiting)


def show_signal(turn: Turn, before: ChargePoint) -> None:
    """Show the lasting signal of the box when it has changed; short ones come with decisions."""
    signal = lasting_signal(turn.state)
    if signal is not lasting_signal(before):
        turn.order(ShowSignal(signal))


def lasting_signal(state: ChargePoint) -> Signal:
    """What the indicator shows as long as nothing happens."""
    every_fault = state.faults.union(*(c.faults for c in state.connectors))
    if any(faults.RULES[fault].shows_faulted for fault in every_fault):
        return Signal.FAULT
    charging = [c for c in state.connectors if c.phase is Phase.CHARGING]
    if any(c.contactor_closed for c in charging):
        return Signal.CHARGING
    if charging:
        return Signal.PAUSED
    if state.waiting:
        return Signal.WAITING_FOR_PLUG
    return Signal.FREE
