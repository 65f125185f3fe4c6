"""One box for all tests here: they follow each other as days in its life."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulators.modbus_meter import SdmOnPty
from tests.system.central_system import serving
from tests.system.machine import NotToBeHadError
from tests.system.machine import why_not as why_no_debian
from tests.vm.box import CARDS, CONFIG, METER_BEGIN_WH, Box
from tests.vm.guest import THIS_MACHINE, switched_on, why_not
from tests.vm.image import image


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A box as it is delivered: the agent installed, configured and started at boot."""
    missing = why_no_debian() or why_not()
    if missing is not None:
        pytest.skip(f"a guest with a kernel of its own: {missing}")
    folder = tmp_path_factory.mktemp("guest")
    with serving() as (central_system, url), SdmOnPty("sdm120") as meter:
        central_system.accepted_tags = set(CARDS)
        central_system.current_time = lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        meter.set(import_kwh=METER_BEGIN_WH / 1000)
        config = CONFIG.replace("URL", url.replace("127.0.0.1", THIS_MACHINE))
        try:
            with (
                image(os.environ.get("VM_DEBIAN", "bookworm"), config, folder) as (disk, boot),
                switched_on(disk, boot, folder, adapters(folder, meter.path)) as guest,
            ):
                box = Box(guest, central_system, meter.meter, config)
                try:
                    yield box
                finally:
                    box.pull_reader()
        except NotToBeHadError as reason:
            pytest.skip(f"a guest with a kernel of its own: {reason}")


def adapters(folder: Path, meter_port: str) -> tuple[str, ...]:
    """Two USB serial adapters: the reader's, and the meter's, which never leaves the bus."""
    reader = f"socket,id=reader,path={folder}/reader.sock,server=on,wait=off"
    meter = f"serial,id=meter,path={meter_port}"
    return (
        *("-chardev", reader, "-device", "usb-serial,chardev=reader,serial=reader"),
        *("-chardev", meter, "-device", "usb-serial,chardev=meter,serial=meter"),
    )
