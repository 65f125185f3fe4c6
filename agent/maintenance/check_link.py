"""The way to the central system, step by step; the first that breaks ends it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from agent.config.settings import CentralSystemSettings, ChargePointSettings
from agent.core.certificates import TrustedRoots
from agent.core.connection_profile import ConnectionProfile, ConnectionProfiles
from agent.maintenance.findings import Finding, failed, noted, passed, skipped
from agent.maintenance.transfer.file_transfer import in_daemon_thread
from agent.ocpp16.version import SUBPROTOCOL, VERSION, connect_websocket
from agent.ocppj.connect import CONNECT_PROBLEMS, Access, explain, prepare_access
from agent.platform.errors import LinkError
from agent.platform.redaction import shown_url
from agent.platform.tls import verified_by

STEP_S = 10.0
_STEPS = ("address", "DNS", "TCP", "TLS", "websocket", "boot")
_IS_TRUSTED = "is the clock right? is central_system.ca_file the right one?"
_TRY_AGAIN = "ask the operator of the central system"


class Broken(Exception):
    """A step that does not work; carries what was found."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.words)
        self.finding = finding


def look_at_link(
    settings: CentralSystemSettings,
    charge_point: ChargePointSettings,
    status: Any,
    now: datetime,
    profiles: ConnectionProfiles | None = None,
    roots: Sequence[TrustedRoots] = (TrustedRoots(),),
    own: tuple[str, str] | None = None,
) -> Iterator[Finding]:
    """Walk to the central system as the agent does.

    ``profiles`` takes the place of the file, once the way was changed over OCPP; ``roots`` say what
    is trusted, the next where the one before refuses the server; ``own`` names the files of the
    certificate of this box and of its key, in the place of those in the settings. ``status`` is
    what the running agent says, None without one. While that is connected, there is no second
    connection under its name: many central systems would throw it out.
    """
    if not settings.url:
        yield skipped("link", "no central system is configured: the box decides by itself")
        return
    try:
        yield from _steps(settings, charge_point, status, now, profiles, roots, own)
    except Broken as broken:
        yield broken.finding
        for step in _STEPS[_STEPS.index(broken.finding.step) + 1 :]:
            yield skipped(step, f"{broken.finding.step} comes first")


def _steps(
    settings: CentralSystemSettings,
    charge_point: ChargePointSettings,
    status: Any,
    now: datetime,
    profiles: ConnectionProfiles | None,
    roots: Sequence[TrustedRoots],
    own: tuple[str, str] | None,
) -> Iterator[Finding]:
    way = None if profiles is None else profiles.settled
    accesses = [_access(settings, charge_point, way, one, own) for one in roots]
    access = accesses[0]
    parts = urlsplit(access.url)
    host = parts.hostname or ""
    port = parts.port or (443 if access.tls else 80)
    yield passed("address", shown_url(access.url))
    if profiles is not None:
        yield from _about_changes(settings, profiles)
    addresses = _resolve(host, port, access, now)
    yield passed("DNS", f"{host} is {', '.join(addresses[:4])}")
    with _connected(addresses, port, access, now) as line:
        yield passed("TCP", f"port {port} of {line.getpeername()[0]} answers")
        access, about_tls = _trusting(line, accesses, host, addresses, port, now)
        yield about_tls
    yield from _talk(access, status, now)


def _about_changes(
    settings: CentralSystemSettings, profiles: ConnectionProfiles
) -> Iterator[Finding]:
    """What the file does not show: the central system may change the way to it."""
    settled, trial = profiles.settled, profiles.trial
    if (settled.url, settled.profile) != (settings.url, settings.security_profile):
        words = f"changed over OCPP: {settled.url}, security profile {settled.profile}"
        yield noted("address", words, "another central_system.url in the file would win again")
    if settled.password:
        yield noted("address", "the password was changed over OCPP; that of the file is not used")
    if trial is not None:
        words = f"on trial: {trial.url}, security profile {trial.profile}"
        yield noted("address", words, "the log of the agent tells what comes of it")


def _access(
    settings: CentralSystemSettings,
    charge_point: ChargePointSettings,
    way: ConnectionProfile | None,
    roots: TrustedRoots,
    own: tuple[str, str] | None,
) -> Access:
    try:
        return prepare_access(settings, charge_point, way, roots, own)
    except LinkError as problem:
        raise Broken(failed("address", str(problem), "chargepoint-agent check-config")) from None


def _resolve(host: str, port: int, access: Access, now: datetime) -> list[str]:
    try:
        # The system's resolver has no time limit of its own.
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = in_daemon_thread(look_up, "resolver").result(STEP_S)
    except OSError as problem:
        then = "is there a network? ip address; resolvectl query NAME"
        raise Broken(failed("DNS", _why(problem, access, now), then)) from None
    except UnicodeError:
        raise Broken(failed("DNS", f"{host} is no name of a host")) from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _connected(addresses: list[str], port: int, access: Access, now: datetime) -> socket.socket:
    last: OSError = TimeoutError()
    for address in addresses:
        try:
            return socket.create_connection((address, port), STEP_S)
        except OSError as problem:
            last = problem
    then = f"is a firewall in the way? {_TRY_AGAIN}"
    raise Broken(failed("TCP", _why(last, access, now), then)) from None


def _trusting(
    line: socket.socket,
    accesses: Sequence[Access],
    host: str,
    addresses: list[str],
    port: int,
    now: datetime,
) -> tuple[Access, Finding]:
    """The first that trusts the server, and its handshake; of a server none trusts, the first."""
    first, *others = accesses
    try:
        return first, _handshake(line, host, first, now)
    except Broken as refused:
        for access in others:
            with suppress(Broken), _connected(addresses, port, access, now) as another:
                return access, _handshake(another, host, access, now)
        raise refused


def _handshake(line: socket.socket, host: str, access: Access, now: datetime) -> Finding:
    if access.tls is None:
        return noted("TLS", "none: everybody on the way can read along and change what is said")
    try:
        with access.tls.wrap_socket(line, server_hostname=host) as secure:
            return _about_certificate(secure, host, now)
    except (OSError, ValueError) as problem:
        is_about_trust = isinstance(problem, ssl.SSLCertVerificationError)
        then = _IS_TRUSTED if is_about_trust else _TRY_AGAIN
        raise Broken(failed("TLS", _why(problem, access, now), then)) from None


def _about_certificate(secure: ssl.SSLSocket, host: str, now: datetime) -> Finding:
    cipher = secure.cipher()
    chain = verified_by(secure)
    ends_at = chain[0].not_after
    days = (ends_at - now).days
    name = cipher[0] if cipher else "?"
    words = f"{secure.version()}, {name}; the certificate of {host} is good for {days} days"
    if chain[0].warned_of_from <= now:
        return noted("TLS", words, f"it must be renewed by {ends_at.date()}: {_TRY_AGAIN}")
    return passed("TLS", words)


def _why(problem: BaseException, access: Access, now: datetime) -> str:
    return explain(problem, access.url, now, VERSION, access.shows_certificate)


def _talk(access: Access, status: Any, now: datetime) -> Iterator[Finding]:
    link = {} if status is None else status["link"]
    if link.get("connected_since"):
        yield passed("websocket", "the running agent is connected; no second connection is tried")
        yield _boot(link)
        return
    yield _upgrade(access, now)
    yield skipped("boot", "only the agent itself tells the central system that it has started")


def _boot(link: Any) -> Finding:
    if link["is_accepted"]:
        return passed("boot", f"accepted, connected since {link['connected_since']}")
    registration = link["registration"] or "no answer yet"
    words = f"the central system answers the boot with: {registration}"
    return failed("boot", words, "accept this charge point in the central system")


def _upgrade(access: Access, now: datetime) -> Finding:
    async def connect() -> str | None:
        async with asyncio.timeout(2 * STEP_S):
            wire = await connect_websocket(
                access.url, headers=access.headers, ssl=access.tls, open_timeout_s=STEP_S
            )
        await wire.close()
        return wire.subprotocol

    try:
        subprotocol = asyncio.run(connect())
    except CONNECT_PROBLEMS as problem:
        raise Broken(failed("websocket", _why(problem, access, now), _TRY_AGAIN)) from None
    if subprotocol != SUBPROTOCOL:
        words = "the server chose no subprotocol ocpp1.6: it does not speak OCPP 1.6"
        raise Broken(failed("websocket", words, _TRY_AGAIN))
    return passed("websocket", "connected, the subprotocol is ocpp1.6")
