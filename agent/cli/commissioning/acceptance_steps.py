"""The steps of the acceptance test, in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.cli.commissioning import acceptance_actions
from agent.cli.commissioning.acceptance_run import (
    LONG_S,
    AcceptanceRun,
    Status,
    StepFailed,
    StepSkipped,
)


@dataclass(frozen=True, slots=True)
class AcceptanceStep:
    """One step. ``goes_on`` finishes it in another process, after a power cut."""

    name: str
    title: str
    run: Callable[[AcceptanceRun], None]
    goes_on: Callable[[AcceptanceRun], None] | None = None


# --- before everything ---------------------------------------------------------------------------


def _ready(walk: AcceptanceRun) -> None:
    status = walk.status()
    if status["faults"]:
        raise StepFailed(f"there is a fault: {', '.join(status['faults'])}")
    link = status["link"]
    if link["is_accepted"]:
        walk.fact(f"accepted by {link['url']}")
    elif link["url"]:
        raise StepFailed(f"not accepted by {link['url']}: {link['last_problem'] or 'no answer'}")
    else:
        walk.fact("no central system is configured")
    acceptance_actions.comes_to_rest(walk)
    one = walk.connector(walk.status())
    walk.fact(f"connector {one['id']} is free, contactor {one['contactor']}")


# --- cards ---------------------------------------------------------------------------------------


def _rfid(walk: AcceptanceRun) -> None:
    acceptance_actions.comes_to_rest(walk)
    parked = acceptance_actions.parked_count(walk.status())
    acceptance_actions.plugs_in(walk)
    acceptance_actions.taps_to_begin(walk)
    session = acceptance_actions.charges(walk)
    acceptance_actions.taps_to_end(walk, session)
    acceptance_actions.unplugs(walk)
    if walk.status()["link"]["is_accepted"]:
        acceptance_actions.everything_is_delivered(walk, parked)
        walk.fact("the central system has every message")


def _refused_card(walk: AcceptanceRun) -> None:
    acceptance_actions.comes_to_rest(walk)
    before = walk.decision()

    def is_refused(status: Status) -> bool:
        newest = walk.decision()
        if newest is None or newest == before:
            return False
        if newest["verdict"] != "refused":
            raise StepFailed(f"this card may charge: {newest['line']}")
        return True

    walk.do(
        "Hold a card that must not charge to the reader.",
        walk.pull("tap", card=walk.means.refused_card),
        is_refused,
        "a refusal",
    )
    decision = walk.decision()
    assert decision is not None
    walk.fact(decision["line"])
    one = walk.connector(walk.status())
    if one["session"] is not None or one["contactor"] != "open":
        raise StepFailed(f"the card was refused, and still: {one['in_words']}")
    walk.fact("no session, contactor open")


# --- the central system --------------------------------------------------------------------------


def _remote(walk: AcceptanceRun) -> None:
    _require_link(walk)
    acceptance_actions.comes_to_rest(walk)
    parked = acceptance_actions.parked_count(walk.status())
    acceptance_actions.plugs_in(walk)
    where = f"at connector {walk.means.connector_id}"
    _at_the_central_system(
        walk,
        f"At the central system: start a session {where} (RemoteStartTransaction).",
        lambda status: walk.connector(status)["session"] is not None,
        "a session",
    )
    decision = walk.decision()
    if decision is not None and decision["purpose"] == "remote start":
        walk.fact(decision["line"])
    else:
        walk.fact("begun by the central system")
    session = acceptance_actions.charges(walk)
    _at_the_central_system(
        walk,
        f"At the central system: stop that session (RemoteStopTransaction {_number(session)}).",
        acceptance_actions.has_ended(walk),
        "the end of the session",
    )
    acceptance_actions.tells_the_end(walk, session)
    acceptance_actions.unplugs(walk)
    acceptance_actions.everything_is_delivered(walk, parked)


def _at_the_central_system(
    walk: AcceptanceRun, words: str, until: Callable[[Status], bool], expects: str
) -> None:
    """Nobody may sit there: with simulated hardware that is no failure of the charger."""
    try:
        walk.do(words, None, until, expects)
    except StepFailed as problem:
        if walk.means.is_automatic:
            raise StepSkipped(f"nobody did it at the central system ({problem})") from None
        raise


def _number(session: Mapping[str, Any]) -> str:
    return "" if session["transaction_id"] is None else str(session["transaction_id"])


def _require_link(walk: AcceptanceRun) -> None:
    link = walk.status()["link"]
    if not link["url"]:
        raise StepSkipped("no central system is configured")
    if not link["is_accepted"]:
        raise StepFailed(f"the central system has not accepted this box: {link['last_problem']}")


# --- without a link ------------------------------------------------------------------------------


def _offline(walk: AcceptanceRun) -> None:
    _require_link(walk)
    acceptance_actions.comes_to_rest(walk)
    parked = acceptance_actions.parked_count(walk.status())
    try:
        _charge_offline(walk)
    finally:
        if walk.means.is_automatic:
            walk.pull("network", wanted=True)()
    walk.do(
        "Put the network cable back.",
        None,
        lambda status: bool(status["link"]["is_accepted"]),
        "the link",
        limit_s=max(LONG_S, walk.means.limit_s),
    )
    walk.fact("the link is back")
    acceptance_actions.everything_is_delivered(walk, parked, max(LONG_S, walk.means.limit_s))
    walk.fact("the central system has every message of the session")


def _charge_offline(walk: AcceptanceRun) -> None:
    walk.do(
        "Pull the network cable out (or switch the router off).",
        walk.pull("network", wanted=False),
        lambda status: status["link"]["connected_since"] is None,
        "a link that is down",
        limit_s=max(LONG_S, walk.means.limit_s),
    )
    walk.fact("the link is down")
    acceptance_actions.plugs_in(walk)
    acceptance_actions.taps_to_begin(walk)
    session = acceptance_actions.charges(walk)
    acceptance_actions.taps_to_end(walk, session)
    acceptance_actions.unplugs(walk)
    status = walk.wait(lambda status: status["outbox"].get("queued_count", 0) >= 2, "the queue")
    walk.fact(f"{status['outbox']['queued_count']} messages wait on the disk")


# --- the plug, the power -------------------------------------------------------------------------


def _unplug(walk: AcceptanceRun) -> None:
    acceptance_actions.comes_to_rest(walk)
    acceptance_actions.plugs_in(walk)
    acceptance_actions.taps_to_begin(walk)
    session = acceptance_actions.charges(walk)
    walk.do(
        "Pull the plug out at the car, while it charges.",
        walk.pull("unplug", at_car=True),
        acceptance_actions.has_ended(walk),
        "the end of the session",
    )
    acceptance_actions.tells_the_end(walk, session)
    acceptance_actions.comes_to_rest(walk)
    walk.fact("connector free")


def _power_cut(walk: AcceptanceRun) -> None:
    means = walk.means
    if means.is_automatic and means.cut_power is None:
        raise StepSkipped("simulated hardware has no power to cut: give --power-cut-command")
    acceptance_actions.comes_to_rest(walk)
    walk.record.kept = {
        "parked": acceptance_actions.parked_count(walk.status()),
        "boot_id": means.boot_id,
    }
    acceptance_actions.plugs_in(walk)
    acceptance_actions.taps_to_begin(walk)
    session = acceptance_actions.charges(walk)
    walk.record.kept["session"] = dict(session)
    means.save()
    means.guide.tell("    If this ends with the power: run it again with --resume and the file.")

    words = "Switch the supply of the charger off; after ten seconds switch it on again."
    walk.record.to_do = words
    means.save()
    means.guide.tell(f"  > {words}")
    if means.cut_power is not None:
        means.cut_power()
    _wait_until_gone(walk)
    _after_power_cut(walk)


def _wait_until_gone(walk: AcceptanceRun) -> None:
    deadline_s = walk.means.now().monotonic_s + walk.means.limit_s
    while walk.status_if_any() is not None:
        left_s = deadline_s - walk.means.now().monotonic_s
        if left_s <= 0:
            raise StepFailed("the agent answers all the time: the power was not cut")
        walk.look_at_key(walk.means.guide.wait(0.05, "the end of the power", left_s))
    walk.fact("the agent is gone")


def _after_power_cut(walk: AcceptanceRun) -> None:
    """The second half: here, or in another process after the power has come back."""
    session = walk.record.kept["session"]
    has_rebooted = walk.record.kept["boot_id"] != walk.means.boot_id
    walk.record.to_do = ""

    def is_settled(status: Status) -> bool:
        running = walk.connector(status)["session"]
        is_as_before = running is None or running["ref"] == session["ref"]
        link = status["link"]
        return is_as_before and bool(link["is_accepted"] or not link["url"])

    status = walk.wait(is_settled, "the link, and the session closed or resumed", LONG_S)
    walk.fact("the machine has booted anew" if has_rebooted else "the agent has started anew")
    if walk.connector(status)["session"] is None:
        walk.fact(f"session {session['ref']} was closed")
        if walk.connector(status)["contactor"] != "open":
            raise StepFailed("the contactor is closed without a session")
    else:
        walk.fact(f"session {session['ref']} goes on")
        acceptance_actions.taps_to_end(walk, acceptance_actions.charges(walk))
    acceptance_actions.comes_to_rest(walk)
    if status["link"]["url"]:
        acceptance_actions.everything_is_delivered(walk, walk.record.kept["parked"], LONG_S)
        walk.fact("the central system has every message")


STEPS: tuple[AcceptanceStep, ...] = (
    AcceptanceStep("ready", "The box is ready", _ready),
    AcceptanceStep("rfid", "A card starts and stops a session", _rfid),
    AcceptanceStep("refused-card", "A card that must not charge is refused", _refused_card),
    AcceptanceStep("remote", "The central system starts and stops a session", _remote),
    AcceptanceStep("offline", "A session without a link is delivered later", _offline),
    AcceptanceStep("unplug", "Pulling the plug ends a session", _unplug),
    AcceptanceStep("power-cut", "A session survives a power cut", _power_cut, _after_power_cut),
)
