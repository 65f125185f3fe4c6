"""The settings of the demonstration: one connector, every part of it simulated."""

from __future__ import annotations

from pathlib import Path

from agent.config.settings import (
    CentralSystemSettings,
    ChargePointSettings,
    OcppSettings,
    Settings,
    StorageSettings,
)
from hw.settings import (
    ConnectorSettings,
    ContactorSettings,
    InputsSettings,
    LockSettings,
    MeterSettings,
    PilotSettings,
    PlugSettings,
    ReaderSettings,
    SafetyInputSettings,
)


def demo_settings(state_dir: Path, central_system_url: str) -> Settings:
    """A simulated box, its database in ``state_dir``; an empty url means no central system."""
    return Settings(
        charge_point=ChargePointSettings(
            identity="DEMO-1", location_id="DEMO", vendor="chargepoint-agent", model="demo"
        ),
        connectors=(simulated_connector(1),),
        central_system=CentralSystemSettings(url=central_system_url),
        storage=StorageSettings(path=str(state_dir / "agent.db")),
        reader=ReaderSettings(driver="simulated"),
        inputs=InputsSettings(
            emergency_stop=SafetyInputSettings(driver="simulated"),
            residual_current=SafetyInputSettings(driver="simulated"),
        ),
        ocpp=OcppSettings(
            configuration={
                "MeterValueSampleInterval": "5",  # a person who watches sees values come
                "MeterValuesSampledData": (
                    "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage"
                ),
            }
        ),
    )


def simulated_connector(connector_id: int) -> ConnectorSettings:
    """A connector with all its parts, none of them real."""
    return ConnectorSettings(
        id=connector_id,
        evse_id=f"DEMO-1-{connector_id}",
        contactor=ContactorSettings(driver="simulated"),
        lock=LockSettings(driver="simulated"),
        plug=PlugSettings(driver="simulated"),
        pilot=PilotSettings(driver="simulated"),
        meter=MeterSettings(driver="simulated"),
    )
