"""What the page Evaluate draws: option objects of Apache ECharts.

Pure; labels are data and appear as plain strings only.
"""

import numpy as np
import pandas as pd

from web.charts.options import CELL_TEXT, HEAT, STRONG_ABOVE, SURFACE, Option

SIDE_PIXELS, LEAST_PIXELS, MOST_PIXELS = 38, 260, 900


def confusion_heat_map(
    confusion: pd.DataFrame, *, dark: bool, chosen: tuple[str, str] | None = None
) -> Option:
    """True labels (rows) x given labels (columns).

    The number of images, as strong as its share of the row's.

    Args:
        confusion: as evaluation.Report.confusion. A click selects the cell; cells are numbered row
        by row, see cell_of.
        dark: for the dark theme.
        chosen: the true and the given label of the cell with a frame.

    """
    labels = [str(label) for label in confusion.index]
    counts = confusion.to_numpy()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    faint, strong = CELL_TEXT[dark]
    cells = [
        {
            "value": [column, row, round(float(shares[row, column]), 4)],
            "label": {
                "show": bool(counts[row, column]),
                "formatter": f"{counts[row, column]}",
                "color": strong if shares[row, column] > STRONG_ABOVE else faint,
            },
            **(
                {"itemStyle": {"borderColor": strong, "borderWidth": 2}}
                if chosen == (labels[row], labels[column])
                else {}
            ),
        }
        for row in range(len(labels))
        for column in range(len(labels))
    ]
    axis = {
        "type": "category",
        "data": labels,
        "axisTick": {"show": False},
        "axisLine": {"show": False},
        "axisLabel": {"fontSize": 13},
    }
    return {
        "aria": {"enabled": True},
        "grid": {"left": 24, "right": 8, "top": 44, "bottom": 8, "containLabel": True},
        "xAxis": {
            **axis,
            "position": "top",
            "name": "read as",
            "nameLocation": "middle",
            "nameGap": 26,
        },
        "yAxis": {**axis, "inverse": True, "name": "true", "nameLocation": "middle", "nameGap": 30},
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
                "name": "images",
                "data": cells,
                "selectedMode": "single",
                "itemStyle": {"borderColor": SURFACE[dark], "borderWidth": 2, "borderRadius": 5},
                "select": {"itemStyle": {"borderColor": CELL_TEXT[dark][0], "borderWidth": 2}},
                "cursor": "pointer",
                "animation": False,
            }
        ],
    }


def confusion_height_pixels(labels: int) -> int:
    """Room for a row per label."""
    return min(MOST_PIXELS, max(LEAST_PIXELS, 52 + SIDE_PIXELS * labels))


def cell_of(index: int, labels: list[str]) -> tuple[str, str] | None:
    """Return the true and the given label of a cell by its number in confusion_heat_map, None if
    there is no such cell.
    """
    row, column = divmod(index, len(labels)) if labels else (0, 0)
    return (labels[row], labels[column]) if index >= 0 and row < len(labels) else None


def reliability_diagram(bins: pd.DataFrame) -> Option:
    """Accuracy over confidence, a bar per bin that holds images, beside the diagonal where both are
    equal.

    bins: as evaluation.Report.bins.
    """
    labels = [f"{low:.2f}-{high:.2f}" for low, high in zip(bins["low"], bins["high"], strict=True)]
    table = pd.DataFrame(
        {
            "confidence": labels,
            "accuracy": bins["accuracy"].round(4),
            "as confident as right": ((bins["low"] + bins["high"]) / 2).round(4),
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
                "name": "as confident as right",
                "encode": {"x": "confidence", "y": "as confident as right"},
                "showSymbol": False,
                "animation": False,
                "lineStyle": {"type": "dashed", "width": 2},
            },
        ],
    }
