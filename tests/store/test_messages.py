"""Messages as JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.values import (
    ConnectorMeasured,
    SampledValue,
    StopReason,
    TransactionBegan,
    TransactionEnded,
)
from agent.store.messages import action_of, decode_message, encode_message
from tests.store.builders import NOON, START, STOP, meter_values
from tests.store.test_instants import INSTANTS

WHOLE = st.integers(-(2**40), 2**70)
TEXT = st.text(st.characters(exclude_categories=()), max_size=30)  # half surrogate pairs too
MAYBE_TEXT = st.none() | TEXT
SAMPLED = st.builds(SampledValue, TEXT, TEXT, unit=MAYBE_TEXT, phase=MAYBE_TEXT, context=TEXT)
MESSAGES = st.one_of(
    st.builds(TransactionBegan, WHOLE, TEXT, WHOLE, INSTANTS, st.none() | WHOLE),
    st.builds(ConnectorMeasured, WHOLE, INSTANTS, st.lists(SAMPLED, max_size=4).map(tuple)),
    st.builds(TransactionEnded, WHOLE, INSTANTS, st.sampled_from(StopReason), MAYBE_TEXT),
)


@given(MESSAGES)
def test_every_message_comes_back_as_it_was(message):
    assert decode_message(action_of(message), encode_message(message)) == message


@given(MESSAGES)
def test_every_message_is_written_in_ascii(message):
    assert encode_message(message).isascii()


def test_a_message_is_written_without_what_goes_without_saying():
    assert encode_message(meter_values(1234)) == (
        '{"connector_id":1,"sampled_at":"2026-03-01T12:00:00.000000Z",'
        '"values":[{"value":"1234","measurand":"Energy.Active.Import.Register","unit":"Wh"}]}'
    )


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("Heartbeat", "{}"),
        ("StartTransaction", "{}"),
        ("StartTransaction", "[]"),
        ("StartTransaction", "not JSON"),
        ("StartTransaction", encode_message(STOP)),
        ("MeterValues", '{"connector_id":1,"sampled_at":"noon","values":[]}'),
        ("MeterValues", '{"connector_id":1,"sampled_at":"2026-03-01T12:00:00Z","values":[7]}'),
        ("StopTransaction", encode_message(START)),
        ("StopTransaction", encode_message(STOP).replace("Local", "Boredom")),
    ],
)
def test_what_is_none_of_our_messages_is_a_value_error(action, payload):
    with pytest.raises(ValueError, match=r".+"):
        decode_message(action, payload)


def test_what_is_no_message_cannot_be_written():
    with pytest.raises(TypeError, match="not an outbox message"):
        encode_message(NOON)
