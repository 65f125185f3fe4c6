"""Password, security profile and address of the central system, changed on a whole box."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.core.connection_profile import ConnectionProfiles
from agent.ocppj.connect import basic_authorization
from agent.platform.errors import LinkError
from tests.app.box import Box, box_settings
from tests.emulators.central_system import FakeCentralSystem

OLD_URL = "ws://central.test/ocpp"
NEW_URL = "ws://other.test/ocpp"
OLD_KEY = "sixteen chars ok"
NEW_KEY = "000102030405060708090A0B0C0D0E0F"
IDENTITY = "DEMO-1"


@dataclass
class Network(FakeCentralSystem):
    """The central system of the box, which may want a password; and others by their host."""

    password: bytes | None = None
    others: dict[str, FakeCentralSystem] = field(default_factory=dict)

    async def connect(self, url: str, **more: Any) -> Any:
        host = url.partition("://")[2].partition("/")[0]
        if host in self.others:
            return await self.others[host].connect(url, **more)
        given = more["headers"].get("Authorization")
        if self.password is not None and given != basic_authorization(IDENTITY, self.password):
            self.refusals.append(LinkError("the password is refused"))
        return await super().connect(url, **more)


def a_box(directory: Path, profile: int = 0, **network: Any) -> Box:
    (directory / "key").write_text(OLD_KEY)
    settings = box_settings(directory, OLD_URL)
    central_system = replace(
        settings.central_system,
        security_profile=profile,
        authorization_key_file=str(directory / "key"),
    )
    settings = replace(settings, central_system=central_system)
    return Box(settings, central_system=Network(**network))


async def started(box: Box) -> Network:
    await box.start()
    network = box.central_system
    assert isinstance(network, Network)
    await network.received("StatusNotification", 2)
    return network


async def change(system: FakeCentralSystem, key: str, value: str) -> str:
    answer = await system.send_call("ChangeConfiguration", {"key": key, "value": value})
    return str(answer[2]["status"])


async def told(system: FakeCentralSystem, key: str) -> Any:
    return (await system.send_call("GetConfiguration", {"key": [key]}))[2]


def known(box: Box) -> ConnectionProfiles:
    assert box.application.runtime is not None
    return box.application.runtime.state.approaches


# --- the password --------------------------------------------------------------------------------


async def test_a_new_password_is_used_at_once_without_another_boot_and_after_a_restart(
    tmp_path, caplog
):
    box = a_box(tmp_path, profile=1, password=OLD_KEY.encode())
    network = await started(box)
    assert await change(network, "AuthorizationKey", NEW_KEY) == "Accepted"
    network.password = bytes.fromhex(NEW_KEY)
    await asyncio.sleep(5)
    assert len(network.attempts) == 2
    header = network.attempts[-1].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(header) == IDENTITY.encode() + b":" + bytes(range(16))
    assert len(network.of("BootNotification")) == 1
    assert known(box).trial is None
    assert "AuthorizationKey" in (await told(network, "AuthorizationKey"))["unknownKey"]
    await box.die()
    await box.start()
    await network.received("BootNotification", 2)
    assert len(network.attempts) == 3
    assert (tmp_path / "agent.db").stat().st_mode & 0o777 == 0o600
    assert NEW_KEY not in caplog.text
    assert NEW_KEY not in str(box.application.services.frame_log.frames())  # type: ignore[union-attr]
    await box.die()


async def test_the_old_password_is_kept_until_the_new_one_has_been_accepted(tmp_path, caplog):
    box = a_box(tmp_path, profile=1, password=OLD_KEY.encode())
    network = await started(box)
    assert await change(network, "AuthorizationKey", NEW_KEY) == "Accepted"
    await asyncio.sleep(300)  # it forgot to take it over
    assert known(box).is_doubted
    assert known(box).trial is not None
    assert "not working yet: ws://central.test/ocpp" in caplog.text
    network.password = bytes.fromhex(NEW_KEY)  # and remembers at last
    await network.drop()
    await asyncio.sleep(60)
    assert known(box).settled.password == NEW_KEY
    await box.die()


async def test_a_power_cut_during_the_trial_of_a_password_loses_neither(tmp_path):
    box = a_box(tmp_path, profile=1, password=OLD_KEY.encode())
    network = await started(box)
    assert await change(network, "AuthorizationKey", NEW_KEY) == "Accepted"
    await box.lose_power()
    await box.start()
    await network.received("BootNotification", 2)  # by the old one, after some tries
    network.password = bytes.fromhex(NEW_KEY)
    await network.drop()
    await asyncio.sleep(600)
    assert known(box).trial is None
    await box.die()


async def test_whoever_writes_another_password_into_the_file_is_obeyed(tmp_path):
    box = a_box(tmp_path, profile=1)
    network = await started(box)
    assert await change(network, "AuthorizationKey", NEW_KEY) == "Accepted"
    await asyncio.sleep(5)
    await box.die()
    (tmp_path / "key").write_text("another password")
    await box.start()
    await network.received("BootNotification", 2)
    wanted = basic_authorization(IDENTITY, b"another password")
    assert network.attempts[-1].headers["Authorization"] == wanted
    await box.die()


async def test_a_password_of_a_box_without_a_profile_waits_for_one(tmp_path):
    box = a_box(tmp_path)
    network = await started(box)
    assert await change(network, "AuthorizationKey", NEW_KEY) == "Accepted"
    await asyncio.sleep(5)
    assert len(network.attempts) == 1
    assert await change(network, "SecurityProfile", "1") == "Accepted"
    await asyncio.sleep(5)
    wanted = basic_authorization(IDENTITY, bytes.fromhex(NEW_KEY))
    assert network.attempts[-1].headers["Authorization"] == wanted
    assert (await told(network, "SecurityProfile"))["configurationKey"][0]["value"] == "1"
    assert await change(network, "SecurityProfile", "0") == "Rejected"
    await box.die()


async def test_a_profile_that_does_not_work_is_taken_back(tmp_path):
    box = a_box(tmp_path, profile=1)
    network = await started(box)

    async def no_tls(url: str, **more: Any) -> Any:
        if url.startswith("wss"):
            raise LinkError("no TLS here")
        return await FakeCentralSystem.connect(network, url, **more)

    box.application.services.link._opener._connect = no_tls  # type: ignore[union-attr]
    assert await change(network, "SecurityProfile", "2") == "Accepted"
    assert known(box).wanted.url == "wss://central.test/ocpp"
    await asyncio.sleep(200)
    assert (await told(network, "SecurityProfile"))["configurationKey"][0]["value"] == "1"
    assert known(box).trial is None
    await box.die()


# --- the address ---------------------------------------------------------------------------------


async def test_a_box_moves_to_another_central_system_and_boots_there(tmp_path):
    box = a_box(tmp_path)
    network = await started(box)
    other = network.others["other.test"] = FakeCentralSystem()
    assert await change(network, "Agent.CentralSystemUrl", NEW_URL) == "Accepted"
    await other.received("BootNotification")
    await other.received("StatusNotification", 2)
    assert known(box).settled.url == NEW_URL
    assert (await box.do("status"))["link"]["url"] == f"{NEW_URL}/{IDENTITY}"
    shown = await told(other, "Agent.CentralSystemUrl")
    assert shown["configurationKey"][0]["value"] == NEW_URL
    await box.die()
    await box.start()
    await other.received("BootNotification", 2)
    assert len(network.attempts) == 1
    await box.die()


async def test_an_address_where_nobody_answers_is_taken_back(tmp_path, caplog):
    box = a_box(tmp_path)
    network = await started(box)
    other = network.others["other.test"] = FakeCentralSystem(refuse_always=LinkError("nobody"))
    assert await change(network, "Agent.CentralSystemUrl", NEW_URL) == "Accepted"
    await network.received("StatusNotification", 4)
    assert len(network.of("BootNotification")) == 1
    assert len(other.attempts) == 4  # three, and once more just before
    assert known(box).settled.url == OLD_URL
    shown = await told(network, "Agent.CentralSystemUrl")
    assert shown["configurationKey"][0]["value"] == OLD_URL
    assert (
        f"the previous connection stays in use; given up: {NEW_URL}, security profile 0"
        in caplog.text
    )
    await box.die()


async def test_a_central_system_that_does_not_accept_the_box_is_left(tmp_path):
    box = a_box(tmp_path)
    network = await started(box)
    other = network.others["other.test"] = FakeCentralSystem(boot_status="Pending")
    assert await change(network, "Agent.CentralSystemUrl", NEW_URL) == "Accepted"
    await network.received("BootNotification", 2)
    assert 3 <= len(other.attempts) <= 4
    assert known(box).trial is None
    assert known(box).settled.url == OLD_URL
    await box.die()


async def test_without_any_network_the_trial_goes_on_until_there_is_one(tmp_path):
    box = a_box(tmp_path)
    network = await started(box)
    other = network.others["other.test"] = FakeCentralSystem(refuse_always=LinkError("no network"))
    network.refuse_always = LinkError("no network")
    assert await change(network, "Agent.CentralSystemUrl", NEW_URL) == "Accepted"
    await asyncio.sleep(3600)
    await box.lose_power()
    await box.start()
    await asyncio.sleep(3600)
    assert known(box).wanted.url == NEW_URL
    network.refuse_always = other.refuse_always = None
    await other.received("BootNotification")
    assert len(network.of("BootNotification")) == 1
    await box.die()


async def test_a_session_is_told_to_whom_it_began_before_the_box_moves(tmp_path):
    box = a_box(tmp_path)
    network = await started(box)
    other = network.others["other.test"] = FakeCentralSystem()
    await box.charge()
    assert await change(network, "Agent.CentralSystemUrl", NEW_URL) == "Accepted"
    await asyncio.sleep(600)
    assert other.attempts == []
    await box.finish()
    await other.received("BootNotification")
    assert len(network.of("StopTransaction")) == 1
    assert other.of("StopTransaction") == []
    await box.die()


async def test_whoever_edits_the_file_brings_the_box_back(tmp_path):
    box = a_box(tmp_path)
    network = await started(box)
    other = network.others["other.test"] = FakeCentralSystem()
    third = network.others["third.test"] = FakeCentralSystem()
    assert await change(network, "Agent.CentralSystemUrl", NEW_URL) == "Accepted"
    await other.received("BootNotification")
    await asyncio.sleep(1)
    await box.die()
    before = box.settings
    there = replace(before.central_system, url="ws://third.test/ocpp")
    box.settings = replace(before, central_system=there)
    await box.start()
    await third.received("BootNotification")
    await asyncio.sleep(1)
    await box.die()
    box.settings = before  # and the change of then is not back with the old file
    await box.start()
    await network.received("BootNotification", 2)
    await box.die()
