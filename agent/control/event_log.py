"""What one turn means, in sentences for the person at the box. Pure.

No full idTag appears here: these lines are logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.core import contactors, faults
from agent.core import events as ev
from agent.core.authorization_reasons import next_step_of, reason_of
from agent.core.certificates import InstalledRoot, RemoveRoot, SaveRoot
from agent.core.commands import (
    Authorize,
    Command,
    CorrectTimes,
    ParkMessage,
    QueueMessage,
    RecordDecision,
    RemoveChargingProfile,
    Reply,
    Restart,
    SaveChargingProfile,
)
from agent.core.connection_profile import ConnectionProfile, ConnectionProfiles
from agent.core.events import Event
from agent.core.faults import Fault
from agent.core.id_tag import mask
from agent.core.limit_sources import EXTERNAL_WORDS
from agent.core.own_certificates import KeptCertificate, OwnCertificates
from agent.core.state import ChargePoint, Charging, Connector, Purpose
from agent.core.values import (
    ConnectorMeasured,
    DecisionRecord,
    LockState,
    Reading,
    SampledValue,
    TransactionBegan,
    TransactionEnded,
    Verdict,
)

# A person stands at the box with a tag, or asks about one.
_PRESENTED = (Purpose.START.value, Purpose.STOP.value, Purpose.AUTHORIZE_ONLY.value)


class WarningLine(str):
    """A sentence that wants a look: a warning; the others are information."""

    __slots__ = ()


def sentences(
    before: ChargePoint, event: Event, after: ChargePoint, commands: Sequence[Command]
) -> list[str]:
    """Tell what happened, in order: the event, the decisions, what follows."""
    return [
        *_about_event(event),
        *(() if after is before else _about_state(before, after)),
        *(line for command in commands for line in _about_command(before, after, command)),
    ]


def decision_line(record: DecisionRecord) -> str:
    """One readable line about one decision, with the reason and what can be done next."""
    place = "" if record.connector_id is None else f" at connector {record.connector_id}"
    facts = [f"by the {record.source}"]
    if record.status is not None:
        facts.append(record.status)
    if record.list_version is not None:
        facts.append(f"list version {record.list_version}")
    if record.cache_age_s is not None:
        facts.append(f"heard {_age(record.cache_age_s)} ago")
    if record.detail:
        facts.append(record.detail)
    who = f"card {mask(record.id_tag)}" if record.id_tag else "a request"
    reason = f"{reason_of(record.rule)} ({', '.join(facts)})"
    line = f"{who} {record.verdict.value}{place} ({record.purpose}): {reason}"
    next_step = next_step_of(record.rule)
    if record.verdict is Verdict.REFUSED and next_step:
        line += f"; next: {next_step}"
    return line


def _age(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _about_event(event: Event) -> Iterator[str]:
    match event:
        case ev.TagPresented(id_tag):
            yield f"card {mask(id_tag)} presented"
        case ev.CardNotTaken(problem):
            yield WarningLine(f"card not taken: {problem}")
        case ev.ReaderFailed(problem):
            yield WarningLine(f"card reader: {problem}")
        case ev.ReaderRecovered():
            yield "card reader works again"
        case ev.MeterFailed(connector_id, problem):
            yield WarningLine(f"connector {connector_id}: meter: {problem}")
        case ev.ContactorTripped(connector_id, reason) if reason != "reflex":
            # What the reflex saw (plug out, pilot, emergency stop ...) has an event of its own.
            yield WarningLine(f"connector {connector_id}: contactor opened by itself: {reason}")
        case ev.LockJammed(connector_id, wanted):
            yield WarningLine(f"connector {connector_id}: the lock did not become {wanted.value}")
        case ev.LinkPending(status):
            yield f"the central system answered the boot with {status}: waiting"
        case ev.MessageFailed(sequence, problem):
            yield WarningLine(f"message {sequence} not delivered: {problem}")
        case ev.ShutdownRequested():
            yield "asked to shut down: sessions end, all outputs open"
        case ev.Started(open_transactions):
            for transaction in open_transactions:
                yield (
                    f"connector {transaction.connector_id}: session {transaction.ref} was open "
                    "when the last process ended"
                )


def _about_state(before: ChargePoint, after: ChargePoint) -> Iterator[str]:
    yield from _about_link(before, after)
    if after.approaches is not before.approaches:
        yield from _about_approaches(before.approaches, after.approaches)
    if after.own_certificates is not before.own_certificates:
        yield from _about_own_certificates(before.own_certificates, after.own_certificates)
    yield from _about_faults("", before.faults, after.faults)
    if after.reservations is not before.reservations:
        yield from _about_reservations(before, after)
    if after.external_limits is not before.external_limits:
        yield from _about_external_limits(before, after)
    for old, new in zip(before.connectors, after.connectors, strict=True):
        if new is not old:
            yield from _about_connector(old, new)


def _about_external_limits(before: ChargePoint, after: ChargePoint) -> Iterator[str]:
    """A limit that only lasts longer is not told again: the house sends its own every minute."""
    old, new = _external_limits(before), _external_limits(after)
    for place, limit in new.items():
        if old.get(place) != limit:
            yield f"{place} to {limit}"
    for place in old:
        if place not in new:
            yield f"{place} no longer"


def _external_limits(state: ChargePoint) -> dict[str, str]:
    limits = {}
    for limit in state.external_limits:
        place = f"connector {limit.connector_id}" if limit.connector_id else "all connectors"
        words = f"{EXTERNAL_WORDS[limit.source]} limits {place}"
        limits[words] = f"{limit.limit:g} {limit.unit.value}"
    return limits


def _about_link(before: ChargePoint, after: ChargePoint) -> Iterator[str]:
    if after.online and not before.online:
        yield "the central system has accepted this charge point"
    elif before.online and not after.online:
        yield "the link to the central system is lost; the box carries on by itself"


def _about_approaches(old: ConnectionProfiles, new: ConnectionProfiles) -> Iterator[str]:
    """Security white paper, 8: a change of how the box is protected is noted, without the value."""
    if new.trial is not None and new.trial != old.trial:
        yield f"new connection settings to try: {_way(old.settled, new.trial)}"
    if new.is_held and not old.is_held:
        yield "tried once no session is running and the present connection has delivered everything"
    if new.settled != old.settled:
        yield f"new connection settings in use: {_way(old.settled, new.settled)}"
    elif old.trial is not None and new.trial is None:
        yield WarningLine(
            f"the previous connection stays in use; given up: {_way(old.settled, old.trial)}"
        )
    elif new.trial is not None and new.is_doubted and not old.is_doubted:
        yield WarningLine(
            f"the previous connection stays in use; not working yet: {_way(old.settled, new.trial)}"
        )


def _about_own_certificates(old: OwnCertificates, new: OwnCertificates) -> Iterator[str]:
    for one in new.kept:
        if one.certificate not in [known.certificate for known in old.kept]:
            yield f"a certificate of this box is kept: {_named(one)}"
        elif one.worked_at is not None and one not in old.kept:
            yield f"the central system has accepted the certificate {_named(one)}"
    for one in old.kept:
        if one.certificate not in [known.certificate for known in new.kept]:
            yield f"a certificate of this box is forgotten: {_named(one)}"
    request = new.request
    if request is None or request == old.request:
        return
    if request.problem:
        yield WarningLine(f"no certificate of this box yet: {request.problem}")
    elif request.key:
        yield "a certificate of this box is asked for (SignCertificate)"


def _named(one: KeptCertificate) -> str:
    certificate = one.certificate
    return (
        f"{certificate.subject}, {certificate.not_before.date()} to {certificate.not_after.date()}"
    )


def _way(before: ConnectionProfile, approach: ConnectionProfile) -> str:
    password = ", another password" if approach.password != before.password else ""
    return f"{approach.url}, security profile {approach.profile}{password}"


def _about_faults(where: str, before: frozenset[Fault], after: frozenset[Fault]) -> Iterator[str]:
    for fault in sorted(after - before, key=lambda f: f.value):
        yield WarningLine(f"{where}fault: {faults.RULES[fault].words}")
    for fault in sorted(before - after, key=lambda f: f.value):
        yield f"{where}fault cleared: {faults.RULES[fault].words}"


def _about_reservations(before: ChargePoint, after: ChargePoint) -> Iterator[str]:
    for made in after.reservations:
        if made not in before.reservations:
            place = f"connector {made.connector_id}" if made.connector_id else "one connector"
            until = made.expires_at.isoformat(timespec="minutes")
            yield (
                f"{place}: reserved for card {mask(made.id_tag)} until {until}"
                f" (reservation {made.reservation_id})"
            )
    left = {kept.reservation_id for kept in after.reservations}
    for ended in before.reservations:
        if ended.reservation_id not in left:
            yield f"reservation {ended.reservation_id} is over"


def _about_command(before: ChargePoint, after: ChargePoint, command: Command) -> Iterator[str]:
    match command:
        case RecordDecision(record):
            line = decision_line(record)
            yield WarningLine(line) if _is_refused_request(record) else line
        case CorrectTimes(_, booted_at) if before.boot and not before.boot.is_time_known:
            yield f"the time is known: this boot began at {booted_at.isoformat(timespec='seconds')}"
        case Authorize(id_tag):
            yield f"asking the central system about card {mask(id_tag)}"
        case QueueMessage(_, ref, TransactionBegan(connector_id, _, meter_start_wh)):
            yield f"connector {connector_id}: session {ref} begins at {meter_start_wh} Wh"
        case QueueMessage(_, _, ConnectorMeasured(connector_id, _, values)):
            yield f"connector {connector_id}: meter: {', '.join(map(_value, values))}"
        case QueueMessage(_, ref, TransactionEnded() as stop):
            yield from _about_stop(before, after, ref, stop)
        case SaveChargingProfile(new):
            what = f"{new.profile.purpose.value}, level {new.profile.stack_level}"
            place = f"connector {new.connector_id}" if new.connector_id else "the whole box"
            yield f"{place}: charging profile {new.profile.profile_id} ({what}) is installed"
        case RemoveChargingProfile(profile_id):
            yield f"charging profile {profile_id} is removed"
        case Reply(_, "Rejected" | "Failed", detail) if detail:
            yield WarningLine(f"a request is rejected: {detail}")
        case SaveRoot(root) if root not in before.certificates.installed:
            yield WarningLine(f"root certificate kept: {_root(root)}")
        case RemoveRoot(root):
            yield WarningLine(f"root certificate removed: {_root(root)}")
        case ParkMessage(sequence, problem):
            yield WarningLine(f"message {sequence} is parked after its last attempt: {problem}")
        case Restart(again):
            yield "restarting" if again else "all outputs are open; goodbye"


def _root(root: InstalledRoot) -> str:
    worked = ", it has led to the central system" if root.has_worked else ""
    fallback = ", as a fallback" if root.is_fallback else ""
    return f"{root.use.value}, {root.certificate.subject}{worked}{fallback}"


def _is_refused_request(record: DecisionRecord) -> bool:
    is_own = record.verdict is Verdict.REFUSED and record.source == "charge point"
    return is_own and record.purpose not in _PRESENTED


def _value(value: SampledValue) -> str:
    phase = f" {value.phase}" if value.phase else ""
    return f"{value.value} {value.unit or ''}".strip() + phase


def _about_stop(
    before: ChargePoint, after: ChargePoint, ref: int, stop: TransactionEnded
) -> Iterator[str]:
    for connector in before.connectors:
        transaction = connector.transaction
        if transaction is not None and transaction.ref == ref:
            reading = after.connector(connector.connector_id).reading
            yield from _about_strange_energy(connector, reading, stop)
            energy_wh = stop.meter_stop_wh - transaction.meter_start_wh
            yield (
                f"connector {connector.connector_id}: session {ref} ends ({stop.reason.value}) "
                f"at {stop.meter_stop_wh} Wh: {energy_wh} Wh"
            )
            return
    yield f"session {ref} ends ({stop.reason.value}) at {stop.meter_stop_wh} Wh"


def _about_strange_energy(
    connector: Connector, reading: Reading | None, stop: TransactionEnded
) -> Iterator[str]:
    is_found = connector.stop is not None and connector.stop.is_found
    if is_found and reading is not None and reading.import_wh > stop.meter_stop_wh:
        yield WarningLine(
            f"connector {connector.connector_id}: the meter stands at {reading.import_wh} Wh, more "
            "than the session can have drawn since its last sample; it is closed with that sample"
        )


def _about_connector(old: Connector, new: Connector) -> Iterator[str]:
    name = f"connector {new.connector_id}"
    if new.plugged != old.plugged:
        yield f"{name}: plug in" if new.plugged else f"{name}: plug out"
    if new.lock is not old.lock and new.lock is not LockState.MOVING:
        yield f"{name}: {new.lock.value}"
    if new.contactor_closed and not old.contactor_closed:
        yield f"{name}: contactor closed, energy flows"
    elif old.contactor_closed and not new.contactor_closed:
        yield f"{name}: contactor open, no energy"
    if old.stop is not None and old.stop.is_found and isinstance(new.phase, Charging):
        yield f"{name}: the session goes on"
    if new.transaction is not None and new.allowed_a != old.allowed_a:
        is_limited = new.allowed_a is not None
        limit = f"it may draw {new.allowed_a:g} A" if is_limited else "it is no longer limited"
        yield f"{name}: {limit}"
    if new.offset_kept_wh != old.offset_kept_wh:
        yield WarningLine(
            f"{name}: the meter counts from a new value: it was replaced or reset; from now "
            f"on {new.offset_kept_wh} Wh are added to its register, so that the values continue"
        )
    drawn_wh, before_wh = contactors.welded_wh(new), contactors.welded_wh(old)
    if drawn_wh // 1000 > before_wh // 1000 or drawn_wh > before_wh == 0:
        yield WarningLine(
            f"{name}: {drawn_wh} Wh have been drawn through the welded contactor since the last "
            "session: switch the breaker off"
        )
    elif before_wh > drawn_wh == 0:
        yield f"{name}: {before_wh} Wh were drawn through the weld; they belong to no session"
    if new.held_for is not None and old.held_for is None:
        yield f"{name}: the cable stays locked until the card that started is shown again"
    yield from _about_faults(f"{name}: ", old.faults, new.faults)
