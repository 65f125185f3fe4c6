"""The last defence: switches every output off that a process of this boot may have left on.

It may depend on nothing that can be wrong at that moment: it needs the standard library, the
kernel's character devices, and what it can read of the records that the agent wrote down
(``hw.output_record``) and of the configuration file. Each output is tried, whatever fails before.

A line is claimed at its off level and let go again. Where the kernel keeps the level of a released
line the output stays driven off; elsewhere it becomes an input, and the pull-down at the driver
decides. A line that another process holds is refused by the kernel: it is not touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hw.lines import Chips, Pin
from hw.output_record import OutputRecord, beside, boot_id, forget, places, read, write
from hw.outputs import CONTACTOR, Output, outputs_of
from hw.tables import read_tables


@dataclass(slots=True)
class Opened:
    """What was done. Without problems, every output that is known is off."""

    outputs: list[Output] = field(default_factory=list)  # switched off
    failed: list[Output] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # one sentence each


def open_recorded(
    environment: Mapping[str, str] = os.environ,
    database: str | None = None,
    chips: Chips | None = None,
) -> Opened:
    """Switch off what the records of this boot name, and take it from them. Never raises.

    There is a record beside the ``database`` too, where it is not in the state directory.
    """
    return _Defence(chips or Chips(), places(environment, database)).run()


def open_everything(
    config: str, environment: Mapping[str, str] = os.environ, chips: Chips | None = None
) -> Opened:
    """Switch off what the records name, and what can be read of the configuration file.

    Where both name a pin the record is right: that is how it was claimed. Never raises.
    """
    return _Defence(chips or Chips(), places(environment), config).run()


def write_down(
    tables: Mapping[str, Any],
    environment: Mapping[str, str] = os.environ,
    database: str | None = None,
) -> list[str]:
    """Write down what this process claims, beside what earlier ones left that is not off yet.

    ``tables`` are ``connectors`` and ``indicator`` as in the configuration file. Returns why a
    record could not be written, one sentence for each place. Never raises.
    """
    claimed, _ = outputs_of(tables)
    if not claimed:
        return []
    boot, pins = boot_id(), {output.pin for output in claimed}
    problems = []
    for folder in places(environment, database):
        left = [output for output in read(folder, boot).outputs if output.pin not in pins]
        problems.append(write(folder, [*claimed, *left], boot))
    return [problem for problem in problems if problem is not None]


class _Defence:
    def __init__(self, chips: Chips, known: tuple[str, ...], config: str | None = None) -> None:
        self._chips = chips
        self._folders = known
        self._config = config
        self._boot = boot_id()
        self._records: list[tuple[str, OutputRecord]] = []
        self._seen: set[tuple[str, int] | Pin] = set()
        self._opened = Opened()

    def run(self) -> Opened:
        later = []
        for outputs in self._sources():
            for output in outputs:
                # A contactor at once, before more is looked for: a disk may hang. The others after
                # all contactors: a solenoid lock must not let go of a live plug.
                if output.kind == CONTACTOR:
                    self._switch_off(output)
                else:
                    later.append(output)
        for output in later:
            self._switch_off(output)
        for folder, record in self._records:
            failed = {output.pin for output in self._opened.failed}
            left = [output for output in record.outputs if output.pin in failed]
            forget(folder, record, left, self._boot)
        return self._opened

    def _sources(self) -> Iterator[Iterable[Output]]:
        for folder in self._folders:
            yield self._recorded(folder)
        if self._config is None:
            return
        try:
            tables = read_tables(self._config)
        except OSError:
            return  # check-config reports it
        storage = tables.get("storage")
        database = storage.get("path") if isinstance(storage, dict) else None
        if isinstance(database, str) and beside(database) not in self._folders:
            yield self._recorded(beside(database))
        outputs, problems = outputs_of(tables)
        self._opened.problems += problems
        yield outputs

    def _recorded(self, folder: str) -> Iterable[Output]:
        record = read(folder, self._boot)
        self._records.append((folder, record))
        self._opened.problems += record.problems
        return record.outputs

    def _switch_off(self, output: Output) -> None:
        key: tuple[str, int] | Pin = output.pin
        try:
            key = self._chips.resolve(output.pin)
            if key not in self._seen:
                os.close(self._chips.output(output.pin, output.off_level))
                self._opened.outputs.append(output)
        except Exception as problem:  # noqa: BLE001 - the other outputs must go off all the same
            if key not in self._seen:
                words = f"{output.part}, pin {output.pin}: not switched off: {problem}"
                self._opened.problems.append(words)
            self._opened.failed.append(output)
        self._seen.add(key)
