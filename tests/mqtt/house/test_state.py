"""What the house reads of the box: retained, told on change, and again when it is asked for."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from agent.core.id_tag import mask
from agent.mqtt.broker import Publication
from agent.platform.errors import StoreError
from agent.store import Store
from tests.app.box import CARD, POWER_W
from tests.emulators.house_broker import FakeHouseBroker
from tests.mqtt.house.conftest import (
    AVAILABILITY,
    BOX,
    CONNECTOR,
    HOME_ASSISTANT,
    ROOT,
    House,
    house,
)


async def test_a_free_connector_is_told_and_kept(tmp_path):
    async with house(tmp_path) as here:
        found = here.connector
        assert (found["status"], found["plugged"], found["charging"]) == ("Available", False, False)
        assert (found["session_wh"], found["session_begun_at"], found["faults"]) == (None, None, [])
        assert here.broker.state(BOX)["online"] is True


async def test_a_session_is_told_with_its_energy_and_a_masked_card(tmp_path):
    async with house(tmp_path) as here:
        await here.box.charge()
        await here.until(status="Charging", charging=True, plugged=True, power_w=POWER_W)
        await asyncio.sleep(600)
        found = here.connector
        assert found["session_minutes"] in (9, 10)
        assert found["session_wh"] == pytest.approx(POWER_W / 6, rel=0.05)
        assert found["current_a"][0] == 32
        assert CARD not in str(here.broker.kept)
        assert found["session_id_tag"].startswith(CARD[:2])
        await here.box.finish()
        await here.until(status="Available", session_begun_at=None, session_wh=None)


async def named(here: House, name: str) -> None:
    await here.box.do("list", what="name", id_tag=CARD, name=name)


async def test_a_session_is_told_with_the_name_of_its_card_if_the_owner_wishes(tmp_path):
    async with house(tmp_path, session_names=True) as here:
        await named(here, "Anna")
        await here.box.charge()
        found = await here.until(session_name="Anna")
        assert found["session_id_tag"] == mask(CARD)
        assert CARD not in str(here.broker.said)
        await asyncio.sleep(60)
        await here.box.finish()
        await here.until(status="Available", session_name=None)
        await asyncio.sleep(60)
        await named(here, "Anna Berg")
        await here.box.charge()
        await here.until(session_name="Anna Berg")


async def test_without_that_wish_no_name_leaves_the_box(tmp_path):
    async with house(tmp_path) as here:
        await named(here, "Anna")
        await here.box.charge()
        await here.until(status="Charging")
        await asyncio.sleep(60)
        assert here.connector["session_name"] is None
        assert "Anna" not in str(here.broker.said)


async def test_a_card_without_a_name_is_looked_up_once(tmp_path, monkeypatch):
    asked: list[tuple[str, ...]] = []
    real = Store.tag_names

    def counted(store: Store, tags: tuple[str, ...]) -> dict[str, str]:
        asked.append(tuple(tags))
        return real(store, tags)

    monkeypatch.setattr(Store, "tag_names", counted)
    async with house(tmp_path, session_names=True) as here:
        await here.box.charge()
        await here.until(status="Charging")
        await asyncio.sleep(600)
        assert here.connector["session_name"] is None
        assert asked == [(CARD,)]


async def test_names_that_cannot_be_read_hold_nothing_up(tmp_path, monkeypatch, caplog):
    def broken(store: Store, tags: tuple[str, ...]) -> dict[str, str]:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(Store, "tag_names", broken)
    async with house(tmp_path, session_names=True) as here:
        await here.box.charge()
        await here.until(status="Charging", session_name=None)
        await asyncio.sleep(60)
    told = [record.getMessage() for record in caplog.records]
    assert told.count("the house is told no name: the disk is gone") == 1


async def test_measurements_are_told_at_most_every_ten_seconds_and_a_change_of_state_at_once(
    tmp_path,
):
    async with house(tmp_path) as here:
        await here.box.charge()
        await here.until(power_w=POWER_W)
        await asyncio.sleep(30)
        before = len(here.broker.told_of(CONNECTOR))
        await asyncio.sleep(100)
        assert 9 <= len(here.broker.told_of(CONNECTOR)) - before <= 11
        await here.box.do("sim", lever="fault", name="door")
        await asyncio.sleep(1)
        assert here.connector["status"] != "Charging"


async def test_a_box_where_nothing_happens_says_nothing(tmp_path):
    async with house(tmp_path) as here:
        await asyncio.sleep(60)
        before = len(here.broker.said)
        await asyncio.sleep(3600)
        assert len(here.broker.said) == before


async def test_a_fault_is_told_in_words_of_the_connector_and_of_the_box(tmp_path):
    async with house(tmp_path) as here:
        await here.box.do("sim", lever="fault", name="door")
        found = await here.until(status="Faulted")
        assert found["faults"] == ["cabinet door open"]
        assert here.broker.state(BOX)["faults"] == ["cabinet door open"]


async def test_after_the_connection_broke_everything_is_told_anew(tmp_path):
    async with house(tmp_path) as here:
        here.broker.kept.clear()  # it has restarted without a disk
        here.broker.break_off()
        await here.box.until(lambda: CONNECTOR in here.broker.kept)
        assert here.broker.kept[AVAILABILITY] == "online"
        assert any(topic.startswith("homeassistant/sensor/") for topic in here.broker.kept)


async def test_when_home_assistant_begins_everything_is_told_anew(tmp_path):
    async with house(tmp_path) as here:
        await asyncio.sleep(5)
        before = len(here.broker.said)
        here.broker.send(HOME_ASSISTANT, "online")
        await asyncio.sleep(1)
        told = {message.topic for message in here.broker.said[before:]}
        assert told == set(here.broker.kept)


async def test_a_flood_of_such_announcements_is_answered_once(tmp_path):
    async with house(tmp_path) as here:
        await asyncio.sleep(5)
        before = len(here.broker.said)
        for _ in range(1000):
            here.broker.send(HOME_ASSISTANT, "online")
        await asyncio.sleep(1)
        assert len(here.broker.said) - before == len(here.broker.kept)


async def test_the_last_will_and_the_goodbye_say_that_the_box_is_away(tmp_path):
    async with house(tmp_path) as here:
        assert here.broker.last_will == Publication(AVAILABILITY, "offline", is_kept=True)
        await here.box.shut_down()
        assert here.broker.kept[AVAILABILITY] == "offline"


async def test_what_an_earlier_configuration_left_is_removed(tmp_path):
    async with house(tmp_path) as here:
        stale = (
            "homeassistant/sensor/chargepoint_DEMO-1/2_power/config",
            f"{ROOT}connector/2/state",
        )
        for topic in (*stale, CONNECTOR, *here.broker.kept):
            if topic not in (AVAILABILITY, BOX):
                here.broker.send(topic, "{}", is_kept=True)
        kept = dict(here.broker.kept)
        await asyncio.sleep(1)
        emptied = [message.topic for message in here.broker.said if message.text == ""]
        assert emptied == list(stale)
        assert here.broker.kept == kept


async def test_with_discovery_switched_off_its_messages_are_removed(tmp_path):
    topic = "homeassistant/sensor/chargepoint_DEMO-1/1_power/config"
    async with house(tmp_path, broker=FakeHouseBroker(kept={topic: "{}"}), discovery=False) as here:
        here.broker.send(topic, "{}", is_kept=True)
        await here.box.until(lambda: topic not in here.broker.kept)
        assert set(here.broker.kept) == {AVAILABILITY, BOX, CONNECTOR}


async def test_garbage_without_end_under_our_topics_takes_bounded_room(tmp_path):
    async with house(tmp_path) as here:
        here.broker.slow_s = 5.0
        for number in range(2000):
            topic = f"homeassistant/sensor/chargepoint_DEMO-1/x{number}/config"
            here.broker.send(topic, "{}", is_kept=True)
        await asyncio.sleep(1)
        status = (await here.box.do("status"))["house"]
        assert status["dropped"]["messages that wait for the broker"] >= 1400


async def test_a_broker_that_never_takes_a_message_holds_nothing_up(tmp_path):
    async with house(tmp_path) as here:
        here.broker.slow_s = 1e6
        await here.box.charge()
        await asyncio.sleep(600)
        assert here.box.contactor.is_closed


def test_switched_off_it_costs_no_import(tmp_path):
    program = (
        "import sys\n"
        "import agent.app.application\n"
        "print([name for name in sys.modules if 'mqtt' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
