"""SignCertificate: sent as the core orders, and every way that it may end is told to the core."""

from __future__ import annotations

import pytest

from agent.core.own_certificates import (
    CertificateRequest,
    CertificateRequestAnswered,
    CertificateWanted,
    SendCertificateRequest,
    SigningTriggered,
)
from agent.ocppj.send_queue import TRIGGERED_MAX
from tests.core.story import a_charge_point
from tests.emulators.central_system import Answer, Error, FakeCentralSystem, HangUp, Late, Silence
from tests.ocpp16.rig import Rig, accepted
from tests.ocpp16.test_remote_trigger import EXTENDED, a_rig, ask

TRIGGER = "SignChargePointCertificate"
ORDER = SendCertificateRequest(CertificateRequest("key", "the request"))


async def test_the_answer_to_the_trigger_is_out_before_a_key_pair_is_ordered():
    async with accepted(a_rig(a_charge_point())) as rig:
        assert await ask(rig, TRIGGER, EXTENDED) == "Accepted"
        assert isinstance(rig.inbox.requests[-1], SigningTriggered)
        await rig.inbox.posted(CertificateWanted)


async def test_a_trigger_that_the_core_rejects_orders_nothing():
    async with accepted(a_rig(a_charge_point())) as rig:
        rig.inbox.reply = "Rejected"
        assert await ask(rig, TRIGGER, EXTENDED) == "Rejected"
        assert rig.inbox.of(CertificateWanted) == []


@pytest.mark.parametrize(
    ("reaction", "words"),
    [
        (Answer({"status": "Accepted"}), ""),
        (Answer({"status": "accepted", "more": 1}), ""),
        (Answer({"status": "Rejected"}), "'Rejected'"),
        (Answer([]), "None"),
        (Error("NotImplemented", "what?"), "what?"),
        (Silence(), "no answer to SignCertificate within 30 s"),
        (HangUp(), "the connection broke off"),
    ],
)
async def test_what_became_of_it_is_told(reaction: Answer | Error | Silence | HangUp, words: str):
    async with accepted(Rig(FakeCentralSystem())) as rig:
        rig.system.next("SignCertificate", reaction)
        rig.link.perform(ORDER)
        told = await rig.inbox.posted(CertificateRequestAnswered)
        assert told.key == "key"
        assert words in told.problem
        assert bool(told.problem) == bool(words)
        assert [call.payload for call in rig.system.of("SignCertificate")] == [
            {"csr": "the request"}
        ]


async def test_a_late_answer_counts():
    async with accepted(Rig(FakeCentralSystem())) as rig:
        rig.set_key("MessageTimeout", "5")
        rig.system.next("SignCertificate", Late(8))
        rig.link.perform(ORDER)
        assert (await rig.inbox.posted(CertificateRequestAnswered)).problem
        assert await rig.inbox.posted(CertificateRequestAnswered, 2) == CertificateRequestAnswered(
            "key"
        )


async def test_without_a_link_or_a_place_it_is_told_at_once():
    rig = Rig(FakeCentralSystem())
    rig.link.perform(ORDER)
    assert (await rig.inbox.posted(CertificateRequestAnswered)).problem.startswith("there is no")
    async with accepted(Rig(FakeCentralSystem())) as rig:
        rig.system.next("SignCertificate", Silence())
        for _ in range(TRIGGERED_MAX + 1):
            rig.link.perform(ORDER)
        told = await rig.inbox.posted(CertificateRequestAnswered)
        assert told.problem == "too many messages wait already"
