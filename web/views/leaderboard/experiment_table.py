"""Experiment table of the leaderboard: rows of one page, selection, header clicks, page numbers.

A selection is a list of row numbers. It follows its runs when a refresh or another order moves
them. A click on a header sorts in SQL, as only Postgres has the rows of all pages.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import streamlit as st

from web.data.api_types import Model
from web.data.leaderboard.columns import FILE_SUFFIX, is_lower_better
from web.data.leaderboard.statements import SORTS
from web.data.leaderboard_queries import LeaderboardPage
from web.formatting import pluralize
from web.link_values import check_number
from web.tables.leaderboard_table import CHANGES, RUN, accuracy_bar_range, leaderboard_table
from web.views.leaderboard.column_config import column_configs
from web.views.leaderboard.live import request_page

PAGE, SORT, DESCENDING = "page", "sort", "down"
ROW_HEIGHT_PIXELS, MAX_VISIBLE_ROWS = 35, 16
_TABLE = "board_table"
# Session key of the names in the table
_NAMES = "board_table_names"


def show_first_page() -> None:
    """Go back to the first page, because the rows change."""
    if PAGE in st.session_state:
        st.session_state[PAGE] = 1


def sort_of_column(column: str, keys: Collection[str]) -> str | None:
    """Return the sort key of a table column, None if Postgres cannot sort by it."""
    changed = {change: base for base, (_, change) in CHANGES.items()}
    name = "experiment" if column == RUN else changed.get(column, column)
    if name in SORTS:
        return name
    key = name.removesuffix(FILE_SUFFIX)
    return key if key in keys else None


def show_table(
    page: LeaderboardPage,
    models: Mapping[str, Model] | None,
    columns: Sequence[str],
    baseline: Mapping[str, Any] | None,
    keys: Collection[str],
) -> list[str]:
    """Show the rows of a page and the page numbers. Return the names of the selected rows."""
    table = leaderboard_table(page.rows, models, columns, baseline)
    names = list(table["experiment"])
    _move_selection(names)
    event = st.dataframe(
        table,
        hide_index=True,
        height=ROW_HEIGHT_PIXELS * (min(len(table), MAX_VISIBLE_ROWS) + 1) + 2,
        alt=f"{pluralize(len(table), 'experiment')} with the selected columns",
        placeholder="\N{EN DASH}",
        column_config=column_configs(table, accuracy_bar_range(page.task_summaries)),
        on_select=lambda: _sort_by_header(keys),
        # With columns to select, a click on a header does not sort in the browser.
        selection_mode=["multi-row", "single-column"],
        key=_TABLE,
    )
    check_number(PAGE, 1, page.page_count, is_whole=True, empty=f"page {page.page:,}")
    if page.page_count > 1:
        st.pagination(page.page_count, key=PAGE, bind="query-params")
    return [names[row] for row in event.selection.rows if row < len(names)]


def _move_selection(names: Sequence[str]) -> None:
    """Select the same runs as before in a table with these names."""
    before = st.session_state.get(_NAMES, names)
    st.session_state[_NAMES] = list(names)
    rows = _selection().get("rows", [])
    if rows and list(before) != list(names):
        chosen = {before[row] for row in rows if row < len(before)}
        _select([number for number, name in enumerate(names) if name in chosen])


def _sort_by_header(keys: Collection[str]) -> None:
    """Sort by the column whose header was clicked, a second time in the other direction."""
    selection = _selection()
    columns = selection.get("columns", [])
    if not columns:
        return
    _select(list(selection.get("rows", [])))
    sort = sort_of_column(str(columns[0]), keys)
    if sort is None:
        return
    is_same = st.session_state.get(SORT) == sort
    st.session_state[DESCENDING] = (
        not st.session_state.get(DESCENDING, True)
        if is_same
        else not (is_lower_better(sort) or sort == "experiment")
    )
    st.session_state[SORT] = sort
    show_first_page()
    request_page()


def _selection() -> Mapping[str, Any]:
    state = st.session_state.get(_TABLE) or {}
    selection: Mapping[str, Any] = state.get("selection", {})
    return selection


def _select(rows: list[int]) -> None:
    st.session_state[_TABLE] = {"selection": {"rows": rows, "columns": []}}
