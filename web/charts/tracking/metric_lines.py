"""Metric lines: one chart per quantity of a run, such as loss with validation_loss."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from web.charts.loss_curves import axis_ceiling, spans_decade
from web.charts.smoothing import smooth
from web.charts.theme import Option
from web.data.tracking.types import Curve

# Prefixes of a metric that name images, not a quantity.
PREFIXES = ("training", "train", "validation", "val", "test", "evaluation", "eval")
SYNONYMS = {"acc": "accuracy"}
LOSS, ACCURACY = "loss", "accuracy"
# Larger charts come first, in this order.
MAIN = (LOSS, ACCURACY)
# Points of a line that are sent to the browser. No screen shows more.
MAX_POINTS = 2000
DASHES = ("solid", "dashed", "dotted")
RAW_OPACITY = 0.3
SHOWN_DIGITS = 7


@dataclass(frozen=True)
class MetricGroup:
    """Curves of one quantity: the training curve first, then those of other images."""

    quantity: str
    curves: tuple[Curve, ...]

    @property
    def is_main(self) -> bool:
        """Whether it has a large chart."""
        return self.quantity in MAIN


def group_curves(curves: Sequence[Curve]) -> list[MetricGroup]:
    """Return the curves by quantity: loss, accuracy, then the others by name."""
    groups: dict[str, list[Curve]] = {}
    for curve in curves:
        groups.setdefault(quantity_of(curve.metric), []).append(curve)
    order = sorted(groups, key=lambda one: (MAIN.index(one) if one in MAIN else len(MAIN), one))
    return [
        MetricGroup(one, tuple(sorted(groups[one], key=lambda curve: _rank(curve.metric))))
        for one in order
    ]


def quantity_of(metric: str) -> str:
    """Return the quantity of a metric: loss for validation_loss and train_loss."""
    prefix, _, rest = metric.partition("_")
    base = rest if prefix in PREFIXES and rest else metric
    return SYNONYMS.get(base, base)


def _rank(metric: str) -> tuple[int, str]:
    """Return the position in the legend: training, validation, test."""
    order = ("train", "val", "test", "eval")
    found = [number for number, prefix in enumerate(order, 1) if metric.startswith(prefix)]
    return (found[0] if found else 0, metric)


def spans_decades(group: MetricGroup) -> bool:
    """Return whether the values are positive and differ by more than a factor of ten."""
    return spans_decade(pd.concat([_frame(curve, log=False) for curve in group.curves]))


def metric_lines(group: MetricGroup, *, log: bool, smoothing: float, color: str) -> Option:
    """Return the chart of a group. Lines have one color, and dashes distinguish them.

    Args:
        group: the curves.
        log: whether the value axis is logarithmic. It cannot show points at or below 0.
        smoothing: weight of smoothing.smooth, 0 to 0.99. Above 0 the raw line is faint behind.
        color: of the run, see run_colors.

    """
    frames = [_frame(curve, log=log) for curve in group.curves]
    usable = pd.concat(frames, ignore_index=True)
    ceiling = axis_ceiling(usable.dropna()) if usable["value"].notna().any() else None
    names = [curve.metric for curve in group.curves]
    lines = [
        _line(curve.metric, _points(smooth(frame, smoothing)), number, color)
        for number, (curve, frame) in enumerate(zip(group.curves, frames, strict=True))
    ]
    raw = [
        _raw_line(curve.metric, _points(frame), color)
        for curve, frame in zip(group.curves, frames, strict=True)
        if smoothing
    ]
    has_legend = len(names) > 1
    return {
        "aria": {"enabled": True},
        "grid": {
            "left": 8,
            "right": 16,
            "top": 36,
            "bottom": 52 if has_legend else 32,
            "containLabel": True,
        },
        "legend": {"show": has_legend, "type": "scroll", "bottom": 0, "data": names},
        "tooltip": {"trigger": "axis", "confine": True, "valueFormatter": "%.4f"},
        "toolbox": {
            "right": 8,
            "feature": {
                "dataZoom": {"yAxisIndex": "none", "title": {"zoom": "Zoom", "back": "Undo zoom"}}
            },
        },
        "xAxis": {
            "type": "value",
            "name": "step",
            "nameLocation": "middle",
            "nameGap": 24,
            "min": "dataMin",
            "max": "dataMax",
            "splitLine": {"show": False},
            "axisPointer": {"label": {"precision": 0}},
        },
        "yAxis": {
            "type": "log" if log else "value",
            "name": f"{title_of(group.quantity)}, log" if log else title_of(group.quantity),
            "nameTextStyle": {"align": "left"},
            "scale": True,
            **(_log_limits(usable["value"]) if log else {}),
            **({} if ceiling is None else {"max": ceiling}),
        },
        "series": [*lines, *raw],
    }


def _log_limits(values: "pd.Series[float]") -> dict[str, float]:
    """Return the ends of a log axis: 1, 2 or 5 times a power of ten around the values."""
    positive = values.dropna()
    if positive.empty:
        return {}
    low, high = float(positive.min()), float(positive.max())
    ends = [
        factor * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for factor in (1, 2, 5)
    ]
    return {
        "min": max((end for end in ends if end <= low), default=low),
        "max": min((end for end in ends if end >= high), default=high),
    }


def title_of(metric: str) -> str:
    """Return a metric as text: validation loss."""
    return metric.replace("_", " ")


def _frame(curve: Curve, *, log: bool) -> pd.DataFrame:
    """Return a curve in long form: experiment, step, value. Values without a place are NaN."""
    values = np.array(curve.values, dtype=np.float64)
    is_drawn = np.isfinite(values) & ((values > 0) | (not log))
    return pd.DataFrame(
        {
            "experiment": curve.metric,
            "step": np.array(curve.steps, dtype=np.int64),
            "value": np.where(is_drawn, values, np.nan),
        }
    )


def _points(frame: pd.DataFrame) -> list[list[float | None]]:
    """Return [step, value] pairs, at most MAX_POINTS. The first and the last one stay."""
    if len(frame) > MAX_POINTS:
        chosen = np.unique(np.linspace(0, len(frame) - 1, MAX_POINTS).round().astype(int))
        frame = frame.iloc[chosen]
    return [
        [int(step), None if math.isnan(value) else float(f"{value:.{SHOWN_DIGITS}g}")]
        for step, value in zip(frame["step"], frame["value"], strict=True)
    ]


def _line(
    metric: str, points: Sequence[Sequence[float | None]], number: int, color: str
) -> dict[str, Any]:
    return {
        "type": "line",
        "name": metric,
        "data": points,
        "showSymbol": len(points) == 1,
        "animation": False,
        "sampling": "lttb",
        "itemStyle": {"color": color},
        "lineStyle": {"width": 2, "type": DASHES[number % len(DASHES)], "color": color},
    }


def _raw_line(metric: str, points: Sequence[Sequence[float | None]], color: str) -> dict[str, Any]:
    """Return the faint raw line. It shares the name, and so the color, of its smoothed line."""
    return {
        "type": "line",
        "name": metric,
        "data": points,
        "showSymbol": False,
        "animation": False,
        "silent": True,
        "z": 1,
        "tooltip": {"show": False},
        "itemStyle": {"color": color},
        "lineStyle": {"width": 1, "opacity": RAW_OPACITY, "color": color},
    }
