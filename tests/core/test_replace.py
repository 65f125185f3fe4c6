"""A copy is the same as one of ``dataclasses.replace``, for every kind of value that is copied."""

from __future__ import annotations

import dataclasses

import pytest

from agent.core.replace import replace
from agent.core.state import Charging, Idle, StopOrder, Stopping
from agent.core.values import StopReason
from tests.core.story import a_charge_point, a_transaction

STATE = a_charge_point()
STOP = StopOrder(StopReason.LOCAL, None, open_by_s=0.0, give_up_s=0.0)


@pytest.mark.parametrize(
    ("value", "changes"),
    [
        (STATE, {"online": True, "registration": "Accepted"}),
        (STATE.connectors[0], {"plugged": True}),
        (STATE.connectors[0], {}),
        (Idle(), {"card_by_s": 5.0}),  # one field alone
        (Charging(a_transaction()), {"limit_a": 16.0, "sample_asked": True}),
        (Stopping(a_transaction(), stop=STOP), {"vehicle_seen": True}),
    ],
)
def test_a_copy_has_the_changed_fields_and_all_others(value, changes):
    copy = replace(value, **changes)
    assert copy == dataclasses.replace(value, **changes)
    assert copy is not value
    for name in changes:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(copy, name, None)


def test_a_field_that_does_not_exist_is_refused():
    with pytest.raises(KeyError):
        replace(STATE, onlime=True)
