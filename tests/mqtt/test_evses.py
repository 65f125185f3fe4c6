"""Which connector a token without EVSE means."""

from __future__ import annotations

from dataclasses import replace

from agent.core import events as ev
from agent.core.authorization_reasons import Rule
from agent.mqtt.evses import Evses
from tests import start_table
from tests.app.box import box_settings
from tests.core.story import CARD, OTHER_CARD, Story, a_charge_point


def test_a_token_whose_own_plug_is_still_in_is_not_sent_to_a_plug_that_waits_beside_it(tmp_path):
    settings = box_settings(tmp_path, connectors=2)
    evses = Evses(
        replace(
            settings,
            connectors=tuple(
                replace(found, evse_id=f"E{found.id}") for found in settings.connectors
            ),
        )
    )
    story = Story(a_charge_point(connectors=2, ConnectionTimeOut="600"))
    story.tell(ev.CablePluggedIn(2))
    story.wait(1)
    start_table.over(story, CARD)
    assert evses.targets(story.state, None, CARD) == ((1, 2), None)  # the core knows which
    assert evses.targets(story.state, None, OTHER_CARD) == ((2,), None)
    assert evses.targets(story.state, "E3", CARD) == ((), Rule.EVSE_UNKNOWN)
