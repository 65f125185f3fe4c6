"""The box: what is wired to the guest's pins, its card readers, its meter, its central system."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hw.serial_reader import RESTS_S
from hw.tap_detector import GONE_AFTER_S
from tests.emulators.modbus_meter import SimulatedSdm
from tests.system.central_system import CentralSystem
from tests.vm import card_chip
from tests.vm.guest import Guest

SERVICE = "chargepoint-agent"
CONFIG_FILE = f"/etc/{SERVICE}/config.toml"
LINE = "/sys/devices/platform/gpio-sim.0/gpiochip0/sim_gpio"
COIL, LOCK_COIL, LOCK_SWITCH, PLUG, EMERGENCY_STOP = 17, 22, 23, 24, 5
CARDS = ("04A2B3C4", "044943121F1A80", "04112233445566778899")  # 4, 7 and 10 bytes
BY_ID = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_{}-if00-port0"
SERIAL_READER = f"""driver = "serial"
port = "{BY_ID.format("reader")}"
"""
SPI_READER = """driver = "mfrc522"
reset_pin = 25
"""
LOCK = f"""lock = {{ driver = "solenoid", pin = {LOCK_COIL}, feedback_pin = {LOCK_SWITCH} }}
"""
METER_BEGIN_WH = 1000
STEP_WH = 20  # a register that moves further in a moment would not be believed
CONFIG = f"""
[charge_point]
identity = "CP-1"
phases = 1

[central_system]
url = "URL"

[authorization]
tap_guard_s = 0
local_list_owner = "local"

[reader]
{SERIAL_READER}
[inputs]
emergency_stop = {{ driver = "gpio", pin = {EMERGENCY_STOP} }}

[[connectors]]
id = 1
contactor = {{ driver = "gpio", pin = {COIL}, min_off_s = 0 }}
plug = {{ driver = "gpio", pin = {PLUG}, present_level = "low" }}

[connectors.meter]
driver = "modbus_sdm120"
port = "{BY_ID.format("meter")}"
baud = 9600
timeout_s = 5

[ocpp.configuration]
MeterValueSampleInterval = 5
WebSocketPingInterval = 30
"""


@dataclass(frozen=True, slots=True)
class Bill:
    """A session as the central system knows it; without ``stop`` it has not ended."""

    start: Mapping[str, Any]
    stop: Mapping[str, Any] | None


@dataclass
class Box:
    """The guest with the agent on it, and everything around it."""

    guest: Guest
    central_system: CentralSystem
    meter: SimulatedSdm
    config: str
    register_wh: int = METER_BEGIN_WH
    _reader: socket.socket | None = field(default=None)

    # --- pins

    def is_energised(self) -> bool:
        """Whether the line of the contactor's coil is driven."""
        return self.guest.run(f"cat {LINE}{COIL}/value").strip() == "1"

    def until_energised(self, is_energised: bool) -> None:
        """Wait until the coil is driven, or is not."""
        level = int(is_energised)
        self.guest.until(f"grep -q {level} {LINE}{COIL}/value", f"the coil is at {level}")

    def wire(self, line: int, is_closed: bool) -> None:
        """Close a contact between this line and ground, or open it.

        A process that opens the line with a pull-up opens the contact: ``gpio-sim`` knows one pull.
        """
        self.guest.run(f"echo pull-{'down' if is_closed else 'up'} > {LINE}{line}/pull")

    def plug_in(self) -> None:
        """A car is plugged in."""
        self.wire(PLUG, is_closed=True)

    def unplug(self) -> None:
        """The car drives away."""
        self.wire(PLUG, is_closed=False)

    # --- cards

    def plug_in_reader(self) -> None:
        """The adapter of the serial reader is on the bus while its socket is connected."""
        if self._reader is None:
            self._reader = socket.socket(socket.AF_UNIX)
            self._reader.connect(str(self.guest.folder / "reader.sock"))

    def pull_reader(self) -> None:
        """Take the adapter of the serial reader off the bus."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None

    def tap(self, uid: str) -> None:
        """The serial reader prints the number of a card, the one before having been removed."""
        assert self._reader is not None
        self.guest.run(f"sleep {RESTS_S + 1}")
        self._reader.sendall(f"{uid}\r\n".encode())

    def lay(self, *uids: str) -> None:
        """The cards in the field of the reader on the SPI bus, from now on."""
        text = " ".join(uids)
        self.guest.run(
            f"cd {card_chip.CARDS.parent}; echo {text} > new; mv new {card_chip.CARDS}; sync"
        )

    def take_away(self) -> None:
        """Take the card out of the field, for so long that the next one is a new one."""
        self.lay()
        self.guest.run(f"sleep {GONE_AFTER_S + 2}")

    # --- the meter

    def flow(self) -> int:
        """Some energy flows; returns what the meter shows then, once it has been reported."""
        self.register_wh += STEP_WH
        self.meter.set(import_kwh=self.register_wh / 1000)
        self.guest.wait(
            lambda: any(
                sample["value"] == str(self.register_wh)
                for call in self.central_system.of("MeterValues")
                for moment in call.payload["meterValue"]
                for sample in moment["sampledValue"]
            ),
            f"{self.register_wh} Wh in a meter value",
        )
        return self.register_wh

    # --- the service

    def configure(self, config: str) -> None:
        """Write the configuration file and start the service with it."""
        self.guest.write(CONFIG_FILE, config)
        self.guest.run(f"systemctl restart {SERVICE}")

    def at_rest(self) -> None:
        """The service runs and waits: nothing pressed, nothing plugged in, all readers there."""
        self.guest.until(f"systemctl is-active {SERVICE}", "the service is up")
        self.wire(EMERGENCY_STOP, is_closed=True)
        self.unplug()
        self.plug_in_reader()
        self.until_status("Available")

    def charge(self, card: str = CARDS[0]) -> None:
        """A car is plugged in and a card shown to the serial reader, until energy flows."""
        self.plug_in()
        self.tap(card)
        self.until_energised(True)

    def end(self) -> None:
        """The car drives away."""
        self.unplug()
        self.until_energised(False)
        self.until_status("Available")

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

    def until_said(self, text: str) -> None:
        """Wait until its journal since the guest was switched on has this text."""
        shown = f"journalctl --boot --unit={SERVICE} --output=cat"
        self.guest.until(f"{shown} | grep -q '{text}'", f"the journal has: {text}")

    def power_cut(self) -> None:
        """Off at once. The serial reader has no power either."""
        self.guest.cut_power()
        self.pull_reader()

    # --- the central system

    def until_reported(self, error_code: str, since: int) -> None:
        """Wait for a StatusNotification with this error, ``since`` so many of them."""
        self.guest.wait(
            lambda: any(
                call.payload["errorCode"] == error_code
                for call in self.central_system.of("StatusNotification")[since:]
            ),
            f"{error_code} is reported",
        )

    def reports(self) -> int:
        """How many StatusNotifications have come so far."""
        return len(self.central_system.of("StatusNotification"))

    def bills(self) -> list[Bill]:
        """All sessions in the order of their starts. A message that came twice counts once."""
        stops: dict[int, Mapping[str, Any]] = {}
        for payload in self._distinct("StopTransaction").values():
            assert payload["transactionId"] not in stops, "a session was billed twice"
            stops[payload["transactionId"]] = payload
        numbers = dict(self.central_system.transaction_ids)
        return [
            Bill(start, stops.get(numbers[unique_id]))
            for unique_id, start in self._distinct("StartTransaction").items()
            if unique_id in numbers
        ]

    def until_billed(self, count: int) -> Bill:
        """Wait until so many sessions have begun and all have ended; returns the last."""

        def are_there() -> bool:
            bills = self.bills()
            return len(bills) >= count and all(bill.stop is not None for bill in bills)

        self.guest.wait(are_there, f"{count} sessions are billed")
        assert len(self.bills()) == count
        return self.bills()[-1]

    def _distinct(self, action: str) -> dict[str, Mapping[str, Any]]:
        return {call.unique_id: call.payload for call in self.central_system.of(action)}
