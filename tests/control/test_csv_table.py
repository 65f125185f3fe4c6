"""Tables as CSV: as RFC 4180 wants them, wherever they go."""

from __future__ import annotations

from agent.cli.local_list_csv import list_as_csv
from agent.control.csv_table import csv_table
from agent.core.values import AuthorizationStatus, IdTagInfo, ListEntry


def test_every_line_of_a_csv_ends_with_carriage_return_and_line_feed():
    entry = ListEntry("04AB", IdTagInfo(AuthorizationStatus.ACCEPTED), "Anna")
    assert list_as_csv([entry]) == (
        "id_tag,expires_at,parent_id_tag,status,name\r\n04AB,,,Accepted,Anna\r\n"
    )
    assert csv_table(["begin", "kwh"], [["2026", "1,5"]], "semicolon") == (
        "begin;kwh\r\n2026;1,5\r\n"
    )
