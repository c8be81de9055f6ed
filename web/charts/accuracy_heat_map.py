"""Accuracy heat map: the best accuracy by learning rate and momentum."""

from typing import Any

import pandas as pd

from web.charts.hyperparameters import plottable
from web.charts.theme import CELL_TEXT, STRONG_ABOVE, Option, cell_style, hidden_color_scale

COLUMNS = ("learning_rate", "momentum", "test_accuracy")
# A cell stands for many experiments, so it accepts more of them than the other charts.
MAX_EXPERIMENTS = 10_000
# Up to this many values get a row or column each. More are rounded to one significant digit.
MAX_TICKS = 20


def accuracy_heat_map(experiments: pd.DataFrame, *, dark: bool) -> Option:
    """Return a heat map of learning rate and momentum.

    Each cell has the best accuracy of its experiments in percent.

    Args:
        experiments: learning_rate, momentum and test_accuracy (0 to 1), at most MAX_EXPERIMENTS.
        dark: whether the theme is dark.

    """
    rows = plottable(experiments, COLUMNS)
    rows = rows.assign(
        learning_rate=_round_if_many(rows["learning_rate"]),
        momentum=_round_if_many(rows["momentum"]),
    )
    best = (rows.groupby(["learning_rate", "momentum"])["test_accuracy"].max() * 100).round(2)
    rates, momenta = (sorted(set(rows[column])) for column in ("learning_rate", "momentum"))
    lowest, highest = (float(best.min()), float(best.max())) if len(best) else (0.0, 100.0)
    faint, strong = CELL_TEXT[dark]
    strong_above = lowest + STRONG_ABOVE * (highest - lowest)
    best_of = best.reset_index().to_numpy(dtype="float64").tolist()
    cells = [
        {
            "value": [rates.index(rate), momenta.index(momentum), accuracy],
            "label": {
                "show": True,
                "formatter": f"{accuracy:.1f}",
                "color": strong if accuracy > strong_above else faint,
            },
        }
        for rate, momentum, accuracy in best_of
    ]
    return {
        "aria": {"enabled": True},
        "grid": {"left": 8, "right": 8, "top": 36, "bottom": 32, "containLabel": True},
        "tooltip": {"confine": True},
        "xAxis": {
            "type": "category",
            "data": [f"{rate:g}" for rate in rates],
            "name": "learning rate",
            "nameLocation": "middle",
            "nameGap": 28,
        },
        "yAxis": {
            "type": "category",
            "data": [f"{momentum:g}" for momentum in momenta],
            "name": "momentum",
            "nameTextStyle": {"align": "left"},
        },
        "visualMap": hidden_color_scale(dark=dark, low=lowest, high=highest),
        "series": [
            {
                "type": "heatmap",
                "name": "best accuracy, %",
                "data": cells,
                "itemStyle": cell_style(dark=dark),
                "animation": False,
            }
        ],
    }


def _round_if_many(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Round to one significant digit if there are more than MAX_TICKS different values."""
    if values.nunique() <= MAX_TICKS:
        return values
    return values.map(lambda value: float(f"{value:.1g}"))
