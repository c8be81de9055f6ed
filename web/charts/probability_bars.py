"""Probability bar chart: the labels of one prediction, the best one highlighted."""

from collections.abc import Mapping

from web.charts.theme import Option


def probability_bars(probabilities: Mapping[str, float]) -> Option:
    """Return a chart with one bar per label. probabilities: label -> 0 to 1."""
    labels = sorted(probabilities)
    best = max(labels, key=lambda label: probabilities[label], default=None)
    return {
        "aria": {"enabled": True},
        "grid": {"left": 8, "right": 8, "top": 24, "bottom": 4, "containLabel": True},
        "tooltip": {"valueFormatter": "percent"},
        "xAxis": {
            "type": "category",
            "data": labels,
            "axisTick": {"show": False},
            "axisLabel": {"fontSize": 14},
        },
        "yAxis": {"type": "value", "min": 0, "max": 1, "show": False},
        "series": [
            {
                "type": "bar",
                "name": "probability",
                "barCategoryGap": "25%",
                "animationDuration": 200,
                "data": [
                    {
                        "value": round(probabilities[label], 4),
                        "itemStyle": {
                            "borderRadius": [3, 3, 0, 0],
                            "opacity": 1 if label == best else 0.45,
                        },
                        "label": {
                            "show": True,
                            "position": "top",
                            "formatter": f"{probabilities[label] * 100:.0f}",
                        },
                    }
                    for label in labels
                ],
            }
        ],
    }
