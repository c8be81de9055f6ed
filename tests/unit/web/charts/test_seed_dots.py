"""Seed dots."""

import pytest

from web.charts.seed_dots import SeedDot, seed_dots, seed_spread

DOTS = [SeedDot("seed 1", 0.98, is_chosen=False), SeedDot("seed 2", 0.99, is_chosen=True)]


def test_spread_is_mean_and_sample_deviation() -> None:
    assert seed_spread(DOTS) == pytest.approx((0.985, 0.00707), abs=1e-4)


def test_single_dot_has_no_spread() -> None:
    assert seed_spread(DOTS[:1]) == (0.98, None)
    series = seed_dots(DOTS[:1], dark=False, accent="red")["series"][0]
    assert series["markArea"]["data"] == series["markLine"]["data"] == []


def test_axis_ends_at_100_percent() -> None:
    dots = [SeedDot("seed 1", 1.0, is_chosen=True)]
    assert seed_dots(dots, dark=False, accent="red")["yAxis"]["max"] == pytest.approx(100.02)


def test_chosen_dot_is_marked() -> None:
    data = seed_dots(DOTS, dark=False, accent="red")["series"][0]["data"]
    assert [dot["label"]["show"] for dot in data] == [False, True]
    assert [dot["symbol"] for dot in data] == ["circle", "diamond"]


@pytest.mark.parametrize("dots", [DOTS, DOTS[:1]])
def test_axis_holds_every_dot(dots: list[SeedDot]) -> None:
    axis = seed_dots(dots, dark=True, accent="red")["yAxis"]
    assert all(axis["min"] < dot.accuracy * 100 < axis["max"] for dot in dots)
