"""The link comes back by itself, without storms, and says what is wrong."""

from __future__ import annotations

import asyncio
import itertools
import logging
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from agent.config.settings import CentralSystemSettings, ChargePointSettings
from agent.core.certificates import TrustedRoots
from agent.core.commands import Authorize, DeliverNext, NotifyStatus
from agent.core.events import AuthorizeAnswered, LinkAccepted, LinkLost
from agent.core.values import Status, StatusReport
from agent.ocppj.connect import prepare_access
from tests.emulators.central_system import (
    Error,
    FakeCentralSystem,
    HangUp,
    MemoryWire,
    Reaction,
    Silence,
)
from tests.emulators.virtual_clock import NOON, VirtualClock
from tests.ocpp16.rig import TAG, Rig, accepted, running

NEVER_RESOLVED = InvalidStatus(Response(404, "Not Found", Headers()))


def gaps(rig: Rig) -> list[float]:
    times = [attempt.at_s for attempt in rig.system.attempts]
    return [later - earlier for earlier, later in itertools.pairwise(times)]


# --- connecting ----------------------------------------------------------------------------------


async def test_the_address_carries_the_identity_and_the_header_the_password(tmp_path: Path):
    (tmp_path / "key").write_text("4F43415F4F4354545F61646D696E5F74657374")
    settings = CentralSystemSettings(
        url="ws://cs.example.net/ocpp",
        security_profile=1,
        authorization_key_file=str(tmp_path / "key"),
    )
    async with accepted(Rig(FakeCentralSystem(), settings=settings)) as rig:
        attempt = rig.system.attempts[0]
        assert attempt.url == "ws://cs.example.net/ocpp/CP7"
        assert attempt.headers == {"Authorization": "Basic Q1A3Ok9DQV9PQ1RUX2FkbWluX3Rlc3Q="}
        assert attempt.ssl is None


async def test_the_very_first_attempt_comes_at_once():
    async with running(Rig(FakeCentralSystem())) as rig:
        begun_s = asyncio.get_running_loop().time()
        await rig.inbox.posted(LinkAccepted)
        assert rig.system.attempts[0].at_s == begun_s


async def test_a_password_file_that_appears_later_is_used_without_a_restart(tmp_path: Path):
    settings = CentralSystemSettings(
        url="ws://cs.example.net/ocpp",
        security_profile=1,
        authorization_key_file=str(tmp_path / "key"),
    )
    async with running(Rig(FakeCentralSystem(), settings=settings)) as rig:
        lost = await rig.inbox.posted(LinkLost)
        assert "cannot use the password file" in lost.problem
        (tmp_path / "key").write_text("sixteen chars ok")
        await rig.inbox.posted(LinkAccepted)


async def test_without_central_system_the_link_rests():
    async with running(Rig(FakeCentralSystem(), settings=CentralSystemSettings())) as rig:
        await asyncio.sleep(86_400)
        assert rig.inbox.events == [LinkLost("no central system is configured")]
        assert rig.system.attempts == []
        assert rig.link.snapshot().url == ""


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (ConnectionRefusedError(111, "refused"), "nothing listens"),
        (NEVER_RESOLVED, "HTTP 404"),
        (TimeoutError(), "did not answer in time"),
        (EOFError(), "does not answer like a WebSocket server"),
    ],
)
async def test_whatever_refuses_the_link_never_gives_up_and_never_storms(
    problem: BaseException, words: str
):
    system = FakeCentralSystem(refuse_always=problem)
    async with running(Rig(system)) as rig:
        await asyncio.sleep(86_400)
        assert 280 <= len(system.attempts) <= 320
        assert min(gaps(rig)) >= 3
        assert max(gaps(rig)) <= 300
        assert len(set(gaps(rig))) == len(gaps(rig))  # jitter on every one of them
        # The same problem reaches the core once.
        assert [words in lost.problem for lost in rig.inbox.of(LinkLost)] == [True]
        system.refuse_always = None
        await rig.inbox.posted(LinkAccepted)


async def test_a_mistake_of_ours_in_connecting_is_logged_and_tried_again(
    caplog: pytest.LogCaptureFixture,
):
    system = FakeCentralSystem()
    system.next("BootNotification", HangUp())
    rig = Rig(system)

    async def broken(*args: object, **kwargs: object) -> MemoryWire:
        wire = await system.connect(*args, **kwargs)  # type: ignore[arg-type]
        if len(system.attempts) == 1:
            wire.receive = lambda: 1 / 0  # type: ignore[assignment,method-assign]
        return wire  # type: ignore[return-value]

    rig.link = rig.make_link(broken)
    async with running(rig):
        await rig.inbox.posted(LinkAccepted)
    assert any(record.exc_info for record in caplog.records)


async def test_a_server_that_accepts_and_closes_causes_no_storm():
    system = FakeCentralSystem(closes_at_once=True)
    async with running(Rig(system)) as rig:
        await asyncio.sleep(3600)
        assert len(system.attempts) < 25
        assert gaps(rig)[-1] >= 280
        assert rig.inbox.of(LinkAccepted) == []


async def test_a_server_that_closes_after_the_boot_causes_no_storm_either():
    async with accepted() as rig:
        for _ in range(20):
            await rig.system.drop()
            await rig.inbox.posted(LinkAccepted, len(rig.inbox.of(LinkAccepted)) + 1)
        assert gaps(rig)[-1] >= 280


REPORT = NotifyStatus(StatusReport(1, Status.AVAILABLE))


async def test_a_link_that_carried_something_is_come_back_to_within_2_s_each_time():
    async with accepted() as rig:
        for round_number in range(8):
            rig.link.perform(REPORT)
            await rig.system.received("StatusNotification", round_number + 1)
            await asyncio.sleep(5)
            await rig.system.drop()
            await rig.inbox.posted(LinkAccepted, 2 + round_number)
        assert max(gaps(rig)) <= 5 + 2.1


async def test_a_server_that_answers_one_call_and_closes_for_ever_causes_no_storm():
    async with accepted() as rig:
        begun_s = asyncio.get_running_loop().time()
        rounds = 0
        while asyncio.get_running_loop().time() < begun_s + 7200:
            rounds += 1
            rig.link.perform(REPORT)
            await rig.system.received("StatusNotification", rounds)
            await asyncio.sleep(0.1)
            await rig.system.drop()
            await rig.inbox.posted(LinkAccepted, 1 + rounds)
        assert rounds < 12 * (10 + 8)
        assert max(gaps(rig)) > 100  # the doubling has the last word


@pytest.mark.parametrize("reaction", [Error("InternalError", "not today"), Silence()])
async def test_a_link_over_which_nothing_of_ours_was_answered_has_not_worked(reaction: Reaction):
    async with accepted() as rig:
        rig.system.always("StatusNotification", reaction)
        for round_number in range(6):
            rig.link.perform(REPORT)
            await rig.system.received("StatusNotification", round_number + 1)
            await asyncio.sleep(1)
            await rig.system.drop()
            await rig.inbox.posted(LinkAccepted, 2 + round_number)
        assert gaps(rig)[-1] > 90


async def test_after_a_stable_link_the_next_attempt_comes_within_2_s():
    async with accepted() as rig:
        for round_number in range(5):
            await asyncio.sleep(31)
            lost_s = asyncio.get_running_loop().time()
            await rig.system.drop()
            await rig.inbox.posted(LinkAccepted, 2 + round_number)
            assert asyncio.get_running_loop().time() - lost_s <= 2.1


async def test_a_server_without_the_subprotocol_is_a_failed_attempt_and_hears_nothing():
    for subprotocol in (None, "ocpp2.0.1"):
        system = FakeCentralSystem(subprotocol=subprotocol)
        async with running(Rig(system)) as rig:
            lost = await rig.inbox.posted(LinkLost)
            assert "does not speak OCPP 1.6" in lost.problem
            await asyncio.sleep(3600)
            assert system.frames == []
            assert all(wire.is_closed for wire in system.wires)
            assert len(system.attempts) < 25


async def test_a_connection_attempt_that_hangs_is_given_up():
    rig = Rig(FakeCentralSystem())

    async def hangs(*args: object, **kwargs: object) -> MemoryWire:
        rig.system.attempts.append(None)  # type: ignore[arg-type]
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    rig.link = rig.make_link(hangs)
    async with running(rig):
        await asyncio.sleep(120)
        assert len(rig.system.attempts) >= 3


# --- a line that dies ----------------------------------------------------------------------------


async def test_a_half_open_connection_is_found_by_one_missed_pong():
    async with accepted() as rig:
        await asyncio.sleep(100)
        rig.system.half_open()
        dead_s = asyncio.get_running_loop().time()
        lost = await rig.inbox.posted(LinkLost)
        assert "no answer to a ping within 10 s" in lost.problem
        assert asyncio.get_running_loop().time() - dead_s <= 30 + 10 + 0.1
        await rig.inbox.posted(LinkAccepted, 2)


async def test_the_last_pong_is_told_with_its_time_as_long_as_the_connection_lasts():
    async with accepted() as rig:
        assert rig.link.snapshot().last_pong_at is None
        rig.system.wires[0].pong_after_s = 0.25
        await asyncio.sleep(95)
        snapshot = rig.link.snapshot()
        assert snapshot.last_pong_took_s == 0.25
        pinged_s = rig.system.wires[0].pings[-1]
        assert snapshot.last_pong_at is not None
        assert (snapshot.last_pong_at - NOON).total_seconds() == pytest.approx(
            pinged_s + 0.25, abs=0.01
        )
        rig.system.half_open()
        await rig.inbox.posted(LinkLost)
        assert rig.link.snapshot().last_pong_at is None


async def test_the_ping_interval_acts_at_once_and_0_ends_the_pings():
    async with accepted() as rig:
        wire = rig.system.wires[0]
        await asyncio.sleep(95)
        assert wire.pings == pytest.approx([30, 60, 90], abs=3)
        rig.set_key("WebSocketPingInterval", "4")
        await asyncio.sleep(9)
        assert len(wire.pings) == 5
        rig.set_key("WebSocketPingInterval", "0")
        await asyncio.sleep(1000)
        assert len(wire.pings) == 5
        rig.set_key("WebSocketPingInterval", "100")
        await asyncio.sleep(101)
        assert len(wire.pings) == 6


async def test_other_keys_that_change_all_the_time_put_no_ping_off():
    async with accepted() as rig:
        for number in range(95):
            rig.set_key("ConnectionTimeOut", str(60 + number % 2))
            await asyncio.sleep(1)
        assert rig.system.wires[0].pings == pytest.approx([30, 60, 90], abs=3)


async def test_the_pong_may_take_no_longer_than_a_short_interval():
    async with accepted() as rig:
        rig.set_key("WebSocketPingInterval", "4")
        await asyncio.sleep(1)
        rig.system.half_open()
        lost = await rig.inbox.posted(LinkLost)
        assert "within 4 s" in lost.problem


async def test_a_jammed_line_is_given_up_after_10_s():
    async with accepted() as rig:
        rig.set_key("WebSocketPingInterval", "0")
        rig.system.wires[0].blocks_sending = True
        rig.link.perform(NotifyStatus(StatusReport(1, Status.AVAILABLE)))
        lost = await rig.inbox.posted(LinkLost)
        assert lost.problem == "nothing could be sent for 10 s"


async def test_the_loss_is_told_before_the_old_connection_is_closed():
    class SlowToClose(MemoryWire):
        async def close(self, code: int = 1000, reason: str = "") -> None:
            await asyncio.sleep(60)

    async with accepted() as rig:
        rig.system.wires[0].__class__ = SlowToClose
        await asyncio.sleep(60)
        dropped_s = asyncio.get_running_loop().time()
        await rig.system.drop()
        await rig.inbox.posted(LinkLost)
        assert asyncio.get_running_loop().time() - dropped_s < 0.1
        await rig.inbox.posted(LinkAccepted, 2)
        assert asyncio.get_running_loop().time() - dropped_s < 8


async def test_the_loss_is_told_at_once_although_a_call_is_still_in_work():
    async with accepted() as rig:
        rig.inbox.reply_after_s = 100
        asked = asyncio.ensure_future(rig.system.send_call("ClearCache", {}))
        await asyncio.sleep(50)
        dropped_s = asyncio.get_running_loop().time()
        await rig.system.drop()
        await rig.inbox.posted(LinkLost)
        assert asyncio.get_running_loop().time() - dropped_s < 0.1
        asked.cancel()


# --- what is not sent while there is no link -----------------------------------------------------


async def test_orders_without_a_link_are_forgotten_not_kept():
    rig = Rig(FakeCentralSystem())
    rig.link.perform(NotifyStatus(StatusReport(1, Status.AVAILABLE)))
    rig.link.perform(DeliverNext(up_to=9))
    rig.set_key("HeartbeatInterval", "100")
    async with accepted(rig):
        await asyncio.sleep(50)
        assert [call.action for call in rig.system.calls] == ["BootNotification"]


async def test_an_order_that_waited_when_the_link_was_lost_is_not_sent_on_the_next_one():
    async with accepted() as rig:
        rig.system.next("Authorize", Silence())
        rig.link.perform(Authorize(TAG, 60.0))
        rig.link.perform(NotifyStatus(StatusReport(1, Status.AVAILABLE)))
        rig.link.perform(DeliverNext(up_to=9))
        await rig.system.received("Authorize")
        await rig.system.drop()
        await rig.inbox.posted(LinkAccepted, 2)
        await asyncio.sleep(20)
        assert [call.action for call in rig.system.calls] == ["BootNotification", "Authorize"]


# --- the end -------------------------------------------------------------------------------------


async def test_an_answer_that_is_nearly_ready_still_goes_out_when_the_agent_ends():
    async with accepted() as rig:
        rig.inbox.reply_after_s = 0.3
        answer = asyncio.ensure_future(rig.system.send_call("Reset", {"type": "Soft"}))
        await asyncio.sleep(0.1)
    assert (await answer)[2] == {"status": "Accepted"}
    assert rig.system.wires[0].is_closed


async def test_the_end_of_the_agent_leaves_no_task_behind():
    before = asyncio.all_tasks()
    async with accepted() as rig:
        rig.inbox.reply_after_s = 1000
        rig.link.perform(Authorize(TAG, 5.0))
        await rig.inbox.posted(AuthorizeAnswered)
        asked = asyncio.ensure_future(rig.system.send_call("Reset", {"type": "Soft"}))
        await asyncio.sleep(0.1)
        asked.cancel()
    await asyncio.sleep(1)
    assert asyncio.all_tasks() == before


# --- what is shown -------------------------------------------------------------------------------


async def test_the_snapshot_tells_how_the_link_is_doing():
    system = FakeCentralSystem(refuse_always=ConnectionRefusedError(111, "refused"))
    rig = Rig(system, charge_point=ChargePointSettings(identity="Garage 7"))
    before = rig.link.snapshot()
    assert (before.is_accepted, before.last_problem, before.next_try_in_s) == (False, "", None)
    async with running(rig):
        await rig.inbox.posted(LinkLost)
        waiting = rig.link.snapshot()
        assert waiting.url == "ws://cs.example.net/ocpp/Garage%207"
        assert "nothing listens" in waiting.last_problem
        assert waiting.next_try_in_s is not None
        assert 3 <= waiting.next_try_in_s <= 13
        system.refuse_always = None
        await rig.inbox.posted(LinkAccepted)
        system.always("Authorize", Silence())
        rig.link.perform(Authorize(TAG, 60.0))
        rig.link.perform(Authorize(TAG, 60.0))
        await system.received("Authorize")
        connected = rig.link.snapshot()
        assert connected.is_accepted
        assert connected.registration == "Accepted"
        assert connected.connected_since is not None
        assert connected.next_try_in_s is None
        assert (connected.in_flight, connected.waiting) == ("Authorize", 1)


async def test_a_password_in_the_address_is_refused_and_never_shown():
    settings = CentralSystemSettings(url="ws://me:s3cret@cs.example.net/ocpp")
    async with running(Rig(FakeCentralSystem(), settings=settings)) as rig:
        lost = await rig.inbox.posted(LinkLost)
        assert "authorization_key_file" in lost.problem
        assert "s3cret" not in repr(rig.link.snapshot()) + lost.problem


async def test_a_certificate_refused_in_1970_is_blamed_on_the_clock():
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    rig = Rig(
        FakeCentralSystem(refuse_always=error),
        clock=VirtualClock(datetime(1970, 1, 1, tzinfo=UTC)),
    )
    async with running(rig):
        assert "clock of this box may be wrong" in (await rig.inbox.posted(LinkLost)).problem


async def test_what_a_connection_trusted_is_tried_first_by_the_next(monkeypatch):
    together, alone = TrustedRoots("two of one name"), TrustedRoots("one of them", False)
    trusted = []

    def prepare(settings, charge_point, profile, roots, own):
        trusted.append(roots)
        return prepare_access(settings, charge_point, profile)

    monkeypatch.setattr("agent.ocpp16.websocket_opener.prepare_access", prepare)
    rig = Rig(FakeCentralSystem(), roots=(together, alone))
    rig.system.refusals.append(ssl.SSLCertVerificationError(1, "certificate verify failed"))
    async with accepted(rig):
        rig.system.wires[0].break_off()
        await rig.inbox.posted(LinkAccepted, count=2)
    assert trusted == [together, alone, alone]


async def test_no_log_shows_a_whole_tag_or_a_key(caplog: pytest.LogCaptureFixture, tmp_path: Path):
    caplog.set_level(logging.DEBUG)
    (tmp_path / "key").write_text("s3cret-s3cret-s3cret")
    settings = CentralSystemSettings(
        url="ws://cs.example.net/ocpp",
        security_profile=1,
        authorization_key_file=str(tmp_path / "key"),
    )
    async with accepted(Rig(FakeCentralSystem(), settings=settings)) as rig:
        rig.link.perform(Authorize(TAG, 5.0))
        await rig.inbox.posted(AuthorizeAnswered)
        await rig.system.send_call("RemoteStartTransaction", {"idTag": TAG})
        await rig.system.send_call(
            "ChangeConfiguration", {"key": "AuthorizationKey", "value": "0badc0de" * 4}
        )
    assert "04..80" in caplog.text
    for secret in (TAG, "s3cret", "0badc0de", "Basic "):
        assert secret not in caplog.text
    assert not [record for record in caplog.records if record.name.startswith("ocpp")]
