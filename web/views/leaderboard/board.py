"""Board of the leaderboard: table or chart of one page of experiments, and their loss curves.

It is a fragment, so a click on a row or a refresh draws only this part of the page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from web.charts.loss_curves import MAX_CURVES
from web.components.baseline import pick_baseline, pinned_baseline
from web.components.error_boundary import error_boundary
from web.components.experiment_picker import EXPERIMENTS
from web.components.outage import show_database_down
from web.data.api_types import Model
from web.data.leaderboard.changes import Revision
from web.data.leaderboard_queries import PAGE_ROWS, LeaderboardPage, LeaderboardQuery
from web.formatting import escape_markdown, join_names, pluralize
from web.sources import Sources
from web.tables.leaderboard_table import describe_rows, group_by_task, parse_page, to_csv
from web.views.leaderboard import filter_bar
from web.views.leaderboard.charts import show_chart
from web.views.leaderboard.curves import show_curves
from web.views.leaderboard.display import (
    DISPLAY,
    GROUPS,
    TABLE,
    max_experiments,
    pick_columns,
    pick_display,
)
from web.views.leaderboard.edit import show_edit
from web.views.leaderboard.experiment_table import PAGE, show_table
from web.views.leaderboard.groups import show_groups
from web.views.leaderboard.live import draw_requested_page, refresh_seconds

# Without picked experiments or selected rows, only the first curves are drawn.
DEFAULT_CURVES = 10


@dataclass(frozen=True)
class Board:
    """What a board shows.

    Attributes:
        query: selection and order of the experiments.
        keys: keys of params and metrics of all experiments.
        models: served models by name, None while the API is down.
        links: pages that can open the selected rows, by title.

    """

    query: LeaderboardQuery
    keys: Sequence[str]
    models: Mapping[str, Model] | None
    links: Mapping[str, st.Page]


def requested_page() -> int:
    """Return the page number of the URL or of the last choice, 1 by default."""
    return parse_page(st.session_state.get(PAGE) or st.query_params.get(PAGE))


def show_board(sources: Sources, board: Board, revision: Revision | None) -> None:
    """Show the board. It refreshes while something runs."""
    draw: Callable[[Sources, Board], None] = st.fragment(_draw, run_every=refresh_seconds(revision))
    draw(sources, board)


def _draw(sources: Sources, board: Board) -> None:
    draw_requested_page()
    with error_boundary("The table"):
        revision = sources.board.revision().value
        result = sources.leaderboard(board.query, requested_page(), revision)
        if result.value is None:
            show_database_down(result.problem, sources.retry, title="No experiments to show")
            return
        _show(sources, board, result.value, revision, is_stale=result.is_stale)


def _show(
    sources: Sources,
    board: Board,
    page: LeaderboardPage,
    revision: Revision | None,
    *,
    is_stale: bool,
) -> None:
    """Show the experiments in the selected display, and their curves below.

    is_stale: whether Postgres is down now.
    """
    query = board.query
    with st.container(
        horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute", key="board"
    ):
        display = pick_display()
        with st.container(horizontal=True, vertical_alignment="bottom", width="content"):
            pick_baseline(list(page.rows["experiment"]), "no baseline")
            columns = pick_columns(page, query, board.keys)
    is_table = display == TABLE
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="rows"
    ):
        st.caption(_caption(query, page, display), width="content")
        actions = st.container(horizontal=True, width="content")
    if not page.matching_count:
        filter_bar.show_no_match()
        return
    baseline = _read_baseline(sources)
    if is_table:
        selected = show_table(page, board.models, columns, baseline, board.keys)
    elif display == GROUPS:
        selected = []
        show_groups(
            sources,
            query,
            board.keys,
            filter_bar.FILTER,
            DISPLAY,
            TABLE,
            has_several_tasks=len(page.task_summaries) > 1,
        )
    else:
        selected = []
        show_chart(sources, query, display, board.keys, pinned_baseline())
    with actions:
        if is_table:
            _show_links(board.links, selected)
            archived = page.rows.loc[page.rows["archived_at"].notna(), "experiment"]
            show_edit(sources, selected, [name for name in selected if name in set(archived)])
        _show_export(sources, query, page.matching_count, is_stale=is_stale)
    rows = page.rows
    if removed := list(rows.loc[rows["missing_since"].notna(), "experiment"]):
        st.caption(f"Removed from their file: {join_names(removed)}.")
    has_selection = bool(selected or query.names or query.latest is not None)
    show_curves(
        sources,
        group_by_task(rows, selected or list(rows["experiment"])),
        MAX_CURVES if has_selection else DEFAULT_CURVES,
        baseline,
        revision,
    )


def _caption(query: LeaderboardQuery, page: LeaderboardPage, display: str) -> str:
    is_table = display == TABLE
    drawn = len(page.rows) if is_table else min(max_experiments(display), page.matching_count)
    return describe_rows(
        query,
        offset=(page.page - 1) * PAGE_ROWS if is_table else 0,
        shown=drawn,
        matching_count=page.matching_count,
        total_count=page.experiment_count(None if query.names else query.task),
        has_several_tasks=len(set(page.rows["task"])) > 1,
    )


def _read_baseline(sources: Sources) -> Mapping[str, Any] | None:
    """Return the task and the results of the baseline, None without one."""
    name = pinned_baseline()
    if name is None:
        return None
    runs = sources.runs([name]).value
    if runs is not None and runs.empty:
        st.warning(f"The baseline is not in the database: {escape_markdown(name)}.")
    if runs is None or runs.empty:
        return None
    return {str(column): value for column, value in runs.iloc[0].items()}


def _show_links(links: Mapping[str, st.Page], selected: Sequence[str]) -> None:
    """Show links that open the selected rows on other pages."""
    actions = (
        ("Compare", "Compare", ":material/compare_arrows:"),
        ("Predict", "Predict with", ":material/draw:"),
    )
    for title, action, icon in actions:
        st.page_link(
            links[title],
            label=f"{action} {len(selected):,}" if selected else f"{action} selected",
            icon=icon,
            query_params={EXPERIMENTS.name: list(selected)},
            disabled=not selected,
            help=None if selected else "Select rows of the table first.",
        )


def _show_export(
    sources: Sources, query: LeaderboardQuery, matching_count: int, *, is_stale: bool
) -> None:
    st.download_button(
        f"CSV of {pluralize(matching_count, 'experiment')}",
        lambda: to_csv(sources.export(query)),
        "experiments.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        disabled=is_stale,
        help="Postgres does not respond." if is_stale else "All matches, on all pages.",
    )
