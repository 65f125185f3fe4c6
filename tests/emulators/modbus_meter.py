"""Energy meters on a cable: simulated SDM meters, and a responder that misbehaves on order.

``SdmOnPty`` and ``MeterBus`` run pymodbus's own server on one end of a cable made of two ptys, so
that the client under test meets a Modbus implementation that it does not share its mistakes with.
The registers are those of the maker's lists (SDM630Register.pdf, SDM230-register.pdf), compared
with ``meters/rs485/sdm.go`` and ``sdm230.go`` of github.com/volkszaehler/mbmd, not with the driver.
``RawResponder`` sends whatever bytes it is told: late, broken, split, or none.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import select
import struct
import tempfile
import threading
import tty
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymodbus.simulator import SimDevice

WAIT_S = 10.0
"""Longest wait for a thread of the emulators; reached only when something is broken."""

_REGISTER_COUNT = 0x50  # up to import and export of reactive energy
_PHASES = {"sdm120": 1, "sdm230": 1, "sdm630": 3}


class SimulatedSdm:
    """The registers of one Eastron meter. ``set`` may be called at any time, from any thread."""

    def __init__(self, model: str, unit_id: int = 1) -> None:
        self.model = model
        self.unit_id = unit_id
        self.words = [0] * _REGISTER_COUNT
        self.reads = 0
        self._lock = threading.Lock()
        self.set(import_kwh=0.0, power_w=0.0)
        self.set(frequency_hz=50.0, power_factor=1.0)
        self.set(voltage_v=[230.0] * _PHASES[model])

    def set(
        self,
        *,
        import_kwh: float | None = None,
        power_w: float | None = None,
        voltage_v: Iterable[float] = (),
        current_a: Iterable[float] = (),
        power_phase_w: Iterable[float] = (),
        frequency_hz: float | None = None,
        power_factor: float | None = None,
    ) -> None:
        """Change what the meter shows; what is left out stays. Tuples begin with L1."""
        is_single = _PHASES[self.model] == 1
        self._put(0x48, import_kwh)
        self._put(0x0C if is_single else 0x34, power_w)
        self._put(0x46, frequency_hz)
        self._put(0x1E if is_single else 0x3E, power_factor)
        for first, values in ((0x00, voltage_v), (0x06, current_a), (0x0C, power_phase_w)):
            for index, value in enumerate(values):
                self._put(first + 2 * index, value)

    def _put(self, address: int, value: float | None) -> None:
        if value is None:
            return
        with self._lock:
            self.words[address : address + 2] = struct.unpack(">HH", struct.pack(">f", value))

    async def refresh(
        self,
        function_code: int,
        start_address: int,
        address: int,
        count: int,
        registers: list[int],
        set_values: list[int] | list[bool] | None,
    ) -> None:
        """What pymodbus's server calls before it answers: copy the values in."""
        with self._lock:
            registers[:] = self.words[start_address : start_address + len(registers)]
            self.reads += 1


def _join(thread: threading.Thread) -> None:
    """Wait for the end of a thread. An error in it is a warning of pytest, so an error."""
    thread.join(WAIT_S)
    assert not thread.is_alive(), f"the thread {thread.name} does not end"


def _raw_pty() -> tuple[int, int, str]:
    master, slave = os.openpty()
    tty.setraw(master)
    tty.setraw(slave)
    return master, slave, os.ttyname(slave)


class _Cable:
    """Two ptys whose masters are joined by a thread: two device files, one wire."""

    def __init__(self) -> None:
        self.is_cut = False
        self._near_master, self._near_slave, self.near_path = _raw_pty()
        self._far_master, self._far_slave, self.far_path = _raw_pty()
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._copy, name="cable", daemon=True)
        self._thread.start()

    def _copy(self) -> None:
        other = {self._near_master: self._far_master, self._far_master: self._near_master}
        while True:
            ready, _, _ = select.select([*other, self._stop_read], [], [])
            if self._stop_read in ready:
                return
            for end in ready:
                data = os.read(end, 4096)
                if not self.is_cut:
                    os.write(other[end], data)

    def close(self) -> None:
        os.write(self._stop_write, b"x")
        _join(self._thread)
        for fd in (
            self._near_master,
            self._near_slave,
            self._far_master,
            self._far_slave,
            self._stop_read,
            self._stop_write,
        ):
            os.close(fd)


class _Server:
    """pymodbus's serial server in a thread with its own loop."""

    def __init__(self, path: str, meters: Iterable[SimulatedSdm]) -> None:
        self._path = path
        self._meters = tuple(meters)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="modbus server", daemon=True)
        self._thread.start()
        if not self._ready.wait(WAIT_S):
            self.close()
            raise AssertionError("the Modbus server does not start")

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        from pymodbus.server import ModbusSerialServer

        devices = [_device(meter) for meter in self._meters]
        server = ModbusSerialServer(devices, port=self._path, baudrate=9600)
        await server.serve_forever(background=True)
        self._ready.set()
        await self._stop.wait()
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus left it without types

    def close(self) -> None:
        # The loop may have ended by an error, which pytest reports.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop.set)
        _join(self._thread)


def _device(meter: SimulatedSdm) -> SimDevice:
    from pymodbus.simulator import DataType, SimData, SimDevice

    def registers(count: int) -> list[SimData]:
        return [SimData(0, values=[0] * count, datatype=DataType.REGISTERS)]

    bits = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
    blocks = (bits, bits, registers(1), registers(len(meter.words)))
    return SimDevice(meter.unit_id, simdata=blocks, action=meter.refresh)


class MeterBus:
    """Simulated meters on one cable; a context manager.

    ``path`` is the port to give to the client: a link, so that it stays the same when the adapter
    is unplugged and plugged in again.
    """

    def __init__(self, *meters: SimulatedSdm) -> None:
        self.meters = meters
        self._folder = tempfile.TemporaryDirectory(prefix="meter-")
        self.path = str(Path(self._folder.name) / "ttyMeter")
        self._cable: _Cable | None = None
        self._server: _Server | None = None

    def plug(self) -> None:
        """Plug the adapter in: the port appears."""
        assert self._cable is None, "it is plugged in already"
        self._cable = _Cable()
        self._server = _Server(self._cable.far_path, self.meters)
        os.symlink(self._cable.near_path, self.path)

    def unplug(self) -> None:
        """Pull the adapter: the port disappears, whoever has it open gets errors."""
        os.unlink(self.path)
        assert self._server is not None
        assert self._cable is not None
        self._server.close()
        self._cable.close()
        self._server = self._cable = None

    def cut(self, is_cut: bool = True) -> None:
        """Cut (or mend) the wires behind the adapter: every meter falls silent."""
        assert self._cable is not None
        self._cable.is_cut = is_cut

    def __enter__(self) -> MeterBus:
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        if self._cable is not None:
            self.unplug()
        self._folder.cleanup()


class SdmOnPty(MeterBus):
    """One simulated meter on a port of its own: ``with SdmOnPty("sdm630") as sdm: sdm.path``."""

    def __init__(self, model: str, unit_id: int = 1) -> None:
        self.meter = SimulatedSdm(model, unit_id)
        self.set = self.meter.set
        super().__init__(self.meter)

    def __enter__(self) -> SdmOnPty:
        super().__enter__()
        return self


class RawResponder:
    """A pty that answers with the bytes it is told; a context manager.

    ``respond`` is called in a thread with each request of eight bytes, and returns the pieces to
    send, each as one write; an empty list is silence. ``send`` sends at any time.
    """

    def __init__(self, respond: Callable[[bytes], list[bytes]]) -> None:
        self._respond = respond
        self._master, self._slave, self.path = _raw_pty()
        self._stop_read, self._stop_write = os.pipe()
        self.requests: queue.Queue[bytes] = queue.Queue(maxsize=100)
        self._thread = threading.Thread(target=self._run, name="raw responder", daemon=True)

    def _run(self) -> None:
        pending = b""
        while True:
            ready, _, _ = select.select([self._master, self._stop_read], [], [])
            if self._stop_read in ready:
                return
            pending += os.read(self._master, 4096)
            while len(pending) >= 8:
                request, pending = pending[:8], pending[8:]
                self.requests.put_nowait(request)
                for piece in self._respond(request):
                    os.write(self._master, piece)

    def send(self, data: bytes) -> None:
        """Send now, and return when the bytes lie in the client's input buffer."""
        os.write(self._master, data)
        ready, _, _ = select.select([self._slave], [], [], WAIT_S)
        assert ready, "the bytes do not arrive"

    def __enter__(self) -> RawResponder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._stop_write, b"x")
        _join(self._thread)
        for fd in (self._master, self._slave, self._stop_read, self._stop_write):
            os.close(fd)


def with_crc(frame: bytes) -> bytes:
    """The frame with its Modbus checksum (CRC-16, polynomial 0xA001, low byte first)."""
    crc = 0xFFFF
    for byte in frame:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return frame + crc.to_bytes(2, "little")


def answer_from(meter: SimulatedSdm, request: bytes) -> bytes:
    """The right answer of ``meter`` to a request for input registers."""
    unit_id, function_code, address, count = struct.unpack(">BBHH", request[:6])
    words = meter.words[address : address + count]
    body = struct.pack(f">{count}H", *words)
    return with_crc(bytes((unit_id, function_code, len(body))) + body)
