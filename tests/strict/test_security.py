"""Certificates and security profiles with the strict central system, over TLS."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.certificates.inspection import inspect
from agent.core.certificates import RootUse
from agent.core.own_certificates import KeyKind
from tests.emulators.authorities import BEGIN, Made, made
from tests.strict.central_system import PATIENCE_S, StrictCentralSystem
from tests.strict.pair import SERIAL_NUMBER, Pair, a_pair

pytestmark = pytest.mark.real_time

HOST = "127.0.0.1"
PASSWORD = "sixteen chars ok"
SIGN = {"requestedMessage": "SignChargePointCertificate"}
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

    async def trusts_boxes_of(self, root: Made) -> None:
        """From the next handshake on, and nobody else's."""
        (self.certificates / "boxes").write_text(root.pem)
        await self.system.show_anew()

    async def change(self, key: str, value: str) -> str:
        return str(await self.system.ask("ChangeConfiguration", key=key, value=value))

    async def asked_to_sign(self) -> str:
        """Have the box ask for a certificate: its request (PEM)."""
        count = len(self.system.of("SignCertificate"))
        assert await self.system.ask("ExtendedTriggerMessage", **SIGN) == "Accepted"
        return str((await self.system.received("SignCertificate", count + 1))["csr"])

    async def give(self, *chain: str) -> str:
        """What the box answers to a certificate with those above it (PEM)."""
        whole = "".join(chain)
        return str(await self.system.ask("CertificateSigned", certificateChain=whole))

    async def came(self, count: int) -> dict[str, Any]:
        """Who came as this number of those that were let in or not."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.system.callers) < count:
                await asyncio.sleep(0.005)
        return self.system.callers[count - 1]

    @contextlib.asynccontextmanager
    async def pair(self, **link: str) -> AsyncIterator[Pair]:
        """With a box that has begun on security profile 2 and trusts a file."""
        password, ca_file = self.folder / "password", self.folder / "ca.pem"
        password.write_text(PASSWORD)
        ca_file.write_text(OLD.pem)
        by_file = {"authorization_key_file": str(password), "ca_file": str(ca_file)}
        settings = {"security_profile": 2, **by_file, **link}
        async with a_pair(self.folder, self.system, settings) as pair:
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
        assert [caller["password"] for caller in secure.system.callers] == [PASSWORD]
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


@pytest.mark.parametrize("kind", KeyKind)
async def test_a_box_gets_a_certificate_and_goes_from_profile_2_to_3(secure: Secure, kind: KeyKind):
    sub_ca = OF_BOXES.signs("Sub-CA of the boxes")
    async with secure.pair(certificate_key_kind=kind.value) as pair:
        ask = secure.system.ask
        for root in (OLD, OF_BOXES):
            assert await ask("InstallCertificate", **CENTRAL, certificate=root.pem) == "Accepted"
        assert await ask("ExtendedTriggerMessage", **SIGN) == "Rejected"  # CpoName is missing
        assert await secure.change("CpoName", "CPO, Inc.") == "Accepted"
        assert await secure.change("SecurityProfile", "3") == "Rejected"  # so is the certificate

        csr = await secure.asked_to_sign()
        for wrong in (
            [NEW.answers(csr)],  # an authority that the box does not know
            [sub_ca.pem, sub_ca.answers(csr)],  # its own is not the first
            [sub_ca.answers(csr)],  # a step is missing
            [sub_ca.signs(SERIAL_NUMBER).pem, sub_ca.pem],  # for another key
            [sub_ca.answers(csr, end=BEGIN + timedelta(days=1)), sub_ca.pem],  # has expired
            ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
        ):
            assert await secure.give(*wrong) == "Rejected"
        chain = sub_ca.answers(csr), sub_ca.pem, OF_BOXES.pem
        assert await secure.give(*chain) == "Accepted"
        assert len(secure.system.callers) == 1  # for profile 2 it makes no difference

        assert await secure.change("SecurityProfile", "3") == "Accepted"
        caller = await secure.came(2)
        assert (caller["name"], caller["password"]) == (SERIAL_NUMBER, "")
        assert caller["isKnown"]
        await secure.system.received("StatusNotification", 4)
        for lower in "210":
            assert await secure.change("SecurityProfile", lower) == "Rejected"

        assert await ask("Reset", type="Soft") == "Accepted"
        assert await pair.box.ended() is True
        await pair.box.start()
        assert await secure.came(3) == caller
        await secure.system.received("BootNotification", 2)


async def test_a_new_certificate_is_shown_and_the_one_before_where_it_is_refused(secure: Secure):
    async with secure.pair() as pair:
        assert await secure.change("CpoName", "CPO") == "Accepted"
        assert await secure.give(OF_BOXES.answers(await secure.asked_to_sign())) == "Accepted"
        assert await secure.change("SecurityProfile", "3") == "Accepted"
        first = await secure.came(2)
        await secure.system.received("StatusNotification", 4)

        assert await secure.give(OF_BOXES.answers(await secure.asked_to_sign())) == "Accepted"
        second = await secure.came(3)
        await secure.system.received("StatusNotification", 6)
        assert second["isKnown"]
        assert second["fingerprint"] != first["fingerprint"]

        assert await secure.give(NEW.answers(await secure.asked_to_sign())) == "Accepted"
        refused, back = await secure.came(4), await secure.came(5)
        assert not refused["isKnown"]
        assert back == second
        await secure.system.received("StatusNotification", 8)
        assert pair.box.application.runtime.state.own_certificates.refusal
