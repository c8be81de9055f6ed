"""Gain interval: the gain of a candidate with its lower 95 % bound, zero and the allowed loss."""

from web.charts.theme import FAINT_LINE, Option

HEIGHT_PIXELS = 120
# Space on both sides of the values: a share of their range, at least this many points
PAD_SHARE, MIN_PAD_POINTS = 0.15, 0.05

# Share of the range that the labels of two lines need between them
LABELS_APART = 0.12


def gain_interval(gain: float, lower: float, margin: float | None, *, dark: bool) -> Option:
    """Return a chart of one row: a dot at the gain, and a bar from its lower bound.

    Args:
        gain: in percentage points.
        lower: lower 95 % bound of the gain, in points.
        margin: loss in points that still counts as not worse, None without one.
        dark: whether the theme is dark.

    """
    lines: list[Option] = [{"xAxis": 0, "label": {"formatter": "equal"}}]
    values = [gain, lower, 0.0]
    if margin is not None:
        values.append(-margin)
        is_apart = margin >= (max(values) - min(values)) * LABELS_APART
        lines.append({"xAxis": -margin, "label": {"show": is_apart, "formatter": "limit"}})
    pad = max(MIN_PAD_POINTS, (max(values) - min(values)) * PAD_SHARE)
    return {
        "aria": {"enabled": True},
        "grid": {"left": 12, "right": 12, "top": 26, "bottom": 30, "containLabel": True},
        "tooltip": {"trigger": "item", "confine": True, "valueFormatter": "%+.2f"},
        "xAxis": {
            "type": "value",
            "name": "gain, points",
            "nameLocation": "middle",
            "nameGap": 24,
            "min": round(min(values) - pad, 3),
            "max": round(max(values) + pad, 3),
            "axisLabel": {"showMinLabel": False, "showMaxLabel": False, "hideOverlap": True},
            "splitLine": {"show": False},
        },
        "yAxis": {"type": "value", "show": False, "min": -1, "max": 1},
        "series": [
            {
                "type": "line",
                "name": "at least",
                "data": [[lower, 0], [gain, 0]],
                "showSymbol": False,
                "animation": False,
                "silent": True,
                "lineStyle": {"width": 6, "opacity": 0.45, "cap": "round"},
                "markLine": {
                    "silent": True,
                    "symbol": "none",
                    "animation": False,
                    "lineStyle": {"type": "dashed", "color": FAINT_LINE[not dark], "width": 1.5},
                    "label": {"position": "end", "distance": 4, "overflow": "none"},
                    "data": lines,
                },
            },
            {
                "type": "scatter",
                "name": "gain",
                "animation": False,
                "data": [[gain, 0]],
                "symbolSize": 15,
            },
        ],
    }
