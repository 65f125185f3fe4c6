"""A real Chromium that looks at the page of a real agent with simulated hardware."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.api.harness import SECRET, Charger, api_settings, running_charger

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

SWITCHES = (
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE_MS = 15_000


def why_not() -> str | None:
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed"
    return None if shutil.which("chromium") else "chromium is not installed"


@dataclass
class Visit:
    """One open page, and everything that the browser complained about."""

    page: Page
    charger: Charger
    complaints: list[str] = field(default_factory=list)

    def press(self, name: str, **how: Any) -> None:
        self.page.get_by_role("button", name=name, **how).first.click()

    def sees(self, text: str) -> None:
        """Wait until this text can be seen."""
        self.page.get_by_text(text).first.wait_for(timeout=PATIENCE_MS)

    def told(self, text: str) -> None:
        """Wait until the page says this about what was pressed."""
        self.page.locator("#told").get_by_text(text).wait_for(timeout=PATIENCE_MS)

    def go(self, path: str) -> None:
        self.page.goto(self.charger.url + path)

    def hinders_nobody(self, *schemes: Literal["light", "dark"]) -> None:
        """No rule of accessibility is broken in these colours."""
        from axe_playwright_python.sync_playwright import Axe

        for scheme in schemes:
            self.page.emulate_media(color_scheme=scheme)
            found = Axe().run(self.page)
            assert found.violations_count == 0, found.generate_report()

    def fits(self, width: int) -> None:
        """Nothing needs scrolling sideways."""
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.fixture(scope="module")  # while it lives, no other event loop can run in this thread
def chromium() -> Iterator[Browser]:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(SWITCHES)
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shared(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Charger]:
    settings = api_settings(tmp_path_factory.mktemp("browser"))
    settings = replace(settings, api=replace(settings.api, page=True))
    with running_charger(settings) as charger:
        yield charger


@pytest.fixture
def charger(shared: Charger) -> Charger:
    """One simulated connector, online, nothing plugged in, an empty list."""
    shared.at_rest()
    shared.post("clear-local-auth-list")
    shared.central_system.accepted_tags = {"044943121F1A80"}
    return shared


@pytest.fixture
def open_page(chromium: Browser, charger: Charger) -> Iterator[Any]:
    """Open the page as somebody who has followed the link that logs in; ends without complaint."""
    visits: list[Visit] = []

    def opened(path: str = "/", **how: Any) -> Visit:
        context = chromium.new_context(viewport={"width": 390, "height": 844}, **how)
        visit = Visit(context.new_page(), charger)
        visit.page.set_default_timeout(PATIENCE_MS)
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.on("console", lambda said: _note(visit, said))
        visits.append(visit)
        visit.go(f"/login#{SECRET}")
        visit.page.wait_for_url("**/")
        if path != "/":
            visit.go(path)
        return visit

    yield opened
    for visit in visits:
        visit.page.context.close()
        assert visit.complaints == []


def _note(visit: Visit, said: ConsoleMessage) -> None:
    if said.type in ("error", "warning"):
        visit.complaints.append(said.text)
