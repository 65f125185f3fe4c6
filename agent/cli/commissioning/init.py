"""``chargepoint-agent init``: a few questions, then a commented configuration that is in order."""

from __future__ import annotations

import argparse
import getpass
import os
import pwd
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.cli import paths
from agent.cli.console import GREEN, Console, StyledLine, add_command, as_json, error, note
from agent.platform.edited_files import SECRET_BYTES_MAX, decoded, one_line, read_secret
from agent.platform.errors import AgentError, EditedFileError
from agent.platform.file_problems import in_words
from agent.platform.ownership import rights_of_owner
from agent.platform.whole_file import written_beside

WORDS = "ask a few questions and write a configuration that check-config accepts"
SECRETS = "secrets"
INSTALLED_STORAGE = "/var/lib/chargepoint-agent/agent.db"
# What the Debian package puts in the place of a configuration.
SHIPPED_EXAMPLE = Path("/usr/lib/chargepoint-agent/config.example.toml")
USAGE = 2


def add_init_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``init`` with an option for each of its questions."""
    add = add_command(commands, common, "init", WORDS, run_init_command).add_argument
    add("--yes", action="store_true", help="ask nothing: defaults for what no option says")
    add("--force", action="store_true", help="replace files that exist; they are kept as .old")
    add("--identity", metavar="NAME", help="name of this box at the central system")
    add("--board", metavar="WHAT", help="raspberry-pi, or simulated for a desk")
    add("--reader", metavar="DRIVER", help="mfrc522, serial ... or none")
    add("--reader-port", metavar="PATH", help="serial port of the card reader")
    add("--connectors", metavar="N", help="how many sockets or cables")
    add("--lock", metavar="KIND", help="solenoid, motor or none")
    add("--pilot", metavar="DRIVER", help="controller of the control pilot, or none")
    add("--pilot-port", metavar="PATH", help="its serial port")
    add("--pilot-port-2", metavar="PATH", help="the serial port of the second one")
    add("--plug", metavar="KIND", help="what tells that a plug is in: contact, pilot or none")
    add("--meter", metavar="DRIVER", help="modbus_sdm630 ... or none")
    add("--meter-port", metavar="PATH", help="serial port of the meter")
    add("--emergency-stop", metavar="yes|no", help="its second contact is wired to the board")
    add("--residual-current", metavar="yes|no", help="its second contact is wired to the board")
    add("--grid-limit", metavar="yes|no", help="the grid operator's contact is wired to the board")
    add("--max-current-a", metavar="A", help="what the wiring carries for hours, per phase")
    add("--phases", metavar="N", help="phases wired to the sockets: 1 or 3")
    add("--url", metavar="URL", help="address of the central system; empty: none")
    add("--password-from", metavar="FILE", help='take the password from there; "-": from input')
    add("--page", metavar="yes|no", help="show the page to browsers on this machine")
    add("--house-host", metavar="HOST", help="MQTT broker of the house; empty: none")
    add("--house-username", metavar="NAME", help="user name of this box there; empty: none")
    add("--house-password-from", metavar="FILE", help="take its password there from this file")
    add("--storage", metavar="PATH", help="the database file")


@dataclass(frozen=True, slots=True)
class InitPaths:
    """Where the files go."""

    config: Path
    secrets: Path
    storage: str

    def secret_files(self, answers: Mapping[str, str]) -> dict[Path, str]:
        """The files that keep a secret of its own each, and what stands in them."""
        from agent.cli.commissioning.config_values import SECRET_FILES

        found = ((file, answers.get(name)) for name, file in SECRET_FILES.items())
        return {self.secrets / file: secret for file, secret in found if secret}


def run_init_command(options: argparse.Namespace) -> int:
    """Ask, check, write. Raises AgentError with a sentence when that is not possible."""
    from agent.cli.commissioning.questions import complaints, completed

    place = _place(options)
    given = _given(options)
    errors = Console(sys.stderr)
    may_replace = options.force or _is_example(place.config)
    if not options.yes:
        may_replace = _may_replace(place.config, may_replace, _Interview(sys.stderr))
        given = _Interview(sys.stderr).answers(given)
    if wrong := complaints(given):
        errors.tell(map(error, wrong))
        return USAGE
    _write(options, place, completed(given), may_replace)
    return 0


def _is_example(config: Path) -> bool:
    try:
        return config.read_bytes() == SHIPPED_EXAMPLE.read_bytes()
    except OSError:
        return False


def _place(options: argparse.Namespace) -> InitPaths:
    config = (options.config or paths.DEFAULT_CONFIG).absolute()
    is_installed = config == paths.DEFAULT_CONFIG
    beside = INSTALLED_STORAGE if is_installed else str(config.with_name("agent.db"))
    return InitPaths(config, config.parent / SECRETS, options.storage or beside)


def _given(options: argparse.Namespace) -> dict[str, str]:
    from agent.cli.commissioning.config_values import SECRET_FILES
    from agent.cli.commissioning.questions import QUESTIONS

    given = {
        question.name: value
        for question in QUESTIONS
        if (value := getattr(options, question.name, None)) is not None
    }
    for name in SECRET_FILES:
        if (source := getattr(options, f"{name}_from")) is not None:
            given[name] = _password_from(source)
    return given


def _password_from(name: str) -> str:
    try:
        if name == "-":
            return one_line(decoded(sys.stdin.buffer.read(SECRET_BYTES_MAX)))
        return read_secret(name)
    except EditedFileError as problem:
        place = "from input: " if name == "-" else ""
        raise AgentError(f"the password cannot be taken {place}{problem}") from None


# --- asking --------------------------------------------------------------------------------------


def _may_replace(config: Path, is_told: bool, interview: _Interview) -> bool:
    if is_told or not config.exists():
        return is_told
    words = f"{config} exists. Replace it (it is kept as {config.name}.old)? yes, no"
    if interview.ask(words, "no") != "yes":
        raise AgentError(f"{config} stays as it is")
    return True


class _Interview:
    def __init__(self, stream: Any) -> None:
        self._console = Console(stream)
        self._stream = stream

    def answers(self, given: Mapping[str, str]) -> dict[str, str]:
        """Every answer that makes sense, asking for what was not given."""
        from agent.cli.commissioning.questions import QUESTIONS

        self._console.tell(["Enter takes what stands in brackets. Ctrl-C: nothing is written.", ""])
        answers: dict[str, str] = {}
        for question in QUESTIONS:
            if question.name in given:
                answers[question.name] = given[question.name]
            elif question.is_asked(answers):
                answers[question.name] = self._answer(question, answers)
        return answers

    def _answer(self, question: Any, answers: Mapping[str, str]) -> str:
        choices = question.choices(answers)
        words = question.words + (f": {_listed(choices)}" if choices else "")
        while True:
            default = question.default(answers)
            answer = self.ask(words, default, question.is_secret)
            problem: str = question.problem(answer, answers)
            if not problem:
                return answer
            self._console.tell([f"  That does not do: it {problem}."])

    def ask(self, words: str, default: str | None = None, is_secret: bool = False) -> str:
        """One answer, without blanks around it. Raises AgentError at the end of the input."""
        shown = f" [{default}]" if default else ""
        self._console.tell([f"{words}{shown}"])
        try:
            if is_secret and sys.stdin.isatty():
                typed = getpass.getpass("  (not shown) > ", self._stream)
            else:
                self._stream.write("  > ")
                self._stream.flush()
                if not (typed := sys.stdin.readline()):
                    raise EOFError
        except EOFError:
            raise AgentError("the answers have ended: nothing was written") from None
        return typed.strip() or (default or "")


def _listed(choices: tuple[str, ...]) -> str:
    if len(choices) > 5 and choices[0] == "1":
        return f"1 to {choices[-1]}"
    return ", ".join(choices)


# --- writing -------------------------------------------------------------------------------------


def _write(
    options: argparse.Namespace, place: InitPaths, answers: Mapping[str, str], may_replace: bool
) -> None:
    from agent.cli.commissioning.config_text import config_text
    from agent.cli.commissioning.config_values import file_values
    from agent.config.advice import warnings_for
    from agent.config.config_file import parse_config

    values, connectors = file_values(answers, place.storage, str(place.secrets))
    text = config_text(values, connectors)
    settings = parse_config(text)  # raises before anything is written
    secrets = place.secret_files(answers)
    _require_room([place.config, *secrets], may_replace)
    kept = []
    if secrets:
        _make_folder(place.secrets)
    for path, secret in secrets.items():
        kept += [write_file(path, f"{secret}\n", 0o600, may_replace, is_for_service=True)]
    kept += [write_file(place.config, text, 0o644, may_replace)]
    _tell(options, place, answers, [path for path in kept if path], warnings_for(settings))


def _require_room(files: Sequence[Path], may_replace: bool) -> None:
    folder = files[0].parent
    if not folder.is_dir():
        raise AgentError(f"there is no folder {folder}")
    for path in files:
        if path.exists() and not may_replace:
            raise AgentError(f"{path} exists already, and stays as it is; --force replaces it")


def _make_folder(folder: Path) -> None:
    try:
        with rights_of_owner(folder.parent):
            folder.mkdir(mode=0o750, exist_ok=True)
    except OSError as problem:
        raise AgentError(in_words(problem, "make the folder", folder)) from None


def _tell(
    options: argparse.Namespace,
    place: InitPaths,
    answers: Mapping[str, str],
    kept: list[Path],
    warnings: list[str],
) -> None:
    secrets = [str(path) for path in place.secret_files(answers)]
    if options.json:
        result = {
            "config": str(place.config),
            "secrets": secrets,
            "kept": [str(path) for path in kept],
            "warnings": warnings,
        }
        print(as_json(result))
        return
    console = Console(sys.stdout)
    console.tell(map(note, warnings))
    console.tell(f"{path} keeps what was there before" for path in kept)
    console.tell(f"{path} holds a password, for its owner only" for path in secrets)
    done = f"{place.config} is written, and is in order"
    console.tell([StyledLine(done, "is in order", GREEN), ""])
    console.tell(_next_steps(options, answers))


def _next_steps(options: argparse.Namespace, answers: Mapping[str, str]) -> list[str]:
    where = "" if options.config is None else f" --config {options.config}"
    steps = [f"  chargepoint-agent check-config{where}      which pin does what"]
    if answers["page"] == "yes":
        steps += [f"  chargepoint-agent token new phone --scopes read,operate,configure{where}"]
    if answers["board"] == "simulated":
        return ["Next:", *steps, f"  chargepoint-agent run{where}"]
    return ["Next:", *steps, "  wire it as docs/wiring.md shows, then docs/commissioning.md"]


SERVICE_USER = "chargepoint"


def write_file(
    path: Path, text: str, mode: int, may_replace: bool, is_for_service: bool = False
) -> Path | None:
    """Write the file with this mode, all of it or nothing, with the rights of the folder's owner.

    ``is_for_service``: it will belong to the service's user, where there is one and root says so.
    Returns where an older one was put (``.old`` beside it), if there was one. Raises AgentError
    when there is one and it may not be replaced, or when the disk does not let us.
    """
    path = path.absolute()
    with rights_of_owner(path.parent):
        owner = _service_user() if is_for_service and os.geteuid() == 0 else None
        try:
            with written_beside(path, text.encode(), mode, owner) as beside:
                kept = _make_room(path) if may_replace else None
                if kept is not None:
                    beside.replace(path)
                else:
                    os.link(
                        beside, path
                    )  # unlike a rename it fails when the file has appeared meanwhile
        except FileExistsError:
            raise AgentError(f"{path} exists already, and stays as it is") from None
        except OSError as problem:
            raise AgentError(in_words(problem, "write", path)) from None
    return kept


def _service_user() -> tuple[int, int] | None:
    try:
        user = pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return None
    return user.pw_uid, user.pw_gid


def _make_room(path: Path) -> Path | None:
    """Keep what is there under another name; its place is never empty meanwhile."""
    if not path.exists():
        return None
    kept = path.with_name(f"{path.name}.old")
    kept.unlink(missing_ok=True)
    os.link(path, kept)
    return kept
