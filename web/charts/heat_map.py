"""Heat map: the best value of a result by two parameters."""

from typing import Any

import pandas as pd

from web.charts.axes import Axis, color_range, make_axis, plottable, positions
from web.charts.theme import CELL_TEXT, STRONG_ABOVE, Option, cell_style, hidden_color_scale
from web.data.leaderboard.columns import is_lower_better

# A cell stands for many experiments, so it accepts more of them than the other charts.
MAX_EXPERIMENTS = 10_000
# Up to this many values get a row or column each. More are rounded to one significant digit.
MAX_TICKS = 20
BASELINE_BORDER = 4


def heat_map(
    experiments: pd.DataFrame,
    x: str,
    y: str,
    result: str,
    *,
    baseline: str | None = None,
    dark: bool,
) -> Option:
    """Return a heat map whose cells have the best result of their experiments.

    The lowest value of a loss is the best one, else the highest.

    Args:
        experiments: the columns, at most MAX_EXPERIMENTS. Rows whose result is a text are left out.
        x: column of the horizontal axis.
        y: column of the vertical axis.
        result: column of the cells.
        baseline: experiment whose cell has a wide border.
        dark: whether the theme is dark.

    """
    rows = experiments.assign(**{result: pd.to_numeric(experiments[result], errors="coerce")})
    rows = plottable(rows, [x, y, result])
    (across, x_words), (up, y_words) = _cells(rows, x), _cells(rows, y)
    axis = Axis(result, "value")
    grouped = positions(rows, axis).groupby([across.to_numpy(), up.to_numpy()])
    best = grouped.min() if is_lower_better(result) else grouped.max()
    lowest, highest = color_range(best)
    faint, strong = CELL_TEXT[dark]
    strong_above = lowest + STRONG_ABOVE * (highest - lowest)
    is_pinned = (rows["experiment"] == baseline).to_numpy()
    pinned = set(zip(across.to_numpy()[is_pinned], up.to_numpy()[is_pinned], strict=True))
    border = {"borderColor": faint, "borderWidth": BASELINE_BORDER}
    cells = [
        {
            "value": [int(column), int(row), value],
            "label": {
                "show": True,
                "formatter": f"{value:.4g}",
                "color": strong if value > strong_above else faint,
            },
            **({"itemStyle": border} if (column, row) in pinned else {}),
        }
        for column, row, value in best.reset_index().to_numpy(dtype="float64").tolist()
    ]
    return {
        "aria": {"enabled": True},
        "grid": {"left": 8, "right": 8, "top": 36, "bottom": 32, "containLabel": True},
        "tooltip": {"confine": True},
        "xAxis": {
            "type": "category",
            "data": x_words,
            "name": make_axis(rows, x).title,
            "nameLocation": "middle",
            "nameGap": 28,
        },
        "yAxis": {
            "type": "category",
            "data": y_words,
            "name": make_axis(rows, y).title,
            "nameTextStyle": {"align": "left"},
        },
        "visualMap": hidden_color_scale(dark=dark, low=lowest, high=highest),
        "series": [
            {
                "type": "heatmap",
                "name": f"best {axis.title}",
                "data": cells,
                "itemStyle": cell_style(dark=dark),
                "animation": False,
            }
        ],
    }


def _cells(rows: pd.DataFrame, column: str) -> tuple["pd.Series[Any]", list[str]]:
    """Return the number of each row's cell along an axis, and the texts of the cells."""
    axis = make_axis(rows, column)
    values = positions(rows, axis)
    if axis.kind == "category":
        return values, list(axis.words)
    if values.nunique() > MAX_TICKS:
        values = values.map(lambda value: float(f"{value:.1g}"))
    ticks = sorted(set(values))
    return values.map({value: number for number, value in enumerate(ticks)}), [
        f"{tick:g}" for tick in ticks
    ]
