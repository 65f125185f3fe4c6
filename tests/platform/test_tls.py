"""TLS towards others: the same is trusted at every door and on every Python; words for the rest."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from agent.config.settings import MqttSettings
from agent.maintenance.transfer.network import Network
from agent.mqtt.broker import _tls
from agent.ocppj import connect
from agent.platform.errors import CertificateFileError
from agent.platform.tls import client_context, explain_tls
from tests.emulators.certificates import certificate_for

NAME = "cs.example.net"
OpenDoor = Callable[[str], ssl.SSLContext | None]
DOORS: dict[str, OpenDoor] = {
    "central system": connect.tls_context,
    "broker": lambda ca_file: _tls(MqttSettings(ca_file=ca_file)),
    "files": lambda ca_file: Network(ca_file=ca_file).tls_context(),
}
every_door = pytest.mark.parametrize("open_door", DOORS.values(), ids=DOORS.keys())


def talk(client: ssl.SSLContext | None, server: ssl.SSLContext, name: str = NAME) -> None:
    """Shake hands and say a word, without a network. Raises what the client sees."""
    assert client is not None
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for step in (ours.do_handshake, lambda: ours.read(1)):
        for _ in range(4):
            with suppress(ssl.SSLWantReadError):
                step()
            with suppress(ssl.SSLError):
                theirs.do_handshake()
                theirs.write(b"x")


def problem_of(client: ssl.SSLContext | None, server: ssl.SSLContext, name: str = NAME) -> str:
    with pytest.raises(ssl.SSLError) as problem:
        talk(client, server, name)
    return explain_tls(problem.value, name, "section.ca_file")


@every_door
def test_what_is_checked_is_stated_and_the_same_at_every_door(open_door: OpenDoor, tmp_path: Path):
    context = open_door(str(certificate_for(NAME, tmp_path).path))
    assert context is not None
    assert context.verify_flags == ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_COMPRESSION


@every_door
def test_an_authority_without_a_key_usage_is_trusted(open_door: OpenDoor, tmp_path: Path):
    authority = certificate_for("authority", tmp_path)
    talk(open_door(str(authority.path)), authority.signs(NAME).server_context())


@every_door
def test_an_authority_that_another_one_has_signed_is_trusted_by_itself(
    open_door: OpenDoor, tmp_path: Path
):
    middle = certificate_for("root", tmp_path).signs("middle", is_authority=True)
    talk(open_door(str(middle.path)), middle.signs(NAME).server_context())


@every_door
def test_what_is_not_trusted_is_refused(open_door: OpenDoor, tmp_path: Path):
    authority = certificate_for("authority", tmp_path)
    other = certificate_for("other", tmp_path)
    trusting = open_door(str(authority.path))
    stranger = problem_of(trusting, other.signs(NAME).server_context())
    assert "this box does not trust its signer" in stranger
    assert "section.ca_file" in stranger
    old = problem_of(trusting, authority.signs(NAME, is_expired=True).server_context())
    assert "it has expired, and must be renewed there" in old
    itself = problem_of(trusting, certificate_for(NAME, tmp_path).server_context())
    assert "signed by itself: is it the right one? then name it in section.ca_file" in itself
    named = problem_of(trusting, authority.signs("b.example.net").server_context())
    assert "for another name than the address has" in named
    # A certificate that may not sign is trusted for itself, and not for what it has signed.
    leaf = authority.signs("leaf.example.net")
    talk(open_door(str(leaf.path)), leaf.server_context(), "leaf.example.net")
    signed = problem_of(open_door(str(leaf.path)), leaf.signs(NAME).server_context())
    assert "no authority" in signed


def test_a_file_that_holds_none_is_named(tmp_path: Path):
    (tmp_path / "empty.pem").touch()
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(CertificateFileError, match=name):
            client_context(str(tmp_path / name))


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (ssl.TLSVersion.TLSv1_3, f"{NAME} demands a client certificate, and this box has none"),
        (ssl.TLSVersion.TLSv1_2, "or it demands a client certificate, and this box has none"),
    ],
)
def test_a_server_that_demands_a_client_certificate_is_explained(
    version: ssl.TLSVersion, said: str, tmp_path: Path
):
    good = certificate_for(NAME, tmp_path)
    server = good.server_context(demands_from=good)
    server.maximum_version = version
    assert said in problem_of(client_context(str(good.path)), server)


@pytest.mark.parametrize(
    ("problem", "said"),
    [  # OpenSSL 3.0, OpenSSL 3.5, a server in Go, one in Java
        ("[SSL] tlsv13 alert certificate required (_ssl.c:992)", "demands a client certificate"),
        ("[SSL] ssl/tls alert bad certificate (_ssl.c:1029)", "demands a client certificate"),
        ("tlsv1 alert unknown ca (_ssl.c:992)", "demands a client certificate"),
        ("[SSL] wrong version number (_ssl.c:992)", "does not speak TLS on this port"),
        ("[SSL] tlsv1 alert protocol version (_ssl.c:992)", "no common TLS version or cipher"),
        ("", "no common TLS version or cipher (no reason given)"),
    ],
)
def test_an_error_without_a_reason_is_read_by_its_words(problem: str, said: str):
    assert said in explain_tls(ssl.SSLError(1, problem), NAME, "section.ca_file")


def test_an_end_within_the_handshake_is_no_orderly_one():
    for kind in (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        told = explain_tls(kind(6, "TLS/SSL connection has been closed (EOF)"), NAME, "a.ca_file")
        assert "cut the connection before it answered: does this port speak TLS 1.2" in told
