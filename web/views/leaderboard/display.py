"""Display of the leaderboard: the choice of table or chart, the columns, and the charts.

To add a chart, write its module in web/charts and add it to CHARTS.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from web.charts import accuracy_heat_map, hyperparameters, parallel_coordinates, scatter
from web.charts.hyperparameters import plottable
from web.charts.theme import Option
from web.data.leaderboard_columns import STATE, TASK, available_columns, default_columns
from web.data.leaderboard_queries import LeaderboardPage, LeaderboardQuery
from web.formatting import escape_markdown, pluralize
from web.sources import Sources

DISPLAY, COLUMNS = "view", "columns"
DISPLAY_KEYS = (DISPLAY, COLUMNS)
TABLE, GROUPS = "Table", "Groups"
FINISHED = "finished"
HEIGHT_PIXELS = 460


@dataclass(frozen=True)
class Chart:
    """Chart of experiments.

    Attributes:
        draw: returns the chart of experiments, for the dark theme or not.
        columns: numbers that an experiment needs.
        max_experiments: number of experiments that it can show.

    """

    draw: Callable[[pd.DataFrame, bool], Option]
    columns: Sequence[str]
    max_experiments: int = hyperparameters.MAX_EXPERIMENTS


CHARTS = {
    "Parallel coordinates": Chart(
        lambda rows, dark: parallel_coordinates.parallel_coordinates(rows, dark=dark),
        parallel_coordinates.COLUMNS,
    ),
    "Heat map": Chart(
        lambda rows, dark: accuracy_heat_map.accuracy_heat_map(rows, dark=dark),
        accuracy_heat_map.COLUMNS,
        accuracy_heat_map.MAX_EXPERIMENTS,
    ),
    "Scatter": Chart(lambda rows, _dark: scatter.scatter(rows), scatter.COLUMNS),
}


def pick_display() -> str:
    """Show the choice of the display and return TABLE, GROUPS or a key of CHARTS."""
    display = st.segmented_control(
        "View",
        [TABLE, GROUPS, *CHARTS],
        default=TABLE,
        required=True,
        label_visibility="collapsed",
        wrap=True,
        key=DISPLAY,
        bind="query-params",
    )
    return display or TABLE


def pick_columns(page: LeaderboardPage, query: LeaderboardQuery, keys: Sequence[str]) -> list[str]:
    """Show the choice of the table's columns and return their ids, in the selected order."""
    available = available_columns(keys, has_several_tasks=len(page.task_summaries) > 1)
    defaults = default_columns(available)
    with st.popover("Columns", icon=":material/view_column:"):
        columns = st.multiselect(
            "Table columns",
            available,
            default=defaults,
            key=COLUMNS,
            bind="query-params",
            width=360,
            help="The list ends with the extra columns of the CSV files.",
        )
    if columns != defaults:
        return columns
    hidden = set()  # columns with the same value in all rows
    if query.task is not None:
        hidden.add(TASK)
    if set(page.rows["state"]) <= {FINISHED} and page.rows["archived_at"].isna().all():
        hidden.add(STATE)
    return [column for column in columns if column not in hidden]


def max_experiments(display: str) -> int:
    """Return the number of experiments that a chart or the groups can show."""
    return CHARTS[display].max_experiments if display in CHARTS else sys.maxsize


def show_chart(sources: Sources, query: LeaderboardQuery, display: str) -> None:
    """Show one chart per task, as accuracies of different tasks are not comparable."""
    chart = CHARTS[display]
    points = sources.points(query, chart.max_experiments)
    if points.value is None:
        st.info(f"{points.problem} The chart is not available.")
        return
    has_several_tasks = len(set(points.value["task"])) > 1
    for task, rows in points.value.groupby("task"):
        if has_several_tasks:
            st.markdown(f"**{escape_markdown(str(task))}**")
        drawn = len(plottable(rows, chart.columns))
        st.echarts_chart(
            chart.draw(rows, st.context.theme.type == "dark"),
            height=HEIGHT_PIXELS,
            alt=f"{display} of {pluralize(drawn, 'experiment')}",
        )
        if drawn < len(rows):
            hidden = pluralize(len(rows) - drawn, "experiment")
            st.caption(f"Not shown: {hidden} with missing numbers or values outside a log axis.")
