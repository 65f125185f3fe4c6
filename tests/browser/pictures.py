"""Makes the pictures of the page for the documentation: ``make pictures``."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.api.harness import SECRET, api_settings, running_charger
from tests.browser.conftest import SWITCHES

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SESSION_MS = 21_000  # until the curve of the power can be seen


def tell_a_story(page: Page) -> None:
    """A refused card, then a session."""
    for button in ("A blocked card", "Plug the car in", "The usual card"):
        page.get_by_role("button", name=button).first.click()
        page.wait_for_timeout(1500)
    page.wait_for_timeout(SESSION_MS)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        settings = api_settings(Path(directory), MeterValueSampleInterval="5")
        settings = replace(settings, api=replace(settings.api, page=True))
        with running_charger(settings) as charger:
            charger.central_system.accepted_tags = {"044943121F1A80"}
            chromium = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=list(SWITCHES)
            )
            context = chromium.new_context(viewport={"width": 1280, "height": 900})
            page = context.new_page()
            page.goto(f"{charger.url}/login#{SECRET}")
            page.wait_for_url("**/")
            tell_a_story(page)
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=IMAGES / "page.png")
            page.set_viewport_size({"width": 390, "height": 844})
            page.emulate_media(color_scheme="dark")
            page.wait_for_timeout(1000)
            page.screenshot(path=IMAGES / "page-phone.png")
            chromium.close()


if __name__ == "__main__":
    main()
