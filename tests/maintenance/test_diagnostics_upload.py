"""GetDiagnostics: the answer first, then the upload, its retries, and every status once."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.maintenance.log_upload import ATTEMPT_S
from agent.maintenance.support_bundle import unpack
from agent.platform.errors import LinkError
from tests.app.box import Box, box_settings
from tests.emulators.central_system import Error
from tests.emulators.file_servers import Shelf, ftp_server, http_server
from tests.emulators.transfers import FakeTransfers

FOLDER = "ftp://help:geheim@files.example.com/in"
STATUS = "DiagnosticsStatusNotification"


@asynccontextmanager
async def box_with(
    directory: Path, transfers: FakeTransfers | None, **keys: str
) -> AsyncIterator[Box]:
    box = Box(box_settings(directory, **keys), transfers=transfers)
    await box.start()
    try:
        await box.central_system.received("StatusNotification", 2)
        yield box
    finally:
        await box.die()


async def ask(box: Box, location: str = FOLDER, **fields: Any) -> Any:
    answer = await box.central_system.send_call("GetDiagnostics", {"location": location, **fields})
    return answer[2]


def told(box: Box) -> list[str]:
    return [str(call.payload["status"]) for call in box.central_system.of(STATUS)]


async def trigger(box: Box) -> str:
    count = len(told(box))
    payload = {"requestedMessage": STATUS}
    answer = await box.central_system.send_call("TriggerMessage", payload)
    assert answer[2] == {"status": "Accepted"}
    return str((await box.central_system.received(STATUS, count + 1)).payload["status"])


async def test_the_name_comes_first_then_the_file_and_its_statuses(tmp_path):
    transfers = FakeTransfers()
    async with box_with(tmp_path, transfers) as box:
        name = (await ask(box))["fileName"]
        assert name.startswith("chargepoint-agent-support_DEMO-1_2026")
        assert len(name) <= 255
        await box.central_system.received(STATUS, 2)
        assert told(box) == ["Uploading", "Uploaded"]
        frames = box.central_system.frames
        answered = next(i for i, frame in enumerate(frames) if name in frame)
        assert answered < next(i for i, frame in enumerate(frames) if "Uploading" in frame)
    ((folder, given, content, _),) = transfers.uploads
    assert (str(folder), folder.password) == ("ftp://files.example.com/in", "geheim")
    assert given == name
    assert "status.json" in {part.name for part in unpack(content)}


async def test_a_failed_upload_is_tried_again_as_often_and_as_late_as_was_asked(tmp_path):
    transfers = FakeTransfers()
    transfers.problems.extend(["busy", "busy"])
    async with box_with(tmp_path, transfers) as box:
        await ask(box, retries=2, retryInterval=30)
        await box.central_system.received(STATUS, 2)
        assert told(box) == ["Uploading", "Uploaded"]
    times = [at_s for *_, at_s in transfers.uploads]
    assert [round(b - a, 3) for a, b in itertools.pairwise(times)] == [31, 31]


async def test_after_the_last_retry_the_upload_has_failed(tmp_path, caplog):
    transfers = FakeTransfers()
    transfers.problems.extend(["busy"] * 9)
    async with box_with(tmp_path, transfers) as box:
        await ask(box, retries=2, retryInterval=0)
        await box.central_system.received(STATUS, 2)
        assert told(box) == ["Uploading", "UploadFailed"]
        assert len(transfers.uploads) == 3
        await ask(box)  # our own choice: 3 retries, a minute between them
        await box.central_system.received(STATUS, 4)
        assert told(box)[2:] == ["Uploading", "UploadFailed"]
        assert len(transfers.uploads) == 7
        await ask(box, retries=0)
        await box.central_system.received(STATUS, 6)
        assert len(transfers.uploads) == 8
    assert "busy" in caplog.text
    assert "geheim" not in caplog.text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"location": "sftp://files.example.com/in"}, "not by 'sftp'"),
        ({"location": "nonsense"}, "files go by"),
        ({"location": "https://files.example.com/in"}, "https is switched off"),
        (
            {"startTime": "2026-03-02T00:00:00Z", "stopTime": "2026-03-01T00:00:00Z"},
            "the end of the asked time is before its beginning",
        ),
    ],
)
async def test_without_a_way_to_send_there_is_no_name_and_no_status(
    tmp_path, caplog, fields, words
):
    transfers = FakeTransfers()
    keys = {"SupportedFileTransferProtocols": "FTP,HTTP"}
    async with box_with(tmp_path, transfers, **keys) as box:
        assert await ask(box, **fields) == {}
        await asyncio.sleep(100)
        assert told(box) == []
        assert transfers.uploads == []
    assert words in caplog.text


async def test_a_time_that_is_none_is_refused(tmp_path):
    async with box_with(tmp_path, FakeTransfers()) as box:
        payload = {"location": FOLDER, "startTime": "yesterday"}
        answer = await box.central_system.send_call("GetDiagnostics", payload)
        assert answer[0] == 4
        assert answer[2] in ("PropertyConstraintViolation", "FormationViolation")


async def test_only_the_asked_time_is_in_the_bundle(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    transfers = FakeTransfers()
    async with box_with(tmp_path, transfers) as box:
        await box.charge()
        await asyncio.sleep(3600)
        await ask(box, startTime="2026-03-01T12:30:00Z", stopTime="2026-03-01T12:40:00+00:00")
        await box.central_system.received(STATUS, 2)
    parts = {part.name: part.text for part in unpack(transfers.uploads[0][2])}
    lines = parts["log.txt"].splitlines()
    assert lines
    assert {line[:13] for line in lines} == {"2026-03-01T12"}
    assert {line[14] for line in lines} <= {"3", "4"}
    assert parts["decisions.json"] == "[]"


async def test_a_second_request_takes_the_place_of_the_first(tmp_path):
    transfers = FakeTransfers(takes_s=50.0)
    async with box_with(tmp_path, transfers) as box:
        await ask(box)
        await asyncio.sleep(5)
        await ask(box, "http://other.example/in")
        await asyncio.sleep(200)
        assert told(box) == ["Uploading", "Uploading", "Uploaded"]
    assert transfers.called_off == 1
    assert [folder.host for folder, *_ in transfers.uploads] == [
        "files.example.com",
        "other.example",
    ]


async def test_a_trigger_tells_what_is_going_on(tmp_path):
    async with box_with(tmp_path, FakeTransfers(takes_s=50.0)) as box:
        assert await trigger(box) == "Idle"
        await ask(box)
        await box.central_system.received(STATUS, 2)
        assert await trigger(box) == "Uploading"
        await asyncio.sleep(100)
        assert await trigger(box) == "Idle"


async def test_how_it_ended_is_told_when_the_link_is_back(tmp_path):
    transfers = FakeTransfers(takes_s=50.0)
    async with box_with(tmp_path, transfers) as box:
        await ask(box)
        await box.central_system.received(STATUS, 1)
        box.central_system.refuse_always = LinkError("gone")
        await box.central_system.drop()
        await asyncio.sleep(3600)
        assert told(box) == ["Uploading"]
        assert len(transfers.uploads) == 1
        box.central_system.refuse_always = None
        await box.central_system.received(STATUS, 2)
        assert told(box) == ["Uploading", "Uploaded"]


async def test_a_status_that_the_central_system_refuses_is_given_up_after_three_tries(tmp_path):
    async with box_with(tmp_path, FakeTransfers()) as box:
        box.central_system.next(STATUS, *[Error("InternalError")] * 3)
        await ask(box)
        await box.central_system.received(STATUS, 4)
        assert told(box) == ["Uploading"] * 3 + ["Uploaded"]
        box.central_system.next(STATUS, Error("NotImplemented"))  # asking again would not help
        await ask(box)
        await box.central_system.received(STATUS, 6)
        assert told(box)[4:] == ["Uploading", "Uploaded"]


async def test_a_session_goes_on_while_a_bundle_is_made_and_sent(tmp_path):
    async with box_with(tmp_path, FakeTransfers(takes_s=100.0)) as box:
        await box.charge()
        await ask(box)
        await asyncio.sleep(120)
        assert box.contactor.is_closed
        assert told(box) == ["Uploading", "Uploaded"]
        await box.finish()


async def test_a_bundle_that_cannot_be_made_is_a_failed_upload(tmp_path, caplog):
    async with box_with(tmp_path, FakeTransfers()) as box:
        box.executors["support"].problem = RuntimeError("a mistake of ours")
        await ask(box)
        await box.central_system.received(STATUS, 2)
        assert told(box) == ["Uploading", "UploadFailed"]


async def test_where_the_profile_is_switched_off_nobody_gets_diagnostics(tmp_path):
    keys = {"SupportedFeatureProfiles": "Core"}
    async with box_with(tmp_path, FakeTransfers(), **keys) as box:
        answer = await box.central_system.send_call("GetDiagnostics", {"location": FOLDER})
        assert answer[2] == "NotSupported"


@pytest.mark.real_time
@pytest.mark.parametrize("scheme", ["http", "ftp"])
async def test_a_bundle_arrives_at_a_real_server(tmp_path, scheme):
    shelf = Shelf(busy_times=1)
    with http_server(shelf) as url, ftp_server(shelf) as port:
        async with asyncio.timeout(30), box_with(tmp_path, None) as box:
            folder = f"{url}/" if scheme == "http" else f"ftp://127.0.0.1:{port}/"
            name = (await ask(box, folder, retryInterval=0))["fileName"]
            await box.central_system.received(STATUS, 2)
            assert told(box) == ["Uploading", "Uploaded"]
    assert "status.json" in {part.name for part in unpack(shelf.files[f"/{name}"])}
    assert ATTEMPT_S >= 60
