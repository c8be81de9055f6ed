"""Data -> option objects of Apache ECharts. Pure: neither Streamlit nor a source is known here.

Names of experiments are data: they appear only as plain strings (series names, axis labels), never
in a template.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from web.tables.comparison import relative, smooth

Option = dict[str, Any]

# The themes' palette has this many colours; beyond it the line's dash tells series of one colour
# apart.
PALETTE_SIZE = 10
DASHES = ("solid", "dashed", "dotted")
# More lines than this nobody tells apart, and the browser feels them.
MAX_CURVES = 50

# Runs record their loss at steps of their own. Where one has none, its line is straight, and the
# hover over all runs can only name what stands there: so that is written out, at as many of the
# steps as make this many cells, some 1 MB for the browser.
MAX_CELLS = 100_000
# A loss of so many times what runs usually begin with says only that the run diverged. An axis that
# reached up to it would press all others flat, so it ends at a few times that beginning, and the
# line leaves the chart at the top.
DIVERGED_FACTOR = 10
CEILING_FACTOR = 5
SHOWN_DECIMALS = 6
RAW_OPACITY = 0.3

# The accent of the themes in .streamlit/config.toml: from the surface to the accent.
# What would be written as 0 is left blank, so that the eye finds the rest.
SHOWN_FROM = 0.005
# From this probability on a cell is so strong that its number needs the other colour.
STRONG_ABOVE = 0.65
SURFACE = {False: "#ffffff", True: "#10191b"}
HEAT = {False: ("#eef5f5", "#0b7a75"), True: ("#1d2b2e", "#4fd1c5")}
CELL_TEXT = {False: ("#243b3d", "#ffffff"), True: ("#c9dcdc", "#06201f")}
_FAINT_LINE = {False: "#c9d6d6", True: "#37474b"}


def loss_curves(
    curves: pd.DataFrame,
    order: Sequence[str],
    *,
    log: bool,
    metric: str,
    smoothing: float = 0.0,
    x: Literal["step", "relative"] = "step",
) -> Option:
    """One line per experiment over the training steps.

    Args:
        curves: experiment, step, value in long form. Between its own steps a line is straight.
        order: the experiments to draw, in the order of their colours; those without a curve are
        left out.
        log: a logarithmic axis; points that are not above 0 are left out then, as it cannot show
        them.
        metric: the name of the y axis.
        smoothing: the weight of comparison.smooth, 0 to 0.99. Above 0 the raw line stands faintly
        behind the smoothed one.
        x: the steps as they are, or in percent of each run's own.

    """
    usable = curves[curves["value"] > 0] if log else curves
    if x == "relative":
        usable = relative(usable)
    present = set(usable["experiment"])
    drawn = [name for name in order if name in present][:MAX_CURVES]
    usable = usable[usable["experiment"].isin(drawn)]
    # The columns of the table: drawn first, and with smoothing the raw values of each behind them.
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
    # Columns are numbered, so that no name can collide with the step or be taken for a dimension's
    # index.
    columns = [f"c{number}" for number in range(len(wide.columns))]
    wide = (
        wide.set_axis(columns, axis=1)
        .interpolate("index", limit_area="inside")
        .round(SHOWN_DECIMALS)
    )
    rows = max(2, MAX_CELLS // max(1, len(columns)))
    if len(wide) > rows:
        wide = wide.iloc[np.unique(np.linspace(0, len(wide) - 1, rows).round().astype(int))]
    ceiling = find_ceiling(usable)
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
            "data": drawn,
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
            # Streamlit's own toolbar, beside it, has the data, the PNG and full screen.
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
                "name": name,
                "encode": {"x": "step", "y": column},
                "showSymbol": name in single,
                "connectNulls": True,
                "animation": False,
                "emphasis": {"focus": "series"},
                "lineStyle": {"width": 2, "type": DASHES[number // PALETTE_SIZE % len(DASHES)]},
            }
            for number, (name, column) in enumerate(zip(drawn, columns[: len(drawn)], strict=True))
        ]
        + [
            _raw_line(name, column)
            for name, column in zip(drawn, columns[len(drawn) :], strict=bool(smoothing))
        ],
    }


def _raw_line(name: str, column: str) -> dict[str, Any]:
    """What was smoothed, faintly.

    Its name is that of its smoothed line: so it has that colour and goes with it.
    """
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
        "lineStyle": {"width": 1, "opacity": RAW_OPACITY},
    }


def find_ceiling(curves: pd.DataFrame) -> int | None:
    """Return where the axis must end because a run diverged, None when none did.

    `curves` as for loss_curves.
    """
    beginning = curves.sort_values("step").groupby("experiment")["value"].first().median()
    diverged = curves["value"].max() > DIVERGED_FACTOR * beginning
    return math.ceil(CEILING_FACTOR * beginning) if diverged else None


def beyond(curves: pd.DataFrame, ceiling: int | None) -> list[str]:
    """Return the experiments whose lines leave the chart at the top."""
    return (
        [] if ceiling is None else sorted(set(curves.loc[curves["value"] > ceiling, "experiment"]))
    )


def probability_bars(probabilities: Mapping[str, float]) -> Option:
    """One bar per label with its probability of 0..1, the highest one in the accent colour."""
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
                            "formatter": _whole_percent(probabilities[label]),
                        },
                    }
                    for label in labels
                ],
            }
        ],
    }


def probability_heat_map(answers: Mapping[str, Mapping[str, float]], *, dark: bool) -> Option:
    """Experiments x labels, a cell as strong as the probability (0..1) that the experiment gives to
    the label.

    Args:
        answers: experiment -> label -> probability; the first experiment is drawn on top.
        dark: for the dark theme.

    """
    labels = sorted({label for probabilities in answers.values() for label in probabilities})
    experiments = list(answers)
    faint, strong = CELL_TEXT[dark]
    cells = [
        {
            "value": [labels.index(label), row, round(value, 4)],
            "label": {
                "show": value >= SHOWN_FROM,
                "formatter": _whole_percent(value),
                "color": strong if value > STRONG_ABOVE else faint,
            },
        }
        for row, experiment in enumerate(experiments)
        for label, value in answers[experiment].items()
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
        "visualMap": {
            "show": False,
            "min": 0,
            "max": 1,
            "dimension": 2,
            "inRange": {"color": list(HEAT[dark])},
        },
        "series": [
            {
                "type": "heatmap",
                "name": "probability",
                "data": cells,
                "itemStyle": {"borderColor": SURFACE[dark], "borderWidth": 3, "borderRadius": 6},
                "animation": False,
            }
        ],
        # On a phone whole names would leave no room for the cells.
        "media": [
            {"query": {"minWidth": 521}, "option": {"yAxis": {"data": experiments}}},
            {
                "query": {"maxWidth": 520},
                "option": {
                    "yAxis": {
                        "data": without_common_start(experiments),
                        "axisLabel": {"width": 110},
                    }
                },
            },
        ],
    }


def without_common_start(names: Sequence[str]) -> list[str]:
    """Drop the start that all names share, up to its last separator.

    Run_3_big, run_4_big -> 3_big, 4_big.
    """
    cut = 0
    if len(set(names)) > 1:
        # The first and the last in order share what all share.
        for position, (one, other) in enumerate(zip(min(names), max(names), strict=False)):
            if one != other:
                break
            if one in "_-./ ":
                cut = position + 1
    return [name[cut:] for name in names]


def heat_map_height_pixels(experiments: int) -> int:
    """Room for the labels on top and a row per experiment."""
    return 44 + 30 * experiments


def _whole_percent(share: float) -> str:
    """0.987 -> 99: what fits into a cell. The exact value is in the table."""
    return f"{share * 100:.0f}"


# The leaderboard's other views. More dots or lines than this nobody tells apart either.
MAX_EXPERIMENTS = 1000
# The heat map has a cell for many of them.
MAX_COUNTED = 10_000
# So many learning rates or momenta have a row or column of the heat map each; more are rounded to
# one significant digit.
MAX_TICKS = 20
AXES = {
    "learning_rate": "learning rate",
    "momentum": "momentum",
    "best_loss": "best loss",
    "test_accuracy": "accuracy, %",
}
_ON_LOG_AXIS = ("learning_rate", "best_loss")


def scatter(experiments: pd.DataFrame) -> Option:
    """Learning rate against accuracy, a dot for each experiment that has both.

    Args:
        experiments: experiment, learning_rate and test_accuracy (0..1), at most MAX_EXPERIMENTS.

    """
    rows = complete(experiments, ("learning_rate", "test_accuracy"))
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


def parallel_coordinates(experiments: pd.DataFrame, *, dark: bool) -> Option:
    """One line per experiment across learning rate, momentum, best loss and accuracy, the stronger
    the more accurate.

    Args:
        experiments: experiment and these columns, at most MAX_EXPERIMENTS; one that lacks any is
        left out.
        dark: for the dark theme.

    """
    rows = complete(experiments, tuple(AXES)).sort_values("test_accuracy")
    rows = rows.assign(
        test_accuracy=(rows["test_accuracy"] * 100).round(2),
        best_loss=rows["best_loss"].round(SHOWN_DECIMALS),
    )
    accuracies = rows["test_accuracy"]
    axes = [
        {
            "dim": number,
            "name": name,
            "type": "log" if column in _ON_LOG_AXIS else "value",
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
            "inRange": {"color": [_FAINT_LINE[dark], HEAT[dark][1]]},
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
        # On a phone the names of the axes would lie over each other.
        "media": [
            {"query": {"minWidth": 521}, "option": {"parallelAxis": axes}},
            {
                "query": {"maxWidth": 520},
                "option": {
                    "parallelAxis": [
                        {**axis, "nameTextStyle": {"width": 64, "overflow": "break"}}
                        for axis in axes
                    ]
                },
            },
        ],
    }


def best_accuracy_heat_map(experiments: pd.DataFrame, *, dark: bool) -> Option:
    """Learning rate x momentum, each cell with the best accuracy of its experiments in percent.

    Args:
        experiments: learning_rate, momentum and test_accuracy (0..1), at most MAX_COUNTED.
        dark: for the dark theme.

    """
    rows = complete(experiments, ("learning_rate", "momentum", "test_accuracy"))
    rows = rows.assign(learning_rate=_few(rows["learning_rate"]), momentum=_few(rows["momentum"]))
    best = (rows.groupby(["learning_rate", "momentum"])["test_accuracy"].max() * 100).round(2)
    rates, momenta = (sorted(set(rows[column])) for column in ("learning_rate", "momentum"))
    lowest, highest = (float(best.min()), float(best.max())) if len(best) else (0.0, 100.0)
    faint, strong = CELL_TEXT[dark]
    middle = lowest + STRONG_ABOVE * (highest - lowest)
    spots = best.reset_index().to_numpy(dtype="float64").tolist()
    cells = [
        {
            "value": [rates.index(rate), momenta.index(momentum), accuracy],
            "label": {
                "show": True,
                "formatter": f"{accuracy:.1f}",
                "color": strong if accuracy > middle else faint,
            },
        }
        for rate, momentum, accuracy in spots
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
        "visualMap": {
            "show": False,
            "min": lowest,
            "max": highest,
            "dimension": 2,
            "inRange": {"color": list(HEAT[dark])},
        },
        "series": [
            {
                "type": "heatmap",
                "name": "best accuracy, %",
                "data": cells,
                "itemStyle": {"borderColor": SURFACE[dark], "borderWidth": 3, "borderRadius": 6},
                "animation": False,
            }
        ],
    }


def complete(experiments: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the experiments that have a number in each of these columns, and one above 0 where the
    axis is logarithmic.
    """
    rows = experiments.dropna(subset=list(columns))
    for column in set(columns).intersection(_ON_LOG_AXIS):
        rows = rows[rows[column] > 0]
    return rows


def _few(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Round to one significant digit where there are more than MAX_TICKS different values."""
    return (
        values if values.nunique() <= MAX_TICKS else values.map(lambda value: float(f"{value:.1g}"))
    )
