"""The support bundle: one small archive that shows a help desk how a box is doing. No secrets.

``collect`` makes its parts, on a thread that may be slow; ``pack`` and ``unpack`` are the archive.
Whatever cannot be had is a sentence in its part: a bundle of a broken box is the one that matters.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.config.settings import Settings
from agent.core.authorization_reasons import reason_of
from agent.core.id_tag import mask
from agent.maintenance.machine import Line, own_version, system_facts, versions
from agent.maintenance.scrub import Scrubber, scrubber_for
from agent.platform.ownership import rights_of_owner
from agent.store.offline_view import Look, look_at

PART_CHARS_MAX = 1_000_000
PARTS_MAX = 40
_ROOT = "chargepoint-agent-support"

_CONTENTS = {
    "status.json": "connectors, link, queue, faults, as the command status shows them",
    "settings.json": "the settings in force; secrets stand in files of their own, not here",
    "config.toml": "the configuration file as it is written",
    "keys.json": "the OCPP configuration keys",
    "decisions.json": "the last card decisions with their reasons",
    "security-log.json": "what happened to the security of the box, and whether the log is whole",
    "queue.json": "what waits for the central system, what was parked, what people did about it",
    "log.txt": "the last lines of the log since the agent started",
    "frames.txt": "the last messages to (>) and from (<) the central system",
    "journal.txt": "what journald kept of the service",
    "database.json": "size, rows, and whether the file is sound",
    "self-test.json": "what the last self-test found",
    "system.json": "board, system, memory, disk, devices",
    "versions.json": "this program and its libraries",
}


@dataclass(frozen=True, slots=True)
class BundlePart:
    """One file of the bundle."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is asked about; None: from the beginning, to the end."""

    begin: datetime | None = None
    end: datetime | None = None

    def has(self, instant: datetime) -> bool:
        """True for an instant within."""
        after_begin = self.begin is None or instant >= self.begin
        return after_begin and (self.end is None or instant <= self.end)


ALWAYS = Window()


@dataclass(frozen=True, slots=True)
class LiveSources:
    """What only the running agent knows."""

    status: Any
    keys: Mapping[str, str]
    log: Sequence[Line]
    frames: Sequence[tuple[datetime, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where a bundle comes from. Nothing in here is asked twice."""

    settings: Settings | None  # None: the configuration cannot be read
    storage: Path
    made_at: datetime
    made_by: str  # the agent, or the command without one
    live: LiveSources | None = None
    config_text: str | None = None
    window: Window = ALWAYS
    notes: tuple[str, ...] = ()  # what the reader should know
    journal: Callable[[datetime | None, datetime | None], str] | None = None
    must_stop: Callable[[], bool] = field(default=lambda: False)


Progress = Callable[[str, int, int], None]


def collect(
    sources: Sources, progress: Progress = lambda what, done, total: None
) -> list[BundlePart]:
    """Make every part, masked and scrubbed. Slow: seconds on a small board.

    ``progress`` hears what is being done, and how much of it is done.
    """
    look = look_at(sources.storage, sources.must_stop)
    scrubber = scrubber_for(sources.settings, look)
    makers = _makers(sources, look)
    parts = []
    for number, (name, make) in enumerate(makers.items()):
        progress(name, number, len(makers))
        parts.append(_scrubbed(name, _made(make), scrubber))
    problems = tuple(scrubber.text(problem) for problem in look.problems)
    return [readme(parts, sources, problems), *parts]


def _made(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except OSError as problem:
        return f"(cannot be read: {problem.strerror or problem})"


def _scrubbed(name: str, content: Any, scrubber: Scrubber) -> BundlePart:
    """Text and data alike; of what is too long the last is kept, because it is the newest."""
    if not isinstance(content, str):
        text = json.dumps(scrubber.data(content), indent=1, ensure_ascii=False, default=str)
    else:
        text = scrubber.text(content)
    if len(text) > PART_CHARS_MAX:
        text = f"(cut: only the end is here)\n{text[-PART_CHARS_MAX:]}"
    return BundlePart(name, text)


def _makers(sources: Sources, look: Look) -> dict[str, Callable[[], Any]]:
    live, window = sources.live, sources.window
    makers: dict[str, Callable[[], Any]] = {}
    if live is not None:
        makers["status.json"] = lambda: live.status
        makers["keys.json"] = lambda: dict(live.keys)
        makers["log.txt"] = lambda: _lines(live.log, window)
        makers["frames.txt"] = lambda: _lines(live.frames, window)
    else:
        makers["keys.json"] = lambda: {"changed by the central system": look.configuration}
    if sources.config_text is not None:
        text = sources.config_text
        makers["config.toml"] = lambda: text
    if sources.settings is not None:
        settings = sources.settings
        makers["settings.json"] = lambda: dataclasses.asdict(settings)
    makers["decisions.json"] = lambda: _decisions(look, window)
    makers["security-log.json"] = lambda: {
        "problem": look.security_log_problem,
        "lines": look.security_log,
    }
    makers["queue.json"] = lambda: _queue(look)
    makers["database.json"] = lambda: _database(look)
    makers["self-test.json"] = lambda: _self_test(sources.storage)
    makers["system.json"] = lambda: system_facts(sources.storage)
    makers["versions.json"] = versions
    if sources.journal is not None:
        journal = sources.journal
        makers["journal.txt"] = lambda: journal(window.begin, window.end)
    return makers


def _lines(lines: Sequence[Line], window: Window) -> str:
    return "".join(
        f"{at.isoformat(timespec='milliseconds')} {text}\n" for at, text in lines if window.has(at)
    )


def _decisions(look: Look, window: Window) -> list[dict[str, Any]]:
    return [
        {
            **dataclasses.asdict(record),
            "decided_at": record.decided_at.isoformat(timespec="seconds"),
            "id_tag": mask(record.id_tag),
            "verdict": record.verdict.value,
            "reason": reason_of(record.rule),
        }
        for record in look.decisions
        if window.has(record.decided_at)
    ]


def _queue(look: Look) -> dict[str, Any]:
    return {
        "outbox": None if look.outbox is None else dataclasses.asdict(look.outbox),
        "deeds": [
            f"{at.isoformat(timespec='seconds')} {what}" for at, what in look.operator_actions
        ],
    }


def _database(look: Look) -> dict[str, Any]:
    return {
        "quick_check": look.quick_check or "not known",
        "bytes": look.bytes,
        "rows": look.rows,
        "steps": look.steps,
        "problems": look.problems,
    }


def _self_test(storage: Path) -> Any:
    try:
        path = storage.with_name("self-test.json")
        with (
            rights_of_owner(path.parent),
            open(path, encoding="utf-8", errors="replace") as file,
        ):
            text = file.read(PART_CHARS_MAX)
    except FileNotFoundError:
        return "(no self-test has been done here yet)"
    try:
        return json.loads(text)
    except ValueError:
        return text


def readme(
    parts: Iterable[BundlePart], sources: Sources, problems: tuple[str, ...] = ()
) -> BundlePart:
    """What is in the archive, for the reader."""
    identity = "unknown" if sources.settings is None else sources.settings.charge_point.identity
    lines = [
        f"Support bundle of the charge point {identity}",
        f"made {sources.made_at.isoformat(timespec='seconds')} by {sources.made_by},",
        f"chargepoint-agent {own_version()}",
        "",
        *([] if sources.window == ALWAYS else [_about(sources.window), ""]),
        "Cards are shown by their first two and last two characters. Passwords, tokens and keys",
        "are not in here: what looks like one, or is known to be one, was replaced by ***.",
        "",
        *(f"{part.name:16} {_CONTENTS[part.name]}" for part in parts),
    ]
    notes = [*sources.notes, *problems]
    if notes:
        lines += ["", "What could not be had:", *(f"- {note}" for note in notes)]
    return BundlePart("README.txt", "\n".join(lines) + "\n")


def _about(window: Window) -> str:
    begin = "the beginning" if window.begin is None else window.begin.isoformat(timespec="seconds")
    end = "the end" if window.end is None else window.end.isoformat(timespec="seconds")
    return f"Log, messages and decisions from {begin} to {end}."


# --- the archive ---------------------------------------------------------------------------------


def pack(parts: Iterable[BundlePart], made_at: datetime) -> bytes:
    """The parts as a .tar.gz."""
    import tarfile  # imported here: most agents never make a bundle

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=6) as archive:
        for part in parts:
            content = part.text.encode("utf-8", "replace")
            info = tarfile.TarInfo(f"{_ROOT}/{part.name}")
            info.size = len(content)
            info.mtime = max(0, int(made_at.timestamp()))
            info.mode = 0o600
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def unpack(packed: bytes) -> list[BundlePart]:
    """The parts of an archive that ``pack`` has made. Raises ValueError for anything else."""
    import tarfile

    parts: list[BundlePart] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is None or len(parts) >= PARTS_MAX:
                    raise ValueError("this is no support bundle")
                content = file.read(4 * PART_CHARS_MAX)
                parts.append(BundlePart(Path(member.name).name, content.decode("utf-8", "replace")))
    except (tarfile.TarError, EOFError, OSError) as problem:
        raise ValueError(f"this is no support bundle: {problem}") from problem
    return parts


def file_name(identity: str, made_at: datetime, begin: str = _ROOT, ending: str = "tar.gz") -> str:
    """What a file for others is called: safe on every file system, at most 100 characters."""
    safe = "".join(char if char.isalnum() and char.isascii() else "-" for char in identity)[:48]
    return f"{begin}_{safe}_{made_at.strftime('%Y%m%dT%H%M%SZ')}.{ending}"
