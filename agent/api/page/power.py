"""The power of a session over its time, thin enough for any length of session. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

POINTS_MAX = 240
FIRST_STEP_S = 5.0
WIDTH, HEIGHT = 600, 90


@dataclass(slots=True)
class PowerCurve:
    """Points of one session; when they become too many every second one goes."""

    ref: int
    began_s: float
    step_s: float = FIRST_STEP_S
    points: list[tuple[float, float]] = field(default_factory=list)  # seconds since begin, W

    def note(self, now_s: float, power_w: float) -> None:
        """Keep a point, unless the last one is too near."""
        at_s = now_s - self.began_s
        if self.points and at_s - self.points[-1][0] < self.step_s:
            return
        self.points.append((at_s, power_w))
        if len(self.points) > POINTS_MAX:
            self.points = self.points[::2]
            self.step_s *= 2


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn, in a box of WIDTH x HEIGHT."""

    line: str  # points of an SVG polyline
    minutes: int
    most_w: int


class PowerHistory:
    """The curve of the session of each connector."""

    def __init__(self) -> None:
        self._curves: dict[int, PowerCurve] = {}

    def note(self, connector_id: int, ref: int | None, now_s: float, power_w: float) -> None:
        """What a connector takes now, in W; ``ref`` None: it has no session."""
        curve = self._curves.get(connector_id)
        if ref is None:
            return  # the curve of the last session stays until the next one
        if curve is None or curve.ref != ref:
            curve = self._curves[connector_id] = PowerCurve(ref, now_s)
        curve.note(now_s, power_w)

    def plot(self, connector_id: int) -> Plot | None:
        """The curve of the present or last session, or None when there is too little of it."""
        curve = self._curves.get(connector_id)
        if curve is None or len(curve.points) < 2:
            return None
        return plot(curve.points)


def plot(points: Sequence[tuple[float, float]]) -> Plot:
    """Scale at least two points into the box; the highest power touches its upper edge."""
    first_s, last_s = points[0][0], points[-1][0]
    most_w = max(power_w for _, power_w in points)
    across = WIDTH / max(last_s - first_s, 1.0)
    up = (HEIGHT - 2) / max(most_w, 1.0)
    line = " ".join(
        f"{(at_s - first_s) * across:.1f},{HEIGHT - 1 - power_w * up:.1f}"
        for at_s, power_w in points
    )
    return Plot(line, round((last_s - first_s) / 60), round(most_w))
