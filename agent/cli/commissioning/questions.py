"""The questions of ``init``: what they ask, which answers they take, when they make sense. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from agent.cli.commissioning.config_text import toml_value
from agent.cli.commissioning.config_values import (
    CONNECTORS_MAX,
    CONTACT,
    NO,
    PILOT,
    RASPBERRY_PI,
    SIMULATED,
    YES,
    Answers,
)
from agent.config.config_file import parse_config
from agent.config.reading import every_setting
from agent.platform.errors import ConfigError

# As agent.ocppj.connect reads it: OCPP 1.6 security white paper, A00.FR.205.
PASSWORD = re.compile(r"(?:[0-9A-Fa-f]{2}){16,20}|\S{16,20}")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_ONE_CONNECTOR = """
[[connectors]]
id = 1
contactor = { driver = "simulated" }
"""
_NAMED = {"charge_point": {"identity": '"CP"'}}


def _always(answers: Answers) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to know. ``default`` None: there is none, it must be said."""

    name: str
    words: str
    default: Callable[[Answers], str | None] = lambda answers: None
    choices: Callable[[Answers], tuple[str, ...]] = lambda answers: ()
    is_asked: Callable[[Answers], bool] = _always
    problem_with: Callable[[str, Answers], str] = lambda answer, answers: ""
    is_secret: bool = False

    @property
    def option(self) -> str:
        """The option that answers it."""
        return f"--{self.name.replace('_', '-')}"

    def problem(self, answer: str, answers: Answers) -> str:
        """What is wrong with an answer, as a sentence; empty: nothing."""
        choices = self.choices(answers)
        if choices and answer not in choices:
            return f"must be one of {', '.join(choices)}"
        return self.problem_with(answer, answers)


def is_on_pins(answers: Answers) -> bool:
    """Whether the parts are real ones."""
    return answers["board"] == RASPBERRY_PI


def _readers(answers: Answers) -> tuple[str, ...]:
    return _drivers("reader") if is_on_pins(answers) else (SIMULATED, "none")


def _pilots(answers: Answers) -> tuple[str, ...]:
    others = (name for name in _drivers("connectors", "pilot") if name not in (SIMULATED, "none"))
    return ("none", *others)


def _has_pilot(answers: Answers) -> bool:
    return answers.get("pilot", "none") != "none"


def _drivers(*section: str) -> tuple[str, ...]:
    for where, field_, _ in every_setting():
        if where == section and field_.name == "driver":
            return tuple(field_.metadata["choices"])
    raise LookupError(section)


# The check of the file itself decides.


def _identity_problem(answer: str, answers: Answers) -> str:
    return _first_mistake({"charge_point": {"identity": toml_value(answer)}}, "identity")


def _current_problem(answer: str, answers: Answers, key: str = "max_current_a") -> str:
    number = answer if _NUMBER.fullmatch(answer) else toml_value(answer)
    given = {"identity": '"CP"', "max_current_a": answers.get("max_current_a", "16"), key: number}
    return _first_mistake({"charge_point": given}, key)


def _url_problem(answer: str, answers: Answers) -> str:
    return _first_mistake({**_NAMED, "central_system": {"url": toml_value(answer)}}, "url")


def _house_problem(answer: str, answers: Answers, key: str) -> str:
    if not answer:
        return ""
    given = {"enabled": "true", "host": '"host"', key: toml_value(answer)}
    return _first_mistake({**_NAMED, "house": given}, key)


def _first_mistake(sections: Mapping[str, Mapping[str, str]], key: str) -> str:
    """What is wrong with this key, which is in the last of the sections."""
    lines = [
        line
        for section, values in sections.items()
        for line in (f"[{section}]", *(f"{name} = {value}" for name, value in values.items()))
    ]
    try:
        parse_config("\n".join(lines) + _ONE_CONNECTOR)
    except ConfigError as error:
        mistake = error.mistakes[0].removeprefix(f"{[*sections][-1]}.{key} ")
        return re.sub(r" \(line \d+\)$", "", mistake)
    return ""


def _password_problem(answer: str, answers: Answers) -> str:
    if not answer or (PASSWORD.fullmatch(answer) and answer.isascii()):
        return ""
    return "must be 32 to 40 hex digits, or 16 to 20 plain characters without blanks"


def _port_question(
    name: str, words: str, default: str, is_asked: Callable[[Answers], bool]
) -> Question:
    def problem(answer: str, answers: Answers) -> str:
        return "" if answer.startswith("/dev/") else "must be a device file: /dev/..."

    return Question(
        name,
        words,
        default=lambda answers: default,
        is_asked=is_asked,
        problem_with=problem,
    )


def _yes_or_no(name: str, words: str, is_asked: Callable[[Answers], bool] = _always) -> Question:
    return Question(
        name,
        words,
        default=lambda answers: NO,
        choices=lambda answers: (YES, NO),
        is_asked=is_asked,
    )


QUESTIONS: tuple[Question, ...] = (
    Question(
        "identity",
        "Name under which the central system knows this box",
        problem_with=_identity_problem,
    ),
    Question(
        "board",
        "What is it: a Raspberry Pi with real parts, or simulated parts for a desk",
        default=lambda answers: RASPBERRY_PI,
        choices=lambda answers: (RASPBERRY_PI, SIMULATED),
    ),
    Question(
        "reader",
        "Card reader",
        default=lambda answers: _readers(answers)[0],
        choices=_readers,
    ),
    _port_question(
        "reader_port",
        "Serial port of the card reader",
        "/dev/serial/by-id/usb-reader-if00",
        is_asked=lambda answers: answers["reader"] == "serial",
    ),
    Question(
        "connectors",
        "How many sockets or cables",
        default=lambda answers: "1",
        choices=lambda answers: tuple(map(str, range(1, CONNECTORS_MAX[answers["board"]] + 1))),
    ),
    Question(
        "lock",
        "What holds the plug (none: a fixed cable)",
        default=lambda answers: "solenoid",
        choices=lambda answers: ("solenoid", "motor", "none"),
        is_asked=is_on_pins,
    ),
    Question(
        "pilot",
        "Controller of the control pilot that the agent speaks to (none: it works by itself)",
        default=lambda answers: "none",
        choices=_pilots,
        is_asked=is_on_pins,
    ),
    _port_question(
        "pilot_port",
        "Serial port of the pilot controller",
        "/dev/serial/by-id/usb-pilot-if00",
        is_asked=_has_pilot,
    ),
    _port_question(
        "pilot_port_2",
        "Serial port of the second pilot controller",
        "/dev/serial/by-id/usb-pilot-if01",
        is_asked=lambda answers: _has_pilot(answers) and answers["connectors"] == "2",
    ),
    Question(
        "plug",
        "What tells whether a plug is in",
        default=lambda answers: CONTACT,
        choices=lambda answers: (CONTACT, *([PILOT] if _has_pilot(answers) else []), "none"),
        is_asked=is_on_pins,
    ),
    Question(
        "meter",
        "Energy meter",
        default=lambda answers: "none",
        choices=lambda answers: tuple(d for d in _drivers("connectors", "meter") if d != SIMULATED),
        is_asked=is_on_pins,
    ),
    _port_question(
        "meter_port",
        "Serial port of the meter",
        "/dev/serial/by-id/usb-rs485-adapter-if00-port0",
        is_asked=lambda answers: answers.get("meter", "none").startswith("modbus_"),
    ),
    _yes_or_no(
        "emergency_stop",
        "Does the emergency stop have a second contact, wired to the board",
        is_asked=is_on_pins,
    ),
    _yes_or_no(
        "residual_current", "Does the residual current device have one", is_asked=is_on_pins
    ),
    _yes_or_no(
        "grid_limit",
        "Does a contact of the grid operator limit this box (Germany: 14a EnWG)",
        is_asked=is_on_pins,
    ),
    Question(
        "max_current_a",
        "What wiring, fuse and contactor of a socket carry for hours, ampere per phase",
        default=lambda answers: "16",
        problem_with=_current_problem,
    ),
    Question(
        "supply_current_a",
        "What feeds the box carries for all sockets together, ampere per phase",
        default=lambda answers: answers["max_current_a"],
        is_asked=lambda answers: answers["connectors"] != "1",
        problem_with=partial(_current_problem, key="supply_current_a"),
    ),
    Question(
        "phases",
        "Phases wired to the sockets",
        default=lambda answers: "3" if answers.get("meter") == "modbus_sdm630" else "1",
        choices=lambda answers: ("1", "3"),
    ),
    Question(
        "url",
        "Address of the central system, ws:// or wss:// (empty: none)",
        default=lambda answers: "",
        problem_with=_url_problem,
    ),
    Question(
        "password",
        "Password of this box there (empty: none)",
        default=lambda answers: "",
        is_asked=lambda answers: bool(answers["url"]),
        problem_with=_password_problem,
        is_secret=True,
    ),
    _yes_or_no("page", "Show the technician's page to browsers on this machine"),
    Question(
        "house_host",
        "MQTT broker of the house: its name or address (empty: none)",
        default=lambda answers: "",
        problem_with=partial(_house_problem, key="host"),
    ),
    Question(
        "house_username",
        "User name of this box at that broker (empty: none)",
        default=lambda answers: "",
        is_asked=lambda answers: bool(answers["house_host"]),
        problem_with=partial(_house_problem, key="username"),
    ),
    Question(
        "house_password",
        "Password of this user (empty: none)",
        default=lambda answers: "",
        is_asked=lambda answers: bool(answers.get("house_username")),
        is_secret=True,
    ),
)


def complaints(given: Answers) -> list[str]:
    """What is wrong with answers that were given without being asked, each with its option."""
    answers: dict[str, str] = {}
    found = []
    for question in QUESTIONS:
        if not question.is_asked(answers):
            if question.name in given:
                found.append(f"{question.option} has no meaning beside the other answers")
            continue
        answer = given.get(question.name, question.default(answers))
        if answer is None:
            found.append(f"{question.option} is missing")
            answer = ""
        elif problem := question.problem(answer, answers):
            found.append(f"{question.option} {problem}")
            answer = question.default(answers) or ""
        answers[question.name] = answer
    return found


def completed(given: Answers) -> dict[str, str]:
    """The answers with the defaults of whatever was not said; only for what has no complaint."""
    answers: dict[str, str] = {}
    for question in QUESTIONS:
        if question.is_asked(answers):
            answer = given.get(question.name, question.default(answers))
            assert answer is not None, question.name
            answers[question.name] = answer
    return answers
