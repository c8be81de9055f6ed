"""Parallel coordinates: learning rate, momentum, best loss and accuracy of each experiment."""

import pandas as pd

from web.charts.hyperparameters import AXES, LOG_AXES, plottable
from web.charts.theme import FAINT_LINE, HEAT, PHONE_PIXELS, Option

COLUMNS = tuple(AXES)
LOSS_DECIMALS = 6


def parallel_coordinates(experiments: pd.DataFrame, *, dark: bool) -> Option:
    """Return one line per experiment, stronger for a higher accuracy.

    Args:
        experiments: experiment and the columns of AXES, at most MAX_EXPERIMENTS. One that lacks a
            number is left out.
        dark: whether the theme is dark.

    """
    rows = plottable(experiments, COLUMNS).sort_values("test_accuracy")
    rows = rows.assign(
        test_accuracy=(rows["test_accuracy"] * 100).round(2),
        best_loss=rows["best_loss"].round(LOSS_DECIMALS),
    )
    accuracies = rows["test_accuracy"]
    axes = [
        {
            "dim": number,
            "name": name,
            "type": "log" if column in LOG_AXES else "value",
            "scale": True,
        }
        for number, (column, name) in enumerate(AXES.items())
    ]
    data = [
        {"name": name, "value": values}
        for name, values in zip(
            rows["experiment"], rows[list(AXES)].to_numpy().tolist(), strict=True
        )
    ]
    return {
        "aria": {"enabled": True},
        "parallel": {"left": 48, "right": 56, "top": 44, "bottom": 24},
        "parallelAxis": axes,
        "tooltip": {"confine": True},
        "visualMap": {
            "show": False,
            "dimension": len(AXES) - 1,
            "min": float(accuracies.min()) if len(rows) else 0,
            "max": float(accuracies.max()) if len(rows) else 1,
            "inRange": {"color": [FAINT_LINE[dark], HEAT[dark][1]]},
        },
        "series": [
            {
                "type": "parallel",
                "data": data,
                "lineStyle": {"width": 2, "opacity": 0.6},
                "smooth": 0.2,
                "animation": False,
            }
        ],
        # On a phone the axis titles would overlap.
        "media": [
            {"query": {"minWidth": PHONE_PIXELS + 1}, "option": {"parallelAxis": axes}},
            {
                "query": {"maxWidth": PHONE_PIXELS},
                "option": {
                    "parallelAxis": [
                        {**axis, "nameTextStyle": {"width": 64, "overflow": "break"}}
                        for axis in axes
                    ]
                },
            },
        ],
    }
