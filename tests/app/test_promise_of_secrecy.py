"""Promise 7: no secret and no whole idTag in any log above DEBUG, in no answer that is shown."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from agent.config.settings import CentralSystemSettings
from agent.core.values import AuthorizationStatus, IdTagInfo
from agent.platform.errors import LinkError, StoreFull
from agent.store import Store
from tests.app.box import CARD, OTHER_CARD, Box, box_settings
from tests.emulators.central_system import Answer, Error, Raw
from tests.emulators.virtual_clock import NOON
from tests.store.builders import replace_list

GROUP = "FAMILY-OF-0449"
SECRET = "0123456789abcdef0123456789abcdef"
TAGS = (CARD, OTHER_CARD, GROUP)


def shown(caplog: pytest.LogCaptureFixture) -> str:
    """Everything that a log shows, tracebacks and names of loggers too."""
    form = logging.Formatter("%(name)s %(levelname)s %(message)s")
    return "\n".join(form.format(r) for r in caplog.records if r.levelno > logging.DEBUG)


def box_with_a_password(directory: Path) -> Box:
    key_file = directory / "authorization.key"
    key_file.write_text(SECRET + "\n")
    key_file.chmod(0o600)
    settings = box_settings(directory)
    central_system = CentralSystemSettings(
        url="ws://central.test/ocpp", security_profile=1, authorization_key_file=str(key_file)
    )
    settings = replace(settings, central_system=central_system)
    store = Store.open(settings.storage_path, now=NOON, make_id=lambda: "unused")
    blocked = IdTagInfo(AuthorizationStatus.BLOCKED, parent_id_tag=GROUP)
    replace_list(store, 1, [(OTHER_CARD, blocked)])
    store.close()
    return Box(settings)


async def live_through_a_bad_day(box: Box) -> list[object]:
    """A session with everything that may be logged about a tag; returns what was shown."""
    system, answers = box.central_system, []
    await box.start()
    await system.received("StatusNotification", 2)
    accepted = {"idTagInfo": {"status": "Accepted", "parentIdTag": GROUP, "expiryDate": "soon"}}
    system.next("Authorize", Answer(accepted), Answer({"idTagInfo": {"status": "odd"}}))
    system.next(
        "StartTransaction",
        Error("InternalError", f"who is {CARD}?"),
        Raw(f'[3, "{{id}}", {{"idTag": "{CARD}"}}]'),
        Answer({"transactionId": "7", "idTagInfo": {"status": "Accepted", "parentIdTag": GROUP}}),
    )
    await box.charge()
    answers.append(await box.do("status"))
    await box.tap(OTHER_CARD)
    await system.send_raw(f'[2, "x", "Reset", {{"idTag": "{CARD}"}}]')
    await system.send_raw(f"garbage about {CARD}")
    for action in ("RemoteStartTransaction", "NoSuchAction"):
        await system.send_call(action, {"idTag": OTHER_CARD, "connectorId": 1})
    await asyncio.sleep(400)
    box.executors["journal"].problem = StoreFull("no room")
    await asyncio.sleep(70)
    answers.append(await box.do("status"))
    box.executors["journal"].problem = None
    await asyncio.sleep(10)
    system.refuse_always = LinkError("gone")
    await system.drop()
    await asyncio.sleep(70)
    await box.finish()
    answers.append(await box.do("status"))
    system.refuse_always = None
    await system.received("StopTransaction")
    await box.charge(CARD)
    await box.shut_down()
    await box.start()
    answers += [await box.do("status"), await box.do("why"), await box.do("why", id_tag=CARD)]
    await box.die()
    return answers


async def test_a_whole_day_shows_no_tag_and_no_secret(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    box = box_with_a_password(tmp_path)
    answers = await live_through_a_bad_day(box)
    text = shown(caplog)
    assert "04..80" in text
    assert "session 1 begins" in text
    assert "session 1 ends" in text
    for hidden in (*TAGS, SECRET, box.central_system.attempts[0].headers["Authorization"]):
        assert hidden.lower() not in text.lower()
        assert hidden.lower() not in json.dumps(answers).lower()
    assert "04..80" in json.dumps(answers)


async def test_not_even_a_debug_log_shows_the_secret(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    box = box_with_a_password(tmp_path)
    await live_through_a_bad_day(box)
    everything = "\n".join(record.getMessage() for record in caplog.records)
    assert SECRET not in everything
    assert box.central_system.attempts[0].headers["Authorization"] not in everything
