"""Filter bar of the leaderboard: filter, sort order, and the messages about a filter."""

from collections.abc import Sequence

import streamlit as st

from web.components.experiment_picker import Selection
from web.data.filter_columns import column_names
from web.data.filter_language import parse_filter
from web.data.filter_tokens import FilterError, underline_error
from web.data.leaderboard.columns import COLUMNS, column_title
from web.data.leaderboard.statements import DEFAULT_SORT, NEWEST, SORTS
from web.data.leaderboard_queries import LeaderboardQuery
from web.formatting import escape_markdown, join_names
from web.link_values import check_flag, check_options
from web.views.leaderboard.experiment_table import DESCENDING, SORT, show_first_page
from web.views.leaderboard.live import request_page

FILTER, ARCHIVED = "filter", "archived"
FILTER_KEYS = (FILTER, ARCHIVED, SORT, DESCENDING)
_SORT_TITLES = {"experiment": "Name", NEWEST: "Newest"}
MAX_LISTED_COLUMNS = 60


def show_filter_bar(
    selection: Selection, keys: Sequence[str], *, is_picked: bool
) -> LeaderboardQuery:
    """Show the filter and the sort order, and return the resulting query.

    Args:
        selection: the experiment picker's selection.
        keys: keys of params and metrics of all experiments.
        is_picked: whether experiments are picked, which disables the filter.

    Raises:
        FilterError: the filter is invalid.

    """
    sorts = [*SORTS, *(key for key in keys if key not in SORTS and key not in COLUMNS)]
    with st.container(horizontal=True, vertical_alignment="bottom", key="query"):
        text = st.text_input(
            "Filter",
            type="search",
            key=FILTER,
            bind="query-params",
            placeholder="accuracy > 98 % and lr < 0.05",
            help=(
                "Compare any column with `=` `!=` `<` `<=` `>` `>=`, or search text with `~`."
                " Combine with `and`, `or`, `not` and parentheses. Also `task in (a, b)` and"
                " `outcome is missing`. Quote names with spaces. Picked experiments take"
                " precedence over the filter."
            ),
            disabled=is_picked,
            on_change=show_first_page,
        )
        check_options(SORT, sorts, _sort_title)
        check_flag(DESCENDING)
        check_flag(ARCHIVED)
        sort = st.selectbox(
            "Sort by",
            sorts,
            format_func=_sort_title,
            key=SORT,
            bind="query-params",
            width=170,
            help="Sorts all pages, missing values last. A click on a column header does the same.",
            on_change=show_first_page,
        )
        is_descending = st.toggle(
            "Highest first",
            value=True,
            key=DESCENDING,
            bind="query-params",
            on_change=show_first_page,
        )
        is_archived = st.toggle(
            "Archived",
            key=ARCHIVED,
            bind="query-params",
            help="Includes archived experiments.",
            on_change=show_first_page,
        )
    return LeaderboardQuery(
        names=selection.names if is_picked else (),
        condition=None if is_picked else parse_filter(text or "", keys),
        task=None if is_picked else selection.task,
        latest=None if selection.is_all else len(selection.names),
        sort=sort or DEFAULT_SORT,
        descending=is_descending,
        archived=is_archived,
    )


def _sort_title(sort: str) -> str:
    return _SORT_TITLES.get(sort) or column_title(sort)


def show_no_match() -> None:
    """Show that no experiment matches, with a button that clears the filter."""
    st.info("No experiments match this filter.", icon=":material/search_off:")
    st.button("Clear filter", icon=":material/close:", on_click=_clear_filter)


def show_filter_error(error: FilterError, keys: Sequence[str]) -> None:
    """Show the filter with its faulty token underlined, a suggestion and the columns."""
    text = st.session_state[FILTER]
    st.warning(
        escape_markdown(error.message), icon=":material/filter_alt_off:", title="Invalid filter"
    )
    st.code(underline_error(text, error), language=None)
    if error.suggestion is not None:
        end = error.position + error.length
        st.button(
            f"Did you mean {escape_markdown(error.suggestion)}?",
            icon=":material/auto_fix_high:",
            on_click=_set_filter,
            args=(text[: error.position] + error.suggestion + text[end:],),
        )
    st.caption(f"Columns: {join_names(column_names(keys), limit=MAX_LISTED_COLUMNS)}.")


def _clear_filter() -> None:
    _set_filter("")
    request_page()  # the button is on the board, the filter above it


def _set_filter(text: str) -> None:
    st.session_state[FILTER] = text
    show_first_page()
