"""Headers that keep others out of the page, and the check that a form comes from it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

SECURITY_HEADERS: Mapping[str, str] = {
    # Nothing but our own files; no inline script or style, no frame around it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def comes_from_here(headers: Mapping[str, str]) -> bool:
    """True when a form was sent by our own page.

    Browsers say where a POST comes from, and no script can change it. One that does not say it is
    refused. The cookie, too, is only sent for requests from our own page (SameSite=Strict).
    """
    origin, host = headers.get("origin", ""), headers.get("host", "")
    return bool(host) and urlsplit(origin).netloc == host


def cookie_header(name: str, text: str, *, is_https: bool) -> str:
    """A cookie that scripts cannot read and that other sites cannot make a browser send."""
    ends = "; Max-Age=0" if not text else ""
    secure = "; Secure" if is_https else ""
    return f"{name}={text}; Path=/; HttpOnly; SameSite=Strict{secure}{ends}"
