"""The way to the servers that a central system names: which of them, TLS, and why it failed."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from agent.maintenance.transfer.location import Location
from agent.platform.errors import CertificateFileError, TransferError, TransferProblem
from agent.platform.tls import client_context, explain_tls

Address = IPv4Address | IPv6Address

CA_KEY = "central_system.ca_file"
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address


@dataclass(frozen=True, slots=True)
class Network:
    """What a transfer may use.

    ``hosts`` as ``central_system.file_hosts``: "public", "network" (private ones too) or "any"
    (this box itself too). ``ca_file``: certificates to trust besides those of the system.
    """

    hosts: str = "network"
    ca_file: str = ""

    def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """A line to the first address of the host that answers. Raises TransferError, OSError.

        It is decided about the very address that is connected to: a name may mean another one
        each time that it is asked for, and a redirect leads to another name.
        """
        problem: Exception = TransferError(f"the name {host} has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            refusal = self.refusal(str(address[0]))
            if refusal:
                problem = TransferError(f"{host} {refusal} (central_system.file_hosts)")
                continue
            line = socket.socket(family, kind, protocol)
            try:
                line.settimeout(timeout_s)
                line.connect(address)
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as failure:
                line.close()
                problem = failure
            else:
                return line
        raise problem

    def refusal(self, address: str) -> str:
        """Why files must not go to this IP address, as the end of a sentence; "" when they may."""
        if self.hosts == "any":
            return ""
        meanings = _meanings(address)
        if any(one.is_link_local or one.is_multicast for one in meanings):
            return f"is no host of a network ({address})"
        if any(one.is_loopback or one.is_unspecified or _is_own(one) for one in meanings):
            return f"is this box itself ({address})"
        if self.hosts == "public" and not all(one.is_global for one in meanings):
            return f"is in a private network ({address})"
        return ""

    def tls_context(self) -> ssl.SSLContext:
        """What every connection of the agent asks for. Raises TransferError."""
        try:
            return client_context(self.ca_file, system_too=True)
        except CertificateFileError as problem:
            raise TransferError(f"{CA_KEY}: {problem}") from None


def _meanings(text: str) -> list[Address]:
    found = ip_address(text.partition("%")[0])
    if isinstance(found, IPv4Address):
        return [found]
    if found.ipv4_mapped is not None:
        return [found.ipv4_mapped]
    inner = found.sixtofour
    if found in _NAT64:
        inner = IPv4Address(found.packed[-4:])
    return [found] if inner is None else [found, inner]


def _is_own(address: Address) -> bool:
    """True for every address of this box: only from there does it talk to itself.

    Nothing is sent: connecting a UDP socket asks the kernel for the way.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return ip_address(probe.getsockname()[0]) == address
    except OSError:
        return False  # no way there: then none for the file


@contextmanager
def explained(location: Location) -> Iterator[None]:
    """Turn what the network raises into TransferError: a sentence without secrets."""
    host = location.host
    try:
        yield
    except TransferError:
        raise
    except socket.gaierror:
        raise TransferError(f"the name {host} cannot be resolved (DNS)") from None
    except ssl.SSLError as problem:
        raise TransferError(explain_tls(problem, host, CA_KEY)) from None
    except ConnectionRefusedError:
        raise TransferError(f"{host} refuses the connection on port {location.port}") from None
    except TimeoutError:
        raise TransferError(f"{host} did not answer in time") from None
    except EOFError:
        raise TransferError(f"{host} cut the connection") from None
    except (HTTPException, ValueError, ArithmeticError, LookupError, AttributeError) as problem:
        # Names, numbers, letters that are none. The libraries check few of them.
        kind = type(problem).__name__
        raise TransferError(
            f"{host} cannot be used, or answers nonsense ({kind})", TransferProblem.NONSENSE
        ) from None
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise TransferError(f"the connection with {host} failed: {reason}") from None
