"""What is reported to the outside: the OCPP status of each connector.

The status is computed from what is known, never stored: it cannot stick (OCPP 1.6 section 4.9).
"""

from __future__ import annotations

from datetime import timedelta

from agent.core import availability, connector_choice, connector_energy, faults
from agent.core.commands import NotifyStatus
from agent.core.replace import replace
from agent.core.state import ChargePoint, Charging, Connector, Finished, Shown, Starting, Stopping
from agent.core.turn import Turn
from agent.core.values import Instant, PilotState, Status, StatusReport

CHARGE_POINT = 0  # connectorId of the charge point itself
DISCONNECTED = "EV side disconnected"  # the words of section 4.9
_STEP_S = 1.0
_ENERGY_PHASE = (Status.CHARGING, Status.SUSPENDED_EV, Status.SUSPENDED_EVSE)


def update(turn: Turn) -> None:
    """Notify the central system of every report that differs from the last one it got.

    A change of status waits until it has lasted for MinimumStatusDuration (section 9.1.24); what
    is reported first over a link, and errors that come and go with the status unchanged, do not.
    """
    _note_shown(turn)
    if not turn.state.online:
        return
    reported_by_id = {report.connector_id: report for report in turn.state.reported}
    shown = list(turn.state.shown)
    for number, item in enumerate(shown):
        before = reported_by_id.get(item.report.connector_id)
        if before == item.report or turn.now.monotonic_s < _due_s(turn.state, before, item):
            continue
        report = _next_step(before, item.report)
        lasted = timedelta(seconds=turn.now.monotonic_s - item.since_s)
        turn.emit(NotifyStatus(report, None if item.is_told else turn.now.utc - lasted))
        reported_by_id[report.connector_id] = report
        shown[number] = replace(item, is_told=report == item.report)
    reported = tuple(reported_by_id.values())
    if reported != turn.state.reported:
        turn.state = replace(turn.state, reported=reported, shown=tuple(shown))


def next_report_s(state: ChargePoint, now: Instant) -> float | None:
    """Monotonic time at which the next report is due; None: the central system knows all."""
    if not state.online:
        return None
    reported_by_id = {report.connector_id: report for report in state.reported}
    due = [
        _due_s(state, reported_by_id.get(item.report.connector_id), item)
        for item in state.shown
        if reported_by_id.get(item.report.connector_id) != item.report
    ]
    # What is overdue is a second step: it follows when the first has had time to go out.
    later = now.monotonic_s + _STEP_S
    return min((due_s if due_s > now.monotonic_s else later for due_s in due), default=None)


def _note_shown(turn: Turn) -> None:
    before = {item.report.connector_id: item for item in turn.state.shown}
    after = []
    for report in reports(turn.state, turn.now):
        item = before.get(report.connector_id)
        if item is None or item.report != report:
            _tell_way(turn, item, report)
            item = Shown(report, turn.now.monotonic_s)
        after.append(item)
    if tuple(after) != turn.state.shown:
        turn.state = replace(turn.state, shown=tuple(after))


def _tell_way(turn: Turn, passed: Shown | None, report: StatusReport) -> None:
    """A status that did not last is reported if there is no way past it (section 4.9)."""
    if passed is None or not turn.state.online:
        return
    reported_by_id = {other.connector_id: other for other in turn.state.reported}
    before = reported_by_id.get(report.connector_id)
    if before in (None, passed.report) or is_way(before.status, report.status):
        return
    lasted = timedelta(seconds=turn.now.monotonic_s - passed.since_s)
    turn.emit(NotifyStatus(passed.report, turn.now.utc - lasted))
    reported_by_id[report.connector_id] = passed.report
    turn.state = replace(turn.state, reported=tuple(reported_by_id.values()))


def _due_s(state: ChargePoint, before: StatusReport | None, item: Shown) -> float:
    is_fault = item.report.error_code != "NoError"  # goes out at once
    if before is None or is_fault or before.status is item.report.status:
        return item.since_s
    return item.since_s + state.configuration.integer("MinimumStatusDuration")


def _next_step(before: StatusReport | None, report: StatusReport) -> StatusReport:
    """Where there is no way from one status to the next, it goes over one between (section 4.9).

    Not out of a session: what ends it has a way of its own, and Available would be untrue.
    """
    if before is None or before.status in _ENERGY_PHASE:
        return report
    if is_way(before.status, report.status):
        return report
    # From Available there is a way to all but Finishing, and that one is reached from Preparing.
    between = Status.PREPARING if report.status is Status.FINISHING else Status.AVAILABLE
    return StatusReport(report.connector_id, between)


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
        frozenset(f for f in state.faults_of(connector) if faults.RULES[f].shows_faulted)
    )
    if fault is not None:
        rule = faults.rule_of(fault, connector.part_fault)
        return StatusReport(
            connector.connector_id, status, rule.error_code, rule.words, rule.vendor_error_code
        )
    if connector.pilot in (PilotState.E, PilotState.F):
        words = f"control pilot in state {connector.pilot.value}"
        return StatusReport(connector.connector_id, status, "EVCommunicationError", words)
    is_shown = connector.is_disconnected and status in (Status.SUSPENDED_EV, Status.FINISHING)
    return StatusReport(connector.connector_id, status, info=DISCONNECTED if is_shown else "")


def status_of(state: ChargePoint, connector: Connector, now: Instant) -> Status:
    """The OCPP status of one connector (sections 4.9 and 7.7).

    Faulted wins, except over a session that goes on in spite of the fault.
    """
    running = isinstance(connector.phase, Charging)
    present = [faults.RULES[f] for f in state.faults_of(connector)]
    if any(rule.shows_faulted and not (running and not rule.stop_reason) for rule in present):
        return Status.FAULTED
    match connector.phase:
        case Charging() as charging:
            return _status_while_charging(state, connector, charging, now)
        case Stopping():
            return Status.FINISHING
        case Starting():
            return Status.PREPARING
    if connector.out_of_service:
        return Status.UNAVAILABLE
    if isinstance(connector.phase, Finished):
        return Status.FINISHING
    if _is_promised(state, connector):
        return Status.PREPARING
    if connector_choice.is_kept(state, connector):
        return Status.RESERVED  # whoever plugs in: no transition leads from there to Preparing
    return Status.PREPARING if connector.plugged else Status.AVAILABLE


def _status_while_charging(
    state: ChargePoint, connector: Connector, charging: Charging, now: Instant
) -> Status:
    if now.monotonic_s < charging.settling_until_s:
        return Status.PREPARING  # the vehicle has just been offered current; ends with the closing
    if charging.is_disconnected and connector_energy.is_granted(state, connector):
        return Status.SUSPENDED_EV
    if not connector_energy.is_allowed(state, connector):
        return Status.SUSPENDED_EVSE  # wins over SuspendedEV (section 4.9)
    if connector.asks_for_energy and connector.contactor_closed:
        return Status.CHARGING
    # Asking again after a pause, and the contactor on its way: still what it was in the pause.
    is_coming_back = charging.vehicle_paused and connector.close_ordered
    is_waiting_for_us = connector.asks_for_energy and not is_coming_back
    return Status.SUSPENDED_EVSE if is_waiting_for_us else Status.SUSPENDED_EV


def _is_promised(state: ChargePoint, connector: Connector) -> bool:
    """True if an accepted tag can only mean this connector."""
    only_here = (connector.connector_id,)
    return any(grant.connectors == only_here for grant in state.waiting)


_COLUMNS = (
    Status.AVAILABLE,
    Status.PREPARING,
    Status.CHARGING,
    Status.SUSPENDED_EV,
    Status.SUSPENDED_EVSE,
    Status.FINISHING,
    Status.RESERVED,
    Status.UNAVAILABLE,
    Status.FAULTED,
)
_ROWS = {
    Status.AVAILABLE: ".XXXX.XXX",
    Status.PREPARING: "X.XXXX..X",
    Status.CHARGING: "X..XXX.XX",
    Status.SUSPENDED_EV: "X.X.XX.XX",
    Status.SUSPENDED_EVSE: "X.XX.X.XX",
    Status.FINISHING: "XX.....XX",
    Status.RESERVED: "XX.....XX",
    Status.UNAVAILABLE: "XXXXX...X",
    Status.FAULTED: "XXXXXXXX.",
}


def is_way(before: Status, after: Status) -> bool:
    """True if a connector may be reported as ``after`` when ``before`` was reported last."""
    return before is after or _ROWS[before][_COLUMNS.index(after)] == "X"
