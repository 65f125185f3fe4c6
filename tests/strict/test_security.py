"""Certificates and security profiles with the strict central system, over TLS."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.certificates.inspection import inspect
from agent.core.certificates import RootUse
from tests.emulators.authorities import Made, made
from tests.strict.central_system import StrictCentralSystem
from tests.strict.pair import Pair, a_pair

pytestmark = pytest.mark.real_time

HOST = "127.0.0.1"
PASSWORD = "sixteen chars ok"
CENTRAL = {"certificateType": RootUse.CENTRAL_SYSTEM.value}
OLD, NEW, OF_BOXES = made("CPO Root"), made("CPO Root 2"), made("Root of the boxes")


@dataclass
class Secure:
    """The strict central system with TLS, and the authorities behind it."""

    system: StrictCentralSystem
    certificates: Path
    folder: Path

    async def show(self, root: Made) -> None:
        """Its certificate is signed by this one from the next handshake on."""
        put_server(self.certificates, root)
        await self.system.show_anew()

    @contextlib.asynccontextmanager
    async def pair(self) -> AsyncIterator[Pair]:
        """With a box that has begun on security profile 2 and trusts a file."""
        password, ca_file = self.folder / "password", self.folder / "ca.pem"
        password.write_text(PASSWORD)
        ca_file.write_text(OLD.pem)
        link = {
            "security_profile": 2,
            "authorization_key_file": str(password),
            "ca_file": str(ca_file),
        }
        async with a_pair(self.folder, self.system, link) as pair:
            pair.network.set()
            await self.system.received("StatusNotification", 2)
            yield pair


def put_server(certificates: Path, root: Made) -> None:
    leaf = root.signs(HOST, is_authority=False)
    (certificates / "shown").write_text(leaf.pem)
    (certificates / "shown.key").write_text(leaf.key_pem())


@pytest.fixture
def secure(node: str, tmp_path: Path) -> Iterator[Secure]:
    """At the end it has found nothing to object to."""
    certificates, folder = tmp_path / "certificates", tmp_path / "box"
    certificates.mkdir()
    folder.mkdir()
    put_server(certificates, OLD)
    (certificates / "boxes").write_text(OF_BOXES.pem)
    system = StrictCentralSystem(node, certificates)
    try:
        yield Secure(system, certificates, folder)
        system.objects_to_nothing()
    finally:
        system.end()


async def test_a_root_is_installed_listed_used_and_deleted_by_its_hashes(secure: Secure):
    async with secure.pair() as pair:
        ask = secure.system.ask
        assert secure.system.callers == [
            {"certificate": "", "isKnown": False, "password": PASSWORD}
        ]
        assert await secure.system.answer("GetInstalledCertificateIds", **CENTRAL) == {
            "status": "NotFound"
        }
        for root in (OLD, NEW):
            assert await ask("InstallCertificate", **CENTRAL, certificate=root.pem) == "Accepted"
        damaged = NEW.pem.replace("M", "?", 1)
        assert await ask("InstallCertificate", **CENTRAL, certificate=damaged) == "Rejected"
        listed = await secure.system.answer("GetInstalledCertificateIds", **CENTRAL)
        old, new = listed["certificateHashData"]
        assert int(new["serialNumber"], 16) == NEW.certificate.serial_number

        await secure.show(NEW)
        await secure.system.drop()
        await secure.system.received("StatusNotification", 4)
        in_use = pair.box.application.runtime.state.certificates.in_use
        assert in_use.certificate.fingerprint == inspect(NEW.pem).certificate.fingerprint

        assert await ask("DeleteCertificate", certificateHashData=new) == "Failed"
        assert await ask("DeleteCertificate", certificateHashData=old) == "Accepted"
        assert await ask("DeleteCertificate", certificateHashData=old) == "NotFound"
        listed = await secure.system.answer("GetInstalledCertificateIds", **CENTRAL)
        assert listed["certificateHashData"] == [new]
