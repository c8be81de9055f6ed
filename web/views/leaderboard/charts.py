"""Charts of the leaderboard: any parameters and results as axes, colored by any of them.

To add a chart, write its module in web/charts and add it to CHARTS. A choice is part of the link.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from web.charts import axes, heat_map, parallel_coordinates, scatter
from web.charts.theme import Option
from web.data.filter_columns import column_names
from web.data.leaderboard_queries import LeaderboardQuery
from web.formatting import escape_markdown, pluralize
from web.link_values import check_options
from web.sources import Sources

HEIGHT_PIXELS = 460
SCATTER, HEAT_MAP = "Scatter", "Heat map"
# Color of each run by its name, instead of a column
BY_RUN = "run"
# Keys of the choices, which are also URL parameters
PARALLEL, PARALLEL_COLOR = "parallel", "parallel_color"
HEAT_X, HEAT_Y, HEAT = "heat_x", "heat_y", "heat"
SCATTER_X, SCATTER_Y, SCATTER_COLOR = "scatter_x", "scatter_y", "scatter_color"
CHART_KEYS = (
    *(PARALLEL, PARALLEL_COLOR, HEAT_X, HEAT_Y, HEAT),
    *(SCATTER_X, SCATTER_Y, SCATTER_COLOR),
)
DEFAULT_PARALLEL = ["learning_rate", "momentum", "best_validation_loss", "test_accuracy"]
_NOT_PLOTTED = {"experiment", "tags", "tag.KEY"}


@dataclass(frozen=True)
class Choice:
    """Columns of a chart's axes, and of its color, None for the colors of the runs."""

    columns: tuple[str, ...]
    color: str | None

    @property
    def needed(self) -> list[str]:
        """Different columns that an experiment needs."""
        return list(dict.fromkeys([*self.columns, *([] if self.color is None else [self.color])]))


@dataclass(frozen=True)
class Chart:
    """Chart of experiments.

    Attributes:
        pick: shows the choice of the columns and returns it.
        draw: returns the chart of experiments: rows, choice, baseline, is the theme dark.
        max_experiments: number of experiments that it can show.

    """

    pick: Callable[[Sequence[str]], Choice]
    draw: Callable[[pd.DataFrame, Choice, str | None, bool], Option]
    max_experiments: int = axes.MAX_EXPERIMENTS


def show_chart(
    sources: Sources,
    query: LeaderboardQuery,
    display: str,
    keys: Sequence[str],
    baseline: str | None,
) -> None:
    """Show one chart per task, as accuracies of different tasks are not comparable.

    Args:
        sources: source of the values.
        query: the experiments.
        display: a key of CHARTS.
        keys: keys of params and metrics of all experiments.
        baseline: name of the pinned baseline.

    """
    chart = CHARTS[display]
    with st.container(horizontal=True, vertical_alignment="bottom", key="chart_axes"):
        choice = chart.pick([name for name in column_names(keys) if name not in _NOT_PLOTTED])
    if not choice.columns:
        st.info("Select at least one axis.", icon=":material/tune:")
        return
    points = sources.board.points(query, choice.needed, keys, chart.max_experiments)
    if points.value is None:
        st.info(f"{points.problem} The chart is not available.")
        return
    has_several_tasks = len(set(points.value["task"])) > 1
    for task, rows in points.value.groupby("task"):
        if has_several_tasks:
            st.markdown(f"**{escape_markdown(str(task))}**")
        drawn = len(axes.plottable(rows, choice.needed))
        st.echarts_chart(
            chart.draw(rows, choice, baseline, st.context.theme.type == "dark"),
            height=HEIGHT_PIXELS,
            alt=f"{display} of {pluralize(drawn, 'experiment')}",
        )
        below = 0 if display == HEAT_MAP else _count_below(rows, choice, baseline)
        if below:
            st.caption(f"Below the chart: {pluralize(below, 'experiment')} of low accuracy.")
        if drawn < len(rows):
            st.caption(f"Not shown: {pluralize(len(rows) - drawn, 'experiment')} without a value.")


def _count_below(rows: pd.DataFrame, choice: Choice, baseline: str | None) -> int:
    """Return the number of experiments below the start of an axis."""
    drawn = axes.plottable(rows, choice.needed)
    of_chart = axes.make_axes(drawn, choice.columns, baseline)
    return int((~axes.is_above_start(drawn, of_chart)).sum())


def _pick_column(label: str, names: Sequence[str], default: str, key: str) -> str:
    check_options(key, names)
    return (
        st.selectbox(
            label, names, index=names.index(default), key=key, bind="query-params", width=220
        )
        or default
    )


def _pick_parallel(names: Sequence[str]) -> Choice:
    check_options(PARALLEL, names, empty="no axis")
    columns = st.multiselect(
        "Axes",
        names,
        default=DEFAULT_PARALLEL,
        key=PARALLEL,
        bind="query-params",
        width=560,
    )
    color = _pick_column("Color", [BY_RUN, *names], "test_accuracy", PARALLEL_COLOR)
    return Choice(tuple(columns), None if color == BY_RUN else color)


def _pick_heat_map(names: Sequence[str]) -> Choice:
    x = _pick_column("Horizontal axis", names, "learning_rate", HEAT_X)
    y = _pick_column("Vertical axis", names, "momentum", HEAT_Y)
    return Choice((x, y), _pick_column("Best of", names, "test_accuracy", HEAT))


def _pick_scatter(names: Sequence[str]) -> Choice:
    x = _pick_column("Horizontal axis", names, "learning_rate", SCATTER_X)
    y = _pick_column("Vertical axis", names, "test_accuracy", SCATTER_Y)
    color = _pick_column("Color", [BY_RUN, *names], BY_RUN, SCATTER_COLOR)
    return Choice((x, y), None if color == BY_RUN else color)


CHARTS = {
    "Parallel coordinates": Chart(
        _pick_parallel,
        lambda rows, choice, baseline, dark: parallel_coordinates.parallel_coordinates(
            rows, choice.columns, color=choice.color, baseline=baseline, dark=dark
        ),
    ),
    HEAT_MAP: Chart(
        _pick_heat_map,
        lambda rows, choice, baseline, dark: heat_map.heat_map(
            rows,
            choice.columns[0],
            choice.columns[1],
            str(choice.color),
            baseline=baseline,
            dark=dark,
        ),
        heat_map.MAX_EXPERIMENTS,
    ),
    SCATTER: Chart(
        _pick_scatter,
        lambda rows, choice, baseline, dark: scatter.scatter(
            rows,
            choice.columns[0],
            choice.columns[1],
            color=choice.color,
            baseline=baseline,
            dark=dark,
        ),
    ),
}
