"""Sparkline of the leaderboard."""

from web.charts.sparkline import clamp_values
from web.data.leaderboard.columns import MAX_DISPLAY_VALUE


def test_sparkline_value_is_limited_to_what_a_table_displays() -> None:
    assert clamp_values([0.1, 2e36]) == [0.1, MAX_DISPLAY_VALUE]
