"""Who guesses tokens waits; who has one never does. The same door for the API and for the page."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from agent.api.errors import Refused
from agent.api.idempotency import KEPT_MAX as KEPT_KEYS_MAX
from agent.api.idempotency import Answer, Idempotency
from agent.api.limits import KEPT_MAX, Guesses, RequestLimits, one_to_give_up
from agent.api.tokens import Authenticator, KnownTokens, TokenFile
from agent.config.settings import ApiSettings
from tests.api.harness import PATIENT, SECRET, Charger, api_settings, running_charger

LIMITS = RequestLimits(guesses_at_once=3, guesses_per_s=0.5, guess_wait_s=10.0)
ADDRESS = "192.168.7.7"


def authenticator(directory) -> Authenticator:
    TokenFile(directory).add("one", ["read"], SECRET, "")
    loop = asyncio.get_running_loop()
    return Authenticator(KnownTokens(ApiSettings(), directory), LIMITS, loop.time)


async def seconds(work) -> tuple[float, int]:
    """How long it took, and how it was refused (200: not at all)."""
    begun_s = asyncio.get_running_loop().time()
    status = 200
    try:
        await work
    except Refused as refusal:
        status = refusal.status
    return asyncio.get_running_loop().time() - begun_s, status


async def test_a_few_wrong_tokens_are_answered_at_once_and_the_next_ones_late(tmp_path):
    door = authenticator(tmp_path)
    found = [await seconds(door.with_text(f"wrong-{n}", ADDRESS)) for n in range(6)]
    assert found == [(0.0, 401)] * 3 + [(2.0, 429)] * 3


async def test_many_at_once_wait_for_each_other_up_to_a_limit(tmp_path):
    door = authenticator(tmp_path)
    work = [seconds(door.with_text(f"wrong-{n}", ADDRESS)) for n in range(20)]
    found = await asyncio.gather(*work)
    assert found[3:8] == [(2.0, 429), (4.0, 429), (6.0, 429), (8.0, 429), (10.0, 429)]
    assert set(found[8:]) == {(10.0, 429)}


async def test_the_right_token_gets_in_at_once_whatever_else_comes_from_its_address(tmp_path):
    door = authenticator(tmp_path)
    guesses = [asyncio.ensure_future(seconds(door.with_text("wrong", ADDRESS))) for _ in range(500)]
    await asyncio.sleep(0)
    assert await seconds(door.with_text(SECRET, ADDRESS)) == (0.0, 200)
    header = {b"authorization": b"Bearer " + SECRET.encode()}
    assert await seconds(door.admit(header, ADDRESS)) == (0.0, 200)
    await asyncio.gather(*guesses)


async def test_who_guesses_makes_nobody_else_wait(tmp_path):
    door = authenticator(tmp_path)
    await asyncio.gather(*(seconds(door.with_text("wrong", ADDRESS)) for _ in range(50)))
    assert await seconds(door.with_text("wrong", "192.168.7.8")) == (0.0, 401)


async def test_after_a_while_a_few_are_answered_at_once_again(tmp_path):
    door = authenticator(tmp_path)
    await asyncio.gather(*(seconds(door.with_text("wrong", ADDRESS)) for _ in range(50)))
    await asyncio.sleep(60)
    assert await seconds(door.with_text("wrong", ADDRESS)) == (0.0, 401)


async def test_without_any_token_it_is_no_guess(tmp_path):
    door = authenticator(tmp_path)
    for _ in range(10):
        assert await seconds(door.admit({}, ADDRESS)) == (0.0, 401)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "somewhere odd", False),
    ],
)
async def test_an_address_of_ipv6_counts_with_its_network(one, other, is_same):
    guesses = Guesses(LIMITS, asyncio.get_running_loop().time)
    for _ in range(3):
        await guesses.wrong(one)
    waited_s, _ = await seconds(guesses.wrong(other))
    assert (waited_s > 0) is is_same


async def test_only_so_many_addresses_are_kept_in_mind():
    guesses = Guesses(LIMITS, asyncio.get_running_loop().time)
    for number in range(3 * KEPT_MAX):
        await guesses.wrong(f"10.0.{number // 250}.{number % 250}")
    assert len(guesses._buckets) == KEPT_MAX


async def test_it_is_told_once_from_where_they_come(caplog):
    guesses = Guesses(LIMITS, asyncio.get_running_loop().time)
    with caplog.at_level("WARNING"):
        await asyncio.gather(*(seconds(guesses.wrong(ADDRESS)) for _ in range(20)))
    assert [record.getMessage() for record in caplog.records] == [
        f"wrong tokens come from {ADDRESS}: the next ones are answered late"
    ]


def test_who_holds_most_gives_up_the_oldest():
    held = [("a1", "a"), ("b1", "b"), ("c1", "c"), ("b2", "b")]
    assert one_to_give_up(held) == "b1"
    assert one_to_give_up(held[:3]) == "a1"


# --- over real HTTP ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def charger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Charger]:
    settings = api_settings(tmp_path_factory.mktemp("guesses"))
    settings = replace(settings, api=replace(settings.api, page=True))
    limits = replace(
        PATIENT,
        guesses_at_once=5,
        guesses_per_s=0.01,
        guess_wait_s=600.0,
        clients=2,
        connections=12,
    )
    with running_charger(settings, world={"api_limits": limits}) as found:
        yield found


def guess(charger: Charger, on_page: bool, timeout_s: float) -> int | None:
    """The status of a wrong token's answer; None: it does not come."""
    try:
        with httpx.Client(base_url=charger.url, timeout=timeout_s, verify=False) as client:
            if on_page:
                origin = {"Origin": charger.url}
                return client.post("/login", data={"token": "wrong"}, headers=origin).status_code
            return client.get(
                "/ocpp/commands", headers={"Authorization": "Bearer wrong"}
            ).status_code
    except httpx.TimeoutException:
        return None


def log_in(charger: Charger) -> int:
    with charger.client(token=None) as client:
        origin = {"Origin": charger.url}
        return client.post("/login", data={"token": SECRET}, headers=origin).status_code


def test_api_and_page_have_one_limit_and_a_right_token_passes_both(charger: Charger):
    assert [guess(charger, n % 2 == 0, 20) for n in range(5)] == [401] * 5
    with ThreadPoolExecutor(6) as pool:
        held = [pool.submit(guess, charger, n % 2 == 0, 1.0) for n in range(6)]
        for _ in range(3):
            assert charger.get("/ocpp/commands").status_code == 200
            assert log_in(charger) == 303
        assert {one.result() for one in held} == {None}


def test_lines_that_one_address_holds_keep_nobody_else_out(charger: Charger):
    host, port = charger.settings.api.listen.split(":")
    with contextlib.ExitStack() as stack:
        lines = [
            stack.enter_context(
                socket.create_connection((host, int(port)), source_address=("127.0.0.9", 0))
            )
            for _ in range(30)
        ]
        assert charger.get("/ocpp/commands").status_code == 200
        assert log_in(charger) == 303
        lines[0].settimeout(20)
        with contextlib.suppress(ConnectionError):
            assert lines[0].recv(1) == b""  # the first one had to go


async def test_who_repeats_much_makes_no_others_command_happen_twice():
    done: list[str] = []
    answers = Idempotency(asyncio.get_running_loop().time)

    async def perform() -> Answer:
        done.append("done")
        return Answer(202, (), b"")

    await answers.once("quiet", "/x", b"quiet-key", b"", perform)
    for number in range(2 * KEPT_KEYS_MAX):
        await answers.once("greedy", "/x", f"key-{number:05}".encode(), b"", perform)
    done.clear()
    await answers.once("quiet", "/x", b"quiet-key", b"", perform)
    assert done == []


@pytest.mark.parametrize("on_page", [False, True])
def test_a_wrong_token_is_a_failed_login_in_the_security_log_and_is_not_shown(charger, on_page):
    guess(charger, on_page, 1.0)
    services = charger.application.services

    async def recorded() -> list[str]:
        await services.runtime.journal.wait_until_written(5.0)
        lines = await services.threads.report(services.store.security_log)
        return [one.tech_info for one in lines if one.type == "MaintenanceLoginFailed"]

    assert charger.run(recorded())[-1] == "page or control API: an unknown token from 127.0.0.1"
