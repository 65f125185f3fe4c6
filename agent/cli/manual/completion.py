"""What a shell offers at the Tab key: scripts for bash, zsh and fish, each a table of words.

A path names where the typed words have led: ``/list/show``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from agent.cli.manual.tree import Argument, CliCommand, commands_of

NAME = "chargepoint-agent"
SHELLS = ("bash", "zsh", "fish")

_BASH = """\
# Completion of chargepoint-agent for bash, made by: chargepoint-agent completion bash
_chargepoint_agent() {{
    local word words path="" i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${{COMP_WORDS[i]}}"
        case "$path/$word" in
            {paths}) path="$path/$word" ;;
        esac
    done
    case "$path ${{COMP_WORDS[COMP_CWORD-1]}}" in
{values}
        *) case "$path" in
{words}
        esac ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _chargepoint_agent chargepoint-agent
"""

_ZSH = """\
#compdef chargepoint-agent
# Completion of chargepoint-agent for zsh, made by: chargepoint-agent completion zsh
_chargepoint_agent() {{
    local word at="" i
    local -a offered
    for ((i = 2; i < CURRENT; i++)); do
        word="${{words[i]}}"
        case "$at/$word" in
            {paths}) at="$at/$word" ;;
        esac
    done
    case "$at ${{words[CURRENT-1]}}" in
{values}
        *) case "$at" in
{words}
        esac ;;
    esac
    if (( $#offered )); then compadd -- $offered; else _files; fi
}}
if [ "${{funcstack[1]}}" = _chargepoint_agent ]; then
    _chargepoint_agent "$@"
elif (( $+functions[compdef] )); then
    compdef _chargepoint_agent chargepoint-agent
fi
"""

_FISH = """\
# Completion of chargepoint-agent for fish, made by: chargepoint-agent completion fish
function __chargepoint_agent_is_at
    set -l at ''
    for word in (commandline -opc)[2..-1]
        switch "$at/$word"
            case {paths}
                set at "$at/$word"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c chargepoint-agent -f
{lines}
"""


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for one of ``SHELLS``."""
    commands = commands_of(parser)
    match shell:
        case "bash":
            return _cases(_BASH, commands, 'words="{}"', 'words="{}"')
        case "zsh":
            return _cases(_ZSH, commands, "offered=({})", "offered=({})")
        case _:
            paths = " ".join(f"'{path(command)}'" for command in commands if command.words)
            return _FISH.format(paths=paths, lines="\n".join(_fish_lines(commands)))


def path(command: CliCommand) -> str:
    """Where the words of a command lead."""
    return "".join(f"/{word}" for word in command.words)


def _cases(script: str, commands: list[CliCommand], of_values: str, of_words: str) -> str:
    values = [
        f'        "{path(command)} {flag}") {of_values.format(" ".join(argument.choices))} ;;'
        for command in commands
        for argument in command.arguments
        if argument.value
        for flag in argument.flags
    ]
    words = [
        f'            "{path(command)}") {of_words.format(" ".join(offered(command)))} ;;'
        for command in commands
    ]
    paths = " | ".join(f'"{path(command)}"' for command in commands if command.words)
    return script.format(paths=paths, values="\n".join(values), words="\n".join(words))


def offered(command: CliCommand) -> list[str]:
    """What may come next: commands below, choices, then options. Nothing: a file."""
    positional = [a for a in command.arguments if not a.flags]
    choices = [choice for argument in positional for choice in argument.choices]
    if any(argument.takes_file for argument in positional):
        return []  # the shell offers files; one who wants options knows them
    flags = [flag for argument in command.arguments for flag in argument.flags]
    return [*command.inner, *choices, *flags]


def _fish_lines(commands: list[CliCommand]) -> Iterator[str]:
    helps = {command.words: command.help for command in commands}
    for command in commands:
        here = f"complete -c {NAME} -n '__chargepoint_agent_is_at \"{path(command)}\"'"
        for name in command.inner:
            yield f"{here} -a {name} -d {_fish_text(helps[(*command.words, name)])}"
        for argument in command.arguments:
            yield from _fish_argument(here, argument)


def _fish_argument(here: str, argument: Argument) -> Iterator[str]:
    words = _fish_text(argument.help)
    if not argument.flags:
        for choice in argument.choices:
            yield f"{here} -a {choice} -d {words}"
        if argument.takes_file:
            yield f"{here} -F"
    for flag in argument.flags:
        kind = "l" if flag.startswith("--") else "s"
        line = f"{here} -{kind} {flag.lstrip('-')} -d {words}"
        if argument.choices:
            line += f" -x -a '{' '.join(argument.choices)}'"
        elif argument.value:
            line += " -r -F" if argument.takes_file else " -x"
        yield line


def _fish_text(words: str) -> str:
    return "'" + words.replace("\\", "\\\\").replace("'", "\\'") + "'"
