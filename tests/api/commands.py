"""Every command with a body that is good on simulated hardware."""

from __future__ import annotations

from typing import Any

TAG = "TAG-RFID-001"
SINGLE: dict[str, Any] = {
    "proxy-message": {"action": "heartbeat", "ocpp_version": "ocpp1.6", "payload": {}},
    "configuration": {"configuration": {"HeartbeatInterval": "30"}},
    "cache/reset": {},
    "local-auth-list": {"list_version": 1, "entries": []},
    "clear-local-auth-list": {},
    "inject-fault": {"fault_type": "OverCurrent"},
    "clear-fault": {},
}
UNIFIED: dict[str, Any] = {
    "plug-connector": {},
    "unplug-connector": {},
    "unlock-connector": {},
    "skip-delay": {},
    "start-transaction": {"id_tag": TAG},
    "stop-transaction": {},
    "start-session": {"id_tag": TAG},
    "stop-session": {},
    "authorize-id-tag": {"id_tag": TAG},
    "ev-requests-energy": {},
    "ev-stops-energy": {},
    "power-update": {"power_w": 7400},
    "present-card": {"uid": "044943121F1A80"},
}
ALL_COMMANDS = {**SINGLE, **UNIFIED}
SIMULATED_ONLY = {
    name: ALL_COMMANDS[name]
    for name in (
        "inject-fault",
        "clear-fault",
        "plug-connector",
        "unplug-connector",
        "ev-requests-energy",
        "ev-stops-energy",
        "power-update",
    )
}
SCOPES = {
    "proxy-message": "simulate",
    "configuration": "configure",
    "cache/reset": "configure",
    "local-auth-list": "configure",
    "clear-local-auth-list": "configure",
    "inject-fault": "simulate",
    "clear-fault": "simulate",
    "plug-connector": "simulate",
    "unplug-connector": "simulate",
    "unlock-connector": "operate",
    "skip-delay": "operate",
    "start-transaction": "operate",
    "stop-transaction": "operate",
    "start-session": "operate",
    "stop-session": "operate",
    "authorize-id-tag": "operate",
    "ev-requests-energy": "simulate",
    "ev-stops-energy": "simulate",
    "power-update": "simulate",
    "present-card": "simulate",
}
