"""Display of the leaderboard: the choice of table, groups or chart, and of the table's columns."""

import sys
from collections.abc import Sequence

import streamlit as st

from web.data.leaderboard.columns import STATE, TASK, available_columns, default_columns
from web.data.leaderboard_queries import LeaderboardPage, LeaderboardQuery
from web.link_values import check_options
from web.views.leaderboard.charts import CHARTS

DISPLAY, COLUMNS = "view", "columns"
DISPLAY_KEYS = (DISPLAY, COLUMNS)
TABLE, GROUPS = "Table", "Groups"
FINISHED = "finished"


def pick_display() -> str:
    """Show the choice of the display and return TABLE, GROUPS or a key of CHARTS."""
    check_options(DISPLAY, [TABLE, GROUPS, *CHARTS])
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
    check_options(COLUMNS, available)
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
