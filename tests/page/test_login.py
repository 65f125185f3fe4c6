"""Who gets in to the page, under which name, and how long: over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
from collections.abc import Iterator

import pytest
from jinja2 import UndefinedError

from agent.api.page.event_stream import LISTENERS_MAX, EventStream, Watched
from agent.api.page.host_names import OwnNames, came_over_https
from agent.api.page.logins import COOKIE
from agent.api.page.power import PowerHistory
from agent.api.page.views import PagePart
from tests.api.harness import SECRET, Charger
from tests.page.browser import Browser
from tests.page.test_site import token_for


@pytest.fixture
def visitor(charger: Charger) -> Iterator[Browser]:
    with Browser(charger) as found:
        yield found


def raw(
    charger: Charger, method: str, path: str, body: str = "", **headers: str
) -> tuple[int, str]:
    """Status and Set-Cookie of one request, its headers as they are."""
    host, port = charger.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    with contextlib.closing(connection):
        connection.putrequest(method, path, skip_host="Host" in headers)
        if method == "POST":
            headers = {"Content-Length": str(len(body)), **headers}
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value.encode("latin-1"))
        connection.endheaders(body.encode() if body else None)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Set-Cookie", "")


# --- whose login it is ---------------------------------------------------------------------------


def test_a_cookie_that_is_no_cookie_keeps_nobody_out(charger):
    _, cookie = raw(charger, "POST", "/login", f"token={SECRET}", Origin=charger.url)
    ours = cookie.partition(";")[0]
    for neighbour in ('theme={"dark":true}', "a b", "gr\xfc\xdfe=\xe4", f"{COOKIE}=theirs"):
        assert raw(charger, "GET", "/", Cookie=f"{neighbour}; {ours}")[0] == 200


def test_another_token_does_not_take_the_place_of_a_login_without_a_word(charger, visitor):
    visitor.log_in(token_for(charger, "read"))
    answer = visitor.log_in(SECRET)
    assert answer.status_code == 409
    assert "logged in as read. Log out first" in answer.text
    assert "set-cookie" not in answer.headers
    assert "Logged in as read" in visitor.get("/").text
    assert "Log out read" in visitor.get("/login").text
    visitor.send("/logout")
    assert visitor.log_in(SECRET).status_code == 200
    assert "Logged in as all" in visitor.get("/").text


def test_the_same_token_again_is_one_login(charger, visitor):
    visitor.log_in()
    before = visitor.client.cookies[COOKIE]
    assert visitor.log_in().status_code == 200
    assert raw(charger, "GET", "/", Cookie=f"{COOKIE}={before}")[0] == 303


# --- the name in the address ---------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/login", "/page/static/page.js", "/page/events"])
def test_a_name_of_a_stranger_that_leads_here_gets_nothing(charger, path):
    assert raw(charger, "GET", path, Host="evil.example:8080")[0] == 421


def test_nor_can_it_log_in(charger):
    evil = {"Host": "evil.example:8080", "Origin": "http://evil.example:8080"}
    forged = {"X_Forwarded_Proto": "https", "Sec_Fetch_Site": "same-origin"}
    for headers in (evil, {**evil, **forged}):
        status, cookie = raw(charger, "POST", "/login", f"token={SECRET}", **headers)
        assert (status, cookie) == (421, "")


def test_behind_a_proxy_with_tls_every_name_works_and_the_cookie_is_for_tls_only(charger):
    # Nothing that the proxy would have to add.
    host = {"Host": "charger.example"}
    assert raw(charger, "GET", "/login", **host, Sec_Fetch_Site="none")[0] == 200
    origin = "https://charger.example"
    status, cookie = raw(charger, "POST", "/login", f"token={SECRET}", **host, Origin=origin)
    assert status == 303
    assert "; Secure" in cookie


def test_without_tls_a_header_of_anybody_makes_no_cookie_that_never_comes_back(charger):
    _, cookie = raw(
        charger, "POST", "/login", f"token={SECRET}", Origin=charger.url, X_Forwarded_Proto="https"
    )
    assert cookie
    assert "Secure" not in cookie


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.0.0.1:8080",
        "192.168.7.7",
        "[fd00::7]:8080",
        "localhost:8080",
        "charger",
        "CHARGER.local.:8080",
        "box.home.arpa",
        "box7.lan",
        "page.example.com",
    ],
)
def test_addresses_and_names_of_this_machine_and_its_network_are_its_own(host):
    assert OwnNames(frozenset({"box7.lan", "page.example.com"})).has(host)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "box7.lan.evil.example", "[", "local.org"]
)
def test_every_other_name_is_a_strangers(host):
    assert not OwnNames(frozenset({"box7.lan"})).has(host)


def test_the_machine_is_known_by_its_host_name_also_in_the_domains_of_its_network(
    monkeypatch, tmp_path
):
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("# made by dhcp\nnameserver 192.168.7.1\nsearch Fritz.box site.example\n\n")
    monkeypatch.setattr("agent.api.page.host_names._RESOLVER", resolver)
    monkeypatch.setattr("socket.gethostname", lambda: "Box7.maker.example")
    found = OwnNames.of_this_machine(["Page.example"])
    assert found.names == {
        "box7.maker.example",
        "box7.fritz.box",
        "box7.site.example",
        "page.example",
    }
    resolver.unlink()
    assert OwnNames.of_this_machine([]).names == {"box7.maker.example"}


@pytest.mark.parametrize(
    ("headers", "is_https"),
    [
        ({}, False),
        ({"origin": "http://a", "sec-fetch-site": "same-origin"}, False),
        ({"origin": "https://a"}, True),
        ({"origin": "null"}, False),
        ({"x-forwarded-proto": "https"}, False),
        ({"sec-fetch-site": "none"}, True),
    ],
)
def test_only_the_browser_itself_says_that_it_has_tls(headers, is_https):
    assert came_over_https(headers) is is_https


# --- the live stream -----------------------------------------------------------------------------


class Quiet:
    """A station in which nothing happens."""

    state = None

    def on_turn(self, tell: object) -> object:
        return lambda: None

    def now(self) -> object:
        raise AssertionError("nobody looks")


@contextlib.asynccontextmanager
async def quiet_live():
    live = EventStream.__new__(EventStream)
    live._listeners, live._changed = [], asyncio.Event()
    live._history, live._station = PowerHistory(), Quiet()
    yield live


async def test_nothing_goes_out_after_the_end_of_a_login():
    async with quiet_live() as live:
        is_in = True
        stream = live.stream(Watched("overview", frozenset()), "digest", lambda: is_in)
        assert (await anext(stream)).startswith("retry")
        live._listeners[0].give(PagePart("link", "one"))
        live._listeners[0].give(PagePart("head", "two"))
        assert '"one"' in await anext(stream)
        is_in = False
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        assert live._listeners == []


async def test_nor_what_comes_while_it_waits():
    async with quiet_live() as live:
        is_in = True
        stream = live.stream(Watched("overview", frozenset()), "digest", lambda: is_in)
        await anext(stream)
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        is_in = False
        live._listeners[0].give(PagePart("link", "secret"))
        with pytest.raises(StopAsyncIteration):
            await waiting


async def test_while_nothing_happens_a_comment_keeps_the_line():
    async with quiet_live() as live:
        stream = live.stream(Watched("overview", frozenset()), "digest", lambda: True)
        await anext(stream)
        assert await anext(stream) == ": alive\n\n"
        live._listeners[0].give(PagePart("link", "one"))
        assert '"one"' in await anext(stream)
        live._listeners[0].end()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


class SlowViews:
    """The link part says what holds when its rendering begins; it ends when it may."""

    def __init__(self) -> None:
        self.message, self.may_end = "6 is parked", asyncio.Event()

    async def overview(self, scopes: object) -> list[PagePart]:
        part = PagePart("link", self.message)
        await self.may_end.wait()
        return [part]


async def test_a_page_is_never_given_what_was_rendered_before_it_was_opened():
    watched = Watched("overview", frozenset())
    async with quiet_live() as live:
        live._views = views = SlowViews()
        before = live._listen(watched, "digest")
        rendering = asyncio.create_task(live._render_all())
        await asyncio.sleep(0)
        views.message = "7 is parked"
        opened = live._listen(watched, "digest")  # its first page says 7
        views.may_end.set()
        await rendering
        assert (before.waiting, opened.waiting) == ({"link": "6 is parked"}, {})
        later = live._listen(watched, "digest")
        assert later.waiting == {}
        await live._render_all()
        assert opened.waiting == before.waiting == later.waiting == {"link": "7 is parked"}


class BrokenViews(SlowViews):
    """One page has a mistake."""

    async def overview(self, scopes: object) -> list[PagePart]:
        if not scopes:
            raise UndefinedError("'dict object' has no attribute 'words'")
        return await super().overview(scopes)


async def test_a_page_with_a_mistake_is_told_in_the_log_and_ends_no_rendering(caplog):
    async with quiet_live() as live:
        live._views = views = BrokenViews()
        views.may_end.set()
        broken, sound = (
            live._listen(Watched("overview", frozenset(scopes)), "digest") for scopes in ("", "r")
        )
        await live._render_all()
        assert (broken.waiting, sound.waiting) == ({}, {"link": "6 is parked"})
    assert "has no attribute 'words'" in caplog.text


async def test_a_part_that_did_not_change_is_given_once():
    async with quiet_live() as live:
        live._views = views = SlowViews()
        views.may_end.set()
        listener = live._listen(Watched("overview", frozenset()), "digest")
        await live._render_all()
        assert "6 is parked" in listener.take()
        await live._render_all()
        assert listener.waiting == {}


async def test_one_token_with_many_pages_open_ends_its_own_and_no_others():
    async with quiet_live() as live:
        watched = Watched("overview", frozenset())
        quiet = live._listen(watched, "quiet")
        greedy = [live._listen(watched, "greedy") for _ in range(2 * LISTENERS_MAX)]
        assert len(live._listeners) == LISTENERS_MAX
        assert not quiet.is_ended
        assert greedy[0].is_ended
        assert not greedy[-1].is_ended
