"""Seed dots: the validation accuracy of each training of a run, with their mean and spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from web.charts.theme import FAINT_LINE, Option

HEIGHT_PIXELS = 300
CHOSEN = "chosen"
# Space above and below the dots, in points of accuracy
MIN_PAD_POINTS = 0.1
# A little above 100 %, so that a dot there is whole. The axis has no label at its end.
TOP_PERCENT = 100.02


@dataclass(frozen=True)
class SeedDot:
    """One training.

    Attributes:
        name: such as `seed 1`.
        accuracy: validation accuracy, 0 to 1.
        is_chosen: whether it became the candidate.

    """

    name: str
    accuracy: float
    is_chosen: bool


def seed_spread(dots: Sequence[SeedDot]) -> tuple[float, float | None]:
    """Return the mean and the standard deviation (None for one dot) of the accuracies."""
    values = [dot.accuracy for dot in dots]
    return fmean(values), stdev(values) if len(values) > 1 else None


def seed_dots(dots: Sequence[SeedDot], *, dark: bool, accent: str) -> Option:
    """Return a chart with one dot per training, a line at the mean and a band of one deviation.

    A single dot has neither line nor band.

    Args:
        dots: at least one.
        dark: whether the theme is dark.
        accent: color of the chosen dot.

    """
    mean, deviation = seed_spread(dots)
    values = [dot.accuracy * 100 for dot in dots]
    pad = max(MIN_PAD_POINTS, (max(values) - min(values)) / 2)
    band = (
        []
        if deviation is None
        else [[{"yAxis": (mean - deviation) * 100}, {"yAxis": (mean + deviation) * 100}]]
    )
    return {
        "aria": {"enabled": True},
        "grid": {"left": 8, "right": 16, "top": 32, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "item", "confine": True, "valueFormatter": "%.2f %%"},
        "xAxis": {
            "type": "category",
            "data": [dot.name for dot in dots],
            "axisTick": {"show": False},
            "axisLabel": {"hideOverlap": True},
        },
        "yAxis": {
            "type": "value",
            "name": "validation accuracy, %",
            "nameTextStyle": {"align": "left"},
            "axisLabel": {"showMinLabel": False, "showMaxLabel": False},
            "min": round(min(values) - pad, 2),
            "max": min(TOP_PERCENT, round(max(values) + pad, 2)),
        },
        "series": [
            {
                "type": "scatter",
                "name": "validation accuracy",
                "animation": False,
                "data": [
                    {
                        "name": dot.name,
                        "value": [dot.name, round(dot.accuracy * 100, 3)],
                        "symbol": "diamond" if dot.is_chosen else "circle",
                        "symbolSize": 18 if dot.is_chosen else 12,
                        **({"itemStyle": {"color": accent}} if dot.is_chosen else {}),
                        "label": {
                            "show": dot.is_chosen,
                            "formatter": CHOSEN,
                            "position": "right",
                        },
                    }
                    for dot in dots
                ],
                "markLine": {
                    "silent": True,
                    "symbol": "none",
                    "animation": False,
                    "lineStyle": {"type": "dashed", "width": 1.5},
                    "label": {"formatter": "mean", "position": "insideStartTop"},
                    "data": [] if deviation is None else [{"yAxis": mean * 100}],
                },
                "markArea": {
                    "silent": True,
                    "animation": False,
                    "itemStyle": {"color": FAINT_LINE[dark], "opacity": 0.3},
                    "data": band,
                },
            }
        ],
    }
