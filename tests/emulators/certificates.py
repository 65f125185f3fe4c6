"""Certificates, made by the openssl command: those of OpenSSL 3.0 and 3.5 take the same words."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_DAYS: tuple[str, ...] = ("-days", "2")
_LONG_AGO = ("-startdate", "20200101000000Z", "-enddate", "20200102000000Z")
_OFFICE = """
[ca]
default_ca = office
[office]
database = index
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
policy = names
[names]
commonName = supplied
"""


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key. One that is signed by itself can be an authority."""

    path: Path
    key: Path

    def server_context(self, demands_from: Certificate | None = None) -> ssl.SSLContext:
        """The server's side of TLS; it may demand a certificate of this authority's clients."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path, self.key)
        if demands_from is not None:
            context.load_verify_locations(demands_from.path)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def signs(
        self, name: str, *, is_authority: bool = False, is_expired: bool = False
    ) -> Certificate:
        """Another certificate, for this name."""
        folder = self.path.parent
        made = _certificate(name, folder)
        files: tuple[str, ...] = ("-keyout", made.key.name, "-out", f"{name}.request")
        openssl(folder, "req", *_NEW_KEY, "-subj", f"/CN={name}", *files)
        extension = "basicConstraints=CA:TRUE" if is_authority else _alternative(name)
        (folder / "extension").write_text(f"{extension}\n")
        (folder / "office").write_text(_OFFICE)
        (folder / "index").touch()
        signing = ("-cert", self.path.name, "-keyfile", self.key.name, "-config", "office")
        dates = _LONG_AGO if is_expired else _DAYS
        files = ("-extfile", "extension", "-in", f"{name}.request", "-out", made.path.name)
        openssl(folder, "ca", "-batch", "-notext", *signing, *dates, *files)
        return made


def certificate_for(name: str, folder: Path) -> Certificate:
    """A certificate for this name or address that is its own authority, without a key usage.

    Skips the test where there is no openssl.
    """
    made = _certificate(name, folder)
    words = ("-subj", f"/CN={name}", "-addext", _alternative(name))
    files = ("-keyout", made.key.name, "-out", made.path.name)
    openssl(folder, "req", "-x509", *_NEW_KEY, *_DAYS, *words, *files)
    return made


def _certificate(name: str, folder: Path) -> Certificate:
    return Certificate(folder / f"{name}.pem", folder / f"{name}.key")


def _alternative(name: str) -> str:
    try:
        return f"subjectAltName=IP:{ip_address(name)}"
    except ValueError:
        return f"subjectAltName=DNS:{name}"


def openssl_command() -> str:
    """The path of the command. Skips the test where there is none."""
    command = shutil.which("openssl")
    if command is None:
        pytest.skip("openssl is not installed")
    return command


def openssl(folder: Path, *words: str) -> str:
    """Run the command in this folder; what it says. Skips the test where there is none."""
    command = [openssl_command(), *words]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout
