"""One box for all tests here: they follow each other as days in its life."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from hw.serial_reader import RESTS_S
from tests.system.machine import why_not as why_no_debian
from tests.vm.guest import Guest, switched_on, why_not
from tests.vm.image import image

SERVICE = "chargepoint-agent"
CONFIG_FILE = f"/etc/{SERVICE}/config.toml"
LINE = "/sys/devices/platform/gpio-sim.0/gpiochip0/sim_gpio"
COIL, PLUG, EMERGENCY_STOP = 17, 24, 5
CONFIG = f"""
[charge_point]
identity = "CP-1"

[authorization]
tap_guard_s = 0
local_list_owner = "local"

[reader]
driver = "serial"
port = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_reader-if00-port0"

[inputs]
emergency_stop = {{ driver = "gpio", pin = {EMERGENCY_STOP} }}

[[connectors]]
id = 1
contactor = {{ driver = "gpio", pin = {COIL}, min_off_s = 0 }}
plug = {{ driver = "gpio", pin = {PLUG}, present_level = "low" }}
"""


@dataclass
class Box:
    """The guest with the agent on it, what is wired to its pins, and its card reader."""

    guest: Guest
    _reader: socket.socket | None = field(default=None)

    def messages_waiting(self) -> int:
        """How many messages for the central system wait."""
        return int(json.loads(self.guest.run(f"{SERVICE} status --json"))["messages_waiting"])

    def is_energised(self) -> bool:
        """Whether the line of the contactor's coil is driven."""
        return self.guest.run(f"cat {LINE}{COIL}/value").strip() == "1"

    def until_energised(self, is_energised: bool) -> None:
        """Wait until the coil is driven, or is not."""
        level = int(is_energised)
        self.guest.until(f"grep -q {level} {LINE}{COIL}/value", f"the coil is at {level}")

    def wire(self, line: int, is_closed: bool) -> None:
        """Close a contact between this line and ground, or open it."""
        self.guest.run(f"echo pull-{'down' if is_closed else 'up'} > {LINE}{line}/pull")

    def at_rest(self) -> None:
        """The service runs and waits: nothing pressed, nothing plugged in, the reader there."""
        self.guest.until(f"systemctl is-active {SERVICE}", "the service is up")
        self.wire(EMERGENCY_STOP, is_closed=True)
        self.wire(PLUG, is_closed=False)
        self.plug_in_reader()
        self.until_status("Available")

    def plug_in_reader(self) -> None:
        """The adapter of the reader is on the bus while something is connected to its socket."""
        if self._reader is None:
            self._reader = socket.socket(socket.AF_UNIX)
            self._reader.connect(str(self.guest.folder / "reader.sock"))

    def pull_reader(self) -> None:
        """Take the adapter off the bus."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None

    def tap(self, uid: str) -> None:
        """The reader prints the number of a card, the one before having been taken away."""
        assert self._reader is not None
        self.guest.run(f"sleep {RESTS_S + 1}")
        self._reader.sendall(f"{uid}\r\n".encode())

    def until_status(self, wanted: str) -> None:
        """Wait until the connector has this status of OCPP, and no part is out of order."""

        def has_it() -> bool:
            done = self.guest.attempt(f"{SERVICE} status --json")  # a new process may not be there
            shown = json.loads(done.output) if done.status == 0 else None
            return shown is not None and (
                not shown["faults"] and shown["connectors"][0]["status"] == wanted
            )

        self.guest.wait(has_it, f"connector 1 is {wanted}")

    def kill(self) -> None:
        """SIGKILL to the agent; returns when systemd has noticed."""
        pid = self.guest.run(f"systemctl show --value -p MainPID {SERVICE}").strip()
        self.guest.run(f"kill -KILL {pid}")
        self.guest.until(
            f'[ "$(systemctl show --value -p MainPID {SERVICE})" != {pid} ]', "it has died"
        )

    def journal(self) -> str:
        """What the service and systemd have said about it since the guest was switched on."""
        return self.guest.run(f"journalctl --boot --unit={SERVICE} --output=cat")

    def power_cut(self) -> None:
        """Off at once, and on again after a while. The reader has no power either."""
        self.guest.cut_power()
        self.pull_reader()
        self.guest.boot()


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A box as it is delivered: the agent installed, configured and started at boot."""
    missing = why_no_debian() or why_not()
    if missing is not None:
        pytest.skip(f"a guest with a kernel of its own: {missing}")
    folder = tmp_path_factory.mktemp("guest")
    reader = f"socket,id=reader,path={folder}/reader.sock,server=on,wait=off"
    adapter = ("-chardev", reader, "-device", "usb-serial,chardev=reader,serial=reader")
    with (
        image("bookworm", CONFIG, folder) as (disk, boot_files),
        switched_on(disk, boot_files, folder, adapter) as guest,
    ):
        box = Box(guest)
        try:
            yield box
        finally:
            box.pull_reader()
