"""Sparkline of the leaderboard: the loss curve in a table cell.

Postgres reduces a curve to leaderboard_queries.SPARKLINE_POINTS values. Streamlit draws them, see
views/leaderboard/column_config.py.
"""

from collections.abc import Sequence

from web.data.leaderboard.columns import MAX_DISPLAY_VALUE

WIDTH_PIXELS = 110


def clamp_values(curve: Sequence[float]) -> list[float]:
    """Return the values of a curve, limited to what a table can display."""
    return [min(value, MAX_DISPLAY_VALUE) for value in curve]
