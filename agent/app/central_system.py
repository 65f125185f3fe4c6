"""What ties the box to its central system: the link, what is said on request, what is answered."""

from __future__ import annotations

from functools import partial

from agent.app.environment import Environment
from agent.app.maintenance import Maintenance
from agent.app.own_certificates import OwnFilesOfBox, folder_of
from agent.config.settings import Settings
from agent.control.services import Services
from agent.core.certificates import trusted_roots
from agent.ocpp16.dispatch import Handler
from agent.ocpp16.handlers.certificates import certificate_handlers
from agent.ocpp16.handlers.core import core_handlers
from agent.ocpp16.handlers.local_auth import local_auth_handlers
from agent.ocpp16.handlers.remote_trigger import remote_trigger_handlers
from agent.ocpp16.handlers.reservation import reservation_handlers
from agent.ocpp16.handlers.smart_charging import smart_charging_handlers
from agent.ocpp16.link import CentralSystemLink
from agent.ocpp16.session_context import SessionContext
from agent.ocpp16.triggered_messages import TriggeredMessages
from agent.ocppj.frame_log import FrameLog
from agent.ocppj.websocket import OpenWebSocket
from agent.runtime.executors import Threads
from agent.runtime.next_message import next_message
from agent.runtime.runtime import Runtime
from agent.store import Store


def make_link(
    settings: Settings,
    environment: Environment,
    store: Store,
    runtime: Runtime,
    threads: Threads,
    frame_log: FrameLog,
    connect: OpenWebSocket,
) -> CentralSystemLink:
    """The link; it reads its keys, its way and its certificates of the core's state."""
    clock = environment.clock
    context = SessionContext(
        charge_point=settings.charge_point,
        inbox=runtime,
        configuration=lambda: runtime.state.configuration,
        next_message=partial(next_message, runtime.journal, partial(threads.read, store.head)),
        clock=clock,
        random=environment.random,
        off_loop=threads.check,
        frame_log=frame_log,
    )
    return CentralSystemLink(
        settings.central_system,
        context,
        connect=connect,
        profiles=lambda: runtime.state.approaches,
        roots=lambda: trusted_roots(
            runtime.state.certificates, runtime.state.rules.only_installed_roots
        ),
        own=OwnFilesOfBox(folder_of(settings), runtime.current_state, clock, threads.check),
    )


def make_messages(services: Services, maintenance: Maintenance) -> TriggeredMessages:
    """What the box says about itself when it is asked to."""
    return TriggeredMessages(
        services.settings.charge_point,
        services.runtime.current_state,
        services.clock.now,
        maintenance.diagnostics.status,
        maintenance.log.status,
    )


def make_handlers(
    services: Services, messages: TriggeredMessages, maintenance: Maintenance
) -> dict[str, Handler]:
    """Who answers which call of the central system."""
    runtime, check = services.runtime, services.threads.check
    state, now = runtime.current_state, services.clock.now
    ca_file = services.settings.central_system.ca_file
    return {
        **core_handlers(runtime, lambda: runtime.state.configuration),
        **local_auth_handlers(services.lists, state, check),
        **remote_trigger_handlers(services.link, messages, state, runtime),
        **smart_charging_handlers(runtime, state, now, check),
        **reservation_handlers(runtime, state),
        **certificate_handlers(runtime, state, check, ca_file),
        **maintenance.handlers,
    }
