"""What the configuration file may say, but a technician should look at twice."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from posixpath import isabs, normpath
from urllib.parse import unquote

from agent.config.mistakes import key_name, number_text
from agent.config.pins import pin_uses
from agent.config.section_rules import is_loopback
from agent.config.settings import Settings
from agent.platform.edited_files import read_certificates, read_secret
from agent.platform.errors import AgentError
from agent.platform.tls import check_certificate
from hw.settings import ConnectorSettings

Read = Callable[[str], object]
PULLED_UP_PINS = range(9)
"""BCM 0 to 8 are pulled up from power-on until the agent takes them, 9 to 27 down."""
HEADER_PINS_MAX = 27
UART_PINS = (14, 15)
_HERE = ("localhost", "127.0.0.1", "::1")
HEADER_UARTS = ("/dev/serial0", "/dev/ttyAMA0", "/dev/ttyS0")


def warnings_for(settings: Settings) -> list[str]:
    """One sentence for each thing worth a look. Looks at modes of files, opens none."""
    return [
        *_supply(settings),
        *_central_system(settings),
        *_files(settings),
        *_api(settings),
        *_bus(settings),
        *_house(settings),
        *_reader(settings),
        *_pins(settings),
        *(
            sentence
            for connector in settings.connectors
            for sentence in _connector(connector, settings.charge_point.phases)
        ),
    ]


def _supply(settings: Settings) -> Iterator[str]:
    box, sockets = settings.charge_point, len(settings.connectors)
    if sockets > 1 and box.supply_current_a is None:
        together = number_text(sockets * box.max_current_a)
        yield (
            f"charge_point.supply_current_a is missing: {sockets} sockets may draw {together} A"
            " together"
        )


def _central_system(settings: Settings) -> Iterator[str]:
    identity = settings.charge_point.identity
    if identity != identity.strip():
        yield "charge_point.identity begins or ends with a space"
    central = settings.central_system
    if not central.url:
        yield "central_system.url is empty: this box works without a central system"
    last = unquote(central.url.rstrip("/").rpartition("/")[2])
    if central.url and last == identity:
        yield (
            f"central_system.url ends with {identity}: the agent appends the identity itself, so it"
            " is sent twice; leave it out unless the central system wants it so"
        )
    has_password = central.security_profile or central.authorization_key_file
    if central.url.lower().startswith("wss://") and not has_password:
        yield (
            "central_system.security_profile is 0: no password is sent over wss://; with"
            " security_profile = 2 and authorization_key_file it is"
        )
    if central.url and central.authorization_key_file and central.security_profile not in (1, 2):
        profile = central.security_profile
        yield f"central_system.authorization_key_file is not used: security_profile is {profile}"
    if central.url and central.certificate_file and central.security_profile != 3:
        profile = central.security_profile
        yield (
            "central_system.certificate_file is used in security profile 3 only: security_profile"
            f" is {profile}, until the central system raises it"
        )
    is_tls = central.url.lower().startswith("wss://")
    if central.ca_file and not is_tls:
        yield "central_system.ca_file is not used: the url does not begin with wss://"
    if central.security_profile == 1 and not is_tls:
        yield "central_system.security_profile = 1 sends the password readably: only within a VPN"


def _files(settings: Settings) -> Iterator[str]:
    named = {
        "central_system.authorization_key_file": settings.central_system.authorization_key_file,
        "mqtt.password_file": settings.mqtt.password_file,
        "mqtt.ca_file": settings.mqtt.ca_file,
        "house.password_file": settings.house.password_file,
        "house.ca_file": settings.house.ca_file,
        "central_system.ca_file": settings.central_system.ca_file,
        "central_system.certificate_file": settings.central_system.certificate_file,
        "central_system.certificate_key_file": settings.central_system.certificate_key_file,
    }
    for index, token in enumerate(settings.api.tokens):
        named[key_name(("api", "tokens", index, "secret_file"))] = token.secret_file
    for key, path in named.items():
        if path:
            yield from _file(
                key, path, is_secret=not key.endswith(("ca_file", ".certificate_file"))
            )
    for key, path in {**named, "storage.path": settings.storage.path}.items():
        if path and not isabs(path):
            yield f"{key} = {path} is relative: it depends on where the agent is started"


def missing_files(settings: Settings, read_password: Read = read_secret) -> list[str]:
    """One sentence for each file that is needed and is not there, or holds nothing: mistakes.

    ``read_password`` reads that of the central system, and raises AgentError where it will not do.
    What this user may not see is left to the doctor.
    """
    central, api = settings.central_system, settings.api
    needed: list[tuple[str, str, Read]] = []
    if central.url and central.security_profile == 3:
        key = "central_system.certificate_file"
        needed.append((key, central.certificate_file, read_certificates))
        key = "central_system.certificate_key_file"
        check = partial(check_certificate, central.certificate_file)
        needed.append((key, central.certificate_key_file, check))
    if central.url and central.security_profile in (1, 2):
        key = "central_system.authorization_key_file"
        needed.append((key, central.authorization_key_file, read_password))
    if central.ca_file and central.url.lower().startswith("wss://"):
        needed.append(("central_system.ca_file", central.ca_file, read_certificates))
    for broker in (settings.mqtt, settings.house):
        if broker.enabled:
            password_key, ca_key = f"{broker.SECTION}.password_file", f"{broker.SECTION}.ca_file"
            needed.append((password_key, broker.password_file, read_secret))
            needed.append((ca_key, broker.ca_file, read_certificates))
    if api.enabled:
        for index, token in enumerate(api.tokens):
            name = key_name(("api", "tokens", index, "secret_file"))
            needed.append((name, token.secret_file, read_secret))
    return [
        sentence for key, path, read in needed if path for sentence in _unusable(key, path, read)
    ]


def _unusable(key: str, path: str, read: Read) -> Iterator[str]:
    try:
        os.stat(path)
    except PermissionError:
        return
    except OSError:
        yield f"{key}: there is no file {path}"
        return
    if not os.access(path, os.R_OK, effective_ids=True):
        return
    try:
        read(path)
    except AgentError as problem:
        yield f"{key}: {problem}"


def _file(key: str, path: str, *, is_secret: bool) -> Iterator[str]:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        yield f"{key}: there is no file {path}"
        return
    except OSError:
        return  # not for this user to see; the daemon's user may
    if not stat.S_ISREG(mode):
        yield f"{key}: {path} is not a plain file"
    elif is_secret and mode & (stat.S_IROTH | stat.S_IWOTH):
        yield f"{key}: everybody on this machine can read or change {path}; use chmod o= on it"


def _api(settings: Settings) -> Iterator[str]:
    api = settings.api
    if api.enabled and not is_loopback(api.listen):
        yield (
            f"api.listen = {api.listen}: tokens cross the network unencrypted; "
            "put a proxy with TLS before 127.0.0.1"
        )
    if api.tokens and not api.enabled:
        yield "api.tokens are not used: api.enabled is false"


def _house(settings: Settings) -> Iterator[str]:
    house = settings.house
    if house.enabled and not house.username:
        yield "house.username is empty: anyone who reaches the broker can limit and pause charging"
    if house.enabled and house.username and not house.ca_file and house.host not in _HERE:
        where = f"house.host = {house.host}"
        yield f"{where}: the password crosses the network readably; set house.ca_file"


def _bus(settings: Settings) -> Iterator[str]:
    mqtt = settings.mqtt
    is_here = mqtt.host in _HERE
    if mqtt.enabled and not mqtt.username:
        yield "mqtt.username is empty: anyone who reaches the broker can hand out free energy"
    if mqtt.enabled and not mqtt.ca_file and not is_here:
        yield f"mqtt.host = {mqtt.host}: tokens cross the network unencrypted; set mqtt.ca_file"
    if mqtt.accept_cs_updates:
        yield "mqtt.accept_cs_updates: anyone who may publish on cs/josev can begin sessions"
    if settings.authorization.autocharge:
        yield "authorization.autocharge: an address is no secret, anybody can copy one"


def _reader(settings: Settings) -> Iterator[str]:
    if settings.reader.driver == "none":
        yield 'reader.driver = "none": no card can start a session here'


def _pins(settings: Settings) -> Iterator[str]:
    ids = [connector.id for connector in settings.connectors]
    ports = {normpath(connector.meter.port) for connector in settings.connectors}
    uart = sorted(ports.union({normpath(settings.reader.port)}).intersection(HEADER_UARTS))
    is_spi = settings.reader.driver == "mfrc522" and settings.reader.spi_bus == 0
    for use in pin_uses(settings):
        name = f"{key_name(use.path, ids)} = {use.pin}"
        if use.role or isinstance(use.pin, str):  # of another chip nothing is known
            continue
        if use.is_output and use.pin in PULLED_UP_PINS:
            yield f"{name}: BCM 0 to 8 are high at power-on, so this output may switch on by itself"
        if use.pin > HEADER_PINS_MAX:
            yield f"{name}: the 40-pin header ends at BCM {HEADER_PINS_MAX}"
        if use.pin in UART_PINS and uart:
            yield f"{name}: BCM 14 and 15 belong to the serial port {uart[0]}, which is in use"
        if use.pin in (7, 8) and is_spi:
            taken = "the kernel takes BCM 7 and 8 for SPI unless dtoverlay=spi0-1cs is set"
            yield f"{name}: {taken}"


def _connector(connector: ConnectorSettings, phases: int) -> Iterator[str]:
    name = f"connectors[id={connector.id}]"
    contactor = connector.contactor
    if contactor.driver == "gpio":
        if not contactor.active_high:
            glitch = "the output goes low for a moment at start, and may be low from power-on"
            yield f"{name}.contactor.active_high = false: {glitch}: the contactor may pull in"
        if contactor.feedback_pin is None:
            yield f"{name}.contactor.feedback_pin is missing: a welded contactor is not noticed"
    if connector.lock.driver == "none":
        yield f'{name}.lock.driver = "none": nothing holds the plug (right for a fixed cable only)'
    if connector.plug.driver == "none" and connector.pilot.driver in ("evse_wb", "openevse"):
        yield f'{name}.plug.driver = "none": with "pilot" its controller tells when a plug goes'
    elif connector.plug.driver == "none":
        yield f'{name}.plug.driver = "none": a card alone starts, and unplugging is not seen'
    if connector.meter.driver == "none":
        yield f'{name}.meter.driver = "none": energy is not counted'
    if connector.meter.driver in ("modbus_sdm120", "modbus_sdm230") and phases > 1:
        counted = f"counts one phase, charge_point.phases is {phases}"
        yield f'{name}.meter.driver = "{connector.meter.driver}" {counted}'
    yield from _simulated_parts(connector, name)


def _simulated_parts(connector: ConnectorSettings, name: str) -> Iterator[str]:
    drivers = {
        part: getattr(connector, part).driver
        for part in ("contactor", "lock", "plug", "pilot", "meter")
    }
    simulated = [part for part, driver in drivers.items() if driver == "simulated"]
    if simulated and not {"simulated", "none"}.issuperset(drivers.values()):
        yield f"{name}: {', '.join(simulated)} only simulated, next to real devices"
