"""Reliability diagram: accuracy by confidence, next to perfect calibration."""

import pandas as pd

from web.charts.theme import Option

PERFECT = "Perfect calibration"


def reliability_diagram(bins: pd.DataFrame) -> Option:
    """Return a chart with a bar per calibration bin that has images, and the diagonal.

    Args:
        bins: see web.evaluations.tables.calibration_table.

    """
    labels = [f"{low:.2f}-{high:.2f}" for low, high in zip(bins["low"], bins["high"], strict=True)]
    table = pd.DataFrame(
        {
            "confidence": labels,
            "accuracy": bins["accuracy"].round(4),
            PERFECT: ((bins["low"] + bins["high"]) / 2).round(4),
            "images": bins["images"],
        }
    )
    return {
        "aria": {"enabled": True},
        "dataset": {"source": table},
        "grid": {"left": 8, "right": 12, "top": 36, "bottom": 56, "containLabel": True},
        "legend": {"bottom": 0, "itemHeight": 8},
        "tooltip": {"trigger": "axis", "confine": True, "valueFormatter": "%.3f"},
        "xAxis": {
            "type": "category",
            "name": "confidence",
            "nameLocation": "middle",
            "nameGap": 28,
            "axisTick": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "min": 0,
            "max": 1,
            "name": "accuracy",
            "nameTextStyle": {"align": "left"},
        },
        "series": [
            {
                "type": "bar",
                "name": "accuracy",
                "encode": {"x": "confidence", "y": "accuracy"},
                "barCategoryGap": "10%",
                "animation": False,
                "itemStyle": {"borderRadius": [3, 3, 0, 0]},
            },
            {
                "type": "line",
                "name": PERFECT,
                "encode": {"x": "confidence", "y": PERFECT},
                "showSymbol": False,
                "animation": False,
                "lineStyle": {"type": "dashed", "width": 2},
            },
        ],
    }
