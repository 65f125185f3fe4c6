"""The mistakes: each an exchange of source text, in one or several files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
    """One mistake."""

    name: str
    edits: tuple[Edit, ...]


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "the contactor closes before the commit",
        (
            Edit(
                "agent/runtime.py",
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
            Edit(
                "agent/store/database_file.py",
                '"PRAGMA synchronous = FULL"',
                '"PRAGMA synchronous = OFF"',
            ),
        ),
    ),
    Mutant(
        "the lease does not run out",
        (
            Edit(
                "hw/contactor.py",
                "(Phase.WAITING, Phase.CLOSED):\n"
                "                self._lease_until = now_s + for_s\n",
                "(Phase.WAITING, Phase.CLOSED):\n"
                "                self._lease_until = now_s + 3600\n",
            ),
        ),
    ),
    Mutant(
        "the lock's feedback is skipped",
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
            Edit("agent/core/interlock.py", "if readings.tripped_inputs:", "if False:"),
            Edit(
                "agent/supervision.py",
                "        elif tripped - self._tripped"
                " or self._has_new_fault(parts.connector_id):\n",
                "        elif self._has_new_fault(parts.connector_id):\n",
            ),
            Edit(
                "agent/supervision.py",
                "        for name in sorted(tripped - self._tripped):\n",
                "        for name in ():\n",
            ),
        ),
    ),
    Mutant(
        "expiry dates of listed cards are ignored",
        (
            Edit(
                "agent/core/authorization.py",
                "        return AuthorizationStatus.EXPIRED if info.expires_at <= utc"
                " else info.status\n",
                "        return info.status\n",
            ),
        ),
    ),
    Mutant(
        "a session that the central system refused goes on",
        (
            Edit(
                "agent/core/state.py",
                "        if self.transaction is None or not self.transaction.deauthorized:\n",
                "        if True:\n",
            ),
        ),
    ),
    Mutant(
        "a row is deleted before its answer",
        (
            Edit(
                "agent/ocpp16/sender.py",
                "        self._is_delivering = True\n        await self._perform(",
                "        self._is_delivering = True\n"
                "        self._post(answers.MessageAnswered("
                "row.sequence, row.transaction_ref, action))\n"
                "        await self._perform(",
            ),
        ),
    ),
    Mutant(
        "the local reference of a session is forgotten",
        (
            Edit(
                "agent/ocpp16/messages.py",
                "    return NO_TRANSACTION_ID if row.transaction_id is None"
                " else int(row.transaction_id)\n",
                "    return NO_TRANSACTION_ID\n",
            ),
        ),
    ),
    Mutant(
        "a retry is a new message",
        (
            Edit(
                "agent/ocpp16/sender.py",
                "OwnCall(row.unique_id, action, payload,",
                "OwnCall(self._new_id(), action, payload,",
            ),
        ),
    ),
    Mutant(
        "open sessions are not closed after a crash",
        (
            Edit(
                "agent/application.py",
                "ev.Started(tuple(durable.open_transactions),",
                "ev.Started((),",
            ),
        ),
    ),
    Mutant(
        "it reconnects without waiting",
        (
            Edit(
                "agent/ocpp16/backoff.py",
                "        return self._wait_s\n",
                "        return 0.1\n",
            ),
        ),
    ),
    Mutant(
        "two calls are sent at once",
        (
            Edit(
                "agent/ocpp16/sender.py",
                "        await self._perform(\n"
                '            OwnCall(self._new_id(), "StatusNotification",'
                " payload, self._message_timeout_s())\n"
                "        )\n",
                "        call = OwnCall("
                'self._new_id(), "StatusNotification", payload, self._message_timeout_s())\n'
                "        self.task = self._loop.create_task(self._perform(call))\n",
            ),
            Edit(
                "agent/ocpp16/exchange.py",
                '        assert self.in_flight is None, "one call at a time"\n',
                "",
            ),
        ),
    ),
    Mutant(
        "a finished session shows Available while the plug is in",
        (
            Edit(
                "agent/core/reporting.py",
                "            return Status.FINISHING\n",
                "            return Status.PREPARING\n",
            ),
        ),
    ),
)
