"""The ways in beside reader and central system: control socket, MQTT and HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Protocol

from agent.app.environment import Environment
from agent.config.settings import Settings
from agent.control.server import Action, ControlServer, socket_path
from agent.control.services import Services
from agent.ocpp16.triggered_messages import TriggeredMessages

if TYPE_CHECKING:
    from agent.api.server import ApiServer


async def open_control_socket(
    actions: Mapping[str, Action],
    settings: Settings,
    environment: Environment,
    stack: AsyncExitStack,
) -> None:
    """Take commands of this machine; ``stack`` ends it."""
    path = environment.control_path or socket_path(settings.storage_path)
    control = ControlServer(path, actions)
    await control.start()
    stack.push_async_callback(control.close)


class BrokerClient(Protocol):
    """Speaks with others over an MQTT broker."""

    def as_data(self) -> dict[str, Any]:
        """How it is, for ``status``."""

    async def run(self) -> None:
        """Connect and talk, until cancelled."""


def make_broker_clients(services: Services, environment: Environment) -> dict[str, BrokerClient]:
    """The ways to the other services of the station and to the house, those that are wanted."""
    found: dict[str, BrokerClient] = {}
    random, connect = environment.random, environment.connect_broker
    # Imported here: not needed when they are off.
    if services.settings.mqtt.enabled:
        from agent.mqtt.client import MqttClient

        found["bus"] = MqttClient(services, random, environment.make_id, connect)
    if services.settings.house.enabled:
        from agent.mqtt.house.client import HouseClient

        found["house"] = HouseClient(services, random, connect)
    return found


def serve_api(
    services: Services,
    messages: TriggeredMessages,
    brokers: Mapping[str, BrokerClient],
    environment: Environment,
    stack: AsyncExitStack,
) -> ApiServer | None:
    """Begin to serve the control API, if wanted, in a thread of its own; ``stack`` ends it."""
    if not services.settings.api.enabled:
        return None
    # Imported here: not needed when it is off. The framework comes later still, in the thread.
    from agent.api.agent_bridge import AgentBridge
    from agent.api.server import ApiServer

    bridge = AgentBridge(
        services, messages, {name: client.as_data for name, client in brokers.items()}
    )
    stack.callback(bridge.shut_down)
    api = ApiServer(bridge, environment.api_limits)
    api.start()
    stack.push_async_callback(api.close)
    return api
