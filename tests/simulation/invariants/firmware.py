"""What is installed, and that the central system hears how each update ends."""

from __future__ import annotations

from tests.simulation.invariants.base import Invariant


class NothingUnverifiedIsInstalled(Invariant):
    """Looked at when the install command begins, by what the manufacturer has really signed."""

    promise = "Nothing is installed that the manufacturer has not signed for this request"

    def installing(self, content: bytes) -> None:
        """The install command begins to read the file."""
        self.look()
        if not self.world.rollout.is_signed(content):
            self.broken(f"{content!r} is installed")


class EachUpdateIsToldToItsEnd(Invariant):
    """By what the central system has heard, of the last update that it was told is accepted."""

    promise = "Of each signed update that was accepted the end is told"

    def settled(self) -> None:
        left = self.what_is_left()
        if left is not None:
            self.broken(left)

    def what_is_left(self) -> str | None:
        """What is still to be done, or told; None: nothing."""
        state, accepted = self.world.state(), self.world.rollout.accepted
        update = None if state is None else state.firmware.update
        if update is None or update.signing is None or update.notice is None:
            return None if accepted is None else f"update {accepted} is forgotten or not begun"
        self.look()
        number = update.signing.request_id
        if accepted is not None and number < accepted:
            return f"update {accepted} is forgotten, {number} is known"
        if not update.is_over:
            return f"update {number} is {update.step.value}"
        told = self.world.central.firmware_told.get(number)
        return None if told == update.notice.status else f"of update {number} was told: {told}"
