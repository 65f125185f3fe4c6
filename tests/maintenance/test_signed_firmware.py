"""SignedUpdateFirmware on a whole box: every answer, every status, over restarts and power cuts."""

from __future__ import annotations

import asyncio
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from agent.maintenance.transfer.file_transfer import NetworkTransfers
from agent.maintenance.transfer.network import Network
from agent.platform.errors import LinkError, StoreError
from tests.emulators.file_servers import Shelf, ftp_server, http_server
from tests.emulators.signers import RSA_WAYS, Signer, manufacturer
from tests.maintenance.test_firmware_install import Updates, image, updates

STATUS = "SignedFirmwareStatusNotification"
CONTENT = b"new firmware"
ROOT = manufacturer()
SIGNER = ROOT.signs("Firmware")
STRANGER = manufacturer("Stranger", "ec stranger")
BEGUN = ["Downloading", "Downloaded", "SignatureVerified", "Installing"]


class SignedUpdates(Updates):
    """A box that can be updated, and a central system that asks it to."""

    async def start(self) -> None:
        """Begin, and install the root when the central system listens to answers."""
        await self.box.start()
        await self.box.central_system.received("StatusNotification", 2)
        await self.install_root()

    async def install_root(self, root: Signer = ROOT) -> None:
        payload = {"certificateType": "ManufacturerRootCertificate", "certificate": root.pem}
        answer = await self.box.central_system.send_call("InstallCertificate", payload)
        assert answer[2] == {"status": "Accepted"}

    async def update(
        self, signer: Signer = SIGNER, signature: str = "", number: int = 7, **more: Any
    ) -> str:
        """SignedUpdateFirmware; ``more`` is for it, or for its firmware. Its answer."""
        outside = {name: more.pop(name) for name in ("retries", "retryInterval") if name in more}
        firmware = {
            "location": "https://me:geheim@files.example.com/image.bin",
            "retrieveDateTime": "2026-03-01T12:00:00Z",
            "signingCertificate": signer.pem,
            "signature": signature or signer.sign(CONTENT),
            **more,
        }
        payload = {"requestId": number, "firmware": firmware, **outside}
        answer = await self.box.central_system.send_call("SignedUpdateFirmware", payload)
        return str(answer[2]["status"] if answer[0] == 3 else answer[2])

    def told(self) -> list[str]:
        """Every one, and all for the request 7 but for those that another number stands before."""
        calls = [call.payload for call in self.box.central_system.of(STATUS)]
        return [
            call["status"] if call["requestId"] == 7 else f"{call['requestId']} {call['status']}"
            for call in calls
        ]

    async def until_told(self, *statuses: str) -> None:
        """Exactly these so far; one that was told when the process ended may come once more."""

        def news() -> list[str]:
            return [status for status, _ in groupby(self.told())]

        await self.box.until(lambda: len(news()) >= len(statuses), within_s=1000)
        assert news() == list(statuses)

    def events(self) -> list[str]:
        """The security events that the central system was told."""
        calls = self.box.central_system.of("SecurityEventNotification")
        return [call.payload["type"] for call in calls]

    async def status(self) -> str:
        """What the first connector is, in the words of OCPP."""
        return str((await self.box.status())["status"])


async def started(directory: Path, **settings: Any) -> SignedUpdates:
    plain = updates(directory, **settings)
    one = SignedUpdates(plain.box, plain.transfers, plain.command)
    await one.start()
    return one


# --- all is well ---------------------------------------------------------------------------------


async def test_a_signed_update_from_the_request_to_the_new_version(tmp_path, caplog):
    one = await started(tmp_path)
    assert await one.update() == "Accepted"
    assert one.told() == []  # the answer comes first
    await one.until_told(*BEGUN, "InstallRebooting")
    assert await one.box.ended() is True
    ((_, environment, content),) = one.command.calls
    assert content == CONTENT
    assert len(environment["FIRMWARE_SHA256"]) == 64
    await one.start_again("2.0")
    await one.until_told(*BEGUN, "InstallRebooting", "Installed")
    assert one.box.central_system.of("FirmwareStatusNotification") == []
    await asyncio.sleep(1)
    assert not image(one).exists()
    await one.box.die()
    await one.start_again()
    await asyncio.sleep(100)
    assert one.told().count("Installed") == 1
    assert one.events().count("FirmwareUpdated") == 1
    await one.box.die()
    assert "geheim" not in caplog.text


async def test_who_hands_over_is_restarted_by_somebody_else_and_tells_no_reboot(tmp_path):
    one = await started(tmp_path, after_install="wait")
    await one.update()
    await one.until_told(*BEGUN)
    await asyncio.sleep(600)
    await one.box.shut_down()
    await one.start_again("2.0")
    await one.until_told(*BEGUN, "Installed")
    await one.box.die()


@pytest.mark.parametrize(
    ("kind", "way"), [*(("rsa", way) for way in RSA_WAYS), ("ec leaf", ""), ("ed25519", "")]
)
async def test_signatures_of_each_kind_are_taken(tmp_path, kind: str, way: str):
    one = await started(tmp_path)
    signer = ROOT.signs("Firmware", kind)
    assert await one.update(signer, signer.sign(CONTENT, way)) == "Accepted"
    await one.until_told(*BEGUN)
    await one.box.die()


async def test_the_root_may_sign_itself(tmp_path):
    one = await started(tmp_path)
    assert await one.update(ROOT) == "Accepted"
    await one.until_told(*BEGUN)
    await one.box.die()


# --- the answer ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "certificate",
    [STRANGER.pem, STRANGER.signs("Firmware").pem, "", "nonsense", "ä" * 5500],
    ids=["another root", "of another root", "nothing", "nonsense", "much nonsense"],
)
async def test_who_was_not_signed_by_the_manufacturer_signs_nothing(tmp_path, certificate: str):
    one = await started(tmp_path)
    assert await one.update(signingCertificate=certificate) == "InvalidCertificate"
    await asyncio.sleep(100)
    assert (one.told(), one.transfers.downloads) == ([], [])
    assert "InvalidFirmwareSigningCertificate" in one.events()
    await one.box.die()


async def test_a_certificate_that_is_longer_than_the_standard_has_it_is_an_error(tmp_path):
    one = await started(tmp_path)
    assert await one.update(signingCertificate="x" * 5501) == "PropertyConstraintViolation"
    assert await one.update(signingCertificate="x" * 100_000) == "GenericError"
    assert await one.update(signature="A" * 801) == "PropertyConstraintViolation"
    assert await one.update(retries=-1) == "PropertyConstraintViolation"
    assert await one.update(installDateTime="tomorrow") == "PropertyConstraintViolation"
    await one.box.die()


async def test_a_second_request_cancels_the_first_and_each_is_told_under_its_number(tmp_path):
    one = await started(tmp_path)
    one.transfers.takes_s = 60.0
    assert await one.update() == "Accepted"
    await asyncio.sleep(30)
    where = "https://other.example/nothing"
    assert await one.update(number=8, location=where) == "AcceptedCanceled"
    await one.until_told("Downloading", "8 Downloading")
    assert one.transfers.called_off == 1
    await asyncio.sleep(61)
    assert one.told() == ["Downloading", *(f"8 {status}" for status in BEGUN)]
    assert await one.update(number=9) == "Rejected"  # too late: it is being installed
    await one.box.die()


async def test_without_an_install_command_it_is_rejected(tmp_path):
    one = await started(tmp_path, install_command=())
    assert await one.update() == "Rejected"
    await asyncio.sleep(100)
    assert one.told() == []
    await one.box.die()


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://files.example.com/new image.bin", "it has a space in it"),
        ("https://files.example.com/image\n.bin", "invisible characters"),
        ("sftp://files.example.com/image.bin", "not by 'sftp'"),
    ],
)
async def test_an_address_that_nothing_can_be_fetched_from_is_rejected(
    tmp_path, caplog, location: str, words: str
):
    one = await started(tmp_path)
    assert await one.update(location=location) == "Rejected"
    await asyncio.sleep(100)
    assert one.told() == []
    assert words in caplog.text
    await one.box.die()


@pytest.mark.parametrize("setting", ["auto", "refuse"])
async def test_once_a_root_is_installed_unsigned_firmware_is_not_supported(tmp_path, setting: str):
    one = await started(tmp_path, unsigned=setting)
    payload = {"location": "https://a.example/x", "retrieveDate": "2026-03-01T12:00:00Z"}
    answer = await one.box.central_system.send_call("UpdateFirmware", payload)
    assert answer[:1] + answer[2:3] == [4, "NotSupported"]
    await asyncio.sleep(100)
    assert one.transfers.downloads == []
    await one.box.die()


async def test_unsigned_firmware_is_installed_beside_signed_where_the_installer_wants_it(tmp_path):
    one = await started(tmp_path, unsigned="accept")
    await one.ask()
    assert await one.box.ended() is True
    assert len(one.command.calls) == 1


# --- fetching ------------------------------------------------------------------------------------


async def test_a_download_in_the_future_is_told_and_waited_for(tmp_path):
    one = await started(tmp_path)
    await one.update(retrieveDateTime="2026-03-01T12:05:00Z")
    await one.until_told("DownloadScheduled")
    await asyncio.sleep(200)
    assert one.transfers.downloads == []
    await asyncio.sleep(120)
    assert one.told()[:2] == ["DownloadScheduled", "Downloading"]
    await one.box.die()


async def test_each_round_of_a_failing_download_is_told_and_then_there_is_silence(tmp_path):
    one = await started(tmp_path)
    one.transfers.problems.extend(["busy"] * 3)
    await one.update(retries=2, retryInterval=100)
    await one.until_told(*["Downloading", "DownloadFailed"] * 3)
    times = [at_s for _, at_s in one.transfers.downloads]
    assert [round(times[1] - times[0]), round(times[2] - times[1])] == [101, 101]
    await asyncio.sleep(10_000)
    assert len(one.told()) == 6
    assert await one.status() == "Available"
    await one.box.die()


# --- the signature -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        (SIGNER.sign(b"another file"), "not that of the file"),
        (STRANGER.sign(CONTENT), "not that of the file"),
        ("§§§", "not base64"),
        ("AAAA", "not that of the file"),
    ],
    ids=["of another file", "of somebody else", "no base64", "nonsense"],
)
async def test_a_wrong_signature_is_the_end(tmp_path, caplog, signature: str, words: str):
    one = await started(tmp_path)
    await one.update(signature=signature)
    await one.until_told("Downloading", "Downloaded", "InvalidSignature")
    assert words in caplog.text
    await asyncio.sleep(1000)
    assert "InvalidFirmwareSignature" in one.events()
    assert not image(one).exists()
    assert one.command.calls == []
    assert len(one.told()) == 3
    assert await one.status() == "Available"
    await one.box.charge()
    await one.box.die()


async def test_a_file_that_was_cut_off_has_not_this_signature(tmp_path):
    one = await started(tmp_path)
    one.transfers.content = CONTENT[:-1]
    await one.update()
    await one.until_told("Downloading", "Downloaded", "InvalidSignature")
    await one.box.die()


async def test_a_file_that_has_changed_since_it_was_verified_is_not_installed(tmp_path, caplog):
    one = await started(tmp_path)
    await one.box.charge()
    await one.update()
    await one.until_told("Downloading", "Downloaded", "SignatureVerified")
    image(one).write_bytes(b"another firmware")
    await asyncio.sleep(10)
    await one.box.finish()
    await one.until_told(*BEGUN, "InstallVerificationFailed")
    assert "the file is not the one that was fetched" in caplog.text
    assert one.command.calls == []
    assert await one.status() == "Available"
    await one.box.die()


async def test_a_check_that_fails_oddly_is_no_yes(tmp_path, caplog, monkeypatch):
    def odd(*_: Any) -> str:
        raise ZeroDivisionError

    one = await started(tmp_path)
    monkeypatch.setattr("agent.maintenance.firmware_install.file_problem", odd)
    await one.update()
    await one.until_told("Downloading", "Downloaded", "InvalidSignature")
    assert "a mistake of the agent (ZeroDivisionError)" in caplog.text
    await one.box.die()


# --- when it is installed ------------------------------------------------------------------------


async def test_it_is_installed_at_its_time_and_charging_goes_on_until_then(tmp_path):
    one = await started(tmp_path)
    await one.update(installDateTime="2026-03-01T12:30:00Z")
    scheduled = ["Downloading", "Downloaded", "SignatureVerified", "InstallScheduled"]
    await one.until_told(*scheduled)
    await one.box.charge()
    await asyncio.sleep(1800)
    assert one.told() == scheduled
    assert one.box.contactor.is_closed
    await one.box.tap()
    await one.box.central_system.received("StopTransaction")
    await one.box.central_system.received(STATUS, 5)
    assert one.told() == [*scheduled, "Installing"]
    assert await one.status() == "Unavailable"
    await one.box.die()


async def test_a_command_that_fails_is_told_and_the_box_goes_on(tmp_path):
    one = await started(tmp_path)
    one.command.problem = "the install command ended with the status 1"
    await one.update()
    await one.until_told(*BEGUN, "InstallationFailed")
    await one.box.charge()
    await one.box.die()


# --- power cuts ----------------------------------------------------------------------------------


async def test_a_power_cut_while_a_session_is_waited_for_has_it_verified_again(tmp_path):
    one = await started(tmp_path)
    await one.box.charge()
    await one.update()
    await one.until_told("Downloading", "Downloaded", "SignatureVerified")
    await one.box.lose_power()
    image(one).write_bytes(b"another firmware")
    await one.start_again()
    await one.until_told(*BEGUN, "InstallVerificationFailed")
    assert one.command.calls == []
    await one.box.die()


async def test_a_power_cut_before_the_check_has_it_made_by_the_next_process(tmp_path):
    one = await started(tmp_path)
    # Stored is only that the file was fetched.
    store = one.box.application.services.store
    original = store.commit

    def commit(rows: Any, now: Any) -> None:
        steps = [getattr(getattr(row, "update", None), "step", None) for row in rows]
        if any(step is not None and step.value == "signature verified" for step in steps):
            raise StoreError("the disk is gone")
        original(rows, now)

    store.commit = commit
    await one.update()
    await asyncio.sleep(5)
    await one.box.lose_power()
    await one.start_again()
    await one.until_told(*BEGUN)
    await one.box.die()


async def test_what_could_not_be_told_is_told_in_order_under_its_number(tmp_path):
    one = await started(tmp_path)
    system = one.box.central_system
    await one.update(retrieveDateTime="2026-03-01T12:01:00Z")
    await one.until_told("DownloadScheduled")
    system.refuse_always = LinkError("gone")
    await system.drop()
    await asyncio.sleep(60)
    assert await one.box.ended() is True
    await one.start_again("2.0")
    await asyncio.sleep(100)
    assert one.told() == ["DownloadScheduled"]
    system.refuse_always = None
    await one.until_told("DownloadScheduled", *BEGUN, "InstallRebooting", "Installed")
    await one.box.die()


# --- over the network ----------------------------------------------------------------------------


def over_the_network(directory: Path, **settings: Any) -> SignedUpdates:
    plain = updates(directory, **settings)
    transfers: Any = NetworkTransfers(plain.box.clock.monotonic_s, Network("any", ""))
    plain.box.transfers = transfers
    return SignedUpdates(plain.box, plain.transfers, plain.command)


@pytest.mark.real_time
@pytest.mark.parametrize("scheme", ["http", "ftp"])
async def test_a_signed_file_comes_by_http_and_ftp(tmp_path, scheme: str):
    content = bytes(range(256)) * 4000
    shelf = Shelf(files={"/image": content})
    server: Any = http_server if scheme == "http" else ftp_server
    with server(shelf) as place:
        one = over_the_network(tmp_path)
        await one.start()
        address = place if scheme == "http" else f"ftp://127.0.0.1:{place}"
        signature = SIGNER.sign(content)
        answer = await one.update(signature=signature, location=f"{address}/image")
        assert answer == "Accepted"
        await one.until_told(*BEGUN)
        await one.box.die()


@pytest.mark.real_time
async def test_a_file_without_end_is_a_failed_download(tmp_path):
    shelf = Shelf(files={"/image": b"x" * 3_000_000}, has_size=False)
    with http_server(shelf) as address:
        one = over_the_network(tmp_path, max_mb=1)
        await one.start()
        await one.update(location=f"{address}/image", retries=0)
        await one.until_told("Downloading", "DownloadFailed")
        await one.box.die()
