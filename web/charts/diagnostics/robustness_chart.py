"""Robustness as small multiples: accuracy in percent by severity, a chart per corruption."""

from collections.abc import Mapping, Sequence

from web.charts.theme import PHONE_PIXELS, Option
from web.data.diagnostics.robustness import CorruptedAccuracy, Robustness

HEIGHT_PIXELS = 520
OWN, CHAMPION = "this model", "champion"
UNCHANGED = "none"  # label of images without a corruption
COLUMNS, PHONE_COLUMNS = 4, 2
# In pixels: the legend above, and the title and the axis of each small chart
LEGEND, TITLE, AXIS = 36, 22, 28
# Share of a column left and right of a small chart, for the labels of its axes
LEFT, RIGHT = 0.2, 0.1


def robustness_chart(own: Robustness, champion: Robustness | None) -> Option:
    """Return the chart of a model, with a second line for the champion if there is one."""
    names = list(own.by_corruption)
    compared = {OWN: own} | ({} if champion is None else {CHAMPION: champion})
    return {
        "baseOption": {
            "aria": {"enabled": True},
            "legend": {"top": 0, "data": list(compared)},
            "tooltip": {"trigger": "axis", "confine": True, "valueFormatter": "%.1f"},
            **_layout(names, own.by_corruption, COLUMNS),
            "xAxis": [
                _severity_axis(number, own.by_corruption[name]) for number, name in enumerate(names)
            ],
            "yAxis": [_accuracy_axis(number) for number in range(len(names))],
            "series": [
                _line(label, number, one.accuracy, one.by_corruption.get(name, []))
                for number, name in enumerate(names)
                for label, one in compared.items()
            ],
        },
        "media": [
            {
                "query": {"minWidth": PHONE_PIXELS + 1},
                "option": _layout(names, own.by_corruption, COLUMNS),
            },
            {
                "query": {"maxWidth": PHONE_PIXELS},
                "option": _layout(names, own.by_corruption, PHONE_COLUMNS),
            },
        ],
    }


def _layout(
    names: Sequence[str], scores: Mapping[str, Sequence[CorruptedAccuracy]], columns: int
) -> Option:
    """Return the places and titles of the small charts."""
    rows = max(1, -(-len(names) // columns))
    width, height = 100 / columns, (HEIGHT_PIXELS - LEGEND) // rows
    grids, titles = [], []
    for number, name in enumerate(names):
        row, column = divmod(number, columns)
        left, top = f"{(column + LEFT) * width:.2f}%", LEGEND + row * height
        grids.append(
            {
                "left": left,
                "top": top + TITLE,
                "width": f"{(1 - LEFT - RIGHT) * width:.2f}%",
                "height": height - TITLE - AXIS,
            }
        )
        titles.append(
            {
                "text": ", ".join(filter(None, (name, scores[name][0].unit))),
                "left": left,
                "top": top,
                "padding": 0,
                "textStyle": {"fontSize": 11},
            }
        )
    return {"grid": grids, "title": titles}


def _severity_axis(number: int, scores: Sequence[CorruptedAccuracy]) -> Option:
    return {
        "type": "category",
        "gridIndex": number,
        "data": [UNCHANGED, *(f"{score.amount:g}" for score in scores)],
        "boundaryGap": False,
        "axisTick": {"show": False},
        "axisLabel": {"fontSize": 10, "hideOverlap": True},
    }


def _accuracy_axis(number: int) -> Option:
    return {
        "type": "value",
        "gridIndex": number,
        "min": 0,
        "max": 100,
        "interval": 50,
        "axisLabel": {"fontSize": 10},
    }


def _line(name: str, number: int, unchanged: float, scores: Sequence[CorruptedAccuracy]) -> Option:
    return {
        "type": "line",
        "name": name,
        "xAxisIndex": number,
        "yAxisIndex": number,
        "symbolSize": 5,
        "animation": False,
        "lineStyle": {"type": "solid" if name == OWN else "dashed"},
        "data": [
            round(100 * accuracy, 1) for accuracy in (unchanged, *(one.accuracy for one in scores))
        ],
    }
