"""The random delay: not every vehicle of a region starts, or steps, in the same second.

As the UK's Electric Vehicles (Smart Charge Points) Regulations 2021 want it: whole seconds, another
delay each time, at the start of charging and when a schedule changes the rate, upwards or
downwards. What somebody asks for in that moment is not delayed, nor is anything that protects.
"""

from __future__ import annotations

import hashlib

from agent.core import replies
from agent.core.connector_phases import RandomDelay
from agent.core.events_requests import RandomDelaySkipped
from agent.core.replace import replace
from agent.core.state import Charging, Connector
from agent.core.turn import Turn


def of_start(turn: Turn, transaction_ref: int) -> RandomDelay | None:
    """The delay of a session that begins now; None: it has none."""
    if turn.state.rules.random_delay_max_s == 0:
        return None
    return _drawn(turn, transaction_ref, 0.0, is_start=True)


def felt_a(turn: Turn, connector: Connector, profile_a: float) -> float:
    """What a session feels of its charging profiles now; infinite: no limit.

    A step of a schedule is felt later. A profile that the central system sets or clears counts at
    once, and ends the delay of a step.
    """
    charging = turn.connector(connector.connector_id).phase
    if turn.state.rules.random_delay_max_s == 0 or not isinstance(charging, Charging):
        return profile_a
    is_told = turn.before.charging_profiles != turn.state.charging_profiles
    delay, before_a = charging.delay, charging.profile_a
    if delay is not None:
        is_over = turn.now.monotonic_s >= delay.until_s
        delay = None if is_over or (is_told and not delay.is_start) else delay
    if delay is None and before_a not in (None, profile_a) and not is_told:
        delay = _drawn(turn, charging.transaction.ref, before_a or 0.0, is_start=False)
    if (charging.delay, before_a) != (delay, profile_a):
        changed = replace(charging, delay=delay, profile_a=profile_a)
        turn.put_phase(connector.connector_id, changed)
    return profile_a if delay is None else delay.current_a


def skipped(turn: Turn, event: RandomDelaySkipped) -> None:
    """A person does not want to wait."""
    end(turn, event.connector_id)
    replies.agree(turn, event.request_id, "applied")


def end(turn: Turn, connector_id: int) -> None:
    """Nothing waits at this connector any more: a person asks for it, or it may draw nothing."""
    charging = turn.connector(connector_id).phase
    if isinstance(charging, Charging) and charging.delay is not None:
        turn.put_phase(connector_id, replace(charging, delay=None))


def skip_start(turn: Turn, connector: Connector) -> bool:
    """End the delay of a start; False: there is none."""
    charging = connector.phase
    if not isinstance(charging, Charging) or charging.delay is None or not charging.delay.is_start:
        return False
    end(turn, connector.connector_id)
    return True


def _drawn(turn: Turn, transaction_ref: int, current_a: float, is_start: bool) -> RandomDelay:
    rules, now_s = turn.state.rules, turn.now.monotonic_s
    occasion = f"{rules.random_seed} {transaction_ref} {now_s}"
    number = int.from_bytes(hashlib.sha256(occasion.encode()).digest()[:8], "big")
    delay_s = number % (rules.random_delay_max_s + 1)
    return RandomDelay(now_s + delay_s, current_a, is_start)
