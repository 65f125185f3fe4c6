"""Why a transfer failed, as a sentence."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException

from agent.maintenance.transfer.location import Location
from agent.maintenance.transfer.network import CA_KEY
from agent.platform.errors import TransferError
from agent.platform.tls import explain_tls


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
        raise TransferError(f"{host} cannot be used, or answers nonsense ({kind})") from None
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise TransferError(f"the connection with {host} failed: {reason}") from None
