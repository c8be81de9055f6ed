"""Scatter plot: any column against any other, colored by a third one or by run."""

from typing import Any

import pandas as pd

from web.charts.axes import Axis, color_range, make_axes, make_axis, plottable, positions
from web.charts.run_colors import DASHES, PALETTE, SIZE, run_styles
from web.charts.theme import FAINT_LINE, HEAT, Option

DOT_PIXELS, BASELINE_PIXELS = 10, 20
# Symbols of runs with the same color, where curves have dashes
_SYMBOLS = dict(zip(DASHES, ("circle", "rect", "triangle"), strict=True))


def scatter(
    experiments: pd.DataFrame,
    x: str,
    y: str,
    *,
    color: str | None = None,
    baseline: str | None = None,
    dark: bool,
) -> Option:
    """Return a scatter plot with a dot per experiment that has all values.

    Args:
        experiments: experiment and the columns, at most MAX_EXPERIMENTS.
        x: column of the horizontal axis.
        y: column of the vertical axis.
        color: column of the color. By default each run has its own color.
        baseline: experiment with a large diamond.
        dark: whether the theme is dark.

    """
    rows = plottable(experiments, [x, y, *([] if color is None else [color])])
    x_axis, y_axis = make_axes(rows, [x, y], baseline)
    shade = None if color is None else make_axis(rows, color)
    shades = None if shade is None else positions(rows, shade)
    styles = run_styles(list(rows["experiment"]), dark=dark) if color is None else {}
    dots: list[dict[str, Any]] = []
    for number, (name, across, up) in enumerate(
        zip(rows["experiment"], positions(rows, x_axis), positions(rows, y_axis), strict=True)
    ):
        value = [across, up] if shades is None else [across, up, shades.iloc[number]]
        dot: dict[str, Any] = {"name": name, "value": value}
        if shade is None:
            dot["itemStyle"] = {"color": styles[name].color}
            dot["symbol"] = _SYMBOLS[styles[name].dash]
        elif shade.kind == "category":
            dot["itemStyle"] = {"color": PALETTE[dark][int(value[2]) * 3 % SIZE]}
        if name == baseline:
            dot |= {"symbol": "diamond", "symbolSize": BASELINE_PIXELS}
        dots.append(dot)
    return {
        "aria": {"enabled": True},
        "grid": {"left": 8, "right": 24, "top": 36, "bottom": 40, "containLabel": True},
        "tooltip": {"confine": True},
        "xAxis": {
            **x_axis.option,
            "nameLocation": "middle",
            "nameGap": 28,
            "splitLine": {"show": False},
        },
        "yAxis": {**y_axis.option, "nameTextStyle": {"align": "left"}},
        **_color_scale(shade, shades, dark=dark),
        "series": [
            {
                "type": "scatter",
                "symbolSize": DOT_PIXELS,
                "data": dots,
                "itemStyle": {"opacity": 0.8},
                "animation": False,
            }
        ],
    }


def _color_scale(shade: Axis | None, shades: "pd.Series[Any] | None", *, dark: bool) -> Option:
    """Return the color scale of a column of numbers, nothing for other colors."""
    if shade is None or shades is None or shade.kind == "category":
        return {}
    low, high = color_range(shades)
    return {
        "visualMap": {
            "type": "continuous",
            "orient": "horizontal",
            "right": 8,
            "top": 0,
            "itemHeight": 90,
            "dimension": 2,
            "min": low,
            "max": high,
            "text": [f"{high:.4g}", f"{shade.title} {low:.4g}"],
            "inRange": {"color": [FAINT_LINE[dark], HEAT[dark][1]]},
        }
    }
