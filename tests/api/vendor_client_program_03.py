"""Run by test_vendor_client in the environment of the client 0.3.2: every command, once."""

from __future__ import annotations

import json
import sys
import time

from ocpplab import (
    AuthorizeIdTagPayload,
    CommandTarget,
    ConfigurationChangePayload,
    ConnectorPayload,
    FaultInjectionPayload,
    LocalAuthListEntry,
    LocalAuthListPayload,
    OcpplabSDK,
    PowerUpdatePayload,
    ProxyMessagePayload,
    StartSessionPayload,
)
from ocpplab.core.api_error import ApiError

URL, TOKEN = sys.argv[1:]
BOX = CommandTarget(identity="CP-DEMO-123")
SAME_BOX = CommandTarget(deployment_id="dep-123")
SITE = CommandTarget(location_id="loc-456")
TAG = "TAG-RFID-001"
FINAL = ("applied", "rejected", "expired", "failed")
PATIENCE_S = 20

commands = OcpplabSDK(base_url=URL, token=TOKEN).evcharger.commands
told = {"ended": {}, "results": {}}


def ended(receipt):
    """Poll as the client's documentation says, until the status is final."""
    assert (receipt.targeted_count, receipt.queued_count, receipt.failed) == (1, 1, []), receipt
    (result,) = receipt.results
    assert (result.charger_id, result.identity) == ("dep-123", "CP-DEMO-123")
    for _ in range(PATIENCE_S * 20):
        found = commands.get_status(result.command.id)
        if found.status in FINAL:
            break
        time.sleep(0.05)
    assert found.event_type == result.command.event_type
    told["ended"][found.event_type] = found.status
    return found


def error_of(call):
    try:
        call()
    except ApiError as error:
        return str(error.status_code), type(error).__name__
    raise AssertionError("no error")


entries = [LocalAuthListEntry(id_tag=TAG, expiry_date="2099-12-31T23:59:59Z")]
update = LocalAuthListPayload(list_version=2, update_type="Full", entries=entries)
told["list"] = ended(commands.send_local_list(target=BOX, payload=update)).result
told["list again"] = ended(commands.send_local_list(target=BOX, payload=update)).status
told["cleared"] = ended(commands.clear_local_list(target=SAME_BOX)).result
change = ConfigurationChangePayload(key="HeartbeatInterval", value="30")
told["configured"] = ended(commands.change_configuration(target=BOX, payload=change)).result
change = ConfigurationChangePayload(key="NumberOfConnectors", value="9")
told["not configured"] = ended(commands.change_configuration(target=BOX, payload=change)).status
ended(commands.reset_cache(target=BOX))
fault = FaultInjectionPayload(fault_type="OverCurrent")
told["fault"] = ended(commands.inject_fault(target=BOX, payload=fault)).result["status"]
told["mended"] = ended(commands.clear_fault(target=BOX)).result["status"]

connector = ConnectorPayload(connector_id=1)
ended(commands.plug_connector(target=BOX, payload=connector))
tag = AuthorizeIdTagPayload(id_tag=TAG, connector_id=1)
ended(commands.authorize_id_tag(target=BOX, payload=tag))
session = StartSessionPayload(id_tag=TAG, duration_seconds=300)
ended(commands.start_session(target=SITE, payload=session))
ended(commands.ev_requests_energy(target=BOX, payload=connector))
ended(commands.power_update(target=BOX, payload=PowerUpdatePayload(power_w=7400)))
ended(commands.ev_stops_energy(target=BOX))
ended(commands.stop_session(target=BOX))
ended(commands.plug_connector(target=BOX))
ended(commands.unplug_connector(target=BOX))
ended(commands.proxy_message(target=BOX, payload=ProxyMessagePayload(action="Heartbeat")))

listed = commands.list_results(identity="CP-DEMO-123", limit=2).data
told["newest"] = [found.event_type for found in listed]
stranger = OcpplabSDK(base_url=URL, token="not-a-token-of-this-box").evcharger.commands
told["errors"] = dict(
    (
        error_of(lambda: commands.plug_connector(target=CommandTarget(identity="CP-OTHER"))),
        error_of(lambda: stranger.plug_connector(target=BOX)),
        error_of(lambda: commands.unplug_connector(target=BOX)),
        error_of(lambda: commands.plug_connector(target=CommandTarget())),
    )
)
told["no such command"] = error_of(lambda: commands.get_status("0123456789ab"))[1]
print(json.dumps(told))
