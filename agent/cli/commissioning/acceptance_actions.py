"""What several steps of the acceptance test do: come to rest, begin a session, charge, end it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent.cli.commissioning.acceptance_run import AcceptanceRun, Claim, Status, StepFailed


def comes_to_rest(walk: AcceptanceRun) -> None:
    """No session, no plug: where every step begins."""
    if not is_free(walk)(walk.status()):
        walk.do(
            "End the session, if one runs, and pull the plug out of the charger.",
            walk.pull("unplug", at_car=True),
            is_free(walk),
            "a connector that is free",
        )


def is_free(walk: AcceptanceRun) -> Claim:
    """Nothing is plugged in, and no session runs."""

    def claim(status: Status) -> bool:
        one = walk.connector(status)
        is_at_rest = one["session"] is None and not one["plugged"]
        return is_at_rest and bool(one["status"] == "Available")

    return claim


def plugs_in(walk: AcceptanceRun) -> None:
    """The car is there, before a card. Where no contact tells, a person is believed."""
    if walk.connector(walk.status())["plugged"] is None:
        walk.means.guide.tell("  > Plug the car in.")
        return
    walk.do(
        "Plug the car in.",
        walk.pull("plug"),
        lambda status: bool(walk.connector(status)["plugged"]),
        "a plug",
    )


def taps_to_begin(walk: AcceptanceRun) -> None:
    """A card that may charge; then energy flows. What refuses it ends the step at once."""
    walk.do(
        "Hold a card that may charge to the reader.",
        walk.pull("tap", card=walk.means.card),
        lambda status: walk.connector(status)["session"] is not None,
        "a session",
        trouble=refusal_after(walk),
    )
    decision = walk.decision()
    if decision is not None:
        walk.fact(decision["line"])


def refusal_after(walk: AcceptanceRun) -> Callable[[], str]:
    """Tells the decision that refuses a card from now on."""
    before = walk.decision()

    def trouble() -> str:
        newest = walk.decision()
        if newest is None or newest == before or newest["verdict"] != "refused":
            return ""
        line: str = newest["line"]
        return line

    return trouble


def charges(walk: AcceptanceRun) -> Mapping[str, Any]:
    """Energy flows for a while; returns the session as it was seen last."""
    status = walk.wait(_energy_flows(walk), "energy")
    walk.fact(_in_detail(walk.connector(status)))

    def has_charged(status: Status) -> bool:
        session = walk.connector(status)["session"]
        if session is None:
            raise StepFailed("the session has ended by itself")
        return bool(session["duration_s"] >= walk.means.charge_s)

    status = walk.wait(has_charged, "some energy", walk.means.charge_s + walk.means.limit_s)
    session: Mapping[str, Any] = walk.connector(status)["session"]
    return session


def _energy_flows(walk: AcceptanceRun) -> Claim:
    def claim(status: Status) -> bool:
        one = walk.connector(status)
        return bool(one["contactor"] == "closed" and one["status"] == "Charging")

    return claim


def _in_detail(connector: Mapping[str, Any]) -> str:
    parts = [f"charging: session {connector['session']['ref']}", "contactor closed"]
    if connector["lock"]:
        parts.append(connector["lock"])
    if connector["pilot"]:
        parts.append(f"pilot {connector['pilot']}")
    if connector["meter"]:
        parts.append(f"meter {connector['meter']['import_wh']} Wh")
    return ", ".join(parts)


def taps_to_end(walk: AcceptanceRun, session: Mapping[str, Any]) -> None:
    """The same card ends the session; the contactor opens."""
    walk.do(
        "Hold the same card to the reader again.",
        walk.pull("tap", card=walk.means.card),
        has_ended(walk),
        "the end of the session",
        trouble=refusal_after(walk),
    )
    tells_the_end(walk, session)


def has_ended(walk: AcceptanceRun) -> Claim:
    """No session, and the contactor seen open."""

    def claim(status: Status) -> bool:
        one = walk.connector(status)
        return bool(one["session"] is None and one["contactor"] == "open")

    return claim


def tells_the_end(walk: AcceptanceRun, session: Mapping[str, Any]) -> None:
    """Keep what the session was."""
    number = session["transaction_id"]
    known_as = "without a number so far" if number is None else f"number {number}"
    energy = f"at least {session['energy_wh']} Wh"
    walk.fact(f"session {session['ref']} ({known_as}) ended: {energy}, contactor open")


def unplugs(walk: AcceptanceRun) -> None:
    """The plug comes out, and the connector is free."""
    walk.do("Pull the plug out.", walk.pull("unplug"), is_free(walk), "a connector that is free")
    walk.fact("plug out, connector free")


def everything_is_delivered(
    walk: AcceptanceRun, parked_before: int, limit_s: float | None = None
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
            raise StepFailed(f"a message was set aside: {newest['action']}: {newest['problem']}")
        return bool(outbox["queued_count"] == 0 and status["link"]["is_accepted"])

    walk.wait(is_empty, "every message at the central system", limit_s)
    return most


def parked_count(status: Status) -> int:
    """How many messages are set aside."""
    return int(status["outbox"].get("parked_count", 0))
