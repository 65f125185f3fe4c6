"""The house keeps its shape: who may import whom, who may read a clock, how long a file may be.

Every rule is a function from sources to complaints. It is asked about the real tree, where it must
find nothing, and about a small broken example, where it must find something. The picture that these
rules hold up is in docs/architecture.md.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from ocpp.v16.enums import Action

ROOT = Path(__file__).parent.parent
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60

PURE = {
    "__future__",
    "bisect",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "functools",
    "hashlib",
    "itertools",
    "math",
    "operator",
    "re",
    "typing",
}

# Who may use a library. Those of the board are imported inside functions: a box without that part
# does not need the package, and a command like ``status`` does not pay for it.
LIBRARY_OWNERS = {
    "ocpp": ("agent.ocpp16",),
    "websockets": ("agent.ocppj", "agent.ocpp16.demo_central_system"),
    "sqlite_utils": ("agent.store",),
    "sqlite3": ("agent.store",),
    "gpiozero": ("hw.gpio", "hw.rpi_gpio_shim", "hw.indicator"),
    "lgpio": ("hw.gpio",),
    "mfrc522": ("hw.mfrc522_chip", "hw.mfrc522_reader"),
    "spidev": ("hw.mfrc522_chip", "hw.mfrc522_reader"),
    "serial": ("hw.openevse", "hw.serial_reader"),
    "pymodbus": ("hw.modbus_port",),
    "fastapi": ("agent.api",),
    "starlette": ("agent.api",),
    "pydantic": ("agent.api",),
    "uvicorn": ("agent.api",),
    "prometheus_client": ("agent.api",),
    "jinja2": ("agent.api.page.rendering",),
    "markupsafe": ("agent.api.page.rendering",),  # comes with jinja2
    "aiomqtt": ("agent.mqtt.broker",),
    "jsonschema": ("agent.mqtt.envelope",),
    "cryptography": ("agent.certificates",),
}
LATE_LIBRARIES = {"gpiozero", "lgpio", "mfrc522", "spidev", "serial", "pymodbus", "cryptography"}

# Answers of the core to requests that are not about charging: settings, list, firmware, messages
# that were parked, the self-test, the process. ``clear_requested`` refuses nothing.
ANSWERS_OF_OTHER_KINDS = {
    "agent.core.certificate_requests:_answer",
    "agent.core.connection_profile_change:change_requested",
    "agent.core.contactors:mended",
    "agent.core.firmware_update:_asked",
    "agent.core.own_certificate_requests:_answer",
    "agent.core.from_central_system:_cache_clear_requested",
    "agent.core.from_central_system:_configuration_change_requested",
    "agent.core.from_process:_reset_requested",
    "agent.core.local_list:_staged",
    "agent.core.outbox:discard",
    "agent.core.outbox:retry",
    "agent.core.charging_profiles_installed:clear_requested",
    "agent.core.from_devices:_self_test_began",
}

# One total order: what stands further left knows nothing of what stands further right; what stands
# between two bars knows nothing of its neighbour. ``hw`` imports nothing of the agent.
LAYERS = (
    "core < platform < certificates < store < config < runtime < ocppj < ocpp16 < control "
    "< api | mqtt | maintenance < app < cli < __main__"
)

# What only these may import. Real parts are chosen in one place.
ONLY_FOR = {
    "hw.board": ("agent.app.application", "agent.app.daemon"),
    "hw.safe_state": ("agent.app.daemon", "agent.app.last_defence"),
    "hw.settings": ("agent.config.settings", "agent.config", "agent.runtime.devices", "hw"),
    "hw.settings_indicator": ("agent.config", "hw"),
    "hw.setting": ("agent.config.settings", "hw"),
    "agent.app.application": ("agent.app.daemon", "agent.app.demo"),
    "agent.cli.main": ("agent.__main__",),
    "agent.__main__": (),
}
OPEN_TO_AGENT = (
    "hw.ports",
    "hw.ports_reader",
    "hw.setting",
    "hw.settings",
    "hw.settings_indicator",
    "hw.board",
    "hw.safe_state",
    "hw.lines",
)

# Where clocks, sleep and chance may be named. In hw only as a default that a test replaces.
SOURCES_OF_TIME_AND_CHANCE = {
    "datetime.datetime.now": ("agent.runtime.clock", "agent.ocpp16.demo_central_system"),
    "time.monotonic": (
        "agent.runtime.clock",
        "hw.register_plausibility",
        "hw.modbus_meter",
        "hw.evse_wb",
        "hw.openevse",
    ),
    "time.sleep": ("hw.mfrc522_reader", "hw.modbus_meter", "hw.evse_wb", "hw.openevse"),
    "uuid.uuid4": ("agent.app.environment", "agent.cli.local_list_offline"),
    "os.urandom": ("agent.cli.local_list",),
    "random.SystemRandom": ("agent.app.environment",),
    "secrets.token_urlsafe": ("agent.api.page.site", "agent.app.demo", "agent.cli.api_token"),
}
# A generator and a number are handed in; these only name their types.
HARMLESS = {"random.Random", "uuid.UUID"}
WATCHED_MODULES = ("time", "random", "uuid", "secrets")
WATCHED_NAMES = {
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "os.urandom",
}

# "except Exception" swallows mistakes of our own, so each place is named, with what it protects.
BROAD_EXCEPTS = {
    "agent.api.middleware:__call__": "one request is answered 500, the others go on",
    "agent.api.page.event_stream:_render_all": "one page is not renewed, the others are",
    "agent.api.queue:_run": "one command ends as failed, the others go on",
    "agent.maintenance.log_upload:_run": "an upload that fails oddly has failed",
    "agent.maintenance.firmware_install:_do_fetch": "it has failed, it does not hang",
    "agent.maintenance.firmware_install:_file_problem": "it is not verified then",
    "agent.maintenance.firmware_install:_do_install": "it has failed, it does not hang",
    "agent.maintenance.transfer.file_transfer:_run": "it is raised to who waits for it",
    "agent.mqtt.kept_connection:_one_connection": "charging goes on whatever a neighbour does",
    "agent.mqtt.client:_serve": "one request is rejected, the others go on",
    "agent.control.server:_answer": "one command is answered with an error, the agent goes on",
    "agent.runtime.devices:_read": "a meter that fails oddly counts as failed, polling goes on",
    "agent.runtime.supervision:step": "an input that cannot be read opens everything",
    "agent.runtime.supervision_loop:_rest_s": "a part that fails must not end the looking",
    "agent.runtime.supervision:open_unseen": "a part that fails keeps no other from opening",
    "agent.ocpp16.link:_try": "whatever an address does, the old way must stay open",
    "agent.ocpp16.link:_talk": "a mistake in one session must not end the link for ever",
    "agent.ocppj.incoming_calls:_answer": "one call is answered InternalError, the others go on",
    "hw.contactor:_switch_on_if_ready": "whatever the output raises, the coil goes off",
    "hw.contactor:_switch_off": "opening never raises",
    "hw.contactor:_heart_beats": "without its heartbeat the coil has no supply: that is seen",
    "hw.contactor:_says_closed": "a feedback that cannot be read counts as the bad case",
    "hw.gpio:named_part": "lgpio has an error tree of its own; what is not GPIO is raised on",
    "hw.gpio:_close": "one pin that cannot be released must not keep the others",
    "hw.gpio:is_active_or": "an input that cannot be read counts as the bad case",
    "hw.rpi_gpio_shim:setup": "lgpio and RPi.GPIO have error trees of their own",
    "hw.pilot:step": "it is asked again, and counts as silent meanwhile",
    "hw.indicator:step": "a light must not cost a charging session",
    "hw.lock_sequence:_start_drive": "a failed output is a failed try: the feedback tells",
    "hw.lock_sequence:_says_locked": "step never raises",
    "hw.lock_sequence:_switch_off": "the other output must go off all the same",
    "hw.mfrc522_reader:_run": "a listener that fails must not end the reader's thread",
    "hw.mfrc522_reader:poll_once": "the reader is tried again, and says that it failed",
    "hw.safe_state:_switch_off": "the other outputs must go off all the same",
    "hw.tables:tables_of": "a file that is broken in whatever way is read line by line",
    "agent.app.last_defence:_mistakes_in": "the outputs are open by then",
    "hw.serial_reader:_run": "a listener that fails must not end the reader's thread",
    "hw.serial_reader:poll_once": "the port is opened again, and the reader says that it failed",
}

# JSON from outside is read by agent.platform.bounded_json: elsewhere nothing limits how long it
# takes.
OWN_JSON = {
    "agent.platform.bounded_json": "the limits",
    "agent.store": "rows of our own database",
    "agent.mqtt.envelope": "schemas of the package",
    "agent.ocpp16.schemas": "what has been read already, with decimal numbers",
    "agent.api.page.actions": "answers of our own API",
    "agent.api.tokens": "a file of our own",
    "agent.cli.commissioning.acceptance_report": "a file of our own, in a command",
    "agent.control.server": "an answer of the agent, in a command",
    "agent.maintenance.support_bundle": "a file of our own",
    "agent.maintenance.self_test_actions": "a file of our own",
}

Modules = Mapping[str, str]
Rule = Callable[[Modules], list[str]]


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement's meaning."""

    of: str
    by: str
    line: int
    is_late: bool  # inside a function
    is_for_types: bool  # inside ``if TYPE_CHECKING``

    def __str__(self) -> str:
        return f"{self.by} imports {self.of} (line {self.line})"


@cache
def the_tree() -> Modules:
    """Every module of agent and hw by its dotted name, as text."""
    found = {}
    for package in ("agent", "hw"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = path.read_text()
    return found


@cache
def parsed(source: str) -> ast.Module:
    return ast.parse(source)


def is_in(module: str, packages: tuple[str, ...]) -> bool:
    """True when the module is one of these, or inside one."""
    return any(module == name or module.startswith(f"{name}.") for name in packages)


def imports(modules: Modules) -> Iterator[Import]:
    """Every import of every module, those inside functions too."""
    names = frozenset(modules)
    for name, source in modules.items():
        yield from _imports_of(name, source, names)


@cache
def _imports_of(name: str, source: str, names: frozenset[str]) -> tuple[Import, ...]:
    return tuple(_imports_below(parsed(source), name, names, False, False))


def _imports_below(
    node: ast.AST, by: str, modules: frozenset[str], is_late: bool, is_for_types: bool
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        for of in _imported(child, modules):
            yield Import(of, by, getattr(child, "lineno", 0), is_late, is_for_types)
        late = is_late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        types = is_for_types or (
            isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        )
        yield from _imports_below(child, by, modules, late, types)


def _imported(node: ast.AST, modules: frozenset[str]) -> list[str]:
    match node:
        case ast.Import(names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module, names, 0) if module is not None:
            # ``from agent.core import faults`` names a module, ``from agent.core.x import X`` not.
            inner = [f"{module}.{alias.name}" for alias in names]
            found = [name for name in inner if name in modules]
            return found if len(found) == len(inner) else [module, *found]
        case ast.ImportFrom():
            return ["(relative)"]
        case ast.Call(ast.Name("import_module") | ast.Attribute(attr="import_module"), [first, *_]):
            return [first.value] if isinstance(first, ast.Constant) else []
        case _:
            return []


# --- imports -------------------------------------------------------------------------------------


def core_is_pure(modules: Modules) -> list[str]:
    return [
        str(found)
        for found in imports(modules)
        if is_in(found.by, ("agent.core",))
        and not is_in(found.of, ("agent.core",))
        and found.of.split(".")[0] not in PURE
    ]


def core_is_typed(modules: Modules) -> list[str]:
    """``**fields: Any`` would let a misspelt field of the state pass the type checker.

    Which sees ``dataclasses.replace`` in the place of ``agent.core.replace``.
    """
    return [
        f"{module}.{node.name} takes **{node.args.kwarg.arg}"
        for module, source in modules.items()
        if is_in(module, ("agent.core",)) and module != "agent.core.replace"
        for node in ast.walk(parsed(source))
        if isinstance(node, ast.FunctionDef) and node.args.kwarg is not None
    ]


def the_wire_knows_no_version(modules: Modules) -> list[str]:
    """Core and wire name no action of OCPP 1.6, and import no version of OCPP."""
    actions = {str(action.value) for action in Action}
    complaints = [
        f"{module} names {node.value} (line {node.lineno})"
        for module, source in modules.items()
        if is_in(module, ("agent.core", "agent.ocppj"))
        for node in ast.walk(parsed(source))
        if isinstance(node, ast.Constant) and node.value in actions
    ]
    for found in imports(modules):
        if is_in(found.by, ("agent.core", "agent.ocppj")) and is_in(
            found.of, ("ocpp", "agent.ocpp16")
        ):
            complaints.append(str(found))
    return complaints


def imports_go_down(modules: Modules) -> list[str]:
    """A layer imports those below it; ``hw`` only itself; and there is no layer without a place."""
    layers = [layer.split(" | ") for layer in LAYERS.split(" < ")]
    height = {name: number for number, names in enumerate(layers) for name in names}
    complaints = []
    for found in imports(modules):
        of, by = found.of.split("."), found.by.split(".")
        if by[0] == "hw":
            goes_down = of[0] != "agent"
        elif of[0] != "agent" or by == ["agent"]:
            continue
        else:
            goes_down = (
                len(of) > 1
                and {of[1], by[1]} <= height.keys()
                and (of[1] == by[1] or height[of[1]] < height[by[1]])
            )
        if not goes_down:
            complaints.append(str(found))
    return complaints


def some_modules_have_few_importers(modules: Modules) -> list[str]:
    complaints = []
    for found in imports(modules):
        importers = ONLY_FOR.get(found.of)
        if importers is not None and not is_in(found.by, importers):
            complaints.append(str(found))
    return complaints


def agent_knows_no_driver(modules: Modules) -> list[str]:
    return [
        str(found)
        for found in imports(modules)
        if is_in(found.by, ("agent",))
        and is_in(found.of, ("hw",))
        and found.of not in OPEN_TO_AGENT
    ]


def libraries_stay_with_their_owners(modules: Modules) -> list[str]:
    complaints = []
    for found in imports(modules):
        library = found.of.split(".")[0]
        if library in ("agent", "hw") or found.is_for_types:
            continue
        if library not in LIBRARY_OWNERS:
            if library not in sys.stdlib_module_names:
                complaints.append(f"{found}: nobody owns this library")
        elif not is_in(found.by, LIBRARY_OWNERS[library]):
            complaints.append(str(found))
        elif library in LATE_LIBRARIES and not found.is_late:
            complaints.append(f"{found}: outside a function")
    return complaints


def nothing_imports_in_a_circle(modules: Modules) -> list[str]:
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for found in imports(modules):
        if found.of in modules and not found.is_for_types and found.of != found.by:
            graph[found.by].add(found.of)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        return [" -> ".join(reversed(circle.args[1]))]
    return []


# --- time and chance -----------------------------------------------------------------------------


def time_and_chance_are_handed_in(modules: Modules) -> list[str]:
    complaints = []
    for name, source in modules.items():
        tree = parsed(source)
        defaults = _default_arguments(tree)
        for node, dotted in _dotted_names(tree):
            if not _is_watched(dotted) or _is_only_a_type(node, dotted, tree):
                continue
            if not is_in(name, SOURCES_OF_TIME_AND_CHANCE.get(dotted, ())):
                complaints.append(f"{name} uses {dotted} (line {node.lineno})")
            elif is_in(name, ("hw",)) and node not in defaults:
                complaints.append(f"{name}: {dotted} cannot be replaced (line {node.lineno})")
    return complaints


def _is_watched(dotted: str) -> bool:
    return dotted in WATCHED_NAMES or (dotted.split(".")[0] in WATCHED_MODULES and "." in dotted)


def _is_only_a_type(node: ast.expr, dotted: str, tree: ast.Module) -> bool:
    """``random: Random`` is a type, ``Random()`` is chance, ``UUID(int=...)`` is a number."""
    if dotted == "random.Random":
        return not any(isinstance(call, ast.Call) and call.func is node for call in ast.walk(tree))
    return dotted in HARMLESS


def _default_arguments(tree: ast.Module) -> set[ast.AST]:
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arguments):
            found.update(node.defaults)
            found.update(default for default in node.kw_defaults if default is not None)
    return found


def _dotted_names(tree: ast.Module) -> Iterator[tuple[ast.expr, str]]:
    """Every name that comes from an import, in full: ``datetime.now`` is datetime.datetime.now."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                known |= {(a.asname or a.name).split(".")[0]: a.name.split(".")[0] for a in names}
                known |= {a.asname: a.name for a in names if a.asname}
            case ast.ImportFrom(str() as module, names):
                known |= {a.asname or a.name: f"{module}.{a.name}" for a in names}
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and id(node) not in inner:
            first, dot, rest = ast.unparse(node).partition(".")
            if first in known:
                yield node, f"{known[first]}{dot}{rest}"


def json_from_outside_is_bounded(modules: Modules) -> list[str]:
    return [
        f"{name}, line {node.lineno}: {used}"
        for name, source in modules.items()
        for node, used in _dotted_names(parsed(source))
        if used in ("json.loads", "json.load", "json.JSONDecoder")
        and not is_in(name, tuple(OWN_JSON))
    ]


# --- errors, lengths -----------------------------------------------------------------------------


def broad_excepts_are_named(modules: Modules) -> list[str]:
    return [
        f"{place} (line {handler.lineno})"
        for place, handler in _broad_handlers(modules)
        if place not in BROAD_EXCEPTS and not _raises_on(handler)
    ]


def _broad_handlers(modules: Modules) -> Iterator[tuple[str, ast.ExceptHandler]]:
    for name, source in modules.items():
        for function in ast.walk(parsed(source)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.ExceptHandler) and _is_broad(node):
                    yield f"{name}:{function.name}", node


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    named = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return bool(named & {"Exception", "BaseException"})


def _raises_on(handler: ast.ExceptHandler) -> bool:
    """It only tidies up: the last thing it does is to raise the same again."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def refusals_leave_their_reason(modules: Modules) -> list[str]:
    """In the core a request about charging is answered by ``answering``, which keeps the reason."""
    complaints = []
    for name, source in modules.items():
        if not name.startswith("agent.core.") or name == "agent.core.replies":
            continue
        for function in ast.walk(parsed(source)):
            if not isinstance(function, ast.FunctionDef):
                continue
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            answers = any(ast.unparse(call.func).endswith("Reply") for call in calls)
            if answers and f"{name}:{function.name}" not in ANSWERS_OF_OTHER_KINDS:
                complaints.append(f"{name}:{function.name} answers by itself")
    return complaints


def files_fit_in_the_head(modules: Modules) -> list[str]:
    return [
        f"{name} has {len(source.splitlines())} lines"
        for name, source in modules.items()
        if len(source.splitlines()) > FILE_LINES_MAX
    ]


def functions_are_short(modules: Modules) -> list[str]:
    complaints = []
    for name, source in modules.items():
        for node in ast.walk(parsed(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    complaints.append(f"{name}.{node.name} has {lines} lines")
    return complaints


RULES: tuple[Rule, ...] = (
    core_is_pure,
    core_is_typed,
    the_wire_knows_no_version,
    imports_go_down,
    some_modules_have_few_importers,
    agent_knows_no_driver,
    libraries_stay_with_their_owners,
    nothing_imports_in_a_circle,
    time_and_chance_are_handed_in,
    json_from_outside_is_bounded,
    broad_excepts_are_named,
    refusals_leave_their_reason,
    files_fit_in_the_head,
    functions_are_short,
)

SWALLOW = "def read():\n    try:\n        pass\n    except {}:\n        pass\n"

BROKEN: tuple[tuple[Rule, dict[str, str]], ...] = (
    (core_is_pure, {"agent.core.x": "import asyncio"}),
    (core_is_pure, {"agent.core.x": "import logging"}),
    (core_is_pure, {"agent.core.x": "def f():\n    from time import monotonic"}),
    (core_is_pure, {"agent.core.x": "from agent.store import Store"}),
    (core_is_pure, {"agent.core.x": "from hw.ports import Board"}),
    (core_is_pure, {"agent.core.x": "from . import y"}),
    (core_is_typed, {"agent.core.x": "def change(**fields: object): ..."}),
    (the_wire_knows_no_version, {"agent.ocppj.x": "call('StartTransaction', {})"}),
    (the_wire_knows_no_version, {"agent.core.x": "is_sample = action == 'MeterValues'"}),
    (the_wire_knows_no_version, {"agent.ocppj.x": "from ocpp.v16 import call"}),
    (imports_go_down, {"hw.x": "from agent.platform.errors import AgentError"}),
    (
        imports_go_down,
        {"agent.store.x": "from agent.runtime.runtime import Runtime"},
    ),
    (imports_go_down, {"agent.store.x": "from agent import runtime", "agent.runtime": ""}),
    (imports_go_down, {"agent.api.x": "import agent.mqtt.client"}),
    (imports_go_down, {"agent.attic.x": "import agent.core.state"}),
    (
        some_modules_have_few_importers,
        {"agent.runtime.devices": "from hw.board import open_board", "hw.board": ""},
    ),
    (some_modules_have_few_importers, {"agent.x": "from hw import board", "hw.board": ""}),
    (agent_knows_no_driver, {"agent.app.application": "def f():\n    import hw.contactor"}),
    (agent_knows_no_driver, {"agent.x": "from hw.simulated.part import Fault"}),
    (json_from_outside_is_bounded, {"agent.x": "import json\njson.loads('[]')"}),
    (json_from_outside_is_bounded, {"agent.ocpp16.x": "from json import loads\nloads('[]')"}),
    (libraries_stay_with_their_owners, {"agent.runtime.runtime": "import sqlite3"}),
    (libraries_stay_with_their_owners, {"agent.store.x": "from ocpp.v16 import call"}),
    (libraries_stay_with_their_owners, {"agent.control.server": "import websockets"}),
    (libraries_stay_with_their_owners, {"hw.serial_reader": "import serial"}),
    (libraries_stay_with_their_owners, {"hw.lock": "def f():\n    import gpiozero"}),
    (libraries_stay_with_their_owners, {"hw.x": "m = import_module('mfrc522')"}),
    (libraries_stay_with_their_owners, {"agent.x": "import requests"}),
    (nothing_imports_in_a_circle, {"agent.a": "import agent.b", "agent.b": "from agent import a"}),
    (
        nothing_imports_in_a_circle,
        {"agent.a": "import agent.b", "agent.b": "def f():\n    import agent.a"},
    ),
    (
        time_and_chance_are_handed_in,
        {"agent.core.x": "from datetime import datetime as d\nd.now()"},
    ),
    (time_and_chance_are_handed_in, {"agent.x": "import datetime\ndatetime.datetime.now()"}),
    (time_and_chance_are_handed_in, {"agent.x": "import time\nprint(time.time())"}),
    (time_and_chance_are_handed_in, {"agent.x": "from time import monotonic\nmonotonic()"}),
    (time_and_chance_are_handed_in, {"agent.x": "import random\nrandom.random()"}),
    (time_and_chance_are_handed_in, {"agent.x": "from random import Random\nRandom()"}),
    (time_and_chance_are_handed_in, {"agent.x": "from uuid import uuid4\nuuid4()"}),
    (time_and_chance_are_handed_in, {"agent.x": "import os\nos.urandom(4)"}),
    (time_and_chance_are_handed_in, {"hw.modbus_meter": "import time\ntime.sleep(1)"}),
    (broad_excepts_are_named, {"agent.x": SWALLOW.format("Exception")}),
    (broad_excepts_are_named, {"agent.x": SWALLOW.format("BaseException")}),
    (broad_excepts_are_named, {"agent.x": SWALLOW.format("(ValueError, Exception)")}),
    (broad_excepts_are_named, {"agent.x": SWALLOW.replace(" {}", "")}),
    (
        refusals_leave_their_reason,
        {"agent.core.x": "def f(turn):\n    turn.emit(Reply('r1', 'Rejected'))"},
    ),
    (files_fit_in_the_head, {"agent.x": "\n" * (FILE_LINES_MAX + 1)}),
    (functions_are_short, {"agent.x": "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX}),
)

FINE: tuple[tuple[Rule, dict[str, str]], ...] = (
    (core_is_pure, {"agent.core.x": "from collections.abc import Mapping\nimport agent.core.y"}),
    (libraries_stay_with_their_owners, {"hw.serial_reader": "def f():\n    import serial"}),
    (
        libraries_stay_with_their_owners,
        {"hw.x": "if TYPE_CHECKING:\n    from pymodbus.client import ModbusSerialClient"},
    ),
    (
        nothing_imports_in_a_circle,
        {"agent.a": "import agent.b", "agent.b": "if TYPE_CHECKING:\n    import agent.a"},
    ),
    (time_and_chance_are_handed_in, {"agent.x": "from random import Random\nx: Random"}),
    (
        time_and_chance_are_handed_in,
        {"hw.modbus_meter": "import time\ndef f(sleep=time.sleep): sleep(1)"},
    ),
    (time_and_chance_are_handed_in, {"agent.core.x": "def f(turn): return turn.now"}),
    (broad_excepts_are_named, {"agent.x": SWALLOW.format("Exception")[:-5] + "raise"}),
    (broad_excepts_are_named, {"agent.x": SWALLOW.format("ValueError")}),
    (refusals_leave_their_reason, {"agent.core.replies": "def f():\n    Reply('r1', 'no')"}),
)


def _name(value: object) -> str | None:
    return value.__name__ if callable(value) else None


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_the_house_keeps_its_shape(rule: Rule):
    assert rule(the_tree()) == []


@pytest.mark.parametrize(("rule", "modules"), BROKEN, ids=_name)
def test_a_broken_rule_would_be_noticed(rule: Rule, modules: dict[str, str]):
    assert rule(modules) != []


@pytest.mark.parametrize(("rule", "modules"), FINE, ids=_name)
def test_what_is_allowed_is_not_complained_about(rule: Rule, modules: dict[str, str]):
    assert rule(modules) == []


def test_every_rule_is_shown_to_bite():
    assert {rule for rule, _ in BROKEN} == set(RULES)


def test_the_tables_name_only_what_exists():
    tree = the_tree()
    named = {*OWN_JSON, *ONLY_FOR, *OPEN_TO_AGENT}
    named |= {name for names in SOURCES_OF_TIME_AND_CHANCE.values() for name in names}
    assert sorted(name for name in named if name not in tree) == []
    handlers = {place for place, _ in _broad_handlers(tree)}
    assert sorted(place for place in BROAD_EXCEPTS if place not in handlers) == []
    functions = {
        f"{name}:{node.name}"
        for name, source in tree.items()
        for node in ast.walk(parsed(source))
        if isinstance(node, ast.FunctionDef)
    }
    assert functions >= ANSWERS_OF_OTHER_KINDS


def test_every_library_that_is_declared_has_an_owner():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["board"]]
    imported_as = {
        "pyserial": "serial",
        "sqlite-utils": "sqlite_utils",
        "prometheus-client": "prometheus_client",
    }
    names = {line.split(">")[0].split(";")[0].strip() for line in declared}
    assert names
    assert {imported_as.get(name, name) for name in names} <= set(LIBRARY_OWNERS)
