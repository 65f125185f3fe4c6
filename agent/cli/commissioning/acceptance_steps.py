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
    """One step. ``goes_on`` finishes it in another process, after a power cut.

    ``is_for``: whether the box of this status has what the step is about.
    """

    name: str
    title: str
    run: Callable[[AcceptanceRun], None]
    goes_on: Callable[[AcceptanceRun], None] | None = None
    is_for: Callable[[Status], bool] = lambda status: True


# --- before everything ---------------------------------------------------------------------------


def _ready(run: AcceptanceRun) -> None:
    status = run.status()
    if status["faults"]:
        raise StepFailed(f"there is a fault: {', '.join(status['faults'])}")
    link = status["link"]
    if link["is_accepted"]:
        run.fact(f"accepted by {link['url']}")
    elif link["url"]:
        raise StepFailed(f"not accepted by {link['url']}: {link['last_problem'] or 'no answer'}")
    else:
        run.fact("no central system is configured")
    acceptance_actions.comes_to_rest(run)
    one = run.connector(run.status())
    run.fact(f"connector {one['id']} is free, contactor {one['contactor']}")


# --- cards ---------------------------------------------------------------------------------------


def _rfid(run: AcceptanceRun) -> None:
    acceptance_actions.comes_to_rest(run)
    parked = acceptance_actions.parked_count(run.status())
    acceptance_actions.plugs_in(run)
    acceptance_actions.taps_to_begin(run)
    session = acceptance_actions.charges(run)
    acceptance_actions.taps_to_end(run, session)
    acceptance_actions.unplugs(run)
    if run.status()["link"]["is_accepted"]:
        acceptance_actions.everything_is_delivered(run, parked)
        run.fact("the central system has every message")


def _refused_card(run: AcceptanceRun) -> None:
    acceptance_actions.comes_to_rest(run)
    before = run.decision()

    def is_refused(status: Status) -> bool:
        newest = run.decision()
        if newest is None or newest == before:
            return False
        if newest["verdict"] != "refused":
            raise StepFailed(f"this card may charge: {newest['line']}")
        return True

    run.do(
        "Hold a card that must not charge to the reader.",
        run.pull("tap", card=run.context.refused_card),
        is_refused,
        "a refusal",
    )
    decision = run.decision()
    assert decision is not None
    run.fact(decision["line"])
    one = run.connector(run.status())
    if one["session"] is not None or one["contactor"] != "open":
        raise StepFailed(f"the card was refused, and still: {one['in_words']}")
    run.fact("no session, contactor open")


# --- the central system --------------------------------------------------------------------------


def _remote(run: AcceptanceRun) -> None:
    _require_link(run)
    acceptance_actions.comes_to_rest(run)
    parked = acceptance_actions.parked_count(run.status())
    acceptance_actions.plugs_in(run)
    where = f"at connector {run.context.connector_id}"
    _at_the_central_system(
        run,
        f"At the central system: start a session {where} (RemoteStartTransaction).",
        lambda status: run.connector(status)["session"] is not None,
        "a session",
    )
    decision = run.decision()
    if decision is not None and decision["purpose"] == "remote start":
        run.fact(decision["line"])
    else:
        run.fact("begun by the central system")
    session = acceptance_actions.charges(run)
    _at_the_central_system(
        run,
        f"At the central system: stop that session (RemoteStopTransaction {_number(session)}).",
        acceptance_actions.has_ended(run),
        "the end of the session",
    )
    acceptance_actions.tells_the_end(run, session)
    acceptance_actions.unplugs(run)
    acceptance_actions.everything_is_delivered(run, parked)


def _at_the_central_system(
    run: AcceptanceRun, words: str, until: Callable[[Status], bool], expects: str
) -> None:
    """Nobody may sit there: with simulated hardware that is no failure of the charger."""
    if run.context.is_automatic:
        ending = f"After {run.context.limit_s:g} s the step is left out."
        run.context.prompter.tell(f"    Is nobody at the central system? {ending}")
    try:
        run.do(words, None, until, expects)
    except StepFailed as problem:
        if run.context.is_automatic:
            raise StepSkipped(f"not done at the central system ({problem})") from None
        raise


def _number(session: Mapping[str, Any]) -> str:
    return "" if session["transaction_id"] is None else str(session["transaction_id"])


def _require_link(run: AcceptanceRun) -> None:
    link = run.status()["link"]
    if not link["url"]:
        raise StepSkipped("no central system is configured")
    if not link["is_accepted"]:
        raise StepFailed(f"the central system has not accepted this box: {link['last_problem']}")


# --- without a link ------------------------------------------------------------------------------


def _offline(run: AcceptanceRun) -> None:
    _require_link(run)
    acceptance_actions.comes_to_rest(run)
    parked = acceptance_actions.parked_count(run.status())
    try:
        _charge_offline(run)
    finally:
        if run.context.is_automatic:
            run.pull("network", wanted=True)()
    run.do(
        "Put the network cable back.",
        None,
        lambda status: bool(status["link"]["is_accepted"]),
        "the link",
        limit_s=max(LONG_S, run.context.limit_s),
    )
    run.fact("the link is back")
    acceptance_actions.everything_is_delivered(run, parked, max(LONG_S, run.context.limit_s))
    run.fact("the central system has every message of the session")


def _charge_offline(run: AcceptanceRun) -> None:
    run.do(
        "Pull the network cable out (or switch the router off).",
        run.pull("network", wanted=False),
        lambda status: status["link"]["connected_since"] is None,
        "a link that is down",
        limit_s=max(LONG_S, run.context.limit_s),
    )
    run.fact("the link is down")
    acceptance_actions.plugs_in(run)
    acceptance_actions.taps_to_begin(run)
    session = acceptance_actions.charges(run)
    acceptance_actions.taps_to_end(run, session)
    acceptance_actions.unplugs(run)
    status = run.wait(lambda status: status["outbox"].get("queued_count", 0) >= 2, "the queue")
    run.fact(f"{status['outbox']['queued_count']} messages wait on the disk")


# --- the grid operator ---------------------------------------------------------------------------


def _has_grid_contact(status: Status) -> bool:
    return "grid_limit" in status


def _grid_limit(run: AcceptanceRun) -> None:
    acceptance_actions.comes_to_rest(run)
    acceptance_actions.plugs_in(run)
    acceptance_actions.taps_to_begin(run)
    session = acceptance_actions.charges(run)
    try:
        _limit_the_session(run)
    finally:
        if run.context.is_automatic:
            run.pull("grid-limit", wanted=False)()
    run.do(
        "Let the contact rest again.",
        None,
        lambda status: not status["grid_limit"]["is_limited"],
        "the end of the limit",
    )
    _has_proof(run)
    acceptance_actions.taps_to_end(run, session)
    acceptance_actions.unplugs(run)


def _limit_the_session(run: AcceptanceRun) -> None:
    before_a = run.connector(run.status())["offered_current_a"]

    def is_limited(status: Status) -> bool:
        one = run.connector(status)
        is_low_enough = one["offered_current_a"] <= one["limit"]["current_a"]
        return bool(status["grid_limit"]["is_limited"] and is_low_enough)

    status = run.do(
        "Let the grid operator's contact limit the box (at its control box, or open its wire).",
        run.pull("grid-limit", wanted=True),
        is_limited,
        "the limit",
    )
    one = run.connector(status)
    run.fact(
        f"limited to {_amount(status['grid_limit'])}: {one['offered_current_a']:g} A offered,"
        f" {before_a:g} A before"
    )


def _has_proof(run: AcceptanceRun) -> None:
    for kept in run.context.ask(do="grid-limits", limit=1):
        if kept["ended_at"] is not None:
            run.fact(f"kept as a proof: {kept['begun_at']} to {kept['ended_at']}, {_amount(kept)}")
            return
    raise StepFailed("grid-limits does not tell begin and end of it")


def _amount(limit: Mapping[str, Any]) -> str:
    return f"{limit['limit']:g} {limit['unit']}"


# --- the plug, the power -------------------------------------------------------------------------


def _unplug(run: AcceptanceRun) -> None:
    acceptance_actions.comes_to_rest(run)
    acceptance_actions.plugs_in(run)
    acceptance_actions.taps_to_begin(run)
    session = acceptance_actions.charges(run)
    run.do(
        "Pull the plug out at the car, while it charges.",
        run.pull("unplug", at_car=True),
        acceptance_actions.has_ended(run),
        "the end of the session",
    )
    acceptance_actions.tells_the_end(run, session)
    acceptance_actions.comes_to_rest(run)
    run.fact("connector free")


def _power_cut(run: AcceptanceRun) -> None:
    context = run.context
    if context.is_automatic and context.cut_power is None:
        raise StepSkipped("simulated hardware has no power to cut: give --power-cut-command")
    acceptance_actions.comes_to_rest(run)
    run.record.kept = {
        "parked": acceptance_actions.parked_count(run.status()),
        "boot_id": context.boot_id,
    }
    acceptance_actions.plugs_in(run)
    acceptance_actions.taps_to_begin(run)
    session = acceptance_actions.charges(run)
    run.record.kept["session"] = dict(session)
    context.save()
    context.prompter.tell(
        "    If this ends with the power: run it again with --resume and the file."
    )

    words = "Switch the supply of the charger off; after ten seconds switch it on again."
    run.record.to_do = words
    context.save()
    context.prompter.tell(f"  > {words}")
    if context.cut_power is not None:
        context.cut_power()
    _wait_until_gone(run)
    _after_power_cut(run)


def _wait_until_gone(run: AcceptanceRun) -> None:
    deadline_s = run.context.now().monotonic_s + run.context.limit_s
    while run.status_if_any() is not None:
        left_s = deadline_s - run.context.now().monotonic_s
        if left_s <= 0:
            raise StepFailed("the agent answers all the time: the power was not cut")
        run.look_at_key(run.context.prompter.wait(0.05, "the end of the power", left_s))
    run.fact("the agent has stopped answering")


def _after_power_cut(run: AcceptanceRun) -> None:
    """The second half: here, or in another process after the power has come back."""
    session = run.record.kept["session"]
    has_rebooted = run.record.kept["boot_id"] != run.context.boot_id
    run.record.to_do = ""

    def is_settled(status: Status) -> bool:
        running = run.connector(status)["session"]
        is_as_before = running is None or running["ref"] == session["ref"]
        link = status["link"]
        return is_as_before and bool(link["is_accepted"] or not link["url"])

    status = run.wait(is_settled, "the link, and the session closed or resumed", LONG_S)
    run.fact("the machine has booted anew" if has_rebooted else "the agent has started anew")
    if run.connector(status)["session"] is None:
        run.fact(f"session {session['ref']} was closed")
        if run.connector(status)["contactor"] != "open":
            raise StepFailed("the contactor is closed without a session")
    else:
        run.fact(f"session {session['ref']} goes on")
        acceptance_actions.taps_to_end(run, acceptance_actions.charges(run))
    acceptance_actions.comes_to_rest(run)
    if status["link"]["url"]:
        acceptance_actions.everything_is_delivered(run, run.record.kept["parked"], LONG_S)
        run.fact("the central system has every message")


STEPS: tuple[AcceptanceStep, ...] = (
    AcceptanceStep("ready", "The box is ready", _ready),
    AcceptanceStep("rfid", "A card starts and stops a session", _rfid),
    AcceptanceStep("refused-card", "A card that must not charge is refused", _refused_card),
    AcceptanceStep("remote", "The central system starts and stops a session", _remote),
    AcceptanceStep("offline", "A session without a link is delivered later", _offline),
    AcceptanceStep("unplug", "Pulling the plug ends a session", _unplug),
    AcceptanceStep(
        "grid-limit",
        "The grid operator's contact limits the box",
        _grid_limit,
        is_for=_has_grid_contact,
    ),
    AcceptanceStep("power-cut", "A session survives a power cut", _power_cut, _after_power_cut),
)
