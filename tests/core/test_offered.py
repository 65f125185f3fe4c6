"""What the vehicle is offered, beside what the meter says: Current.Offered and Power.Offered."""

from __future__ import annotations

import pytest

from agent.core import events as ev
from agent.core.state import Traits
from agent.core.values import ConnectorMeasured
from tests.core.story import Story, charging, messages, reading

OFFERED = "Current.Offered,Power.Offered"
THREE_PHASES = Traits(phases=3)
BARE_WITH_METER = Traits(has_lock=False, has_plug=False, has_pilot=False)


def sampled(story: Story) -> list[tuple[str, str, str | None]]:
    """The values of the next sample of a session."""
    story.wait(60)
    (values,) = [
        message
        for message in messages(story.tell(ev.MeterRead(1, reading(2000))))
        if isinstance(message, ConnectorMeasured)
    ]
    return [(value.measurand, value.value, value.unit) for value in values.values]


@pytest.mark.parametrize("traits", [THREE_PHASES, BARE_WITH_METER])
def test_a_sample_tells_what_the_vehicle_may_draw(traits: Traits):
    story = charging(traits=traits, MeterValuesSampledData=OFFERED)
    story.tell(ev.LimitRequested("x", 1, 16.0))
    watts = 16 * 230 * traits.phases
    assert sampled(story) == [
        ("Current.Offered", "16.00", "A"),
        ("Power.Offered", str(watts), "W"),
    ]


def test_while_nothing_is_offered_it_is_nought():
    story = charging(MeterValuesSampledData=OFFERED)
    story.tell(ev.LimitRequested("x", 1, 0.0))
    assert [value for _, value, _ in sampled(story)] == ["0.00", "0"]
