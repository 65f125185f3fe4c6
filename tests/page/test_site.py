"""The page over real HTTP, for a browser without scripts; and what others cannot do with it."""

from __future__ import annotations

import html
import re

import httpx
import pytest

from agent.api.page.site import SECURITY_HEADERS
from agent.api.tokens import TokenFile
from tests.api.harness import PATIENCE_S, SECRET, Charger
from tests.emulators.central_system import Answer
from tests.page.browser import Browser

CARD = "044943121F1A80"
PAGES = ("/", "/cards", "/sessions", "/keys", "/frames", "/grid-limits", "/security")


def token_for(charger: Charger, *scopes: str) -> str:
    """A token with these scopes, made as the command line does."""
    name, text = "-".join(scopes), f"Zq8{'-'.join(scopes)}T4w9Lm2Xc6"
    tokens = TokenFile(charger.settings.storage_path.parent)
    if name not in [token.name for token in tokens.read()]:
        tokens.add(name, scopes, text, "2026-03-01T12:00:00Z")
    return text


# --- coming in -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_shown_without_logging_in(charger, path):
    with Browser(charger) as stranger:
        answer = stranger.get(path)
        assert answer.url.path == "/login"
        assert "Connector" not in answer.text


@pytest.mark.parametrize("path", ["/page/events", "/page/do"])
def test_streams_and_deeds_are_refused_without_logging_in(charger, path):
    with Browser(charger) as stranger:
        method = "POST" if path.endswith("do") else "GET"
        answer = stranger.client.request(method, path, headers={"Origin": stranger.origin})
        assert answer.status_code == 401


def test_a_wrong_token_is_refused_and_says_no_more(charger):
    with Browser(charger) as stranger:
        answer = stranger.log_in("x" * 30)
        assert answer.status_code == 401
        assert "not known" in answer.text
        assert "set-cookie" not in answer.headers


def test_a_token_that_may_not_read_is_told_so(charger):
    with Browser(charger) as stranger:
        answer = stranger.log_in(token_for(charger, "simulate"))
        assert answer.status_code == 401
        assert "scope read" in html.unescape(answer.text)


def test_the_cookie_cannot_be_read_by_scripts_nor_sent_from_elsewhere(charger):
    with charger.client(token=None) as client:
        answer = client.post("/login", data={"token": SECRET}, headers={"Origin": charger.url})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert SECRET not in cookie


def test_logging_out_ends_the_visit(browser):
    browser.send("/logout")
    assert browser.get("/").url.path == "/login"


def test_a_revoked_token_ends_the_visit_at_once(charger):
    text = token_for(charger, "read", "configure")
    with Browser(charger) as visitor:
        visitor.log_in(text)
        assert visitor.get("/").url.path == "/"
        TokenFile(charger.settings.storage_path.parent).revoke("read-configure")
        assert visitor.get("/").url.path == "/login"


def test_a_bearer_token_does_not_open_the_page_and_the_cookie_does_not_open_the_api(
    charger, browser
):
    assert charger.get("/").status_code == 303
    assert browser.get("/ocpp/commands").status_code == 401


# --- others --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PAGES, "/login", "/page/static/page.js", "/page/nothing"])
def test_every_answer_keeps_others_out(browser, path):
    answer = browser.client.get(path)
    for name in SECURITY_HEADERS:
        if name != "Cache-Control":
            assert answer.headers.get(name) == SECURITY_HEADERS[name], name


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "null"}, {"Origin": "http://evil.example"}, {"Origin": ""}]
)
def test_a_form_from_another_site_does_nothing(charger, browser, headers):
    answer = browser.client.post("/page/do", data={"do": "plug"}, headers=headers)
    assert answer.status_code == 403
    assert not charger.state.connectors[0].plugged


@pytest.mark.parametrize("path", PAGES)
def test_nothing_on_a_page_comes_from_elsewhere_or_runs_inline(browser, path):
    text = browser.get(path).text
    assert not re.search(r"""\s(src|href|action)=["'](?![/#])""", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bon\w+=|\bstyle=", text)


def test_hostile_text_is_shown_as_text(charger, browser):
    evil = "<img src=x>'\"&"
    assert "is on the local list" in browser.do("add", id_tag=evil, back="/cards")
    text = browser.get("/cards").text
    assert "<img" not in text
    assert html.escape(evil, quote=True) in text.replace("&#39;", "&#x27;").replace(
        "&#34;", "&quot;"
    )


def test_a_form_that_is_too_large_or_no_form_is_refused(browser):
    headers = {"Origin": browser.origin}
    large = browser.client.post("/page/do", content=b"a=" + b"x" * 20_000, headers=headers)
    assert large.status_code == 413
    many = "&".join(f"a{n}=1" for n in range(50))
    assert browser.client.post("/page/do", content=many, headers=headers).status_code == 400
    assert browser.client.post("/page/do", content=b"\xff", headers=headers).status_code == 400


@pytest.mark.parametrize("name", ["page.css", "sessions.css", "page.js", "icon.svg"])
def test_a_file_comes_compressed_to_those_who_take_it_so(browser, name):
    def get(encoding: str) -> httpx.Response:
        path = f"/page/static/{name}"
        return browser.client.get(path, headers={"Accept-Encoding": encoding})

    plain, zipped = get("identity"), get("gzip")
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.headers["vary"] == "Accept-Encoding"
    assert plain.content == zipped.content
    assert zipped.num_bytes_downloaded < plain.num_bytes_downloaded


def test_a_page_comes_compressed_to_those_who_take_it_so(browser):
    def get(path: str, encoding: str) -> httpx.Response:
        return browser.client.get(path, headers={"Accept-Encoding": encoding})

    for path in ("/", "/keys"):
        plain, zipped = get(path, "identity"), get(path, "gzip")
        assert "content-encoding" not in plain.headers
        assert zipped.headers["content-encoding"] == "gzip"
        assert zipped.headers["vary"] == "Accept-Encoding"
        assert zipped.text.endswith("</html>")
        assert zipped.num_bytes_downloaded < plain.num_bytes_downloaded / 2


@pytest.mark.parametrize(
    ("says", "is_zipped"),
    [
        ("br, GZIP ;q=0.5", True),
        ("deflate,gzip;q=1.0,*;q=0", True),
        ("gzip;q=0", False),
        ("br, gzip; q=0.000", False),
        ("x-gzip-not", False),
        ("*", False),
    ],
)
def test_a_browser_that_refuses_compression_gets_none(browser, says, is_zipped):
    for path in ("/keys", "/page/static/page.css"):
        answer = browser.client.get(path, headers={"Accept-Encoding": says})
        assert (answer.headers.get("content-encoding") == "gzip") is is_zipped, path


def test_an_answer_with_the_headers_of_the_news_alone_ends_and_frees_its_line(browser):
    answer = browser.client.head("/page/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert browser.client.get("/keys", timeout=PATIENCE_S).status_code == 200  # on the same line


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_news_come_at_once_and_what_comes_again_is_small(browser, encoding):
    headers = {"Accept-Encoding": encoding}
    with browser.client.stream("GET", "/page/events", headers=headers) as stream:
        assert stream.headers.get("content-encoding", "identity") == encoding
        lines = stream.iter_lines()

        def panel_after(deed: str, words: str) -> tuple[str, int]:
            before = stream.num_bytes_downloaded
            browser.do(deed, connector="1")
            line = next(one for one in lines if '"part": "panel"' in one and words in one)
            return line, stream.num_bytes_downloaded - before

        panel_after("plug", "Pull the plug")
        panel_after("unplug", "Plug the car in")
        line, cost = panel_after("plug", "Pull the plug")
        assert (cost < len(line) / 2) == (encoding == "gzip")
        panel_after("unplug", "Plug the car in")


# --- looking -------------------------------------------------------------------------------------


def test_the_overview_tells_what_each_connector_waits_for(charger, browser):
    text = browser.get("/").text
    assert text.count('<h2 id="connector-') == 2
    assert "free" in text
    assert "accepted by the central system" in text


def test_a_session_is_shown_with_energy_and_without_the_whole_card(charger, browser):
    charger.central_system.accepted_tags.add(CARD)
    browser.do("plug", connector="1")
    assert "accepted at connector 1" in browser.do("tap", card=bytes.fromhex(CARD).hex(":"))
    charger.until_status("Charging")
    text = browser.get("/").text
    assert "kWh" in text
    assert "04..80" in text
    connectors = text.split('id="part-connectors"')[1].split('id="part-panel"')[0]
    assert CARD not in connectors
    stop = re.search(r'name="ref" value="(\d+)"', text)
    assert stop is not None
    assert browser.do("stop", ref=stop.group(1)) == "Done."
    assert charger.state.connectors[0].transaction is None


def test_a_stop_button_means_the_session_beside_it_whatever_numbers_were_given(charger, browser):
    twice = Answer({"transactionId": 2_000, "idTagInfo": {"status": "Accepted"}})
    charger.central_system.next("StartTransaction", twice, twice)
    for number in (1, 2):
        charger.applied("start-session", {"id_tag": "TWICE", "connector_id": number})
    second = browser.get("/").text.split('<h2 id="connector-2">')[1]
    stop = re.search(r'name="ref" value="(\d+)"', second)
    assert stop is not None
    assert browser.do("stop", ref=stop.group(1)) == "Done."
    assert [connector.transaction is None for connector in charger.state.connectors] == [
        False,
        True,
    ]


def test_a_card_that_is_typed_is_kept_as_the_reader_tells_it(charger, browser):
    told = browser.do("add", id_tag=" 04:a2:b3:c4 ", back="/cards")
    assert told.startswith("Card 04..C4 is on the local list now.")
    assert "04A2B3C4" in browser.get("/cards").text
    told = browser.do("add", id_tag="04:A2:B3", back="/cards")
    assert "04:A2:B3 has 6 hex digits" in told
    assert "04:A2:B3" not in browser.get("/cards").text.split('id="cache"')[0]


def test_why_a_card_was_refused_is_shown_and_it_can_be_added_to_the_list(charger, browser):
    charger.central_system.accepted_tags.add(CARD)
    assert "refused" in browser.do("tap", card="C0FFEE00")
    text = browser.get("/").text
    assert "Next:" in text
    mark = re.search(r'name="mark" value="([^"]*)"', text)
    assert mark is not None
    told = browser.do("add", mark=html.unescape(mark.group(1)))
    assert told == "Card C0..00 is on the local list now."
    assert "C0FFEE00" in browser.get("/cards").text
    assert browser.do("remove", id_tag="C0FFEE00", back="/cards").endswith("off the local list.")
    assert "C0FFEE00" not in browser.get("/cards").text.split('id="cache"')[0]


def test_a_mark_that_names_no_card_adds_none(charger, browser):
    assert "show it again" in browser.do("add", mark="2026|1|NO_RULE")
    assert charger.state.local_list.entries == 0


def test_the_network_can_be_cut_and_mended(charger, browser):
    assert browser.do("cut", network="cut") == "The network is cut."
    charger.until(lambda: not charger.state.online)
    assert "offline" in browser.get("/").text
    assert browser.do("cut", network="mend") == "The network is mended."
    charger.until(lambda: charger.state.online)


def test_the_grid_operator_can_limit_the_box_and_no_longer(charger, browser):
    assert "Limit the box</button>" in browser.get("/").text
    assert browser.do("grid-limit", wanted="on") == "The grid operator limits the box."
    charger.until(lambda: bool(charger.state.external_limits))
    text = browser.get("/").text
    assert "Limit the box no longer</button>" in text
    assert "A: the grid operator</p>" in text  # without a session too
    assert browser.do("grid-limit", wanted="off") == "The grid operator limits the box no longer."
    charger.until(lambda: not charger.state.external_limits)


def test_the_panel_has_the_grid_operators_contact_only_where_it_is_simulated(
    charger, browser, monkeypatch
):
    monkeypatch.setattr(charger.board.simulation, "_grid_contact", None)
    assert "Grid operator</h3>" not in browser.get("/").text
    assert "is not simulated" in browser.do("grid-limit", wanted="on")


def test_keys_are_shown_and_changed(charger, browser):
    assert "MeterValueSampleInterval" in browser.get("/keys").text
    assert browser.do("set-key", key="MeterValueSampleInterval", value="33", back="/keys") == (
        "MeterValueSampleInterval is 33 now."
    )
    assert charger.state.configuration.integer("MeterValueSampleInterval") == 33
    refused = browser.do("set-key", key="MeterValueSampleInterval", value="soon", back="/keys")
    wanted = "must be a whole number from 0 to 86400"
    assert refused == f"MeterValueSampleInterval was not changed: {wanted}."
    assert charger.state.configuration.integer("MeterValueSampleInterval") == 33


def test_keys_say_what_they_mean_and_are_found_by_it(browser):
    found = browser.get("/keys", search="waits for an ANSWER").text
    assert re.findall("<h3>(.*?)</h3>", found) == ["Message<wbr>Timeout"]
    assert "<span>s</span>" in found
    nothing = browser.get("/keys", search="<script>").text
    assert "No key has “&lt;script&gt;” in its name or meaning." in nothing


def test_frames_are_shown_filtered_and_masked(charger, browser):
    browser.do("tap", card="C0FFEE00")
    everything = browser.get("/frames").text
    assert "Authorize" in everything
    assert "C0FFEE00" not in everything
    assert "BootNotification" in browser.get("/frames", filter="boot").text
    only = browser.get("/frames", filter="authorize").text
    assert "Authorize" in only
    assert "BootNotification" not in only


@pytest.mark.parametrize("deed", ["retry", "discard", "unlock", "skip-delay", "acknowledge"])
def test_a_form_that_does_not_name_what_it_means_does_nothing(charger, deed):
    with Browser(charger) as visitor:
        visitor.log_in(token_for(charger, "read", "operate"))
        assert "must be a number" in visitor.do(deed)


# --- rights --------------------------------------------------------------------------------------


def test_a_reader_sees_no_buttons_and_cannot_do_what_they_do(charger):
    with Browser(charger) as reader:
        reader.log_in(token_for(charger, "read"))
        for path in PAGES:
            assert 'action="/page/do"' not in reader.get(path).text
        for deed, fields in {
            "stop": {},
            "unlock": {"connector": "1"},
            "skip-delay": {"connector": "1"},
            "clear-cache": {},
            "set-key": {"key": "HeartbeatInterval", "value": "1"},
            "add": {"id_tag": "AB"},
            "remove": {"id_tag": "AB"},
            "plug": {"connector": "1"},
            "tap": {"card": CARD},
            "cut": {"network": "cut"},
            "grid-limit": {"wanted": "on"},
        }.items():
            assert "lacks the scope" in reader.do(deed, **fields), deed
    assert charger.state.online
    assert not charger.state.connectors[0].plugged


@pytest.mark.parametrize(
    ("deed", "fields", "told"),
    [
        ("nonsense", {}, "does not know that button"),
        ("plug", {"connector": "9"}, "Not done"),
        ("plug", {"connector": "one"}, "must be a number"),
        ("break", {"fault": "gremlins"}, "Not done"),
        ("tap", {"card": "not hex at all, and long"}, "Not done"),
        ("add", {"id_tag": "X" * 21}, "not changed"),
        ("stop", {"ref": "4711"}, "Refused"),
    ],
)
def test_what_cannot_be_done_is_told_in_words(browser, deed, fields, told):
    assert told in browser.do(deed, **fields)
