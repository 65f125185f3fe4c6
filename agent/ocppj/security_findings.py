"""What a connection that did not come about says about security (white paper, section 8)."""

from __future__ import annotations

import ssl

from websockets.exceptions import InvalidStatus

from agent.core.security_event_values import SecurityEventType
from agent.ocppj.connect import is_cut_off, is_told_of_certificate
from agent.platform.tls import is_about_our_certificate, reason_of

_REFUSED = (401, 403)
_VERSIONS = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL")
_CIPHERS = ("HANDSHAKE_FAILURE", "NO_SHARED_CIPHER", "NO_CIPHERS_AVAILABLE")


def types_of(
    problem: BaseException | None, shows_certificate: bool
) -> tuple[SecurityEventType, ...]:
    """The security events that this failure is; most are none.

    ``shows_certificate``: this box has one of its own, and shows it.
    """
    match problem:
        case ssl.SSLCertVerificationError():
            return (
                SecurityEventType.INVALID_CENTRAL_SYSTEM_CERTIFICATE,
                SecurityEventType.CENTRAL_SYSTEM_FAILED_TO_AUTHENTICATE,
            )
        case _ if _is_refused(problem) or (shows_certificate and _may_be_refused(problem)):
            return (SecurityEventType.FAILED_TO_AUTHENTICATE,)
        case ssl.SSLError() if any(words in reason_of(problem) for words in _VERSIONS):
            return (SecurityEventType.INVALID_TLS_VERSION,)
        case ssl.SSLError() if _finds_no_cipher(problem):
            return (SecurityEventType.INVALID_TLS_CIPHER_SUITE,)
        case _:
            return ()


def _is_refused(problem: BaseException | None) -> bool:
    match problem:
        case InvalidStatus(response=response):
            return response.status_code in _REFUSED or is_told_of_certificate(response)
        case ssl.SSLError():
            return is_about_our_certificate(problem)
        case _:
            return False


def _may_be_refused(problem: BaseException | None) -> bool:
    """So servers refuse a certificate that do not say so: with an end, or the alert for all."""
    return is_cut_off(problem) or (isinstance(problem, ssl.SSLError) and _finds_no_cipher(problem))


def _finds_no_cipher(problem: ssl.SSLError) -> bool:
    return any(words in reason_of(problem) for words in _CIPHERS)
