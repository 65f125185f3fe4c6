"""How a refused certificate shows: said, or only an end of the connection."""

from __future__ import annotations

import ssl

import pytest
from websockets.exceptions import InvalidMessage

from agent.core.security_event_values import SecurityEventType
from agent.ocppj.security_findings import types_of

REFUSED = (SecurityEventType.FAILED_TO_AUTHENTICATE,)


def caused_by(problem: Exception, cause: Exception) -> Exception:
    problem.__cause__ = cause
    return problem


@pytest.mark.parametrize(
    ("problem", "to_who_shows_none"),
    [
        (ssl.SSLError(1, "[SSL] tlsv1 alert unknown ca (_ssl.c:1006)"), REFUSED),
        (
            ssl.SSLError(1, "[SSL] sslv3 alert handshake failure (_ssl.c:1006)"),
            (SecurityEventType.INVALID_TLS_CIPHER_SUITE,),
        ),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol (_ssl.c:1006)"), ()),
        (ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF) (_ssl.c:1006)"), ()),
        (ConnectionResetError(), ()),
        (caused_by(InvalidMessage("did not receive a valid HTTP response"), EOFError()), ()),
    ],
)
def test_with_a_certificate_shown_an_end_without_a_word_is_a_refusal(problem, to_who_shows_none):
    assert types_of(problem, shows_certificate=True) == REFUSED
    assert types_of(problem, shows_certificate=False) == to_who_shows_none


@pytest.mark.parametrize(
    "problem",
    [None, TimeoutError(), ConnectionRefusedError(), InvalidMessage("no HTTP")],
    ids=repr,
)
def test_what_has_nothing_to_do_with_it_is_none(problem):
    assert types_of(problem, shows_certificate=True) == ()


def test_a_server_of_old_tls_refuses_no_certificate():
    problem = ssl.SSLError(1, "[SSL] tlsv1 alert protocol version (_ssl.c:1006)")
    assert types_of(problem, shows_certificate=True) == (SecurityEventType.INVALID_TLS_VERSION,)
