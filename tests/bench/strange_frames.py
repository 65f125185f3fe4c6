"""Frames that are large, odd, or both: as much as a central system can send at once."""

from __future__ import annotations

import json
from collections.abc import Iterator

FRAME_MAX = 2 * 1024 * 1024 - 200  # what the WebSocket takes, without what stands around it
SMALL_MAX = 64 * 1024 - 200
ENTRIES = 10_000


def array(element: str, count: int) -> str:
    """A JSON array of so many."""
    return f"[{','.join([element] * count)}]"


def filled(element: str, length: int) -> str:
    """A JSON array of so many characters."""
    return array(element, length // (len(element) + 1))


def frames() -> Iterator[tuple[str, str]]:
    """What a central system can send; ``ID`` becomes the unique id, ``VERSION`` a new one."""

    def local_list(entries: str) -> str:
        update = f'"listVersion":VERSION,"updateType":"Full","localAuthorizationList":{entries}'
        return f'[2,"ID","SendLocalList",{{{update}}}]'

    def profile(content: str) -> str:
        payload = f'{{"connectorId":1,"csChargingProfiles":{content}}}'
        return f'[2,"ID","SetChargingProfile",{payload}]'

    info = {"status": "Accepted", "expiryDate": "2027-01-01T00:00:00Z", "parentIdTag": "SITE-1"}
    tags = [{"idTag": f"04{n:012X}", "idTagInfo": info} for n in range(ENTRIES)]
    members = ",".join(f'"{number}":0' for number in range(150_000))
    pair = "\\ud83d\\ude00"
    yield f"a local list of {ENTRIES:,} entries", local_list(json.dumps(tags))
    for element in ("{}", "[]", "1.5", '""'):
        yield f"a list of 2 MiB of {element}", local_list(filled(element, FRAME_MAX - 200))
        yield f"a profile of 2 MiB of {element}", profile(filled(element, FRAME_MAX))
        yield f"a profile of 4,900 of {element}", profile(array(element, 4_900))
    yield "as many lists as are read", local_list(array("[]", 29_900))
    yield "as many values as are read", local_list(array("1.5", 99_900))
    yield "2 MiB of members of one object", f'[2,"ID","Reset",{{{members}}}]'
    yield "the same in a local list", local_list(f"[{{{members}}}]")
    yield "2 MiB of surrogate pairs", local_list(f'["{pair * 150_000}"]')
    yield "2 MiB of blanks", local_list(" " * (FRAME_MAX - 200) + "1")
    yield "2 MiB of opening brackets", local_list("[" * (FRAME_MAX - 200))
    yield "an answer of 2 MiB to nothing", f'[3,"ID",{filled("[]", FRAME_MAX)}]'
    yield "a text of 64 KiB", f'[2,"ID","Reset",{{"type":"{"x" * SMALL_MAX}"}}]'
    yield "64 KiB of surrogate pairs", f'[2,"ID","Reset",{{"type":"{pair * 5_000}"}}]'
    yield "64 KiB of long numbers", profile(filled("7" * 999, SMALL_MAX))
    periods = filled('{"startPeriod":1,"limit":1.5}', SMALL_MAX - 300)
    schedule = f'{{"chargingRateUnit":"A","chargingSchedulePeriod":{periods}}}'
    yield (
        "a profile of 2,000 periods",
        profile(
            '{"chargingProfileId":1,"stackLevel":1,"chargingProfilePurpose":"TxDefaultProfile",'
            f'"chargingProfileKind":"Absolute","chargingSchedule":{schedule}}}'
        ),
    )
