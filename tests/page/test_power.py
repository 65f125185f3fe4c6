"""The curve of a session stays small, and is drawn to scale."""

from __future__ import annotations

import re

import pytest

from agent.api.page.power import HEIGHT, POINTS_MAX, WIDTH, Plot, Point, PowerHistory, Sample, plot
from agent.api.page.rendering import render


def sample(power_w: float, limit_w: float = 11_000.0, is_paused: bool = False) -> Sample:
    return Sample(power_w, limit_w, is_paused)


def points(*pairs: tuple[float, Sample]) -> list[Point]:
    return [Point(*pair) for pair in pairs]


def corners(path: str) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in re.findall(r"[ML](\d+),(-?\d+)", path)]


def test_a_plot_begins_at_nothing_and_ends_its_axes_at_round_figures():
    drawn = plot(points((0.0, sample(0)), (60.0, sample(7400)), (120.0, sample(3700))))
    assert (drawn.full_kw, drawn.full_min, drawn.most_w) == (12, 2, 7400)
    assert corners(drawn.power) == [(0, HEIGHT), (0, HEIGHT), (WIDTH // 2, 38), (WIDTH, 69)]
    assert drawn.power.endswith(f"V{HEIGHT}")


def test_the_limit_is_a_line_of_steps_where_it_changed():
    drawn = plot(
        points(
            (0.0, sample(4000, 8000)),
            (60.0, sample(4000, 8000)),
            (120.0, sample(2000, 2000)),
            (240.0, sample(2000, 2000)),
        )
    )
    assert drawn.full_kw == 8
    assert drawn.limit == "M0,0H300V75H600"
    assert drawn.is_limit_seen


def test_a_limit_far_above_the_power_does_not_make_it_a_flat_line():
    drawn = plot(points((0.0, sample(1400, 22_000)), (60.0, sample(1400, 22_000))))
    assert drawn.full_kw == 2
    assert not drawn.is_limit_seen
    assert "-" in drawn.limit, "it lies outside the box"


def test_each_pause_is_a_stretch_until_energy_flows_again():
    drawn = plot(
        points(
            (0.0, sample(4000)),
            (60.0, sample(0, is_paused=True)),
            (90.0, sample(0, is_paused=True)),
            (120.0, sample(4000)),
            (180.0, sample(0, is_paused=True)),
            (240.0, sample(0, is_paused=True)),
        )
    )
    assert drawn.pauses == ((150, 150), (450, 150))


def test_a_session_without_power_is_a_line_at_the_bottom():
    drawn = plot(points((0.0, sample(0, 0)), (9.0, sample(0, 0))))
    assert {y for _, y in corners(drawn.power)} == {HEIGHT}
    assert (drawn.full_kw, drawn.full_min) == (1, 2)


def test_a_level_stretch_costs_two_corners():
    drawn = plot([Point(5.0 * number, sample(3600)) for number in range(100)])
    assert len(corners(drawn.power)) == 3


@pytest.mark.parametrize(("minutes", "end"), [(1, 2), (11, 20), (61, 90), (1441, 2880)])
def test_the_axis_of_time_ends_at_a_round_figure(minutes, end):
    assert plot(points((0.0, sample(1)), (60.0 * minutes, sample(1)))).full_min == end


def noted(history: PowerHistory) -> Plot:
    drawn = history.plot(1)
    assert drawn is not None
    return drawn


def test_points_that_come_too_fast_are_left_out():
    history = PowerHistory()
    for tenth in range(200):
        history.note(1, 7, tenth / 10, sample(1000.0 + tenth))
    assert len(corners(noted(history).power)) == 1 + 4


def test_a_session_of_a_week_keeps_few_points_its_whole_length_and_a_short_pause():
    history = PowerHistory()
    steps = 7 * 24 * 720
    for step in range(steps):
        is_paused = step == steps // 2
        history.note(1, 7, step * 5.0, sample(1000.0 + step % 7, is_paused=is_paused))
    curve = history._curves[1]
    assert POINTS_MAX / 3 < len(curve.points) <= POINTS_MAX
    drawn = noted(history)
    assert drawn.full_min == 7 * 1440
    assert corners(drawn.power)[-1][0] > WIDTH * 0.97
    assert len(drawn.pauses) == 1


def test_two_points_that_become_one_keep_their_energy_and_the_lower_limit():
    history = PowerHistory()
    for number in range(POINTS_MAX + 1):
        is_odd = bool(number % 2)
        history.note(1, 7, 5.0 * number, sample(2000.0 if is_odd else 1000.0, 6000 + 1000 * is_odd))
    curve = history._curves[1]
    assert len(curve.points) == POINTS_MAX // 2 + 1
    assert curve.points[0] == Point(0.0, sample(1500.0, 6000))
    assert curve.points[-1] == Point(5.0 * POINTS_MAX, sample(1000.0, 6000))


def test_the_curve_stays_after_the_session_and_goes_with_the_next():
    history = PowerHistory()
    history.note(1, 7, 0.0, sample(9000.0))
    history.note(1, 7, 10.0, sample(9000.0))
    history.note(1, None, 20.0, sample(0.0))
    assert noted(history).most_w == 9000
    history.note(1, 8, 30.0, sample(100.0))
    assert history.plot(1) is None, "one point is no curve yet"
    history.note(1, 8, 40.0, sample(200.0))
    assert noted(history).most_w == 200


def test_a_curve_is_drawn_once_for_each_new_point_and_in_the_box_of_its_template():
    history = PowerHistory()
    history.note(1, 7, 0.0, sample(100.0))
    history.note(1, 7, 10.0, sample(200.0))
    before = noted(history)
    assert noted(history) is before
    history.note(1, 7, 20.0, sample(300.0))
    assert noted(history).most_w == 300
    html = render("part_curve.html", plot=before, is_over=False)
    assert f'viewBox="0 0 {WIDTH} {HEIGHT}"' in html


def test_connectors_have_curves_of_their_own():
    history = PowerHistory()
    history.note(1, 7, 0.0, sample(1.0))
    assert history.plot(2) is None
