"""What was answered about a new box -> the values of its configuration file. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.cli.commissioning.config_text import Values

Answers = Mapping[str, str]

RASPBERRY_PI, SIMULATED = "raspberry-pi", "simulated"
YES, NO = "yes", "no"
CONTACT, PILOT = "contact", "pilot"  # what tells whether a plug is in
CONNECTORS_MAX = {RASPBERRY_PI: 2, SIMULATED: 16}


@dataclass(frozen=True, slots=True)
class Pins:
    """Which BCM pins a socket gets: 12, 13, 16, 17 and 19 to 27 are low at power-on."""

    contactor: int
    contactor_feedback: int
    lock: int
    unlock: int
    lock_feedback: int
    plug: int


PINS = (
    Pins(contactor=17, contactor_feedback=27, lock=22, unlock=19, lock_feedback=23, plug=24),
    Pins(contactor=16, contactor_feedback=20, lock=26, unlock=21, lock_feedback=18, plug=12),
)
RESET_PIN = 25
EMERGENCY_STOP_PIN = 5
RESIDUAL_CURRENT_PIN = 6
GRID_LIMIT_PIN = 13
# Of each answer that is a secret: the file of its own in which it stands.
SECRET_FILES = {"password": "authorization_key", "house_password": "house-password"}


def file_values(
    answers: Answers, storage: str, secrets: str
) -> tuple[dict[tuple[str, ...], dict[str, Any]], Sequence[Values]]:
    """The sections of the file, and the tables of each connector (see ``config_text``).

    ``storage`` is the database, ``secrets`` the folder in which the passwords will stand.
    """
    supply = answers.get("supply_current_a")
    values: dict[tuple[str, ...], dict[str, Any]] = {
        ("charge_point",): {
            "identity": answers["identity"],
            "max_current_a": float(answers["max_current_a"]),
            "phases": int(answers["phases"]),
            **({} if supply is None else {"supply_current_a": float(supply)}),
        },
        ("central_system",): _central_system(answers, secrets),
        ("storage",): {"path": storage},
        ("reader",): _reader(answers),
        ("authorization",): {},
        ("api",): {"enabled": True, "page": True} if answers["page"] == YES else {},
        ("mqtt",): {},
        ("house",): _house(answers, secrets),
        ("ocpp",): {},
    }
    if answers["board"] == SIMULATED:
        values["simulation",] = {}
    for name, pin in (
        ("emergency_stop", EMERGENCY_STOP_PIN),
        ("residual_current", RESIDUAL_CURRENT_PIN),
    ):
        if answers.get(name) == YES:
            values["inputs", name] = {"driver": "gpio", "pin": pin}
        elif answers["board"] == SIMULATED:
            values["inputs", name] = {"driver": SIMULATED}
    if answers.get("grid_limit") == YES:
        values["inputs", "grid_limit"] = {"driver": "gpio", "pin": GRID_LIMIT_PIN}
    count = int(answers["connectors"])
    return values, [_connector(answers, number) for number in range(1, count + 1)]


def security_profile(url: str, has_password: bool) -> int:
    """OCPP security profile: 0 without a password, 1 with one, 2 with one and TLS."""
    if not has_password:
        return 0
    return 2 if url.lower().startswith("wss://") else 1


def _central_system(answers: Answers, secrets: str) -> dict[str, Any]:
    url, has_password = answers["url"], bool(answers.get("password"))
    values: dict[str, Any] = {
        "url": url,
        "security_profile": security_profile(url, has_password),
    }
    if has_password:
        values["authorization_key_file"] = _secret_file(secrets, "password")
    return values


def _house(answers: Answers, secrets: str) -> dict[str, Any]:
    if not answers["house_host"]:
        return {}
    values: dict[str, Any] = {"enabled": True, "host": answers["house_host"]}
    if answers["house_username"]:
        values["username"] = answers["house_username"]
    if answers.get("house_password"):
        values["password_file"] = _secret_file(secrets, "house_password")
    return values


def _secret_file(secrets: str, name: str) -> str:
    return f"{secrets}/{SECRET_FILES[name]}"


def _reader(answers: Answers) -> dict[str, Any]:
    driver = answers["reader"]
    values: dict[str, Any] = {"driver": driver}
    if driver == "mfrc522":
        values["reset_pin"] = RESET_PIN
    if driver == "serial":
        values["port"] = answers["reader_port"]
    return values


def _connector(answers: Answers, number: int) -> Values:
    if answers["board"] == SIMULATED:
        parts = ("contactor", "lock", "plug", "pilot", "meter")
        return {(): {"id": number}, **{(part,): {"driver": SIMULATED} for part in parts}}
    pins = PINS[number - 1]
    return {
        (): {"id": number},
        ("contactor",): {
            "driver": "gpio",
            "pin": pins.contactor,
            "feedback_pin": pins.contactor_feedback,
        },
        ("lock",): _lock(answers["lock"], pins),
        ("plug",): _plug(answers["plug"], pins),
        ("pilot",): _pilot(answers, number),
        ("meter",): _meter(answers, number),
    }


def _lock(driver: str, pins: Pins) -> dict[str, Any]:
    match driver:
        case "solenoid":
            return {"driver": driver, "pin": pins.lock, "feedback_pin": pins.lock_feedback}
        case "motor":
            return {
                "driver": driver,
                "lock_pin": pins.lock,
                "unlock_pin": pins.unlock,
                "feedback_pin": pins.lock_feedback,
            }
        case _:
            return {"driver": "none"}


def _plug(kind: str, pins: Pins) -> dict[str, Any]:
    if kind == CONTACT:
        return {"driver": "gpio", "pin": pins.plug}
    return {"driver": kind}


def _pilot(answers: Answers, number: int) -> dict[str, Any]:
    driver = answers["pilot"]
    if driver == "none":
        return {"driver": driver}
    return {"driver": driver, "port": answers["pilot_port" if number == 1 else "pilot_port_2"]}


def _meter(answers: Answers, number: int) -> dict[str, Any]:
    driver = answers["meter"]
    if driver == "none":
        return {"driver": driver}
    baud = 2400 if driver == "modbus_sdm120" else 9600  # as they leave the factory
    return {"driver": driver, "port": answers["meter_port"], "baud": baud, "unit_id": number}
