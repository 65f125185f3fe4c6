"""Writes docs/ocpp.md: ``python -m tests.ocpp_table`` after a change of messages, keys or tests.

What is there is read from the code: handlers, calls, keys, and the names of the tests.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agent.core.configuration import KEYS, Key
from agent.ocpp16.schemas import PROFILE_OF, REFUSED_WITHOUT_PROFILE
from tests import ocpp_evidence as evidence

TESTS = Path(__file__).parent
ROOT = TESTS.parent
DOCUMENT = ROOT / "docs/ocpp.md"
_SEARCHED = ("certification", "ocpp16", "core", "agent", "store", "simulation", "api")

INTRODUCTION = """\
# OCPP 1.6-J: messages, configuration keys, and the test that shows each

Profiles: Core, FirmwareManagement ([firmware.md](firmware.md)), LocalAuthListManagement
([local-list.md](local-list.md)), Reservation, SmartCharging
([smart-charging.md](smart-charging.md)) and RemoteTrigger. Security profiles 0 (none), 1
(password), 2 (password and TLS) and 3 (certificate of the box and TLS); password, profile and
address can be changed over OCPP, on trial ([connection.md](connection.md)). Certificates over OCPP:
[security.md](security.md).

## At a glance

| direction | actions |
|---|---|
| sent | BootNotification, Authorize, StartTransaction, MeterValues, StopTransaction, \
StatusNotification, Heartbeat, DiagnosticsStatusNotification, FirmwareStatusNotification, \
SignedFirmwareStatusNotification, LogStatusNotification, SecurityEventNotification, \
SignCertificate |
| answered | ChangeAvailability, TriggerMessage, ExtendedTriggerMessage, \
RemoteStartTransaction, RemoteStopTransaction, UnlockConnector, \
Reset, ChangeConfiguration, GetConfiguration, ClearCache, SendLocalList, \
GetLocalListVersion, ReserveNow, CancelReservation, SetChargingProfile, ClearChargingProfile, \
GetCompositeSchedule, GetDiagnostics, GetLog, UpdateFirmware, SignedUpdateFirmware, \
InstallCertificate, GetInstalledCertificateIds, DeleteCertificate, CertificateSigned, \
DataTransfer (always `UnknownVendorId`) |
| answered with `NotSupported` | nothing of OCPP 1.6 |

An operator can also have a DataTransfer sent, by the control API.

## How this page is made

Made by `python -m tests.ocpp_table` from the code and its tests. A test compares this page with
both, and with what the `ocpp` package knows of OCPP 1.6, so that nothing is missing. Tests are in
`tests/`; those in `tests/certification/` are named after the case of the certification tool. The
values that a key takes are in [configuration.md](configuration.md).

Two central systems that others wrote check the messages: that of the `ocpp` package in most
tests, and the npm package `ocpp-rpc` in strict mode, which validates every message of both sides
against its own schemas (`tests/strict/`: all profiles once, a session offline, malformed calls).
`make test` installs it with `npm ci`; where node or npm is missing, those tests are skipped.
"""


@dataclass(frozen=True)
class Row:
    """One message with one of the statuses of its answer, or of its own; ``-``: it has none."""

    action: str
    status: str
    test: str  # empty: never
    why_never: str = ""


def rows(lines: str) -> list[Row]:
    """The rows that the lines of ``tests.ocpp_evidence`` mean."""
    found = []
    for line in lines.strip().splitlines():
        action, status, shown, *words = line.split()
        is_never = shown == "never"
        found.append(Row(action, status, "" if is_never else shown, " ".join(words)))
    return found


@cache
def tests_of(path: Path) -> dict[str, frozenset[str]]:
    """The tests of a file, each with the texts and argument names that stand in it."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_function and node.name.startswith("test_"):
            found[node.name] = frozenset(_words(node))
    return found


def _words(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        match inner:
            case ast.Constant(str() as text):
                yield text
            case ast.keyword(arg=str() as name):
                yield name


def evidence_of(shown: str) -> str:
    """The file and whole name of a test that is named by its beginning; ValueError if none is."""
    name, _, begin = shown.partition("::")
    path = TESTS / name
    if not path.is_file():
        raise ValueError(f"there is no {name}")
    if not begin:
        return f"`tests/{name}`"
    for test in tests_of(path):
        if test.startswith(begin) and not test[len(begin) :][:1].isdigit():
            return f"`tests/{name}`: {test}"
    raise ValueError(f"{name} has no test that begins with {begin}")


def evidence_of_key(name: str) -> str:
    """The test that shows this key, else the first that names it; ValueError when none does."""
    for line in evidence.KEYS.strip().splitlines():
        key, shown = line.split()
        if key == name:
            return evidence_of(shown)
    for folder in _SEARCHED:
        for path in sorted((TESTS / folder).rglob("test_*.py")):
            for test, words in tests_of(path).items():
                if name in words:
                    return f"`{path.relative_to(ROOT)}`: {test}"
    for folder in _SEARCHED:  # in what the tests of a file share
        for path in sorted((TESTS / folder).rglob("test_*.py")):
            if f'"{name}"' in path.read_text():
                return f"`{path.relative_to(ROOT)}`"
    raise ValueError(f"no test names {name}")


@cache
def answered_actions() -> frozenset[str]:
    """What a central system may call: the keys of the handlers that are put in."""
    places = ("agent/app/central_system.py", "agent/app/maintenance.py", "agent/ocpp16/link.py")
    wiring = "".join((ROOT / place).read_text() for place in places)
    found: set[str] = set()
    for path in (ROOT / "agent/ocpp16/handlers").glob("*.py"):
        for function in ast.parse(path.read_text()).body:
            is_factory = isinstance(function, ast.FunctionDef) and function.name in wiring
            for node in ast.walk(function) if is_factory else ():
                if isinstance(node, ast.Dict):
                    keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
                    found.update(keys)
    return frozenset(found)


# --- the page ------------------------------------------------------------------------------------


def page() -> str:
    """The whole document."""
    return "\n".join(
        [
            INTRODUCTION,
            "## From the charge point",
            "",
            "| message | status | test |",
            "|---|---|---|",
            *(_sent(row) for row in rows(evidence.FROM_CHARGE_POINT)),
            "",
            "The status is that of the answer (Authorize, BootNotification), that of the connector",
            "(StatusNotification), or the reason (StopTransaction).",
            "",
            "## From the central system",
            "",
            "| message | profile | answer | test |",
            "|---|---|---|---|",
            *(_received(row) for row in rows(evidence.FROM_CENTRAL_SYSTEM)),
            "",
            "Without a profile in `SupportedFeatureProfiles` its keys do not exist for the central",
            "system (`NotSupported`, `unknownKey`), and its messages are refused:",
            "",
            "| message | answer |",
            "|---|---|",
            *(
                f"| {action} | {_without_profile(action)} |"
                for action in sorted(PROFILE_OF, key=lambda action: (PROFILE_OF[action], action))
            ),
            "",
            "An unknown message is answered with the CALLERROR `NotImplemented`. Those of the",
            "security white paper are all known.",
            "",
            "## Error codes",
            "",
            "| in StatusNotification | test |",
            "|---|---|",
            *(_code(line) for line in evidence.ERROR_CODES.strip().splitlines()),
            "",
            "Which fault has which code: [faults.md](faults.md).",
            "",
            "| in a CALLERROR | test |",
            "|---|---|",
            *(_code(line) for line in evidence.CALL_ERRORS.strip().splitlines()),
            "",
            "## Configuration keys",
            "",
            "| key | type | access | default | test |",
            "|---|---|---|---|---|",
            *(_key(key) for key in KEYS),
            "",
            "Of the keys that the `ocpp` package knows, these are not here:",
            "",
            "| key | why |",
            "|---|---|",
            *(f"| {name} | {why} |" for name, why in absent_keys().items()),
            "",
        ]
    )


def _without_profile(action: str) -> str:
    answer = REFUSED_WITHOUT_PROFILE.get(action)
    if answer is None:
        return "CALLERROR `NotSupported`"
    return ", ".join(f"{name} `{value}`" for name, value in answer.items())


def absent_keys() -> dict[str, str]:
    """The keys that are explained as missing, and are."""
    names = {key.name for key in KEYS}
    return {name: why for name, why in evidence.KEYS_NOT_HERE.items() if name not in names}


def _code(line: str) -> str:
    code, shown, *words = line.split()
    why_never = f"never: {' '.join(words)}"
    return f"| {code} | {why_never if words else evidence_of(shown)} |"


def _sent(row: Row) -> str:
    return f"| {row.action} | {_or_none(row.status)} | {_shown(row)} |"


def _received(row: Row) -> str:
    if row.action not in answered_actions():
        status, shown = "CALLERROR `NotSupported`", evidence_of(row.test)
    else:
        status, shown = _or_none(row.status), _shown(row)
    return f"| {row.action} | {PROFILE_OF.get(row.action, 'Core')} | {status} | {shown} |"


def _shown(row: Row) -> str:
    return evidence_of(row.test) if row.test else f"never: {row.why_never}"


def _or_none(status: str) -> str:
    return "" if status == "-" else status


def kind_of(key: Key) -> str:
    """The type of a key, by what its own check says about a text that none but free text takes."""
    try:
        key.normalize("?")
    except ValueError as problem:
        words = str(problem)
        if "true or false" in words:
            return "boolean"
        return "integer" if "whole number" in words else "list"
    return "text"


def _key(key: Key) -> str:
    access = "W" if key.is_writeonly else "R" if key.readonly else "RW"
    default = f"`{key.default.replace(',', ', ')}`" if key.default else "empty"
    return f"| `{key.name}` | {kind_of(key)} | {access} | {default} | {evidence_of_key(key.name)} |"


def main() -> None:
    """Write the page."""
    DOCUMENT.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
