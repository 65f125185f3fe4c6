"""Files over FTP and FTPS, in passive mode."""

from __future__ import annotations

import ftplib
import io
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from agent.maintenance.transfer.limits import TransferAttempt
from agent.maintenance.transfer.location import Location
from agent.maintenance.transfer.network import Network, explained
from agent.platform.errors import TransferError, TransferProblem

BLOCK = 64 * 1024
ANSWER_LINES_MAX = 200
_KINDS = {  # RFC 959, 4.2.1; 550 may as well say that there is no such folder
    "500": TransferProblem.NONSENSE,
    "501": TransferProblem.NONSENSE,
    "502": TransferProblem.NOT_SUPPORTED,
    "504": TransferProblem.NOT_SUPPORTED,
    "530": TransferProblem.NO_PERMISSION,
    "532": TransferProblem.NO_PERMISSION,
}
IMPLICIT_PORT = 990  # TLS from the first byte; on every other port TLS is asked for (RFC 4217)


def upload(
    folder: Location, name: str, content: bytes, attempt: TransferAttempt, network: Network
) -> None:
    """Store the file in the folder. Raises TransferError."""
    with _session(folder, attempt, network) as session:
        for part in [*folder.folders, *([folder.name] if folder.name else [])]:
            session.cwd(part)
        session.storbinary(
            f"STOR {name}", io.BytesIO(content), BLOCK, lambda block: attempt.check()
        )


def download(
    location: Location, into: BinaryIO, attempt: TransferAttempt, network: Network
) -> None:
    """Fetch the file. Raises TransferError."""
    if not location.name:
        raise TransferError("the address names a folder, no file")
    with _session(location, attempt, network) as session:
        for part in location.folders:
            session.cwd(part)
        session.voidcmd("TYPE I")
        announced = _size(session, location.name)
        attempt.expects(announced)
        before = attempt.done

        def take(block: bytes) -> None:
            attempt.moved(len(block))
            into.write(block)

        session.retrbinary(f"RETR {location.name}", take, BLOCK)
        if announced is not None and attempt.done - before < announced:
            raise TransferError("the connection ended before the end of the file")


def _size(session: ftplib.FTP, name: str) -> int | None:
    try:
        return session.size(name)
    except ftplib.error_perm:
        return None  # SIZE is an extension (RFC 3659)


@contextmanager
def _session(
    location: Location, attempt: TransferAttempt, network: Network
) -> Iterator[ftplib.FTP]:
    with explained(location):
        attempt.check()
        session = _opened(location, attempt, network)
        try:
            session.login(location.user or "anonymous", location.password or "anonymous@")
            if isinstance(session, ftplib.FTP_TLS):
                session.prot_p()
            session.set_pasv(True)
            yield session
        except ftplib.Error as problem:
            raise _refusal(location, problem) from None
        finally:
            _end(session)


def _opened(location: Location, attempt: TransferAttempt, network: Network) -> ftplib.FTP:
    timeout_s = attempt.silence_s()
    session: _BoundedFtp
    if location.scheme == "ftp":
        session = _BoundedFtp(timeout=timeout_s)
    elif location.port == IMPLICIT_PORT:
        session = ImplicitTls(timeout=timeout_s, context=network.tls_context())
    else:
        session = SameSessionTls(timeout=timeout_s, context=network.tls_context())
    session.attempt, session.network = attempt, network
    try:
        session.connect(location.host, location.port)
    except ftplib.Error as problem:
        session.close()
        raise _refusal(location, problem) from None
    except BaseException:
        session.close()
        raise
    return session


def _end(session: ftplib.FTP) -> None:
    with suppress(OSError, EOFError, ftplib.Error, AttributeError, ValueError, TransferError):
        session.quit()
    session.close()


def _refusal(location: Location, problem: ftplib.Error) -> TransferError:
    text = str(problem).splitlines()[0] if str(problem) else "nothing"
    shown = "".join(char for char in text[:100] if char.isprintable())
    other = (
        TransferProblem.NONSENSE
        if isinstance(problem, ftplib.error_proto)
        else TransferProblem.OTHER
    )
    return TransferError(f"{location.host} answers {shown}", _KINDS.get(text[:3], other))


def _without_goodbye(unwrap: Callable[[], Any]) -> Callable[[], None]:
    """Some servers cut the line when they have all: their answer tells whether they have."""

    def end() -> None:
        with suppress(OSError):
            unwrap()

    return end


class _BoundedFtp(ftplib.FTP):
    """Answers have an end, and are waited for no longer than the attempt lasts."""

    attempt: TransferAttempt
    network: Network
    trust_server_pasv_ipv4_address = False  # data go where the commands go, and nowhere else
    _lines_left = 0

    def connect(self, *arguments: Any, **more: Any) -> str:
        """Connect where the network lets us, and read the server's greeting."""
        self.host, self.port = arguments
        plain = self.network.connect(self.host, self.port, self.attempt.silence_s())
        self.af = plain.family
        self.sock = self.wrapped(plain)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        return self.welcome

    def wrapped(self, plain: socket.socket) -> socket.socket:
        """The line for the commands."""
        return plain

    def getmultiline(self) -> str:
        """One answer. Raises TransferError when it does not end: all its lines are kept."""
        self._lines_left = ANSWER_LINES_MAX
        self.attempt.uses(self.sock)
        return super().getmultiline()

    def getline(self) -> str:
        """One line of it."""
        self.attempt.check()
        if self._lines_left == 0:
            raise TransferError(f"{self.host} answers with more than {ANSWER_LINES_MAX} lines")
        self._lines_left -= 1
        return super().getline()


class SameSessionTls(_BoundedFtp, ftplib.FTP_TLS):
    """Data connections go on with the TLS session of the control connection.

    Many servers want that (``require_ssl_reuse`` of vsftpd), so that no other client can take them.
    """

    def ntransfercmd(self, cmd: str, rest: Any = None) -> tuple[Any, int | None]:
        """As the base class does after ``prot_p``, but with the session at hand."""
        plain, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        assert isinstance(self.sock, ssl.SSLSocket)
        connection: Any = self.context.wrap_socket(
            plain, server_hostname=self.host, session=self.sock.session
        )
        if cmd.startswith("STOR"):
            connection.unwrap = _without_goodbye(connection.unwrap)
        return connection, size


class ImplicitTls(SameSessionTls):
    """TLS from the first byte."""

    def wrapped(self, plain: socket.socket) -> socket.socket:
        """Before the server's greeting is read."""
        return self.context.wrap_socket(plain, server_hostname=self.host)
