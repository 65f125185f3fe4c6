"""What is no proper call, sent by a library that is not ours and read by it again."""

from __future__ import annotations

import json

import pytest

from tests.strict.pair import a_pair

pytestmark = pytest.mark.real_time

PERIOD = {"startPeriod": 0, "limit": 16}
PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 1,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Sometimes",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [PERIOD]},
}
ODD_PROFILE = {"connectorId": 1, "csChargingProfiles": PROFILE}
# Call, payload, and the CALLERROR that OCPP-J 1.6 (4.2.3) and its errata want.
WRONG = [
    ("MakeCoffee", {}, "NotImplemented"),
    ("SignCertificate", {}, "NotSupported"),
    ("Reset", {}, "ProtocolError"),
    ("Reset", {"type": 1}, "TypeConstraintViolation"),
    ("Reset", {"type": "Gently"}, "PropertyConstraintViolation"),
    ("Reset", {"type": "Soft", "extra": 1}, "FormationViolation"),
    ("Reset", [], "FormationViolation"),
    ("SetChargingProfile", ODD_PROFILE, "PropertyConstraintViolation"),
    ("GetConfiguration", {"key": ["A"] * 101}, "OccurenceConstraintViolation"),
]
UNREADABLE = [
    "",
    "{",
    "hello",
    "[]",
    "{}",
    "null",
    '[9,"1","Reset",{}]',
    '["2","1","Reset",{}]',
    '[3,"nobody asked",{}]',
    '[4,"nobody asked","InternalError","",{}]',
    "[" * 5000,
]


async def test_what_is_wrong_is_named_in_the_words_of_the_standard(tmp_path, system):
    async with a_pair(tmp_path, system) as pair:
        pair.network.set()
        await system.received("StatusNotification", 2)
        for action, payload, code in WRONG:
            error, answered = await system.ask_wrongly(action, payload)
            its_class = f"RPC{code.removesuffix('Error')}Error"
            assert (answered, error) == (code, its_class), (action, payload)
        for text in UNREADABLE:
            await system.send(text)
        assert await system.ask("GetLocalListVersion") == {"listVersion": 0}
        assert system.closed == []
        await system.send(json.dumps([2, "1", "DataTransfer", {"data": "x" * 2**21}]))
        await pair.box.until(lambda: system.closed != [], 20)
        assert system.closed == [1009]
