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
from pathlib import Path
from urllib.parse import quote, urlsplit

from websockets.exceptions import (
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
    NegotiationError,
    WebSocketException,
)

from agent.core.approach import Approach
from agent.errors import LinkError
from agent.settings import CentralSystemSettings, ChargePointSettings

CLOCK_TRUSTED_FROM_YEAR = 2024
_HEX_KEY = re.compile(r"(?:[0-9A-Fa-f]{2}){16,20}")
_KEY_FILE_MAX = 1024
# OCPP 1.6 security white paper, 4.2: the suites a charge point must be able to use. TLS 1.3 suites
# are not governed by this list.
_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:"
    "AES128-GCM-SHA256:AES256-GCM-SHA384"
)


# X509_V_ERR_... of OpenSSL, in words that say what to do.
_BY_ITSELF = "it is signed by itself: is it the right one? then name it in central_system.ca_file"
_UNKNOWN_AUTHORITY = "it is signed by nobody whom this box trusts (central_system.ca_file)"
_OTHER_NAME = "it is for another name than the address has"
_CERTIFICATE_PROBLEMS = {
    9: "it is not valid yet (is the clock of this box right?)",
    10: "it has expired, and must be renewed at the central system",
    18: _BY_ITSELF,
    19: _UNKNOWN_AUTHORITY,
    20: _UNKNOWN_AUTHORITY,
    21: _UNKNOWN_AUTHORITY,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}

_ABOUT_TIME = (9, 10)
# What OpenSSL makes of an answer that is no TLS at all.
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")

# What an attempt to connect may raise without being a mistake of ours.
CONNECT_PROBLEMS = (LinkError, OSError, EOFError, ValueError, WebSocketException)


@dataclass(frozen=True, slots=True)
class Access:
    """Everything a connection attempt needs. ``headers`` may hold a secret: never log them."""

    url: str
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None


def prepare_access(
    settings: CentralSystemSettings,
    charge_point: ChargePointSettings,
    approach: Approach | None = None,
) -> Access:
    """Address, headers and TLS context of the central system.

    ``approach`` takes the place of address, profile and password of the settings.
    Raises LinkError with a sentence when the settings do not fit together or a file is unusable.
    """
    password = ""
    if approach is not None:
        password = approach.password
        settings = replace(settings, url=approach.url, security_profile=approach.profile)
    check_profile(settings)
    headers = {}
    if settings.security_profile >= 1:
        key = password_bytes(password) or read_authorization_key(settings.authorization_key_file)
        headers["Authorization"] = basic_authorization(charge_point.identity, key)
    secure = urlsplit(settings.url).scheme.lower() == "wss"
    return Access(
        url=connection_url(settings.url, charge_point.identity),
        headers=headers,
        tls=tls_context(settings.ca_file) if secure else None,
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
    if settings.security_profile == 2 and scheme != "wss":
        raise LinkError("security_profile 2 needs TLS, but central_system.url begins with ws://")
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
    """The password in this file: 32 to 40 hex digits, or 16 to 20 characters of text.

    Raises LinkError naming the file, never its content.
    """
    if not path:
        raise LinkError("security_profile 1 or 2 needs central_system.authorization_key_file")
    try:
        with Path(path).open("rb") as file:
            content = file.read(_KEY_FILE_MAX)
        text = content.decode("utf-8").strip()
    except OSError as problem:
        raise LinkError(f"cannot read the password file {path}: {problem.strerror}") from None
    except UnicodeDecodeError:
        text = ""
    if password := password_bytes(text):
        return password
    raise LinkError(
        f"the password file {path} must hold 32 to 40 hex digits (an even number), "
        "or 16 to 20 characters of text"
    )


def password_bytes(text: str) -> bytes:
    """What 32 to 40 hex digits stand for, or 16 to 20 characters as they are; else nothing."""
    if _HEX_KEY.fullmatch(text):
        return bytes.fromhex(text)
    return text.encode() if 16 <= len(text) <= 20 else b""


def approach_of_file(settings: CentralSystemSettings) -> Approach:
    """What the configuration file says; in the place of its password a digest that tells others.

    Empty where there is no password, or none that can be read now.
    """
    digest = ""
    if settings.authorization_key_file:
        with suppress(LinkError):  # told when it is needed
            key = read_authorization_key(settings.authorization_key_file)
            digest = hashlib.sha256(key).hexdigest()[:16]
    return Approach(settings.url, settings.security_profile, digest)


def tls_context(ca_file: str) -> ssl.SSLContext:
    """TLS 1.2 or newer, certificate and host name checked; an empty ``ca_file``: the system's CAs.

    Raises LinkError when the file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except ssl.SSLError:
        raise LinkError(f"{ca_file} holds no certificate in PEM form") from None
    except OSError as problem:
        raise LinkError(f"cannot read the certificates in {ca_file}: {problem.strerror}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION
    context.set_ciphers(_CIPHERS)
    return context


def explain(problem: BaseException, url: str, now: datetime) -> str:
    """Why connecting to ``url`` failed, as a sentence for the person at the box. No secrets."""
    host = _host_of(url)
    match problem:
        case LinkError():
            return str(problem)
        case socket.gaierror():
            return f"the name {host} cannot be resolved (DNS): check the name and the network"
        case ssl.SSLCertVerificationError():
            return _explain_certificate(problem, host, now)
        case ssl.SSLEOFError():
            return f"{host} cut the connection while TLS began: does this port speak TLS 1.2?"
        case ssl.SSLError():
            reason = getattr(problem, "reason", None) or "no reason given"
            if reason in _NO_TLS:
                return f"{host} does not speak TLS on this port: wss:// needs one with TLS"
            return f"{host} and this box found no common TLS version or cipher ({reason})"
        case ConnectionRefusedError():
            return f"{host} refuses the connection: nothing listens on that port"
        case ConnectionResetError() | ConnectionAbortedError():
            return f"{host} cut the connection before it was open"
        case InvalidStatus():
            return _explain_status(problem.response.status_code, host, url)
        case TimeoutError():
            return f"{host} did not answer in time"
        case OSError():
            return f"{host} cannot be reached: {problem.strerror or problem}"
        case _:
            return _explain_handshake(problem, host)


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or url
    except ValueError:  # no address stands in its brackets
        return url


def _explain_certificate(problem: ssl.SSLCertVerificationError, host: str, now: datetime) -> str:
    reason = getattr(problem, "verify_message", None) or "no reason given"
    code = getattr(problem, "verify_code", 0)
    meaning = _CERTIFICATE_PROBLEMS.get(code, reason)
    sentence = f"the TLS certificate of {host} was not accepted: {meaning}"
    if now.year < CLOCK_TRUSTED_FROM_YEAR:
        sentence += f"; the clock of this box may be wrong (it says {now.year})"
    elif code in _ABOUT_TIME:
        sentence += f"; the clock of this box says {now.date()}"
    return sentence


def _explain_status(status: int, host: str, url: str) -> str:
    match status:
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


def _explain_handshake(problem: BaseException, host: str) -> str:
    match problem:
        case NegotiationError():
            return f"{host} does not speak OCPP 1.6 (no common subprotocol)"
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
