"""Scatter plot: learning rate against accuracy."""

import pandas as pd

from web.charts.hyperparameters import plottable
from web.charts.theme import Option

COLUMNS = ("learning_rate", "test_accuracy")


def scatter(experiments: pd.DataFrame) -> Option:
    """Return a scatter plot with a dot per experiment that has both numbers.

    Args:
        experiments: experiment, learning_rate and test_accuracy (0 to 1), at most MAX_EXPERIMENTS.

    """
    rows = plottable(experiments, COLUMNS)
    data = [
        {"name": name, "value": [rate, round(accuracy * 100, 2)]}
        for name, rate, accuracy in zip(
            rows["experiment"], rows["learning_rate"], rows["test_accuracy"], strict=True
        )
    ]
    return {
        "aria": {"enabled": True},
        "grid": {"left": 8, "right": 24, "top": 36, "bottom": 32, "containLabel": True},
        "tooltip": {"confine": True},
        "xAxis": {
            "type": "log",
            "name": "learning rate",
            "nameLocation": "middle",
            "nameGap": 28,
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "name": "accuracy, %",
            "nameTextStyle": {"align": "left"},
            "scale": True,
        },
        "series": [
            {
                "type": "scatter",
                "symbolSize": 10,
                "data": data,
                "itemStyle": {"opacity": 0.7},
                "animation": False,
            }
        ],
    }
