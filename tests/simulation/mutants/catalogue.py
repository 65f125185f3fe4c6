"""The mistakes: each an exchange of source text, in one or several files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.simulation.invariants.base import Invariant
from tests.simulation.invariants.bounds import ComesToRest, NothingGrowsWithoutEnd, TheAgentLives
from tests.simulation.invariants.cards import (
    EveryCardGetsItsReason,
    KnownBadCardsDoNotCharge,
    ListIsWhole,
)
from tests.simulation.invariants.charge_log import ChargeLogIsWhole
from tests.simulation.invariants.firmware import (
    EachUpdateIsToldToItsEnd,
    NothingUnverifiedIsInstalled,
)
from tests.simulation.invariants.limits import (
    ALimitThatRanOutLimitsNothing,
    ExternalLimitsHold,
)
from tests.simulation.invariants.own_certificate import NoKeyLeaves, OnlyItsOwnCertificate
from tests.simulation.invariants.safety import (
    ClosedOnlyForAJournalledSession,
    NeverMoreThanMayFlow,
    OpenWhenTheAgentHangs,
    OpenWithinASecond,
)
from tests.simulation.invariants.security_events import CriticalEventsArrive, SecurityLogIsWhole
from tests.simulation.invariants.sessions import (
    CentralSystemSeesEachSessionWhole,
    EnergyIsRight,
    NothingCommittedGetsLost,
    StoppedExactlyOnce,
)
from tests.simulation.invariants.talking import (
    FindsItsCentralSystem,
    LegalStatuses,
    NoStorm,
    OneCallAtATime,
    WellFormed,
)
from tests.simulation.invariants.times import TimesAreTrue


@dataclass(frozen=True)
class Edit:
    """Exchange a text that stands exactly once in a file."""

    file: str
    before: str
    after: str

    def apply(self, root: Path) -> None:
        """Change the file below ``root``. ValueError when the text is not there just once."""
        path = root / self.file
        source = path.read_text()
        count = source.count(self.before)
        if count != 1:
            raise ValueError(f"{self.file} has {count} times: {self.before.strip()!r}")
        path.write_text(source.replace(self.before, self.after))


@dataclass(frozen=True)
class Mutant:
    """One mistake, and the promises that it breaks: any other one would be a find by chance."""

    name: str
    breaks: tuple[type[Invariant], ...]
    edits: tuple[Edit, ...]
    days: float = 0.1  # how long a world must live to show it


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "the contactor closes before the commit",
        (ClosedOnlyForAJournalledSession,),
        (
            Edit(
                "agent/runtime/runtime.py",
                "        self.journal.submit(rows, patient)\n",
                "        for order in patient:\n"
                "            self._perform_patient(order)\n"
                "        self.journal.submit(rows, [])\n",
            ),
        ),
    ),
    Mutant(
        "commits are not synced",
        (
            ClosedOnlyForAJournalledSession,
            NothingCommittedGetsLost,
        ),
        (
            Edit(
                "agent/store/database_file.py",
                '"PRAGMA synchronous = FULL"',
                '"PRAGMA synchronous = OFF"',
            ),
        ),
    ),
    Mutant(
        "the lease does not run out",
        (OpenWhenTheAgentHangs,),
        (
            Edit(
                "hw/contactor.py",
                "(ContactorPhase.WAITING, ContactorPhase.CLOSED):\n"
                "                self._lease_until = now_s + for_s\n",
                "(ContactorPhase.WAITING, ContactorPhase.CLOSED):\n"
                "                self._lease_until = now_s + 3600\n",
            ),
        ),
    ),
    Mutant(
        "the lock's feedback is skipped",
        (ClosedOnlyForAJournalledSession,),
        (
            Edit(
                "agent/core/state.py",
                "        return is_confirmed or not self.traits.has_lock\n",
                "        return True\n",
            ),
            Edit(
                "agent/core/interlock.py",
                "if readings.lock is not None and readings.lock is not LockState.LOCKED:",
                "if False:",
            ),
        ),
    ),
    Mutant(
        "nobody looks at the safety inputs",
        (
            OpenWithinASecond,
            ClosedOnlyForAJournalledSession,
        ),
        (
            Edit(
                "agent/core/interlock.py",
                '    if readings.tripped_inputs:\n        return ", "',
                '    if False:\n        return ", "',
            ),
            Edit(
                "agent/runtime/supervision.py",
                "        elif is_new_trip or self._has_new_fault(parts.connector_id):\n",
                "        elif self._has_new_fault(parts.connector_id):\n",
            ),
            Edit(
                "agent/runtime/supervision.py",
                "            for name in sorted(new):\n",
                "            for name in ():\n",
            ),
        ),
    ),
    Mutant(
        "expiry dates of listed cards are ignored",
        (KnownBadCardsDoNotCharge,),
        (
            Edit(
                "agent/core/authorization_rules.py",
                "        return AuthorizationStatus.EXPIRED if info.expires_at <= utc"
                " else info.status\n",
                "        return info.status\n",
            ),
        ),
    ),
    Mutant(
        "a session that the central system refused goes on",
        (OpenWithinASecond,),
        (
            Edit(
                "agent/core/state.py",
                "if not isinstance(session, Session) or not session.transaction.deauthorized:\n",
                "if True:\n",
            ),
        ),
    ),
    Mutant(
        "a row is deleted before its answer",
        (CentralSystemSeesEachSessionWhole,),
        (
            Edit(
                "agent/ocpp16/sender.py",
                "        await self._perform(\n            OutgoingCall(row.unique_id,",
                "        self._post(confirmations.MessageAnswered("
                "row.sequence, row.transaction_ref))\n"
                "        await self._perform(\n            OutgoingCall(row.unique_id,",
            ),
        ),
    ),
    Mutant(
        "the local reference of a session is forgotten",
        (CentralSystemSeesEachSessionWhole,),
        (
            Edit(
                "agent/ocpp16/requests.py",
                "    return NO_TRANSACTION_ID if row.transaction_id is None"
                " else int(row.transaction_id)\n",
                "    return NO_TRANSACTION_ID\n",
            ),
        ),
    ),
    Mutant(
        "a retry is a new message",
        (CentralSystemSeesEachSessionWhole,),
        (
            Edit(
                "agent/ocpp16/sender.py",
                "OutgoingCall(row.unique_id, action, payload,",
                "OutgoingCall(self._new_id(), action, payload,",
            ),
        ),
    ),
    Mutant(
        "open sessions are not closed after a crash",
        (StoppedExactlyOnce,),
        (
            Edit(
                "agent/app/application.py",
                "ev.Started(tuple(durable.open_transactions),",
                "ev.Started((),",
            ),
        ),
    ),
    Mutant(
        "it reconnects without waiting",
        (NoStorm,),
        (
            Edit(
                "agent/ocppj/backoff.py",
                "        return self._wait_s\n",
                "        return 0.1\n",
            ),
        ),
    ),
    Mutant(
        "two calls are sent at once",
        (OneCallAtATime,),
        (
            Edit(
                "agent/ocpp16/sender.py",
                '        await self._perform(self._call("StatusNotification", payload))\n',
                '        call = self._call("StatusNotification", payload)\n'
                "        self.task = self._loop.create_task(self._perform(call))\n",
            ),
            Edit(
                "agent/ocppj/pending_call.py",
                '        assert self.in_flight is None, "one call at a time"\n',
                "",
            ),
        ),
    ),
    Mutant(
        "a finished session shows Preparing while the plug is in",
        (LegalStatuses,),
        (
            Edit(
                "agent/core/status_notification.py",
                "            return Status.FINISHING\n",
                "            return Status.PREPARING\n",
            ),
            Edit(
                "agent/core/status_notification.py",
                "isinstance(connector.phase, Finished):\n        return Status.FINISHING\n",
                "isinstance(connector.phase, Finished):\n        return Status.PREPARING\n",
            ),
        ),
    ),
    Mutant(
        "a delivered row takes all before it along",
        (NothingCommittedGetsLost, CentralSystemSeesEachSessionWhole),
        (
            Edit(
                "agent/store/rows.py",
                '"DELETE FROM outbox WHERE sequence = ? RETURNING length(payload)"',
                '"DELETE FROM outbox WHERE sequence <= ? RETURNING length(payload)"',
            ),
        ),
    ),
    Mutant(
        "after some minutes without a link it does not try any more",
        (ComesToRest, NoStorm),
        (
            Edit(
                "agent/ocppj/backoff.py",
                "        return self._wait_s\n",
                "        return self._wait_s if self._wait_s < 100 else 1e9\n",
            ),
        ),
    ),
    Mutant(
        "records of sessions that are over stay for ever",
        (NothingGrowsWithoutEnd,),
        (
            Edit(
                "agent/store/transactions.py",
                "ENDED_TRANSACTIONS_MAX,),\n",
                "10**9,),\n",
            ),
        ),
        days=3.0,
    ),
    Mutant(
        "a session ends at its last sample",
        (EnergyIsRight,),
        (
            Edit(
                "agent/core/recovery.py",
                "        return found.last_wh\n    return reading.import_wh\n",
                "        return found.last_wh\n    return found.last_wh\n",
            ),
        ),
    ),
    Mutant(
        "times are not corrected when the clock is set",
        (TimesAreTrue,),
        (
            Edit(
                "agent/core/clock_trust.py",
                "    turn.emit(CorrectTimes(boot.number, boot.booted_at))\n",
                "",
            ),
        ),
    ),
    Mutant(
        "an update of the list counts while it is written",
        (ListIsWhole,),
        (
            Edit(
                "agent/store/local_list.py",
                "    generation = head.generation + 1\n",
                "    generation = head.generation\n",
            ),
        ),
    ),
    Mutant(
        "a card that the central system does not answer about is forgotten",
        (EveryCardGetsItsReason,),
        (
            Edit(
                "agent/core/authorization_request.py",
                "    for check in _take_checks(turn, event.id_tag):\n"
                "        attempt = check.attempt\n",
                "    _take_checks(turn, event.id_tag)\n    for attempt in ():\n",
            ),
        ),
    ),
    Mutant(
        "the limit of a session is forgotten",
        (NeverMoreThanMayFlow,),
        (
            Edit(
                "agent/core/from_operator.py",
                "replace(charging, limit_a=event.current_a))\n",
                "replace(charging, limit_a=None))\n",
            ),
        ),
    ),
    Mutant(
        "a limit of the house never runs out",
        (ALimitThatRanOutLimitsNothing,),
        (
            Edit(
                "agent/core/charging_profiles_applied.py",
                "if turn.now.monotonic_s < one.until_s)\n",
                "if one.until_s > 0)\n",
            ),
        ),
    ),
    Mutant(
        "the random delay of a start is not felt",
        (NeverMoreThanMayFlow,),
        (
            Edit(
                "agent/core/random_delay.py",
                "    return profile_a if delay is None else delay.current_a\n",
                "    return profile_a\n",
            ),
        ),
    ),
    Mutant(
        "a random delay does not end",
        (ALimitThatRanOutLimitsNothing,),
        (
            Edit(
                "agent/core/random_delay.py",
                "        is_over = turn.now.monotonic_s >= delay.until_s\n",
                "        is_over = False\n",
            ),
        ),
    ),
    Mutant(
        "a limit of all connectors together is not added to the supply",
        (ExternalLimitsHold,),
        (
            Edit(
                "agent/core/charging_profiles_applied.py",
                "    return min([wired_a, *(limit_a for _, limit_a in whole_limits_a"
                "(state, connector))])\n",
                "    return wired_a\n",
            ),
        ),
    ),
    Mutant(
        "an odd number of a session is read as it stands",
        (TheAgentLives,),
        (
            Edit(
                "agent/ocpp16/confirmations.py",
                "    number = _whole_number(value)\n"
                "    if number is None:\n"
                '        raise AnswerUnusable("the answer to StartTransaction has no usable'
                ' transactionId")\n',
                "    number = int(value)\n",
            ),
        ),
    ),
    Mutant(
        "the reason of a stop is written as the program names it",
        (WellFormed,),
        (
            Edit(
                "agent/ocpp16/requests.py",
                "        reason=message.reason.value,\n",
                "        reason=message.reason.name,\n",
            ),
        ),
    ),
    Mutant(
        "the signature of firmware is not looked at",
        (NothingUnverifiedIsInstalled,),
        (
            Edit(
                "agent/certificates/firmware_signature.py",
                "            if certificate:\n",
                "            if not certificate:\n",
            ),
        ),
    ),
    Mutant(
        "firmware is not verified again before it is installed",
        (NothingUnverifiedIsInstalled,),
        (
            Edit(
                "agent/maintenance/firmware_install.py",
                "        if problem := await self._file_problem(sha256, signing):\n",
                '        if problem := "":\n',
            ),
        ),
    ),
    Mutant(
        "how an update went is not told by the next process",
        (EachUpdateIsToldToItsEnd,),
        (
            Edit(
                "agent/core/firmware_update.py",
                "    for notice in update.untold:\n        turn.emit(TellFirmware(notice))\n",
                "",
            ),
        ),
    ),
    Mutant(
        "an authority may hide another one of its name",
        (FindsItsCentralSystem, ComesToRest),
        (
            Edit(
                "agent/core/certificates.py",
                "    return (together, *alone) if len(alone) > 1 else (together,)\n",
                "    return (together,)\n",
            ),
        ),
    ),
    Mutant(
        "a root certificate that was accepted is not stored",
        (FindsItsCentralSystem, ComesToRest),
        (
            Edit(
                "agent/core/certificate_requests.py",
                "    turn.emit(SaveRoot(root))\n",
                "",
            ),
        ),
    ),
    Mutant(
        "the root certificate in use is deleted",
        (FindsItsCentralSystem, ComesToRest),
        (
            Edit(
                "agent/core/certificate_requests.py",
                "    if known.in_use in found:\n",
                "    if False:\n",
            ),
        ),
    ),
    Mutant(
        "the file is no longer trusted once a root is installed",
        (FindsItsCentralSystem, ComesToRest),
        (
            Edit(
                "agent/core/certificates.py",
                "not any(root.has_worked for root in roots)\n",
                "not roots\n",
            ),
        ),
    ),
    Mutant(
        "a session that a power cut ended is not logged",
        (ChargeLogIsWhole,),
        (
            Edit(
                "agent/core/transaction.py",
                "    charge_log.log(turn, transaction, ended, mark)\n",
                "    if not stop.is_found:\n"
                "        charge_log.log(turn, transaction, ended, mark)\n",
            ),
        ),
    ),
    Mutant(
        "the log has the last sample in the place of the reading at the end",
        (ChargeLogIsWhole,),
        (
            Edit(
                "agent/store/charge_log.py",
                "                ended.meter_stop_wh,\n",
                "                transaction.last_wh,\n",
            ),
        ),
    ),
    Mutant(
        "a security event counts as told once it is under way",
        (CriticalEventsArrive,),
        (
            Edit(
                "agent/ocpp16/security_notifications.py",
                "            payload = security_event_notification(queued.event)\n",
                "            payload = security_event_notification(queued.event)\n"
                "            self._post(SecurityEventTold(queued.number, order.order))\n",
            ),
        ),
    ),
    Mutant(
        "a security event that is told again is a new message",
        (CriticalEventsArrive,),
        (
            Edit(
                "agent/ocpp16/security_notifications.py",
                "await self._link.call(ACTION, payload, queued.unique_id)\n",
                "await self._link.call(ACTION, payload)\n",
            ),
        ),
    ),
    Mutant(
        "a security event that is refused is given up",
        (CriticalEventsArrive,),
        (
            Edit(
                "agent/core/security_events.py",
                "    if event.is_unwanted:\n",
                "    if True:\n",
            ),
        ),
    ),
    Mutant(
        "of too many security events the newest are not kept",
        (CriticalEventsArrive,),
        (
            Edit(
                "agent/store/security_log.py",
                '" WHERE number < ? ORDER BY type <> ?, number LIMIT 1)',
                '" WHERE number <= ? ORDER BY type <> ?, number DESC LIMIT 1)',
            ),
        ),
    ),
    Mutant(
        "a line of the security log does not name the one before it",
        (SecurityLogIsWhole,),
        (
            Edit(
                "agent/store/security_log.py",
                "_chained(ends.last_chain, *fields)",
                '_chained("", *fields)',
            ),
        ),
    ),
    Mutant(
        "of the lines that are cleared the end of the chain is not kept",
        (SecurityLogIsWhole,),
        (
            Edit(
                "agent/store/security_log.py",
                'SET pruned_number = ?, pruned_chain = ?", newest\n',
                "SET pruned_number = ?, pruned_chain = ''\", newest[:1]\n",
            ),
        ),
    ),
    Mutant(
        "a certificate for another key is taken",
        (OnlyItsOwnCertificate,),
        (
            Edit(
                "agent/core/own_certificates.py",
                "    if certificate.key not in keys:\n",
                "    if not keys:\n",
            ),
        ),
    ),
    Mutant(
        "the certificate before goes when the new one is taken",
        (FindsItsCentralSystem,),
        (
            Edit(
                "agent/core/own_certificates.py",
                "    kept = [KeptCertificate(certificate), *worked[:1]]\n",
                "    kept = [KeptCertificate(certificate)]\n",
            ),
        ),
    ),
    Mutant(
        "only the newest certificate is shown",
        (FindsItsCentralSystem,),
        (
            Edit(
                "agent/ocpp16/websocket_opener.py",
                "        *newer, last = self._to_show(profile) or (None,)\n",
                "        newer, last = (), (*self._to_show(profile), None)[0]\n",
            ),
        ),
    ),
    Mutant(
        "the private key goes along with the request",
        (NoKeyLeaves,),
        (
            Edit(
                "agent/certificates/own_keys.py",
                "_signed_request(pair, *names))\n",
                "_signed_request(pair, *names) + _form(pair).decode())\n",
            ),
        ),
    ),
)
