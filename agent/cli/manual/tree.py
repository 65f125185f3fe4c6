"""The command line as plain data: every command with its arguments, in the order of the help."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

COMMON = ("--config", "--json")  # every command takes them


def offered(action: argparse.Action, words: Sequence[str]) -> None:
    """What a shell offers for an argument that takes other words too."""
    action.offered = tuple(words)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Argument:
    """An option or a positional argument. ``value`` empty: an option that stands alone."""

    flags: tuple[str, ...]  # empty: positional
    value: str
    help: str
    choices: tuple[str, ...] = ()
    is_optional: bool = False

    @property
    def name(self) -> str:
        """As it is typed: ``--limit N``, ``TAG``."""
        return " ".join(part for part in (", ".join(self.flags), self.value) if part)

    @property
    def takes_file(self) -> bool:
        """Whether a shell should offer files for its value."""
        return self.value.startswith(("FILE", "PATH"))


@dataclass(frozen=True, slots=True)
class CliCommand:
    """One command; ``words`` are what is typed after the program's name."""

    words: tuple[str, ...]
    help: str
    arguments: tuple[Argument, ...]
    inner: tuple[str, ...]  # the names of commands below it

    @property
    def usage(self) -> str:
        """What can be typed, without the options that every command takes."""
        parts = [*self.words, *(["..."] if self.inner else [])]
        for argument in sorted(self.arguments, key=lambda argument: bool(argument.flags)):
            if argument.flags and argument.flags[0] not in COMMON:
                parts.append(_usage_of_option(argument))
            elif not argument.flags:
                parts.append(f"[{argument.value}]" if argument.is_optional else argument.value)
        return " ".join(parts)


def _usage_of_option(option: Argument) -> str:
    typed = " ".join(part for part in (option.flags[0], option.value) if part)
    return f"[{typed}]" if option.is_optional else typed


def commands_of(parser: argparse.ArgumentParser) -> list[CliCommand]:
    """Every command of the program, those below others too; the program itself is the first."""
    return list(_below(parser, (), parser.description or ""))


def common_arguments(commands: Sequence[CliCommand]) -> list[Argument]:
    """The options that every command takes."""
    found = {a.flags[0]: a for command in commands for a in command.arguments if a.flags}
    return [found[flag] for flag in COMMON if flag in found]


def _below(
    parser: argparse.ArgumentParser, words: tuple[str, ...], help: str
) -> Iterator[CliCommand]:
    inner: list[tuple[str, str, argparse.ArgumentParser]] = []
    arguments = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: _plain(choice.help) for choice in action._choices_actions}
            inner += [(name, helps.get(name, ""), sub) for name, sub in action.choices.items()]
        elif not isinstance(action, argparse._HelpAction):
            arguments.append(_argument(action))
    yield CliCommand(words, help, tuple(arguments), tuple(name for name, _, _ in inner))
    for name, inner_help, sub in inner:
        yield from _below(sub, (*words, name), inner_help)


def _argument(action: argparse.Action) -> Argument:
    value = ""
    choices = tuple(str(choice) for choice in action.choices or ())
    if action.nargs != 0:
        shown = action.metavar if isinstance(action.metavar, str) else None
        value = shown or ("|".join(choices) if choices else action.dest.upper())
    return Argument(
        flags=tuple(action.option_strings),
        value=value,
        help=_plain(action.help),
        choices=choices or getattr(action, "offered", ()) or _alternatives(value),
        is_optional=not action.required,
    )


def _alternatives(value: str) -> tuple[str, ...]:
    return tuple(value.split("|")) if "|" in value else ()


def _plain(help: str | None) -> str:
    return (help or "").replace("%%", "%")
