"""Run by test_vendor_client in the vendor client's own environment: every command, once."""

from __future__ import annotations

import json
import sys

import httpx
from ocpplab import OcpplabSDK
from ocpplab.core.api_error import ApiError
from ocpplab.types.authorize_id_tag_command_event import AuthorizeIdTagCommandEvent
from ocpplab.types.charger_command_target import ChargerCommandTarget
from ocpplab.types.clear_fault_event import ClearFaultEvent
from ocpplab.types.command_target import CommandTarget
from ocpplab.types.configuration_update_event import ConfigurationUpdateEvent
from ocpplab.types.connector_command_event import ConnectorCommandEvent
from ocpplab.types.empty_event import EmptyEvent
from ocpplab.types.inject_fault_event import InjectFaultEvent
from ocpplab.types.local_auth_list_entry import LocalAuthListEntry
from ocpplab.types.local_auth_list_event import LocalAuthListEvent
from ocpplab.types.power_update_command_event import PowerUpdateCommandEvent
from ocpplab.types.proxy_message_event import ProxyMessageEvent
from ocpplab.types.start_session_command_event import StartSessionCommandEvent
from ocpplab.types.start_transaction_command_event import StartTransactionCommandEvent
from ocpplab.types.stop_session_command_event import StopSessionCommandEvent
from ocpplab.types.stop_transaction_command_event import StopTransactionCommandEvent

URL, TOKEN = sys.argv[1:]
ONE = ChargerCommandTarget(charger_id="dep-123")
ANY = CommandTarget(charger_id="CP-DEMO-123")
TAG = "TAG-RFID-001"
NO_RETRY = {"max_retries": 0}

client = OcpplabSDK(base_url=URL, token=TOKEN, organization_id="org-1")
commands = client.commands
told = {"queued": [], "ended": []}


def ended(command):
    """Remember the receipt, and wait for the end (a route that this client does not know)."""
    told["queued"].append(command.event_type)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    found = httpx.get(f"{URL}/ocpp/commands/{command.id}?wait_s=20", headers=headers, timeout=30)
    told["ended"].append(found.json()["status"])


def queued(receipt):
    assert receipt.queued_count == 1, receipt
    ended(receipt.results[0].command)


def error_of(call):
    try:
        call()
    except ApiError as error:
        return str(error.status_code), type(error).__name__
    raise AssertionError("no error")


told["health"] = client.health.health_check()
charger = client.chargers.get("dep-123")
told["charger"] = [
    charger.id,
    charger.identity,
    charger.ocpp_version,
    charger.number_of_connectors,
]
entries = [
    LocalAuthListEntry(id_tag=TAG, expiry_date="2026-12-31T23:59:59Z"),
    LocalAuthListEntry(id_tag="TAG-RFID-002", expiry_date="2026-06-30T23:59:59Z"),
]
sent = commands.send_local_list(
    target=ONE, event=LocalAuthListEvent(list_version=2, entries=entries)
)
told["list"] = [sent.status, sent.list_version, sent.entries_received]
cleared = commands.clear_local_list(target=ONE, event=EmptyEvent())
told["cleared"] = [cleared.msg, cleared.entries_deleted]
configured = commands.set_configuration(
    target=ONE, event=ConfigurationUpdateEvent(configuration={"HeartbeatInterval": "30"})
)
told["configured"] = [configured.status, configured.configured]
told["cache"] = commands.reset_auth_cache(target=ONE, event=EmptyEvent()).msg
fault = commands.inject_fault(target=ONE, event=InjectFaultEvent(fault_type="OverCurrent"))
told["fault"] = [
    fault.status,
    commands.clear_fault(target=ONE, event=ClearFaultEvent()).status,
]

connector = ConnectorCommandEvent(connector_id=1)
queued(commands.plug_connector(target=ANY, event=connector))
queued(commands.authorize_id_tag(target=ANY, event=AuthorizeIdTagCommandEvent(id_tag=TAG)))
queued(commands.start_transaction(target=ANY, event=StartTransactionCommandEvent(id_tag=TAG)))
queued(commands.ev_requests_energy(target=ANY, event=connector))
queued(commands.power_update(target=ANY, event=PowerUpdateCommandEvent(power_w=7400)))
queued(commands.ev_stops_energy(target=ANY, event=ConnectorCommandEvent()))
queued(commands.stop_transaction(target=ANY, event=StopTransactionCommandEvent()))
queued(commands.unplug_connector(target=ANY, event=connector))
queued(
    commands.start_session(
        target=CommandTarget(location_id="loc-456"),
        event=StartSessionCommandEvent(id_tag=TAG, duration_seconds=300),
    )
)
queued(commands.stop_session(target=ANY, event=StopSessionCommandEvent()))
queued(commands.unlock_connector(target=ANY, event=connector))
ended(
    commands.proxy_message(
        target=ONE,
        event=ProxyMessageEvent(action="heartbeat", ocpp_version="ocpp1.6", payload={}),
    )
)
logs = client.chargers.get_logs("dep-123", limit=10)
told["logged"] = logs.total >= 10 and any(entry.action == "Heartbeat" for entry in logs.data)

stranger = OcpplabSDK(base_url=URL, token="not-a-token-of-this-box")
told["errors"] = dict(
    (
        error_of(lambda: client.chargers.get("dep-999", request_options=NO_RETRY)),
        error_of(lambda: stranger.chargers.get("dep-123", request_options=NO_RETRY)),
        error_of(lambda: commands.unplug_connector(target=ANY, event=connector)),
        error_of(lambda: commands.plug_connector(target=CommandTarget(), event=connector)),
    )
)
print(json.dumps(told))
