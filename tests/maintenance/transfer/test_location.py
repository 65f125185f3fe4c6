"""Addresses for files: read, checked, and shown without secrets."""

from __future__ import annotations

import pytest

from agent.maintenance.transfer.location import Location, location_of
from agent.platform.errors import TransferError


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port", "path"),
    [
        ("http://files.example.com/up", "http", "files.example.com", 80, "/up"),
        ("HTTPS://Files.Example.com", "https", "files.example.com", 443, "/"),
        ("ftp://10.0.0.1:2121/a/b/", "ftp", "10.0.0.1", 2121, "/a/b/"),
        ("ftps://[::1]:990/x", "ftps", "::1", 990, "/x"),
        (" http://a.example/x%20y ", "http", "a.example", 80, "/x%20y"),
    ],
)
def test_an_address_is_taken_apart(text: str, scheme: str, host: str, port: int, path: str):
    found = location_of(text)
    assert (found.scheme, found.host, found.port, found.path) == (scheme, host, port, path)


def test_user_and_password_are_decoded_and_never_shown():
    found = location_of("ftp://me:p%40ss%2Fw@files.example.com/in?sig=abcdef")
    assert (found.user, found.password) == ("me", "p@ss/w")
    for shown in (str(found), repr(found), f"{found}"):
        assert shown == "ftp://files.example.com/in?..."


def test_a_file_is_put_into_the_folder_that_the_address_names():
    folder = location_of("http://a.example/in/")
    assert folder.with_name("b 1.tar.gz").target == "/in/b%201.tar.gz"
    assert location_of("http://a.example").with_name("x").target == "/x"


def test_folders_and_name_are_decoded():
    for space in ("%20", " "):
        found = location_of(f"ftp://a.example/one{space}two//three/image.bin")
        assert (found.folders, found.name) == (["one two", "three"], "image.bin")
    assert location_of("ftp://a.example/in/").name == ""


def test_a_port_and_an_ipv6_address_stand_in_the_host_header():
    assert location_of("http://[::1]:8080/").host_header == "[::1]:8080"
    assert location_of("https://a.example:443/").host_header == "a.example"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sftp://a.example/x", "not by 'sftp'"),
        ("file:///etc/passwd", "not by 'file'"),
        ("", "not by ''"),
        ("http://", "names no host"),
        ("http:///x", "names no host"),
        ("http://a.example:0/", "names no host"),
        ("http://a.example:99999/", "host or port is malformed"),
        ("http://[::1/", "host or port is malformed"),
        ("ftp://a.example/x%0d%0aDELE%20y", "invisible characters"),
        ("ftp://u%0ax:p@a.example/x", "invisible characters"),
        ("ftp://u:p%00@a.example/x", "invisible characters"),
        *((f"http://a.example/x{odd}y", "invisible characters") for odd in "\t\r\n\0\x7f\u202e"),
        ("ftp://a.exa\nmple/x", "invisible characters"),
        ("\x01http://a.example/x", "invisible characters"),
        ("http://a.example/one two", "a space"),
        ("https://a.example/x?sig=a b", "a space"),
        ("ftp://a example/x", "a space"),
        ("http://a.example/ä", "percent-encoded"),
        ("http://ä.example/", "percent-encoded"),
        ("ftp://a.example/in/%2e%2e/x", 'must not have ".."'),
        ("ftp://a.example/..", 'must not have ".."'),
        ("http://a.example/" + "x" * 2000, "more than 2000"),
    ],
)
def test_what_is_no_usable_address_is_refused_in_words(text: str, words: str):
    with pytest.raises(TransferError) as refused:
        location_of(text)
    assert words in str(refused.value)


def test_no_refusal_repeats_a_password():
    for text in ("ftp://me:hunter22@a.example/..", "ftp://me:hunter22@/", "sftp://me:hunter22@a/"):
        with pytest.raises(TransferError) as refused:
            location_of(text)
        assert "hunter22" not in str(refused.value)


def test_only_the_schemes_with_tls_count_as_encrypted():
    encrypted = {s: Location(s, "a", 1, "/").is_encrypted for s in ("http", "https", "ftp", "ftps")}
    assert encrypted == {"http": False, "https": True, "ftp": False, "ftps": True}
