"""What several steps of the acceptance test do: come to rest, begin a session, charge, end it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent.cli.commissioning.acceptance_run import AcceptanceRun, Claim, Status, StepFailed


def comes_to_rest(run: AcceptanceRun) -> None:
    """No session, no plug: where every step begins."""
    if not is_free(run)(run.status()):
        run.do(
            "End the session, if one runs, and pull the plug out of the charger.",
            run.pull("unplug", at_car=True),
            is_free(run),
            "a connector that is free",
        )


def is_free(run: AcceptanceRun) -> Claim:
    """Nothing is plugged in, and no session runs."""

    def claim(status: Status) -> bool:
        one = run.connector(status)
        is_at_rest = one["session"] is None and not one["plugged"]
        return is_at_rest and bool(one["status"] == "Available")

    return claim


def plugs_in(run: AcceptanceRun) -> None:
    """The car is there, before a card. Where no contact tells, a person is believed."""
    if run.connector(run.status())["plugged"] is None:
        run.context.prompter.tell("  > Plug the car in.")
        return
    run.do(
        "Plug the car in.",
        run.pull("plug"),
        lambda status: bool(run.connector(status)["plugged"]),
        "a plug",
    )


def taps_to_begin(run: AcceptanceRun) -> None:
    """A card that may charge; then energy flows. What refuses it ends the step at once."""
    run.do(
        "Hold a card that may charge to the reader.",
        run.pull("tap", card=run.context.card),
        lambda status: run.connector(status)["session"] is not None,
        "a session",
        trouble=refusal_after(run),
    )
    decision = run.decision()
    if decision is not None:
        run.fact(decision["line"])


def refusal_after(run: AcceptanceRun) -> Callable[[], str]:
    """Tells the decision that refuses a card from now on."""
    before = run.decision()

    def trouble() -> str:
        newest = run.decision()
        if newest is None or newest == before or newest["verdict"] != "refused":
            return ""
        line: str = newest["line"]
        return line

    return trouble


def charges(run: AcceptanceRun) -> Mapping[str, Any]:
    """Energy flows for a while; returns the session as it was seen last."""

    def energy_flows(status: Status) -> bool:
        one = run.connector(status)
        return bool(one["contactor"] == "closed" and one["status"] == "Charging")

    status = run.wait(energy_flows, "energy")
    run.fact(_in_detail(run.connector(status)))

    def has_charged(status: Status) -> bool:
        session = run.connector(status)["session"]
        if session is None:
            raise StepFailed("the session has ended by itself")
        return bool(session["duration_s"] >= run.context.charge_s)

    status = run.wait(has_charged, "some energy", run.context.charge_s + run.context.limit_s)
    session: Mapping[str, Any] = run.connector(status)["session"]
    return session


def _in_detail(connector: Mapping[str, Any]) -> str:
    parts = [f"charging: session {connector['session']['ref']}", "contactor closed"]
    if connector["lock"]:
        parts.append(connector["lock"])
    if connector["pilot"]:
        parts.append(f"pilot {connector['pilot']}")
    if connector["meter"]:
        parts.append(f"meter {connector['meter']['import_wh']} Wh")
    return ", ".join(parts)


def taps_to_end(run: AcceptanceRun, session: Mapping[str, Any]) -> None:
    """The same card ends the session; the contactor opens."""
    run.do(
        "Hold the same card to the reader again.",
        run.pull("tap", card=run.context.card),
        has_ended(run),
        "the end of the session",
        trouble=refusal_after(run),
    )
    tells_the_end(run, session)


def has_ended(run: AcceptanceRun) -> Claim:
    """No session, and the contactor seen open."""

    def claim(status: Status) -> bool:
        one = run.connector(status)
        return bool(one["session"] is None and one["contactor"] == "open")

    return claim


def tells_the_end(run: AcceptanceRun, session: Mapping[str, Any]) -> None:
    """Keep what the session was."""
    number = session["transaction_id"]
    known_as = "without a number so far" if number is None else f"number {number}"
    energy = f"at least {session['energy_wh']} Wh"
    run.fact(f"session {session['ref']} ({known_as}) ended: {energy}, contactor open")


def unplugs(run: AcceptanceRun) -> None:
    """The plug comes out, and the connector is free."""
    run.do("Pull the plug out.", run.pull("unplug"), is_free(run), "a connector that is free")
    run.fact("plug out, connector free")


def everything_is_delivered(
    run: AcceptanceRun, parked_before: int, limit_s: float | None = None
) -> int:
    """Wait until the central system has every message; returns how many had waited at most."""
    most = 0

    def is_empty(status: Status) -> bool:
        nonlocal most
        outbox = status["outbox"]
        if "problem" in outbox:
            raise StepFailed(str(outbox["problem"]))
        most = max(most, outbox["queued_count"])
        if outbox["parked_count"] > parked_before:
            newest = outbox["parked"][-1]
            raise StepFailed(f"a message was parked: {newest['action']}: {newest['problem']}")
        return bool(outbox["queued_count"] == 0 and status["link"]["is_accepted"])

    run.wait(is_empty, "every message at the central system", limit_s)
    return most


def parked_count(status: Status) -> int:
    """How many messages are parked."""
    return int(status["outbox"].get("parked_count", 0))
