"""Answers of the page as gzip, for browsers that take it: half of a phone's wait is the radio.

A stranger cannot guess at what is shown by the length of the answer (BREACH): the cookie of a login
is not sent for his requests (SameSite=Strict), and no password or token of a form is in an answer.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import AsyncIterable, AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

WORTH_IT = 500  # bytes
# Of the events: 64 KiB for each open page. Its parts repeat within the last 8 KiB.
_WINDOW_BITS, _MEMORY_LEVEL = 13, 6
_AS_GZIP = 16
_WEIGHT_0 = re.compile(r"q=0(\.0*)?")


def takes_gzip(request: Request) -> bool:
    """Whether the browser says so: a weight of 0 says no (RFC 9110, 12.4.2)."""
    for offer in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, weight = offer.partition(";")
        if coding.strip() == "gzip":
            return not _WEIGHT_0.fullmatch(weight.strip())
    return False


def compressed(request: Request, answer: Response) -> Response:
    """The same answer, smaller where that is possible and worth it."""
    answer.headers.add_vary_header("Accept-Encoding")
    if not takes_gzip(request):
        return answer
    if isinstance(answer, StreamingResponse):
        answer.headers["Content-Encoding"] = "gzip"
        answer.body_iterator = _packed(answer.body_iterator)
    elif len(answer.body) >= WORTH_IT:
        answer.headers["Content-Encoding"] = "gzip"
        answer.body = gzip.compress(answer.body, compresslevel=6, mtime=0)
        answer.headers["Content-Length"] = str(len(answer.body))
    return answer


async def _packed(pieces: AsyncIterable[str | bytes | memoryview]) -> AsyncIterator[bytes]:
    """Each piece at once; what was in one before takes hardly any room in the next."""
    packer = zlib.compressobj(wbits=_AS_GZIP + _WINDOW_BITS, memLevel=_MEMORY_LEVEL)
    async for piece in pieces:
        content = piece.encode() if isinstance(piece, str) else bytes(piece)
        yield packer.compress(content) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()
