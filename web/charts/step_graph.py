"""Step graph of a pipeline run: one box per step, colored by state, with a dot for each seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from web.charts.theme import PHONE_PIXELS, Option

HEIGHT_PIXELS = 140
RADIUS_PIXELS = 9
# By "is the theme dark": border and fill of a box.
STATE_COLORS = {
    False: {
        "SUCCEEDED": ("#2f855a", "#e4f4eb"),
        "RUNNING": ("#2b7fb8", "#e1f0fa"),
        "FAILED": ("#c53030", "#fce8e8"),
        "CANCELLED": ("#b7791f", "#fdf3dc"),
        "SKIPPED": ("#9fb0b2", "#f3f7f7"),
        "WAITING": ("#c9d6d6", "#ffffff"),
    },
    True: {
        "SUCCEEDED": ("#7fd69b", "#17332a"),
        "RUNNING": ("#74bfee", "#16303f"),
        "FAILED": ("#fc8b8b", "#3f1f22"),
        "CANCELLED": ("#ecc15c", "#3a3019"),
        "SKIPPED": ("#5a6c70", "#1a2629"),
        "WAITING": ("#37474b", "#10191b"),
    },
}
TEXT = {False: "#1c2b2d", True: "#e3eceb"}
FAINT_TEXT = {False: "#52666a", True: "#a8bcbd"}
# The state is readable without its color.
SIGNS = {
    "SUCCEEDED": "\N{CHECK MARK}",
    "RUNNING": "\N{BLACK RIGHT-POINTING TRIANGLE}\N{VARIATION SELECTOR-15}",
    "FAILED": "\N{MULTIPLICATION X}",
    "CANCELLED": "\N{BLACK SQUARE FOR STOP}\N{VARIATION SELECTOR-15}",
    "SKIPPED": "\N{EN DASH}",
    "WAITING": "\N{WHITE CIRCLE}",
}
# Seeds of a sweep are too many to draw.
MAX_DOTS = 7
DOT_PIXELS, DOT_GAP_PIXELS = 9, 10


@dataclass(frozen=True)
class StepBox:
    """Step in the graph.

    Attributes:
        name: its name.
        state: a key of SIGNS.
        note: second line, such as its duration.

    """

    name: str
    state: str
    note: str


@dataclass(frozen=True)
class _Layout:
    """Geometry for a range of widths: boxes in rows, in pixels, and axes in boxes.

    Attributes:
        columns, rows: number of boxes in a row, and of rows.
        box: width and height of a box in pixels.
        dot_gap: distance of two dots, in columns.
        font: size of the name in pixels.

    """

    columns: int
    rows: int
    box: tuple[int, int]
    dot_gap: float
    font: int


_WIDE = _Layout(8, 1, (118, 56), 0.14, 14)
_NARROW = _Layout(8, 1, (82, 56), 0.17, 12)
_PHONE = _Layout(4, 2, (76, 46), 0.2, 12)
_WIDE_PIXELS = 1000


def step_graph(steps: Sequence[StepBox], seeds: Sequence[str], *, dark: bool) -> Option:
    """Return the graph: a row of boxes, on a phone two rows.

    Args:
        steps: in order.
        seeds: states of the seeds, which are dots below the step `train`.
        dark: whether the theme is dark.

    """
    return {
        "aria": {"enabled": True},
        "grid": {"left": 0, "right": 0, "top": 0, "bottom": 0},
        "tooltip": {"show": False},
        "xAxis": {"type": "value", "show": False, "min": -0.5, "max": 7.5},
        "yAxis": {"type": "value", "show": False, "min": -0.5, "max": 0.5, "inverse": True},
        "series": [_series(steps, seeds, _WIDE, dark=dark)],
        "media": [
            {
                "query": {"minWidth": _WIDE_PIXELS + 1},
                "option": _media(steps, seeds, _WIDE, dark=dark),
            },
            {
                "query": {"minWidth": PHONE_PIXELS + 1, "maxWidth": _WIDE_PIXELS},
                "option": _media(steps, seeds, _NARROW, dark=dark),
            },
            {
                "query": {"maxWidth": PHONE_PIXELS},
                "option": _media(steps, seeds, _PHONE, dark=dark),
            },
        ],
    }


def _media(
    steps: Sequence[StepBox], seeds: Sequence[str], layout: _Layout, *, dark: bool
) -> Option:
    return {
        "xAxis": {"min": -0.5, "max": layout.columns - 0.5},
        "yAxis": {"min": -0.5, "max": layout.rows - 0.5},
        "series": [_series(steps, seeds, layout, dark=dark)],
    }


def _series(
    steps: Sequence[StepBox], seeds: Sequence[str], layout: _Layout, *, dark: bool
) -> Option:
    places = {step.name: divmod(number, layout.columns)[::-1] for number, step in enumerate(steps)}
    boxes = [_box(step, places[step.name], layout, dark=dark) for step in steps]
    return {
        "type": "graph",
        "coordinateSystem": "cartesian2d",
        "animation": False,
        "silent": True,
        "data": [*boxes, *_dots(places.get("train"), seeds, layout, dark=dark)],
        "links": [
            {"source": one.name, "target": other.name}
            for one, other in pairwise(steps)
            if places[one.name][1] == places[other.name][1]
        ],
        "lineStyle": {"color": FAINT_TEXT[dark], "width": 1.5, "opacity": 0.8},
        "emphasis": {"disabled": True},
    }


def _box(step: StepBox, place: tuple[int, int], layout: _Layout, *, dark: bool) -> dict[str, Any]:
    border, fill = STATE_COLORS[dark][step.state]
    is_ahead = step.state in ("WAITING", "SKIPPED")
    name = {"fontSize": layout.font, "fontWeight": 600, "lineHeight": layout.font + 6}
    text = FAINT_TEXT[dark] if is_ahead else TEXT[dark]
    return {
        "name": step.name,
        "value": list(place),
        "symbol": _rounded(*layout.box),
        "symbolSize": list(layout.box),
        "itemStyle": {
            "color": fill,
            "borderColor": border,
            "borderWidth": 2 if step.state in ("RUNNING", "FAILED") else 1.5,
            "borderType": "dashed" if is_ahead else "solid",
        },
        "label": {
            "show": True,
            "position": "inside",
            "formatter": f"{{sign|{SIGNS[step.state]}}} {{name|{step.name}}}\n{{note|{step.note}}}",
            "rich": {
                "sign": {**name, "color": border},
                "name": {**name, "color": text},
                "note": {"fontSize": layout.font - 1, "color": FAINT_TEXT[dark]},
            },
        },
    }


def _rounded(width: int, height: int) -> str:
    """Return the outline of a box as a symbol. The built-in one has corners of a quarter."""
    radius = RADIUS_PIXELS
    turn = f"a{radius},{radius} 0 0 1 "
    across, down = width - 2 * radius, height - 2 * radius
    return (
        f"path://M{radius},0h{across}{turn}{radius},{radius}v{down}{turn}-{radius},{radius}"
        f"h-{across}{turn}-{radius},-{radius}v-{down}{turn}{radius},-{radius}z"
    )


def _dots(
    train: tuple[int, int] | None, seeds: Sequence[str], layout: _Layout, *, dark: bool
) -> list[dict[str, Any]]:
    """Return one dot per seed below the box of the training."""
    if train is None or len(seeds) > MAX_DOTS:
        return []
    column, row = train
    below = (layout.box[1] / 2 + DOT_GAP_PIXELS) * layout.rows / HEIGHT_PIXELS
    middle = (len(seeds) - 1) / 2
    return [
        {
            "name": f"seed {number}",
            "value": [column + (number - middle) * layout.dot_gap, row + below],
            "symbol": "circle",
            "symbolSize": DOT_PIXELS,
            "itemStyle": {
                "color": STATE_COLORS[dark][state][0],
                "opacity": 0.4 if state == "WAITING" else 1,
            },
            "label": {"show": False},
        }
        for number, state in enumerate(seeds)
    ]
