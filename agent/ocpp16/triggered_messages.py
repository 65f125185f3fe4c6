"""What the charge point says about itself when it is asked to."""

from __future__ import annotations

from collections.abc import Callable

from agent.config.settings import ChargePointSettings
from agent.core.meter_values import sampled_values
from agent.core.state import ChargePoint, Connector
from agent.core.status_notification import reports
from agent.core.values import ConnectorMeasured, Instant
from agent.ocpp16.requests import (
    boot_notification,
    firmware_status,
    meter_values_now,
    status_notification,
    upload_status,
)
from agent.ocppj.frames import Payload

TRIGGERED = "Trigger"  # the context of values that were asked for (OCPP 1.6, 7.35)


def idle() -> Payload:
    """The status of an upload that is not under way."""
    return upload_status("Idle")


class TriggeredMessages:
    """Builds the calls: always the present, never what was (OCPP 1.6, 5.17)."""

    def __init__(
        self,
        charge_point: ChargePointSettings,
        state: Callable[[], ChargePoint],
        now: Callable[[], Instant],
        diagnostics: Callable[[], Payload] = idle,
        log: Callable[[], Payload] = idle,
    ) -> None:
        """``diagnostics`` and ``log`` tell whether an upload is under way, in words of OCPP."""
        self._charge_point = charge_point
        self._state = state
        self._now = now
        self._diagnostics = diagnostics
        self._log = log

    def calls(self, action: str, connector_id: int | None = None) -> list[tuple[str, Payload]]:
        """The calls of this action, of one connector or of all; empty: there is nothing to tell.

        Raises KeyError for an action that does not tell about the charge point.
        """
        match action:
            case "BootNotification":
                return [(action, boot_notification(self._charge_point))]
            case "Heartbeat":
                return [(action, {})]
            case "StatusNotification":
                return [(action, payload) for payload in self._reports(connector_id)]
            case "MeterValues":
                return [(action, payload) for payload in self._meter_values(connector_id)]
            case "DiagnosticsStatusNotification":
                return [(action, self._diagnostics())]
            case "LogStatusNotification":
                return [(action, self._log())]
            case "FirmwareStatusNotification":
                return [(action, firmware_status(self._state().firmware.notice))]
            case "SignedFirmwareStatusNotification":
                return [(action, firmware_status(self._state().firmware.signed_notice))]
            case _:
                raise KeyError(action)

    def _reports(self, connector_id: int | None) -> list[Payload]:
        now = self._now()
        return [
            status_notification(report, now.utc)
            for report in reports(self._state(), now)
            if connector_id in (None, report.connector_id)
        ]

    def _meter_values(self, connector_id: int | None) -> list[Payload]:
        state = self._state()
        return [
            payload
            for connector in state.connectors
            if connector_id in (None, connector.connector_id)
            and (payload := _values_of(state, connector)) is not None
        ]


def _values_of(state: ChargePoint, connector: Connector) -> Payload | None:
    if connector.reading is None:
        return None
    measurands = state.configuration.measurands("MeterValuesSampledData")
    values = sampled_values(connector.reading, measurands, TRIGGERED)
    if not values:
        return None
    running = connector.transaction
    return meter_values_now(
        ConnectorMeasured(connector.connector_id, connector.reading.read_at, values),
        None if running is None else running.transaction_id,
    )
