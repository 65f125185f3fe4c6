"""TLS towards others: which certificates are trusted, and in words why it failed.

The same for the central system, the station bus's broker and the addresses of files.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from agent.core.certificates import Certificate, TrustedRoots
from agent.core.visible import visible
from agent.platform.edited_files import read_certificates
from agent.platform.errors import CertificateFileError, EditedFileError
from agent.platform.file_problems import why

# Stated, because the defaults differ: Python 3.13 adds VERIFY_X509_STRICT, which refuses the plain
# authorities that central systems have (no key usage extension, or X.509 version 1), and
# VERIFY_X509_PARTIAL_CHAIN; 3.11 has neither, and refuses an authority that another one has signed.
_VERIFY_FLAGS = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN

_OF_FILE = TrustedRoots()

# X509_V_ERR_... of OpenSSL, in words that say what to do. {ca_key}: the configuration key.
_BY_ITSELF = "it is signed by itself: is it the right one? then name it in {ca_key}"
_UNKNOWN_AUTHORITY = (
    "this box does not trust its signer: name the certificate of that authority in {ca_key}"
)
_OTHER_NAME = "it is for another name than the address has: one of the two must be changed"
_TOO_WEAK = "its key or signature is too weak: it must be renewed there"
_CERTIFICATE_PROBLEMS = {
    2: _UNKNOWN_AUTHORITY,
    9: "it is not valid yet (is the clock of this box right?)",
    10: "it has expired, and must be renewed there",
    18: _BY_ITSELF,
    19: _UNKNOWN_AUTHORITY,
    20: _UNKNOWN_AUTHORITY,
    21: _UNKNOWN_AUTHORITY,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
    66: _TOO_WEAK,
    67: _TOO_WEAK,
    68: _TOO_WEAK,
    79: "what signed it is marked as no authority: is {ca_key} the right one?",
}
# What OpenSSL makes of an answer that is no TLS at all.
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
# Alerts about a certificate are about ours: servers differ in which one they send when none comes.
_ABOUT_OUR_CERTIFICATE = re.compile(r"ALERT_(.*CERTIFICATE.*|UNKNOWN_CA|ACCESS_DENIED)$")
# Python 3.11.2 takes an end within the handshake for an orderly one.
CUT_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_SUBJECT_MAX = 100
# By whether this box shows one.
_PROBLEM_WITH_OURS = {
    False: "demands a client certificate, and this box has none",
    True: "does not accept the certificate of this box",
}
# What OpenSSL puts around its words.
_FRAME = re.compile(r"^\[[^\]]*\] *| *\(_ssl\.c:\d+\)$")


def client_context(
    ca_file: str, *, system_too: bool = False, roots: TrustedRoots = _OF_FILE
) -> ssl.SSLContext:
    """TLS 1.2 or newer, certificate and host name checked. Raises CertificateFileError.

    What ``ca_file`` holds is trusted, an authority or the server's own certificate; the system's
    authorities are where it is empty, or with ``system_too``. ``roots`` are those installed over
    OCPP, and whether the file counts beside them.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION
    context.verify_flags = _VERIFY_FLAGS
    if roots.pem:
        context.load_verify_locations(cadata=roots.pem)
    if not roots.with_file:
        return context
    if not ca_file or system_too:
        context.load_default_certs()
    if ca_file:
        try:
            context.load_verify_locations(cadata=read_certificates(ca_file))
        except ssl.SSLError:
            raise CertificateFileError(f"{ca_file} holds no certificate in PEM form") from None
        except EditedFileError as problem:
            raise CertificateFileError(f"cannot use the certificates in {problem}") from None
    return context


def verified_by(connection: Any) -> tuple[Certificate, ...]:
    """The certificates that a TLS connection was verified by, the server's own first.

    Python 3.11 has this in its own ``_sslobj`` only, and 3.13 gives bytes without dates.
    ``connection``: an ``ssl.SSLObject`` or ``ssl.SSLSocket``; None: there is no TLS.
    """
    chain = getattr(getattr(connection, "_sslobj", None), "get_verified_chain", None)
    return tuple(_certificates(chain() or ())) if chain is not None else ()


def _certificates(chain: Any) -> Iterator[Certificate]:
    for found in chain:
        facts = found.get_info()
        names = [f"{kind}={value}" for name in facts["subject"] for kind, value in name]
        yield Certificate(
            fingerprint=hashlib.sha256(ssl.PEM_cert_to_DER_cert(found.public_bytes())).hexdigest(),
            subject=visible(",".join(names))[:_SUBJECT_MAX],
            not_before=_moment(facts["notBefore"]),
            not_after=_moment(facts["notAfter"]),
        )


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def show_certificate(context: ssl.SSLContext, certificate_file: str, key_file: str) -> None:
    """Let the context show this certificate where one is asked for. Raises CertificateFileError."""
    files = f"{certificate_file} and {key_file}"
    try:
        # Without an answer OpenSSL would ask for the passphrase at the terminal.
        context.load_cert_chain(certificate_file, key_file, password="")
    except ssl.SSLError as problem:
        raise CertificateFileError(f"{files}: {_why_unfit(problem)}") from None
    except OSError as problem:
        raise CertificateFileError(f"{files}: {why(problem, problem.filename or '')}") from None


def check_certificate(certificate_file: str, key_file: str) -> None:
    """Raise CertificateFileError where these two are not a certificate and its key."""
    show_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate_file, key_file)


def _why_unfit(problem: ssl.SSLError) -> str:
    if reason_of(problem) == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate"
    return "a certificate and its key in PEM form are wanted, without a passphrase"


def explain_tls(
    problem: ssl.SSLError, host: str, ca_key: str, *, shows_certificate: bool = False
) -> str:
    """Why there is no TLS with this host, as a sentence for the person at the box. No secrets.

    ``ca_key``: the configuration key of the file with what is trusted. ``shows_certificate``: this
    box has one of its own, and shows it.
    """
    if isinstance(problem, ssl.SSLCertVerificationError):
        words = getattr(problem, "verify_message", "") or "no reason given"
        code = getattr(problem, "verify_code", 0)
        meaning = _CERTIFICATE_PROBLEMS.get(code, f"{words}; it must be renewed there")
        meaning = meaning.replace("{ca_key}", ca_key)
        return f"the TLS certificate of {host} was not accepted: {meaning}"
    if isinstance(problem, CUT_OFF):
        return cut_off(host, shows_certificate)
    reason = reason_of(problem)
    if reason in _NO_TLS:
        return f"{host} does not speak TLS on this port: is it the right port?"
    if is_about_our_certificate(problem):
        return f"{wants_client_certificate(host, shows_certificate)} ({reason})"
    if reason.endswith("ALERT_HANDSHAKE_FAILURE"):
        return (
            f"{host} and this box found no common TLS version or cipher, "
            f"or it {_PROBLEM_WITH_OURS[shows_certificate]} ({reason})"
        )
    return f"{host} and this box found no common TLS version or cipher ({reason})"


def is_about_our_certificate(problem: ssl.SSLError) -> bool:
    """True when the other side has said that it wants a certificate, or another than ours."""
    return _ABOUT_OUR_CERTIFICATE.search(reason_of(problem)) is not None


def wants_client_certificate(host: str, shows_certificate: bool) -> str:
    """What is said of a server that lets in only who shows a certificate, another than this box."""
    then = "is it in its time, and of an authority that is trusted there?"
    help_text = then if shows_certificate else "switch that off there"
    return f"{host} {_PROBLEM_WITH_OURS[shows_certificate]}: {help_text}"


def cut_off(host: str, shows_certificate: bool = False) -> str:
    """What is said when the connection ended before an answer, without a word or with it lost."""
    about_ours = "does it demand a client certificate? this box has none"
    if shows_certificate:
        about_ours = "does it accept the certificate of this box?"
    return (
        f"{host} cut the connection before it answered: does this port speak TLS 1.2 or newer? "
        f"{about_ours}"
    )


def reason_of(problem: ssl.SSLError) -> str:
    """OpenSSL's name of it; where Python does not give that, OpenSSL's words in the same form."""
    named = getattr(problem, "reason", None)
    return named or _FRAME.sub("", str(problem)).upper().replace(" ", "_") or "no reason given"
