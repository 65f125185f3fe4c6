"""GetLog: both logs, every status with its request id, and who takes whose place."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest

from agent.maintenance.support_bundle import unpack
from agent.ocpp16.retried_notifications import WAITING_MAX, Notices
from tests.app.box import Box
from tests.emulators.file_servers import Shelf, ftp_server, http_server
from tests.emulators.transfers import FakeTransfers
from tests.maintenance.test_diagnostics_upload import box_with

FOLDER = "ftp://help:geheim@files.example.com"
STATUS = "LogStatusNotification"


async def ask(
    box: Box, log_type: str = "SecurityLog", request_id: int = 7, **fields: Any
) -> dict[str, Any]:
    names = ("remoteLocation", "oldestTimestamp", "latestTimestamp")
    log = {"remoteLocation": FOLDER, **{n: fields.pop(n) for n in names if n in fields}}
    asked = {"logType": log_type, "requestId": request_id, "log": log, **fields}
    answer = await box.central_system.send_call("GetLog", asked)
    assert answer[0] == 3, answer
    found: dict[str, Any] = answer[2]
    return found


def told(box: Box, request_id: int = 7) -> list[str]:
    payloads = [call.payload for call in box.central_system.of(STATUS)]
    return [one["status"] for one in payloads if one["requestId"] == request_id]


def recorded(content: bytes) -> list[str]:
    return [json.loads(line)["type"] for line in content.decode().splitlines()]


async def trigger(box: Box, action: str, message: str) -> Any:
    count = len(box.central_system.of(message))
    answer = await box.central_system.send_call(action, {"requestedMessage": message})
    assert answer[2] == {"status": "Accepted"}
    return (await box.central_system.received(message, count + 1)).payload


async def test_the_security_log_is_sent_as_lines_of_json_that_show_a_change(tmp_path):
    transfers = FakeTransfers()
    async with box_with(tmp_path, transfers) as box:
        await box.do("sim", lever="fault", name="door")
        answer = await ask(box)
        assert answer["status"] == "Accepted"
        assert answer["filename"].startswith("chargepoint-agent-security-log_DEMO-1_2026")
        assert answer["filename"].endswith("Z.jsonl")
        await box.central_system.received(STATUS, 2)
        assert told(box) == ["Uploading", "Uploaded"]
        shown = await box.do("security-log", order="show")
    ((folder, name, content, _),) = transfers.uploads
    assert (str(folder), folder.password, name) == (
        "ftp://files.example.com/",
        "geheim",
        answer["filename"],
    )
    assert [json.loads(line) for line in content.decode().splitlines()] == shown[::-1]
    assert recorded(content) == ["StartupOfTheDevice", "TamperDetectionActivated"]


@pytest.mark.parametrize(
    ("window", "types"),
    [
        ({"oldestTimestamp": "2026-03-01T12:30:00Z"}, ["TamperDetectionActivated"]),
        ({"latestTimestamp": "2026-03-01T13:30:00+01:00"}, ["StartupOfTheDevice"]),
        ({"oldestTimestamp": "2030-01-01T00:00:00Z"}, []),
    ],
)
async def test_only_the_asked_time_is_in_the_file_which_may_be_empty(tmp_path, window, types):
    transfers = FakeTransfers()
    async with box_with(tmp_path, transfers) as box:
        await asyncio.sleep(3600)
        await box.do("sim", lever="fault", name="door")
        assert (await ask(box, **window))["status"] == "Accepted"
        await box.central_system.received(STATUS, 2)
        assert told(box) == ["Uploading", "Uploaded"]
    assert recorded(transfers.uploads[0][2]) == types


async def test_the_diagnostics_log_is_the_file_of_get_diagnostics(tmp_path):
    transfers = FakeTransfers()
    async with box_with(tmp_path, transfers) as box:
        name = (await ask(box, "DiagnosticsLog"))["filename"]
        await box.central_system.received(STATUS, 2)
        assert told(box) == ["Uploading", "Uploaded"]
    assert name.startswith("chargepoint-agent-support_DEMO-1_2026")
    assert "status.json" in {part.name for part in unpack(transfers.uploads[0][2])}


async def test_two_retries_are_three_rounds_each_with_its_statuses(tmp_path, caplog):
    transfers = FakeTransfers()
    transfers.problems.extend(["busy"] * 3)
    async with box_with(tmp_path, transfers) as box:
        await ask(box, retries=2, retryInterval=30)
        await box.central_system.received(STATUS, 6)
        await asyncio.sleep(1000)
        assert told(box) == ["Uploading", "UploadFailure"] * 3
    times = [at_s for *_, at_s in transfers.uploads]
    assert [round(b - a, 3) for a, b in itertools.pairwise(times)] == [31, 31]
    assert "geheim" not in caplog.text


async def test_a_new_request_takes_the_place_of_the_old_one(tmp_path):
    transfers = FakeTransfers(takes_s=50.0)
    async with box_with(tmp_path, transfers) as box:
        await ask(box, request_id=1)
        await asyncio.sleep(5)
        assert (await ask(box, request_id=2))["status"] == "AcceptedCanceled"
        await asyncio.sleep(200)
        assert told(box, 1) == ["Uploading"]
        assert told(box, 2) == ["Uploading", "Uploaded"]
        assert (await ask(box, request_id=3))["status"] == "Accepted"
    assert transfers.called_off == 2  # the last one by the end of the box


async def test_a_log_and_diagnostics_are_sent_side_by_side(tmp_path):
    transfers = FakeTransfers(takes_s=50.0)
    async with box_with(tmp_path, transfers) as box:
        await ask(box)
        await box.central_system.send_call("GetDiagnostics", {"location": FOLDER})
        await asyncio.sleep(200)
        assert told(box) == ["Uploading", "Uploaded"]
        of_diagnostics = box.central_system.of("DiagnosticsStatusNotification")
        assert [call.payload for call in of_diagnostics] == [
            {"status": "Uploading"},
            {"status": "Uploaded"},
        ]
    assert (len(transfers.uploads), transfers.called_off) == (2, 0)


async def test_a_trigger_tells_the_request_that_is_under_way_or_idle_without_one(tmp_path):
    async with box_with(tmp_path, FakeTransfers(takes_s=50.0)) as box:
        extended = ("ExtendedTriggerMessage", STATUS)
        assert await trigger(box, *extended) == {"status": "Idle"}
        await ask(box)
        await box.central_system.received(STATUS, 2)
        assert await trigger(box, *extended) == {"status": "Uploading", "requestId": 7}
        diagnostics = ("TriggerMessage", "DiagnosticsStatusNotification")
        assert await trigger(box, *diagnostics) == {"status": "Idle"}
        await asyncio.sleep(100)
        assert await trigger(box, *extended) == {"status": "Idle"}


@pytest.mark.parametrize(
    "fields",
    [
        {"remoteLocation": "sftp://files.example.com/in"},
        {"remoteLocation": "nonsense"},
        {
            "oldestTimestamp": "2026-03-02T00:00:00Z",
            "latestTimestamp": "2026-03-01T00:00:00Z",
        },
    ],
)
async def test_what_cannot_be_sent_is_rejected_and_calls_nothing_off(tmp_path, fields):
    transfers = FakeTransfers(takes_s=50.0)
    async with box_with(tmp_path, transfers) as box:
        await ask(box, request_id=1)
        await asyncio.sleep(5)
        assert await ask(box, request_id=2, **fields) == {"status": "Rejected"}
        await asyncio.sleep(100)
        assert told(box, 1) == ["Uploading", "Uploaded"]
        assert told(box, 2) == []


async def test_it_belongs_to_no_profile(tmp_path):
    async with box_with(tmp_path, FakeTransfers(), SupportedFeatureProfiles="Core") as box:
        assert (await ask(box))["status"] == "Accepted"


async def test_a_log_that_cannot_be_made_is_a_failed_upload(tmp_path):
    async with box_with(tmp_path, FakeTransfers()) as box:
        box.executors["support"].problem = RuntimeError("a mistake of ours")
        await ask(box, "DiagnosticsLog")
        await box.central_system.received(STATUS, 2)
        assert told(box) == ["Uploading", "UploadFailure"]


async def test_the_retries_of_an_upload_push_nothing_out_that_somebody_counts_on():
    sent: list[Any] = []
    arrived: list[str] = []

    async def call(action: str, payload: Any) -> None:
        sent.append(payload["status"])

    notices = Notices(call, lambda: True)
    notices.send("FirmwareStatusNotification", {"status": "0"}, lambda: arrived.append("0"))
    for number in range(1, WAITING_MAX + 10):
        notices.send(STATUS, {"status": str(number)})
    task = asyncio.create_task(notices.run())
    await asyncio.sleep(1)
    task.cancel()
    assert arrived == ["0"]
    assert sent == ["0", *map(str, range(11, WAITING_MAX + 10))]


# --- real servers ---------------------------------------------------------------------------------


def _http(**levers: Any) -> tuple[str, Shelf]:
    return "http", Shelf(**levers)


def _ftp(**levers: Any) -> tuple[str, Shelf]:
    return "ftp", Shelf(**levers)


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("server", "statuses"),
    [
        (_http(), ["Uploaded"]),
        (_http(refuse_put=403, refuse_post=403), ["PermissionDenied"]),
        (_http(refuse_put=501, refuse_post=501), ["NotSupportedOperation"]),
        (_http(refuse_put=400, refuse_post=400), ["BadMessage"]),
        (_http(refuse_put=500), ["UploadFailure"]),
        (_http(speaks=b"what?\r\n\r\n"), ["BadMessage"]),
        (_ftp(), ["Uploaded"]),
        (_ftp(needs_login=True), ["PermissionDenied"]),
        (_ftp(answers={"STOR": b"502 not here\r\n"}), ["NotSupportedOperation"]),
        (_ftp(answers={"TYPE": b"500 what?\r\n"}), ["BadMessage"]),
        (_ftp(answers={"STOR": b"what?\r\n"}), ["BadMessage"]),
        (_ftp(answers={"STOR": b"550 who knows\r\n"}), ["UploadFailure"]),
    ],
)
async def test_how_a_real_server_refuses_is_told_in_the_words_of_the_paper(
    tmp_path: Any, server: tuple[str, Shelf], statuses: Sequence[str]
):
    scheme, shelf = server
    with http_server(shelf) as url, ftp_server(shelf) as port:
        async with asyncio.timeout(30), box_with(tmp_path, None) as box:
            folder = url if scheme == "http" else f"ftp://user:12345@127.0.0.1:{port}"
            answer = await ask(box, retries=0, remoteLocation=folder)
            await box.central_system.received(STATUS, 2)
            assert told(box) == ["Uploading", *statuses]
    if statuses == ["Uploaded"]:
        assert recorded(shelf.files[f"/{answer['filename']}"]) == ["StartupOfTheDevice"]


@pytest.mark.real_time
@pytest.mark.parametrize("scheme", ["http", "ftp"])
async def test_an_empty_log_arrives_at_a_real_server_after_a_retry(tmp_path, scheme):
    shelf = Shelf(busy_times=1)
    with http_server(shelf) as url, ftp_server(shelf) as port:
        async with asyncio.timeout(30), box_with(tmp_path, None) as box:
            folder = url if scheme == "http" else f"ftp://user:12345@127.0.0.1:{port}"
            late = {"oldestTimestamp": "2090-01-01T00:00:00Z", "retries": 1, "retryInterval": 0}
            answer = await ask(box, remoteLocation=folder, **late)
            await box.central_system.received(STATUS, 4)
            assert told(box) == ["Uploading", "UploadFailure", "Uploading", "Uploaded"]
    assert shelf.files == {f"/{answer['filename']}": b""}
