"""Settings of the drivers: frozen, typed, units in the names.

``agent.config`` fills these from the configuration file and checks type, choice, range and unknown
keys from the annotations and the ``setting`` metadata; rules that need two fields stand in
``__post_init__`` and raise ValueError: one clear sentence a line, which begins with the key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
    is_pin: bool = False,
) -> Any:
    """A dataclass field that carries its own documentation and limits.

    ``low`` and ``high`` are inclusive. ``is_pin`` marks a GPIO number in BCM counting, so that two
    devices on one pin are found. ``default`` is ``...`` for a setting that must be given.
    """
    metadata = {"help": help, "low": low, "high": high, "choices": choices, "is_pin": is_pin}
    if default is ...:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSettings:
    """The card reader. Which keys matter depends on ``driver``."""

    driver: str = setting(
        "none", "which reader is fitted", choices=("mfrc522", "serial", "simulated", "none")
    )
    connectors: tuple[int, ...] = setting((), "connector ids it serves; empty = all")
    poll_ms: int = setting(100, "how often it looks for a card", low=20, high=1000)
    uid_order: str = setting(
        "normal", "byte order of the idTag made from a UID", choices=("normal", "reversed")
    )
    uid_format: str = setting(
        "hex",
        "form of the idTag made from a UID; all but hex are for migration from older boxes",
        choices=("hex", "decimal", "first4", "hex_colons"),
    )
    spi_bus: int = setting(0, "mfrc522: SPI bus", low=0, high=9)
    spi_device: int = setting(0, "mfrc522: chip select", low=0, high=9)
    spi_hz: int = setting(1_000_000, "mfrc522: SPI clock", low=100_000, high=10_000_000)
    reset_pin: int = setting(25, "mfrc522: BCM pin wired to RST", low=0, high=53, is_pin=True)
    antenna_gain_db: int = setting(33, "mfrc522: receiver gain", low=18, high=48)
    port: str = setting("", "serial: device file, for example /dev/serial/by-id/...")
    baud: int = setting(9600, "serial: bits per second", low=300, high=921_600)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactorSettings:
    """The contactor (or enable relay) of one connector."""

    driver: str = setting(..., "gpio or simulated", choices=("gpio", "simulated"))
    pin: int | None = setting(
        None, "gpio: BCM pin of the coil driver, high = on", low=0, high=53, is_pin=True
    )
    active_high: bool = setting(
        True, "gpio: false for boards that switch on with a low level (glitch at start!)"
    )
    feedback_pin: int | None = setting(
        None,
        "gpio: BCM pin of the auxiliary contact; missing = no feedback",
        low=0,
        high=53,
        is_pin=True,
    )
    feedback_closed_level: str = setting(
        "low",
        "gpio: level of the feedback pin while the main contacts are closed",
        choices=("low", "high"),
    )
    close_deadline_ms: int = setting(
        250, "feedback must say closed within this time", low=50, high=2000
    )
    open_deadline_ms: int = setting(
        250, "feedback must say open within this time, else welded", low=50, high=2000
    )
    min_off_s: float = setting(10.0, "shortest time between opening and closing", low=0, high=300)

    def __post_init__(self) -> None:
        if self.driver == "gpio" and self.pin is None:
            raise ValueError('pin is missing; driver = "gpio" needs it')


@dataclass(frozen=True, slots=True, kw_only=True)
class LockSettings:
    """The lock of one connector."""

    driver: str = setting(
        "none",
        "solenoid: one pin, energised = locked; motor: two pins, one pulse per direction",
        choices=("solenoid", "motor", "simulated", "none"),
    )
    pin: int | None = setting(None, "solenoid: BCM pin of its driver", low=0, high=53, is_pin=True)
    lock_pin: int | None = setting(
        None, "motor: BCM pin that drives towards locked", low=0, high=53, is_pin=True
    )
    unlock_pin: int | None = setting(
        None, "motor: BCM pin that drives towards unlocked", low=0, high=53, is_pin=True
    )
    feedback_pin: int | None = setting(
        None, "BCM pin of the lock feedback", low=0, high=53, is_pin=True
    )
    feedback_locked_level: str = setting(
        "low", "level of the feedback pin while locked", choices=("low", "high")
    )
    pulse_ms: int = setting(600, "motor: length of one pulse", low=100, high=1000)
    settle_ms: int = setting(150, "wait after a move before the feedback counts", low=0, high=2000)
    tries: int = setting(3, "moves before it counts as jammed", low=1, high=10)
    retry_s: float = setting(5.0, "pause between two tries", low=0.5, high=60)

    def __post_init__(self) -> None:
        problems = []
        if self.driver == "solenoid" and self.pin is None:
            problems.append('pin is missing; driver = "solenoid" needs it')
        if self.driver == "motor" and self.lock_pin is None:
            problems.append('lock_pin is missing; driver = "motor" needs it')
        if self.driver == "motor" and self.unlock_pin is None:
            problems.append('unlock_pin is missing; driver = "motor" needs it')
        if self.driver in ("solenoid", "motor") and self.feedback_pin is None:
            problems.append("feedback_pin is missing; energy flows only with the lock confirmed")
        if problems:
            raise ValueError("\n".join(problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlugSettings:
    """The contact that tells whether a plug is in."""

    driver: str = setting(
        "none", "none = no plug sensor: a card alone starts", choices=("gpio", "simulated", "none")
    )
    pin: int | None = setting(None, "gpio: BCM pin of the contact", low=0, high=53, is_pin=True)
    present_level: str = setting("low", "gpio: level while a plug is in", choices=("low", "high"))

    def __post_init__(self) -> None:
        if self.driver == "gpio" and self.pin is None:
            raise ValueError('pin is missing; driver = "gpio" needs it')


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotSettings:
    """The controller that owns the control pilot."""

    driver: str = setting(
        "none",
        "none = no pilot: a plugged vehicle is taken to ask for energy",
        choices=("simulated", "none"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSettings:
    """The energy meter of one connector."""

    driver: str = setting(
        "none",
        "modbus_... = Eastron meter on RS-485",
        choices=("modbus_sdm120", "modbus_sdm230", "modbus_sdm630", "simulated", "none"),
    )
    port: str = setting("", "modbus: device file, for example /dev/ttyUSB0")
    baud: int = setting(9600, "modbus: bits per second", low=1200, high=115_200)
    parity: str = setting("N", "modbus: N, E or O", choices=("N", "E", "O"))
    unit_id: int = setting(1, "modbus: address of the meter", low=1, high=247)
    timeout_s: float = setting(0.5, "modbus: wait for an answer", low=0.05, high=5)
    poll_s: float = setting(2.0, "time between two readings", low=0.5, high=60)

    def __post_init__(self) -> None:
        if self.driver.startswith("modbus_") and not self.port:
            raise ValueError(f'port is missing; driver = "{self.driver}" needs it')


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorSettings:
    """One connector and its parts."""

    id: int = setting(..., "connector id of OCPP: 1, 2, 3 ... without gaps", low=1, high=16)
    evse_id: str = setting("", "name of this outlet for other services, for example DE*ABC*E1")
    contactor: ContactorSettings = field(metadata={"help": "switches the mains"})
    lock: LockSettings = field(default=LockSettings(), metadata={"help": "holds the plug"})
    plug: PlugSettings = field(default=PlugSettings(), metadata={"help": "sees the plug"})
    pilot: PilotSettings = field(default=PilotSettings(), metadata={"help": "talks to the car"})
    meter: MeterSettings = field(default=MeterSettings(), metadata={"help": "counts the energy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyInputSettings:
    """A normally-closed contact between pin and ground: open (or a broken wire) = tripped."""

    driver: str = setting("gpio", "gpio or simulated", choices=("gpio", "simulated"))
    pin: int | None = setting(None, "gpio: BCM pin of the contact", low=0, high=53, is_pin=True)
    normally_closed: bool = setting(True, "false for a contact that closes when tripped")

    def __post_init__(self) -> None:
        if self.driver == "gpio" and self.pin is None:
            raise ValueError('pin is missing; driver = "gpio" needs it')


@dataclass(frozen=True, slots=True, kw_only=True)
class InputsSettings:
    """Contacts that mean "open now"."""

    emergency_stop: SafetyInputSettings | None = field(
        default=None, metadata={"help": "emergency stop button"}
    )
    residual_current: SafetyInputSettings | None = field(
        default=None, metadata={"help": "residual current device"}
    )
    door: SafetyInputSettings | None = field(default=None, metadata={"help": "cabinet door"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationSettings:
    """How the simulated charger and car behave."""

    meter_start_wh: int = setting(0, "register of each simulated meter at start", low=0, high=10**9)
    car_power_w: int = setting(7400, "what the simulated car draws at most", low=0, high=350_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardSettings:
    """Everything ``hw.board.open_board`` needs."""

    connectors: tuple[ConnectorSettings, ...]
    reader: ReaderSettings = ReaderSettings()
    inputs: InputsSettings = InputsSettings()
    simulation: SimulationSettings = SimulationSettings()
    max_current_a: float = 32.0
    phases: int = 1
    nominal_voltage_v: float = 230.0
