"""Settings of the drivers: frozen, typed, units in the names.

``agent.config`` fills these from the configuration file and checks type, choice, range and unknown
keys from the annotations and the ``setting`` metadata; rules that need two fields stand in
``__post_init__`` and raise ValueError: one clear sentence a line, which begins with the key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hw.setting import pin_setting, setting
from hw.settings_indicator import IndicatorSettings

_SENSOR = re.compile(r"28-[0-9a-f]{12}")


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
    reset_pin: int | str = pin_setting(25, "mfrc522: BCM pin wired to RST")
    antenna_gain_db: int = setting(33, "mfrc522: receiver gain", low=18, high=48)
    port: str = setting("", "serial: device file, for example /dev/serial/by-id/...")
    baud: int = setting(9600, "serial: bits per second", low=300, high=921_600)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactorSettings:
    """The contactor (or enable relay) of one connector."""

    driver: str = setting(..., "gpio or simulated", choices=("gpio", "simulated"))
    pin: int | str | None = pin_setting(None, "gpio: BCM pin of the coil driver, high = on")
    active_high: bool = setting(
        True, "gpio: false for boards that switch on with a low level (glitch at start!)"
    )
    feedback_pin: int | str | None = pin_setting(
        None, "gpio: BCM pin of the auxiliary contact; missing = no feedback"
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
    heartbeat_pin: int | str | None = pin_setting(
        None, "gpio: BCM pin of a charge pump in the supply of the coil; it changes at every look"
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
    pin: int | str | None = pin_setting(None, "solenoid: BCM pin of its driver")
    lock_pin: int | str | None = pin_setting(None, "motor: BCM pin that drives towards locked")
    unlock_pin: int | str | None = pin_setting(None, "motor: BCM pin that drives towards unlocked")
    feedback_pin: int | str | None = pin_setting(None, "BCM pin of the lock feedback")
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
        "none",
        "pilot = the pilot controller sees it; none = no plug sensor: a card alone starts",
        choices=("gpio", "pilot", "simulated", "none"),
    )
    pin: int | str | None = pin_setting(None, "gpio: BCM pin of the contact")
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
        choices=("evse_wb", "openevse", "simulated", "none"),
    )
    port: str = setting("", "evse_wb, openevse: device file, of its own: not that of the meter")
    baud: int = setting(
        0, "bits per second; 0 = as delivered: evse_wb 9600, openevse 115200", low=0, high=921_600
    )
    unit_id: int = setting(1, "evse_wb: its Modbus address", low=1, high=247)
    ventilation: bool = setting(False, "true: the place is ventilated, so state D may charge")

    def __post_init__(self) -> None:
        if self.driver in ("evse_wb", "openevse") and not self.port:
            raise ValueError(f'port is missing; driver = "{self.driver}" needs it')


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
    poll_s: float = setting(2.0, "between readings in a session; else 30 s", low=0.5, high=60)

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

    def __post_init__(self) -> None:
        if self.plug.driver == "pilot" and self.pilot.driver == "none":
            raise ValueError(
                'plug needs a pilot; plug.driver = "pilot" takes its word for the plug'
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyInputSettings:
    """A normally-closed contact between pin and ground: open (or a broken wire) = tripped."""

    driver: str = setting("gpio", "gpio or simulated", choices=("gpio", "simulated"))
    pin: int | str | None = pin_setting(None, "gpio: BCM pin of the contact")
    normally_closed: bool = setting(True, "false for a contact that closes when tripped")

    def __post_init__(self) -> None:
        if self.driver == "gpio" and self.pin is None:
            raise ValueError('pin is missing; driver = "gpio" needs it')


@dataclass(frozen=True, slots=True, kw_only=True)
class GridLimitSettings(SafetyInputSettings):
    """The grid operator's contact: open (or a broken wire) = all connectors are limited."""

    power_w: float = setting(4200, "what they may draw together meanwhile", low=0, high=350_000)
    current_a: float | None = setting(None, "in the place of power_w: per phase", low=0, high=2000)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureSettings:
    """A DS18B20 sensor on the 1-wire bus: too hot means no energy until it is 10 K cooler."""

    driver: str = setting("w1", "w1 = 1-wire", choices=("w1",))
    sensor: str = setting(..., "its name under /sys/bus/w1/devices, for example 28-0316a2794bff")
    max_c: float = setting(
        75.0, "degrees Celsius at which no energy flows any more", low=40, high=110
    )

    def __post_init__(self) -> None:
        if not _SENSOR.fullmatch(self.sensor):
            raise ValueError(f"sensor must look like 28-0316a2794bff, not {self.sensor!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputsSettings:
    """Contacts that mean "open now", and one that means "draw less"."""

    emergency_stop: SafetyInputSettings | None = field(
        default=None, metadata={"help": "emergency stop button"}
    )
    residual_current: SafetyInputSettings | None = field(
        default=None, metadata={"help": "residual current device"}
    )
    door: SafetyInputSettings | None = field(default=None, metadata={"help": "cabinet door"})
    temperature: TemperatureSettings | None = field(
        default=None, metadata={"help": "heat in the box or at the socket"}
    )
    grid_limit: GridLimitSettings | None = field(
        default=None, metadata={"help": "the grid operator's contact (in Germany: § 14a EnWG)"}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFaultSettings:
    """Something that is broken from the start."""

    connector: int = setting(..., "at which connector", low=1, high=16)
    error_code: str = setting(..., "an errorCode of OCPP, or a name that `sim fault` knows")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationSettings:
    """How the simulated charger and car behave."""

    meter_start_wh: int = setting(0, "register of each simulated meter at start", low=0, high=10**9)
    car_power_w: int = setting(7400, "what the simulated car draws at most", low=0, high=350_000)
    one_reader_each: bool = setting(False, "each connector has a simulated reader of its own")
    faults: tuple[SimulatedFaultSettings, ...] = setting((), "broken from the start")


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardSettings:
    """Everything ``hw.board.open_board`` needs."""

    connectors: tuple[ConnectorSettings, ...]
    reader: ReaderSettings = ReaderSettings()
    inputs: InputsSettings = InputsSettings()
    indicator: IndicatorSettings = field(default=IndicatorSettings())
    simulation: SimulationSettings = SimulationSettings()
    max_current_a: float = 32.0
    phases: int = 1
    nominal_voltage_v: float = 230.0
