"""What a connection that did not come about says about security (white paper, section 8)."""

from __future__ import annotations

import ssl

from websockets.exceptions import InvalidStatus

from agent.core.security_event_values import SecurityEventType
from agent.platform.tls import reason_of

_REFUSED = (401, 403)
_VERSIONS = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL")
# A refused client certificate looks the same: see docs/security.md.
_CIPHERS = ("HANDSHAKE_FAILURE", "NO_SHARED_CIPHER", "NO_CIPHERS_AVAILABLE")


def types_of(problem: BaseException | None) -> tuple[SecurityEventType, ...]:
    """The security events that this failure is; most are none."""
    match problem:
        case ssl.SSLCertVerificationError():
            return (
                SecurityEventType.INVALID_CENTRAL_SYSTEM_CERTIFICATE,
                SecurityEventType.CENTRAL_SYSTEM_FAILED_TO_AUTHENTICATE,
            )
        case ssl.SSLError() if any(words in reason_of(problem) for words in _VERSIONS):
            return (SecurityEventType.INVALID_TLS_VERSION,)
        case ssl.SSLError() if any(words in reason_of(problem) for words in _CIPHERS):
            return (SecurityEventType.INVALID_TLS_CIPHER_SUITE,)
        case InvalidStatus() if problem.response.status_code in _REFUSED:
            return (SecurityEventType.FAILED_TO_AUTHENTICATE,)
        case _:
            return ()
