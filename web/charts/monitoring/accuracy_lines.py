"""Accuracy over time: labels drawn at random with their interval, the estimate, the test set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from web.charts.theme import FAINT_LINE, Option

HEIGHT_PIXELS = 300
LIVE, ESTIMATED, TEST = "Random labels", "Estimated", "Test images"
MIN_RANGE = 2.0  # percentage points
PERCENT = 100.0


@dataclass(frozen=True)
class AccuracyPoint:
    """Accuracy at a time with its interval, all from 0 to 1."""

    at: datetime
    accuracy: float
    low: float
    high: float


def accuracy_lines(
    live: Sequence[AccuracyPoint],
    estimated: Sequence[tuple[datetime, float]],
    test: float | None,
    *,
    dark: bool,
) -> Option:
    """Return a chart over time: live accuracy with its 95 % interval, estimate, test accuracy.

    Args:
        live: by time.
        estimated: time and accuracy, by time.
        test: accuracy on the test images, None without.
        dark: whether the theme is dark.

    """
    values = [
        *(bound for one in live for bound in (one.low, one.high)),
        *(value for _, value in estimated),
        *([] if test is None else [test]),
    ]
    low = min(values, default=0.0) * PERCENT
    band = {
        "type": "line",
        "stack": "interval",
        "animation": False,
        "silent": True,
        "showSymbol": False,
        "lineStyle": {"opacity": 0},
        "tooltip": {"show": False},
    }
    bounds = [
        {**band, "data": [[_at(one.at), _percent(one.low)] for one in live]},
        {
            **band,
            "areaStyle": {"color": FAINT_LINE[dark], "opacity": 0.45},
            "data": [[_at(one.at), _percent(one.high - one.low)] for one in live],
        },
    ]
    times = sorted({_at(one.at) for one in live} | {_at(at) for at, _ in estimated})
    tests = [] if test is None else [[at, _percent(test)] for at in times]
    return {
        "aria": {"enabled": True},
        "grid": {"left": 8, "right": 16, "top": 36, "bottom": 40, "containLabel": True},
        "legend": {"bottom": 0, "data": [LIVE, ESTIMATED, *([TEST] if tests else [])]},
        "tooltip": {"trigger": "axis", "confine": True, "valueFormatter": "%.1f %%"},
        "xAxis": {"type": "time", "axisLabel": {"hideOverlap": True}},
        "yAxis": {
            "type": "value",
            "name": "accuracy, %",
            "nameTextStyle": {"align": "left"},
            "min": round(max(0.0, min(low, PERCENT - MIN_RANGE) - MIN_RANGE / 2), 1),
            "max": PERCENT,
            "axisLabel": {"showMinLabel": False},
        },
        "series": [
            *bounds,
            {
                "type": "line",
                "name": LIVE,
                "animation": False,
                "symbolSize": 8,
                "data": [[_at(one.at), _percent(one.accuracy)] for one in live],
            },
            {
                "type": "line",
                "name": ESTIMATED,
                "animation": False,
                "showSymbol": len(estimated) == 1,
                "lineStyle": {"type": "dotted", "width": 2},
                "data": [[_at(at), _percent(value)] for at, value in estimated],
            },
            *([_test_line(tests)] if tests else []),
        ],
    }


def _test_line(points: list[list[float]]) -> dict[str, Any]:
    return {
        "type": "line",
        "name": TEST,
        "animation": False,
        "showSymbol": len(points) == 1,
        "lineStyle": {"type": "dashed", "width": 1.5},
        "data": points,
    }


def _at(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _percent(share: float) -> float:
    return round(share * PERCENT, 2)
