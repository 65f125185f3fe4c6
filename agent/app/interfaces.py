"""The ways in beside reader and central system: control socket, MQTT and HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from agent.app.environment import Environment
from agent.config.settings import Settings
from agent.control.server import Action, ControlServer, socket_path
from agent.control.services import Services
from agent.ocpp16.triggered_messages import TriggeredMessages

if TYPE_CHECKING:
    from agent.api.server import ApiServer
    from agent.mqtt.client import MqttClient


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


def make_bus(services: Services, environment: Environment) -> MqttClient | None:
    """The way to the other services of the station, if wanted."""
    if not services.settings.mqtt.enabled:
        return None
    # Imported here: not needed when it is off.
    from agent.mqtt.client import MqttClient

    return MqttClient(services, environment.random, environment.make_id, environment.connect_broker)


def serve_api(
    services: Services,
    messages: TriggeredMessages,
    environment: Environment,
    stack: AsyncExitStack,
) -> ApiServer | None:
    """Begin to serve the control API, if wanted, in a thread of its own; ``stack`` ends it."""
    if not services.settings.api.enabled:
        return None
    # Imported here: not needed when it is off. The framework comes later still, in the thread.
    from agent.api.agent_bridge import AgentBridge
    from agent.api.server import ApiServer

    bridge = AgentBridge(services, messages)
    stack.callback(bridge.shut_down)
    api = ApiServer(bridge, environment.api_limits)
    api.start()
    stack.push_async_callback(api.close)
    return api
