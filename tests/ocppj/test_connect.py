"""Address, password, TLS, and the words for what goes wrong."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidMessage, InvalidStatus, InvalidURI, NegotiationError
from websockets.http11 import Response

from agent.config.settings import CentralSystemSettings, ChargePointSettings
from agent.ocppj.connect import (
    basic_authorization,
    check_profile,
    connection_url,
    explain,
    prepare_access,
    read_authorization_key,
    tls_context,
)
from agent.platform.errors import LinkError
from tests.emulators.authorities import made

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
URL = "wss://cs.example.net/ocpp/CP7"


@pytest.mark.parametrize("url", ["ws://[::::]/a", "ws://[:]/", "ws://[1.2.3.4]/"])
def test_an_address_that_nobody_can_read_is_explained_and_not_raised(url: str):
    assert url in explain(TimeoutError(), url, NOON, "OCPP 1.6")


@pytest.mark.parametrize(
    ("endpoint", "identity", "url"),
    [
        ("wss://cs.example.net/ocpp16", "Garage 7/B", "wss://cs.example.net/ocpp16/Garage%207%2FB"),
        ("ws://cs.example.net/ocpp16/", "CP7", "ws://cs.example.net/ocpp16/CP7"),
        ("ws://cs.example.net", "Ä%", "ws://cs.example.net/%C3%84%25"),
        ("ws://[::1]:9000", "CP7", "ws://[::1]:9000/CP7"),
    ],
)
def test_the_identity_is_percent_encoded_and_appended(endpoint: str, identity: str, url: str):
    assert connection_url(endpoint, identity) == url


@pytest.mark.parametrize(
    ("identity", "key", "header"),
    [
        (
            "CP7",
            "4F43415F4F4354545F61646D696E5F74657374",
            "Basic Q1A3Ok9DQV9PQ1RUX2FkbWluX3Rlc3Q=",
        ),
        (
            "Garage 7/B",
            "000102030405060708090A0B0C0D0E0F",
            "Basic R2FyYWdlIDcvQjoAAQIDBAUGBwgJCgsMDQ4P",
        ),
    ],
)
def test_the_basic_header_carries_the_raw_bytes_of_the_key(identity: str, key: str, header: str):
    assert basic_authorization(identity, bytes.fromhex(key)) == header


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"000102030405060708090A0B0C0D0E0F", bytes(range(16))),
        (b"000102030405060708090a0b0c0d0e0f10111213\n", bytes(range(20))),
        (b"0001020304050607", b"0001020304050607"),  # too short for hex, so it is text
        (b"sixteen chars ok", b"sixteen chars ok"),
        (b"  twenty characters..\n", b"twenty characters.."),
        ("sechzehn Zeichn ä".encode(), "sechzehn Zeichn ä".encode()),
        ("fünfzehn Byte ä".encode(), "fünfzehn Byte ä".encode()),  # 15 characters, 17 bytes
        (b"\xef\xbb\xbfsixteen chars ok\r\n", b"sixteen chars ok"),
        ("\ufeffsixteen chars ok\r\n".encode("utf-16-le"), b"sixteen chars ok"),
        ("sixteen chars ok\u200b\u00a0\n\n".encode(), b"sixteen chars ok"),
    ],
)
def test_a_key_file_holds_hex_digits_or_text(tmp_path: Path, content: bytes, key: bytes):
    file = tmp_path / "key"
    file.write_bytes(content)
    assert read_authorization_key(str(file)) == key


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"too short",
        b"000102030405060708090A0B0C0D0E0F1",
        b"000102030405060708090A0B0C0D0E0F1011121314",
        b"twenty-one characters",
        "neunzehn Zeichen ääö".encode(),  # 20 characters, 23 bytes
        "sixteen\u200bchars ok".encode(),
        b"sixteen chars ok\nsixteen chars ok",
        b"\xff" * 16,
        b"0" * 5000,
    ],
)
def test_an_unusable_key_file_is_named_without_its_content(tmp_path: Path, content: bytes):
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(LinkError) as problem:
        read_authorization_key(str(file))
    assert str(file) in str(problem.value)
    shown = content.decode("latin-1")
    assert not shown or shown not in str(problem.value)


def test_a_missing_key_file_is_named(tmp_path: Path):
    with pytest.raises(LinkError, match="there is no such file"):
        read_authorization_key(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("url", "profile", "words"),
    [
        ("ws://cs.example.net/x", 2, "needs TLS"),
        ("wss://cs.example.net/x", 1, "use security_profile 2"),
        ("http://cs.example.net/x", 0, "must look like"),
        ("cs.example.net", 0, "must look like"),
        ("ws://", 0, "must look like"),
        ("ws://cs.example.net:99999/x", 0, "cannot be read"),
        ("ws://[::1/x", 0, "cannot be read"),
        ("ws://me:secret@cs.example.net/x", 1, "authorization_key_file"),
        ("ws://cs.example.net/x?token=secret", 0, "must end with its path"),
    ],
)
def test_an_address_that_cannot_work_is_refused_with_a_sentence(url: str, profile: int, words: str):
    with pytest.raises(LinkError, match=words) as problem:
        check_profile(CentralSystemSettings(url=url, security_profile=profile))
    assert "secret" not in str(problem.value)


@pytest.mark.parametrize(
    ("url", "profile"),
    [
        ("ws://cs.example.net/x", 0),
        ("WSS://cs.example.net/x", 0),
        ("ws://cs.example.net:8080", 1),
        ("wss://cs.example.net/x", 2),
    ],
)
def test_an_address_that_fits_its_profile_is_taken(url: str, profile: int):
    check_profile(CentralSystemSettings(url=url, security_profile=profile))


def test_profile_2_sends_the_password_inside_tls(tmp_path: Path):
    file = tmp_path / "key"
    file.write_text("4F43415F4F4354545F61646D696E5F74657374")
    access = prepare_access(
        CentralSystemSettings(
            url="wss://cs.example.net/ocpp",
            security_profile=2,
            authorization_key_file=str(file),
        ),
        ChargePointSettings(identity="CP7"),
    )
    assert access.headers == {"Authorization": "Basic Q1A3Ok9DQV9PQ1RUX2FkbWluX3Rlc3Q="}
    assert access.tls is not None


def test_profile_0_sends_no_password_and_plain_ws_no_tls():
    access = prepare_access(
        CentralSystemSettings(url="ws://cs.example.net/ocpp"), ChargePointSettings(identity="CP7")
    )
    assert (access.headers, access.tls) == ({}, None)


def test_tls_is_1_2_or_newer_checks_the_name_and_knows_the_suites_of_the_standard():
    context = tls_context("")
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.options & ssl.OP_NO_COMPRESSION
    names = {cipher["name"] for cipher in context.get_ciphers()}
    assert {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"} <= names
    assert {"AES128-GCM-SHA256", "AES256-GCM-SHA384"} <= names


def test_a_certificate_file_that_cannot_be_used_is_named(tmp_path: Path):
    with pytest.raises(LinkError, match="cannot use the certificates"):
        tls_context(str(tmp_path / "nowhere.pem"))
    (tmp_path / "bad.pem").write_text("not a certificate")
    with pytest.raises(LinkError, match=r"bad\.pem: it holds no certificate"):
        tls_context(str(tmp_path / "bad.pem"))


OWN = made("CP7", is_authority=False)


@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        (OWN.pem, made("other").key_pem(), "the key is not that of the certificate"),
        (OWN.pem, OWN.key_pem("secret"), "without a passphrase"),
        (OWN.pem, "junk", "a certificate and its key in PEM form are wanted"),
        ("junk", OWN.key_pem(), "a certificate and its key in PEM form are wanted"),
        (OWN.pem, None, "there is no such file"),
    ],
)
def test_a_certificate_of_the_box_that_cannot_be_used_is_named(
    tmp_path: Path, certificate: str, key: str | None, words: str
):
    (tmp_path / "own.pem").write_text(certificate)
    if key is not None:
        (tmp_path / "own.key").write_text(key)
    settings = CentralSystemSettings(
        url="wss://a.example",
        security_profile=3,
        certificate_file=str(tmp_path / "own.pem"),
        certificate_key_file=str(tmp_path / "own.key"),
    )
    with pytest.raises(LinkError, match="the certificate of this box cannot be used") as problem:
        prepare_access(settings, ChargePointSettings(identity="CP7"))
    assert words in str(problem.value)


def _status(code: int) -> InvalidStatus:
    return InvalidStatus(Response(code, "no", Headers()))


def _certificate_error(code: int = 0) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    error.verify_message = "certificate is not yet valid"
    return error


def _no_tls() -> ssl.SSLError:
    error = ssl.SSLError(1, "wrong version number")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "cannot be resolved (DNS)"),
        (ConnectionRefusedError(111, "Connection refused"), "nothing listens on that port"),
        (ConnectionResetError(), "cut the connection"),
        (TimeoutError(), "did not answer in time"),
        (OSError(113, "No route to host"), "No route to host"),
        (_certificate_error(), "not accepted: certificate is not yet valid"),
        (_certificate_error(9), "not valid yet (is the clock of this box right?)"),
        (_certificate_error(10), "must be renewed there; the clock of this box says 2026-"),
        (_certificate_error(18), "signed by itself"),
        (_certificate_error(19), "this box does not trust its signer"),
        (_certificate_error(20), "this box does not trust its signer"),
        (_certificate_error(62), "for another name than the address has"),
        (_certificate_error(64), "for another name than the address has"),
        (_no_tls(), "does not speak TLS on this port"),
        (ssl.SSLError(1, "sslv3 alert handshake failure"), "no common TLS version or cipher"),
        (_status(401), "refuses the password (HTTP 401)"),
        (_status(403), "does not let this charge point in"),
        (_status(404), "does not know this charge point (HTTP 404): check the address wss://cs."),
        (_status(302), "not followed"),
        (_status(503), "is in trouble (HTTP 503)"),
        (_status(418), "refuses the connection (HTTP 418)"),
        (NegotiationError("unsupported subprotocol: x"), "does not speak OCPP 1.6"),
        (InvalidMessage("did not receive a valid HTTP response"), "not answer like a WebSocket"),
        (InvalidURI("x", "no"), "not a WebSocket address"),
        (LinkError("the sentence itself"), "the sentence itself"),
        (UnicodeError("label too long"), "failed (UnicodeError)"),
    ],
)
def test_every_failure_is_told_in_words(problem: BaseException, words: str):
    sentence = explain(problem, URL, NOON, "OCPP 1.6")
    assert words in sentence
    assert "wrong" not in sentence


def test_a_certificate_that_fails_in_1970_is_blamed_on_the_clock():
    sentence = explain(_certificate_error(), URL, datetime(1970, 1, 1, tzinfo=UTC), "OCPP 1.6")
    assert "the clock of this box may be wrong (it says 1970)" in sentence
