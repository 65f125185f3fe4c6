"""The benches still run. What they measure is for ``make bench``, on a machine that is quiet."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.bench import (
    bench_delivery,
    bench_load,
    bench_page,
    bench_present,
    bench_profiles,
    bench_sessions,
    bench_tap,
    bench_tls,
)

LIMIT_S = 120

pytestmark = pytest.mark.long


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.bench", *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )


def test_a_tap_is_timed_from_the_reader_to_the_coil_with_the_share_of_each_part():
    figures = dict(bench_tap.run(taps=2))
    for kind in ("listed card:", "listed card, box", "card that"):
        shares_ms = [
            float(figure.split()[0])
            for label, figure in figures.items()
            if label.startswith(kind) and "of it" in label
        ]
        assert len(shares_ms) == 4
        assert min(shares_ms) > 0


def test_a_card_presented_over_http_is_timed_up_to_its_start_transaction():
    figures = dict(bench_present.run(cards=2))
    assert len(figures) == 3
    assert min(float(figure.split()[0]) for figure in figures.values()) > 0


def test_what_waited_is_delivered_and_set_against_the_bare_library():
    figures = dict(bench_delivery.run(messages=20))
    assert float(figures["replay"].split()[0]) > 0
    assert float(figures["replay, share of the bare library's rate"]) > 0
    assert float(figures["link up to 20 messages delivered"].split()[0]) < LIMIT_S


def test_the_page_is_loaded_watched_and_weighed():
    figures = dict(bench_page.run(watch_s=2, loads=2))
    assert 3 < float(figures["first load"].split()[0]) < 60
    parts = figures[f"parts sent to {bench_page.PAGES} open pages, all together"]
    assert float(parts.split()[0]) >= 5
    assert float(figures["resident memory after 10 open pages"].split()[0]) > 20


def test_the_schedule_of_a_day_with_twenty_profiles_is_timed():
    figures = dict(bench_profiles.run(rounds=10))
    assert len(figures) == 4
    assert all(float(figure.split()[0]) > 0 for figure in figures.values())


def test_security_profile_3_is_set_against_profile_2():
    figures = dict(bench_tls.run(rounds=5))
    assert len(figures) == 4
    assert all(float(figure.split()[0]) > 0 for figure in figures.values())


def test_the_charge_log_is_read_and_its_wear_is_weighed():
    figures = dict(bench_sessions.run(sessions=100, rounds=2, written=5))
    assert len(figures) == 5
    assert all(float(figure.split()[0]) > 0 for figure in figures.values())


def test_a_hundred_requests_in_a_second_are_answered_while_it_samples_and_pings():
    figures = dict(bench_load.run(rate=100, seconds=1))
    assert figures["requests of 20 kinds, 100 a second: answered"] == "100 of 100"
    for what in ("meter samples", "pings"):
        assert int(figures[f"{what}, one a second: missed"].split()[2]) >= 1


def test_the_table_begins_with_the_machine_and_has_a_line_for_each_figure():
    done = bench("--only", "reader")
    assert done.returncode == 0, done.stderr
    assert "cores" in done.stdout.splitlines()[0]
    assert "SPI transfers per poll of an empty field" in done.stdout


def test_a_bench_that_does_not_exist_is_named():
    done = bench("--only", "reader,rader")
    assert done.returncode == 1
    assert "rader" in done.stderr
    assert "imports" in done.stderr
