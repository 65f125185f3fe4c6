"""What the documents say exists: commands, options, targets, settings, files, pins, actions.

Every rule is a function from one document to complaints. It is asked about each real document,
where it must find nothing, and about a broken sentence, where it must find something.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import re
import shlex
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from gpiozero import pi_info

from agent.cli.main import parser
from agent.config.config_file import read_config
from agent.config.pins import pin_table
from agent.config.reading import every_setting
from agent.core.configuration import KEYS
from agent.core.faults import RULES as FAULTS
from hw.simulated.controls import SimulationControls
from tests.test_architecture import LAYERS

ROOT = Path(__file__).parent.parent
TOP = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
DOCUMENTS = [*TOP, *sorted((ROOT / "docs").glob("*.md"))]
IMAGES = sorted((ROOT / "docs/images").glob("*.svg"))
EXAMPLE = ROOT / "config.example.toml"

# Names that belong to others: systemd, TOML, OCPP's own words that the agent never has to write.
FOREIGN_NAMES = {"RuntimeWatchdogSec", "RebootWatchdogSec"}
# What pyproject.toml leaves out on purpose, and why: see docs/libraries.md.
INSTALLED_APART = {"mfrc522", "spidev"}
# The first headings of tables that quote what the program says.
QUOTING = ("`status` says", "the journal says", "the line says", "what you see", "you see")
# Every action that a central system may call (OCPP 1.6, chapters 5 and 4.3).
CENTRAL_SYSTEM_ACTIONS = {
    "CancelReservation",
    "CertificateSigned",
    "ChangeAvailability",
    "ChangeConfiguration",
    "ClearCache",
    "ClearChargingProfile",
    "DataTransfer",
    "DeleteCertificate",
    "ExtendedTriggerMessage",
    "GetInstalledCertificateIds",
    "InstallCertificate",
    "GetCompositeSchedule",
    "GetConfiguration",
    "GetDiagnostics",
    "GetLog",
    "GetLocalListVersion",
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "ReserveNow",
    "Reset",
    "SendLocalList",
    "SetChargingProfile",
    "SignedUpdateFirmware",
    "TriggerMessage",
    "UnlockConnector",
    "UpdateFirmware",
}

Rule = Callable[[str], list[str]]


# --- reading a document --------------------------------------------------------------------------


def code_blocks(text: str, *languages: str) -> list[str]:
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, flags=re.M | re.S)
    return [block for language, block in found if not languages or language in languages]


def code_spans(text: str) -> list[str]:
    without_blocks = re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S)
    return re.findall(r"`([^`\n]+)`", without_blocks)


def command_lines(text: str) -> Iterator[str]:
    """What a person may type: lines of blocks without prompt and comment, and code spans."""
    for block in code_blocks(text, "", "sh", "console"):
        for line in block.replace("\\\n", " ").splitlines():
            yield re.sub(r"\s+#.*", "", line.strip().removeprefix("$ "))
    yield from code_spans(text)


def calls_of(program: str, text: str) -> list[list[str]]:
    """The arguments of each call of a program that the text shows."""
    found = []
    for line in command_lines(text):
        try:
            words = shlex.split(line)
        except ValueError:  # an open quotation mark: a sentence, not a command
            continue
        if words[:1] == ["sudo"]:
            words = words[1:]
        if len(words) > 1 and Path(words[0]).name == program:
            found.append(words[1:])
    return found


def subparsers(of: argparse.ArgumentParser, name: str = "") -> dict[str, argparse.ArgumentParser]:
    """Every command by its full name: ``status``, ``sim plug``."""
    found = {}
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner, command in action.choices.items():
                full = f"{name} {inner}".strip()
                found |= {full: command} | subparsers(command, full)
    return found


@cache
def options() -> set[str]:
    """Every option of every command."""
    known: set[str] = set()
    for command in (parser(), *subparsers(parser()).values()):
        known |= {option for action in command._actions for option in action.option_strings}
    return known


@cache
def keys() -> frozenset[str]:
    """Every setting in full: ``connectors.contactor.pin``; and every section."""
    found = {f"ocpp.configuration.{key.name}" for key in KEYS} | {"ocpp.configuration"}
    for section, field, _ in every_setting():
        found |= {".".join(section[: depth + 1]) for depth in range(len(section))}
        found.add(".".join((*section, field.name)))
    return frozenset(found)


@cache
def sources() -> str:
    """Everything that is not a document, as one text."""
    folders = ("agent", "hw", "systemd", "tests")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    paths = [p for p in paths if p.suffix != ".pyc" and "node_modules" not in p.parts]
    paths.remove(Path(__file__))
    return "\n".join(path.read_text() for path in [*paths, ROOT / "Makefile"])


@cache
def words() -> frozenset[str]:
    """Every word in there."""
    return frozenset(re.findall(r"\w+", sources()))


# --- the rules -----------------------------------------------------------------------------------


def commands_parse(text: str) -> list[str]:
    complaints = []
    calls = calls_of("chargepoint-agent", text)
    names = set(subparsers(parser()))
    for span in code_spans(text):  # `why TAG`, `sim tap UID`
        words = span.split()
        if len(words) > 1 and words[0] in names and span not in names:
            calls.append(words)
    for call in calls:
        if call[0] in ("COMMAND", "..."):
            continue
        # N stands for a number.
        arguments = ["1" if word == "N" else word for word in call]
        with (
            contextlib.redirect_stderr(io.StringIO()) as error,
            contextlib.redirect_stdout(io.StringIO()),
        ):
            try:
                parser().parse_args(arguments)
            except SystemExit as ended:
                if ended.code == 0:  # --version and --help end there
                    continue
                complaints.append(f"{' '.join(call)}: {error.getvalue().splitlines()[-1]}")
    return complaints


def options_exist(text: str) -> list[str]:
    spans = [span for span in code_spans(text) if span.startswith("--")]
    return [span for span in spans if span.split()[0] not in options()]


def make_targets_exist(text: str) -> list[str]:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, flags=re.M))
    asked = [word for call in calls_of("make", text) for word in call if "=" not in word]
    return [f"make {word}" for word in asked if word not in targets]


def settings_exist(text: str) -> list[str]:
    sections = {key.split(".")[0] for key in keys()}
    complaints = []
    for span in code_spans(text):
        # [connectors.lock], connectors[id=1].lock, charge_point.identity, reader.spi_hz = 500000
        name = span.split(" = ")[0].strip("[]")
        name = re.sub(r"\[[^]]*\]", "", name)
        if not re.fullmatch(r"[a-z_]+(\.[A-Za-z_0-9]+)+", name) or name.endswith(".py"):
            continue
        if name.split(".")[0] in sections and name not in keys():
            complaints.append(span)
    return complaints


def files_exist(text: str) -> list[str]:
    complaints = []
    for span in code_spans(text):
        if re.fullmatch(r"(agent|hw|tests|docs|systemd|emulators)/[\w./*-]*", span):
            place = f"tests/{span}" if span.startswith("emulators/") else span
            if not any(ROOT.glob(place.rstrip("/"))):
                complaints.append(span)
        elif re.fullmatch(r"\w+\.py", span) and not any(ROOT.glob(f"[aht]*/**/{span}")):
            complaints.append(span)
    return complaints


def names_exist(text: str) -> list[str]:
    """A CamelCase name stands somewhere in the code, the unit or the tests."""
    spans = {span for span in code_spans(text) if re.fullmatch(r"([A-Z][a-z]+){2,}", span)}
    known = CENTRAL_SYSTEM_ACTIONS | FOREIGN_NAMES
    return sorted(spans - known - words())


@cache
def literals() -> tuple[str, ...]:
    """Every text, and every piece of one that is filled in, in the agent and its drivers."""
    found: set[str] = set()
    for path in [*(ROOT / "agent").rglob("*.py"), *(ROOT / "hw").rglob("*.py")]:
        nodes = list(ast.walk(ast.parse(path.read_text())))
        told = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        found |= {
            node.value
            for node in nodes
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in told  # a docstring
        }
    return tuple(found)


def sentences_are_said(text: str) -> list[str]:
    """What a table quotes from ``status`` or the journal stands in the code, piece by piece."""
    complaints = []
    for row in table_rows_under(*QUOTING, text=text):
        for span in code_spans(row[0]):
            if "=" in span:  # a setting, or systemd's own words
                continue
            pieces = [piece.strip() for piece in re.split(r"\.\.\.|[\d,;:()]+", span)]
            missing = [p for p in pieces if p and not any(p in told for told in literals())]
            complaints += [f"{span}: {piece}" for piece in missing]
    return complaints


def table_rows_under(*headings: str, text: str) -> Iterator[list[str]]:
    """The rows of tables whose first heading is one of these."""
    is_inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line[:1] != "|" or cells[0] in headings:
            is_inside = line[:1] == "|"
        elif is_inside:
            yield cells


def nothing_private_is_told(text: str) -> list[str]:
    """No path of somebody's machine, no package registry, nobody's name or address."""
    patterns = (
        r"(?<![\w.~])/(?:work|root|home/\w+|Users/\w+|tmp)/",
        r"\b(?:pypi|pythonhosted|piwheels|npmjs|crates|golang|githubusercontent|github|gitlab)\.\w+",
        r"[\w.+-]+@[\w-]+\.\w+",
    )
    return [found for pattern in patterns for found in re.findall(pattern, text)]


def documents_exist(text: str) -> list[str]:
    """Every document that is mentioned is in this repository."""
    known = {path.name for path in DOCUMENTS}
    return [m for m in re.findall(r"[\w/-]+\.md\b", text) if m.rpartition("/")[2] not in known]


def nobody_is_named(text: str) -> list[str]:
    """Nobody is thanked or asked by handle, or claims the rights in a document."""
    return re.findall(r"(?<![\w`/])@[a-z][\w-]+|(?i:copyright|©|author:|written by).*", text)


RULES: tuple[Rule, ...] = (
    commands_parse,
    options_exist,
    make_targets_exist,
    settings_exist,
    files_exist,
    names_exist,
    sentences_are_said,
    nothing_private_is_told,
    nobody_is_named,
    documents_exist,
)

BROKEN: tuple[tuple[Rule, str], ...] = (
    (commands_parse, "```sh\nsudo chargepoint-agent frobnicate\n```"),
    (commands_parse, "```console\n$ .venv/bin/chargepoint-agent status --colour\n```"),
    (commands_parse, "   ```sh\n   chargepoint-agent sim tap   # a card\n   ```"),
    (commands_parse, "```sh\nchargepoint-agent init \\\n  --frobnicate\n```"),
    (commands_parse, "Then `chargepoint-agent frobnicate`."),
    (commands_parse, "See `why --limit few`."),
    (commands_parse, "See `sim energy perhaps`."),
    (options_exist, "With `--frobnicate`."),
    (options_exist, "With `--colour PATH`."),
    (make_targets_exist, "```sh\nsudo make frobnicate\n```"),
    (make_targets_exist, "Run `make frobnicate`."),
    (settings_exist, "Set `reader.pol_ms`."),
    (settings_exist, "Set `reader.spi_herz = 500000`."),
    (settings_exist, "Set `connectors[id=1].lock.pim`."),
    (settings_exist, "Under `[connectors.lok]`."),
    (files_exist, "In `agent/frobnicate.py`."),
    (files_exist, "In `frobnicate.py`."),
    (files_exist, "In `tests/frobnicate/`."),
    (names_exist, "Set `AllowOfflineTxForFrobnicate`."),
    (sentences_are_said, "| you see | do |\n|---|---|\n| `contactor does not frobnicate` | look |"),
    (sentences_are_said, "| `status` says | do |\n|---|---|\n| `door; it sleeps` | wake it |"),
    (nothing_private_is_told, "Look into /home/somebody/agent."),
    (nothing_private_is_told, "Look into /root/agent."),
    (nothing_private_is_told, "From https://pypi.org/simple."),
    (nothing_private_is_told, "Ask somebody@example.org."),
    (nobody_is_named, "Thanks to @somebody."),
    (nobody_is_named, "Copyright 2026 Somebody"),
    (documents_exist, "See hardware.md 6.2."),
    (documents_exist, "See docs/frobnicate.md."),
)


def _name(value: object) -> str | None:
    return value.__name__ if callable(value) else None


def _path_name(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("document", DOCUMENTS, ids=_path_name)
@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_what_a_document_names_exists(rule: Rule, document: Path):
    assert rule(document.read_text()) == []


@pytest.mark.parametrize(("rule", "text"), BROKEN, ids=_name)
def test_a_wrong_sentence_would_be_noticed(rule: Rule, text: str):
    assert rule(text) != []


def test_every_rule_is_shown_to_bite():
    assert {rule for rule, _ in BROKEN} == set(RULES)


def test_the_rules_find_something_to_look_at():
    readme = (ROOT / "README.md").read_text()
    assert len(calls_of("chargepoint-agent", readme)) > 5
    assert len(calls_of("make", readme)) > 3
    assert "connectors.pilot.driver" in keys()


def test_every_fault_that_troubleshooting_quotes_is_one_of_the_table():
    text = (ROOT / "docs/troubleshooting.md").read_text().partition("\n## Faults\n")[2]
    rows = table_rows_under("`status` says", text=text.partition("\n## ")[0])
    quoted = {span for row in rows for span in code_spans(row[0])}
    assert len(quoted) > 5
    assert quoted <= {rule.words for rule in FAULTS.values()}


# --- links and drawings --------------------------------------------------------------------------


def links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", text)


def heading_anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, flags=re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(document: Path, text: str) -> list[str]:
    complaints = []
    for link in links(text):
        if link.startswith(("http://", "https://")):
            continue
        place, _, anchor = link.partition("#")
        target = (document.parent / place).resolve() if place else document
        is_there = target.exists() and target.is_relative_to(ROOT)
        if not is_there or (anchor and anchor not in heading_anchors(target.read_text())):
            complaints.append(link)
    return complaints


@pytest.mark.parametrize("document", DOCUMENTS, ids=_path_name)
def test_every_link_leads_somewhere(document: Path):
    assert broken_links(document, document.read_text()) == []


@pytest.mark.parametrize("link", ["docs/frobnicate.md", "../outside", "README.md#frobnicate"])
def test_a_link_that_leads_nowhere_would_be_noticed(link: str):
    assert broken_links(ROOT / "README.md", f"[x]({link})") == [link]


def test_every_drawing_is_shown_somewhere():
    shown = {link for document in DOCUMENTS for link in links(document.read_text())}
    assert IMAGES
    assert {path.name for path in IMAGES} <= {Path(link).name for link in shown}


@pytest.mark.parametrize("image", IMAGES, ids=_path_name)
def test_a_drawing_says_what_it_shows_and_can_be_read_in_the_dark(image: Path):
    text = image.read_text()
    drawing = ElementTree.fromstring(text)
    inside = {child.tag.rpartition("}")[2]: (child.text or "") for child in drawing}
    assert inside["title"].strip()
    assert inside["desc"].strip()
    assert "prefers-color-scheme: dark" in inside["style"]
    assert not re.search(r"(?:href|src)=", text), "a drawing loads nothing from elsewhere"


@pytest.mark.parametrize("image", IMAGES, ids=_path_name)
def test_every_colour_of_a_drawing_has_one_for_the_dark(image: Path):
    light, _, dark = image.read_text().partition("prefers-color-scheme: dark")

    def colored(css: str) -> set[str]:
        rules = re.findall(r"^ *([^{}@\n]+?) *\{([^{}]*)\}", css, flags=re.M)
        return {name for name, body in rules if re.search(r"(?:fill|stroke): #", body)} | {
            name for name, body in rules if "font" in body and name == "text"
        }

    assert colored(light.partition("<style>")[2]) == colored(dark.partition("</style>")[0])


# --- commands, messages, libraries, an example ---------------------------------------------------


def section(document: str, heading: str) -> str:
    """The text under a heading of the second level; it must be there."""
    text = (ROOT / document).read_text()
    assert f"\n## {heading}\n" in text
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def table_rows(text: str) -> list[list[str]]:
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line[:1] == "|"]
    return [[cell.strip() for cell in row] for row in rows]


def test_every_command_and_option_is_in_the_reference():
    text = (ROOT / "docs/commands.md").read_text()
    leaves = {
        name: command
        for name, command in subparsers(parser()).items()
        if not any(isinstance(a, argparse._SubParsersAction) for a in command._actions)
    }
    assert len(leaves) > 5
    headings = re.findall(r"^##+ (.+)$", text, flags=re.M)
    assert [name for name in leaves if name not in headings] == []
    shown = {word.strip(",") for span in code_spans(text) for word in span.split()}
    assert options() - {"-h", "--help"} <= shown


def test_the_reference_names_the_faults_that_can_be_simulated():
    text = (ROOT / "docs/commands.md").read_text().partition("\n### sim fault\n")[2]
    (row,) = [row for row in table_rows(text.partition("\n### ")[0]) if row[0] == "`NAME`"]
    assert set(row[1].split(", ")) == set(SimulationControls.fault_names)


def handled_actions() -> set[str]:
    """The actions for which a module of handlers returns a handler."""
    found: set[str] = set()
    for path in (ROOT / "agent/ocpp16/handlers").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.endswith("_handlers"):
                (table,) = [part for part in ast.walk(node) if isinstance(part, ast.Dict)]
                found |= {key.value for key in table.keys if isinstance(key, ast.Constant)}
    return found


def sent_actions() -> set[str]:
    """The actions of our own calls."""
    messages = (ROOT / "agent/ocpp16/requests.py").read_text()
    sender = (ROOT / "agent/ocpp16/sender.py").read_text()
    by_name = re.findall(r"_call\(\"([A-Z]\w+)\"", sender)
    told = [
        (ROOT / "agent" / name).read_text()
        for name in ("maintenance/log_upload.py", "maintenance/firmware_install.py")
    ]
    by_notice = [
        found for text in told for found in re.findall(r'^\w*ACTION = "(\w+)"', text, re.M)
    ]
    by_builder = re.findall(r'(?:"""([A-Z]\w+)\.req\b|return "([A-Z]\w+)", _)', messages)
    return {name for pair in by_builder for name in pair if name} | {*by_name, *by_notice}


def actions_at_a_glance() -> dict[str, str]:
    rows = table_rows(section("docs/ocpp.md", "At a glance"))
    return {row[0]: row[1] for row in rows if len(row) == 2}


def test_the_document_tells_which_actions_are_answered():
    rows = actions_at_a_glance()
    answered = set(re.findall(r"([A-Z]\w+)(?:,| \(|$)", rows["answered"]))
    refused = set(re.findall(r"[A-Z]\w+", rows["answered with `NotSupported`"].partition(":")[2]))
    assert answered == handled_actions()
    assert refused == CENTRAL_SYSTEM_ACTIONS - answered


def test_the_document_tells_which_actions_are_sent():
    assert set(actions_at_a_glance()["sent"].split(", ")) == sent_actions()


def test_every_library_has_its_reason_and_no_other_is_named():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"]
    declared = [*project["dependencies"], *extra["board"], *extra["dev"]]
    names = {re.match(r"[\w-]+", line)[0] for line in declared} | INSTALLED_APART
    text = (ROOT / "docs/libraries.md").read_text()
    rows = table_rows(text)[2:]
    assert {name for row in rows for name in row[0].split(", ")} == names
    assert all(row[1] and row[2] for row in rows)


def test_the_configuration_that_is_shown_is_a_part_of_the_example():
    (extract,) = code_blocks(section("docs/configuration.md", "An example"), "toml")
    example = tomllib.loads(EXAMPLE.read_text())
    assert differences(tomllib.loads(extract), example) == []
    assert differences({"reader": {"reset_pin": 99}}, example) == ["reader.reset_pin"]


def differences(part: Any, whole: Any, name: str = "") -> list[str]:
    """Where ``part`` says something else than ``whole``."""
    match part, whole:
        case dict(), dict():
            pairs = [(key, value, whole.get(key)) for key, value in part.items()]
        case list(), list() if len(part) == len(whole):
            pairs = [
                (str(place), *pair) for place, pair in enumerate(zip(part, whole, strict=True))
            ]
        case _:
            return [] if part == whole else [name]
    return [d for key, a, b in pairs for d in differences(a, b, f"{name}.{key}".strip("."))]


# --- the architecture ----------------------------------------------------------------------------


def test_the_table_of_packages_is_the_order_of_layers():
    rows = table_rows(section("docs/architecture.md", "The packages"))[2:]
    ranks = [
        [name for name in layer.split(" | ") if (ROOT / "agent" / name).is_dir()]
        for layer in LAYERS.split(" < ")
    ]
    ranks = [names for names in ranks if names]
    expected = []
    for number, names in enumerate(ranks):
        above = ", ".join(ranks[number - 1]) + (" and above" if number > 1 else "")
        may = above if number else "nothing of the agent"
        expected += [(f"`agent/{name}/`", may) for name in names]
    assert [(row[0], row[2]) for row in rows] == expected


def test_the_picture_of_the_architecture_names_what_is_there():
    text = (ROOT / "docs/images/architecture.svg").read_text()
    labels = re.findall(r">((?:(?:agent|hw)/[\w/.]*|[\w]+\.py)(?:, [\w]+\.py)*)<", text)
    names = [name for label in labels for name in label.split(", ")]
    assert len(names) > 10
    assert [name for name in names if files_exist(f"`{name}`")] == []


# --- wiring --------------------------------------------------------------------------------------


def header_pin(bcm: int) -> int:
    """Where a BCM pin is on the 40-pin header, as gpiozero knows it."""
    pins = pi_info("a02082").headers["J8"].pins
    return next(number for number, pin in pins.items() if f"BCM{bcm}" in pin.names)


def test_the_wiring_table_is_the_example():
    table = {}
    for row in table_rows((ROOT / "docs/wiring.md").read_text()):
        if len(row) == 5 and row[0].isdigit():
            table[int(row[0])] = (int(row[1]), row[4].strip("`"))
    used = dict(pin_table(read_config(EXAMPLE)))
    assert set(table) == set(used)
    for bcm, (position, key) in table.items():
        assert position == header_pin(bcm)
        assert re.sub(r"\[[^]]*\]| \(.*", "", used[bcm]) == key


def test_the_wiring_drawing_is_the_example():
    drawn = re.findall(r"BCM (\d+) \((\d+)\)", (ROOT / "docs/images/wiring.svg").read_text())
    used = dict(pin_table(read_config(EXAMPLE)))
    assert {(int(bcm), int(pin)) for bcm, pin in drawn} == {(b, header_pin(b)) for b in used}


# --- the whole repository ------------------------------------------------------------------------


def public_files() -> list[Path]:
    folders = ("agent", "hw", "systemd", "docs", ".ci")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    single = [ROOT / name for name in ("Makefile", "pyproject.toml", "config.example.toml")]
    return [p for p in [*found, *TOP, *single] if p.suffix not in (".pyc", ".png")]


def test_nothing_private_and_nothing_that_is_missing_is_told_anywhere():
    complaints = {}
    for path in public_files():
        text = path.read_text()
        if found := [*nothing_private_is_told(text), *documents_exist(text)]:
            complaints[str(path.relative_to(ROOT))] = found
    assert complaints == {}
