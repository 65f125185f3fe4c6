"""Changes of the way to the central system: ordered, held, settled, rolled back.

The values and rules stand in ``agent.core.connection_profile``; here they meet the charge point.
"""

from __future__ import annotations

from agent.core import security_events
from agent.core.commands import ApplyConfiguration, Reply
from agent.core.configuration import ChangeStatus, Configuration
from agent.core.connection_profile import (
    APPROACH_KEYS,
    PROFILE,
    URL,
    ConnectionProfiles,
    LinkOpened,
    SaveConnectionProfiles,
    after_change,
    after_success,
    what_is_needed,
)
from agent.core.events import ConfigurationChangeRequested
from agent.core.own_certificates import may_show
from agent.core.replace import replace
from agent.core.state import ChargePoint
from agent.core.turn import Turn

_BY_NAME = {name.lower(): name for name in APPROACH_KEYS}


def is_about(key: str) -> bool:
    """True for a key that changes the way to the central system."""
    return key.lower() in _BY_NAME


def change_requested(turn: Turn, event: ConfigurationChangeRequested) -> None:
    """Answer first; then the link leaves its present central system."""
    known = turn.state.approaches
    name = _BY_NAME[event.key.lower()]
    has_certificate = may_show(turn.state.own_certificates, turn.state.rules.common_name, turn.now)
    after = after_change(known, name, event.value, has_certificate)
    if after is None:
        needs = what_is_needed(known, name)
        turn.emit(Reply(event.request_id, ChangeStatus.REJECTED.value, needs))
        return
    if after != known:
        _keep(turn, after)
        security_events.record_reconfiguration(turn, name)
    turn.emit(Reply(event.request_id, ChangeStatus.ACCEPTED.value))
    if after != known:
        turn.emit(ApplyConfiguration(name, ""))  # no password travels any further


def opened(turn: Turn, event: LinkOpened) -> None:
    """The handshake is through: password, profile and address have worked, so far."""
    known = turn.state.approaches
    has_used_tls = known.has_used_tls or event.approach.has_tls
    known = replace(known, in_use=event.approach, has_used_tls=has_used_tls)
    if not _must_be_accepted_first(known):
        known = after_success(known, event.approach, event.instead_of)
    _keep(turn, known)


def accepted(turn: Turn) -> None:
    """BootNotification was accepted."""
    known = turn.state.approaches
    if known.in_use is not None:
        _keep(turn, after_success(known, known.in_use))


def update(turn: Turn) -> None:
    """Hold a trial that leads elsewhere while messages for the present central system wait.

    What has begun there must end there: another one knows neither the transaction nor its number.
    """
    known = turn.state.approaches
    if not known.is_saved:
        turn.state = replace(turn.state, approaches=replace(known, is_saved=True))
        turn.emit(SaveConnectionProfiles(known))
    is_held = known.leads_elsewhere and _owes_something(turn.state)
    if is_held != known.is_held:
        turn.state = replace(turn.state, approaches=replace(turn.state.approaches, is_held=is_held))
        turn.emit(ApplyConfiguration(URL, ""))


def shown(configuration: Configuration, known: ConnectionProfiles) -> Configuration:
    """The keys as GetConfiguration tells them; nobody ever reads the password."""
    shown_profile = configuration.with_value(PROFILE, str(known.wanted.profile))
    return shown_profile.with_value(URL, known.wanted.url)


def _must_be_accepted_first(known: ConnectionProfiles) -> bool:
    # Anybody's server takes a connection; who a box belongs to shows when it is registered.
    return known.leads_elsewhere and known.in_use == known.trial


def _owes_something(state: ChargePoint) -> bool:
    is_charging = any(connector.transaction is not None for connector in state.connectors)
    return is_charging or state.outbox.waiting > 0


def _keep(turn: Turn, after: ConnectionProfiles) -> None:
    before = turn.state.approaches
    turn.state = replace(
        turn.state, approaches=after, configuration=shown(turn.state.configuration, after)
    )
    if replace(after, in_use=before.in_use) != before:
        turn.emit(SaveConnectionProfiles(after))
