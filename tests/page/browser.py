"""What a browser without scripts does: keeps the cookie, sends forms, says where it comes from."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx

from tests.api.harness import SECRET, Charger


class Browser:
    """One visitor."""

    def __init__(self, charger: Charger) -> None:
        self.client = charger.client(token=None)
        self.origin = charger.url

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *problem: object) -> None:
        self.client.close()

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.client.get(path, params=query, follow_redirects=True)

    def send(self, path: str, **fields: str) -> httpx.Response:
        """Send a form, and follow to where it leads."""
        return self.client.post(
            path, data=fields, headers={"Origin": self.origin}, follow_redirects=True
        )

    def log_in(self, token: str = SECRET) -> httpx.Response:
        return self.send("/login", token=token)

    def do(self, deed: str, **fields: str) -> str:
        """Press a button; returns what the page says about it."""
        answer = self.send("/page/do", do=deed, **fields)
        assert answer.status_code == 200, answer.text
        told = re.search(r'<p class="told">(.*?)</p>', answer.text)
        assert told is not None, answer.text
        return html.unescape(told.group(1))
