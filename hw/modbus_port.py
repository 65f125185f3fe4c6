"""One Modbus RTU port: one request at a time, and silence after a failure.

Modbus RTU numbers neither requests nor answers: an answer that comes too late would be taken for
the answer to the next request, with no error to see. So after a failure the port rests until no
late answer can come any more, and what came in meanwhile is thrown away.
"""

from __future__ import annotations

import logging
import os
import termios
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymodbus.client import ModbusSerialClient

SLOWEST_ANSWER_S = 1.0
"""A device that has not begun to answer after this time, beyond the wire time, never will."""


class PortProblem(Exception):
    """The request got no usable answer; the text is a sentence that says what to check."""


class NoAnswer(PortProblem):
    """Nothing came in time, or nothing that could be understood."""


class ModbusPort:
    """A serial port with a pymodbus client. Not for several threads at once."""

    def __init__(
        self,
        path: str,
        owner: str,
        *,
        baud: int,
        parity: str,
        answer_timeout_s: float,
        pause_s: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        """``owner`` names in sentences what is on the port: "the meter".

        ``pause_s`` is the silence between two requests.
        """
        # pymodbus logs every unanswered request as an error; PortProblem says it once, and better.
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
        from pymodbus.client import ModbusSerialClient

        self._path = path
        self._owner = owner
        self._pause_s = pause_s
        self._quiet_s = SLOWEST_ANSWER_S + answer_timeout_s
        self._clock = clock
        self._sleep = sleep
        self._free_at_s = clock()
        # retries=0: a retry inside the client would take a late answer for its own.
        self._client: ModbusSerialClient = ModbusSerialClient(
            path, baudrate=baud, parity=parity, timeout=answer_timeout_s, retries=0
        )

    def exchange(self, ask: Callable[[ModbusSerialClient], Any]) -> Any:
        """``ask`` sends one request and returns its answer, which is returned here.

        Raises NoAnswer, or PortProblem when the port cannot be used.
        """
        from pymodbus.exceptions import ConnectionException, ModbusIOException

        left_s = self._free_at_s - self._clock()
        if left_s > 0:
            self._sleep(left_s)
        self._open()
        rest_s = self._quiet_s
        try:
            answer = ask(self._client)
            rest_s = self._pause_s
            return answer
        except ModbusIOException as error:
            raise NoAnswer(f"{self._owner} on {self._path} does not answer") from error
        except (ConnectionException, OSError, termios.error) as error:
            self.close()
            raise PortProblem(self._unplugged()) from error
        finally:
            self._free_at_s = self._clock() + rest_s

    def distrust(self) -> None:
        """The answer belonged to another request: rest before the next one."""
        self._free_at_s = self._clock() + self._quiet_s

    def close(self) -> None:
        """Close the port; the next request opens it again. Safe to repeat."""
        self._client.close()  # type: ignore[no-untyped-call]  # pymodbus left it without types

    def _open(self) -> None:
        if not self._client.connect():
            raise PortProblem(self._why_not_open())
        port = self._client.socket
        assert port is not None  # connect() said so
        try:
            port.reset_input_buffer()
        except (OSError, termios.error) as error:
            self.close()
            raise PortProblem(self._unplugged()) from error

    def _unplugged(self) -> str:
        return (
            f"the port {self._path} of {self._owner} failed: check that its adapter is plugged in"
        )

    def _why_not_open(self) -> str:
        name = f"the port {self._path} of {self._owner}"
        if not os.path.exists(self._path):
            return f"{name} is not there: check that it is plugged in"
        if not os.access(self._path, os.R_OK | os.W_OK):
            return f"{name} may not be opened: check that this user is in the group dialout"
        return (
            f"{name} cannot be opened: "
            "check that no other program uses it, and that it is a serial port"
        )
