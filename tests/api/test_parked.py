"""Messages that were parked, over the control API."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.api.harness import SECRET, Charger, api_settings, running_charger
from tests.emulators.central_system import Error

CARD = "044943121F1A80"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Charger]:
    keys = {"TransactionMessageAttempts": "1"}
    with running_charger(api_settings(tmp_path_factory.mktemp("parked"), **keys)) as charger:
        yield charger


def parked(charger: Charger) -> list[int]:
    """The references of what is parked."""
    status = charger.run(charger.application.actions["status"]({}))
    return [message["sequence"] for message in status["outbox"]["parked"]]


@pytest.fixture
def refused(charger: Charger) -> int:
    """The reference of a StopTransaction that the central system would not take."""
    for ref in parked(charger):
        charger.run(charger.application.actions["queue"]({"order": "discard", "ref": ref}))
    charger.central_system.always("StopTransaction", Error("InternalError", "not now"))
    charger.applied("plug-connector")
    charger.applied("start-transaction", {"id_tag": CARD})
    charger.applied("stop-transaction")
    for _ in range(500):
        found = parked(charger)
        if found:
            charger.central_system.always("StopTransaction", None)
            return found[0]
        charger.run(asyncio.sleep(0.02))
    raise AssertionError("nothing was parked")


def order(charger: Charger, path: str, token: str | None = SECRET):
    with charger.client(token) as client:
        return client.post(f"/ocpp/queue/{path}")


def test_it_is_sent_once_more(charger, refused):
    before = len(charger.central_system.of("StopTransaction"))
    answer = order(charger, f"{refused}/retry")
    assert (answer.status_code, answer.json()) == (200, {"msg": "Queued again", "messages": 1})
    charger.until(lambda: len(charger.central_system.of("StopTransaction")) == before + 1)
    charger.until(lambda: charger.state.outbox.waiting == 0)
    assert parked(charger) == []


def test_it_is_given_up(charger, refused):
    before = len(charger.central_system.of("StopTransaction"))
    answer = order(charger, f"{refused}/discard")
    assert (answer.status_code, answer.json()) == (200, {"msg": "Discarded", "messages": 1})
    assert parked(charger) == []
    assert len(charger.central_system.of("StopTransaction")) == before


@pytest.mark.parametrize("path", ["424242/retry", "424242/discard"])
def test_what_is_not_parked_is_not_found(charger, path):
    answer = order(charger, path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_parked")
    assert answer.json()["detail"] == "No message 424242 is parked."


@pytest.mark.parametrize("path", ["0/retry", "-1/retry", "one/retry", f"{2**70}/discard"])
def test_what_is_no_number_is_invalid(charger, path):
    assert order(charger, path).status_code == 422


def test_it_needs_the_right_to_operate(charger):
    assert order(charger, "1/retry", token=None).status_code == 401
    with charger.client() as client:
        assert client.get("/ocpp/queue/1/retry").status_code == 405
