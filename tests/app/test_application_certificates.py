"""Root certificates over a real wire: installed, used, rotated, kept over a restart."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.app.application import Application
from agent.app.environment import Environment
from agent.certificates.inspection import inspect
from agent.config.config_file import parse_config
from agent.core.certificates import RootUse
from tests.box_config import config_text
from tests.emulators.authorities import Made, made
from tests.emulators.central_system import FakeCentralSystem

pytestmark = pytest.mark.real_time

HOST = "127.0.0.1"
LIMIT_S = 30.0  # a backstop; every wait below ends when the thing happens
OLD, NEW = made("CPO Root"), made("CPO Root 2")
SAME_NAME = made("CPO Root")  # another key: what is made anew often keeps its name
CENTRAL = RootUse.CENTRAL_SYSTEM.value


@dataclass
class Station:
    """A box, and a central system that shows whatever certificate it is told to."""

    system: FakeCentralSystem
    application: Application
    server: ssl.SSLContext
    folder: Path

    def show(self, root: Made, *chain: Made) -> None:
        """The server's certificate is signed by this one from now on."""
        leaf = (chain[0] if chain else root).signs(HOST, is_authority=False)
        leaf.is_shown_by(self.server, self.folder, *chain)

    async def call(self, action: str, **payload: Any) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.system.send_call(action, payload))[2]
        return answer

    async def begun(self) -> None:
        """The box is there, and has said what there is to say."""
        await self.system.received("StatusNotification", 2)

    async def why_not(self) -> str:
        """Why the box does not get there."""
        await self.until(lambda: bool(self.last_problem()))
        return self.last_problem()

    def last_problem(self) -> str:
        services = self.application.services
        return "" if services is None else services.link.snapshot().last_problem

    async def install(self, root: Made, use: str = CENTRAL) -> str:
        answer = await self.call("InstallCertificate", certificateType=use, certificate=root.pem)
        return str(answer["status"])

    async def listed(self, use: str = CENTRAL) -> list[dict[str, str]]:
        answer = await self.call("GetInstalledCertificateIds", certificateType=use)
        assert answer["status"] == ("Accepted" if "certificateHashData" in answer else "NotFound")
        found: list[dict[str, str]] = answer.get("certificateHashData", [])
        return found

    async def delete(self, data: dict[str, str]) -> str:
        answer = await self.call("DeleteCertificate", certificateHashData=data)
        return str(answer["status"])

    def in_use(self) -> str:
        """The fingerprint of the installed root that the link was verified by."""
        assert self.application.runtime is not None
        root = self.application.runtime.state.certificates.in_use
        return "" if root is None else root.certificate.fingerprint

    async def reconnected(self) -> None:
        """The central system ends the connection; the box comes back."""
        reports = len(self.system.of("StatusNotification"))
        await self.system.drop()
        # A link whose calls were answered is made anew within seconds.
        await self.until(lambda: len(self.system.of("StatusNotification")) == reports + 2)

    async def until(self, claim: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not claim():
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def station(
    folder: Path,
    shown: Made,
    *,
    ca: Made,
    keys: dict[str, Any] | None = None,
    demands_from: Made | None = None,
    tls: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    boot_status: str = "Accepted",
    **settings: Any,
) -> AsyncIterator[Station]:
    """A box that trusts the file ``ca``, at a server whose certificate ``shown`` has signed.

    ``demands_from``: the authority of the certificates that boxes must show.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.maximum_version = tls
    if demands_from is not None:
        server.load_verify_locations(cadata=demands_from.pem)
        server.verify_mode = ssl.CERT_REQUIRED
    shown.signs(HOST, is_authority=False).is_shown_by(server, folder)
    system = FakeCentralSystem(boot_status)
    settings["ca_file"] = str(folder / "ca.pem")
    (folder / "ca.pem").write_text(ca.pem)
    async with system.serve(server) as url:
        text = config_text(folder, keys=keys, central_system={"url": url, **settings})
        environment = Environment(control_path=folder / "control.sock")
        application = Application(parse_config(text), world=environment)
        run = asyncio.create_task(application.run())
        try:
            yield Station(system, application, server, folder)
        finally:
            application.shut_down()
            async with asyncio.timeout(LIMIT_S):
                await run


def fingerprint(root: Made) -> str:
    return inspect(root.pem).certificate.fingerprint


async def test_a_central_system_changes_its_authority_and_deletes_the_old_one(tmp_path: Path):
    async with station(tmp_path, OLD, ca=OLD) as at:
        await at.begun()
        assert await at.listed() == []
        assert at.in_use() == ""
        assert await at.install(OLD) == "Accepted"
        assert await at.install(NEW) == "Accepted"
        assert len(await at.listed()) == 2

        at.show(NEW)
        await at.reconnected()
        assert at.in_use() == fingerprint(NEW)

        old, new = await at.listed()
        assert await at.delete(new) == "Failed"
        assert await at.delete(old) == "Accepted"
        assert await at.delete(old) == "NotFound"
        assert await at.listed() == [new]


async def test_a_new_authority_of_the_same_name_hides_none_of_the_two(tmp_path: Path):
    async with station(tmp_path, OLD, ca=OLD) as at:
        await at.begun()
        assert await at.install(SAME_NAME) == "Accepted"
        await at.reconnected()  # still with the old one
        at.show(SAME_NAME)
        await at.reconnected()
        assert at.in_use() == fingerprint(SAME_NAME)


async def test_what_was_installed_outlives_the_process_and_the_file(tmp_path: Path):
    async with station(tmp_path, OLD, ca=OLD) as at:
        await at.begun()
        assert await at.install(NEW) == "Accepted"
        assert await at.install(NEW, RootUse.MANUFACTURER.value) == "Accepted"
        listed = await at.listed()
    async with station(tmp_path, NEW, ca=OLD) as at:
        await at.begun()
        assert await at.listed() == listed == await at.listed(RootUse.MANUFACTURER.value)
        assert at.in_use() == fingerprint(NEW)


async def test_an_authority_that_another_one_has_signed_and_one_of_version_1_lead_there(
    tmp_path: Path,
):
    middle, version_1 = NEW.signs("Sub-CA"), made("Old style").version_1()
    async with station(tmp_path, OLD, ca=OLD) as at:
        await at.begun()
        assert await at.install(middle) == "Accepted"
        assert await at.install(version_1) == "Accepted"
        for root in (middle, version_1):
            at.show(root)
            await at.reconnected()
            assert at.in_use() == fingerprint(root)


async def test_a_servers_own_certificate_can_be_installed_and_leads_there(tmp_path: Path):
    own = NEW.signs(HOST, is_authority=None)
    async with station(tmp_path, OLD, ca=OLD) as at:
        await at.begun()
        assert await at.install(own) == "Accepted"
        own.is_shown_by(at.server, tmp_path)
        await at.reconnected()
        assert at.in_use() == fingerprint(own)


async def test_where_only_installed_ones_count_the_file_is_left_once_one_has_worked(
    tmp_path: Path,
):
    async with station(tmp_path, OLD, ca=OLD, only_installed_roots=True) as at:
        await at.begun()
        await at.install(NEW)
        await at.reconnected()  # by the file: nothing installed has worked yet
        at.show(NEW)
        await at.reconnected()
        at.show(OLD)
        attempts = len(at.system.attempts)
        await at.system.drop()
        await at.until(lambda: "does not trust" in at.last_problem())
        assert len(at.system.attempts) == attempts


async def test_with_the_additional_check_the_next_one_is_signed_by_the_one_before(tmp_path: Path):
    keys = {"AdditionalRootCertificateCheck": True}
    first = OLD.signs("CPO Root of this year")
    second = first.signs("CPO Root of next year")
    async with station(tmp_path, OLD, ca=OLD, keys=keys) as at:
        await at.begun()
        assert await at.install(NEW) == "Rejected"
        assert await at.install(first) == "Accepted"  # the file has signed it
        assert await at.install(NEW) == "Rejected"
        assert await at.install(second) == "Accepted"
        assert len(await at.listed()) == 2

        at.show(first)
        await at.reconnected()  # by the fallback
        assert at.in_use() == fingerprint(first)
        at.show(second)
        await at.reconnected()
        assert at.in_use() == fingerprint(second)
        assert len(await at.listed()) == 1  # no fallback any more
