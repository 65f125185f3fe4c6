"""Sending and fetching, with real servers on the loopback address."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import socket
import threading
import time
from collections import namedtuple
from concurrent import futures
from pathlib import Path
from urllib.parse import quote

import pytest

from agent.maintenance.transfer import file_transfer, ftp, http
from agent.maintenance.transfer.file_transfer import NetworkTransfers, fetch
from agent.maintenance.transfer.limits import TransferAttempt
from agent.maintenance.transfer.location import Location, location_of
from agent.maintenance.transfer.network import Network
from agent.platform.errors import TransferError
from tests.emulators.certificates import certificate_for
from tests.emulators.file_servers import (
    PASSWORD,
    USER,
    Endless,
    Shelf,
    ftp_server,
    http_server,
)

CONTENT = bytes(range(256)) * 1000
NAME = "bundle.tar.gz"
HERE = Network("any")  # the servers of these tests are on this machine
LOGIN = f"{USER}:{quote(PASSWORD, safe='')}@"


def attempt(within_s: float = 20.0, bytes_max: int = 10_000_000) -> TransferAttempt:
    return TransferAttempt(time.monotonic, within_s, bytes_max)


def sent(folder: str, ca_file: str = "", content: bytes = CONTENT) -> None:
    location = location_of(folder)
    module = http if location.scheme.startswith("http") else ftp
    module.upload(location, NAME, content, attempt(), Network("any", ca_file))


def fetched(address: str, ca_file: str = "", **limits: float) -> bytes:
    location = location_of(address)
    module = http if location.scheme.startswith("http") else ftp
    into = io.BytesIO()
    module.download(location, into, attempt(**limits), Network("any", ca_file))  # type: ignore[arg-type]
    return into.getvalue()


def problem_of(action: object, *arguments: object, **more: object) -> str:
    with pytest.raises(TransferError) as failed:
        action(*arguments, **more)  # type: ignore[operator]
    assert PASSWORD not in str(failed.value)
    return str(failed.value)


# --- HTTP ----------------------------------------------------------------------------------------


def test_a_file_is_put_into_the_folder():
    shelf = Shelf()
    with http_server(shelf) as url:
        sent(f"{url}/in/")
    assert shelf.files == {f"/in/{NAME}": CONTENT}
    assert shelf.seen == [f"PUT /in/{NAME}"]


def test_a_server_that_wants_no_put_gets_a_form():
    shelf = Shelf(refuse_put=405)
    with http_server(shelf) as url:
        sent(f"{url}/in")
    assert shelf.files == {f"/in/{NAME}": CONTENT}
    assert shelf.seen == [f"PUT /in/{NAME}", "POST /in"]


def test_an_address_that_is_signed_is_used_as_it_is():
    shelf = Shelf()
    with http_server(shelf) as url:
        sent(f"{url}/in/given.gz?signature=abc")
    assert list(shelf.files) == ["/in/given.gz?signature=abc"]


def test_a_signed_address_that_is_refused_is_not_tried_in_another_way():
    shelf = Shelf(refuse_put=403)
    with http_server(shelf) as url:
        assert "HTTP 403" in problem_of(sent, f"{url}/x?signature=abc")
    assert len(shelf.seen) == 1


@pytest.mark.parametrize(
    ("put", "post", "words"), [(404, 404, "HTTP 404"), (405, 401, "HTTP 401"), (500, None, "500")]
)
def test_a_server_that_takes_nothing_is_told_by_its_status(put: int, post: int | None, words: str):
    with http_server(Shelf(refuse_put=put, refuse_post=post)) as url:
        assert words in problem_of(sent, f"{url}/in")


def test_user_and_password_go_into_the_header_and_not_into_the_request_line():
    shelf = Shelf()
    with http_server(shelf) as url:
        sent(url.replace("//", f"//{LOGIN}") + "/in")
    (login,) = shelf.logins
    wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert login[1] == f"Basic {wanted}"
    assert "@" not in login[0] + shelf.seen[0]


def test_an_upload_is_sent_again_where_the_server_says():
    elsewhere = Shelf()
    with http_server(elsewhere) as other:
        shelf = Shelf(redirect_to=f"{other}/there", redirect_status=307)
        with http_server(shelf) as url:
            sent(url.replace("//", f"//{LOGIN}") + "/in")
    assert elsewhere.files == {"/there": CONTENT}
    assert elsewhere.logins[0][1] == ""  # the password was for the first host only


def test_a_file_is_fetched_through_redirects():
    shelf = Shelf(files={"/real": CONTENT}, redirect_to="/real")
    with http_server(shelf) as url:
        assert fetched(url.replace("//", f"//{LOGIN}") + "/asked?x=1") == CONTENT
    assert shelf.seen == ["GET /asked?x=1", "GET /real"]
    assert shelf.logins[0][1] == shelf.logins[1][1] != ""


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("ftp://a.example/x", "not followed"),
        ("gopher://a.example/x", "not by 'gopher'"),
        ("/x%0aSet-Cookie", "invisible"),
    ],
)
def test_a_redirect_to_something_else_is_not_followed(target: str, words: str):
    with http_server(Shelf(redirect_to=target)) as url:
        assert words in problem_of(fetched, f"{url}/x")


class Circle(list[str]):
    """Every request counts as the first."""

    def __len__(self) -> int:
        return 1


def test_a_circle_of_redirects_ends():
    shelf = Shelf(redirect_to="/x", redirect_status=307, seen=Circle())
    with http_server(shelf) as url:
        assert "in a circle" in problem_of(fetched, f"{url}/x")
        assert "in a circle" in problem_of(sent, f"{url}/x")
    assert shelf.files == {}


def test_a_file_that_is_not_there_is_told_by_its_status():
    with http_server(Shelf()) as url:
        assert "HTTP 404" in problem_of(fetched, f"{url}/x")


@pytest.mark.parametrize("has_size", [True, False])
def test_a_file_that_is_too_large_is_not_fetched(has_size: bool):
    with http_server(Shelf(files={"/x": CONTENT}, has_size=has_size)) as url:
        assert "too large" in problem_of(fetched, f"{url}/x", bytes_max=1000)


def test_a_download_that_breaks_off_is_no_file():
    with http_server(Shelf(files={"/x": CONTENT}, cuts_after=1000)) as url:
        assert "ended before the end" in problem_of(fetched, f"{url}/x")


@pytest.mark.parametrize(
    "speech", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 two hundred\r\n\r\n", b"\0"]
)
def test_something_that_is_no_web_server_is_told_in_words(speech: bytes):
    with http_server(Shelf(speaks=speech)) as url:
        assert "127.0.0.1" in problem_of(fetched, f"{url}/x")


def test_a_server_that_is_silent_is_given_up():
    with http_server(Shelf(is_silent=True)) as url:
        assert "did not answer in time" in problem_of(fetched, f"{url}/x", within_s=0.3)


def test_a_port_where_nobody_listens_is_told_in_words():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        assert "refuses the connection" in problem_of(fetched, f"http://127.0.0.1:{port}/x")


def test_a_name_that_nobody_knows_is_told_in_words():
    assert "(DNS)" in problem_of(fetched, "http://no-such-host.invalid/x")


# --- TLS -----------------------------------------------------------------------------------------


def test_over_https_certificate_and_name_are_checked(tmp_path: Path):
    good = certificate_for("localhost", tmp_path)
    other = certificate_for("other.example", tmp_path)
    shelf = Shelf()
    with http_server(shelf, good.server_context()) as url:
        sent(f"{url}/in", str(good.path))
        assert shelf.files == {f"/in/{NAME}": CONTENT}
        assert "certificate of localhost was not accepted" in problem_of(sent, f"{url}/in")
    with http_server(Shelf(), other.server_context()) as url:
        assert "for another name" in problem_of(sent, f"{url}/in", str(other.path))


def test_from_https_nobody_is_followed_to_where_one_can_read_along(tmp_path: Path):
    good = certificate_for("localhost", tmp_path)
    with (
        http_server(Shelf(files={"/x": b"x"})) as plain,
        http_server(Shelf(redirect_to=f"{plain}/x"), good.server_context()) as url,
    ):
        assert "without TLS" in problem_of(fetched, f"{url}/x", str(good.path))


def test_a_server_without_tls_is_told_in_words():
    with http_server(Shelf()) as url:
        assert "does not speak TLS" in problem_of(fetched, url.replace("http:", "https:") + "/x")


def test_certificates_that_cannot_be_read_are_told_by_their_file(tmp_path: Path):
    (tmp_path / "empty.pem").write_text("")
    for name in ("empty.pem", "missing.pem"):
        problem = problem_of(fetched, "https://localhost:1/x", str(tmp_path / name))
        assert name in problem


# --- FTP -----------------------------------------------------------------------------------------


def test_a_file_is_stored_in_the_folder_over_ftp():
    shelf = Shelf(folders={"/", "/in", "/in/box 7"}, needs_login=True)
    with ftp_server(shelf) as port:
        sent(f"ftp://{LOGIN}127.0.0.1:{port}/in/box%207")
    assert shelf.files == {f"/in/box 7/{NAME}": CONTENT}
    assert shelf.logins == [(USER, PASSWORD)]


def test_without_a_user_ftp_is_anonymous():
    shelf = Shelf()
    with ftp_server(shelf) as port:
        sent(f"ftp://127.0.0.1:{port}")
    assert shelf.logins[0][0] == "anonymous"
    assert shelf.files == {f"/{NAME}": CONTENT}


@pytest.mark.parametrize("has_size", [True, False])
def test_a_file_is_fetched_over_ftp(has_size: bool):
    shelf = Shelf(files={"/images/x.bin": CONTENT}, folders={"/", "/images"}, has_size=has_size)
    with ftp_server(shelf) as port:
        assert fetched(f"ftp://127.0.0.1:{port}/images/x.bin") == CONTENT


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/nowhere/x.bin", "550 no such folder"),
        ("/x.bin", "550 no such file"),
        ("/", "names a folder"),
    ],
)
def test_what_is_not_there_is_told_in_the_words_of_the_server(address: str, words: str):
    with ftp_server(Shelf()) as port:
        assert words in problem_of(fetched, f"ftp://127.0.0.1:{port}{address}")


def test_a_wrong_password_is_told_in_the_words_of_the_server():
    with ftp_server(Shelf(needs_login=True)) as port:
        assert "530 not you" in problem_of(sent, f"ftp://me:wrong@127.0.0.1:{port}/")


@pytest.mark.parametrize("has_size", [True, False])
def test_a_file_that_is_too_large_is_not_fetched_over_ftp(has_size: bool):
    with ftp_server(Shelf(files={"/x": CONTENT}, has_size=has_size)) as port:
        assert "too large" in problem_of(fetched, f"ftp://127.0.0.1:{port}/x", bytes_max=1000)


def test_an_ftp_download_that_breaks_off_is_no_file():
    with ftp_server(Shelf(files={"/x": CONTENT}, cuts_after=1000)) as port:
        assert "ended before the end" in problem_of(fetched, f"ftp://127.0.0.1:{port}/x")


@pytest.mark.parametrize("greeting", [b"421 too many", b"hello there"])
def test_something_that_is_no_ftp_server_is_told_in_words(greeting: bytes):
    with ftp_server(Shelf(speaks=greeting)) as port:
        assert "127.0.0.1 answers" in problem_of(fetched, f"ftp://127.0.0.1:{port}/x")


def test_an_ftp_server_that_is_silent_is_given_up():
    with ftp_server(Shelf(is_silent=True)) as port:
        problem = problem_of(fetched, f"ftp://127.0.0.1:{port}/x", within_s=0.3)
        assert "did not answer in time" in problem


def test_over_ftps_login_and_data_are_encrypted_and_the_name_is_checked(tmp_path: Path):
    good = certificate_for("localhost", tmp_path)
    shelf = Shelf(files={"/x": CONTENT}, needs_login=True)
    with ftp_server(shelf, good.server_context()) as port:
        sent(f"ftps://{LOGIN}localhost:{port}/", str(good.path))
        assert fetched(f"ftps://{LOGIN}localhost:{port}/x", str(good.path)) == CONTENT
        assert shelf.files[f"/{NAME}"] == CONTENT
        assert shelf.seen.index("AUTH TLS") < shelf.seen.index(f"USER {USER}")
        assert "PROT P" in shelf.seen
        problem = problem_of(sent, f"ftps://127.0.0.1:{port}/", str(good.path))
        assert "certificate of 127.0.0.1 was not accepted" in problem


def test_a_server_that_takes_a_file_and_cuts_the_line_has_taken_it(tmp_path: Path):
    good = certificate_for("localhost", tmp_path)
    shelf = Shelf(is_rough=True)
    with ftp_server(shelf, good.server_context()) as port:
        sent(f"ftps://localhost:{port}/", str(good.path))
    assert shelf.files == {f"/{NAME}": CONTENT}


def test_a_server_without_tls_gets_no_password_over_ftps():
    shelf = Shelf()
    with ftp_server(shelf) as port:
        assert "502" in problem_of(sent, f"ftps://{LOGIN}localhost:{port}/")
    assert shelf.logins == []


def test_port_990_speaks_tls_from_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    good = certificate_for("localhost", tmp_path)
    shelf = Shelf(needs_login=True)
    with ftp_server(shelf, good.server_context(), is_implicit=True) as port:
        monkeypatch.setattr(ftp, "IMPLICIT_PORT", port)
        sent(f"ftps://{LOGIN}localhost:{port}/", str(good.path))
    assert shelf.files == {f"/{NAME}": CONTENT}
    assert "AUTH TLS" not in shelf.seen


# --- limits --------------------------------------------------------------------------------------


def test_a_transfer_that_was_called_off_moves_nothing_more():
    shelf = Shelf()
    one = attempt()
    one.call_off()
    with http_server(shelf) as url, pytest.raises(TransferError, match="called off"):
        http.upload(location_of(url), NAME, CONTENT, one, HERE)
    assert shelf.files == {}


def test_a_transfer_ends_when_its_time_is_over():
    now = iter([0.0, 1.0, 5.0, 11.0])
    one = TransferAttempt(lambda: next(now), 10.0, 1000)
    one.check()
    one.check()
    with pytest.raises(TransferError, match="longer than 10 s"):
        one.check()


def test_a_server_may_be_silent_for_as_long_as_there_is_time():
    now = [0.0]
    one = TransferAttempt(lambda: now[0], 100.0, 1000)
    assert one.silence_s() == 30.0
    now[0] = 95.0
    assert one.silence_s() == 5.0
    now[0] = 200.0
    assert one.silence_s() == 0.1


def test_a_file_appears_whole_and_synced_or_not_at_all(tmp_path: Path):
    path = tmp_path / "firmware" / "image"
    shelf = Shelf(files={"/x": CONTENT}, cuts_after=1000)
    with http_server(shelf) as url:
        location = location_of(f"{url}/x")
        with pytest.raises(TransferError):
            fetch(location, path, attempt(), HERE)
        assert list(path.parent.iterdir()) == []
        shelf.cuts_after = None
        found = fetch(location, path, attempt(), HERE)
    assert found.path.read_bytes() == CONTENT
    assert (found.size, found.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert [file.name for file in path.parent.iterdir()] == ["image"]


def test_a_place_where_nothing_can_be_written_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TransferError, match="cannot write"):
        fetch(location_of("http://127.0.0.1:1/x"), tmp_path / "file" / "image", attempt(), HERE)


class FullDisk(io.BytesIO):
    def write(self, block: object) -> int:
        raise OSError(28, "No space left on device")


def test_a_disk_that_is_full_is_told_as_that():
    counted = file_transfer._Counted(FullDisk())
    with pytest.raises(TransferError, match="No space left"):
        counted.write(b"x")


def test_what_the_disk_has_no_room_for_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda place: Usage(0, 0, 100_000_500))
    most, words = file_transfer._room_for(tmp_path / "no" / "image", 1_000_000)
    assert most == 500
    assert "the disk has room for 0 MB" in words
    monkeypatch.setattr("shutil.disk_usage", lambda place: Usage(0, 0, 200_000_000))
    assert file_transfer._room_for(tmp_path / "image", 5_000_000) == (
        5_000_000,
        "the file is larger than 5 MB",
    )


# --- threads -------------------------------------------------------------------------------------


def network() -> NetworkTransfers:
    return NetworkTransfers(time.monotonic, HERE)


@pytest.mark.real_time
async def test_the_loop_goes_on_while_a_server_is_silent():
    shelf = Shelf(is_silent=True)
    turns = 0
    with http_server(shelf) as url:
        task = asyncio.create_task(network().upload(location_of(url), NAME, CONTENT, 5.0))
        while turns < 20:
            await asyncio.sleep(0.001)
            turns += 1
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.real_time
async def test_an_upload_and_a_download_come_to_their_end(tmp_path: Path):
    shelf = Shelf()
    with http_server(shelf) as url:
        await network().upload(location_of(f"{url}/in"), NAME, CONTENT, 5.0)
        there = location_of(f"{url}/in/{NAME}")
        found = await network().download(there, tmp_path / "image", 1_000_000, 5.0)
        assert found.path.read_bytes() == CONTENT
        with pytest.raises(TransferError, match=r"larger than 0\.1 MB"):
            await network().download(there, tmp_path / "image", 100_000, 5.0)


@pytest.mark.real_time
async def test_servers_that_hang_do_not_take_all_threads():
    shelf = Shelf(is_silent=True)
    one = network()
    with http_server(shelf) as url:
        place = location_of(url)
        tasks = [asyncio.create_task(one.upload(place, NAME, b"x", 5.0)) for _ in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(TransferError, match="too many transfers hang"):
            await one.upload(place, NAME, b"x", 5.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def names_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("scheme", "server"),
    [
        ("http", Endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", every_s=0.01)),
        ("http", Endless(b"HTTP/1.1 200 OK\r\nX: ", b"x", every_s=0.01)),
        ("ftp", Endless(b"220 ", b"x", every_s=0.01)),
    ],
    ids=["100 Continue", "a header", "a greeting"],
)
async def test_a_server_that_talks_without_an_end_is_cut_off_when_it_is_given_up(
    tmp_path: Path, scheme: str, server: Endless
):
    one = network()
    with server.running() as port:
        there = location_of(f"{scheme}://127.0.0.1:{port}/x")
        task = asyncio.create_task(one.download(there, tmp_path / "image", 1_000_000, 60.0))
        assert await asyncio.to_thread(server.is_talking.wait, 5)
        (outcome,) = one._running
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(futures.wait, [outcome], 3)
        assert outcome.done()
        assert await asyncio.to_thread(server.is_cut.wait, 3)
    assert names_in(tmp_path) == []


def test_what_was_called_off_gets_no_line_any_more():
    one = attempt()
    one.call_off()
    near, far = socket.socketpair()
    with near, far, pytest.raises(TransferError, match="called off"):
        one.uses(near)


def test_an_ftp_answer_without_an_end_is_not_read_on():
    with Endless(b"", b"220-and\r\n" * 50).running() as port:
        assert "more than 200 lines" in problem_of(fetched, f"ftp://127.0.0.1:{port}/x")


# --- what is odd ---------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["http://a..b/x", "ftp://a..b/x"])
def test_a_host_that_can_be_none_is_told_in_words(address: str):
    assert "cannot be used" in problem_of(fetched, address)


def test_a_redirect_to_an_address_that_is_none_is_told_in_words():
    with http_server(Shelf(redirect_to="http://[")) as url:
        assert "sends us to an address that is none" in problem_of(fetched, f"{url}/x")


@pytest.mark.parametrize(
    "answers", [{"SIZE": b"213 abc\r\n"}, {"USER": b"331 \xff\xfe\r\n"}], ids=["size", "letters"]
)
def test_ftp_answers_that_are_nonsense_are_told_in_words(answers: dict[str, bytes]):
    with ftp_server(Shelf({"/x": CONTENT}, answers=answers)) as port:
        assert "answers nonsense" in problem_of(fetched, f"ftp://127.0.0.1:{port}/x")


# --- one fetch in place of another ---------------------------------------------------------------


class Replaced:
    """A protocol: the fetch of /old goes on, and ends, while that of /new is half way."""

    def __init__(self, path: Path, does_fail: bool) -> None:
        self._path = path
        self._does_fail = does_fail
        self._half_way, self._go_on = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._fetch_new)
        self.new: list[file_transfer.Fetched] = []

    def download(
        self, location: Location, into: io.BytesIO, one: TransferAttempt, network: Network
    ) -> None:
        if location.name == "new":
            into.write(b"n" * 100_000)
            self._half_way.set()
            assert self._go_on.wait(5)
            into.write(b"n")
            return
        into.write(b"o" * 10)
        self._thread.start()
        assert self._half_way.wait(5)
        one.call_off()
        into.write(b"o" * 50_000)
        if self._does_fail:
            raise TransferError("gone")

    def _fetch_new(self) -> None:
        self.new.append(fetch(location_of("http://a.example/new"), self._path, attempt(), HERE))

    def finish(self) -> None:
        self._go_on.set()
        self._thread.join(5)


@pytest.mark.parametrize("does_fail", [True, False], ids=["fails", "comes to its end"])
def test_a_fetch_that_was_given_up_does_nothing_to_the_file_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does_fail: bool
):
    path = tmp_path / "image"
    both = Replaced(path, does_fail)
    monkeypatch.setattr(file_transfer, "_protocol", lambda location: both)
    with pytest.raises(TransferError):
        fetch(location_of("http://a.example/old"), path, attempt(), HERE)
    both.finish()
    (new,) = both.new
    assert path.read_bytes() == b"n" * 100_001
    assert new.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert names_in(tmp_path) == ["image"]


def test_locations_compare_by_value():
    assert location_of("http://a.example/x") == Location("http", "a.example", 80, "/x")
