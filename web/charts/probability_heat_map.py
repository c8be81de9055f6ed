"""Probability heat map: experiments by labels for one image."""

from collections.abc import Mapping

from web.charts.theme import (
    CELL_TEXT,
    PHONE_PIXELS,
    STRONG_ABOVE,
    Option,
    cell_style,
    hidden_color_scale,
)

# A smaller value would be written as 0. Its cell stays blank to make the others stand out.
SHOWN_FROM = 0.005


def probability_heat_map(
    probabilities: Mapping[str, Mapping[str, float]], short: Mapping[str, str], *, dark: bool
) -> Option:
    """Return a heat map with one row per experiment and one column per label.

    Args:
        probabilities: experiment -> label -> probability (0 to 1). The first experiment is on top.
        short: short name of each experiment, for phones.
        dark: whether the theme is dark.

    """
    labels = sorted({label for row in probabilities.values() for label in row})
    experiments = list(probabilities)
    faint, strong = CELL_TEXT[dark]
    cells = [
        {
            "value": [labels.index(label), row, round(value, 4)],
            "label": {
                "show": value >= SHOWN_FROM,
                "formatter": f"{value * 100:.0f}",
                "color": strong if value > STRONG_ABOVE else faint,
            },
        }
        for row, experiment in enumerate(experiments)
        for label, value in probabilities[experiment].items()
    ]
    return {
        "aria": {"enabled": True},
        "grid": {"left": 8, "right": 8, "top": 28, "bottom": 8, "containLabel": True},
        "tooltip": {"confine": True},
        "xAxis": {
            "type": "category",
            "data": labels,
            "position": "top",
            "axisTick": {"show": False},
            "axisLine": {"show": False},
            "axisLabel": {"fontSize": 14},
        },
        "yAxis": {
            "type": "category",
            "data": experiments,
            "inverse": True,
            "axisTick": {"show": False},
            "axisLine": {"show": False},
            "axisLabel": {"width": 260, "overflow": "truncate"},
        },
        "visualMap": hidden_color_scale(dark=dark),
        "series": [
            {
                "type": "heatmap",
                "name": "probability",
                "data": cells,
                "itemStyle": cell_style(dark=dark),
                "animation": False,
            }
        ],
        # On a phone full names leave no room for the cells.
        "media": [
            {"query": {"minWidth": PHONE_PIXELS + 1}, "option": {"yAxis": {"data": experiments}}},
            {
                "query": {"maxWidth": PHONE_PIXELS},
                "option": {
                    "yAxis": {
                        "data": [short[name] for name in experiments],
                        "axisLabel": {"width": 110},
                    }
                },
            },
        ],
    }


def height_pixels(experiments: int) -> int:
    """Return the height of the heat map: labels on top, then one row per experiment."""
    return 44 + 30 * experiments
