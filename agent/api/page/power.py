"""Power and limit of a session over its time, thin enough for any length of session. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

POINTS_MAX = 120
FIRST_STEP_S = 5.0
WIDTH, HEIGHT = 600, 100  # as in part_curve.html
_FULL_KW = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
_FULL_MIN = (2, 4, 10, 20, 30, 40, 60, 90, 120, 180, 240, 360, 480, 720, 1440)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a session takes at a moment, and what it may take; in W."""

    power_w: float
    limit_w: float
    is_paused: bool  # the session runs, and its contactor is open


@dataclass(frozen=True, slots=True)
class Point:
    """A sample, and the seconds since the session began."""

    at_s: float
    sample: Sample


@dataclass(slots=True)
class PowerCurve:
    """Points of one session; when they become too many, each two become one."""

    ref: int
    began_s: float
    step_s: float = FIRST_STEP_S
    points: list[Point] = field(default_factory=list)
    drawn: Plot | None = None  # of these points; None: not drawn yet

    def note(self, now_s: float, sample: Sample) -> None:
        """Keep a point, unless the last one is near and nothing has begun or ended since."""
        at_s = now_s - self.began_s
        if self.points:
            last = self.points[-1]
            is_alike = sample.is_paused == last.sample.is_paused
            if is_alike and at_s - last.at_s < self.step_s:
                return
        self.points.append(Point(at_s, sample))
        self.drawn = None
        if len(self.points) > POINTS_MAX:
            # The last one stays as it is: the curve goes up to now.
            pairs = zip(self.points[:-1:2], self.points[1::2], strict=True)
            self.points = [*(_as_one(*pair) for pair in pairs), self.points[-1]]
            self.step_s *= 2


def _as_one(first: Point, second: Point) -> Point:
    one, other = first.sample, second.sample
    power_w = (one.power_w + other.power_w) / 2
    is_paused = one.is_paused or other.is_paused  # a short pause is still seen
    return Point(first.at_s, Sample(power_w, min(one.limit_w, other.limit_w), is_paused))


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn, in a box of WIDTH x HEIGHT; its axes begin at 0."""

    power: str  # an SVG path, from the axis up and along: filled below
    limit: str  # an SVG path in steps
    pauses: tuple[tuple[int, int], ...]  # where each begins, and how wide it is
    full_kw: int  # at the upper edge
    full_min: int  # at the right edge
    most_w: int
    is_limit_seen: bool  # False: it is above the upper edge all the time


class PowerHistory:
    """The curve of the session of each connector."""

    def __init__(self) -> None:
        self._curves: dict[int, PowerCurve] = {}

    def note(self, connector_id: int, ref: int | None, now_s: float, sample: Sample) -> None:
        """What a connector takes now; ``ref`` None: it has no session."""
        curve = self._curves.get(connector_id)
        if ref is None:
            return  # the curve of the last session stays until the next one
        if curve is None or curve.ref != ref:
            curve = self._curves[connector_id] = PowerCurve(ref, now_s)
        curve.note(now_s, sample)

    def plot(self, connector_id: int) -> Plot | None:
        """The curve of the present or last session, or None when there is too little of it."""
        curve = self._curves.get(connector_id)
        if curve is None or len(curve.points) < 2:
            return None
        if curve.drawn is None:
            curve.drawn = plot(curve.points)
        return curve.drawn


def plot(points: Sequence[Point]) -> Plot:
    """Scale at least two points into the box."""
    most_w = max(point.sample.power_w for point in points)
    # The limit belongs into the picture, but not if that makes the power a flat line at its foot.
    limits_w = [point.sample.limit_w for point in points]
    seen_w = max(w for w in (most_w, *limits_w) if w <= max(2 * most_w, 1000.0))
    full_kw = _full(seen_w / 1000, _FULL_KW, 96)
    full_min = _full(points[-1].at_s / 60, _FULL_MIN, 1440)
    across, up = WIDTH / (60 * full_min), HEIGHT / (1000 * full_kw)

    def place(at_s: float, w: float) -> tuple[int, int]:
        return round(at_s * across), HEIGHT - round(min(w, 2000 * full_kw) * up)

    power = [place(point.at_s, point.sample.power_w) for point in points]
    limit = [place(point.at_s, point.sample.limit_w) for point in points]
    return Plot(
        power=f"M{power[0][0]},{HEIGHT}{_line(power)}V{HEIGHT}",
        limit=_steps(limit),
        pauses=tuple(_pauses(points, across)),
        full_kw=full_kw,
        full_min=full_min,
        most_w=round(most_w),
        is_limit_seen=min(limits_w) <= 1000 * full_kw,
    )


def _full(value: float, scale: Iterable[int], beyond: int) -> int:
    """The end of an axis: the first on the scale that is no less; far out, multiples."""
    return next((end for end in scale if end >= value), beyond * math.ceil(value / beyond))


def _line(places: Sequence[tuple[int, int]]) -> str:
    """From point to point; those in the middle of a level stretch add nothing."""
    ends = {0, len(places) - 1}
    bends = (
        place
        for number, place in enumerate(places)
        if number in ends or not places[number - 1][1] == place[1] == places[number + 1][1]
    )
    return "".join(f"L{x},{y}" for x, y in bends)


def _steps(places: Sequence[tuple[int, int]]) -> str:
    """Level until the value changes, then straight there."""
    path, level = f"M{places[0][0]},{places[0][1]}", places[0][1]
    for x, y in places[1:]:
        if y != level:
            path += f"H{x}V{y}"
            level = y
    return f"{path}H{places[-1][0]}"


def _pauses(points: Sequence[Point], across: float) -> Iterable[tuple[int, int]]:
    """Each stretch of paused points, up to the point that ends it."""
    began: int | None = None
    for point in points:
        x = round(point.at_s * across)
        if point.sample.is_paused and began is None:
            began = x
        elif not point.sample.is_paused and began is not None:
            yield began, x - began
            began = None
    if began is not None:
        yield began, round(points[-1].at_s * across) - began
