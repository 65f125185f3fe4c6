"""Where a central system may aim with an address for a file: by the address connected to."""

from __future__ import annotations

import io
import socket
import time

import pytest

from agent.maintenance.transfer import ftp, http
from agent.maintenance.transfer.limits import TransferAttempt
from agent.maintenance.transfer.location import location_of
from agent.maintenance.transfer.network import Network
from agent.platform.errors import TransferError
from tests.emulators.certificates import certificate_for
from tests.emulators.file_servers import Shelf, ftp_server, http_server

THE_BOX = ["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0"]
THROUGH_A_TRANSLATOR = ["64:ff9b::7f00:1", "2002:7f00:1::"]
NO_HOST = ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1%lo", "224.0.0.1", "ff02::1"]
PRIVATE = ["192.168.77.7", "10.77.0.9", "172.30.77.1", "100.64.77.1", "fd77::7", "::ffff:10.77.0.9"]
PUBLIC = ["8.8.8.8", "2606:4700::1111"]


def own_addresses() -> list[str]:
    """Those that this machine has in a network, as far as it has one."""
    found = []
    for family, elsewhere in ((socket.AF_INET, "198.51.100.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, 9))
                found.append(probe.getsockname()[0])
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("hosts", "allowed", "refused"),
    [
        ("network", PRIVATE + PUBLIC, THE_BOX + THROUGH_A_TRANSLATOR + NO_HOST),
        ("public", PUBLIC, THE_BOX + THROUGH_A_TRANSLATOR + NO_HOST + PRIVATE),
        ("any", THE_BOX + NO_HOST + PRIVATE + PUBLIC, []),
    ],
)
def test_each_setting_allows_its_addresses(hosts: str, allowed: list[str], refused: list[str]):
    network = Network(hosts)
    assert [address for address in allowed if network.refusal(address)] == []
    assert [address for address in refused if not network.refusal(address)] == []


def test_the_addresses_that_this_box_has_are_the_box_itself():
    for address in own_addresses():
        assert "this box itself" in Network("network").refusal(address)


def test_a_private_address_behind_a_translator_is_private():
    assert "private network" in Network("public").refusal("64:ff9b::c0a8:101")


def upload(address: str, network: Network) -> None:
    location = location_of(address)
    module = http if location.scheme.startswith("http") else ftp
    module.upload(location, "x", b"x", TransferAttempt(time.monotonic, 20.0, 1000), network)


def download(address: str, network: Network) -> None:
    location = location_of(address)
    module = http if location.scheme.startswith("http") else ftp
    module.download(location, io.BytesIO(), TransferAttempt(time.monotonic, 20.0, 1000), network)


@pytest.mark.parametrize("move", [upload, download])
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:7f00:1]"]
)
def test_by_default_nothing_on_the_box_itself_is_connected_to(move, host, tmp_path):
    shelf = Shelf(files={"/x": b"x"})
    secret = certificate_for("localhost", tmp_path)
    with (
        http_server(shelf) as http,
        http_server(shelf, secret.server_context()) as https,
        ftp_server(shelf) as ftp,
        ftp_server(shelf, secret.server_context()) as ftps,
    ):
        addresses = [
            f"http://{host}:{http.rpartition(':')[2]}/x",
            f"https://{host}:{https.rpartition(':')[2]}/x",
            f"ftp://{host}:{ftp}/x",
            f"ftps://{host}:{ftps}/x",
        ]
        for address in addresses:
            with pytest.raises(TransferError, match=r"this box itself .*file_hosts"):
                move(address, Network("network"))
    assert shelf.seen == []


def only_one_address_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.1 plays a host of the network; what else is the box stays the box."""
    refusal = Network.refusal
    monkeypatch.setattr(
        Network, "refusal", lambda self, ip: "" if ip == "127.0.0.1" else refusal(self, ip)
    )


@pytest.mark.parametrize("move", [upload, download])
def test_no_redirect_leads_to_the_box_itself(move, monkeypatch):
    only_one_address_is_elsewhere(monkeypatch)
    shelf = Shelf(redirect_to="http://127.0.0.2:80/x", redirect_status=307)
    with (
        http_server(shelf) as url,
        pytest.raises(TransferError, match=r"this box itself \(127.0.0.2\)"),
    ):
        move(f"{url}/x", Network("network"))


def test_a_name_is_asked_for_once_and_its_other_addresses_are_tried(monkeypatch):
    only_one_address_is_elsewhere(monkeypatch)
    asked = []

    def resolve(host: str, port: int, **more: object) -> list[object]:
        asked.append(host)
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (ip, port)) for ip in ("127.0.0.3", "127.0.0.1")]

    shelf = Shelf(files={"/x": b"x"})
    with http_server(shelf) as url:
        port = url.rpartition(":")[2]
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        download(f"http://files.example:{port}/x", Network("network"))
    assert asked == ["files.example"]


def test_ftp_data_go_to_the_host_of_the_commands_whatever_it_says(monkeypatch):
    only_one_address_is_elsewhere(monkeypatch)
    with socket.create_server(("127.0.0.2", 0)) as other:
        other.setblocking(False)
        port = other.getsockname()[1]
        told = f"227 there (127,0,0,2,{port >> 8},{port & 255})\r\n".encode()
        shelf = Shelf(files={"/x": b"x"}, answers={"PASV": told, "EPSV": b"500 no\r\n"})
        with ftp_server(shelf) as ftp, pytest.raises(TransferError, match="refuses the connection"):
            download(f"ftp://127.0.0.1:{ftp}/x", Network("network"))
        assert "PASV" in shelf.seen
        with pytest.raises(BlockingIOError):
            other.accept()
