"""SendLocalList and GetLocalListVersion, from the frame to the list in the store and back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.app.application import Application
from agent.app.environment import Environment
from agent.config.settings import AuthorizationSettings
from agent.core.values import AuthorizationStatus, IdTagInfo, ListEntry, ListUpdateKind
from agent.ocpp16.handlers.local_auth import read_local_list
from agent.ocpp16.schemas import CHECKED_BY_HANDLER, check_call
from agent.ocpp16.version import parse
from agent.ocppj.frames import (
    LARGE_FRAME,
    BadCall,
    BadFrame,
    Call,
    CallError,
    CallRefused,
)
from agent.platform.bounded_json import AT_ONCE_MAX
from tests.app.box import CARD, Box, box_settings, put_on_list, running_box
from tests.emulators.central_system import Answer, FakeCentralSystem
from tests.held_loop import holds_of_the_loop

ACCEPTED = {"status": "Accepted"}
END = datetime(2027, 1, 1, tzinfo=UTC)


def request(entries: Any, version: Any = 1, kind: Any = "Full") -> dict[str, Any]:
    fields = {"listVersion": version, "updateType": kind}
    return fields if entries is None else {**fields, "localAuthorizationList": entries}


def many(count: int, prefix: str = "04") -> list[dict[str, Any]]:
    info = {"status": "Accepted", "expiryDate": "2027-01-01T00:00:00.000Z", "parentIdTag": "SITE-1"}
    return [{"idTag": f"{prefix}{number:012X}", "idTagInfo": info} for number in range(count)]


# --- the shape of the request --------------------------------------------------------------------


def test_every_field_of_an_entry_is_read():
    info = {"status": "Blocked", "expiryDate": "2027-01-01T01:00:00+01:00", "parentIdTag": "FLEET"}
    entries = [{"idTag": "04ab", "idTagInfo": info}, {"idTag": "04AC"}]
    assert read_local_list(request(entries, 7, "Differential")) == (
        7,
        ListUpdateKind.DIFFERENTIAL,
        [
            ListEntry("04ab", IdTagInfo(AuthorizationStatus.BLOCKED, END, "FLEET")),
            ListEntry("04AC", None),
        ],
    )


@pytest.mark.parametrize("status", AuthorizationStatus)
def test_every_status_is_read(status):
    *_, entries = read_local_list(request([{"idTag": "A", "idTagInfo": {"status": status.value}}]))
    assert entries == [ListEntry("A", IdTagInfo(status))]


@pytest.mark.parametrize(
    "payload",
    [
        request(None),
        request([]),
        {**request(None), "localAuthorizationList": None},
    ],
)
def test_an_absent_list_is_an_empty_one(payload):
    assert read_local_list(payload) == (1, ListUpdateKind.FULL, [])


def test_nulls_where_fields_are_optional_mean_that_they_are_absent():
    info = {"status": "Accepted", "expiryDate": None, "parentIdTag": None}
    payload = request([{"idTag": "A", "idTagInfo": info}, {"idTag": "B", "idTagInfo": None}])
    *_, entries = read_local_list(payload)
    assert entries == [
        ListEntry("A", IdTagInfo(AuthorizationStatus.ACCEPTED)),
        ListEntry("B", None),
    ]


def entry(**info: Any) -> list[dict[str, Any]]:
    return [{"idTag": "A", "idTagInfo": {**ACCEPTED, **info}}]


BAD_SHAPES = [
    (None, "ProtocolError", "lacks listVersion"),
    ([], "FormationViolation", "not an object"),
    ("text", "FormationViolation", "not an object"),
    ({"updateType": "Full"}, "ProtocolError", "lacks listVersion"),
    ({"listVersion": 1}, "ProtocolError", "lacks updateType"),
    ({**request([]), "more": 1}, "FormationViolation", "unknown fields: more"),
    (request([], version="1"), "TypeConstraintViolation", "listVersion is not of type integer"),
    (request([], version=True), "TypeConstraintViolation", "listVersion is not of type integer"),
    (request([], version=1.5), "TypeConstraintViolation", "listVersion is not of type integer"),
    (request([], version=None), "TypeConstraintViolation", "listVersion is not of type integer"),
    (request([], kind="full"), "PropertyConstraintViolation", "updateType breaks the rule enum"),
    (request([], kind="Clear"), "PropertyConstraintViolation", "updateType breaks the rule enum"),
    (request([], kind=1), "TypeConstraintViolation", "updateType is not of type string"),
    (request({}), "TypeConstraintViolation", "localAuthorizationList is not of type array"),
    (request(["A"]), "TypeConstraintViolation", "localAuthorizationList.0 is not of type object"),
    (request([{}]), "ProtocolError", "localAuthorizationList.0 lacks idTag"),
    (request([{"idTag": 5}]), "TypeConstraintViolation", "0.idTag is not of type string"),
    (request([{"idTag": None}]), "TypeConstraintViolation", "0.idTag is not of type string"),
    (
        request([{"idTag": "A"}, {"idTag": "B" * 21}]),
        "PropertyConstraintViolation",
        "localAuthorizationList.1.idTag is longer than 20 characters",
    ),
    (request([{"idTag": "\u00e9"}]), "PropertyConstraintViolation", "not printable ASCII"),
    (request([{"idTag": "A", "x": 1}]), "FormationViolation", "0 has unknown fields: x"),
    (
        request([{"idTag": "A", "idTagInfo": []}]),
        "TypeConstraintViolation",
        "0.idTagInfo is not of type object",
    ),
    (
        request([{"idTag": "A", "idTagInfo": {}}]),
        "ProtocolError",
        "0.idTagInfo lacks status",
    ),
    (request(entry(status="accepted")), "PropertyConstraintViolation", "status breaks the rule"),
    (request(entry(status=None)), "TypeConstraintViolation", "status is not of type string"),
    (request(entry(expiryDate="soon")), "PropertyConstraintViolation", "not a date and time"),
    (request(entry(expiryDate=2027)), "TypeConstraintViolation", "expiryDate is not of type"),
    (request(entry(parentIdTag=7)), "TypeConstraintViolation", "parentIdTag is not of type"),
    (request(entry(parentIdTag="P" * 21)), "PropertyConstraintViolation", "longer than 20"),
    (request(entry(note="x")), "FormationViolation", "unknown fields: note"),
]


@pytest.mark.parametrize(("payload", "code", "words"), BAD_SHAPES)
def test_a_wrong_shape_is_refused_with_the_code_of_its_fault(payload, code, words):
    with pytest.raises(CallRefused) as refused:
        read_local_list(payload)
    assert refused.value.code == code
    assert words in refused.value.description


@pytest.mark.parametrize(
    ("payload", "code"),
    # dates and ASCII are not in the schema
    [
        (payload, code)
        for payload, code, words in BAD_SHAPES
        if not {"date", "ASCII"} & {*words.split()}
    ],
)
def test_the_lean_check_and_the_schema_give_the_same_code(payload, code):
    with pytest.raises(CallRefused) as refused:
        check_call("SendLocalList", payload)
    assert refused.value.code == code


def test_no_other_action_escapes_its_schema():
    assert "SendLocalList" in CHECKED_BY_HANDLER


# --- large frames --------------------------------------------------------------------------------

CALL = '[2,"id","SendLocalList",'
NO_VALUE = "PropertyConstraintViolation"


def test_a_large_frame_is_read_as_a_small_one_is():
    for count in (1, 2000):
        content = [2, "id-1", "SendLocalList", request(many(count))]
        text = json.dumps(content)
        call = parse(text)
        assert isinstance(call, Call)
        assert [2, call.unique_id, call.action, call.payload] == content
        assert call.is_large == (len(text) > LARGE_FRAME)
        assert parse(text.encode()) == call


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ("[2", BadFrame("it is not JSON: Expecting ',' delimiter")),
        (CALL + "NaN]", BadCall("id", "FormationViolation", "it is not JSON: NaN is no number")),
        (CALL + "1e999]", BadCall("id", NO_VALUE, "it holds a number that is out of range")),
        ('[2,"id"]', BadCall("id", "FormationViolation", "a call has 4 elements, this has 2")),
        (CALL + '"\\ud800"]', BadCall("id", NO_VALUE, "it holds characters that do not exist")),
    ],
)
def test_a_large_frame_that_is_wrong_is_refused_as_a_small_one_is(text, frame):
    assert parse(text) == frame
    assert parse(text.replace("2", "2" + " " * AT_ONCE_MAX, 1)) == frame


TOO_LONG = "it is too long: only SendLocalList may be so long"
TOO_MUCH = "it holds more than 100000 values or 30000 lists and objects"
ARRAYS = f"[{','.join(['[]'] * 200_000)}]"


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        (f'[2,"id","SetChargingProfile",{ARRAYS}]', BadCall("id", "GenericError", TOO_LONG)),
        (f'[2,"id","Reset",{{"type":"{"x" * 70_000}"}}]', BadCall("id", "GenericError", TOO_LONG)),
        (f'[2,"id",{ARRAYS}]', BadCall("id", "GenericError", TOO_MUCH)),
        (f"{CALL}{ARRAYS}]", BadCall("id", "GenericError", TOO_MUCH)),
        (f'[2,"id","SendLocalList",{{}},{ARRAYS[1:]}', BadCall("id", "GenericError", TOO_MUCH)),
        (f'[3,"id",{ARRAYS}]', CallError("id", "GenericError", TOO_LONG)),
        (f'[4,"id","InternalError","",{ARRAYS}]', CallError("id", "GenericError", TOO_LONG)),
        (f'[9,"id",{ARRAYS}]', BadFrame(TOO_LONG)),
        (f"[2,5,{ARRAYS}]", BadFrame(TOO_MUCH)),
        (ARRAYS, BadFrame(TOO_LONG)),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_only_a_local_list_may_be_large_and_all_else_is_refused_by_its_begin(text, frame):
    assert parse(text) == frame


# --- through a whole box, in virtual time --------------------------------------------------------


async def send(box: Box, entries: Any, version: Any = 1, kind: Any = "Full") -> str:
    frame = await box.central_system.send_call("SendLocalList", request(entries, version, kind))
    assert frame[0] == 3, frame
    status: str = frame[2]["status"]
    return status


async def version_of(box: Box) -> int:
    _, _, payload = await box.central_system.send_call("GetLocalListVersion", {})
    version: int = payload["listVersion"]
    return version


async def listed(box: Box) -> list[str]:
    shown = (await box.do("list", what="show"))["shown"]
    return [one["id_tag"] for one in shown]


def tags(*names: str, status: str = "Accepted") -> list[dict[str, Any]]:
    return [{"idTag": name, "idTagInfo": {"status": status}} for name in names]


async def test_a_list_is_sent_changed_compared_and_emptied(tmp_path):
    async with running_box(tmp_path) as box:
        assert await version_of(box) == 0
        assert await send(box, tags("A", "B"), 3) == "Accepted"
        assert await version_of(box) == 3
        assert await send(box, [*tags("C"), {"idTag": "a"}], 4, "Differential") == "Accepted"
        assert await listed(box) == ["B", "C"]
        assert await send(box, tags("D"), 4, "Differential") == "VersionMismatch"
        assert await send(box, [], 5, "Differential") == "Accepted"
        assert (await version_of(box), await listed(box)) == (5, ["B", "C"])
        assert await send(box, tags("E"), 2) == "Accepted"  # a full list may go back
        assert (await version_of(box), await listed(box)) == (2, ["E"])
        assert await send(box, None, 7) == "Accepted"
        assert (await version_of(box), await listed(box)) == (0, [])
        assert await send(box, tags("F"), 7, "Differential") == "VersionMismatch"
        assert await send(box, tags("F"), 8, "Differential") == "Accepted"
        assert await version_of(box) == 8


@pytest.mark.parametrize("version", [0, -1, 7])
@pytest.mark.parametrize("entries", [None, []])
async def test_a_full_list_without_entries_empties_it_whatever_its_version(
    tmp_path, entries, version
):
    async with running_box(tmp_path) as box:
        assert await send(box, tags("A", "B"), 3) == "Accepted"
        assert await send(box, entries, version) == "Accepted"
        assert (await version_of(box), await listed(box)) == (0, [])
        assert await send(box, tags("C"), max(1, version + 1), "Differential") == "Accepted"


async def test_a_version_that_no_list_can_have_is_refused_in_words(tmp_path, caplog):
    async with running_box(tmp_path) as box:
        assert await send(box, tags("A"), 2**31) == "Failed"
        assert "a version is a number from 1 to 2147483647" in caplog.text
        assert await send(box, tags("A"), 2**31 - 1) == "Accepted"
        assert await version_of(box) == 2**31 - 1


async def test_a_version_of_an_older_agent_that_is_too_high_does_not_stop_the_list(tmp_path):
    settings = box_settings(tmp_path)
    put_on_list(settings, "OLD", version=2**40)
    box = Box(settings)
    await box.start()
    await box.central_system.received("StatusNotification")
    await box.do("list", what="add", id_tag="NEW")
    assert (await version_of(box), await listed(box)) == (1, ["NEW", "OLD"])
    await box.die()


@pytest.mark.parametrize(
    ("entries", "version", "kind"),
    [
        (tags("A"), 0, "Full"),
        (tags("A"), -1, "Differential"),
        (tags("A"), 2**31, "Full"),
        (tags("A"), 2**63, "Full"),
        ([], 2**31, "Full"),
        ([], 0, "Differential"),
        ([{"idTag": "A"}], 2, "Full"),
        (tags("04ab", "04AB"), 2, "Full"),
        (tags("04ab", "04AB"), 2, "Differential"),
        (tags(""), 2, "Full"),
        (tags("1", "2", "3", "4"), 2, "Full"),  # SendLocalListMaxLength
        (tags("1", "2", "3"), 2, "Differential"),  # LocalAuthListMaxLength, with OLD and OLDER
    ],
)
async def test_an_update_that_fails_leaves_list_and_version(tmp_path, entries, version, kind):
    limits = {"SendLocalListMaxLength": "3", "LocalAuthListMaxLength": "4"}
    async with running_box(tmp_path, **limits) as box:
        assert await send(box, tags("OLD", "OLDER"), 1) == "Accepted"
        assert await send(box, entries, version, kind) == "Failed"
        assert (await version_of(box), await listed(box)) == (1, ["OLD", "OLDER"])
        assert await send(box, tags("NEW"), 2, "Differential") == "Accepted"


async def test_a_list_that_is_switched_off_is_not_supported_and_kept(tmp_path):
    async with running_box(tmp_path) as box:
        assert await send(box, tags("A"), 4) == "Accepted"
        change = {"key": "LocalAuthListEnabled", "value": "false"}
        await box.central_system.send_call("ChangeConfiguration", change)
        assert await send(box, tags("B"), 5) == "NotSupported"
        assert await version_of(box) == -1
        await box.central_system.send_call("ChangeConfiguration", {**change, "value": "true"})
        assert (await version_of(box), await listed(box)) == (4, ["A"])


async def test_a_list_that_is_kept_on_site_is_not_the_central_systems_business(tmp_path):
    settings = box_settings(tmp_path)
    authorization = AuthorizationSettings(local_list_owner="local")
    box = Box(replace(settings, authorization=authorization))
    await box.start()
    await box.central_system.received("StatusNotification")
    await box.do("list", what="add", id_tag="MINE")
    assert await send(box, tags("A"), 5) == "NotSupported"
    assert await version_of(box) == -1
    assert await listed(box) == ["MINE"]
    asked = {"key": ["SupportedFeatureProfiles", "LocalAuthListEnabled"]}
    _, _, answer = await box.central_system.send_call("GetConfiguration", asked)
    (profiles,) = answer["configurationKey"]
    assert "LocalAuthListManagement" not in profiles["value"]
    assert answer["unknownKey"] == ["LocalAuthListEnabled"]
    await box.die()


async def test_a_wrong_shape_is_answered_with_a_call_error_and_changes_nothing(tmp_path):
    async with running_box(tmp_path) as box:
        bad = request([{"idTag": "A" * 21, "idTagInfo": ACCEPTED}])
        frame = await box.central_system.send_call("SendLocalList", bad)
        assert frame[0] == 4
        assert frame[2] == "PropertyConstraintViolation"
        assert await version_of(box) == 0


async def test_the_list_and_its_version_survive_a_restart(tmp_path):
    async with running_box(tmp_path) as box:
        assert await send(box, tags("A", CARD), 12) == "Accepted"
        await box.die()
        await box.start()
        await box.central_system.received("StatusNotification", 4)
        assert (await version_of(box), await listed(box)) == (12, [CARD, "A"])
        assert await send(box, tags("B"), 12, "Differential") == "VersionMismatch"


async def test_the_profile_and_its_limits_are_told(tmp_path):
    async with running_box(tmp_path) as box:
        names = ["SupportedFeatureProfiles", "LocalAuthListMaxLength", "SendLocalListMaxLength"]
        _, _, answer = await box.central_system.send_call("GetConfiguration", {"key": names})
        values = {one["key"]: (one["value"], one["readonly"]) for one in answer["configurationKey"]}
        profiles, is_readonly = values.pop("SupportedFeatureProfiles")
        assert "LocalAuthListManagement" in profiles.split(",")
        assert is_readonly
        assert values == {
            "LocalAuthListMaxLength": ("100000", True),
            "SendLocalListMaxLength": ("10000", True),
        }


async def test_a_repeated_large_frame_is_answered_again_and_not_done_twice(tmp_path):
    async with running_box(tmp_path) as box:
        text = json.dumps([2, "same-id", "SendLocalList", request(many(1000), 3, "Differential")])
        assert len(text) > LARGE_FRAME
        answers = [await box.central_system.answer_to("same-id", text) for _ in range(2)]
        assert [answer[2] for answer in answers] == [{"status": "Accepted"}] * 2


async def test_ten_thousand_entries_come_in_one_frame_and_are_found(tmp_path):
    async with running_box(tmp_path) as box:
        assert await send(box, many(10_000), 1) == "Accepted"
        assert await send(box, many(10_001), 2) == "Failed"
        shown = await box.do("list", what="show", limit=1)
        assert (shown["version"], shown["entries"]) == (1, 10_000)
        await box.plug()
        decision = await box.tap("0400000000270F")  # the last one: 9999
        assert decision["rule"] == "LISTED"


async def test_a_larger_list_comes_as_several_frames(tmp_path):
    async with running_box(tmp_path, SendLocalListMaxLength="1000") as box:
        assert await send(box, many(1000), 1) == "Accepted"
        for number in range(2, 5):
            frame = many(1000, prefix=f"1{number}")
            assert await send(box, frame, number, "Differential") == "Accepted"
        shown = await box.do("list", what="show", limit=1)
        assert (shown["version"], shown["entries"]) == (4, 4000)


async def test_a_large_call_of_another_action_keeps_its_schema(tmp_path):
    async with running_box(tmp_path) as box:
        for key, code in (("x", "OccurenceConstraintViolation"), (5, "TypeConstraintViolation")):
            keys = {"key": [key] * 6000}
            frame = await box.central_system.send_call("GetConfiguration", keys)
            assert frame[:1] + frame[2:3] == [4, code]


async def test_a_call_that_is_too_large_is_answered_and_the_link_goes_on(tmp_path):
    async with running_box(tmp_path) as box:
        text = '[2,"id-%d","DataTransfer",{"vendorId":"x","data":"' + "x" * 100_000 + '"}]'
        for number in range(3):
            answer = await box.central_system.answer_to(f"id-{number}", text % number)
            assert answer == [4, f"id-{number}", "GenericError", TOO_LONG, {}]
        assert await send(box, tags(CARD)) == "Accepted"
        assert len(box.central_system.wires) == 1


async def test_a_contradicting_answer_is_reported_once(tmp_path):
    async with running_box(tmp_path, LocalPreAuthorize="false") as box:
        assert await send(box, tags(CARD), 1) == "Accepted"
        box.central_system.always("Authorize", Answer({"idTagInfo": {"status": "Blocked"}}))
        before = len(box.central_system.of("StatusNotification"))
        assert (await box.tap(CARD))["rule"] == "CENTRAL_REFUSED"
        report = await box.central_system.received("StatusNotification", before + 1)
        assert report.payload["connectorId"] == 0
        assert report.payload["errorCode"] == "LocalListConflict"
        assert report.payload["status"] == "Available"
        assert CARD not in report.payload["info"]
        await asyncio.sleep(10)
        assert (await box.tap(CARD))["rule"] == "CENTRAL_REFUSED"
        await asyncio.sleep(10)
        assert len(box.central_system.of("StatusNotification")) == before + 1


# --- over a real WebSocket, with real threads ----------------------------------------------------

HELD_MAX_S = 0.25  # generous; the bench has the real figure


@pytest.mark.real_time
async def test_the_loop_goes_on_while_ten_thousand_entries_come_over_a_websocket(tmp_path: Path):
    system = FakeCentralSystem()
    async with system.serve() as url, asyncio.timeout(60):
        settings = box_settings(tmp_path, url)
        world = Environment(control_path=tmp_path / "control.sock")
        application = Application(settings, simulate=True, world=world)
        run = asyncio.create_task(application.run())
        await system.received("StatusNotification", 2)
        frames = [frame_of(many(10_000), 1, "Full"), frame_of(many(5000), 2, "Differential")]
        async with holds_of_the_loop() as holds:
            for number, text in enumerate(frames):
                answer = await system.answer_to(f"id-{number + 1}", text)
                assert answer[2] == {"status": "Accepted"}
        assert holds.worst_s < HELD_MAX_S
        shown = await application.actions["list"]({"what": "show", "limit": 1})
        assert (shown["version"], shown["entries"]) == (2, 10_000)
        application.shut_down()
        await run


def frame_of(entries: Sequence[dict[str, Any]], version: int, kind: str) -> str:
    return json.dumps([2, f"id-{version}", "SendLocalList", request(entries, version, kind)])
