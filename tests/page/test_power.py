"""The curve of a session stays small, and is drawn to scale."""

from __future__ import annotations

from agent.api.page.power import HEIGHT, POINTS_MAX, WIDTH, PowerHistory, plot


def points(line: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.split())]


def test_a_plot_goes_from_edge_to_edge_and_up_to_the_highest_power():
    drawn = plot([(0.0, 0.0), (60.0, 7400.0), (120.0, 3700.0)])
    assert points(drawn.line) == [
        (0.0, HEIGHT - 1),
        (WIDTH / 2, 1.0),
        (WIDTH, (HEIGHT - 1 + 1.0) / 2),
    ]
    assert (drawn.minutes, drawn.most_w) == (2, 7400)


def test_a_session_without_power_is_a_line_at_the_bottom():
    assert [y for _, y in points(plot([(0.0, 0.0), (9.0, 0.0)]).line)] == [HEIGHT - 1] * 2


def test_points_that_come_too_fast_are_left_out():
    history = PowerHistory()
    for tenth in range(200):
        history.note(1, 7, tenth / 10, 1000.0)
    drawn = history.plot(1)
    assert drawn is not None
    assert len(points(drawn.line)) == 4


def test_a_session_of_a_week_keeps_few_points_and_its_whole_length():
    history = PowerHistory()
    for step in range(7 * 24 * 720):
        history.note(1, 7, step * 5.0, 1000.0)
    drawn = history.plot(1)
    assert drawn is not None
    assert POINTS_MAX / 3 < len(points(drawn.line)) <= POINTS_MAX
    assert abs(drawn.minutes - 7 * 24 * 60) < 7 * 24 * 60 * 0.02


def test_the_curve_stays_after_the_session_and_goes_with_the_next():
    history = PowerHistory()
    history.note(1, 7, 0.0, 9000.0)
    history.note(1, 7, 10.0, 9000.0)
    history.note(1, None, 20.0, 0.0)
    before = history.plot(1)
    assert before is not None
    assert before.most_w == 9000
    history.note(1, 8, 30.0, 100.0)
    assert history.plot(1) is None, "one point is no curve yet"
    history.note(1, 8, 40.0, 200.0)
    after = history.plot(1)
    assert after is not None
    assert after.most_w == 200


def test_connectors_have_curves_of_their_own():
    history = PowerHistory()
    history.note(1, 7, 0.0, 1.0)
    assert history.plot(2) is None
