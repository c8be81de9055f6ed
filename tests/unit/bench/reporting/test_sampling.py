"""Sampling: reduction of samples to one value."""

from __future__ import annotations

from bench.reporting import sampling


def test_ratio_ignores_disturbances_of_both_sides() -> None:
    assert sampling.ratio([100, 10, 100], [200, 20, 200]) == 0.5
