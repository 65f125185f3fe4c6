"""What the broker of the house costs: memory and processor time, at rest and while a car charges.

A real Mosquitto on the same machine; the agent's process alone is counted. The meter is read every
half second, so that there is always something new to tell.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from tests.agent_process import start_python
from tests.bench.bench_idle import watch
from tests.bench.box import started
from tests.box_config import LIVELY_METER, config_text, simulated
from tests.emulators.mosquitto import MOSQUITTO, Mosquitto

BROKER = """
listener 1883 127.0.0.1
allow_anonymous false
password_file /etc/mosquitto/passwords
acl_file /etc/mosquitto/access
"""
USER = "chargepoint"


def run(seconds: float = 20.0) -> list[tuple[str, str]]:
    """Watch a box for ``seconds`` at rest and charging, without and with; empty without broker."""
    if MOSQUITTO is None:
        return [("not measured", "mosquitto is not installed")]
    found = asyncio.run(_measure("off", {}, seconds))
    with tempfile.TemporaryDirectory() as name:
        broker = Mosquitto(Path(name), BROKER, f"user {USER}\ntopic readwrite #\n", (USER,))
        broker.start()
        try:
            house = {
                "enabled": True,
                "host": "127.0.0.1",
                "port": broker.port,
                "username": USER,
                "password_file": str(broker.password_file(USER)),
            }
            return found + asyncio.run(_measure("on", house, seconds))
        finally:
            broker.stop()


async def _measure(name: str, house: dict[str, Any], seconds: float) -> list[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        config = directory / "config.toml"
        connector = {**simulated("lock", "plug", "pilot"), **LIVELY_METER}
        free = {"tap_guard_s": 0, "free_charging_id_tag": "FREE"}
        config.write_text(
            config_text(directory, connectors=[connector], authorization=free, house=house)
        )
        async with started(directory, ["-m", "agent", "run", "--config", str(config)]) as moments:
            rest = await watch(moments.process.pid, f"house {name}, at rest", seconds)
            plug = await start_python("-m", "agent", "sim", "plug", "--config", str(config))
            await plug.wait()
            return rest + await watch(moments.process.pid, f"house {name}, charging", seconds)
