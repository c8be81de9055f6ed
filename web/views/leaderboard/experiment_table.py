"""Experiment table of the leaderboard: rows of one page, selection and page numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from web.data.api_types import Model
from web.data.leaderboard_queries import LeaderboardPage
from web.formatting import pluralize
from web.tables.leaderboard_table import accuracy_bar_range, leaderboard_table
from web.views.leaderboard.column_config import column_configs

PAGE = "page"
ROW_HEIGHT_PIXELS, MAX_VISIBLE_ROWS = 35, 16


def show_first_page() -> None:
    """Go back to the first page, because the rows change."""
    if PAGE in st.session_state:
        st.session_state[PAGE] = 1


def show_table(
    page: LeaderboardPage,
    models: Mapping[str, Model] | None,
    columns: Sequence[str],
    baseline: Mapping[str, Any] | None,
) -> list[str]:
    """Show the rows of a page and the page numbers. Return the names of the selected rows."""
    table = leaderboard_table(page.rows, models, columns, baseline)
    names = list(table["experiment"])
    event = st.dataframe(
        table,
        hide_index=True,
        height=ROW_HEIGHT_PIXELS * (min(len(table), MAX_VISIBLE_ROWS) + 1) + 2,
        alt=f"{pluralize(len(table), 'experiment')} with the selected columns",
        placeholder="\N{EN DASH}",
        column_config=column_configs(table, accuracy_bar_range(page.task_summaries)),
        on_select="rerun",
        selection_mode="multi-row",
        # A selection is a row index, so other rows need another table.
        key=f"table-{hash(tuple(names))}",
    )
    if page.page_count > 1:
        st.pagination(page.page_count, key=PAGE, bind="query-params")
    return [names[row] for row in event.selection.rows if row < len(names)]
