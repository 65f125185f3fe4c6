"""Every case that the certification tool is known to check has a test here, named by its id."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent

# Case: what the charge point must show. A number with parts stands for each of them.
CASES = {
    "001": "cold boot",
    "002": "pending and rejected",
    "004_2": "no plug in time",
    "005_1": "EV-side disconnect: stop, unlock",
    "005_2": "EV-side disconnect: stop, stay locked",
    "005_3": "EV-side disconnect: suspend",
    "007": "a cached card",
    "008": "a listed card",
    "010": "remote start",
    "011_1": "remote start that is asked about",
    "011_2": "remote start without a plug",
    "013": "hard reset keeps Unavailable",
    "015": "hard reset with a session",
    "017_1": "unlock",
    "017_2": "unlock of a fixed cable",
    "018_1": "unlock with a session",
    "018_2": "unlock of a fixed cable with a session",
    "019": "the required keys",
    "021": "a value that was changed",
    "023": "an invalid card",
    "024": "a lock that fails",
    "026": "remote start while charging",
    "027": "remote start for connector 0",
    "030": "unlock that fails",
    "031": "unlock of an unknown connector",
    "032_1": "power failure with a reserve",
    "032_2": "power failure without one",
    "034": "Unavailable over a power failure",
    "036": "meter values of the time offline",
    "037_1": "start offline",
    "038": "stop offline",
    "039": "a session offline",
    "040_1": "an unknown key",
    "040_2": "a bad value",
    "042_1": "the version without a list",
    "042_2": "the version of a list",
    "043": "full and differential lists",
    "043_1": "a list that is not supported",
    "043_2": "a list that does not match",
    "043_3": "a list that fails",
    "044_1": "a firmware update",
    "044_2": "a download that fails",
    "044_3": "an installation that fails",
    "045": "diagnostics",
    "046_1": "a foreign card at a reserved connector",
    "046_2": "remote start of the reserved card",
    "047": "a reservation that expires",
    "048_1": "reserved: occupied",
    "048_2": "reserved: reserved already",
    "048_3": "reserved: unavailable",
    "048_4": "reserved: faulted",
    "050_1": "any connector",
    "050_2": "any connector where that is not supported",
    "051": "a reservation that is cancelled",
    "053": "a card of the reserved group",
    "054": "triggered messages",
    "055": "triggered for an unknown connector",
    "058_1": "a TxProfile without a transaction",
    "059": "remote start with a TxProfile",
    "060": "remote start with another profile",
    "061": "an empty cache",
    "066": "composite schedule",
    "067": "profiles that are cleared",
    "069": "another card of the group",
    "070": "sampled meter values",
    "071": "clock-aligned meter values",
    "072": "stack levels",
    "073": "a new password",
    "083": "a raised security profile",
    "085": "the raw password",
    "086": "TLS",
}
# What the tool checks besides, of functions that this agent does not have (yet): the security
# white paper.
NOT_HERE = {
    *("075", "076", "077", "078", "079", "080", "081", "087"),
}


def ids_of_tests() -> set[str]:
    """The ids in the names of the tests here."""
    names = [
        name
        for path in HERE.glob("test_*.py")
        for name in re.findall(r"^async def (test_case_\w+)", path.read_text(), flags=re.M)
    ]
    return {found[1] for name in names if (found := re.match(r"test_case_(\d+(?:_\d)?)_", name))}


def test_every_case_has_a_test_and_every_test_is_of_a_known_case():
    assert CASES.keys() - ids_of_tests() == set()
    assert ids_of_tests() - CASES.keys() - NOT_HERE == set()


def test_no_case_is_here_and_not_here():
    assert CASES.keys() & NOT_HERE == set()
