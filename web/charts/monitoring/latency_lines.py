"""Latency over time: mean time of the answers of each version."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from web.charts.theme import Option

HEIGHT_PIXELS = 280
MAX_LINES = 8


def latency_lines(lines: Mapping[str, Sequence[tuple[datetime, float]]]) -> Option:
    """Return a chart with a line per version.

    Args:
        lines: time and mean milliseconds by version, the busiest first. The first MAX_LINES are
            drawn.

    """
    return {
        "aria": {"enabled": True},
        "grid": {"left": 8, "right": 16, "top": 36, "bottom": 40, "containLabel": True},
        "legend": {
            "type": "scroll",
            "bottom": 0,
            "icon": "roundRect",
            "itemHeight": 4,
            "textStyle": {"width": 260, "overflow": "truncate"},
        },
        "tooltip": {"trigger": "axis", "confine": True, "valueFormatter": "%.1f ms"},
        "xAxis": {"type": "time", "axisLabel": {"hideOverlap": True}},
        "yAxis": {
            "type": "value",
            "name": "mean, ms",
            "nameTextStyle": {"align": "left"},
        },
        "series": [
            {
                "type": "line",
                "name": name,
                "animation": False,
                "showSymbol": len(points) == 1,
                "lineStyle": {"width": 2},
                "data": [[round(at.timestamp() * 1000), round(value, 2)] for at, value in points],
            }
            for name, points in list(lines.items())[:MAX_LINES]
        ],
    }
