"""How answers look in a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from textwrap import wrap
from typing import Any

from agent.cli.console import GREEN, PLAIN, RED, YELLOW, StyledLine
from agent.core.authorization_reasons import FREE_CHARGING
from agent.maintenance.findings import Finding
from agent.platform.local_time import local_time

_STATUS_COLOURS = {
    "Available": GREEN,
    "Charging": GREEN,
    "SuspendedEV": YELLOW,
    "SuspendedEVSE": YELLOW,
    "Unavailable": YELLOW,
    "Faulted": RED,
}
_VERDICT_COLOURS = {"PASS": GREEN, "NOTE": PLAIN, "SKIP": YELLOW, "FAIL": RED}


def status_lines(status: Mapping[str, Any]) -> list[str]:
    """The answer of ``status`` as lines for a person."""
    lines = [*_link_lines(status["link"], status)]
    lines += [StyledLine(f"fault        {words}", "fault", RED) for words in status["faults"]]
    for connector in status["connectors"]:
        lines += _connector_lines(connector)
    for card in status["cards_waiting_for_a_plug"]:
        lines.append(f"card         {card['id_tag']} is accepted and waits for a plug")
    lines += [f"card         {tag} is being checked" for tag in status["cards_being_checked"]]
    lines += _outbox_lines(status["outbox"])
    lines += _certificate_lines(status.get("certificates", ()))
    lines += [
        StyledLine(f"certificate  {words}", words, YELLOW)
        for words in status.get("own_certificate", ())
    ]
    if status.get("firmware"):
        lines.append(f"firmware     {status['firmware']}")
    if status["simulated"]:
        lines.append("hardware     simulated")
    if "bus" in status:
        lines += _bus_lines(status["bus"])
    if "house" in status:
        lines += _broker_lines("house", status["house"])
    return lines


def _certificate_lines(certificates: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """That of this box, and those near their end; all of them are in the JSON."""
    for found in certificates:
        at = local_time(found["ends_at"])
        line = f"certificate  {found['what']} ends {at}: {found['subject']}"
        if found["ends_soon"]:
            yield StyledLine(line, f"ends {at}", YELLOW)
        elif found.get("is_own"):
            yield line


def _broker_lines(name: str, client: Mapping[str, Any]) -> Iterator[str]:
    words = "connected to" if client["connected"] else "no broker at"
    yield f"{name:12} {words} {client['broker']}"
    if client["problem"]:
        yield f"             {client['problem']}"
    for what, count in client["dropped"].items():
        yield f"             dropped: {count} {what}"


def _bus_lines(bus: Mapping[str, Any]) -> Iterator[str]:
    yield from _broker_lines("station bus", bus)
    if bus["no_authorization"]:
        yield "             free charging is on: no_authorization is accepted"
    if bus["autocharge"]:
        yield "             autocharge is on: the address of a vehicle is taken for a card"
    if bus["accepts_cs_updates"]:
        yield "             updates on cs/josev begin and end sessions"


def _link_lines(link: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[str]:
    if not link["url"]:
        yield "link         no central system is configured; the box decides by itself"
        return
    if link["is_accepted"]:
        yield StyledLine(f"link         accepted by {link['url']}", "accepted by", GREEN)
        yield f"             connected since {local_time(link['connected_since'])}"
    elif link["connected_since"]:
        registration = link["registration"] or "no answer yet"
        line = f"link         connected to {link['url']}, boot: {registration}"
        yield StyledLine(line, "connected to", YELLOW)
    else:
        yield StyledLine(f"link         not connected to {link['url']}", "not connected to", YELLOW)
        if link["next_try_in_s"] is not None:
            yield f"             next try in {link['next_try_in_s']:.0f} s"
    if link["last_problem"] and not link["is_accepted"]:
        yield f"             {link['last_problem']}"
    if link.get("last_pong_at"):
        took_ms = 1000 * link["last_pong_took_s"]
        at = local_time(link["last_pong_at"])
        yield f"             last ping answered {at}, after {took_ms:.0f} ms"
    if link["in_flight"]:
        yield f"             waiting for the answer to {link['in_flight']}"


def _connector_lines(connector: Mapping[str, Any]) -> Iterator[str]:
    status = connector["status"]
    line = f"connector {connector['id']}  {status}: {connector['in_words']}"
    yield StyledLine(line, status, _STATUS_COLOURS.get(status, PLAIN))
    if connector["error_code"] != "NoError":
        yield f"             {connector['error_code']}: {connector['info']}"
        if connector.get("look_at"):
            yield f"             look at: {connector['look_at']}"
    parts = [
        None if connector["plugged"] is None else f"plug {'in' if connector['plugged'] else 'out'}",
        connector["lock"],
        None if connector["pilot"] is None else f"pilot {connector['pilot']}",
        f"contactor {connector['contactor']}",
    ]
    if connector["offered_current_a"]:
        parts.append(f"{connector['offered_current_a']:g} A offered")
    yield "             " + ", ".join(part for part in parts if part)
    limit = connector["limit"]
    if limit["source"] != "wiring":
        yield from (f"             {part}" for part in wrap(f"limited to {limit['words']}", 67))
    session = connector["session"]
    if session is not None:
        number = session["transaction_id"]
        known_as = "no number yet" if number is None else f"number {number}"
        minutes, seconds = divmod(session["duration_s"], 60)
        yield (
            f"             session {session['ref']} ({known_as}) of {_whose(session)}: "
            f"{session['energy_wh']} Wh in {minutes}:{seconds:02}"
        )
    meter = connector["meter"]
    if meter is not None:
        power = "" if meter["power_w"] is None else f", {meter['power_w']:.0f} W"
        yield f"             meter {meter['import_wh']} Wh{power}"


def _whose(session: Mapping[str, Any]) -> str:
    id_tag: str = session["id_tag"]
    return id_tag if id_tag == FREE_CHARGING else f"card {id_tag}"


def queue_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """What ``queue show`` prints."""
    outbox = answer["outbox"]
    yield from _outbox_lines(outbox, shown_max=len(outbox["parked"]))
    for action in answer["deeds"]:
        yield f"{local_time(action['done_at'])}  {action['deed']}"


def _outbox_lines(outbox: Mapping[str, Any], shown_max: int = 3) -> Iterator[str]:
    if "problem" in outbox:
        yield f"queue        {outbox['problem']}"
        return
    if outbox["queued_count"]:
        since = local_time(outbox["oldest_queued_at"])
        waiting = outbox["queued_count"]
        words = "1 message waits," if waiting == 1 else f"{waiting} messages wait, the oldest"
        yield f"queue        {words} since {since}"
    else:
        yield "queue        empty"
    if outbox.get("thinned_count"):
        dropped = outbox["thinned_count"]
        yield f"             {dropped} meter values dropped: more waits than storage.queue_max_mb"
    if outbox["parked_count"]:
        yield f"             {outbox['parked_count']} messages are parked after their last attempt"
    for parked in outbox["parked"][-shown_max:]:
        yield (
            f"             {parked['sequence']}: {parked['action']} of session"
            f" {parked['transaction_ref']}: {parked['problem']}"
        )
    if outbox["parked_count"]:
        yield "             next: chargepoint-agent queue retry NUMBER, or queue discard NUMBER"


def decision_line(decision: Mapping[str, Any], with_time: bool = False) -> StyledLine:
    """What was decided about a card."""
    time = f"{local_time(decision['decided_at'])}  " if with_time else ""
    colour = GREEN if decision["verdict"] == "accepted" else RED
    return StyledLine(
        time + decision["line"], f"card {decision['id_tag']} {decision['verdict']}", colour
    )


def decision_lines(decision: Mapping[str, Any]) -> Iterator[str]:
    """What was decided about a card and when; of one of the last taps also its way."""
    from agent.control.taps import way_line

    yield decision_line(decision, with_time=True)
    if decision["steps"]:
        yield f"  {way_line(decision['steps'])}"


def finding_line(finding: Finding) -> StyledLine:
    """What one step of ``doctor`` or ``self-test`` found."""
    verdict = finding.verdict.name
    return StyledLine(finding.line(), verdict, _VERDICT_COLOURS[verdict])
