"""A certificate for this box over a real wire: asked for, signed, shown, renewed, refused."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import stat
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.cli.doctor import _look_at_link
from agent.core.own_certificates import OwnCertificates, SigningRequest
from agent.core.state import ChargePoint
from agent.maintenance.support_bundle import unpack
from tests.app.test_application_certificates import Station, station
from tests.app.test_application_security import told
from tests.emulators.authorities import Made, a_key, made
from tests.emulators.central_system import Answer, Error

pytestmark = pytest.mark.real_time

ROOT, OF_BOXES, OTHER = made("Root of the server"), made("Root of the boxes"), made("Another")
PASSWORD = "sixteen chars ok"
TRIGGER = "SignChargePointCertificate"
LATER = datetime(2026, 2, 1, tzinfo=UTC)  # than the one before has begun


def settings(folder: Path) -> dict[str, Any]:
    """A box with a password, at profile 2."""
    (folder / "password").write_text(PASSWORD)
    return {"security_profile": 2, "authorization_key_file": str(folder / "password")}


def demand(at: Station, *authorities: Made) -> None:
    """From the next handshake on only boxes with a certificate of these are let in."""
    at.server.load_verify_locations(cadata="".join(one.pem for one in authorities))
    at.server.verify_mode = ssl.CERT_REQUIRED


async def set_key(at: Station, key: str, value: str) -> str:
    answer = await at.call("ChangeConfiguration", key=key, value=value)
    return str(answer["status"])


async def get_key(at: Station, *keys: str) -> list[str]:
    answer = await at.call("GetConfiguration", key=list(keys))
    return [found["value"] for found in answer["configurationKey"]]


async def asked(at: Station) -> str:
    """The request that the box sends when it is asked to."""
    before = len(at.system.of("SignCertificate"))
    answer = await at.call("ExtendedTriggerMessage", requestedMessage=TRIGGER)
    assert answer == {"status": "Accepted"}
    call = await at.system.received("SignCertificate", before + 1)
    return str(call.payload["csr"])


async def signed(at: Station, chain: str) -> str:
    answer = await at.call("CertificateSigned", certificateChain=chain)
    return str(answer["status"])


def state(at: Station) -> ChargePoint:
    assert at.application.runtime is not None
    return at.application.runtime.state


def own(at: Station) -> OwnCertificates:
    return state(at).own_certificates


async def to_profile_3(at: Station) -> None:
    """All that a central system does to get a box there."""
    await at.begun()
    assert await set_key(at, "CpoName", "Operator") == "Accepted"
    assert await signed(at, OF_BOXES.answers(await asked(at))) == "Accepted"
    demand(at, OF_BOXES)
    await profile_3_is_taken(at)


async def profile_3_is_taken(at: Station) -> None:
    assert await set_key(at, "SecurityProfile", "3") == "Accepted"
    await at.system.received("StatusNotification", 4)


async def test_from_profile_2_to_profile_3_over_one_link_and_again_after_a_restart(tmp_path: Path):
    async with station(tmp_path, ROOT, ca=ROOT, **settings(tmp_path)) as at:
        await to_profile_3(at)
        assert "authorization" not in {name.lower() for name in at.system.attempts[-1].headers}
        assert await get_key(at, "SecurityProfile") == ["3"]
        (kept,) = own(at).kept
        assert kept.worked_at is not None
        for profile in "0123":
            assert await set_key(at, "SecurityProfile", profile) == "Rejected"
    async with station(tmp_path, ROOT, ca=ROOT, **settings(tmp_path)) as at:
        await at.begun()  # its address in the file has changed: so the file's profile counts
        assert own(at).kept == (kept,)
        demand(at, OF_BOXES)
        await profile_3_is_taken(at)


async def test_the_keys_of_the_white_paper_are_told_in_the_order_that_is_asked_for(tmp_path: Path):
    asked_for = {
        "SupportedFileTransferProtocols": "FTP,FTPS,HTTP,HTTPS",
        "CpoName": "Operator",
        "SecurityProfile": "2",
        "CertificateSignedMaxChainSize": "10000",
        "AdditionalRootCertificateCheck": "false",
        "CertificateStoreMaxLength": "10",
    }
    async with station(tmp_path, ROOT, ca=ROOT, **settings(tmp_path)) as at:
        await at.begun()
        assert await set_key(at, "CpoName", "") == "Rejected"
        assert await set_key(at, "CpoName", "Operator") == "Accepted"
        assert await get_key(at, *asked_for) == list(asked_for.values())
        assert await set_key(at, "CertificateSignedMaxChainSize", "5") == "Rejected"


async def test_without_the_operators_name_nothing_is_asked_for(tmp_path: Path):
    async with station(tmp_path, ROOT, ca=ROOT, **settings(tmp_path)) as at:
        await at.begun()
        answer = await at.call("ExtendedTriggerMessage", requestedMessage=TRIGGER)
        assert answer == {"status": "Rejected"}
        assert await set_key(at, "CpoName", "Operator") == "Accepted"
        await asked(at)
        assert len(at.system.of("SignCertificate")) == 1


async def test_of_requests_that_nobody_answers_no_more_than_two_keys_are_kept(tmp_path: Path):
    async with station(tmp_path, ROOT, ca=ROOT, **settings(tmp_path)) as at:
        await at.begun()
        assert await set_key(at, "CpoName", "Operator") == "Accepted"
        assert await signed(at, OF_BOXES.answers(await asked(at))) == "Accepted"
        (kept,) = own(at).kept
        for _ in range(4):
            await asked(at)
        keys = {path.stem for path in (tmp_path / "certificates").glob("*.key")}
        assert kept.certificate.key in keys
        assert len(keys - {kept.certificate.key}) <= 2  # the one that is waited for, and before it


def out_of_order(csr: str) -> str:
    middle = OF_BOXES.signs("Sub-CA")
    return middle.answers(csr) + OF_BOXES.pem + middle.pem


BAD: dict[str, Callable[[str], str]] = {
    "another key": lambda csr: OF_BOXES.answers(csr, key=a_key()),
    "another authority": lambda csr: OTHER.answers(csr),
    "expired": lambda csr: OF_BOXES.answers(csr, end=datetime(2026, 2, 1, tzinfo=UTC)),
    "another name": lambda csr: OF_BOXES.answers(csr, name="CP-2"),
    "no name": lambda csr: OF_BOXES.answers(csr, name=""),
    "out of order": out_of_order,
    "the root alone": lambda csr: OF_BOXES.pem,
    "the request itself": lambda csr: csr,
    "30 kB": lambda csr: OF_BOXES.answers(csr) * 50,
    "no base64": lambda csr: OF_BOXES.answers(csr).replace("M", "%"),
    "nonsense": lambda csr: "\0 nonsense ü",
    "nothing": lambda csr: "",
}


async def test_what_is_not_the_certificate_of_this_box_is_rejected_and_the_next_is_served(
    tmp_path: Path,
):
    async with station(tmp_path, ROOT, ca=ROOT, **settings(tmp_path)) as at:
        await at.begun()
        assert await at.install(OF_BOXES) == "Accepted"
        assert await signed(at, OF_BOXES.pem) == "Rejected"  # nothing was asked for
        await set_key(at, "CpoName", "Operator")
        csr = await asked(at)
        before = own(at)
        for what, chain in BAD.items():
            assert await signed(at, chain(csr)) == "Rejected", what
        # So long no message may be but SendLocalList: that is a CALLERROR.
        error = await at.system.send_call("CertificateSigned", {"certificateChain": "x" * 100_000})
        assert error[0] == 4
        assert own(at) == before
        assert await set_key(at, "SecurityProfile", "3") == "Rejected"
        await at.until(
            lambda: told(at.system).count("InvalidChargePointCertificate") == 1 + len(BAD)
        )
        middle = OF_BOXES.signs("Sub-CA")
        assert await signed(at, middle.answers(csr) + middle.pem + OF_BOXES.pem) == "Accepted"


async def test_one_that_is_not_valid_yet_is_kept_and_profile_3_waits_for_it(tmp_path: Path):
    async with station(tmp_path, ROOT, ca=ROOT, **settings(tmp_path)) as at:
        await at.begun()
        await set_key(at, "CpoName", "Operator")
        ahead = OF_BOXES.answers(await asked(at), begin=datetime(2026, 12, 24, tzinfo=UTC))
        assert await signed(at, ahead) == "Accepted"
        assert await set_key(at, "SecurityProfile", "3") == "Rejected"
        await at.reconnected()


async def test_a_restart_between_request_and_certificate_changes_nothing(tmp_path: Path):
    async with station(tmp_path, ROOT, ca=ROOT, **settings(tmp_path)) as at:
        await at.begun()
        await set_key(at, "CpoName", "Operator")
        csr = await asked(at)
    async with station(tmp_path, ROOT, ca=ROOT, **settings(tmp_path)) as at:
        await at.begun()
        assert await signed(at, OF_BOXES.answers(csr)) == "Accepted"
        assert await signed(at, OF_BOXES.answers(csr)) == "Accepted"
        assert len(own(at).kept) == 1


@pytest.mark.parametrize(
    ("reaction", "words"),
    [
        (Answer({"status": "Rejected"}), "SignCertificate was answered 'Rejected'"),
        (Error("InternalError", "no authority"), "no authority"),
        (Answer({}), "SignCertificate was answered None"),
    ],
)
async def test_a_request_that_is_refused_is_told_and_not_repeated(
    tmp_path: Path, reaction: Answer | Error, words: str
):
    async with station(tmp_path, ROOT, ca=ROOT, **settings(tmp_path)) as at:
        await at.begun()
        await set_key(at, "CpoName", "Operator")
        at.system.next("SignCertificate", reaction)
        await asked(at)
        await at.until(lambda: bool(request_of(at).problem))
        assert words in request_of(at).problem
        await at.reconnected()
        assert len(at.system.of("SignCertificate")) == 1


def request_of(at: Station) -> SigningRequest:
    request = own(at).request
    assert request is not None
    return request


async def test_while_pending_a_certificate_is_asked_for_and_taken(tmp_path: Path):
    keys = {"CpoName": "Operator"}
    async with station(
        tmp_path, ROOT, ca=ROOT, keys=keys, boot_status="Pending", **settings(tmp_path)
    ) as at:
        await at.system.received("BootNotification")
        await at.until(lambda: state(at).registration == "Pending")
        assert await signed(at, OF_BOXES.answers(await asked(at))) == "Accepted"
        assert at.system.of("SecurityEventNotification") == []


@pytest.mark.parametrize("tls", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_new_certificate_is_shown_at_once_and_where_it_is_refused_the_one_before(
    tmp_path: Path, tls: ssl.TLSVersion
):
    async with station(tmp_path, ROOT, ca=ROOT, tls=tls, **settings(tmp_path)) as at:
        await to_profile_3(at)
        (old,) = own(at).kept
        # Its authority is not one that the server trusts yet.
        assert await signed(at, OTHER.answers(await asked(at), begin=LATER)) == "Accepted"
        await at.system.received("StatusNotification", 6)
        new, before = own(at).kept
        assert before == old
        assert new.worked_at is None
        assert "does not accept the certificate of this box" in own(at).refusal or (
            "does it accept the certificate of this box?" in own(at).refusal
        )
        demand(at, OTHER)
        await at.reconnected()
        assert own(at).kept[0].worked_at is not None
        assert own(at).refusal == ""


async def test_where_no_certificate_leads_there_the_box_returns_to_its_password(tmp_path: Path):
    async with station(tmp_path, ROOT, ca=ROOT, **settings(tmp_path)) as at:
        await at.begun()
        await set_key(at, "CpoName", "Operator")
        assert await signed(at, OTHER.answers(await asked(at))) == "Accepted"
        at.server.load_verify_locations(cadata=OF_BOXES.pem)
        at.server.verify_mode = ssl.CERT_OPTIONAL  # who shows none may use a password
        assert await set_key(at, "SecurityProfile", "3") == "Accepted"
        await at.system.received("StatusNotification", 4)
        assert await get_key(at, "SecurityProfile") == ["2"]
        lines = [line async for line in security_log(at)]
        assert "FailedToAuthenticateAtCentralSystem" in lines


async def security_log(at: Station) -> AsyncIterator[str]:
    services = at.application.services
    assert services is not None
    await services.runtime.journal.wait_until_written(5.0)
    for line in await services.threads.report(services.store.security_log):
        yield line.type


def files_with(text: str, folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if text.encode() in path.read_bytes()]


async def test_the_private_key_is_in_no_log_no_answer_and_no_file_but_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    async with station(tmp_path, ROOT, ca=ROOT, **settings(tmp_path)) as at:
        await to_profile_3(at)
        (key_file,) = (tmp_path / "certificates").glob("*.key")
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        body = key_file.read_text().splitlines()[1]  # base64 of what is secret in it
        status = await at.application.actions["status"]({})
        bundle = await bundle_of(at)
        assert "CpoName" in bundle
        for said in (caplog.text, repr(status), bundle, repr(own(at)), *at.system.frames):
            assert body not in said
            assert "PRIVATE KEY" not in said
    assert files_with(body, tmp_path) == [key_file]


async def bundle_of(at: Station) -> str:
    do = at.application.actions["bundle"]
    await do({"order": "begin"})
    while (found := await do({"order": "look"}))["size"] is None:
        pass
    packed = b""
    while len(packed) < found["size"]:
        piece = await do({"order": "read", "offset": len(packed)})
        packed += base64.b64decode(piece["piece"])
    return "".join(part.text for part in unpack(packed))


async def test_while_its_file_is_gone_no_other_is_shown_and_agent_and_doctor_say_so(tmp_path: Path):
    async with station(tmp_path, ROOT, ca=ROOT, **settings(tmp_path)) as at:
        await to_profile_3(at)
    file, key, by_hand = tmp_path / "own.pem", tmp_path / "own.key", OF_BOXES.signs("By hand")
    key.write_text(by_hand.key_pem())
    of_file = {"security_profile": 3, "certificate_file": str(file)}
    of_file |= {"certificate_key_file": str(key)}
    async with station(tmp_path, ROOT, ca=ROOT, demands_from=OF_BOXES, **of_file) as at:
        problem = await at.why_not()
        assert "the certificate of this box cannot be used" in problem
        assert str(file) in problem
        findings = await asyncio.to_thread(
            lambda: list(_look_at_link(at.application.settings, None, LATER))
        )
        assert [f.words for f in findings if f.verdict.value == "fail"] == [problem]
        assert own(at).kept != ()
        file.write_text(by_hand.pem)
        await at.begun()


async def test_doctor_walks_to_the_central_system_with_the_certificate_that_was_signed(
    tmp_path: Path,
):
    async with station(tmp_path, ROOT, ca=ROOT, **settings(tmp_path)) as at:
        await to_profile_3(at)
        await at.application.services.runtime.journal.wait_until_written(5.0)  # doctor reads that
        findings = await asyncio.to_thread(
            lambda: list(_look_at_link(at.application.settings, None, LATER))
        )
        verdicts = {finding.step: finding.verdict.value for finding in findings}
        assert verdicts["certificate"] == verdicts["TLS"] == verdicts["websocket"] == "pass"
        words = [finding.words for finding in findings]
        assert "that of this box, CN=CP-1,O=Operator, ends 2049-01-01" in words
