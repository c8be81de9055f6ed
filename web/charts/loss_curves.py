"""Loss curve chart: one line per experiment over the training steps."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from web.charts.run_colors import RunStyle, run_styles
from web.charts.smoothing import smooth, to_relative_steps
from web.charts.theme import Option

# More lines are neither distinguishable nor fast in the browser.
MAX_CURVES = 50
# Runs record their loss at different steps. The tooltip lists all runs at one step, so missing
# values are interpolated. At most this many table cells are sent, about 1 MB.
MAX_CELLS = 100_000
# A loss above this multiple of the usual first loss means that the run diverged. An axis up to it
# would flatten all other lines, so it ends at a lower multiple and the line leaves the chart.
DIVERGED_FACTOR = 10
CEILING_FACTOR = 5
# Values that differ by more are easier to compare on a log axis.
DECADE = 10
SHOWN_DECIMALS = 6
RAW_OPACITY = 0.3
BASELINE_WIDTH = 5


def loss_curves(
    curves: pd.DataFrame,
    order: Sequence[str],
    *,
    log: bool,
    metric: str,
    dark: bool,
    labels: Mapping[str, str] | None = None,
    smoothing: float = 0.0,
    x: Literal["step", "relative"] = "step",
    baseline: str | None = None,
) -> Option:
    """Return a chart with one line per experiment.

    Args:
        curves: experiment, step, value in long form. Lines are straight between their own steps.
        order: experiments to draw, in the order of the legend. Those without a curve are skipped.
        log: whether the value axis is logarithmic. It cannot show points at or below 0.
        metric: title of the value axis.
        dark: whether the theme is dark.
        labels: text of each experiment in legend and tooltip, by default its name.
        smoothing: weight of smoothing.smooth, 0 to 0.99. Above 0 the raw line is faint behind.
        x: training steps, or percent of the run.
        baseline: experiment with a wide line.

    """
    usable = curves[curves["value"] > 0] if log else curves
    if x == "relative":
        usable = to_relative_steps(usable)
    present = set(usable["experiment"])
    drawn = [name for name in order if name in present][:MAX_CURVES]
    usable = usable[usable["experiment"].isin(drawn)]
    # Columns: the drawn values of each experiment, then with smoothing its raw values.
    wide = (
        smooth(usable, smoothing)
        .pivot_table(index="step", columns="experiment", values="value")
        .reindex(columns=pd.Index(drawn))
    )
    single = {name for name in drawn if wide[name].count() == 1}
    raw = usable.pivot_table(index="step", columns="experiment", values="value").reindex(
        columns=pd.Index(drawn)
    )
    wide = pd.concat([wide, raw], axis=1) if smoothing else wide
    # Columns have neutral names, so that no experiment collides with the step or a dimension index.
    columns = [f"c{number}" for number in range(len(wide.columns))]
    wide = (
        wide.set_axis(columns, axis=1)
        .interpolate("index", limit_area="inside")
        .round(SHOWN_DECIMALS)
    )
    rows = max(2, MAX_CELLS // max(1, len(columns)))
    if len(wide) > rows:
        wide = wide.iloc[np.unique(np.linspace(0, len(wide) - 1, rows).round().astype(int))]
    ceiling = axis_ceiling(usable)
    styles = run_styles(drawn, dark=dark)
    label_of = {name: (labels or {}).get(name, name) for name in drawn}
    table = wide.rename_axis(index="step").reset_index()
    return {
        "aria": {"enabled": True},
        "dataset": {"source": table},
        "grid": {"left": 8, "right": 16, "top": 36, "bottom": 64, "containLabel": True},
        "legend": {
            "type": "scroll",
            "bottom": 0,
            "icon": "roundRect",
            "itemHeight": 4,
            "data": list(label_of.values()),
            "textStyle": {"width": 260, "overflow": "truncate"},
        },
        "tooltip": {
            "trigger": "axis",
            "order": "valueAsc",
            "confine": True,
            "valueFormatter": "%.4f",
            "extraCssText": "max-height: 60vh; overflow: auto",
        },
        "toolbox": {
            "right": 8,
            # Streamlit's toolbar next to it has the data, the PNG and the full screen.
            "feature": {
                "dataZoom": {"yAxisIndex": "none", "title": {"zoom": "Zoom", "back": "Undo zoom"}}
            },
        },
        "xAxis": {
            "type": "value",
            "name": "step" if x == "step" else "% of the run",
            "nameLocation": "middle",
            "nameGap": 28,
            "min": "dataMin",
            "max": "dataMax",
            "splitLine": {"show": False},
            "axisPointer": {"label": {"precision": 0}},
        },
        "yAxis": {
            "type": "log" if log else "value",
            "name": f"{metric}, log" if log else metric,
            "nameTextStyle": {"align": "left"},
            "scale": True,
            **({} if ceiling is None else {"max": ceiling}),
        },
        "series": [
            {
                "type": "line",
                "name": label_of[name],
                "encode": {"x": "step", "y": column},
                "showSymbol": name in single,
                "connectNulls": True,
                "animation": False,
                "emphasis": {"focus": "series"},
                "itemStyle": {"color": styles[name].color},
                "lineStyle": {
                    "width": BASELINE_WIDTH if name == baseline else 2,
                    "color": styles[name].color,
                    "type": styles[name].dash,
                },
            }
            for name, column in zip(drawn, columns[: len(drawn)], strict=True)
        ]
        + [
            _raw_line(label_of[name], column, styles[name])
            for name, column in zip(drawn, columns[len(drawn) :], strict=bool(smoothing))
        ],
    }


def _raw_line(name: str, column: str, style: RunStyle) -> dict[str, Any]:
    """Return the faint raw line. It shares name and color of its smoothed line."""
    return {
        "type": "line",
        "name": name,
        "encode": {"x": "step", "y": column},
        "showSymbol": False,
        "connectNulls": True,
        "animation": False,
        "silent": True,
        "z": 1,
        "tooltip": {"show": False},
        "itemStyle": {"color": style.color},
        "lineStyle": {"width": 1, "color": style.color, "opacity": RAW_OPACITY},
    }


def spans_decade(curves: pd.DataFrame) -> bool:
    """Return whether the values are positive and differ by more than a factor of ten.

    Args:
        curves: as for loss_curves. Values above the ceiling do not count.

    """
    values = curves["value"].astype("float64")
    values = values[np.isfinite(values)]
    if values.empty or values.min() <= 0:
        return False
    ceiling = axis_ceiling(curves)
    highest = values.max() if ceiling is None else min(values.max(), ceiling)
    return bool(highest > DECADE * values.min())


def axis_ceiling(curves: pd.DataFrame) -> int | None:
    """Return the end of the value axis if a run diverged, else None.

    Args:
        curves: as for loss_curves.

    """
    beginning = curves.sort_values("step").groupby("experiment")["value"].first().median()
    has_diverged = curves["value"].max() > DIVERGED_FACTOR * beginning
    return math.ceil(CEILING_FACTOR * beginning) if has_diverged else None


def experiments_above(curves: pd.DataFrame, ceiling: int | None) -> list[str]:
    """Return the experiments whose lines leave the chart at the top."""
    if ceiling is None:
        return []
    return sorted(set(curves.loc[curves["value"] > ceiling, "experiment"]))
