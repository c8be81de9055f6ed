"""Confusion matrix as a heat map: true labels by predicted labels."""

from collections.abc import Sequence

import numpy as np

from evaluation.metrics import Counts
from web.charts.theme import CELL_TEXT, STRONG_ABOVE, Option, cell_style, hidden_color_scale

ROW_PIXELS, MIN_PIXELS, MAX_PIXELS = 38, 260, 900


def confusion_heat_map(
    confusion: Counts,
    classes: Sequence[str],
    *,
    dark: bool,
    selected: tuple[str, str] | None = None,
) -> Option:
    """Return a heat map with the number of images, colored by its share of the row.

    Args:
        confusion: C x C counts, see evaluation.metrics.Report. A click selects a cell; cells are
            numbered row by row, see cell_labels.
        classes: the C labels.
        dark: whether the theme is dark.
        selected: true and predicted label of the cell with a frame.

    """
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    faint, strong = CELL_TEXT[dark]
    cells = [
        {
            "value": [column, row, round(float(shares[row, column]), 4)],
            "label": {
                "show": bool(confusion[row, column]),
                "formatter": f"{confusion[row, column]}",
                "color": strong if shares[row, column] > STRONG_ABOVE else faint,
            },
            **(
                {"itemStyle": {"borderColor": strong, "borderWidth": 2}}
                if selected == (classes[row], classes[column])
                else {}
            ),
        }
        for row in range(len(classes))
        for column in range(len(classes))
    ]
    axis = {
        "type": "category",
        "data": list(classes),
        "axisTick": {"show": False},
        "axisLine": {"show": False},
        "axisLabel": {"fontSize": 13},
        "nameLocation": "middle",
    }
    return {
        "aria": {"enabled": True},
        "grid": {"left": 24, "right": 8, "top": 44, "bottom": 8, "containLabel": True},
        "xAxis": {**axis, "position": "top", "name": "Predicted", "nameGap": 26},
        "yAxis": {**axis, "inverse": True, "name": "True", "nameGap": 30},
        "visualMap": hidden_color_scale(dark=dark),
        "series": [
            {
                "type": "heatmap",
                "name": "images",
                "data": cells,
                "selectedMode": "single",
                "itemStyle": cell_style(dark=dark, gap=2),
                "select": {"itemStyle": {"borderColor": CELL_TEXT[dark][0], "borderWidth": 2}},
                "cursor": "pointer",
                "animation": False,
            }
        ],
    }


def height_pixels(number_of_classes: int) -> int:
    """Return the height of the heat map, one row per class."""
    return min(MAX_PIXELS, max(MIN_PIXELS, 52 + ROW_PIXELS * number_of_classes))


def cell_labels(index: int, classes: Sequence[str]) -> tuple[str, str] | None:
    """Return the true and the predicted label of a cell by its number, None without such a cell."""
    row, column = divmod(index, len(classes)) if classes else (0, 0)
    return (classes[row], classes[column]) if index >= 0 and row < len(classes) else None
