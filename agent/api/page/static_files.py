"""Style, script and icon of the page: read and compressed once, and not sent to who has them."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from agent.api.page.compression import takes_gzip

_TYPES = {
    "page.css": "text/css",
    "sessions.css": "text/css",
    "page.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file, and the tag by which a browser says which version it has."""

    content: bytes
    zipped: bytes
    media_type: str
    tag: str

    def answer(self, request: Request) -> Response:
        """The file, or that the browser has it already."""
        headers = {"Cache-Control": "no-cache", "ETag": self.tag, "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=headers)
        if takes_gzip(request):
            headers["Content-Encoding"] = "gzip"
            return Response(self.zipped, media_type=self.media_type, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


def static_files() -> Mapping[str, StaticFile]:
    """Every file by its name."""
    folder = files("agent.api.page") / "static"
    return {
        name: _static_file((folder / name).read_bytes(), media_type)
        for name, media_type in _TYPES.items()
    }


def _static_file(content: bytes, media_type: str) -> StaticFile:
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    return StaticFile(content, gzip.compress(content, mtime=0), media_type, tag)
