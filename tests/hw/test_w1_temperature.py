"""The temperature sensor: its lies, and what is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hw.settings import TemperatureSettings
from hw.w1_temperature import PERIOD_S, SILENT_S, W1Temperature

SENSOR = "28-0316a2794bff"
GOOD = "72 01 4b 46 7f ff 0e 10 57 : crc=57 {crc}\n72 01 4b 46 7f ff 0e 10 57 t={milli}\n"


class Bus:
    """The files of the kernel, and a clock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now_s = 100.0
        (root / SENSOR).mkdir()
        self.says(20.0)

    def says(self, celsius: float, crc: str = "YES") -> None:
        self.gives(GOOD.format(crc=crc, milli=round(celsius * 1000)))

    def gives(self, text: str) -> None:
        (self.root / SENSOR / "w1_slave").write_text(text)

    def sensor(self) -> W1Temperature:
        settings = TemperatureSettings(sensor=SENSOR, max_c=75)
        return W1Temperature(settings, lambda: self.now_s, self.root)

    def goes_on(self, sensor: W1Temperature, seconds: float) -> None:
        for _ in range(round(seconds / PERIOD_S)):
            self.now_s += PERIOD_S
            sensor.step()


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    return Bus(tmp_path)


def test_too_hot_trips_until_it_is_ten_kelvin_cooler(bus: Bus):
    sensor = bus.sensor()
    tripped = []
    for celsius in (74.9, 75.0, 70.0, 65.0, 64.9, 74.9):
        bus.says(celsius)
        bus.goes_on(sensor, PERIOD_S)
        tripped.append(sensor.is_tripped)
    assert tripped == [False, True, True, True, False, False]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "frobnicate\n",
        GOOD.format(crc="NO", milli=20000),
        GOOD.format(crc="YES", milli=-127000),
        GOOD.format(crc="YES", milli=99999999),
        f"{'00 ' * 9}: crc=00 YES\n{'00 ' * 9}t=0\n",
    ],
)
def test_nonsense_is_borne_for_half_a_minute_and_then_counts_as_too_hot(bus: Bus, text: str):
    sensor = bus.sensor()
    bus.gives(text)
    bus.goes_on(sensor, SILENT_S - PERIOD_S)
    assert not sensor.is_tripped
    bus.goes_on(sensor, PERIOD_S)
    assert sensor.is_tripped
    bus.says(20.0)
    bus.goes_on(sensor, PERIOD_S)
    assert not sensor.is_tripped


def test_the_value_of_power_on_is_not_believed_once_but_when_it_stays(bus: Bus):
    sensor = bus.sensor()
    bus.says(85.0)
    bus.goes_on(sensor, PERIOD_S)
    assert not sensor.is_tripped
    bus.goes_on(sensor, PERIOD_S)
    assert sensor.is_tripped


def test_a_sensor_that_is_not_there_trips_at_once_and_is_named_once(bus: Bus, caplog):
    (bus.root / SENSOR / "w1_slave").unlink()
    sensor = bus.sensor()
    assert sensor.is_tripped
    bus.goes_on(sensor, 60)
    assert [SENSOR in record.getMessage() for record in caplog.records] == [True]


def test_its_thread_ends(bus: Bus):
    sensor = bus.sensor()
    sensor.start()
    sensor.shut_down()
    sensor.shut_down()
    assert not sensor._thread.is_alive()


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "28-XYZ", "10-0316a2794bff"])
def test_a_name_that_no_sensor_has_is_refused(name: str):
    with pytest.raises(ValueError, match="sensor must look like"):
        TemperatureSettings(sensor=name)
