"""Groups of runs: mean and spread of a result by parameters. A row leads to its runs."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from web.components.baseline import pinned_baseline
from web.components.experiment_picker import EXPERIMENTS
from web.data.filter_columns import column_names
from web.data.leaderboard.columns import TASK, column_title, is_noise, is_share
from web.data.leaderboard.groups import MAX_GROUPS, GroupQuery
from web.data.leaderboard.statements import DEFAULT_SORT, NUMBERS
from web.data.leaderboard_queries import LeaderboardQuery
from web.formatting import pluralize
from web.link_values import check_options
from web.sources import Sources
from web.tables.run_groups import BASELINE_MARK, group_filter, group_table
from web.views.leaderboard.live import request_page

BY, RESULT = "group", "of"
GROUP_KEYS = (BY, RESULT)
# Session keys of the table, and of what it shows
_TABLE, _SHOWN = "group_table", "group_table_shows"
DEFAULT_BY = "architecture"
# Columns that are results, or differ from run to run
_NOT_GROUPED = {"experiment", "tags", "tag.KEY", *NUMBERS[2:]}


def show_groups(
    sources: Sources,
    query: LeaderboardQuery,
    keys: Sequence[str],
    filter_key: str,
    display_key: str,
    table: str,
    *,
    has_several_tasks: bool,
) -> None:
    """Show the groups of the experiments of a query.

    Args:
        sources: sources of the page.
        query: the experiments.
        keys: keys of params and metrics of all experiments.
        filter_key: session key of the filter, which a click on a group sets.
        display_key: session key of the display.
        table: value of the display that shows the runs.
        has_several_tasks: whether there are several tasks, whose results are not comparable.

    """
    by, result = _pick(keys)
    if not by:
        st.info("Select a parameter to group by.", icon=":material/category:")
        return
    needs_task = has_several_tasks and query.task is None and TASK not in by
    columns = (TASK, *by) if needs_task else tuple(by)
    found = sources.board.groups(GroupQuery(query, columns, result, pinned_baseline()), keys)
    if found.value is None:
        st.info(f"{found.problem} The groups are not available.")
        return
    groups = found.value
    title = column_title(result).lower()
    number = "%.2f %%" if is_share(result) else "%.4g"
    _clear_selection((query, columns, result))
    event = st.dataframe(
        group_table(groups, columns, result),
        hide_index=True,
        alt=f"{pluralize(len(groups), 'group')} with the {title} of their runs",
        placeholder="\N{EN DASH}",
        column_config={
            **{
                f"group_{place}": st.column_config.TextColumn(column_title(column))
                for place, column in enumerate(columns)
            },
            "baseline": st.column_config.TextColumn(
                BASELINE_MARK, width=40, help="The group of the pinned baseline."
            ),
            "runs": st.column_config.NumberColumn("Runs", width="small"),
            "mean": st.column_config.NumberColumn("Mean", format=number, help=f"Mean {title}."),
            "deviation": st.column_config.NumberColumn(
                "Std. dev.", format=number, help="Sample standard deviation of the runs."
            ),
            "lowest": st.column_config.NumberColumn("Min", format=number),
            "highest": st.column_config.NumberColumn("Max", format=number),
        },
        on_select="rerun",
        selection_mode=["single-row", "single-column"],
        key=_TABLE,
    )
    if len(groups) == MAX_GROUPS:
        st.caption(f"The first {MAX_GROUPS} groups. Group by fewer parameters to see all.")
    for row in event.selection.rows:
        if row < len(groups):
            group = groups.iloc[row]
            values = [group[f"group_{place}"] for place in range(len(columns))]
            outer = str(st.session_state.get(filter_key) or "")
            is_within_selection = bool(query.names or query.latest is not None)
            st.button(
                f"Show {pluralize(int(group['runs']), 'run')}",
                icon=":material/table_rows:",
                type="primary",
                on_click=_open,
                args=(
                    {display_key: table}
                    if is_within_selection
                    else {filter_key: group_filter(columns, values, outer), display_key: table},
                    tuple(group["names"]) if is_within_selection else (),
                ),
            )


def _clear_selection(shown: object) -> None:
    """Select no row if the table shows other groups than before: a selection is a row number."""
    if st.session_state.get(_SHOWN) != shown:
        st.session_state[_SHOWN] = shown
        st.session_state[_TABLE] = {"selection": {"rows": [], "columns": []}}


def _open(state: dict[str, Any], names: tuple[str, ...]) -> None:
    """Show the runs of a group. state: values of widgets by key. names: runs to pick."""
    st.session_state.update(state)
    if names:
        EXPERIMENTS.set(names)
    request_page()


def _pick(keys: Sequence[str]) -> tuple[list[str], str]:
    """Show the choice of the parameters and of the result, and return both."""
    names = column_names(keys)
    parameters = [name for name in names if name not in _NOT_GROUPED and not is_noise(name)]
    results = [*NUMBERS[2:], *NUMBERS[:2], *(key for key in keys if key not in names[:12])]
    check_options(BY, parameters)
    check_options(RESULT, results)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by = st.multiselect(
            "Group by",
            parameters,
            default=[DEFAULT_BY],
            key=BY,
            bind="query-params",
            width=420,
        )
        result = st.selectbox(
            "Result",
            list(dict.fromkeys(results)),
            key=RESULT,
            bind="query-params",
            width=240,
        )
    return by, result or DEFAULT_SORT
