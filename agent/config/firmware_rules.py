"""The rules of the section [firmware]."""

from __future__ import annotations

from posixpath import isabs

from agent.config.mistakes import KeyPath, Mistakes, shown
from agent.config.settings import Settings

FILE = "{file}"


def check_firmware(settings: Settings, mistakes: Mistakes) -> None:
    """Note what is wrong with the install command."""
    command = settings.firmware.install_command
    path: KeyPath = ("firmware", "install_command")
    if not command or not mistakes.is_sound(path):
        return
    if not isabs(command[0]):
        # It runs with the agent's rights: not whatever program of that name stands first.
        mistakes.add(path, f"must begin with the full path of a program, got {shown(command[0])}")
    elif not any(FILE in part for part in command[1:]):
        mistakes.add(path, f'must name the file: one of its arguments has "{FILE}" in it')
