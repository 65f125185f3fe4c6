"""Files over HTTP and HTTPS: PUT or POST to a server, GET from it."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import BinaryIO
from urllib.parse import urljoin

from agent.maintenance.transfer.limits import TransferAttempt
from agent.maintenance.transfer.location import Location, location_of
from agent.maintenance.transfer.network import Network, explained
from agent.platform.errors import TransferError, TransferProblem

BLOCK = 64 * 1024
REDIRECTS_MAX = 5
_TAKEN = (200, 201, 202, 204)
_MOVED = (301, 302, 303, 307, 308)
_MOVED_AS_IT_IS = (307, 308)
_TRY_POST = (400, 403, 404, 405, 411, 501)
_KINDS = {
    400: TransferProblem.NONSENSE,
    401: TransferProblem.NO_PERMISSION,
    403: TransferProblem.NO_PERMISSION,
    405: TransferProblem.NOT_SUPPORTED,
    501: TransferProblem.NOT_SUPPORTED,
}
_BOUNDARY = "chargepoint-agent-4c8e1f6b2a"


def upload(
    folder: Location, name: str, content: bytes, attempt: TransferAttempt, network: Network
) -> None:
    """PUT the file into the folder; a server that wants none gets a form by POST instead.

    OCPP 1.6 does not say which of the two. An address with a query is signed for one file: it is
    taken as it is. Raises TransferError.
    """
    with explained(folder):
        place = folder if folder.query else folder.with_name(name)
        headers = {"Content-Type": _content_type(name)}
        status, reason = _send(place, "PUT", content, headers, attempt, network)
        if status in _TRY_POST and not folder.query:
            form = _form(name, content)
            headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
            put_status = status
            status, reason = _send(folder, "POST", form, headers, attempt, network)
            if status in (404, 405, 501):
                status = put_status  # it wants neither: the first answer tells more
        if status not in _TAKEN:
            raise _refusal(folder, status, reason)


def download(
    location: Location, into: BinaryIO, attempt: TransferAttempt, network: Network
) -> None:
    """GET the file, following some redirects. Raises TransferError."""
    with explained(location):
        for _ in range(REDIRECTS_MAX + 1):
            with _answer_to(location, "GET", None, {}, attempt, network) as answer:
                if answer.status in _MOVED:
                    location = _moved(location, answer)
                    continue
                if answer.status != 200:
                    raise _refusal(location, answer.status, answer.reason)
                _read(answer, into, attempt)
                return
        raise TransferError(f"{location.host} sends us around in a circle")


def _read(answer: http.client.HTTPResponse, into: BinaryIO, attempt: TransferAttempt) -> None:
    announced = answer.length
    attempt.expects(announced)
    before = attempt.done
    while block := answer.read1(BLOCK):
        attempt.moved(len(block))
        into.write(block)
    if announced is not None and attempt.done - before < announced:
        raise TransferError("the connection ended before the end of the file")


def _send(
    place: Location,
    method: str,
    body: bytes,
    headers: dict[str, str],
    attempt: TransferAttempt,
    network: Network,
) -> tuple[int, str]:
    """Status and reason of the answer; a redirect that asks for the same again is followed."""
    for _ in range(REDIRECTS_MAX + 1):
        with _answer_to(place, method, body, headers, attempt, network) as answer:
            if answer.status not in _MOVED_AS_IT_IS:
                return answer.status, answer.reason
            place = _moved(place, answer)
    raise TransferError(f"{place.host} sends us around in a circle")


@contextmanager
def _answer_to(
    location: Location,
    method: str,
    body: bytes | None,
    headers: dict[str, str],
    attempt: TransferAttempt,
    network: Network,
) -> Iterator[http.client.HTTPResponse]:
    attempt.check()
    with closing(_connection(location, attempt, network)) as connection:
        wanted = {"Host": location.host_header, "User-Agent": "chargepoint-agent", **headers}
        if location.user:
            secret = f"{location.user}:{location.password}".encode()
            wanted["Authorization"] = f"Basic {base64.b64encode(secret).decode('ascii')}"
        try:
            blocks = None if body is None else _blocks(body, attempt)
            if body is not None:
                wanted["Content-Length"] = str(len(body))
            attempt.uses(connection.sock)
            connection.request(method, location.target, blocks, wanted)
            with closing(connection.getresponse()) as answer:
                yield answer
        except http.client.HTTPException as problem:
            kind = type(problem).__name__
            raise TransferError(
                f"{location.host} does not speak HTTP ({kind})", TransferProblem.NONSENSE
            ) from None


def _connection(
    location: Location, attempt: TransferAttempt, network: Network
) -> http.client.HTTPConnection:
    """A connection whose line is there already: it opens none of its own."""
    context = network.tls_context() if location.scheme == "https" else None
    connection = http.client.HTTPConnection(location.host, location.port)
    line = network.connect(location.host, location.port, attempt.silence_s())
    connection.sock = (
        line if context is None else context.wrap_socket(line, server_hostname=location.host)
    )
    return connection


def _blocks(body: bytes, attempt: TransferAttempt) -> Iterator[bytes]:
    for start in range(0, len(body), BLOCK):
        attempt.check()
        yield body[start : start + BLOCK]


def _moved(location: Location, answer: http.client.HTTPResponse) -> Location:
    """Where a redirect leads: never to a protocol that can be read along, never with our password.

    The password stays with the host that it was given for.
    """
    base = f"{location.scheme}://{location.host_header}{location.target}"
    try:
        found = location_of(urljoin(base, answer.getheader("Location", "")))
    except ValueError:
        raise TransferError(f"{location.host} sends us to an address that is none") from None
    if found.scheme not in ("http", "https"):
        raise TransferError(f"{location.host} sends us to {found.scheme}, which is not followed")
    if location.is_encrypted and not found.is_encrypted:
        raise TransferError(f"{location.host} sends us to an address without TLS")
    if (found.host, found.port, found.scheme) == (location.host, location.port, location.scheme):
        return replace(found, user=location.user, password=location.password)
    return found


def _form(name: str, content: bytes) -> bytes:
    """RFC 7578: a form with one file."""
    head = (
        f"--{_BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {_content_type(name)}\r\n\r\n"
    )
    return head.encode("ascii") + content + f"\r\n--{_BOUNDARY}--\r\n".encode("ascii")


def _content_type(name: str) -> str:
    return "application/gzip" if name.endswith(".gz") else "application/x-ndjson"


def _refusal(location: Location, status: int, reason: str) -> TransferError:
    shown = "".join(char for char in reason[:60] if char.isprintable())
    said = f"{location.host} answers HTTP {status} {shown}".rstrip()
    return TransferError(said, _KINDS.get(status, TransferProblem.OTHER))
