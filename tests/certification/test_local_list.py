"""Cases 042 and 043: the local authorization list."""

from __future__ import annotations

from typing import Any

from tests.certification.station import CARD, OTHER_CARD, Station, a_station


async def send(station: Station, version: int, kind: str, *tags: str) -> Any:
    entries = [{"idTag": tag, "idTagInfo": {"status": "Accepted"}} for tag in tags]
    return await station.ask(
        "SendLocalList", listVersion=version, updateType=kind, localAuthorizationList=entries
    )


async def version(station: Station) -> int:
    answer: dict[str, int] = await station.ask("GetLocalListVersion")
    return answer["listVersion"]


async def test_case_042_1_a_list_that_is_switched_off_has_version_minus_1(tmp_path):
    async with a_station(tmp_path, LocalAuthListEnabled="false") as station:
        assert await version(station) == -1


async def test_case_042_2_an_empty_list_has_version_0_and_a_sent_one_its_own(tmp_path):
    async with a_station(tmp_path) as station:
        assert await version(station) == 0
        assert await send(station, 3, "Full", CARD) == "Accepted"
        assert await version(station) == 3


async def test_case_043_a_full_list_and_then_a_differential_one_are_accepted(tmp_path):
    async with a_station(tmp_path) as station:
        assert await send(station, 1, "Full", CARD) == "Accepted"
        assert await send(station, 2, "Differential", OTHER_CARD) == "Accepted"
        assert await version(station) == 2
        for card in (CARD, OTHER_CARD):
            await station.charge(card)
            await station.finish(card)
        assert station.heard("Authorize") == []


async def test_case_043_1_a_list_that_is_switched_off_cannot_be_sent(tmp_path):
    async with a_station(tmp_path, LocalAuthListEnabled="false") as station:
        assert await send(station, 1, "Full", CARD) == "NotSupported"


async def test_case_043_2_a_differential_list_that_is_not_newer_does_not_match(tmp_path):
    async with a_station(tmp_path) as station:
        assert await send(station, 5, "Full", CARD) == "Accepted"
        assert await send(station, 5, "Differential", OTHER_CARD) == "VersionMismatch"
        assert await send(station, 4, "Differential", OTHER_CARD) == "VersionMismatch"
        assert await version(station) == 5


async def test_case_043_3_a_list_that_cannot_be_applied_fails_and_changes_nothing(tmp_path):
    async with a_station(tmp_path) as station:
        assert await send(station, 5, "Full", CARD) == "Accepted"
        assert await send(station, 6, "Full", CARD, CARD.lower()) == "Failed"
        assert await send(station, 0, "Full", OTHER_CARD) == "Failed"
        assert await version(station) == 5
