"""How to reach the central system: address, password, TLS; and why it did not work, in words."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote, urlsplit

from websockets.exceptions import (
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
    NegotiationError,
    WebSocketException,
)
from websockets.http11 import Response

from agent.config.settings import CentralSystemSettings, ChargePointSettings
from agent.core.certificates import TrustedRoots
from agent.core.connection_profile import ConnectionProfile
from agent.platform.edited_files import read_secret
from agent.platform.errors import CertificateFileError, EditedFileError, LinkError
from agent.platform.tls import (
    CUT_OFF,
    client_context,
    cut_off,
    explain_tls,
    show_certificate,
    wants_client_certificate,
)

CLOCK_TRUSTED_FROM_YEAR = 2024
_HEX_KEY = re.compile(r"(?:[0-9A-Fa-f]{2}){16,20}")
# OCPP 1.6 security white paper, 4.2: the suites a charge point must be able to use. TLS 1.3 suites
# are not governed by this list.
_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:"
    "AES128-GCM-SHA256:AES256-GCM-SHA384"
)


_OF_FILE = TrustedRoots()
_CA_KEY = "central_system.ca_file"
_ABOUT_TIME = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, _HAS_EXPIRED

# What an attempt to connect may raise without being a mistake of ours.
CONNECT_PROBLEMS = (LinkError, OSError, EOFError, ValueError, WebSocketException)


@dataclass(frozen=True, slots=True)
class Access:
    """Everything a connection attempt needs. ``headers`` may hold a secret: never log them."""

    url: str
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None
    shows_certificate: bool = False  # of this box


def prepare_access(
    settings: CentralSystemSettings,
    charge_point: ChargePointSettings,
    approach: ConnectionProfile | None = None,
    roots: TrustedRoots = _OF_FILE,
    own: tuple[str, str] | None = None,
) -> Access:
    """Address, headers and TLS context of the central system.

    ``approach`` takes the place of address, profile and password of the settings; ``roots`` are
    trusted besides what the settings name, or in its place. ``own``: the files of the certificate
    to show, and of its key, in the place of those that the settings name.
    Raises LinkError with a sentence when the settings do not fit together or a file is unusable.
    """
    password = ""
    if approach is not None:
        password = approach.password
        settings = replace(settings, url=approach.url, security_profile=approach.profile)
    if own is not None:
        settings = replace(settings, certificate_file=own[0], certificate_key_file=own[1])
    check_profile(settings)
    headers = {}
    if settings.security_profile in (1, 2):
        key = password_bytes(password) or read_authorization_key(settings.authorization_key_file)
        headers["Authorization"] = basic_authorization(charge_point.identity, key)
    secure = urlsplit(settings.url).scheme.lower() == "wss"
    return Access(
        url=connection_url(settings.url, charge_point.identity),
        headers=headers,
        tls=_tls(settings, roots) if secure else None,
        shows_certificate=settings.security_profile == 3,
    )


def check_profile(settings: CentralSystemSettings) -> None:
    """Raise LinkError with a sentence when url and security profile contradict each other."""
    try:
        parts = urlsplit(settings.url)
        has_host, scheme = bool(parts.hostname), parts.scheme.lower()
        _ = parts.port  # raises ValueError when it is no port number
    except ValueError as problem:
        raise LinkError(f"central_system.url cannot be read: {problem}") from None
    if scheme not in ("ws", "wss") or not has_host:
        raise LinkError("central_system.url must look like ws://host/path or wss://host/path")
    if parts.username is not None or parts.password is not None:
        raise LinkError(
            "central_system.url holds a user name or password: "
            "put the password into central_system.authorization_key_file"
        )
    if parts.query or parts.fragment:
        raise LinkError("central_system.url must end with its path: the identity is appended to it")
    profile = settings.security_profile
    if profile in (2, 3) and scheme != "wss":
        raise LinkError(
            f"security_profile {profile} needs TLS, but central_system.url begins with ws://"
        )
    if profile == 3 and not (settings.certificate_file and settings.certificate_key_file):
        raise LinkError(
            "security_profile 3 needs a certificate of this box: none was signed for it, and "
            "central_system.certificate_file and certificate_key_file name none"
        )
    if settings.security_profile == 1 and scheme != "ws":
        raise LinkError(
            "security_profile 1 is without TLS, but central_system.url begins with wss://: "
            "use security_profile 2"
        )


def connection_url(endpoint: str, identity: str) -> str:
    """The endpoint with the percent-encoded identity appended (OCPP-J 1.6, 3.1.1)."""
    return f"{endpoint.removesuffix('/')}/{quote(identity, safe='')}"


def basic_authorization(identity: str, key: bytes) -> str:
    """The HTTP Basic header, made from the raw bytes of the key (white paper A00.FR.205)."""
    return "Basic " + base64.b64encode(identity.encode() + b":" + key).decode("ascii")


def read_authorization_key(path: str) -> bytes:
    """The password in this file: 32 to 40 hex digits, or 16 to 20 bytes of text.

    Raises LinkError naming the file, never its content.
    """
    if not path:
        raise LinkError("security_profile 1 or 2 needs central_system.authorization_key_file")
    try:
        text = read_secret(path)
    except EditedFileError as problem:
        raise LinkError(f"cannot use the password file {problem}") from None
    if password := password_bytes(text):
        return password
    raise LinkError(
        f"the password file {path} must hold 32 to 40 hex digits (an even number), or 16 to 20 "
        f"bytes of text (a letter like ä has two); it holds {len(text.encode())} bytes"
    )


def password_bytes(text: str) -> bytes:
    """What 32 to 40 hex digits stand for, or text of 16 to 20 bytes as it is; else nothing.

    OCPP 1.6 security white paper, A00.FR.205: it is counted in bytes.
    """
    if _HEX_KEY.fullmatch(text):
        return bytes.fromhex(text)
    raw = text.encode()
    return raw if 16 <= len(raw) <= 20 else b""


def approach_of_file(settings: CentralSystemSettings) -> ConnectionProfile:
    """What the configuration file says; in the place of its password a digest that tells others.

    Empty where there is no password, or none that can be read now.
    """
    digest = ""
    if settings.authorization_key_file:
        with suppress(LinkError):  # told when it is needed
            key = read_authorization_key(settings.authorization_key_file)
            digest = hashlib.sha256(key).hexdigest()[:16]
    return ConnectionProfile(settings.url, settings.security_profile, digest)


def _tls(settings: CentralSystemSettings, roots: TrustedRoots) -> ssl.SSLContext:
    context = tls_context(settings.ca_file, roots)
    if settings.security_profile == 3:
        try:
            show_certificate(context, settings.certificate_file, settings.certificate_key_file)
        except CertificateFileError as problem:
            raise LinkError(f"the certificate of this box cannot be used: {problem}") from None
    return context


def tls_context(ca_file: str, roots: TrustedRoots = _OF_FILE) -> ssl.SSLContext:
    """What every connection here asks for, and the suites of OCPP.

    Raises LinkError when the file cannot be used.
    """
    try:
        context = client_context(ca_file, roots=roots)
    except CertificateFileError as problem:
        raise LinkError(f"{_CA_KEY}: {problem}") from None
    context.set_ciphers(_CIPHERS)
    return context


def explain(
    problem: BaseException, url: str, now: datetime, version: str, shows_certificate: bool = False
) -> str:
    """Why connecting to ``url`` failed, as a sentence for the person at the box. No secrets.

    ``shows_certificate``: this box has one of its own, and shows it.
    """
    host = _host_of(url)
    match problem:
        case LinkError():
            return str(problem)
        case socket.gaierror():
            return f"the name {host} cannot be resolved (DNS): check the name and the network"
        case ssl.SSLCertVerificationError():
            return explain_tls(problem, host, _CA_KEY) + _about_the_clock(problem, now)
        case ssl.SSLError():
            return explain_tls(problem, host, _CA_KEY, shows_certificate=shows_certificate)
        case ConnectionRefusedError():
            return f"{host} refuses the connection: nothing listens on that port"
        case _ if is_cut_off(problem) and _is_secure(url):
            return cut_off(host, shows_certificate)
        case ConnectionResetError() | ConnectionAbortedError():
            return f"{host} cut the connection before it was open"
        case InvalidStatus():
            return _explain_status(problem.response, host, url, shows_certificate)
        case TimeoutError():
            return f"{host} did not answer in time"
        case OSError():
            return f"{host} cannot be reached: {problem.strerror or problem}"
        case _:
            return _explain_handshake(problem, host, version)


def is_cut_off(problem: BaseException | None) -> bool:
    """The connection ended before an answer, without a word or with it lost."""
    match problem:
        case InvalidMessage():
            return isinstance(problem.__cause__, EOFError)
        case ConnectionResetError() | ConnectionAbortedError():
            return True
        case _:
            return isinstance(problem, CUT_OFF)


def is_told_of_certificate(response: Response) -> bool:
    """Some let the handshake pass, and say in their answer what they want (nginx, IIS)."""
    body = bytes(response.body or b"").lower()
    return response.status_code in (400, 403) and b"certificate" in body


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or url
    except ValueError:  # no address stands in its brackets
        return url


def _is_secure(url: str) -> bool:
    return url.lower().startswith("wss:")


def _about_the_clock(problem: ssl.SSLCertVerificationError, now: datetime) -> str:
    if now.year < CLOCK_TRUSTED_FROM_YEAR:
        return f"; the clock of this box may be wrong (it says {now.year})"
    if getattr(problem, "verify_code", 0) in _ABOUT_TIME:
        return f"; the clock of this box says {now.date()}"
    return ""


def _explain_status(response: Response, host: str, url: str, shows_certificate: bool) -> str:
    status = response.status_code
    match status:
        case _ if is_told_of_certificate(response):
            return f"{wants_client_certificate(host, shows_certificate)} (HTTP {status})"
        case 401:
            return f"{host} refuses the password (HTTP 401): check authorization_key_file"
        case 403:
            return f"{host} does not let this charge point in (HTTP 403)"
        case 404:
            return f"{host} does not know this charge point (HTTP 404): check the address {url}"
        case 300 | 301 | 302 | 303 | 307 | 308:
            return f"{host} points to another address (HTTP {status}), which is not followed"
        case _ if status >= 500:
            return f"{host} is in trouble (HTTP {status})"
        case _:
            return f"{host} refuses the connection (HTTP {status})"


def _explain_handshake(problem: BaseException, host: str, version: str) -> str:
    match problem:
        case NegotiationError():
            return f"{host} does not speak {version} (no common subprotocol)"
        case InvalidURI():
            return "central_system.url is not a WebSocket address"
        case InvalidMessage() | EOFError():
            return f"{host} does not answer like a WebSocket server"
        case InvalidHandshake():
            return f"{host} does not answer like a WebSocket server ({type(problem).__name__})"
        case WebSocketException():
            return f"the WebSocket to {host} failed ({type(problem).__name__})"
        case _:
            return f"connecting to {host} failed ({type(problem).__name__})"
