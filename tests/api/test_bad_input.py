"""What clients send by mistake or on purpose: never a 500, never a stall, never an effect."""

from __future__ import annotations

import asyncio
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from agent.api.limits import RequestLimits
from tests.api.commands import ALL_COMMANDS
from tests.api.harness import SECRET, Charger, api_settings, running_charger
from tests.emulators.central_system import Late
from tests.held_loop import holds_of_the_loop

PATH = "/ocpp/commands/"
JSON = {"Content-Type": "application/json"}


def send(charger: Charger, content: bytes, command: str = "plug-connector", **headers: str) -> Any:
    with charger.client() as client:
        return client.post(PATH + command, content=content, headers={**JSON, **headers})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"\xff\xfe\x00",
        b'"\xc3\x28"',
        b"\xef\xbb\xbf{}",
        b'{"target": {"charger_id": "dep-123"}, "event": {"connector_id": NaN}}',
        b'{"target": {"charger_id": "dep-123"}, "event": {"connector_id": Infinity}}',
        b'{"target": {"charger_id": "dep-123"}, "event": {"connector_id": 1e999}}',
        b'{"target": {"charger_id": "\\ud800"}, "event": {}}',
        b'{"target": {"charger_id": "dep-123"}, "event": {"connector_id": ' + b"9" * 5000 + b"}}",
        b"[" * 100_000,
        b'{"target": {"charger_id": "dep-123"}, "event": {"x": ' + b"[" * 40 + b"]" * 40 + b"}}",
        b"'single'",
        b"{} {}",
        b"target=charger_id",
    ],
)
def test_what_is_not_json_is_a_422(charger: Charger, content: bytes):
    answer = send(charger, content)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"][0]["loc"][0] == "body"


@pytest.mark.parametrize("command", ALL_COMMANDS)
def test_deep_and_odd_values_anywhere_are_no_500(charger: Charger, command: str):
    for odd in ("\u0000", "\U0001f600" * 50, [[]], {"a": {"b": None}}, -1, 10**60, 1e308, True):
        for body in (
            {"target": odd, "event": odd},
            {"target": {"charger_id": "dep-123"}, "event": odd},
            {
                "target": {"charger_id": "dep-123"},
                "event": dict.fromkeys((*ALL_COMMANDS[command], "connector_id"), odd),
            },
        ):
            answer = send(charger, json.dumps(body).encode(), command)
            assert answer.status_code < 500, (command, body, answer.text)
            charger.at_rest()


def test_a_refusal_never_repeats_what_was_sent(charger: Charger):
    secret = "SECRET-TAG-THAT-IS-TOO-LONG"
    answer = charger.post("start-session", {"id_tag": secret})
    assert answer.status_code == 422
    assert secret not in answer.text


def test_a_body_that_is_too_large_is_a_413(charger: Charger):
    for size, command, status in (
        (256 * 1024, "plug-connector", 422),
        (256 * 1024 + 1, "plug-connector", 413),
        (256 * 1024 + 1, "local-auth-list", 422),
        (2 * 1024 * 1024 + 1, "local-auth-list", 413),
    ):
        assert send(charger, b"x" * size, command).status_code == status


def test_a_body_that_lies_about_its_size_is_counted(charger: Charger):
    def pieces():
        for _ in range(40):
            yield b" " * 10_000

    with charger.client() as client:
        answer = client.post(PATH + "plug-connector", content=pieces(), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_body_that_is_not_declared_as_json_is_a_415(charger: Charger):
    body = b'{"target": {"charger_id": "dep-123"}}'
    with charger.client() as client:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            headers = {"Content-Type": kind}
            answer = client.post(PATH + "cache/reset", content=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (415, "not_json")
        fine = {"Content-Type": "Application/JSON; charset=utf-8"}
        assert client.post(PATH + "cache/reset", content=body, headers=fine).status_code == 200


def test_paths_that_do_not_exist_are_a_404(charger: Charger):
    for path in (
        "/",
        "/ocpp",
        "/ocpp/commands/",
        "/ocpp/commands/plug-connector/",
        "/ocpp/commands/0123456789ab",
        "/ocpp/commands/0123456789AB",
        "/ocpp/chargers",
        "/ocpp/chargers/dep-999",
        "/ocpp/chargers/dep-999/logs",
        "/ocpp/chargers/%00",
        "/docs",
    ):
        answer = charger.get(path)
        assert answer.status_code == 404, path
        assert set(answer.json()) == {"detail", "code"}
    with charger.client() as client:
        assert client.post("/ocpp/commands/reboot", json={}).status_code == 404
        assert client.post("/ocpp/commands", json={}).status_code == 405
        assert client.delete("/health").status_code == 405


@pytest.mark.parametrize("path", ["/ocpp/commands", "/ocpp/decisions"])
def test_a_limit_is_a_number_within_reason(charger: Charger, path: str):
    for limit in (0, -1, 501, "x", 10**30, 1.5):
        assert charger.get(path, limit=limit).status_code == 422


# --- repeated requests ---------------------------------------------------------------------------


def test_a_repeated_request_with_its_key_queues_nothing(charger: Charger):
    key = {"Idempotency-Key": "order-00000001"}
    first = charger.post("plug-connector", {}, headers=key)
    charger.result(first)
    count = len(charger.get("/ocpp/commands", limit=500).json()["data"])
    again = charger.post("plug-connector", {}, headers=key)
    assert again.status_code == 202
    assert again.json() == first.json()
    assert len(charger.get("/ocpp/commands", limit=500).json()["data"]) == count
    other = charger.post("plug-connector", {"connector_id": 2}, headers=key)
    assert other.status_code == 422
    elsewhere = charger.post("unplug-connector", {}, headers=key)
    assert elsewhere.status_code == 202


def test_the_same_request_at_the_same_time_is_done_once(charger: Charger):
    key = {"Idempotency-Key": "order-00000002"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: charger.post("plug-connector", {}, headers=key), range(8))
        )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1


def test_a_refusal_is_not_kept_for_its_key(charger: Charger):
    key = {"Idempotency-Key": "order-00000003"}
    assert charger.post("unplug-connector", {}, headers=key).status_code == 409
    charger.applied("plug-connector")
    assert charger.post("unplug-connector", {}, headers=key).status_code == 202


@pytest.mark.parametrize("key", ["short", "x" * 65, "with space", ""])
def test_a_key_has_8_to_64_visible_characters(charger: Charger, key: str):
    answer = charger.post("cache/reset", headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["header", "Idempotency-Key"]


# --- many, fast, slow ----------------------------------------------------------------------------


def test_two_hundred_clients_at_once_are_all_answered(charger: Charger):
    def ask(number: int) -> int:
        with charger.client() as client:
            if number % 2:
                return client.get("/ocpp/chargers/dep-123").status_code
            body = {"target": {"charger_id": "dep-123"}, "event": {"id_tag": f"T{number}"}}
            return client.post(PATH + "authorize-id-tag", json=body).status_code

    with ThreadPoolExecutor(200) as pool:
        statuses = list(pool.map(ask, range(200)))
    assert set(statuses[1::2]) == {200}
    assert set(statuses[0::2]) <= {202, 503}  # the queue is bounded
    assert statuses.count(202) >= 20
    charger.until(lambda: charger.state.checking == ())
    for found in charger.get("/ocpp/commands", limit=200).json()["data"]:
        ended = charger.get(f"/ocpp/commands/{found['command_id']}", wait_s=20).json()
        assert ended["status"] in ("applied", "rejected", "failed")


# None comes free again while the test runs, however slow the machine is.
SMALL = RequestLimits(commands_per_s=0.01, commands_at_once=5, body_s=0.5, silence_s=0.5)


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """A charger with small limits."""
    settings = api_settings(tmp_path_factory.mktemp("strict"))
    with running_charger(settings, world={"api_limits": SMALL}) as charger:
        yield charger


def test_too_many_commands_are_a_429_that_says_when_to_come_again(strict: Charger):
    statuses = [strict.post("cache/reset").status_code for _ in range(8)]
    assert statuses == [200] * 5 + [429] * 3
    answer = strict.post("cache/reset")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_commands")
    assert 1 <= int(answer.headers["Retry-After"]) <= 101
    assert strict.get("/ocpp/commands").status_code == 200  # reading goes on


def raw(charger: Charger, *pieces: bytes) -> bytes:
    """Send these pieces, nothing more, and read until the other side closes."""
    host, _, port = charger.settings.api.listen.rpartition(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        for piece in pieces:
            connection.sendall(piece)
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def test_a_client_that_says_nothing_is_shown_out(strict: Charger):
    assert raw(strict) == b""


def test_a_client_that_does_not_finish_its_headers_is_shown_out(strict: Charger):
    begin = b"POST /ocpp/commands/cache/reset HTTP/1.1\r\nHost: x\r\nX-Slow: "
    assert raw(strict, begin) == b""
    whole = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    assert raw(strict, whole, begin).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_does_not_come_is_a_408(tmp_path):
    head = (
        "POST /ocpp/commands/cache/reset HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {SECRET}\r\n\r\n"
    )
    limits = replace(SMALL, silence_s=5.0)
    with running_charger(api_settings(tmp_path), world={"api_limits": limits}) as charger:
        answer = raw(charger, head.encode(), b'{"target"')
        assert b" 408 " in answer.splitlines()[0]
        assert b"body_too_slow" in answer


@pytest.mark.parametrize("path", ["/ocpp/commands/cache/reset", "/page/do", "/nowhere"])
def test_after_a_length_told_in_two_ways_the_answer_is_the_last(strict: Charger, path: str):
    request = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {SECRET}\r\nContent-Length: 2\r\n"
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ).encode()
    answer = raw(strict, request, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answer.lower()


def test_a_client_that_is_still_sending_when_it_is_refused_loses_no_answer(charger: Charger):
    """A closed socket would answer the rest of the body by a reset, which may overtake the 415."""
    head = (
        "POST /ocpp/commands/cache/reset HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
        f"Authorization: Bearer {SECRET}\r\nContent-Length: 90000\r\n\r\n"
    ).encode()
    host, _, port = charger.settings.api.listen.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
        for _ in range(3):  # to a closed socket the second of them fails
            connection.sendall(b"x" * 30_000)
    assert b" 415 " in received.splitlines()[0]
    assert b"connection: close" in received.lower()


def test_headers_without_end_are_refused(strict: Charger):
    answer = raw(strict, b"GET /health HTTP/1.1\r\nX: " + b"x" * 40_000)
    assert answer == b"" or b" 400 " in answer.splitlines()[0]


def test_what_is_no_http_is_refused(strict: Charger):
    assert b" 400 " in raw(strict, b"\x16\x03\x01\x02\x00\x01\r\n\r\n").splitlines()[0]


def test_while_too_many_are_inside_others_are_told_to_wait(tmp_path):
    limits = RequestLimits(clients=2)
    with running_charger(api_settings(tmp_path), world={"api_limits": limits}) as charger:
        charger.central_system.next("Authorize", Late(3.0))
        receipt = charger.post("authorize-id-tag", {"id_tag": "T"}).json()
        path = f"/ocpp/commands/{receipt['results'][0]['command']['id']}"
        with ThreadPoolExecutor(8) as pool:
            waiting = pool.map(lambda _: charger.get(path, wait_s=10).status_code, range(8))
            assert sorted(waiting) == [200, 200, 503, 503, 503, 503, 503, 503]
        assert charger.get(path).json()["status"] == "applied"


HELD_MAX_S = 0.5  # generous


def test_a_large_list_does_not_stall_the_agent(charger: Charger):
    entries = [
        {"id_tag": f"TAG-{n:08}", "expiry_date": "2027-01-01T00:00:00Z"} for n in range(9000)
    ]
    body = json.dumps(
        {"target": {"charger_id": "dep-123"}, "event": {"list_version": 1, "entries": entries}}
    ).encode()

    async def longest_hold_s() -> float:
        async with holds_of_the_loop() as holds:
            while not done:
                await asyncio.sleep(0.005)
        return holds.worst_s

    done: list[bool] = []
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(lambda: charger.run(longest_hold_s()))
        answer = send(charger, body, "local-auth-list")
        done.append(True)
        assert answer.status_code == 200
        assert watching.result() < HELD_MAX_S
