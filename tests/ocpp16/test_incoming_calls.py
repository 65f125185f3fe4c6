"""Calls of the central system: answered in parallel, never trusted, never executed twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from agent.core.commands import Authorize
from agent.core.configuration import KEYS
from agent.core.events import (
    AuthorizeAnswered,
    CacheClearRequested,
    ConfigurationChangeRequested,
    Event,
    LinkAccepted,
    LinkLost,
    LinkPending,
    RemoteStartRequested,
    RemoteStopRequested,
    ResetRequested,
    UnlockRequested,
)
from agent.ocpp16.handlers.core import core_handlers
from agent.ocpp16.schemas import KNOWN_ACTIONS
from agent.ocppj.frames import LARGE_FRAME
from agent.platform.log_lines import AT_ONCE, AT_ONCE_OTHERS, Repetitions
from tests.emulators.central_system import FakeCentralSystem
from tests.ocpp16.rig import TAG, Rig, accepted, running

SUPPORTED = {
    "ChangeAvailability",
    "ChangeConfiguration",
    "ClearCache",
    "DataTransfer",
    "GetConfiguration",
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "Reset",
    "UnlockConnector",
}


# --- what each call becomes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "payload", "event"),
    [
        (
            "RemoteStartTransaction",
            {"idTag": TAG, "connectorId": 2},
            RemoteStartRequested("request-1", TAG, 2),
        ),
        ("RemoteStopTransaction", {"transactionId": -7}, RemoteStopRequested("request-1", -7)),
        ("UnlockConnector", {"connectorId": 0}, UnlockRequested("request-1", 0)),
        ("Reset", {"type": "Hard"}, ResetRequested("request-1", hard=True)),
        ("Reset", {"type": "Soft"}, ResetRequested("request-1", hard=False)),
        ("ClearCache", {}, CacheClearRequested("request-1")),
        (
            "ChangeConfiguration",
            {"key": "heartbeatinterval", "value": "60"},
            ConfigurationChangeRequested("request-1", "heartbeatinterval", "60"),
        ),
    ],
)
async def test_a_call_becomes_an_event_and_its_reply_the_answer(
    action: str, payload: dict[str, Any], event: Event
):
    async with accepted() as rig:
        rig.inbox.reply = "Rejected"
        answer = await rig.system.send_call(action, payload, unique_id="x")
        assert answer == [3, "x", {"status": "Rejected"}]
        assert rig.inbox.requests == [event]


async def test_data_of_a_vendor_is_unknown():
    async with accepted() as rig:
        answer = await rig.system.send_call("DataTransfer", {"vendorId": "net.example"})
        assert answer[2] == {"status": "UnknownVendorId"}


@pytest.mark.parametrize("payload", [{}, {"key": []}, None])
async def test_all_keys_are_told_when_none_is_named(payload: Any):
    async with accepted() as rig:
        answer = await rig.system.send_call("GetConfiguration", payload)
        found = {entry["key"]: entry for entry in answer[2]["configurationKey"]}
        assert set(found) == {key.name for key in KEYS if not key.is_writeonly}
        assert found["HeartbeatInterval"] == {
            "key": "HeartbeatInterval",
            "readonly": False,
            "value": "300",
        }
        assert found["NumberOfConnectors"]["readonly"] is True
        assert "unknownKey" not in answer[2]


async def test_keys_are_found_in_any_case_and_unknown_ones_named_as_asked():
    async with accepted() as rig:
        answer = await rig.system.send_call(
            "GetConfiguration", {"key": ["HEARTBEATINTERVAL", "AuthorizationKey", "Odd"]}
        )
        assert answer[2] == {
            "configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}],
            "unknownKey": ["AuthorizationKey", "Odd"],
        }


async def test_more_keys_than_allowed_are_refused():
    async with accepted() as rig:
        answer = await rig.system.send_call("GetConfiguration", {"key": ["x"] * 101})
        assert answer[0] == 4
        assert answer[2] == "OccurenceConstraintViolation"


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("action", sorted(KNOWN_ACTIONS - SUPPORTED))
async def test_a_known_action_that_is_not_there_is_not_supported(action: str):
    async with accepted() as rig:
        answer = await rig.system.send_call(action, {}, unique_id="x")
        assert answer[:3] == [4, "x", "NotSupported"]


@pytest.mark.parametrize("action", ["", "reset", "Authorization", "../../../etc/passwd", "x" * 500])
async def test_an_unknown_action_is_not_implemented(action: str):
    async with accepted() as rig:
        answer = await rig.system.send_call(action, {}, unique_id="x")
        assert answer[:3] == [4, "x", "NotImplemented"]
        assert len(answer[3]) < 100


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[2,"x"]', "FormationViolation"),
        ('[2,"x","Reset"]', "FormationViolation"),
        ('[2,"x","Reset",{"type":"Hard"},{}]', "FormationViolation"),
        ('[2,"x",5,{}]', "FormationViolation"),
        ('[2,"x","Reset",{}]', "ProtocolError"),
        ('[2,"x","Reset",{"type":"Hard","y":1}]', "FormationViolation"),
        ('[2,"x","Reset",{"type":"Odd"}]', "PropertyConstraintViolation"),
        ('[2,"x","Reset",{"type":[]}]', "TypeConstraintViolation"),
        ('[2,"x","RemoteStartTransaction",{"idTag":"\\u0000"}]', "PropertyConstraintViolation"),
        ('[2,"x","RemoteStartTransaction",{"idTag":"\\ud800"}]', "PropertyConstraintViolation"),
        ('[2,"x","Reset",{"type":"Hard"}', "FormationViolation"),
    ],
)
async def test_a_bad_call_is_answered_with_the_code_of_1_6_and_changes_nothing(
    text: str, code: str
):
    async with accepted() as rig:
        answer = await rig.system.answer_to("x", text)
        assert answer[0] == 4
        assert answer[2] == code
        assert answer[4] == {}
        assert rig.inbox.requests == []


async def test_a_reply_that_does_not_come_in_time_is_an_internal_error():
    async with accepted() as rig:
        rig.inbox.reply = TimeoutError()
        answer = await rig.system.send_call("ClearCache", {})
        assert answer[2:4] == ["InternalError", "not decided in time"]


async def test_a_mistake_of_ours_costs_one_answer_and_not_the_link(
    caplog: pytest.LogCaptureFixture,
):
    async with accepted() as rig:
        rig.inbox.reply = ZeroDivisionError("a mistake")
        answer = await rig.system.send_call("ClearCache", {})
        assert answer[2:4] == ["InternalError", "the charge point has a problem"]
        assert rig.link.snapshot().is_accepted
    assert [record.levelno for record in caplog.records if record.exc_info] == [logging.ERROR]


# --- ids -----------------------------------------------------------------------------------------


async def test_an_id_that_is_still_in_work_is_refused():
    async with accepted() as rig:
        rig.inbox.reply_after_s = 5
        first = asyncio.ensure_future(rig.system.send_call("ClearCache", {}, unique_id="x"))
        await asyncio.sleep(1)
        second = await rig.system.send_call("ClearCache", {}, unique_id="x")
        assert second[2] == "GenericError"
        assert len(rig.inbox.requests) == 1
        first.cancel()


async def test_a_call_that_was_answered_is_answered_again_and_not_executed_again():
    async with accepted() as rig:
        for _ in range(3):
            answer = await rig.system.send_call("Reset", {"type": "Soft"}, unique_id="x")
            assert answer[2] == {"status": "Accepted"}
            rig.inbox.reply = "Rejected"
        assert len(rig.inbox.requests) == 1


async def test_another_question_with_an_old_id_gets_its_own_answer():
    async with accepted() as rig:
        await rig.system.send_call("Reset", {"type": "Soft"}, unique_id="1")
        await rig.system.send_call("Reset", {"type": "Hard"}, unique_id="1")
        assert len(rig.inbox.requests) == 2


async def test_only_the_last_50_answers_are_kept():
    async with accepted() as rig:
        for number in range(51):
            await rig.system.send_call("ClearCache", {}, unique_id=f"id-{number}")
        await rig.system.send_call("ClearCache", {}, unique_id="id-1")
        assert len(rig.inbox.requests) == 51
        await rig.system.send_call("ClearCache", {}, unique_id="id-0")
        assert len(rig.inbox.requests) == 52


# --- many at once --------------------------------------------------------------------------------


async def test_a_slow_call_holds_up_neither_other_calls_nor_our_own():
    async with accepted() as rig:
        rig.inbox.reply_after_s = 20
        slow = asyncio.ensure_future(rig.system.send_call("UnlockConnector", {"connectorId": 1}))
        await asyncio.sleep(0.1)
        begun_s = asyncio.get_running_loop().time()
        await rig.system.send_call("GetConfiguration", {})
        rig.link.perform(Authorize(TAG, 5.0))
        await rig.inbox.posted(AuthorizeAnswered)
        assert asyncio.get_running_loop().time() - begun_s < 0.1
        assert (await slow)[2] == {"status": "Accepted"}


@pytest.mark.parametrize(("blanks", "most"), [(0, 64), (LARGE_FRAME, 4)], ids=["any", "large"])
async def test_only_so_many_calls_are_in_work_at_once(blanks: int, most: int):
    async with accepted() as rig:
        rig.inbox.reply_after_s = 5
        ids = [f"id-{number}" for number in range(most + 4)]
        asked = [
            asyncio.ensure_future(
                rig.system.answer_to(id_, f'[2,"{id_}","ClearCache",{{}}{" " * blanks}]')
            )
            for id_ in ids
        ]
        answers = await asyncio.gather(*asked)
        assert [answer[0] for answer in answers] == [3] * most + [4] * 4
        assert answers[most][2:4] == ["GenericError", "too many calls at once"]
        assert len(rig.inbox.requests) == most


def written(records: Sequence[logging.LogRecord]) -> int:
    """How many lines come of them in the log of a box."""
    repetitions = Repetitions(lambda: 0.0)
    return sum(len(repetitions.take(record)) for record in records)


async def test_malformed_messages_between_good_ones_fill_no_log(caplog: pytest.LogCaptureFixture):
    async with accepted() as rig:
        for number in range(300):
            await rig.system.send_raw("nonsense")
            await rig.system.send_call("ClearCache", {}, unique_id=str(number))
    bad = [record for record in caplog.records if "A bad message came" in record.message]
    assert len(bad) == 300
    assert written(bad) == AT_ONCE[logging.WARNING]


async def test_a_flood_of_calls_on_a_jammed_line_is_bounded(caplog: pytest.LogCaptureFixture):
    async with accepted() as rig:
        rig.system.wires[0].blocks_sending = True
        for number in range(500):
            await rig.system.send_raw(f'[2,"id-{number}","ClearCache",{{}}]')
        await asyncio.sleep(1)
        assert len(asyncio.all_tasks()) < 150
    dropped = [record for record in caplog.records if "one is dropped" in record.message]
    assert len(dropped) == 500 - 128
    assert written(dropped) == AT_ONCE[logging.WARNING]


async def test_calls_that_come_before_the_acceptance_are_not_told_one_by_one(
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.INFO)
    system = FakeCentralSystem(boot_status="Rejected")
    async with running(Rig(system)) as rig:
        await rig.inbox.posted(LinkPending)
        for number in range(22):
            await system.send_raw(f'[2,"id-{number}","ClearCache",{{}}]')
            await asyncio.sleep(1)
    lines = [record for record in caplog.records if "is not answered" in record.message]
    assert len(lines) == 22
    assert written(lines) == AT_ONCE_OTHERS


async def test_a_text_that_cannot_be_kept_is_answered_and_the_log_says_why_once(
    caplog: pytest.LogCaptureFixture,
):
    async with accepted() as rig:
        for action in ("ChangeConfiguration", "DataTransfer", "SendLocalList", "GetDiagnostics"):
            answer = await rig.system.answer_to("x", f'[2,"x","{action}",{{"key":"\\ud800"}}]')
            assert answer[2:4] == [
                "PropertyConstraintViolation",
                "it holds characters that do not exist",
            ]
        assert rig.inbox.requests == []
    assert caplog.text.count("characters that do not exist") == 1


# --- nonsense ------------------------------------------------------------------------------------

NONSENSE = ("", "hello", "{}", "[9]", '[2,5,"Reset",{}]', '[3,"nobody",{}]', "[" * 5000)


async def test_nonsense_is_dropped_and_the_link_stays(caplog: pytest.LogCaptureFixture):
    async with accepted() as rig:
        for text in NONSENSE * 12:
            await rig.system.send_raw(text)
        assert (await rig.system.send_call("ClearCache", {}))[0] == 3
        warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert len(warnings) < 30


async def test_more_than_100_bad_messages_in_a_row_close_the_connection():
    async with accepted() as rig:
        for _ in range(100):
            await rig.system.send_raw("hello")
        await asyncio.sleep(1)
        assert rig.link.snapshot().is_accepted
        await rig.system.send_raw("hello")
        lost = await rig.inbox.posted(LinkLost)
        assert "101 bad messages" in lost.problem
        assert rig.system.wires[0].close_code == 1008
        await rig.inbox.posted(LinkAccepted, 2)


async def test_one_good_message_makes_up_for_the_bad_ones_before():
    async with accepted() as rig:
        for _ in range(3):
            for _ in range(60):
                await rig.system.send_raw("hello")
            assert (await rig.system.send_call("ClearCache", {}))[0] == 3
        assert rig.inbox.of(LinkLost) == []


async def test_bytes_are_read_as_text():
    async with accepted() as rig:
        await rig.system.send_raw(b'[2,"x","ClearCache",{}]')  # type: ignore[arg-type]
        answer = await rig.system.send_call("ClearCache", {}, unique_id="y")
        assert answer[0] == 3
        assert len(rig.inbox.requests) == 2


async def test_the_core_profile_is_what_this_file_says():
    rig = Rig(FakeCentralSystem())
    assert set(core_handlers(rig.inbox, lambda: rig.keys)) == SUPPORTED
