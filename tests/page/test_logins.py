"""Who is logged in, for how long, and how often one may try."""

from __future__ import annotations

import pytest

from agent.api.page.logins import COOKIE, IDLE_S, LOGINS_MAX, Logins
from agent.api.tokens import ApiToken

TOKEN = ApiToken("phone", frozenset({"read"}), "digest")


class World:
    def __init__(self) -> None:
        self.now_s = 1000.0
        self.tokens = {"digest": TOKEN}
        self.made = 0

    def logins(self) -> Logins:
        return Logins(self.tokens.get, self.secret, lambda: self.now_s)

    def secret(self) -> str:
        self.made += 1
        return f"secret-{self.made}"


def cookie(text: str) -> str:
    return f"other=1; {COOKIE}={text}"


def test_whoever_has_logged_in_is_found_by_the_cookie():
    logins = World().logins()
    text = logins.log_in(TOKEN)
    found = logins.find(cookie(text))
    assert found is not None
    assert found[1] is TOKEN


@pytest.mark.parametrize("header", ["", "x", cookie(""), cookie("guess"), f"{COOKIE}", "\x00=;;"])
def test_nobody_is_found_by_another_cookie(header):
    logins = World().logins()
    logins.log_in(TOKEN)
    assert logins.find(header) is None


def test_a_revoked_token_ends_the_visit():
    world = World()
    logins = world.logins()
    text = logins.log_in(TOKEN)
    world.tokens.clear()
    assert logins.find(cookie(text)) is None
    world.tokens["digest"] = TOKEN
    assert logins.find(cookie(text)) is None, "the visit is over, it does not come back"


def test_a_visit_ends_when_nobody_looked_for_hours():
    world = World()
    logins = world.logins()
    text = logins.log_in(TOKEN)
    world.now_s += IDLE_S - 1
    assert logins.find(cookie(text)) is not None
    world.now_s += IDLE_S - 1
    assert logins.find(cookie(text)) is not None, "each look counts"
    world.now_s += IDLE_S + 1
    assert logins.find(cookie(text)) is None


def test_logging_out_ends_the_visit_and_no_other():
    logins = World().logins()
    one, other = logins.log_in(TOKEN), logins.log_in(TOKEN)
    logins.log_out(cookie(one))
    assert logins.find(cookie(one)) is None
    assert logins.find(cookie(other)) is not None


def test_one_visitor_too_many_sends_away_who_was_longest_away():
    logins = World().logins()
    texts = [logins.log_in(TOKEN) for _ in range(LOGINS_MAX)]
    logins.find(cookie(texts[0]))
    logins.log_in(TOKEN)
    assert logins.find(cookie(texts[0])) is not None
    assert logins.find(cookie(texts[1])) is None


def test_who_logs_in_again_and_again_pushes_no_other_token_out():
    world = World()
    other = ApiToken("laptop", frozenset({"read"}), "other digest")
    world.tokens[other.digest] = other
    logins = world.logins()
    quiet = logins.log_in(other)
    greedy = [logins.log_in(TOKEN) for _ in range(3 * LOGINS_MAX)]
    assert logins.find(cookie(quiet)) is not None
    assert logins.find(cookie(greedy[-1])) is not None
    assert logins.find(cookie(greedy[0])) is None


@pytest.mark.parametrize(
    "neighbour",
    [
        'theme={"dark":true}',
        "a b=c d",
        "gr\xfc\xdfe=\xe4",
        "lonely",
        "=nameless",
        'quoted="x',
        f"{COOKIE}=of-another-program",
        f"{COOKIE}",
        "bad=\x00\x7f,[]()@",
    ],
)
def test_cookies_of_neighbours_are_passed_over(neighbour):
    logins = World().logins()
    text = logins.log_in(TOKEN)
    for header in (f"{neighbour}; {COOKIE}={text}", f"{COOKIE}={text};{neighbour}"):
        assert logins.find(header) is not None
    logins.log_out(f"{neighbour}; {COOKIE}={text}")
    assert logins.find(f"{COOKIE}={text}") is None


def test_what_was_told_is_told_once_and_only_the_newest_is_kept():
    logins = World().logins()
    found = logins.find(cookie(logins.log_in(TOKEN)))
    assert found is not None
    for number in range(9):
        found[0].sentences.append(str(number))
    assert found[0].take_sentences() == ["4", "5", "6", "7", "8"]
    assert found[0].take_sentences() == []
