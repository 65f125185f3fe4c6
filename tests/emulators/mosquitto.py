"""A real Mosquitto, as a process of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiomqtt
import pytest

from tests.free_port import free_port

MOSQUITTO = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None,
    reason="mosquitto is not installed (apt install mosquitto)",
)


class Mosquitto:
    """``start`` and ``stop`` as often as one likes, on the same port."""

    def __init__(self, directory: Path, config: str, access: str, users: Sequence[str]) -> None:
        """``config`` and ``access`` as they are installed below /etc/mosquitto, with port 1883."""
        self.port = free_port()
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        passwords = directory / "passwords"
        for number, user in enumerate(users):
            create = ["-c"] if number == 0 else []
            subprocess.run(
                ["mosquitto_passwd", "-b", *create, str(passwords), user, f"{user}-secret"],
                check=True,
                capture_output=True,
                timeout=30,
            )
            self.password_file(user).write_text(f"{user}-secret\n")
        (directory / "access").write_text(access)
        for name in ("passwords", "access"):
            (directory / name).chmod(0o644)
        text = config.replace("/etc/mosquitto", str(directory))
        text = text.replace("listener 1883", f"listener {self.port}")
        (directory / "mosquitto.conf").write_text(f"{text}\nuser root\n")

    def password_file(self, user: str) -> Path:
        return self.directory / f"{user}.password"

    def start(self) -> None:
        assert MOSQUITTO is not None
        log = (self.directory / "mosquitto.log").open("ab")
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self.directory / "mosquitto.conf")], stdout=log, stderr=log
        )
        log.close()
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
        raise AssertionError((self.directory / "mosquitto.log").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    @contextlib.asynccontextmanager
    async def client(self, user: str, *topics: str) -> AsyncIterator[aiomqtt.Client]:
        async with aiomqtt.Client(
            "127.0.0.1", self.port, username=user, password=f"{user}-secret"
        ) as client:
            for topic in topics:
                await client.subscribe(topic, qos=1)
            yield client
