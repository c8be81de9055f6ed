"""Parallel coordinates: any columns of each experiment, colored by one of them or another."""

from collections.abc import Sequence

import pandas as pd

from web.charts.axes import color_range, is_above_start, make_axes, make_axis, plottable, positions
from web.charts.run_colors import run_styles
from web.charts.theme import FAINT_LINE, HEAT, PHONE_PIXELS, Option

LINE_WIDTH, BASELINE_WIDTH = 2, 6


def parallel_coordinates(
    experiments: pd.DataFrame,
    columns: Sequence[str],
    *,
    color: str | None,
    baseline: str | None = None,
    dark: bool,
) -> Option:
    """Return one line per experiment that has all values.

    An accuracy axis starts at the data, as in a scatter plot: lines of experiments below are left
    out, see axes.is_above_start.

    Args:
        experiments: experiment and the columns, at most MAX_EXPERIMENTS.
        columns: columns of the axes.
        color: column of the color, stronger for a higher value. None for the colors of the runs.
        baseline: experiment with a wide line.
        dark: whether the theme is dark.

    """
    rows = plottable(experiments, [*columns, *([] if color is None else [color])])
    if color is not None:
        rows = rows.assign(**{"": positions(rows, make_axis(rows, color))}).sort_values("")
    axes = make_axes(rows, columns, baseline)
    rows = rows[is_above_start(rows, axes)]
    options = [{"dim": number, **axis.option} for number, axis in enumerate(axes)]
    styles = run_styles(list(rows["experiment"]), dark=dark)
    table = pd.DataFrame({number: positions(rows, axis) for number, axis in enumerate(axes)})
    if color is not None:
        table[len(axes)] = rows[""]
    low, high = color_range(table[len(axes)] if color is not None else pd.Series(dtype="float64"))
    data = [
        {
            "name": name,
            "value": values,
            "lineStyle": {
                "width": BASELINE_WIDTH if name == baseline else LINE_WIDTH,
                **(
                    {}
                    if color is not None
                    else {"color": styles[name].color, "type": styles[name].dash}
                ),
            },
        }
        for name, values in zip(rows["experiment"], table.to_numpy().tolist(), strict=True)
    ]
    scale: Option = {
        "visualMap": {
            "show": False,
            "dimension": len(axes),
            "min": low,
            "max": high,
            "inRange": {"color": [FAINT_LINE[dark], HEAT[dark][1]]},
        }
    }
    return {
        "aria": {"enabled": True},
        "parallel": {"left": 48, "right": 56, "top": 44, "bottom": 24},
        "parallelAxis": options,
        "tooltip": {"confine": True},
        **({} if color is None else scale),
        "series": [
            {
                "type": "parallel",
                "data": data,
                "lineStyle": {"width": LINE_WIDTH, "opacity": 0.6},
                "smooth": 0.2,
                "animation": False,
            }
        ],
        # On a phone the axis titles would overlap.
        "media": [
            {"query": {"minWidth": PHONE_PIXELS + 1}, "option": {"parallelAxis": options}},
            {
                "query": {"maxWidth": PHONE_PIXELS},
                "option": {
                    "parallelAxis": [
                        {**option, "nameTextStyle": {"width": 64, "overflow": "break"}}
                        for option in options
                    ]
                },
            },
        ],
    }
