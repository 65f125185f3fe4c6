"""Whether a broker lets us in: for the doctor."""

from __future__ import annotations

import asyncio

from agent.config.settings import BrokerSettings
from agent.mqtt.broker import OPEN_S, BrokerError, ClientConfig, connected


def problem_with(settings: BrokerSettings, identity: str) -> str:
    """Log in under another name than the agent, and leave; says why that does not work."""
    try:
        asyncio.run(_log_in(settings, f"{identity}-doctor"))
    except BrokerError as problem:
        return str(problem)
    except TimeoutError:
        return f"{settings.host}:{settings.port} does not answer"
    return ""


async def _log_in(settings: BrokerSettings, identifier: str) -> None:
    config = ClientConfig(identifier, topics=(), last_will=None, dropped=lambda what: None)
    async with asyncio.timeout(2 * OPEN_S), connected(settings, config):
        pass
