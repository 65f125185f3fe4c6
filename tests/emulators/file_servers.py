"""Small real servers for files, in threads: HTTP and FTP, with and without TLS.

They keep what is put there, give what they have, and misbehave on demand.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USER, PASSWORD = "helpdesk", "p@ss:w0rd/!"


@dataclass
class Shelf:
    """What a server has and gets. Levers first, memory after them."""

    files: dict[str, bytes] = field(default_factory=dict)
    needs_login: bool = False
    refuse_put: int | None = None  # HTTP: this status for every PUT
    refuse_post: int | None = None
    refuse_get: int | None = None
    redirect_to: str = ""  # HTTP: every first path is sent there
    redirect_status: int = 302
    cuts_after: int | None = None  # bytes of a download, then the line is cut
    has_size: bool = True  # FTP: knows SIZE; HTTP: tells the length
    is_silent: bool = False  # takes the connection and says nothing
    speaks: bytes = b""  # says this to everything, and hangs up
    is_rough: bool = False  # FTPS: cuts data connections without a goodbye
    answers: dict[str, bytes] = field(default_factory=dict)  # FTP: to these commands
    busy_times: int = 0  # so many tries are refused first

    seen: list[str] = field(default_factory=list)  # requests, commands
    logins: list[tuple[str, str]] = field(default_factory=list)
    folders: set[str] = field(default_factory=lambda: {"/"})
    released: threading.Event = field(default_factory=threading.Event)

    def is_busy(self) -> bool:
        self.busy_times -= 1
        return self.busy_times >= 0


# --- HTTP ----------------------------------------------------------------------------------------


class _HttpHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shelf: Shelf

    def log_message(self, *arguments: Any) -> None:
        pass

    def handle(self) -> None:
        if self.shelf.is_silent:
            self.shelf.released.wait(30)
        elif self.shelf.speaks:
            self.connection.sendall(self.shelf.speaks)
            self._listen_to_the_end()
        else:
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                super().handle()

    def _listen_to_the_end(self) -> None:
        """Who closes with something unread resets the line, and what was said may be lost."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while self.connection.recv(4096):
                pass

    def _take(self) -> bytes:
        self.shelf.seen.append(f"{self.command} {self.path}")
        self.shelf.logins.append(
            (self.headers.get("Host", ""), self.headers.get("Authorization", ""))
        )
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _is_sent_away(self) -> bool:
        if self.shelf.is_busy():
            self._say(503)
            return True
        if self.shelf.redirect_to and len(self.shelf.seen) == 1:
            self._say(self.shelf.redirect_status, Location=self.shelf.redirect_to)
            return True
        return False

    def do_PUT(self) -> None:
        content = self._take()
        if self._is_sent_away():
            return
        if self.shelf.refuse_put is not None:
            self._say(self.shelf.refuse_put)
            return
        self.shelf.files[self.path] = content
        self._say(201)

    def do_POST(self) -> None:
        content = self._take()
        if self._is_sent_away():
            return
        if self.shelf.refuse_post is not None:
            self._say(self.shelf.refuse_post)
            return
        boundary = self.headers["Content-Type"].partition("boundary=")[2].encode()
        head, _, rest = content.partition(b"\r\n\r\n")
        name = head.partition(b'filename="')[2].partition(b'"')[0].decode()
        self.shelf.files[f"{self.path}/{name}"] = rest.removesuffix(
            b"\r\n--" + boundary + b"--\r\n"
        )
        self._say(200)

    def do_GET(self) -> None:
        self._take()
        if self._is_sent_away():
            return
        content = self.shelf.files.get(self.path)
        if self.shelf.refuse_get is not None or content is None:
            self._say(self.shelf.refuse_get or 404)
            return
        if self.shelf.cuts_after is None and self.shelf.has_size:
            self._say(200, content)
            return
        self.send_response(200)
        if self.shelf.has_size:
            self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content[: self.shelf.cuts_after])
        self.close_connection = True


@contextlib.contextmanager
def http_server(shelf: Shelf, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A web server on a free loopback port; gives its address without a last slash."""
    handler = type("Handler", (_HttpHandler,), {"shelf": shelf})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    with _running(server, shelf):
        scheme = "http" if tls is None else "https"
        host = "127.0.0.1" if tls is None else "localhost"
        yield f"{scheme}://{host}:{server.server_address[1]}"


@contextlib.contextmanager
def _running(server: socketserver.BaseServer, shelf: Shelf) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        shelf.released.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


# --- FTP -----------------------------------------------------------------------------------------


class _FtpHandler(socketserver.StreamRequestHandler):
    """RFC 959 as far as a client in passive mode needs it; RFC 4217 for TLS."""

    shelf: Shelf
    tls: ssl.SSLContext | None
    is_implicit: bool

    def handle(self) -> None:
        if self.shelf.is_silent:
            self.shelf.released.wait(30)
            return
        self.where = "/"
        self.user = ""
        self.is_private = False
        self.passive: socket.socket | None = None
        try:
            with contextlib.suppress(OSError, ValueError):
                self._converse()
        finally:
            if self.passive is not None:
                self.passive.close()
            self.connection.close()

    def _converse(self) -> None:
        if self.is_implicit:
            self._encrypt()
        self.say("220 here" if not self.shelf.speaks else self.shelf.speaks.decode())
        while line := self.rfile.readline(4096):
            words = line.decode().strip()
            command, _, rest = words.partition(" ")
            self.shelf.seen.append(command if command == "PASS" else words)
            if command == "QUIT":
                self.say("221 bye")
                return
            if command in self.shelf.answers:
                self.wfile.write(self.shelf.answers[command])
            else:
                getattr(self, f"ftp_{command.lower()}", self.unknown)(rest)

    def say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())

    def unknown(self, rest: str) -> None:
        self.say("502 not here")

    def _encrypt(self) -> None:
        assert self.tls is not None
        self.connection = self.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)

    def ftp_auth(self, rest: str) -> None:
        if self.tls is None:
            self.say("502 no TLS here")
            return
        self.say("234 go on")
        self._encrypt()

    def ftp_pbsz(self, rest: str) -> None:
        self.say("200 so be it")

    def ftp_prot(self, rest: str) -> None:
        self.is_private = rest == "P"
        self.say("200 so be it")

    def ftp_user(self, rest: str) -> None:
        self.user = rest
        self.say("331 and the password?")

    def ftp_pass(self, rest: str) -> None:
        self.shelf.logins.append((self.user, rest))
        is_good = not self.shelf.needs_login or (self.user, rest) == (USER, PASSWORD)
        self.say("230 welcome" if is_good else "530 not you")

    def ftp_type(self, rest: str) -> None:
        self.say("200 so be it")

    def ftp_cwd(self, rest: str) -> None:
        place = f"{self.where.rstrip('/')}/{rest}"
        if place not in self.shelf.folders:
            self.say("550 no such folder")
            return
        self.where = place
        self.say("250 there we are")

    def ftp_size(self, rest: str) -> None:
        content = self.shelf.files.get(self._path(rest))
        if not self.shelf.has_size or content is None:
            self.say("550 who knows")
        else:
            self.say(f"213 {len(content)}")

    def ftp_pasv(self, rest: str) -> None:
        self.passive = socket.create_server(("127.0.0.1", 0))
        self.passive.settimeout(10)
        port = self.passive.getsockname()[1]
        self.say(f"227 Entering Passive Mode (127,0,0,1,{port >> 8},{port & 255})")

    def ftp_epsv(self, rest: str) -> None:
        self.passive = socket.create_server(("127.0.0.1", 0))
        self.passive.settimeout(10)
        self.say(f"229 Entering Extended Passive Mode (|||{self.passive.getsockname()[1]}|)")

    def _path(self, name: str) -> str:
        return f"{self.where.rstrip('/')}/{name}"

    @contextlib.contextmanager
    def _data(self) -> Iterator[socket.socket]:
        assert self.passive is not None
        data, _ = self.passive.accept()
        self.passive.close()
        self.passive = None
        if self.is_private:
            assert self.tls is not None
            data = self.tls.wrap_socket(data, server_side=True)
        with data:
            yield data
            if isinstance(data, ssl.SSLSocket) and not self.shelf.is_rough:
                with contextlib.suppress(OSError):
                    data.unwrap()

    def ftp_stor(self, rest: str) -> None:
        if self.shelf.is_busy():
            self.say("450 not now")
            return
        self.say("150 go on")
        with self._data() as data:
            content = b""
            while block := data.recv(65536):
                content += block
        self.shelf.files[self._path(rest)] = content
        self.say("226 got it")

    def ftp_retr(self, rest: str) -> None:
        content = self.shelf.files.get(self._path(rest))
        if content is None or self.shelf.is_busy():
            self.say("550 no such file")
            return
        self.say("150 here it comes")
        with self._data() as data:
            data.sendall(content[: self.shelf.cuts_after])
        self.say("226 that was it")


@contextlib.contextmanager
def ftp_server(
    shelf: Shelf, tls: ssl.SSLContext | None = None, is_implicit: bool = False
) -> Iterator[int]:
    """An FTP server on a free loopback port; gives its port."""
    names = {"shelf": shelf, "tls": tls, "is_implicit": is_implicit}
    handler = type("Handler", (_FtpHandler,), names)
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    with _running(server, shelf):
        yield server.server_address[1]


# --- a server without an end ---------------------------------------------------------------------


@dataclass
class Endless:
    """It says one thing, then another again and again, until the line is cut."""

    first: bytes
    again: bytes
    every_s: float = 0.0

    is_talking: threading.Event = field(default_factory=threading.Event)
    is_cut: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def running(self) -> Iterator[int]:
        """Serves one client; gives its port."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(10)
            thread = threading.Thread(target=self._talk, args=(listener,), daemon=True)
            thread.start()
            try:
                yield listener.getsockname()[1]
            finally:
                self._over.set()
                thread.join(5)

    def _talk(self, listener: socket.socket) -> None:
        line, _ = listener.accept()
        with line:
            line.settimeout(1)  # for a client that does not read
            try:
                line.sendall(self.first)
                while not self._over.wait(self.every_s):
                    line.sendall(self.again)
                    self.is_talking.set()
            except ConnectionError:
                self.is_cut.set()
            except TimeoutError:
                return
