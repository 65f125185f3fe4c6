"""Reservations on disk: all that hold, and no others."""

from __future__ import annotations

from datetime import timedelta

from agent.core.commands import SaveReservations
from agent.core.values import Reservation
from agent.store import Store
from tests.store.builders import NOON

ONE = Reservation(5, 1, "TAG", NOON + timedelta(hours=1))
ANY = Reservation(-7, 0, "04aabb", NOON + timedelta(days=1, milliseconds=7), "FLEET")


def test_a_new_store_has_no_reservations(store: Store):
    assert store.load().reservations == ()


def test_what_was_saved_last_is_read_back_as_it_was(store: Store):
    store.commit([SaveReservations((ONE, ANY))], NOON)
    assert store.load().reservations == (ANY, ONE)
    store.commit([SaveReservations((ONE,))], NOON)
    assert store.load().reservations == (ONE,)
    store.commit([SaveReservations(())], NOON)
    assert store.load().reservations == ()


def test_one_whose_end_nobody_can_read_is_left_out_and_named(store: Store, caplog):
    store.commit([SaveReservations((ONE, ANY))], NOON)
    store._database.writer.execute(
        "UPDATE reservations SET expires_at = '2026-\x11' WHERE reservation_id = 5"
    )
    assert store.load().reservations == (ANY,)
    assert "reservation 5 is unreadable" in caplog.text
