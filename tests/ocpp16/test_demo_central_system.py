"""The demonstration central system, with the real link on the other side."""

from __future__ import annotations

import asyncio

import pytest

from agent.config.settings import CentralSystemSettings, ChargePointSettings
from agent.core.commands import Authorize, DeliverNext, NotifyStatus
from agent.core.events import AuthorizeAnswered, LinkAccepted, MessageAnswered
from agent.core.values import AuthorizationStatus, Status, StatusReport
from agent.ocpp16.demo_central_system import DemoCentralSystem
from agent.ocpp16.version import connect_websocket
from tests.emulators.central_system import FakeCentralSystem
from tests.emulators.virtual_clock import NOON
from tests.ocpp16.rig import SAMPLE, START, STOP, Rig, row, running

pytestmark = pytest.mark.real_time


def demo_rig(demo: DemoCentralSystem) -> Rig:
    rig = Rig(
        FakeCentralSystem(),
        settings=CentralSystemSettings(url=demo.url),
        charge_point=ChargePointSettings(identity="Garage 7"),
    )
    rig.link = rig.make_link(connect_websocket)
    return rig


async def test_a_whole_session_is_told_in_plain_words():
    said: list[str] = []
    demo = DemoCentralSystem(port=0, say=said.append, now=lambda: NOON)
    async with asyncio.timeout(20), demo:
        rig = demo_rig(demo)
        async with running(rig):
            await rig.inbox.posted(LinkAccepted)
            assert rig.clock.learned == [NOON]
            rig.link.perform(NotifyStatus(StatusReport(1, Status.FAULTED, "GroundFailure")))
            for tag in ("044943121f1a80", "DEADBEEF", "12345678"):
                rig.link.perform(Authorize(tag, 5.0))
            await rig.inbox.posted(AuthorizeAnswered, 3)
            for number, message in enumerate((START, SAMPLE, STOP), start=1):
                rig.outbox.append(row(number, message, transaction_id=1))
                rig.link.perform(DeliverNext(up_to=9))
                await rig.inbox.posted(MessageAnswered, number)
                rig.outbox.clear()
    answers = [answer.info for answer in rig.inbox.of(AuthorizeAnswered)]
    assert [info.status for info in answers] == [
        AuthorizationStatus.ACCEPTED,
        AuthorizationStatus.BLOCKED,
        AuthorizationStatus.INVALID,
    ]
    assert answers[0].parent_id_tag == "FAMILY"
    assert said[:2] == [
        "Garage 7 is connected",
        "Garage 7 has started (chargepoint-agent agent): accepted",
    ]
    assert set(said[2:]) >= {
        "Garage 7: connector 1 is Faulted (GroundFailure)",
        "Garage 7 asks about card 04..80: Accepted",
        "Garage 7 asks about card DE..EF: Blocked",
        "Garage 7: transaction 1 begins at connector 1 with card 04..80 at 1234 Wh: Accepted",
        "Garage 7: the meter of connector 1 says 1500 Wh",
        "Garage 7: transaction 1 ends at 2000 Wh (Local)",
        "Garage 7 is gone",
    }


async def test_a_repeated_start_gets_the_same_transaction_id():
    demo = DemoCentralSystem(port=0, say=lambda sentence: None)
    async with asyncio.timeout(20), demo:
        rig = demo_rig(demo)
        async with running(rig):
            await rig.inbox.posted(LinkAccepted)
            for count, sequence in enumerate((1, 1, 2), start=1):
                rig.outbox.append(row(sequence, START))
                rig.link.perform(DeliverNext(up_to=9))
                await rig.inbox.posted(MessageAnswered, count)
                rig.outbox.clear()
    ids = [answer.transaction_id for answer in rig.inbox.of(MessageAnswered)]
    assert ids == [1, 1, 2]
